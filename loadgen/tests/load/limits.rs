//! A program that takes a limited rate is found out above it, and left in peace below.

use loadgen_load::outcome::Standing;

use crate::support::{alone, best_of, ensure, loadgen_run, sink};

/// What the sink takes a second.
const LIMIT: &str = "20000";

/// The drain is shorter than what it takes to answer all that fits in the buffers of the sockets.
fn flags<'a>(rate: &'a str, qos: &'a str) -> Vec<&'a str> {
    let mut flags = vec!["--plain", "--warm-up", "100ms", "--for", "1s", "--drain", "200ms"];
    flags.extend(["--window", "2000", "--rate", rate, "--qos", qos]);
    flags
}

/// Above its limit the program is called saturated: nothing of what it took is lost, however much
/// more was due, and whether or not there is time to send that too.
#[test]
fn above_its_limit_a_program_is_saturated() {
    let _alone = alone();
    let command = sink(&["--limit-rate", LIMIT]);
    for qos in ["0", "1"] {
        best_of(
            || {
                let ran = loadgen_run(&flags("100k", qos), &command);
                let counts = &ran.outcome().counts;
                assert!(counts.is_clean(), "QoS {qos}: {counts:?}");
                assert!(counts.unsent > 0, "QoS {qos}: {counts:?}");
                ran
            },
            |ran| {
                let outcome = ran.outcome();
                let verdict = &outcome.verdict;
                ensure(verdict.standing == Standing::Saturated, || format!("{verdict:?}"))?;
                assert_eq!(ran.exit_code(), 3, "{}", ran.stderr);
                // At QoS 0 its buffers seem to take more than it does.
                let (achieved, limit) = (outcome.rates.achieved, LIMIT.parse::<f64>().unwrap());
                ensure(qos == "0" || (achieved / limit - 1.0).abs() < 0.1, || {
                    format!("took {achieved}/s of {limit}/s")
                })
            },
        );
    }
}

/// Its answers take so long that lateness of our own, a tenth of that, does not make this invalid.
#[test]
fn below_its_limit_a_program_passes() {
    let _alone = alone();
    let command = sink(&["--limit-rate", LIMIT, "--delay", "200ms"]);
    best_of(
        || loadgen_run(&flags("5k", "1"), &command),
        |ran| {
            let outcome = ran.outcome();
            assert!(outcome.counts.is_clean(), "{:?}", outcome.counts);
            let verdict = &outcome.verdict;
            ensure(verdict.standing == Standing::Passed, || format!("{verdict:?}"))?;
            assert_eq!(ran.exit_code(), 0, "{}", ran.stderr);
            Ok(())
        },
    );
}

/// A closed loop has no more messages in flight than its window, for as long as it lasts: one
/// window of 100, and up to the next alert, for each 200 ms that an answer takes.
#[test]
fn a_window_holds_for_as_long_as_the_run_lasts() {
    let _alone = alone();
    let command = sink(&["--delay", "200ms"]);
    for qos in ["0", "1"] {
        let mut flags = vec!["--plain", "--rate", "max", "--window", "100", "--qos", qos];
        flags.extend(["--warm-up", "100ms", "--for", "3s", "--alerts", "0.5"]);
        let ran = loadgen_run(&flags, &command);
        let counts = ran.outcome().counts;
        assert!(counts.is_clean(), "QoS {qos}: {counts:?}");
        // 3.1 s hold 15 rounds and a half; a round may begin with the first answers of the last.
        assert!((200..=17 * 2 * 110).contains(&counts.sent), "QoS {qos}: {counts:?}");
    }
}

/// A lost alert does not end a closed loop whose window is smaller than the way to the next one.
#[test]
fn a_lost_alert_does_not_end_a_closed_loop() {
    let _alone = alone();
    let command = sink(&["--drop-every", "50"]);
    let flags = ["--plain", "--rate", "max", "--window", "5", "--warm-up", "100ms", "--for", "5s"];
    let ran = loadgen_run(&[&flags[..], &["--drain", "200ms"]].concat(), &command);
    let counts = ran.outcome().counts;
    assert!(counts.missing >= 2, "{counts:?}");
    assert_eq!(counts.alerts_expected - counts.alerts_correct, counts.missing, "{counts:?}");
}
