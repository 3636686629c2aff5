//! What counts depend on beside the code, and what is written beside a blessing.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

use loadgen_hub::simulator::utc_text;
use loadgen_load::machine::Machine;

use super::baseline::Facts;
use super::measure::Counter;
use crate::arch::Arch;
use crate::record::commit;

/// What the system does not tell is empty.
pub(super) fn gather(arch: Arch, counter: &Counter, program: &Path) -> Facts {
    let read = |file: &Path| fs::read(file).unwrap_or_default();
    Facts {
        // The program itself knows best which compiler made it: the cross build may have another.
        rustc: text_behind(&read(&counter.programs.join("stages")), "rustc version "),
        counter: version(program),
        libc: text_behind(&read(&arch.libc()), "GNU C Library "),
        processor: match arch {
            Arch::Amd64 => Machine::here().processor,
            // QEMU's own, whatever the host is.
            Arch::Arm32 => String::new(),
        },
    }
}

/// When and of what a blessing is.
pub(super) fn stamp() -> (String, String) {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    (utc_text(since_epoch.unwrap_or_default()), commit())
}

fn version(program: &Path) -> String {
    let output = Command::new(program).arg("--version").output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    text.unwrap_or_default().lines().next().unwrap_or_default().to_owned()
}

/// The printable text from the first `mark` on, to the end of its line or of the string.
fn text_behind(bytes: &[u8], mark: &str) -> String {
    let Some(at) = bytes.windows(mark.len()).position(|window| window == mark.as_bytes()) else {
        return String::new();
    };
    let text = bytes[at + mark.len()..].iter().take(200).map_while(|byte| {
        let character = char::from(*byte);
        (character == ' ' || character.is_ascii_graphic()).then_some(character)
    });
    // Where it stands in parentheses, the one behind is not its own.
    let text: String = text.collect();
    let is_open = text.matches(')').count() > text.matches('(').count();
    text.strip_suffix(')').filter(|_| is_open).unwrap_or(&text).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_in_binaries() {
        let bytes = b"\x7fELF\0rustc version 1.95.0 (59807616e 2026-04-14)\0GCC: (Debian)\0";
        assert_eq!(text_behind(bytes, "rustc version "), "1.95.0 (59807616e 2026-04-14)");
        let bytes = b"LLVM (rustc version 1.95.0 (59807616e))\0";
        assert_eq!(text_behind(bytes, "rustc version "), "1.95.0 (59807616e)");
        let bytes = b"GNU C Library (Debian GLIBC 2.36-8) stable release version 2.36.\nCopyright";
        assert_eq!(
            text_behind(bytes, "GNU C Library "),
            "(Debian GLIBC 2.36-8) stable release version 2.36."
        );
        assert_eq!(text_behind(b"nothing", "rustc version "), "");
        assert_eq!(text_behind(b"ends with mark", "mark"), "");
    }
}
