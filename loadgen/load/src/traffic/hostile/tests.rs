use sluicegate::pipeline::parse::{Parser, Verdict};
use sluicegate::pipeline::threshold::Threshold;

use super::*;
use crate::settings::Profile;
use crate::traffic::identify;
use crate::traffic::tests::build_and_check;

const THRESHOLDS: [f64; 10] =
    [25.0, 0.0, -0.0, -12.75, 0.1, 5e-324, -1e-10, 9_007_199_254_740_992.0, 1e23, -1e300];

fn settings(threshold: f64) -> TrafficSettings {
    TrafficSettings { profile: Profile::Hostile, threshold, ..TrafficSettings::default() }
}

/// The filter's parser agrees with every verdict of the table, whatever the threshold.
#[test]
fn every_verdict_is_the_filters() {
    for value in THRESHOLDS {
        let threshold = Threshold::new(value).unwrap();
        let mut parser = Parser::default();
        for case in cases::all(value) {
            let mut body = Vec::new();
            case.write(4_711, &mut body);
            assert_eq!(body.len(), case.bytes());
            let verdict = match parser.judge(&body, threshold) {
                Verdict::Alert(_) => Expect::Alert,
                Verdict::Below | Verdict::NoTemperature => Expect::Quiet,
                Verdict::Malformed(_) => Expect::Malformed,
            };
            let text = String::from_utf8_lossy(&body);
            assert_eq!(verdict, case.expect, "{text} at {value}");
            assert!(verdict != Expect::Alert || identify(&body) == Some((0, 4_711)), "{text}");
        }
    }
}

/// All kinds of verdicts are there, and none by the dozen only.
#[test]
fn the_table_is_broad() {
    let cases = cases::all(25.0);
    for (expect, least) in [(Expect::Alert, 30), (Expect::Quiet, 40), (Expect::Malformed, 90)] {
        let count = cases.iter().filter(|case| case.expect == expect).count();
        assert!(count >= least, "{count} {expect:?}");
    }
}

/// Half the bodies are good ones, every case has its turn, and every sensor gets both.
#[test]
fn the_mix() {
    let traffic = build_and_check(&settings(25.0));
    let sensors = traffic.sensors();
    let mut good = vec![0u32; sensors as usize];
    let mut shapes = std::collections::HashSet::new();
    for slot in 0..traffic.slots() {
        let body = traffic.body(slot);
        let end = traffic.lap_at(slot).map_or(body.len(), |_| body.len() - 30);
        if body.len() == 140 && body[..end].ends_with(b"},\"timeCreated\":\"") {
            good[(slot % sensors) as usize] += 1;
        } else {
            shapes.insert(body[..end].to_vec());
        }
    }
    let of_all: u32 = good.iter().sum();
    assert!(of_all.abs_diff(traffic.slots() / 2) < 200, "{of_all} good ones");
    assert!(good.iter().all(|count| (40..124).contains(count)), "{good:?}");
    assert!(shapes.len() >= cases::all(25.0).len() - 10, "{} shapes", shapes.len());
}

/// A size asked for is that of the good ones.
#[test]
fn sizes() {
    let settings = TrafficSettings { size: Some(500), ..settings(25.0) };
    let traffic = build_and_check(&settings);
    let sized = (0..traffic.slots()).filter(|slot| traffic.body(*slot).len() == 500).count();
    assert!(sized >= traffic.slots() as usize / 2, "{sized}");
}
