//! Each fault of a program is named, counted exactly, and nothing else is.

use loadgen_load::outcome::{Counts, Standing};

use crate::support::{alone, loadgen_run, sink};

/// Each so many alerts the sink does something wrong. It divides neither the number of alerts nor
/// of sensors, so that no fault falls on the last alert, which has no next one.
const EVERY: u64 = 997;

/// `loadgen run` on a sink with this fault finds `counter` to be the number of faults, and every
/// other failure to be 0.
#[track_caller]
fn check(fault: &str, sensors: u32, qos: u8, counter: fn(&mut Counts) -> &mut u64) {
    let _alone = alone();
    let (sensors, qos) = (sensors.to_string(), qos.to_string());
    let flags = ["--plain", "--rate", "20k", "--for", "1s", "--warm-up", "200ms", "--drain", "1s"];
    let traffic = ["--alerts", "0.5", "--sensors", &sensors, "--qos", &qos];
    let ran = loadgen_run(&[&flags[..], &traffic].concat(), &sink(&[fault, &EVERY.to_string()]));
    let outcome = ran.outcome();
    let counts = outcome.counts;
    assert_eq!((counts.sent, counts.unsent, counts.faults), (24_000, 0, 0), "{counts:?}");
    let faults = counts.alerts_expected / EVERY;
    assert!(faults >= 10 && !counts.alerts_expected.is_multiple_of(EVERY), "{counts:?}");

    let mut others = counts;
    assert_eq!(std::mem::take(counter(&mut others)), faults, "{fault}: {counts:?}");
    assert!(others.is_clean(), "{fault}: {counts:?}");
    // A duplicate or a false alert is one more; the others are one less that came as it must.
    let is_more = counts.duplicated + counts.false_alerts > 0;
    let correct = counts.alerts_expected - if is_more { 0 } else { faults };
    assert_eq!(counts.alerts_correct, correct, "{fault}: {counts:?}");

    assert_eq!(outcome.verdict.standing, Standing::Failed);
    assert_eq!(outcome.verdict.reasons.len(), 1, "{:?}", outcome.verdict.reasons);
    assert!(outcome.verdict.reasons[0].starts_with(&format!("{faults} ")), "{fault}");
    assert!(ran.stdout.contains(&outcome.verdict.reasons[0]), "{}", ran.stdout);
    assert_eq!(ran.exit_code(), 1, "{}", ran.stderr);
}

#[test]
fn a_dropped_alert_is_missing() {
    check("--drop-every", 100, 1, |counts| &mut counts.missing);
}

#[test]
fn an_alert_that_comes_twice_is_a_duplicate() {
    check("--duplicate-every", 100, 0, |counts| &mut counts.duplicated);
}

#[test]
fn alerts_of_one_sensor_that_change_places_are_disordered() {
    check("--swap-every", 1, 1, |counts| &mut counts.disordered);
}

#[test]
fn a_changed_bit_is_a_corrupted_alert() {
    check("--flip-every", 100, 1, |counts| &mut counts.corrupted);
}

#[test]
fn a_lost_property_is_a_wrong_one() {
    check("--strip-every", 100, 0, |counts| &mut counts.wrong_properties);
}

#[test]
fn a_forged_message_is_a_false_alert() {
    check("--forge-every", 100, 1, |counts| &mut counts.false_alerts);
}

/// Order is promised for each sensor and not between two of them.
#[test]
fn alerts_of_two_sensors_may_change_places() {
    let _alone = alone();
    let every = EVERY.to_string();
    let mut settings = crate::support::settings(20_000.0, sink(&["--swap-every", &every]));
    settings.traffic.sensors = 2;
    // All messages are alerts, and the sensors take turns.
    crate::support::measure_clean(&settings);
}
