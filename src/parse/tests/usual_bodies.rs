//! The bodies of the sensors and of the load generator: the walk declines none of them, and
//! whatever is broken in them.

use loadgen::load::settings::{Profile, TrafficSettings};
use loadgen::load::traffic::{Topics, Traffic};

use super::fast_path::{RICH, SENSOR, compare_default};
use super::*;

/// Bodies of each lap that are looked at.
const BODIES: u32 = 100;

/// Of loadgen's simulated sensors, none of `size` bytes is declined; one of them, cut or changed
/// anywhere, is declined or judged right.
fn check_simulated(size: usize, step: usize) {
    let traffic = Traffic::build(
        &TrafficSettings { size: Some(size), sensors: 10, ..TrafficSettings::default() },
        Topics::Broker { topic: "sensors/{sensor}" },
    )
    .unwrap();
    check_all(&traffic);
    let body = traffic.body(0);
    assert_eq!(body.len(), size);
    for at in (0..size).step_by(step) {
        assert_eq!(compare_default(&body[..at], 25.0), Judgement::Declined);
        for byte in [b'\0', b'"', b'\\', b'e', b',', b'.', b'-', 0x80, 0xc3] {
            let mut changed = body.to_vec();
            changed[at] = byte;
            compare_default(&changed, 25.0);
        }
    }
}

fn check_all(traffic: &Traffic) {
    let mut alerts = 0;
    for slot in 0..traffic.slots().min(BODIES) {
        let body = traffic.body(slot);
        let judgement = compare_default(body, 25.0);
        assert_ne!(judgement, Judgement::Declined, "{}", String::from_utf8_lossy(body));
        alerts += u32::from(matches!(judgement, Judgement::Judged(Alert(_))));
    }
    assert!(alerts > 0, "no alert among the bodies");
}

#[test]
fn simulated_bodies_of_140_bytes() {
    check_simulated(140, 1);
}

#[test]
fn simulated_bodies_of_1_kb() {
    check_simulated(1_024, 7);
}

#[test]
fn simulated_bodies_of_8_kb() {
    check_simulated(8_192, 131);
}

#[test]
fn replayed_bodies() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/loadgen/tests/data/replay.csv");
    let profile = Profile::Replay {
        file: file.into(),
        time_column: "timestamp".to_owned(),
        value_column: "value".to_owned(),
    };
    let settings = TrafficSettings { profile, sensors: 1, ..TrafficSettings::default() };
    let topics = Topics::Broker { topic: "sensors/{sensor}" };
    check_all(&Traffic::build(&settings, topics).unwrap());
}

#[test]
fn spaced_out_bodies() {
    let spaced = SENSOR.replace(':', " : ").replace(',', ",\n\t");
    for body in [SENSOR, RICH, &spaced] {
        assert_ne!(compare_default(body.as_bytes(), 25.0), Judgement::Declined, "{body}");
    }
}
