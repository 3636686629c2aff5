//! Peers that say too much, or hear nothing.

use std::time::Duration;

use serde_json::Value;
use test_support::peer::{Role, Stream};
use test_support::wait_until;

use crate::fault::{Fault, Must};
use crate::peer_way::{BOTH, PeerWay};
use crate::trial::Trial;

/// Malformed messages a second.
const MALFORMED_PER_S: u32 = 10_000;
/// Bytes that the module may hold.
const HELD_BYTES: u64 = 4 << 20;

pub(crate) fn faults() -> Vec<Fault> {
    vec![
        Fault {
            name: "peer/malformed",
            what: "10,000 malformed messages a second among good ones",
            must: Must {
                memory_bytes: Some(40_000_000),
                log: &["the body is not", "more bad messages)"],
                ..Must::default()
            },
            is_alone: true,
            run: malformed,
        },
        Fault {
            name: "peer/reads-nothing",
            what: "the peer delivers, and reads nothing of what the module sends",
            must: Must {
                memory_bytes: Some(2 * HELD_BYTES + (24 << 20)),
                log: &["no answer to"],
                ..Must::default()
            },
            is_alone: false,
            run: reads_nothing,
        },
    ]
}

fn malformed(trial: &mut Trial) {
    let time = trial.either(Duration::from_secs(4), Duration::from_secs(60));
    let way = PeerWay::start(Role::Hub, &[]);
    way.peer.play(|script| script.window = 10_000);
    way.stream(Stream { malformed_per_s: MALFORMED_PER_S, ..Stream::default() });
    std::thread::sleep(time);
    way.stream(Stream::default());
    way.recover(trial);
    // Each was counted, and counted as what it is.
    way.peer.stream(Stream::default());
    wait_until("every message is acknowledged", || way.peer.backlog() == 0);
    way.peer.call("stats");
    let mut stats = Value::Null;
    wait_until("the module answers", || {
        stats =
            way.peer.answer().map_or(Value::Null, |body| serde_json::from_slice(&body).unwrap());
        !stats.is_null()
    });
    let counted = |name: &str| stats["counters"][name].as_u64().expect("a counter");
    let reasons = ["not_utf8", "not_json", "temperature_not_a_number"].map(counted);
    assert!(reasons.iter().all(|count| *count > 0), "{reasons:?}");
    let malformed = reasons.iter().sum::<u64>();
    assert_eq!(malformed, way.peer.malformed(), "{reasons:?}");
    assert!(malformed >= u64::from(MALFORMED_PER_S) * time.as_secs() * 9 / 10, "{malformed}");
    way.finish(trial);
}

fn reads_nothing(trial: &mut Trial) {
    let time = trial.either(Duration::from_secs(12), Duration::from_secs(60));
    let held = HELD_BYTES.to_string();
    trial.at_once(&BOTH, |role, trial| {
        let way = PeerWay::start(*role, &[("SLUICEGATE_HELD_BYTES", &held)]);
        // Far more than may be held is on its way.
        way.peer.play(|script| {
            script.window = 40_000;
            script.reads = false;
        });
        way.stream(Stream { padding: 16_000, ..Stream::default() });
        std::thread::sleep(time);
        trial.observe_memory(way.module.id());
        way.stream(Stream::default());
        way.recover(trial);
        way.finish(trial);
    });
}
