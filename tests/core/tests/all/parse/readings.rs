//! The readings of a machine that ends in failure: the recorded verdicts, on every architecture.

use std::collections::BTreeSet;
use std::path::Path;

use core_tests::readings::{ABOVE, ALERTS, READINGS, Readings};

use super::digest::Digest;
use super::*;

/// At threshold 95 exactly those above it are alerts, with the recorded bits.
#[track_caller]
fn check(readings: &Readings, recorded: u32) {
    let threshold = Threshold::new(95.0).unwrap();
    let (mut parser, mut digest) = (Parser::default(), Digest::default());
    let (mut count, mut alerts) = (0, 0);
    for (time, temperature) in readings.rows() {
        let body = format!(
            concat!(
                r#"{{"machine":{{"temperature":{temperature},"pressure":1.5}}"#,
                r#","ambient":{{"temperature":20.7,"humidity":25}}"#,
                r#","timeCreated":"{time}"}}"#
            ),
            temperature = temperature,
            time = time
        );
        let verdict = parser.judge(body.as_bytes(), threshold);
        count += 1;
        alerts += usize::from(matches!(verdict, Alert(_)));
        digest.add(verdict);
    }
    assert_eq!((count, alerts), (READINGS, ALERTS));
    let found = digest.value();
    assert_eq!(found, recorded, "{found:#x}");
}

/// Those of the file, or where it is absent made ones.
#[test]
fn the_readings_have_the_recorded_verdicts() {
    let readings = Readings::load();
    check(&readings, if readings.are_real { 0x2895_874a } else { MADE });
}

/// Of the readings made with their seed.
const MADE: u32 = 0x6c28_7619;

/// Where the file is absent, as on every machine but the first, tests find the same figures.
#[test]
fn made_readings_have_the_figures_of_the_real_ones() {
    let made = Readings::from_folder(Path::new("/no/such/folder"));
    assert!(!made.are_real);
    check(&made, MADE);
    assert_figures(&made);
    let loaded = Readings::load();
    assert_figures(&loaded);
    assert_eq!(made.text.lines().next(), loaded.text.lines().next());
    let times = |readings: &Readings| -> Vec<String> {
        readings.rows().map(|(time, _)| time.to_owned()).collect()
    };
    assert!(times(&made) == times(&loaded), "one has another clock");
}

/// Counted by the standard library's own reading of numbers.
#[track_caller]
fn assert_figures(readings: &Readings) {
    let values: Vec<f64> = readings.rows().map(|(_, value)| value.parse().unwrap()).collect();
    assert_eq!(values.len(), READINGS);
    for (degrees, above) in ABOVE {
        let limit = f64::from(u32::try_from(degrees).unwrap());
        assert_eq!(values.iter().filter(|&&value| value > limit).count(), above, "{degrees}");
    }
    let hundredths = |value: f64| format!("{value:.2}");
    let coldest = values.iter().copied().fold(f64::MAX, f64::min);
    let hottest = values.iter().copied().fold(f64::MIN, f64::max);
    assert_eq!((hundredths(coldest), hundredths(hottest)), ("2.08".into(), "108.51".into()));
    // No text twice, many lengths, and hot and cold in turns.
    let texts: BTreeSet<&str> = readings.rows().map(|(_, value)| value).collect();
    assert_eq!(texts.len(), READINGS);
    let lengths: BTreeSet<usize> = texts.iter().map(|text| text.len()).collect();
    assert!(lengths.len() >= 7, "{lengths:?}");
    let turns = values.windows(2).filter(|pair| (pair[0] > 95.0) != (pair[1] > 95.0)).count();
    assert!((400..900).contains(&turns), "{turns}");
}
