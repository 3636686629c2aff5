//! A program that takes a limited rate is found out above it, and left in peace below.

use loadgen::load::outcome::Standing;

use crate::support::{alone, best_of, ensure, loadgen_run, sink};

/// What the sink takes.
const LIMIT: f64 = 5_000.0;

fn flags<'a>(rate: &'a str, time: &'a str, drain: &'a str) -> [&'a str; 11] {
    [
        "--plain",
        "--warm-up",
        "100ms",
        "--window",
        "500",
        "--rate",
        rate,
        "--for",
        time,
        "--drain",
        drain,
    ]
}

/// Above its limit the program is called saturated: nothing of what it took is lost, however much
/// more was due, and whether or not there is time to send that too.
#[test]
fn above_its_limit_a_program_is_saturated() {
    let _alone = alone();
    let command = sink(&["--limit-rate", &LIMIT.to_string()]);
    for qos in ["0", "1"] {
        best_of(
            || {
                let flags = flags("40k", "1s", "2s");
                let ran = loadgen_run(&[&flags[..], &["--qos", qos]].concat(), &command);
                let outcome = ran.outcome();
                assert!(outcome.counts.is_clean(), "QoS {qos}: {:?}", outcome.counts);
                ran
            },
            |ran| {
                let outcome = ran.outcome();
                let verdict = &outcome.verdict;
                ensure(verdict.standing == Standing::Saturated, || format!("{verdict:?}"))?;
                assert_eq!(ran.exit_code(), 3, "{}", ran.stderr);
                Ok(())
            },
        );
    }
}

#[test]
fn below_its_limit_a_program_passes() {
    let _alone = alone();
    let command = sink(&["--limit-rate", &LIMIT.to_string()]);
    best_of(
        || loadgen_run(&flags("2500", "1s", "5s"), &command),
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
