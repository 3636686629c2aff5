//! Scale-out: three processes share one subscription, and the broker divides the stream.

use std::collections::BTreeSet;

use super::client::Client;
use super::tap::{Hold, Tap};
use super::{
    ALERTS, CONTROL, assert_at_least_once, command, copies, half_hot, is_hot, numbers, start, stop,
};
use crate::harness::{Mosquitto, Process, wait_until};

const WORKERS: [&str; 3] = ["w1", "w2", "w3"];
const SHARE: &str = "$share/g/sensors/#";
/// Messages published at a time.
const BLOCK: usize = 1_200;

fn worker(mosquitto: &Mosquitto, tap: &Tap, id: &str) -> Process {
    let mut command = command(&tap.url(), &["--client-id", id, "--subscribe", SHARE]);
    start(mosquitto, &mut command, &[SHARE, CONTROL])
}

/// In ordinary division each message goes to one worker, each worker has some, and each alert
/// arrives exactly once.
#[test]
fn three_workers_divide_the_stream() {
    let mosquitto = Mosquitto::start();
    let tap = Tap::on(&mosquitto);
    let mut alerts = Client::connect(&mosquitto).subscribed(ALERTS);
    let workers = WORKERS.map(|id| worker(&mosquitto, &tap, id));
    let mut sensors = Client::connect(&mosquitto);
    sensors.publish_all(half_hot(0..BLOCK));
    let mut came = numbers(&alerts.take(BLOCK / 2));
    wait_until("every message is acknowledged", || {
        WORKERS.iter().map(|id| tap.passed(id).1).sum::<usize>() == BLOCK
    });
    for worker in workers {
        stop(worker);
    }
    came.extend(numbers(&alerts.drain()));
    came.sort_unstable();
    assert_eq!(came, (0..BLOCK).filter(|n| is_hot(*n)).collect::<Vec<_>>());

    let mut judged = Vec::new();
    for id in WORKERS {
        let share = tap.delivered(id);
        assert!(share.len() > BLOCK / 10, "{id} had {} of {BLOCK}", share.len());
        assert!(share.is_sorted(), "{id} had them in another order");
        judged.extend(share);
    }
    judged.sort_unstable();
    assert_eq!(judged, (0..BLOCK).collect::<Vec<_>>(), "each message is judged once");
    tap.assert_acknowledged_in_order();
}

/// One worker is killed with alerts in flight while the stream runs, and comes back: nothing is
/// lost, and what comes twice had been sent to it and not been acknowledged.
#[test]
fn a_killed_worker_loses_nothing() {
    let mosquitto = Mosquitto::start();
    let tap = Tap::on(&mosquitto);
    let mut alerts = Client::connect(&mosquitto).subscribed(ALERTS);
    let [w1, w2, w3] = WORKERS.map(|id| worker(&mosquitto, &tap, id));
    let mut sensors = Client::connect(&mosquitto);
    sensors.publish_all(half_hot(0..BLOCK));
    let mut came = numbers(&alerts.take(BLOCK / 2));
    tap.hold(Hold::Acknowledgements);
    sensors.publish_all(half_hot(BLOCK..2 * BLOCK));
    // All alerts of the second block are out, and none is acknowledged.
    came.extend(numbers(&alerts.take(BLOCK / 2)));
    w2.kill();
    tap.wait_for_ends("w2", 1);
    tap.hold(Hold::Nothing);
    sensors.publish_all(half_hot(2 * BLOCK..3 * BLOCK));
    let w2 = worker(&mosquitto, &tap, "w2");
    sensors.publish_all(half_hot(3 * BLOCK..4 * BLOCK));

    let hot: BTreeSet<usize> = (0..4 * BLOCK).filter(|n| is_hot(*n)).collect();
    let mut missing: BTreeSet<usize> = came.iter().fold(hot, |mut missing, n| {
        missing.remove(n);
        missing
    });
    while !missing.is_empty() {
        let n = numbers(&alerts.take(1))[0];
        missing.remove(&n);
        came.push(n);
    }
    let excused = tap.unacknowledged();
    let of_w2: BTreeSet<usize> = tap.delivered("w2").into_iter().collect();
    assert!(excused.keys().all(|n| of_w2.contains(n)), "another connection ended as well");
    for worker in [w1, w2, w3] {
        stop(worker);
    }
    came.extend(numbers(&alerts.drain()));
    assert_at_least_once(&came, 4 * BLOCK, &tap);
    let again = copies(&came).values().filter(|copies| **copies > 1).count();
    assert!(again > 0, "nothing was in flight at the kill");
    tap.assert_acknowledged_in_order();
}
