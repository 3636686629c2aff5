//! With a client id nothing is lost at QoS 1, and only what was in flight comes twice.

use std::collections::BTreeSet;

use super::client::Client;
use super::tap::{Hold, Tap};
use super::{
    ALERTS, assert_at_least_once, copies, figure, half_hot, is_hot, numbers, standalone, stop,
};
use crate::harness::{Mosquitto, Process, wait_until};

const FLAGS: [&str; 2] = ["--client-id", "w"];
/// Messages published at a time.
const BLOCK: usize = 400;
const INTERRUPTIONS: usize = 3;
/// Alerts that are out, and not acknowledged to the module, when it is interrupted.
const IN_FLIGHT: usize = 20;

/// A stream that is published block by block, and what came back of it.
struct Stream {
    sensors: Client,
    alerts: Client,
    sent: usize,
    came: Vec<usize>,
}

impl Stream {
    fn on(mosquitto: &Mosquitto) -> Self {
        let alerts = Client::connect(mosquitto).subscribed(ALERTS);
        Self { sensors: Client::connect(mosquitto), alerts, sent: 0, came: Vec::new() }
    }

    fn publish(&mut self) {
        self.sensors.publish_all(half_hot(self.sent..self.sent + BLOCK));
        self.sent += BLOCK;
    }

    /// Takes alerts until `count` different ones came from message `start` on.
    fn take_since(&mut self, start: usize, count: usize) {
        let since = self.came.iter().copied().filter(|n| *n >= start);
        let mut seen: BTreeSet<usize> = since.collect();
        while seen.len() < count {
            let n = numbers(&self.alerts.take(1))[0];
            self.came.push(n);
            seen.extend((n >= start).then_some(n));
        }
    }

    /// Calls `interrupt` again and again, each time with alerts in flight for certain, and
    /// publishes before and after; then waits for all alerts.
    fn interrupted(mut self, tap: &Tap, mut interrupt: impl FnMut()) -> Self {
        for _ in 0..INTERRUPTIONS {
            self.publish();
            self.take_since(0, self.sent / 2);
            tap.hold(Hold::Acknowledgements);
            let held_from = self.sent;
            self.publish();
            self.take_since(held_from, IN_FLIGHT);
            interrupt();
            tap.hold(Hold::Nothing);
            self.publish();
        }
        self.take_since(0, self.sent / 2);
        self
    }

    /// The numbers of all alerts that ever came: to be called when no more can come.
    fn all(mut self) -> Vec<usize> {
        self.came.extend(numbers(&self.alerts.drain()));
        self.came
    }
}

/// Killed with alerts in flight, again and again: every alert arrives, and those that arrive twice
/// are of messages that were not acknowledged when the module died.
#[test]
fn killed_in_mid_stream_nothing_is_lost() {
    let mosquitto = Mosquitto::start();
    let tap = Tap::on(&mosquitto);
    let mut module = standalone(&mosquitto, &tap.url(), &FLAGS);
    let mut kills = 0;
    let stream = Stream::on(&mosquitto).interrupted(&tap, || {
        module.kill();
        kills += 1;
        tap.wait_for_ends("w", kills);
        module = standalone(&mosquitto, &tap.url(), &FLAGS);
    });
    stop(module);
    let (sent, came) = (stream.sent, stream.all());
    assert_at_least_once(&came, sent, &tap);
    tap.assert_acknowledged_in_order();
    let again = copies(&came).values().filter(|copies| **copies > 1).count();
    assert!(again >= INTERRUPTIONS * IN_FLIGHT, "only {again} were in flight at the kills");
}

/// A connection that is cut is made again by the module itself: every alert arrives, and those that
/// arrive again were not acknowledged when it was cut.
#[test]
fn cut_in_mid_stream_nothing_is_lost() {
    let mosquitto = Mosquitto::start();
    let tap = Tap::on(&mosquitto);
    let module: Process = standalone(&mosquitto, &tap.url(), &FLAGS);
    let mut cuts = 0;
    let stream = Stream::on(&mosquitto).interrupted(&tap, || {
        tap.cut();
        cuts += 1;
        tap.wait_for_ends("w", cuts);
        assert!(module.is_running());
    });
    wait_until("every message is acknowledged", || {
        // What is not is either open still or was when a connection ended.
        let (delivered, acknowledged) = tap.passed("w");
        delivered - acknowledged == tap.unacknowledged().values().sum::<usize>()
    });
    stop(module);
    let (sent, came) = (stream.sent, stream.all());
    let unacknowledged = tap.unacknowledged();
    for (number, copies) in copies(&came) {
        assert!(is_hot(number) && number < sent, "{number} is no alert");
        assert!(
            copies == 1 || unacknowledged.contains_key(&number),
            "{number} came {copies} times, and was acknowledged"
        );
    }
    tap.assert_acknowledged_in_order();
}

