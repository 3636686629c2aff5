//! Programs under test that do not work: each has an end in time, with a reason.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use loadgen_load::{LoadError, run};

use crate::support::{LOADGEN, alone, loadgen_run, measure, settings, sink};

/// Exit status for a program that cannot be measured.
const EX_UNAVAILABLE: i32 = 69;

#[test]
fn a_program_that_is_not_there() {
    let _alone = alone();
    let ran = loadgen_run(&["--rate", "1k"], &["/nowhere/filter".to_owned()]);
    assert_eq!(ran.exit_code(), EX_UNAVAILABLE, "{}", ran.stderr);
    assert!(ran.stderr.contains("cannot start /nowhere/filter"), "{}", ran.stderr);
    assert!(ran.document.is_none());
}

/// It ends in the middle of the run, without an error of its own: its last words are shown.
#[test]
fn a_program_that_ends() {
    let _alone = alone();
    let start = Instant::now();
    let ran = loadgen_run(&["--plain", "--rate", "10k"], &sink(&["--exit-after", "3000"]));
    assert_eq!(ran.exit_code(), EX_UNAVAILABLE, "{}", ran.stderr);
    assert!(ran.stderr.contains("the program under test ended: exit status: 0"), "{}", ran.stderr);
    assert!(ran.stderr.contains(r#"  | {"inputs":3000,"#), "{}", ran.stderr);
    assert!(ran.document.is_none());
    // It has not waited for the end of what it was to run, or for answers.
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

#[test]
fn a_program_that_fails_at_once() {
    let _alone = alone();
    let command = ["sh", "-c", "echo no license >&2; exit 7"].map(str::to_owned);
    let start = Instant::now();
    let error = measure(&settings(1_000.0, command.to_vec())).unwrap_err();
    let LoadError::Unavailable(text) = &error else { panic!("{error:?}") };
    assert!(text.contains("exit status: 7") && text.contains("  | no license"), "{text}");
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}

/// It lives, but does nothing: the wait for it is bounded.
#[test]
fn a_program_that_never_subscribes() {
    let _alone = alone();
    let ran = loadgen_run(
        &["--rate", "1k", "--start-wait", "500ms"],
        &["sleep", "60"].map(str::to_owned),
    );
    assert_eq!(ran.exit_code(), EX_UNAVAILABLE, "{}", ran.stderr);
    assert!(ran.stderr.contains("subscribed to the inputs within 500ms"), "{}", ran.stderr);
}

/// It is told that it is refused, and so is whoever measures it.
#[test]
fn a_program_with_a_wrong_password() {
    let _alone = alone();
    let script = format!("LOADGEN_PASSWORD=wrong {LOADGEN} sink; sleep 60");
    let ran = loadgen_run(
        &["--rate", "1k", "--start-wait", "5s"],
        &["sh", "-c", script.as_str()].map(str::to_owned),
    );
    assert_eq!(ran.exit_code(), EX_UNAVAILABLE, "{}", ran.stderr);
    for words in ["subscribed to the inputs within 5s; the last connection ended: refused", "  | "]
    {
        assert!(ran.stderr.contains(words), "{words}: {}", ran.stderr);
    }
    assert!(!ran.stderr.contains("wrong"), "{}", ran.stderr);
}

/// Nobody has to wait that long.
#[test]
fn a_wait_for_a_program_can_be_ended() {
    let _alone = alone();
    let start = Instant::now();
    let settings = settings(1_000.0, ["sleep", "60"].map(str::to_owned).to_vec());
    let error = run(&settings, &mut |_| ControlFlow::Break(())).unwrap_err();
    assert_eq!(
        error,
        LoadError::Unavailable("ended before anybody subscribed to the inputs".to_owned())
    );
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}
