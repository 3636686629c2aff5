//! 22,695 readings of a machine that ends in failure, through hub and module.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::harness::{Scene, message, property, reading};

const FILE: &str = "machine_temperature_system_failure.csv";
const READINGS: usize = 22_695;
/// Readings above 95, counted in the file.
const ALERTS: usize = 4_896;
pub(crate) const THRESHOLD: u32 = 95;

/// The file, which must be there.
pub(crate) fn path() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = std::env::var_os("SLUICEGATE_TEST_DATA")
        .map_or_else(|| root.join("../shared/data"), PathBuf::from);
    let path = folder.join(FILE);
    assert!(
        path.is_file(),
        "{} is missing. Put {FILE} of the Numenta Anomaly Benchmark (its folder \
         data/realKnownCause) there, or name its folder in SLUICEGATE_TEST_DATA",
        path.display()
    );
    path
}

/// The temperature texts of the file, as written there.
pub(crate) fn temperatures() -> Vec<String> {
    let text = std::fs::read_to_string(path()).unwrap();
    text.lines().skip(1).map(|line| line.split_once(',').unwrap().1.to_owned()).collect()
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
