//! What a message costs in memory on the ingest thread: the whole way from the socket to the
//! acknowledgement, connection and runtime included. Peers live on other threads, which the counter
//! does not see. And what is resident in all ([`resident`]).
#![cfg(test)]
#![forbid(unsafe_code)]

mod chunks;
mod kept;
mod packets;
mod peer;
mod resident;

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use allocation_counter::measure;
use peer::{Load, Peer};
use sluicegate::azure::{Identity, Key};
use sluicegate::broker::settings::{BrokerSettings, Standalone};
use sluicegate::broker::{Context, Login, Outlet, Source};
use sluicegate::hub::credentials::Credentials;
use sluicegate::hub::link::{HubLink, LinkSettings};
use sluicegate::hub::trust::{Trust, trusting};
use sluicegate::mqtt::tls::TlsSettings;
use sluicegate::mqtt::{QoS, transport::Route};
use sluicegate::pipeline::parse::JsonPath;
use sluicegate::pipeline::{Pipeline, SharedPipeline};
use tokio::runtime::Runtime;
use tokio::sync::{Notify, watch};

const INPUT: &str = "devices/d/modules/m/inputs/input1/n=1&%24.cdid=d&%24.cmid=s";
const SENSOR: &str = "sensors/machine-7";
const HELD_BYTES: usize = 64 << 20;
const BODY_BYTES: usize = 140;
/// Messages that take several reads.
const LARGE_BURST: usize = 4_000;
/// Bodies of one burst before anything is counted, which is more than any that is.
const WARM_UP_BYTES: usize = 2 * LARGE_BURST * BODY_BYTES;
/// Two for each chunk that is read into while alerts still refer to all others, of which a burst
/// fills 14, and a few for tables that double.
const GROWTH_MAX: u64 = 32;

/// What one phase took on the ingest thread.
#[derive(Debug, PartialEq, Eq)]
struct Phase {
    alerts: usize,
    allocations: u64,
}

/// Who the messages come from, and where alerts go.
#[derive(Debug, Clone, Copy)]
enum Way {
    Hub,
    Broker,
    BrokerToHub,
}

/// Warms up, then counts the ingest thread's allocations for `bursts` bursts and for twice as many.
fn phases(way: Way, workers: usize, load: Load, bursts: usize) -> [Phase; 2] {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut peer = Peer::start(listener, if matches!(way, Way::Hub) { 1 } else { 2 });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (_stop, stopped) = watch::channel(false);
    connect(way, workers, port, &runtime, stopped);
    let mut phase = |load: Load, bursts: usize| {
        peer.order(load, bursts);
        let mut alerts = 0;
        let used = measure(|| alerts = runtime.block_on(peer.finished()));
        Phase { alerts, allocations: used.count_total }
    };
    // Every table grows to its size, and the memory of the first reads comes round.
    let burst = WARM_UP_BYTES / load.body_bytes;
    phase(Load { burst, ..load }, 5);
    phase(load, bursts);
    let measured = [phase(load, bursts), phase(load, 2 * bursts)];
    drop(runtime);
    peer.stop();
    measured
}

/// Starts the connections as tasks of `runtime`, which is to be driven on the test's own thread.
fn connect(way: Way, workers: usize, port: u16, runtime: &Runtime, stop: watch::Receiver<bool>) {
    let [hub, source, outlet]: [Arc<Notify>; 3] = Default::default();
    let to_hub = if matches!(way, Way::Broker) { &outlet } else { &hub };
    let wakes = [Arc::clone(&hub), Arc::clone(&source)];
    let path = JsonPath::default();
    let pipeline =
        Pipeline::start(&wakes, to_hub, workers, &path, HELD_BYTES, Arc::default()).unwrap();
    let pipeline = SharedPipeline::new(pipeline);
    if matches!(way, Way::Hub | Way::BrokerToHub) {
        let settings = link_settings(port, way);
        let link = HubLink::new(settings, pipeline.clone(), hub, stop.clone());
        runtime.spawn(link.run());
    }
    if matches!(way, Way::Hub) {
        return;
    }
    let (settings, topics) = broker_settings(port);
    let login = Login::new(&settings, Duration::from_secs(60));
    let (puback_timeout, drain_timeout) = (Duration::from_secs(60), Duration::ZERO);
    let context = Context { pipeline, stop, puback_timeout, drain_timeout };
    if matches!(way, Way::Broker) {
        let outlet = Outlet::new(&login, &topics, context.clone(), outlet);
        runtime.spawn(outlet.run());
    }
    let source = Source::new(&login, &settings.filters, context, source, Duration::ZERO);
    runtime.spawn(source.run());
}

