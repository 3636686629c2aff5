//! The real readings of a machine that ends in failure: the recorded verdicts, on every architecture.

use std::path::{Path, PathBuf};

use super::digest::Digest;
use super::*;

const FILE: &str = "machine_temperature_system_failure.csv";
const READINGS: usize = 22_695;
/// Readings above 95, counted in the file.
const ALERTS: usize = 4_896;

/// The file's text; it must be there.
fn text() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = std::env::var_os("SLUICEGATE_TEST_DATA")
        .map_or_else(|| root.join("../../../shared/data"), PathBuf::from);
    let path = folder.join(FILE);
    std::fs::read_to_string(&path).unwrap_or_else(|error| {
        panic!("{}: {error}; name its folder in SLUICEGATE_TEST_DATA", path.display())
    })
}

/// For all readings: at threshold 95 exactly those above it are alerts, with the recorded bits.
#[test]
fn the_readings_have_the_recorded_verdicts() {
    let text = text();
    let threshold = Threshold::new(95.0).unwrap();
    let (mut parser, mut digest) = (Parser::default(), Digest::default());
    let (mut readings, mut alerts) = (0, 0);
    for line in text.lines().skip(1) {
        let (time, temperature) = line.split_once(',').unwrap();
        let body = format!(
            r#"{{"machine":{{"temperature":{temperature},"pressure":1.5}},"ambient":{{"temperature":20.7,"humidity":25}},"timeCreated":"{time}"}}"#
        );
        let verdict = parser.judge(body.as_bytes(), threshold);
        readings += 1;
        alerts += usize::from(matches!(verdict, Alert(_)));
        digest.add(verdict);
    }
    assert_eq!((readings, alerts), (READINGS, ALERTS));
    assert_eq!(digest.value(), 0x2895_874a);
}
