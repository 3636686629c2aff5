//! 22,695 readings of a machine that ends in failure, through hub and module. Where their file is
//! absent, made ones with the same figures.

use std::io::Write;

use core_tests::readings::{ALERTS, READINGS, Readings, THRESHOLD};
use serde_json::json;
use tempfile::NamedTempFile;

use crate::harness::{Scene, message, property, reading};

/// A file of the readings.
pub(crate) fn file() -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(Readings::load().text.as_bytes()).unwrap();
    file
}

/// The temperature texts, as written there.
pub(crate) fn temperatures() -> Vec<String> {
    Readings::load().rows().map(|(_, temperature)| temperature.to_owned()).collect()
}

/// At threshold 95 exactly the 4,896 readings above it are forwarded, in order, byte for byte.
#[test]
fn exactly_the_hot_readings_in_order_and_unchanged() {
    let temperatures = temperatures();
    assert_eq!(temperatures.len(), READINGS);
    let bodies: Vec<String> = temperatures.iter().map(reading).collect();
    let hot = |text: &String| text.parse::<f64>().unwrap() > f64::from(THRESHOLD);
    let expected: Vec<usize> = (0..READINGS).filter(|&n| hot(&temperatures[n])).collect();
    assert_eq!(expected.len(), ALERTS);

    let scene = Scene::start(1_000);
    let _module = scene.filter();
    scene.set_threshold(json!(THRESHOLD));
    std::thread::scope(|threads| {
        threads.spawn(|| {
            for (start, chunk) in bodies.chunks(500).enumerate() {
                let number = |i: usize| (start * 500 + i).to_string();
                let messages = chunk.iter().enumerate().map(|(i, body)| {
                    message(body.clone(), &[("sequenceNumber", &number(i)), ("batchId", "b-1")])
                });
                scene.deliver(messages.collect());
            }
        });
        for (alert, n) in scene.take(ALERTS).iter().zip(&expected) {
            assert_eq!(property(alert, "sequenceNumber"), Some(n.to_string().as_str()));
            assert_eq!(property(alert, "MessageType"), Some("Alert"));
            assert_eq!(alert.body, bodies[*n]);
        }
    });
    scene.assert_nothing_more_upstream();
}
