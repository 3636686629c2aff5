//! Readers that are there and take nothing: they hold up no end.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use test_support::full_pipe;
use test_support::kernel::catches_sigterm;

use crate::support::{loadgen, signal, wait_for};

/// Longest end: the program's that is measured, the drain, and the second that a reader has.
const END_MAX: Duration = Duration::from_secs(12);

/// Starts `args` with both outputs going into a pipe that is full, and ends it by SIGTERM once
/// `ready`.
fn check(args: &[&str], environment: &[(&str, &str)], ready: impl Fn(u32) -> bool) {
    let (reader, writer) = full_pipe();
    let mut command = loadgen();
    command.args(args).envs(environment.iter().copied());
    command.stdout(writer.try_clone().unwrap()).stderr(writer);
    let mut child = command.spawn().unwrap();
    wait_for("it can be ended", || ready(child.id()));
    let started = Instant::now();
    signal(&child, Signal::TERM);
    while child.try_wait().unwrap().is_none() && started.elapsed() < END_MAX {
        std::thread::sleep(Duration::from_millis(5));
    }
    let ended = child.try_wait().unwrap();
    // Ended already, unless the test fails.
    let _ = child.kill();
    let _ = child.wait();
    drop(reader);
    assert!(ended.is_some(), "{args:?} did not end in {END_MAX:?}");
}

#[test]
fn a_hub_that_nobody_reads_ends_on_sigterm() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("hub");
    let args = ["hub", "--listen", "127.0.0.1:0", "--state", state.to_str().unwrap()];
    check(&args, &[], |id| state.join("control.sock").exists() && catches_sigterm(id));
}

#[test]
fn measurements_that_nobody_reads_end_on_sigterm() {
    let sink = [env!("CARGO_BIN_EXE_loadgen"), "sink"];
    let flags = ["--rate", "1k", "--for", "60s", "--plain", "--", sink[0], sink[1]];
    check(&[&["run"], &flags[..]].concat(), &[], catches_sigterm);
    check(&[&["compare"], &flags[..], &["--"], &sink[..]].concat(), &[], catches_sigterm);
    check(&["demo", "--for", "0"], &[], catches_sigterm);
}

#[test]
fn a_sink_that_nobody_reads_ends_on_sigterm() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let environment = [
        ("LOADGEN_HOST", "127.0.0.1"),
        ("LOADGEN_PORT", port.as_str()),
        ("LOADGEN_SUBSCRIBE", "a"),
        ("LOADGEN_PUBLISH", "b"),
    ];
    check(&["sink"], &environment, catches_sigterm);
}