fn link_settings(port: u16, way: Way) -> LinkSettings {
    // The name tells the peer which connection it is to send messages on.
    let module = if matches!(way, Way::Hub) { "m" } else { "m-out" };
    LinkSettings {
        identity: Identity {
            hub: "h.net".to_owned(),
            gateway: "127.0.0.1".to_owned(),
            device: "d".to_owned(),
            module: Some(module.to_owned()),
        },
        credentials: Credentials::Key(Key::from_base64("a2V5").unwrap()),
        trust: Trust::Fixed(trusting([]).unwrap()),
        port,
        route: Route::Plain,
        keep_alive: Duration::from_secs(60),
        token_lifetime: Duration::from_secs(3600),
        puback_timeout: Duration::from_secs(60),
        drain_timeout: Duration::ZERO,
        linger: Duration::ZERO,
        judge_own_alerts: false,
    }
}

fn broker_settings(port: u16) -> (BrokerSettings, Standalone) {
    let topics = Standalone {
        alerts: "alerts/{topic}".parse().unwrap(),
        control: "sluicegate/desired".to_owned(),
        reported: "sluicegate/reported".to_owned(),
    };
    let settings = BrokerSettings {
        host: "127.0.0.1".to_owned(),
        port,
        route: Route::Tcp,
        tls: TlsSettings::from(trusting([]).unwrap()).into(),
        user: None,
        password: None,
        client_id: Some("gate".to_owned()),
        random_id: String::new(),
        filters: vec!["sensors/#".parse().unwrap()],
        standalone: Some(topics.clone()),
    };
    (settings, topics)
}

/// For messages that are no alerts, whichever way they come, one by one or in bursts that fill one
/// read or several: no allocation, for any number of messages.
#[test]
fn messages_that_are_no_alerts_allocate_nothing() {
    for (way, topic) in [(Way::Hub, INPUT), (Way::Broker, SENSOR)] {
        for qos in [QoS::AtLeastOnce, QoS::AtMostOnce] {
            for (burst, bursts) in [(1, 500), (400, 20), (LARGE_BURST, 5)] {
                let load = Load { topic, qos, burst, hot_every: 0, body_bytes: BODY_BYTES };
                allocate_nothing(way, load, bursts);
            }
        }
    }
}

/// The same for larger bodies, which are cut by the ends of most reads.
#[test]
fn larger_messages_allocate_nothing() {
    for body_bytes in [1_000, 8_000] {
        let load =
            Load { topic: INPUT, qos: QoS::AtLeastOnce, burst: 50, hot_every: 0, body_bytes };
        allocate_nothing(Way::Hub, load, 10);
    }
}

fn allocate_nothing(way: Way, load: Load, bursts: usize) {
    let none = || Phase { alerts: 0, allocations: 0 };
    assert_eq!(phases(way, 0, load, bursts), [none(), none()], "{way:?} {load:?}");
}

/// For alerts, whichever way they go: none either, but for tables and chunks that grow with what is
/// under way at the same time. That does not depend on the number of alerts.
#[test]
fn alerts_allocate_nothing_each() {
    for (way, topic) in [(Way::Hub, INPUT), (Way::Broker, SENSOR), (Way::BrokerToHub, SENSOR)] {
        for (burst, bursts, hot_every) in
            [(1, 500, 1), (400, 20, 10), (400, 20, 1), (LARGE_BURST, 5, 1)]
        {
            let body_bytes = BODY_BYTES;
            let load = Load { topic, qos: QoS::AtLeastOnce, burst, hot_every, body_bytes };
            let measured = phases(way, 0, load, bursts);
            let alerts = measured.each_ref().map(|phase| phase.alerts);
            let expected = burst / hot_every * bursts;
            assert_eq!(alerts, [expected, 2 * expected], "{way:?} {load:?}");
            let has_grown_only = |phase: &Phase| phase.allocations <= GROWTH_MAX;
            assert!(measured.iter().all(has_grown_only), "{way:?} {load:?}: {measured:?}");
        }
    }
}

/// With parser threads, to which large reads are handed over: nothing either, but for what grows
/// with the number of batches that are under way at the same time.
#[test]
fn batches_for_parser_threads_allocate_nothing_each() {
    /// For each of the 64 batches: its chunk, and its lists of messages and alerts.
    const BATCHES_MAX: u64 = 64 * 8;
    for hot_every in [0, 10] {
        let (qos, body_bytes, burst) = (QoS::AtLeastOnce, BODY_BYTES, LARGE_BURST);
        let load = Load { topic: SENSOR, qos, burst, hot_every, body_bytes };
        let measured = phases(Way::Broker, 2, load, 20);
        let allocations = measured[0].allocations + measured[1].allocations;
        assert!(allocations <= GROWTH_MAX + BATCHES_MAX, "{load:?}: {measured:?}");
    }
}
