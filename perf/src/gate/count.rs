//! What the counters say, read strictly: what is not understood is no count. Pure.

use serde::Deserialize;

use crate::arch::Arch;

/// What `stages-heap` says of its second run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Heap {
    pub(super) allocations: u64,
    pub(super) bytes: u64,
    pub(super) writes: u64,
    pub(super) queued_bytes: u64,
}

/// The instructions that a counter reports on stderr.
///
/// # Errors
/// There is no report, or more than one.
pub(super) fn instructions(arch: Arch, stderr: &str) -> Result<u64, String> {
    let numbers: Vec<u64> = stderr
        .lines()
        .filter_map(|line| match arch {
            Arch::Amd64 => callgrind(line),
            Arch::Arm32 => line.strip_prefix("instructions: ")?.parse().ok(),
        })
        .collect();
    match numbers[..] {
        [number] => Ok(number),
        [] => Err("no count came out of the counter".to_owned()),
        _ => Err("more than one count came out of the counter".to_owned()),
    }
}

/// `==PID== Collected : N`.
fn callgrind(line: &str) -> Option<u64> {
    let (process, rest) = line.strip_prefix("==")?.split_once("== ")?;
    process.parse::<u32>().ok()?;
    rest.strip_prefix("Collected : ")?.parse().ok()
}

/// The line of JSON on the stdout of `stages-heap`.
///
/// # Errors
/// It is not what it should be.
pub(super) fn heap(stdout: &str) -> Result<Heap, String> {
    serde_json::from_str(stdout).map_err(|error| format!("not what stages-heap says: {error}"))
}

/// Instructions of `messages` messages, for 1,000 of them, from the counts of a run over that many
/// and of one over twice as many: what a process does once is in both.
///
/// # Errors
/// The longer run took no more.
pub(super) fn difference(once: u64, twice: u64, messages: u32) -> Result<u64, String> {
    match twice.checked_sub(once) {
        None | Some(0) => {
            Err(format!("twice the messages took {twice} instructions, not more than {once}"))
        }
        Some(count) => Ok(per_thousand(count, messages)),
    }
}

/// Rounded up: one allocation in ten thousand messages is not none.
pub(super) fn per_thousand(count: u64, messages: u32) -> u64 {
    let scaled = (u128::from(count) * 1000).div_ceil(u128::from(messages.max(1)));
    u64::try_from(scaled).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALLGRIND: &str = "==6144== Command: ./stages core 1000\n==6144== \n\
        ==6144== Events    : Ir\n==6144== Collected : 6329282\n==6144== \n\
        ==6144== I   refs:      6,329,282\n";

    #[test]
    fn counts_are_read() {
        assert_eq!(instructions(Arch::Amd64, CALLGRIND), Ok(6_329_282));
        assert_eq!(instructions(Arch::Arm32, "a warning\ninstructions: 103495\n"), Ok(103_495));
    }

    #[test]
    fn garbage_is_no_count() {
        for text in [
            "",
            "==6144== Collected : ",
            "== Collected : 5",
            "==1== Collected : 5 6",
            "Collected : 5",
        ] {
            assert!(instructions(Arch::Amd64, text).unwrap_err().starts_with("no count"), "{text}");
        }
        let twice = format!("{CALLGRIND}{CALLGRIND}");
        assert!(instructions(Arch::Amd64, &twice).unwrap_err().starts_with("more than one"));
        assert!(instructions(Arch::Arm32, "instructions: -1").is_err());
        assert!(instructions(Arch::Arm32, CALLGRIND).is_err());
    }

    #[test]
    fn heap_lines_are_read_whole() {
        let line = "{\"allocations\":1,\"bytes\":2,\"writes\":3,\"queued_bytes\":4}\n";
        let expected = Heap { allocations: 1, bytes: 2, writes: 3, queued_bytes: 4 };
        assert_eq!(heap(line), Ok(expected));
        for text in ["", "{}", &line.replace('4', "-4"), &format!("{line}{line}")] {
            assert!(heap(text).is_err(), "{text}");
        }
    }

    /// The start of a process falls out, and a single event in many messages does not.
    #[test]
    fn counts_are_for_a_thousand_messages() {
        assert_eq!(difference(500_000, 500_000 + 3 * 400, 400), Ok(3000));
        assert_eq!(difference(10, 11, 10_000), Ok(1));
        assert_eq!(per_thousand(0, 10_000), 0);
        assert_eq!(per_thousand(u64::MAX, 1), u64::MAX);
        for (once, twice) in [(10, 10), (11, 10)] {
            assert!(difference(once, twice, 1000).unwrap_err().contains("not more than"));
        }
    }
}
