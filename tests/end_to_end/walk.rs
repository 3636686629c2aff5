//! The bodies of the sensors and of the load generator: the walk declines none of them, and
//! whatever is broken in them. All else about judging is tested on every architecture, in the
//! package `core-tests`.

use loadgen_load::settings::{Profile, TrafficSettings};
use loadgen_load::traffic::{Topics, Traffic};

use sluicegate::pipeline::parse::{JsonPath, Parser, Verdict, Ways};
use sluicegate::pipeline::threshold::Threshold;

/// Bodies of each lap that are looked at.
const BODIES: u32 = 100;

/// What the walk says of `body`, after comparing it with the exact parser.
fn compare(body: &[u8]) -> Option<Verdict> {
    let verdict = Parser::default().walk(body, Threshold::DEFAULT)?;
    let exact = Ways { walk: false, simd: false };
    let expected = Parser::by(exact, JsonPath::default()).judge(body, Threshold::DEFAULT);
    assert_eq!(verdict, expected, "{}", String::from_utf8_lossy(body));
    Some(verdict)
}

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
        assert_eq!(compare(&body[..at]), None);
        for byte in [b'\0', b'"', b'\\', b'e', b',', b'.', b'-', 0x80, 0xc3] {
            let mut changed = body.to_vec();
            changed[at] = byte;
            compare(&changed);
        }
    }
}

fn check_all(traffic: &Traffic) {
    let mut alerts = 0;
    for slot in 0..traffic.slots().min(BODIES) {
        let body = traffic.body(slot);
        let verdict = compare(body);
        assert_ne!(verdict, None, "{}", String::from_utf8_lossy(body));
        alerts += u32::from(matches!(verdict, Some(Verdict::Alert(_))));
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
    let file = test_support::root().join("loadgen/load/tests/data/replay.csv");
    let profile = Profile::Replay {
        file,
        time_column: "timestamp".to_owned(),
        value_column: "value".to_owned(),
        format: Default::default(),
    };
    let settings = TrafficSettings { profile, sensors: 1, ..TrafficSettings::default() };
    let topics = Topics::Broker { topic: "sensors/{sensor}" };
    check_all(&Traffic::build(&settings, topics).unwrap());
}
