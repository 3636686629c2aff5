//! The rate that is asked is the rate that is sent.

use std::time::Duration;

use crate::support::{alone, best_of, ensure, measure_clean, settings, sink};

/// How far off the rate may be.
const PRECISION: f64 = 0.005;
const RATES: [f64; 4] = [1_000.0, 10_000.0, 100_000.0, 500_000.0];

#[test]
fn what_is_asked_is_achieved() {
    let _alone = alone();
    for rate in RATES {
        for qos in [0, 1] {
            let mut settings = settings(rate, sink(&[]));
            settings.traffic.alerts = 0.1;
            settings.traffic.qos = qos;
            settings.duration = Duration::from_millis(500);
            best_of(
                || measure_clean(&settings),
                |outcome| {
                    let achieved = outcome.rates.achieved;
                    ensure((achieved / rate - 1.0).abs() <= PRECISION, || {
                        format!("QoS {qos}: {achieved}/s of {rate}/s: {:?}", outcome.verdict)
                    })
                },
            );
        }
    }
}
