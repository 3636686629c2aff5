//! The rate that is asked is the rate that is sent.

use crate::support::{alone, best_of, ensure, measure_clean, settings, sink};

/// How far off the rate may be.
const PRECISION: f64 = 0.005;
/// What a debug build reaches on a machine with other work to do.
const RATES: [f64; 3] = [1_000.0, 10_000.0, 100_000.0];
/// What a release build reaches besides; asked for by this variable.
const RATES_FULL: [f64; 1] = [500_000.0];
const ENV_FULL: &str = "LOADGEN_TEST_FULL";

#[test]
fn what_is_asked_is_achieved() {
    let _alone = alone();
    let is_full = std::env::var_os(ENV_FULL).is_some_and(|value| value == "1");
    let more: &[f64] = if is_full { &RATES_FULL } else { &[] };
    for rate in RATES.iter().chain(more) {
        for qos in [0, 1] {
            let mut settings = settings(*rate, sink(&[]));
            settings.traffic.alerts = 0.1;
            settings.traffic.qos = qos;
            best_of(
                || {
                    let outcome = measure_clean(&settings);
                    let achieved = outcome.rates.achieved;
                    assert!(achieved <= rate * (1.0 + PRECISION), "{achieved}/s of {rate}/s");
                    outcome
                },
                |outcome| {
                    let achieved = outcome.rates.achieved;
                    ensure(achieved >= rate * (1.0 - PRECISION), || {
                        format!("QoS {qos}: {achieved}/s of {rate}/s: {:?}", outcome.verdict)
                    })
                },
            );
        }
    }
}
