//! The whole program for 32-bit ARM, under emulation, against the hub on this machine.
//!
//! `tests/run arm32` builds the program; where it is missing, these tests fail.

use std::ops::ControlFlow;
use std::time::Duration;

use loadgen_hub::UpstreamMessage;
use loadgen_load::outcome::Standing;
use loadgen_load::run;
use loadgen_load::settings::{Arrivals, Pace, TrafficSettings};
use serde_json::json;

use crate::harness::{Program, Scene, message, property, reading};
use crate::{load, real_data, sensor};

/// In force for the first half of the readings: the module's own, as the twin names none.
const FIRST_THRESHOLD: f64 = 25.0;
/// Set while the module runs, for the second half.
const SECOND_THRESHOLD: f64 = 95.0;
/// The last so many of the real readings: between them the machine grows hot and cold.
const READINGS: usize = 6_000;
/// Messages delivered at a time.
const CHUNK: usize = 500;

/// What the module sent on, without the instant.
type Alert = (String, Option<String>, Vec<u8>, Vec<(String, Option<String>)>);

/// Delivers the second half of `bodies` once the first is judged and the threshold is raised, and
/// takes `expected` alerts; then the module must end as asked.
fn alerts_of(program: Program, bodies: &[String], expected: usize) -> Vec<Alert> {
    let scene = Scene::start(1_000).with_program(program);
    let mut module = scene.filter();
    let deliver = |half: std::ops::Range<usize>| {
        for start in half.clone().step_by(CHUNK) {
            let numbers = start..half.end.min(start + CHUNK);
            let made = numbers.map(|n| {
                message(bodies[n].clone(), &[("sequenceNumber", &n.to_string()), ("id", "é/1")])
            });
            scene.deliver(made.collect());
        }
        scene.wait_until_all_acknowledged();
    };
    deliver(0..bodies.len() / 2);
    let report = scene.set_threshold(json!(SECOND_THRESHOLD));
    assert_eq!(report["ac"], 200, "{report}");
    deliver(bodies.len() / 2..bodies.len());
    let alerts = scene.take(expected);
    scene.assert_nothing_more_upstream();
    module.signal("TERM");
    assert_eq!(module.wait_for_exit().code(), Some(0));
    alerts.into_iter().map(alert).collect()
}

fn alert(message: UpstreamMessage) -> Alert {
    assert_eq!(property(&message, "MessageType"), Some("Alert"));
    let own = |(name, value): (&str, Option<&str>)| (name.to_owned(), value.map(str::to_owned));
    let properties = message.properties.iter().map(own).collect();
    (message.device, message.output, message.body.to_vec(), properties)
}

/// Real readings over TLS, with a twin patch between: the alerts are those that the thresholds ask
/// for, in order, and the same to the last byte as those of the program for this machine.
#[test]
fn real_readings_make_the_same_alerts_byte_for_byte() {
    let all = real_data::temperatures();
    let temperatures = &all[all.len() - READINGS..];
    let bodies: Vec<String> = temperatures.iter().map(reading).collect();
    let is_hot = |n: usize| {
        let threshold = if n < READINGS / 2 { FIRST_THRESHOLD } else { SECOND_THRESHOLD };
        temperatures[n].parse::<f64>().unwrap() > threshold
    };
    let expected: Vec<usize> = (0..READINGS).filter(|&n| is_hot(n)).collect();
    let in_second_half = expected.iter().filter(|&&n| n >= READINGS / 2).count();
    assert!(in_second_half > 100 && in_second_half < READINGS / 2 - 100, "{in_second_half}");

    let alerts = alerts_of(Program::arm32(), &bodies, expected.len());
    for ((_, output, body, properties), &n) in alerts.iter().zip(&expected) {
        assert_eq!(output.as_deref(), Some("output1"));
        assert_eq!(*body, bodies[n].as_bytes());
        assert!(properties.contains(&("sequenceNumber".to_owned(), Some(n.to_string()))), "{n}");
    }
    assert!(alerts == alerts_of(Program::host(), &bodies, expected.len()), "the builds differ");
}

/// 4,000 messages at a steady rate: the instrument misses nothing and finds nothing twice. Whether
/// an emulated processor keeps pace is not asked.
#[test]
fn a_verified_run_loses_nothing() {
    let mut settings = load::settings(&Program::arm32(), false, TrafficSettings::default());
    settings.pace = Pace::Open { rate: 2_000.0, arrivals: Arrivals::Fixed, burst: None };
    settings.duration = Duration::from_secs(2);
    let outcome = run(&settings, &mut |_| ControlFlow::Continue(())).unwrap();
    let counts = &outcome.counts;
    assert_ne!(outcome.verdict.standing, Standing::Failed, "{:?}: {counts:?}", outcome.verdict);
    load::assert_clean(counts);
    assert!(counts.sent >= 3_999 && counts.unsent == 0, "{counts:?}");
    assert_eq!(counts.acknowledged, counts.sent, "{counts:?}");
}

/// The device registers, connects, sends telemetry, and stops when it is told to.
#[test]
fn the_sensor_registers_and_sends_telemetry() {
    let scene = Scene::start(1).with_program(Program::arm32());
    sensor::check_telemetry(&scene);
}