/// The broker itself goes down in mid-stream and comes back with what it knew: nothing is lost.
#[test]
fn a_broker_with_a_memory_loses_nothing() {
    let mut mosquitto = Mosquitto::start();
    let tap = Tap::on(&mosquitto);
    let module = standalone(&mosquitto, &tap.url(), &FLAGS);
    let mut alerts = Client::resume(&mosquitto, "reader").subscribed(ALERTS);
    let mut came = BTreeSet::new();
    for round in 0..INTERRUPTIONS {
        let mut sensors = Client::connect(&mosquitto);
        let start = round * 2 * BLOCK;
        sensors.publish_all(half_hot(start..start + BLOCK));
        tap.hold(Hold::Acknowledgements);
        sensors.publish_all(half_hot(start + BLOCK..start + 2 * BLOCK));
        came.extend(numbers(&alerts.take(IN_FLIGHT)));
        mosquitto.restart_with_memory();
        tap.hold(Hold::Nothing);
        alerts = Client::resume(&mosquitto, "reader");
    }
    let hot: BTreeSet<usize> = (0..2 * BLOCK * INTERRUPTIONS).filter(|n| is_hot(*n)).collect();
    while !came.is_superset(&hot) {
        came.extend(numbers(&alerts.take(1)));
    }
    assert_eq!(came, hot, "only hot messages come back");
    assert!(module.is_running());
}

/// The source's connection is cut again and again while nobody acknowledges the alerts: none of
/// them is judged a second time, and in the end all readings are acknowledged. An alert comes again
/// only where the outlet itself has taken its peer for dead meanwhile.
#[test]
fn cuts_make_no_copies_of_alerts_without_acknowledgement() {
    const CUTS: usize = 8;
    let mosquitto = Mosquitto::start();
    let tap = Tap::on(&mosquitto);
    let module = standalone(&mosquitto, &tap.url(), &FLAGS);
    let mut alerts = Client::connect(&mosquitto).subscribed(ALERTS);
    tap.hold(Hold::Acknowledgements);
    Client::connect(&mosquitto).publish_all(half_hot(0..2 * IN_FLIGHT));
    let mut came = numbers(&alerts.take(IN_FLIGHT));
    for cuts in 1..=CUTS {
        tap.cut_off("w");
        tap.wait_for_ends("w", cuts);
        // Behind what comes again, so it has come when this one has.
        let n = 2 * (IN_FLIGHT + cuts);
        Client::connect(&mosquitto).publish_all(half_hot(n..n + 1));
        wait_until("the new reading's alert came", || {
            came.extend(numbers(&alerts.drain()));
            came.contains(&n)
        });
    }
    tap.hold(Hold::Nothing);
    wait_until("every message is acknowledged", || {
        let (delivered, acknowledged) = tap.passed("w");
        delivered - acknowledged == tap.unacknowledged().values().sum::<usize>()
    });
    let summary = stop(module);
    came.extend(numbers(&alerts.drain()));
    let copies = copies(&came);
    let hot = (0..=2 * (IN_FLIGHT + CUTS)).filter(|n| is_hot(*n) && *n != 2 * IN_FLIGHT);
    assert_eq!(copies.keys().copied().collect::<Vec<_>>(), hot.collect::<Vec<_>>());
    assert_eq!(figure(&summary, "alerts"), copies.len() as u64, "{summary}");
    let connections = tap.ends("w-out");
    assert!(connections < CUTS, "{connections} connections for alerts");
    assert!(copies.values().all(|copies| *copies <= connections), "{copies:?}");
    tap.assert_acknowledged_in_order();
}

/// Without a client id there is no session: what is published while the module is away is not for
/// it, and nothing of it stays behind on the broker.
#[test]
fn without_a_client_id_what_is_missed_is_missed() {
    let mosquitto = Mosquitto::start();
    let mut alerts = Client::connect(&mosquitto).subscribed(ALERTS);
    let module = standalone(&mosquitto, &mosquitto.url(), &[]);
    module.kill();
    let mut sensors = Client::connect(&mosquitto);
    wait_until("the broker knows that the module is gone", || {
        sensors.publish_all(half_hot(0..10));
        alerts.drain().is_empty()
    });
    let module = standalone(&mosquitto, &mosquitto.url(), &[]);
    sensors.publish_all(half_hot(10..20));
    assert_eq!(numbers(&alerts.take(5)), [10, 12, 14, 16, 18]);
    stop(module);
    assert_eq!(alerts.drain(), []);
}
