//! A program that takes a limited rate is found out above it, and left in peace below.

use loadgen::load::outcome::Standing;

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
