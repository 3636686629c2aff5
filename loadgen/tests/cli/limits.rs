//! Too few descriptors: an exit code and one line that says so, and never a panic.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use test_support::kernel::catches_sigterm;

use crate::support::{PATIENCE, signal, texts};

/// Runs `args` with each limit of descriptors with which the program can be loaded. What goes on is
/// ended by SIGTERM.
fn check(args: impl Fn(usize) -> Vec<String>, environment: &[(&str, &str)], codes: &[i32]) {
    for limit in 4..=20 {
        let shell = format!("ulimit -n {limit} && exec \"$0\" \"$@\"");
        let mut command = Command::new("sh");
        command.args(["-c", &shell, "env", "--default-signal=HUP"]);
        command.arg(env!("CARGO_BIN_EXE_loadgen")).args(args(limit));
        command.envs(environment.iter().copied()).stdin(Stdio::null());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let started = Instant::now();
        while child.try_wait().unwrap().is_none() && started.elapsed() < PATIENCE {
            // From a second on it has what it needs.
            if started.elapsed() > Duration::from_secs(1) && catches_sigterm(child.id()) {
                signal(&child, Signal::TERM);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = child.kill();
        let (code, _, err) = texts(child.wait_with_output().unwrap());
        assert!(codes.contains(&code) && !err.contains("panicked"), "{limit}: {code}: {err}");
        if limit <= 8 {
            assert_eq!((code, err.lines().count()), (69, 1), "{limit}: {err}");
            assert!(err.contains("cannot start: the system refused"), "{limit}: {err}");
        }
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn a_hub_with_too_few_descriptors_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let args = |limit: usize| {
        let state = folder.path().join(limit.to_string());
        words(&["hub", "--listen", "127.0.0.1:0", "--state", state.to_str().unwrap()])
    };
    check(args, &[], &[0, 69]);
}

#[test]
fn a_run_with_too_few_descriptors_says_so() {
    let sink = [env!("CARGO_BIN_EXE_loadgen"), "sink"];
    let flags = ["run", "--rate", "1k", "--for", "50ms", "--warm-up", "10ms", "--plain", "--"];
    // 0, 2, 3: it ran, and what it found is not the point.
    check(|_| words(&[&flags[..], &sink[..]].concat()), &[], &[0, 2, 3, 69, 70]);
}

#[test]
fn a_sink_with_too_few_descriptors_says_so() {
    let environment = [
        ("LOADGEN_HOST", "127.0.0.1"),
        ("LOADGEN_PORT", "1"),
        ("LOADGEN_SUBSCRIBE", "a"),
        ("LOADGEN_PUBLISH", "b"),
    ];
    check(|_| words(&["sink"]), &environment, &[69]);
}
