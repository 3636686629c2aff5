use proptest::prelude::*;
use sluicegate::pipeline::parse::{Parser, Verdict};
use sluicegate::pipeline::threshold::Threshold;

use super::*;
use crate::settings::Profile;
use crate::traffic::identify;
use crate::traffic::tests::build_and_check;
use crate::traffic::{Topics, Traffic};

fn settings(threshold: f64, size: Option<usize>) -> TrafficSettings {
    TrafficSettings { threshold, size, profile: Profile::Simulated, ..TrafficSettings::default() }
}

/// The temperature's text, cut out without any parser.
fn temperature(body: &[u8]) -> &str {
    let text = std::str::from_utf8(body).unwrap().strip_prefix(BEFORE_TEMPERATURE).unwrap();
    text.split_once(',').unwrap().0
}

/// Whatever the threshold: the verdict is that of the text read as an `f64`, and of the product.
#[test]
fn thresholds() {
    for threshold in [
        25.0,
        0.0,
        -0.0,
        25.005,
        -12.75,
        99.999,
        -273.15,
        1e-5,
        5e-324,
        -5e-324,
        std::f64::consts::PI,
        12_345.678,
        999_999_999_999.99,
        1e12,
        -1e12,
        9_007_199_254_740_992.0,
        72_057_594_037_927_952.0,
        1e23,
        1e30,
        -1.234_567e200,
        1.7e308,
    ] {
        let mut readings = Simulated::new(&settings(threshold, None), 0.2).unwrap();
        readings.begin(1_000).unwrap();
        let (mut parser, limit) = (Parser::default(), Threshold::new(threshold).unwrap());
        let mut equal = 0;
        for slot in 0..1_000 {
            let mut body = Vec::new();
            let is_alert = readings.write(slot, &mut body);
            let judged = parser.judge(&body, limit);
            assert_eq!(matches!(judged, Verdict::Alert(_)), is_alert, "{judged:?} at {threshold}");
            assert!(is_alert || judged == Verdict::Below, "{judged:?} at {threshold}");
            let value: f64 = temperature(&body).parse().unwrap();
            assert_eq!(value > threshold, is_alert, "{value} at {threshold}");
            equal += u32::from(value == threshold);
            let is_usual = threshold.abs() < 900.0 && shortest(threshold).len() <= 7;
            assert!(body.len() == 140 || !is_usual, "{} bytes at {threshold}", body.len());
        }
        assert!(equal > 20, "only {equal} readings equal the threshold {threshold}");
    }
}

/// Exactly the share asked, and no sensor is left without alerts.
#[test]
fn shares() {
    for (alerts, count) in [(0.0, 0), (0.000_1, 2), (0.1, 1_640), (0.333_3, 5_466), (1.0, 16_400)] {
        let traffic = build_and_check(&TrafficSettings { alerts, ..settings(25.0, None) });
        assert_eq!(traffic.alerts(), count);
        let sensors = traffic.sensors();
        for sensor in (0..sensors).filter(|_| alerts >= 0.1) {
            let of_it = (sensor..traffic.slots()).step_by(sensors as usize);
            let count = of_it.filter(|slot| traffic.is_alert(*slot)).count() as f64;
            let (mean, sigma) = (164.0 * alerts, (164.0 * alerts * (1.0 - alerts)).sqrt());
            assert!((count - mean).abs() <= 5.0 * sigma, "{count} alerts of sensor {sensor}");
        }
    }
}

/// Every size from the smallest on is met exactly, by valid bodies with the same verdicts.
#[test]
fn sizes() {
    for threshold in [25.0, 1e30] {
        let error = Simulated::new(&settings(threshold, Some(1)), 0.1).err().unwrap();
        let TrafficError::Size { minimum, .. } = error else { panic!("{error}") };
        for size in (minimum..minimum + 40).chain([1_000, 9_999]) {
            let settings = TrafficSettings { sensors: 7, ..settings(threshold, Some(size)) };
            let mut readings = Simulated::new(&settings, 0.5).unwrap();
            readings.begin(100).unwrap();
            for slot in 0..100 {
                let mut body = Vec::new();
                let is_alert = readings.write(slot, &mut body);
                assert_eq!(body.len(), size);
                let value: serde_json::Value = serde_json::from_slice(&body).unwrap();
                assert_eq!(value["machine"]["temperature"].as_f64().unwrap() > threshold, is_alert);
                assert_eq!(identify(&body), Some((0, slot)));
            }
        }
    }
}

/// Each sensor walks on from where it was.
#[test]
fn walks() {
    let traffic = build_and_check(&settings(25.0, None));
    for sensor in 0..traffic.sensors() {
        let mut before = [None::<f64>; 2];
        for slot in (sensor..traffic.slots()).step_by(traffic.sensors() as usize) {
            let value: f64 = temperature(traffic.body(slot)).parse().unwrap();
            assert!((21.0..=100.0).contains(&value), "{value}");
            let before = &mut before[usize::from(traffic.is_alert(slot))];
            let step = before.map_or(0.0, |before| value - before).abs();
            assert!(step < 1.26 || value == 25.0, "sensor {sensor} jumps by {step}");
            *before = (value != 25.0).then_some(value);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Any threshold but those at the end of all numbers has room.
    #[test]
    fn any_threshold(
        threshold in proptest::num::f64::NORMAL | proptest::num::f64::SUBNORMAL,
        seed: u64,
    ) {
        let settings = TrafficSettings { seed, sensors: 5, ..settings(threshold, None) };
        match Simulated::new(&settings, 0.3) {
            Err(_) => prop_assert!(threshold.abs() > 1.79e308),
            Ok(mut readings) => {
                readings.begin(200).unwrap();
                for slot in 0..200 {
                    let mut body = Vec::new();
                    let is_alert = readings.write(slot, &mut body);
                    let value: f64 = temperature(&body).parse().unwrap();
                    prop_assert_eq!(value > threshold, is_alert, "{} at {}", value, threshold);
                    prop_assert_eq!(body.len(), readings.bytes_max());
                }
            }
        }
    }

    /// The text of a number is a JSON text of exactly it.
    #[test]
    fn shortest_is_exact(value in proptest::num::f64::ANY) {
        prop_assume!(value.is_finite());
        let text = shortest(value);
        prop_assert_eq!(text.parse::<f64>().unwrap(), value);
        prop_assert!(text.len() <= 24 && serde_json::from_str::<f64>(&text).is_ok(), "{}", text);
        let integer: Option<i128> = text.parse().ok();
        prop_assert!(integer.is_none_or(|integer| integer.abs() <= 1 << 53), "{}", text);
    }
}

/// A lap without a message for the share is refused, not run without alerts.
#[test]
fn no_alerts() {
    let settings = TrafficSettings { alerts: 0.000_01, ..settings(25.0, None) };
    let error = Traffic::build(&settings, Topics::Broker { topic: "t" }).unwrap_err();
    assert!(matches!(error, TrafficError::NoAlerts { messages: 16_400, .. }), "{error}");
}
