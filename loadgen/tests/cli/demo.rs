//! `loadgen demo` as a user runs it: it shows, it checks itself, it leaves nothing behind.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tempfile::TempDir;

use test_support::kernel::is_running;

use crate::support::{loadgen, signal, texts, wait_for};

/// A demo whose temporary folders all land in `folder`.
fn demo(folder: &TempDir, args: &[&str]) -> Command {
    let mut command = loadgen();
    command.arg("demo").args(args).env("TMPDIR", folder.path());
    // Settings of the caller must not reach the module.
    command.env("IOTEDGE_DEVICEID", "wrong").env("SLUICEGATE_THRESHOLD", "wrong");
    command
}

fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).unwrap().next().is_none()
}

/// The module's process id, from the demo's second line or its third.
fn module_pid(out: &str) -> u32 {
    let after = out.split("filter module in process ").nth(1).unwrap_or_else(|| panic!("{out}"));
    after.split(',').next().unwrap().parse().unwrap()
}

#[test]
fn a_short_demo_passes_its_own_checks_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let start = Instant::now();
    let (code, out, err) = texts(demo(&folder, &["--for", "3s"]).output().unwrap());
    assert_eq!(code, 0, "{out}\n{err}");
    assert!(start.elapsed() >= Duration::from_secs(3));
    assert!(out.contains("above the hottest sensor"), "{out}");
    assert!(out.contains("ok     alerts stopped for"), "{out}");
    assert!(!out.contains("FAILED"), "{out}");
    let live_lines = out.lines().filter(|line| line.contains(" °C")).count();
    assert!(live_lines >= 10, "{out}");
    assert!(is_empty(folder.path()), "a temporary folder was left");
    assert!(!is_running(module_pid(&out)));
}

/// Whether a live line tells of alerts: without one a demo that ends has shown nothing.
fn has_alerts(line: &str) -> bool {
    let mut words = line.split_whitespace();
    line.contains(" °C") && words.nth(3).is_some_and(|alerts| alerts != "0")
}

/// Starts an endless demo and reads until its first live line with alerts.
fn endless(folder: &TempDir) -> (Child, BufReader<ChildStdout>, u32) {
    let mut child = demo(folder, &["--for", "0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut text = String::new();
    while !text.lines().last().is_some_and(has_alerts) {
        assert_ne!(out.read_line(&mut text).unwrap(), 0, "the demo ended: {text}");
    }
    (child, out, module_pid(&text))
}

#[test]
fn ctrl_c_ends_it_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let (child, mut out, module) = endless(&folder);
    signal(&child, Signal::INT);
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    let (code, _, err) = texts(child.wait_with_output().unwrap());
    assert_eq!(code, 0, "{rest}\n{err}");
    assert!(rest.contains("summary:") && !rest.contains("FAILED"), "{rest}");
    assert!(is_empty(folder.path()) && !is_running(module));
}

#[test]
fn a_closed_terminal_ends_it_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let (child, mut out, module) = endless(&folder);
    signal(&child, Signal::HUP);
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    let (code, _, err) = texts(child.wait_with_output().unwrap());
    assert_eq!(code, 0, "{rest}\n{err}");
    assert!(rest.contains("summary:"), "{rest}");
    assert!(is_empty(folder.path()) && !is_running(module));
}

/// `loadgen demo | head`: a reader that goes away ends it in order, whenever that happens.
#[test]
fn a_reader_that_goes_away_ends_it_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let (child, out, module) = endless(&folder);
    drop(out);
    let (code, _, err) = texts(child.wait_with_output().unwrap());
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(is_empty(folder.path()), "a temporary folder was left");
    assert!(!is_running(module));

    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = demo(&folder, &["--for", "0"]);
    let child = command.stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
    let (code, _, err) = texts(child.wait_with_output().unwrap());
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(is_empty(folder.path()), "a temporary folder was left");
}

/// A module that dies fails the demo, at once and with its reason.
#[test]
fn a_dead_module_fails_the_demo() {
    let folder = tempfile::tempdir().unwrap();
    let (child, _out, module) = endless(&folder);
    let module = i32::try_from(module).unwrap();
    rustix::process::kill_process(rustix::process::Pid::from_raw(module).unwrap(), Signal::KILL)
        .unwrap();
    let (code, _, err) = texts(child.wait_with_output().unwrap());
    assert_eq!(code, 1, "{err}");
    assert!(err.contains("ended in the middle") && err.contains("  | "), "{err}");
    assert!(is_empty(folder.path()));
}

/// Nothing runs on when the demo itself is killed.
#[test]
fn a_killed_demo_takes_its_module_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let (mut child, _out, module) = endless(&folder);
    signal(&child, Signal::KILL);
    child.wait().unwrap();
    wait_for("the module ends", || !is_running(module));
}

#[test]
fn a_chosen_folder_and_the_modules_log_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("kept");
    // The usual port is taken, by this test or by whoever had it before.
    let _taken = std::net::TcpListener::bind("127.0.0.1:8883");
    for _ in 0..2 {
        let args = ["--for", "2s", "--state", state.to_str().unwrap()];
        let (code, out, err) = texts(demo(&folder, &args).output().unwrap());
        assert_eq!(code, 0, "{out}\n{err}");
        assert!(out.contains("port 8883 is taken: the demo uses another"), "{out}");
    }
    assert!(std::fs::read_to_string(state.join("module.log")).unwrap().contains("edge1/filter"));
    assert!(!folder.path().read_dir().unwrap().flatten().any(|entry| entry.path() != state));
}
