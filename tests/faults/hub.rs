//! Faults of the hub, and of what the module shares with it: disk, certificate, identity, output.

use std::time::Duration;

use loadgen_hub::{Hub, HubConfig, HubFault};
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use test_support::Process;

use crate::durable_way::DurableWay;
use crate::fault::{Fault, Must};
use crate::hub_way::HubWay;
use crate::stream::{Stream, Way, Wired};
use crate::trial::Trial;

/// A fault comes within this time behind the one before.
const PAUSE_MAX: Duration = Duration::from_millis(300);
/// What the settings table says of `held-bytes`, and what docs/bounds.md adds to it.
const HELD_BYTES: u64 = 64 << 20;
const BESIDE_BYTES: u64 = 16 << 20;
/// More than memory could hold within the time that the output is stalled.
const FULL_RATE: f64 = 20_000.0;
const LARGE_BODY: usize = 2_000;
/// The hub takes no more while it keeps so many: several times what the module may hold.
const KEPT_MAX: usize = 70_000;

pub(crate) fn faults() -> Vec<Fault> {
    let row = |name, what, run| Fault { name, what, must: Must::default(), is_alone: false, run };
    let logs = |log, fault: Fault| Fault { must: Must { log, ..fault.must }, ..fault };
    let memory_bytes = Some(HELD_BYTES + BESIDE_BYTES);
    vec![
        row("hub/disk-full", "files of the hub's state folder grow no further", disk_full),
        logs(
            &["loses a CONNECT that comes with the end of the TLS handshake"],
            row("hub/early-connect", "CONNECT is lost as by edgeHub 1.6.0", early_connect),
        ),
        logs(
            &["in use twice"],
            row("hub/identity-twice", "a second process under the same identity", twice),
        ),
        logs(
            &["ertificate"],
            row("hub/certificate", "a certificate of an unknown authority, and back", certificate),
        ),
        Fault {
            must: Must { memory_bytes, ..Must::default() },
            is_alone: true,
            ..row("hub/output-stalled", "60 s of full input, and nothing goes out", stalled)
        },
    ]
}

/// The limit of the size of files stands for a full disk: a write beyond it fails, and the hub has
/// SIGXFSZ caught. Nobody gets a PUBACK for what is not on the disk.
fn disk_full(trial: &mut Trial) {
    let time = trial.either(Duration::from_secs(2), Duration::from_secs(20));
    let mut stream = Stream::new(DurableWay::start(), trial);
    for _ in 0..trial.either(2, 10) {
        let pause = trial.moment(PAUSE_MAX);
        stream.run_for(pause);
        stream.inject(trial, |stream, _| {
            let hub = Pid::from_raw(stream.way.hub.id().try_into().unwrap());
            let size = |bytes| Rlimit { current: bytes, maximum: None };
            prlimit(hub, Resource::Fsize, size(Some(4_096))).unwrap();
            stream.run_for(time);
            let refusals = stream.way.hub.count("messages.redb cannot be written");
            assert!(refusals > 0, "the hub has not met its limit");
            prlimit(hub, Resource::Fsize, size(None)).unwrap();
        });
    }
    let mut way = stream.finish(trial);
    trial.observe(way.module());
}

fn early_connect(trial: &mut Trial) {
    let way = HubWay::start_with(&[], |config| config.fault = Some(HubFault::EarlyConnect));
    let mut stream = Stream::new(way, trial);
    for _ in 0..trial.either(5, 50) {
        let pause = trial.moment(PAUSE_MAX);
        stream.run_for(pause);
        stream.inject(trial, |stream, _| stream.way.wire().cut());
    }
    let mut way = stream.finish(trial);
    trial.observe(way.module());
}

/// The hub serves whoever came last, and hangs up on the other.
fn twice(trial: &mut Trial) {
    let time = trial.either(Duration::from_secs(4), Duration::from_secs(60));
    let mut stream = Stream::new(HubWay::start(), trial);
    for _ in 0..trial.either(1, 3) {
        let pause = trial.moment(PAUSE_MAX);
        stream.run_for(pause);
        stream.inject(trial, |stream, trial| {
            let second = Process::spawn("a second sluicegate", &mut stream.way.command());
            stream.run_for(time);
            trial.observe(&second);
            second.kill();
        });
    }
    let mut way = stream.finish(trial);
    trial.observe(way.module());
}

/// Another hub, of an authority of its own, answers for a while.
fn certificate(trial: &mut Trial) {
    let time = trial.either(Duration::from_secs(3), Duration::from_secs(30));
    let state = tempfile::tempdir().unwrap();
    let listen = ([127, 0, 0, 1], 0).into();
    let config = HubConfig { listen, state_dir: state.path().into(), ..HubConfig::default() };
    let other = Hub::start(config).unwrap();
    let mut stream = Stream::new(HubWay::start(), trial);
    for _ in 0..trial.either(2, 10) {
        let pause = trial.moment(PAUSE_MAX);
        stream.run_for(pause);
        stream.inject(trial, |stream, _| {
            let (wire, port) = (stream.way.wire(), stream.way.hub.address().port());
            wire.lead_to(other.address().port());
            wire.cut();
            stream.run_for(time);
            stream.way.wire().lead_to(port);
        });
    }
    let mut way = stream.finish(trial);
    assert_eq!(other.counters().connects, 0, "the module has let the other hub in");
    trial.observe(way.module());
}

/// The hub reads nothing more, and hands over as much as the module takes, for whom it has more at
/// every instant.
fn stalled(trial: &mut Trial) {
    let time = trial.either(Duration::from_secs(5), Duration::from_secs(60));
    let mut way = HubWay::start_with(&[], |config| {
        config.window = 65_535;
        config.upstream_messages_max = 100;
        config.ack_timeout = Duration::from_secs(600);
        config.inputs_messages_max = 2 * KEPT_MAX;
        config.inputs_bytes_max = 4 * KEPT_MAX * LARGE_BODY;
    });
    way.kept_max = KEPT_MAX;
    let mut stream = Stream::of(way, trial, FULL_RATE, Some(LARGE_BODY));
    stream.run_for(PAUSE_MAX);
    stream.inject_flood(trial, |stream, trial| {
        stream.way.is_stalled = true;
        stream.run_for(time);
        let held = stream.way.unacknowledged();
        assert!(held * LARGE_BODY as u64 > HELD_BYTES, "only {held} messages have come together");
        trial.observe(stream.way.module());
        stream.way.is_stalled = false;
    });
    let mut way = stream.finish(trial);
    trial.observe(way.module());
}
