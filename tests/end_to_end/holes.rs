//! Links that die without a word, or again and again: full rate is back soon after, and nothing is
//! lost.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::broker::{self, Client};
use crate::harness::{Mosquitto, Process, Scene, Way, Wire, numbered, numbers, wait_until};

const WAYS: [Way; 3] = [Way::Up, Way::Down, Way::Both];
/// How long a link is dead.
const HOLE: Duration = Duration::from_secs(5);
/// How soon after that all that was sent has come.
const BACK: Duration = Duration::from_secs(10);
/// Between two groups of messages, all of them hot: few, so that what has waited is no measure of
/// how fast this machine is.
const PACE: Duration = Duration::from_millis(50);
const GROUP: usize = 2;

/// What sends numbered hot messages, and takes the numbers of the alerts that came.
trait Stream {
    fn send(&mut self, numbers: std::ops::Range<usize>);
    fn come(&mut self) -> Vec<usize>;
}

/// Sends on at an even pace for `time`; the numbers below `sent` are out already.
fn send_for(
    stream: &mut impl Stream,
    time: Duration,
    sent: &mut usize,
    seen: &mut BTreeSet<usize>,
) {
    let begun = Instant::now();
    while begun.elapsed() < time {
        stream.send(*sent..*sent + GROUP);
        *sent += GROUP;
        seen.extend(stream.come());
        std::thread::sleep(PACE);
    }
}

/// A hole of 5 s in each direction: within 10 s of its end everything has come.
fn a_hole(stream: &mut impl Stream, wire: &Wire, way: Way) {
    let (mut sent, mut seen) = (0, BTreeSet::new());
    send_for(stream, Duration::from_millis(500), &mut sent, &mut seen);
    wait_until("the first alerts came", || {
        seen.extend(stream.come());
        seen.len() == sent
    });
    wire.swallow(way);
    send_for(stream, HOLE, &mut sent, &mut seen);
    wire.pass();
    let ended = Instant::now();
    wait_until(&format!("all alerts came, {way:?}"), || {
        if ended.elapsed() < BACK / 2 {
            send_for(stream, PACE, &mut sent, &mut seen);
        }
        seen.extend(stream.come());
        seen.len() == sent
    });
    assert!(ended.elapsed() < BACK, "{way:?}: {:?}", ended.elapsed());
}

/// Cut every second while it works: it is away for less than half of the time.
fn cuts(stream: &mut impl Stream, wire: &Wire, module: &Process, connections: usize) {
    const CUTS: u32 = 6;
    let (mut sent, mut seen) = (0, BTreeSet::new());
    let mut away = Duration::ZERO;
    for _ in 0..CUTS {
        send_for(stream, Duration::from_secs(1), &mut sent, &mut seen);
        wait_until("everything came", || {
            seen.extend(stream.come());
            seen.len() == sent
        });
        let before = module.count("connected to ");
        wire.cut();
        let cut = Instant::now();
        wait_until("it is connected again", || {
            module.count("connected to ") >= before + connections
        });
        away += cut.elapsed();
    }
    // 0.1, 0.2, ... 2 s, each with jitter.
    assert!(away < Duration::from_secs(6), "{away:?}");
}

struct AtBroker {
    sensors: Client,
    alerts: Client,
}

impl Stream for AtBroker {
    fn send(&mut self, numbers: std::ops::Range<usize>) {
        self.sensors.publish_all(broker::hot(numbers));
    }

    fn come(&mut self) -> Vec<usize> {
        broker::numbers(&self.alerts.drain())
    }
}

fn at_broker(test: impl FnOnce(&mut AtBroker, &Wire, &Process)) {
    let mosquitto = Mosquitto::start();
    let wire = Wire::before(mosquitto.port());
    let url = format!("mqtt://127.0.0.1:{}", wire.port());
    let module = broker::standalone(&mosquitto, &url, &["--client-id", "w"]);
    let alerts = Client::connect(&mosquitto).subscribed(broker::ALERTS);
    test(&mut AtBroker { sensors: Client::connect(&mosquitto), alerts }, &wire, &module);
    broker::stop(module);
}

struct AtHub(Scene);

impl Stream for AtHub {
    fn send(&mut self, numbers: std::ops::Range<usize>) {
        self.0.deliver(numbers.map(|n| numbered(n, 99)).collect());
    }

    fn come(&mut self) -> Vec<usize> {
        numbers(&self.0.hub.upstream().try_iter().collect::<Vec<_>>())
    }
}

fn at_hub(test: impl FnOnce(&mut AtHub, &Wire, &Process)) {
    let scene = Scene::start(1);
    let wire = Wire::before(scene.hub.address().port());
    let mut command = scene.command();
    command.env("SLUICEGATE_GATEWAY_PORT", wire.port().to_string());
    let module = Process::spawn("sluicegate", &mut command);
    scene.wait_until_subscribed(&module);
    test(&mut AtHub(scene), &wire, &module);
    assert!(module.is_running());
}

#[test]
fn a_hole_before_a_broker_is_over_soon() {
    std::thread::scope(|scope| {
        for way in WAYS {
            scope.spawn(move || at_broker(|stream, wire, _| a_hole(stream, wire, way)));
        }
    });
}

#[test]
fn a_hole_before_a_hub_is_over_soon() {
    std::thread::scope(|scope| {
        for way in WAYS {
            scope.spawn(move || at_hub(|stream, wire, _| a_hole(stream, wire, way)));
        }
    });
}

/// Cuts of a link that works cost little, at a hub as at a broker.
#[test]
fn cuts_behind_work_cost_little() {
    std::thread::scope(|scope| {
        scope.spawn(|| at_hub(|stream, wire, module| cuts(stream, wire, module, 1)));
        scope.spawn(|| at_broker(|stream, wire, module| cuts(stream, wire, module, 2)));
    });
}
