//! The link against a scripted hub over memory: what goes over the wire, in which order.

use super::*;
use bytes::Bytes;
use tokio::io::{DuplexStream, duplex};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::azure::Key;
use crate::hub::trust::trusting;
use crate::mqtt::packet::{Packet, PubAck, Publish, SubAck, Subscribe, SubscribeReasonCode};
use crate::mqtt::{Connection, QoS};
use crate::pipeline::parse::JsonPath;
use crate::pipeline::threshold::{Setting, Threshold, ThresholdCell};
use crate::pipeline::{Pipeline, SharedPipeline};
use crate::twin::limits::FIRST_TWIN_WAIT;

mod beside_a_broker;
mod counted;
mod damaged;
mod deadlines;
mod logged;
mod login;
mod methods;
mod own_alerts;
mod parking;
mod renewal;
mod too_large;
mod turns;
mod worked;

const PATIENCE: Duration = Duration::from_secs(20);
const HOT: &str = r#"{"machine":{"temperature":99}}"#;
const COLD: &str = r#"{"machine":{"temperature":1}}"#;

fn link(held_bytes_max: usize) -> (HubLink, watch::Sender<bool>, Arc<Notify>) {
    link_with(2, held_bytes_max)
}

/// A link with so many parser threads: in virtual time none, as it passes while they work.
fn link_with(parsers: usize, held_bytes_max: usize) -> (HubLink, watch::Sender<bool>, Arc<Notify>) {
    link_beside(&Arc::default(), parsers, held_bytes_max)
}

/// The same beside a broker's connection that `broker_wake` wakes.
fn link_beside(
    broker_wake: &Arc<Notify>,
    parsers: usize,
    held_bytes_max: usize,
) -> (HubLink, watch::Sender<bool>, Arc<Notify>) {
    let wake = Arc::new(Notify::new());
    let (stop, stopped) = watch::channel(false);
    let threshold = Threshold::new(25.0).expect("finite");
    let cell = Arc::new(ThresholdCell::new(Setting { threshold, version: None }));
    let wakes = [Arc::clone(&wake), Arc::clone(broker_wake)];
    let pipeline =
        Pipeline::start(&wakes, &wake, parsers, &JsonPath::default(), held_bytes_max, cell);
    let pipeline = SharedPipeline::new(pipeline.expect("threads"));
    let settings = LinkSettings {
        identity: Identity {
            hub: "h.net".to_owned(),
            gateway: "localhost".to_owned(),
            device: "d".to_owned(),
            module: Some("m".to_owned()),
        },
        credentials: Credentials::Key(Key::from_base64("a2V5").expect("base64")),
        trust: Trust::Fixed(trusting([]).expect("ring speaks TLS 1.2 and 1.3")),
        port: 1,
        route: Route::Direct,
        keep_alive: Duration::from_secs(60),
        token_lifetime: Duration::from_secs(60),
        puback_timeout: Duration::from_secs(60),
        drain_timeout: Duration::from_secs(5),
        linger: Duration::ZERO,
        judge_own_alerts: false,
    };
    (HubLink::new(settings, pipeline, Arc::clone(&wake), stopped), stop, wake)
}

/// The hub's end of a connection.
struct Hub {
    connection: Connection<DuplexStream>,
    inbox: Vec<Packet>,
}

impl Hub {
    async fn next(&mut self) -> Packet {
        let never = Notify::new();
        while self.inbox.is_empty() {
            let turn = self.connection.turn_packets(&mut self.inbox, &never, true);
            timeout(PATIENCE, turn).await.expect("a packet in time").expect("an open connection");
        }
        self.inbox.remove(0)
    }

    async fn next_publish(&mut self) -> Publish {
        match self.next().await {
            Packet::Publish(publish) => publish,
            other => panic!("expected a publish, got {other:?}"),
        }
    }

    async fn send(&mut self, packet: Packet) {
        self.connection.send(&packet).unwrap();
        timeout(PATIENCE, self.connection.flush()).await.expect("room in time").unwrap();
    }

    async fn input(&mut self, id: u16, body: impl Into<Vec<u8>>) {
        let topic = "devices/d/modules/m/inputs/input1/n=1&%24.cdid=d&%24.cmid=s";
        let qos = if id == 0 { QoS::AtMostOnce } else { QoS::AtLeastOnce };
        let mut publish = Publish::new(topic, qos, body);
        publish.pkid = id;
        self.send(Packet::Publish(publish)).await;
    }

    async fn subscribe(&mut self) -> Subscribe {
        match self.next().await {
            Packet::Subscribe(subscribe) => subscribe,
            other => panic!("expected SUBSCRIBE, got {other:?}"),
        }
    }

    /// Grants the subscriptions and answers the twin request and the report.
    async fn start(&mut self, threshold: u32, version: u32) {
        let subscribe = self.subscribe().await;
        let codes = vec![SubscribeReasonCode::Success(QoS::AtLeastOnce); subscribe.filters.len()];
        self.send(Packet::SubAck(SubAck::new(subscribe.pkid, codes))).await;
        let get = self.next_publish().await;
        let rid = get.topic.strip_prefix("$iothub/twin/GET/?$rid=").expect("a GET").to_owned();
        let body = format!(
            "{{\"desired\":{{\"TemperatureThreshold\":{threshold},\"$version\":{version}}}}}"
        );
        self.respond(&format!("200/?$rid={rid}"), &body).await;
    }

    async fn answer_report(&mut self) -> Publish {
        let report = self.next_publish().await;
        let (_, rid) = report.topic.split_once("reported/?$rid=").expect("a report");
        self.respond(&format!("204/?$rid={rid}"), "").await;
        report
    }

    /// Serves a connection up to an alert without PUBACK, of the input with this id.
    async fn start_with_an_alert(&mut self, input: u16) -> Publish {
        self.start(25, 1).await;
        self.answer_report().await;
        self.input(input, HOT).await;
        self.next_publish().await
    }

    async fn respond(&mut self, rest: &str, body: &str) {
        let topic = format!("$iothub/twin/res/{rest}");
        self.send(Packet::Publish(Publish::new(topic, QoS::AtMostOnce, body))).await;
    }
}

type Served = JoinHandle<(HubLink, Result<HubLeave, End>)>;

impl std::fmt::Debug for HubLeave {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Stop => "Stop",
            Self::Renew(_) => "Renew",
            Self::Overrun => "Overrun",
        })
    }
}

/// Starts to serve one connection to a hub that knows nothing of an earlier one.
fn serve(link: HubLink, buffer: usize) -> (Served, Hub) {
    serve_again(link, false, buffer)
}

/// Starts to serve one connection.
fn serve_again(mut link: HubLink, session_present: bool, buffer: usize) -> (Served, Hub) {
    let (ours, theirs) = duplex(buffer);
    let connection = Connection::new(ours, Duration::from_secs(60));
    let served = tokio::spawn(async move {
        let end = session::serve(&mut link, connection, session_present).await.end;
        (link, end)
    });
    (served, Hub { connection: Connection::new(theirs, Duration::ZERO), inbox: Vec::new() })
}

async fn end_of(served: Served) -> (HubLink, Result<HubLeave, End>) {
    timeout(PATIENCE, served).await.expect("an end in time").expect("no panic")
}

#[tokio::test]
async fn an_input_is_acknowledged_only_after_its_alert() {
    let (link, _stop, _wake) = link(1 << 20);
    let (_served, mut hub) = serve(link, 1 << 16);
    hub.start(25, 1).await;
    hub.answer_report().await;
    hub.input(7, HOT).await;
    hub.input(8, COLD).await;
    let alert = hub.next_publish().await;
    let topic = "devices/d/modules/m/messages/events/%24.on=output1&n=1&MessageType=Alert";
    assert_eq!((alert.topic.as_str(), &alert.payload), (topic, &Bytes::from(HOT)));
    // The cold message is settled, but stands behind the hot one.
    hub.input(9, COLD).await;
    hub.send(Packet::PubAck(PubAck::new(alert.pkid))).await;
    for id in [7, 8, 9] {
        assert_eq!(hub.next().await, Packet::PubAck(PubAck::new(id)));
    }
}

/// Whatever the next hub remembers: subscriptions are made anew, the unacknowledged alert is sent
/// again under its id with DUP, and nothing is acknowledged for the old connection's deliveries.
#[tokio::test]
async fn a_new_connection_begins_with_what_the_old_one_left() {
    let (link, _stop, _wake) = link(1 << 20);
    let (served, mut hub) = serve(link, 1 << 16);
    let alert = hub.start_with_an_alert(7).await;
    drop(hub);
    let (link, end) = end_of(served).await;
    assert!(matches!(end, Err(End::Connection(_))), "{end:?}");

    let (_served, mut hub) = serve(link, 1 << 16);
    let subscribe = hub.subscribe().await;
    let filters: Vec<_> = subscribe.filters.iter().map(|filter| filter.path.as_str()).collect();
    assert!(filters.contains(&"devices/d/modules/m/inputs/#"), "{filters:?}");
    assert_ne!(subscribe.pkid, alert.pkid, "both wait");
    let again = hub.next_publish().await;
    assert_eq!((again.pkid, again.dup, &again.topic), (alert.pkid, true, &alert.topic));
    hub.send(Packet::PubAck(PubAck::new(again.pkid))).await;
    hub.input(1, COLD).await;
    assert_eq!(hub.next().await, Packet::PubAck(PubAck::new(1)), "and none for 7");
}

/// A hub that has kept the session delivers again what is open. Its alert is made once, and sent
/// again under its id. One that has lost the session may deliver a new message that is equal.
#[tokio::test]
async fn an_open_input_that_comes_again_is_not_judged_again() {
    let (link, _stop, _wake) = link(1 << 20);
    let pipeline = link.pipeline.clone();
    let (mut served, mut hub) = serve(link, 1 << 16);
    let alert = hub.start_with_an_alert(1).await;
    let mut unacknowledged = Vec::new();
    for (session_present, alerts) in [(true, 1), (true, 1), (true, 1), (false, 2), (true, 2)] {
        drop(hub);
        let (link, _) = end_of(served).await;
        (served, hub) = serve_again(link, session_present, 1 << 16);
        hub.subscribe().await;
        hub.input(1, HOT).await;
        hub.input(2, COLD).await;
        let again = hub.next_publish().await;
        assert_eq!((again.pkid, again.dup), (alert.pkid, true));
        if alerts == 2 {
            let second = hub.next_publish().await;
            assert_eq!((second.dup, &second.payload), (session_present, &Bytes::from(HOT)));
            unacknowledged = vec![alert.pkid, second.pkid];
        }
        assert_eq!(pipeline.lock().counters.alerts, alerts);
    }
    for id in unacknowledged {
        hub.send(Packet::PubAck(PubAck::new(id))).await;
    }
    assert_eq!(
        [hub.next().await, hub.next().await],
        [1, 2].map(|id| Packet::PubAck(PubAck::new(id)))
    );
    assert_eq!(pipeline.lock().held(HUB).messages, 0);
}

#[tokio::test]
async fn inputs_wait_for_the_first_twin_document() {
    let (link, _stop, _wake) = link(1 << 20);
    check_that_inputs_wait(link).await;
}

/// An input that comes before the document is judged by it.
async fn check_that_inputs_wait(link: HubLink) {
    let (_served, mut hub) = serve(link, 1 << 16);
    hub.input(1, r#"{"machine":{"temperature":50}}"#).await;
    hub.start(60, 1).await;
    let next = [hub.next().await, hub.next().await];
    assert!(next.contains(&Packet::PubAck(PubAck::new(1))), "50 is no alert at 60: {next:?}");
}

#[tokio::test]
async fn a_refused_subscription_ends_the_connection() {
    let (link, _stop, _wake) = link(1 << 20);
    let (served, mut hub) = serve(link, 1 << 16);
    let subscribe = hub.subscribe().await;
    let codes = vec![SubscribeReasonCode::Failure; subscribe.filters.len()];
    hub.send(Packet::SubAck(SubAck::new(subscribe.pkid, codes))).await;
    let (_, end) = end_of(served).await;
    assert!(matches!(end, Err(End::SubscriptionRefused(_))), "{end:?}");
}

/// The hub acknowledges no alert and sends on: what is held stays under the bound and a read,
/// nothing beyond is acknowledged. Once it acknowledges again, what is held is finished, none of it
/// twice, and the link leaves for the hub to deliver the rest on a new connection.
#[tokio::test]
async fn held_messages_are_bounded_when_the_output_stalls_and_then_finished() {
    const HELD: usize = 100_000;
    let (link, _stop, _wake) = link(HELD);
    let (served, hub) = serve(link, 1 << 16);
    let mut flooded = flood(hub, 1).await;
    assert_eq!(flooded.acknowledged, 0);
    let hub = &mut flooded.hub;
    // It is left by now, and would only grow by what is not delivered again.
    hub.input(0, HOT).await;
    let mut alerts = flooded.alerts;
    let mut settled = 0;
    loop {
        for id in alerts.drain(..) {
            hub.send(Packet::PubAck(PubAck::new(id))).await;
        }
        match hub.next().await {
            Packet::Publish(alert) if alert.qos == QoS::AtLeastOnce => alerts.push(alert.pkid),
            Packet::Publish(_) => {}
            Packet::PubAck(_) => settled += 1,
            Packet::Disconnect => break,
            other => panic!("{other:?}"),
        }
    }
    let (link, end) = end_of(served).await;
    assert!(matches!(end, Ok(HubLeave::Overrun)), "{end:?}");
    let counters = link.pipeline.lock().counters.clone();
    let taken = counters.received;
    assert_eq!((settled, counters.forwarded, counters.resent), (taken, taken, 0));
    assert_eq!(counters.dropped_at_most_once, 1);
    let taken_bytes = usize::try_from(counters.received_bytes).unwrap();
    assert!((HELD / 2..HELD + 70_000).contains(&taken_bytes), "{taken_bytes}");
}

/// Once more came than may be held, nothing is taken that comes at QoS 0 either, also when there is
/// room again: it would only keep the connection from its end.
#[tokio::test]
async fn nothing_is_taken_at_most_once_while_the_rest_is_finished() {
    let (link, _stop, _wake) = link(100_000);
    let pipeline = link.pipeline.clone();
    let (served, hub) = serve(link, 1 << 16);
    let Flooded { mut hub, mut alerts, .. } = flood(hub, 1).await;
    let taken = usize::try_from(pipeline.lock().counters.received).unwrap();
    let mut acknowledged = 0;
    while acknowledged + 1 < taken {
        if let Some(id) = alerts.pop() {
            hub.send(Packet::PubAck(PubAck::new(id))).await;
            acknowledged += 1;
        } else if let Packet::Publish(alert) = hub.next().await
            && alert.qos == QoS::AtLeastOnce
        {
            alerts.push(alert.pkid);
        }
    }
    hub.input(0, HOT).await;
    while alerts.is_empty() || pipeline.lock().counters.dropped_at_most_once == 0 {
        if let Packet::Publish(alert) = hub.next().await {
            alerts.push(alert.pkid);
        }
    }
    assert!(!pipeline.lock().is_over_bound(HUB, 1), "there is room");
    hub.send(Packet::PubAck(PubAck::new(alerts[0]))).await;
    while hub.next().await != Packet::Disconnect {}
    let (link, end) = end_of(served).await;
    assert!(matches!(end, Ok(HubLeave::Overrun)), "{end:?}");
    assert_eq!(link.pipeline.lock().counters.received, taken as u64);
}

/// At the bound the twin's answer, which stands behind the inputs, is still found.
#[tokio::test]
async fn the_first_twin_document_is_found_behind_a_full_window_of_inputs() {
    // The inputs pass the first level, and not the last one.
    let (link, _stop, _wake) = link(22_000);
    let (_served, mut hub) = serve(link, 1 << 20);
    let body = format!("{{\"machine\":{{\"temperature\":50}},\"pad\":\"{}\"}}", "x".repeat(1000));
    for id in 1..=12 {
        hub.input(id, body.clone()).await;
    }
    hub.start(60, 1).await;
    let mut acknowledged = 0;
    while acknowledged < 12 {
        match hub.next().await {
            Packet::PubAck(_) => acknowledged += 1,
            Packet::Publish(publish) => assert!(publish.topic.contains("reported"), "{publish:?}"),
            other => panic!("{other:?}"),
        }
    }
}

/// The same at QoS 0: beyond the bound messages are dropped and counted, reading goes on.
#[tokio::test]
async fn at_most_once_inputs_are_dropped_at_the_bound_and_counted() {
    const HELD: usize = 100_000;
    let (link, _stop, _wake) = link(HELD);
    let (served, hub) = serve(link, 1 << 16);
    drop(flood(hub, 0).await);
    let (link, end) = end_of(served).await;
    assert!(matches!(end, Err(End::Connection(_))), "the hub went away");
    let pipeline = link.pipeline.lock();
    assert!(pipeline.counters.dropped_at_most_once > 0);
    assert!(pipeline.held(HUB).bytes < HELD + 100_000, "{:?}", pipeline.held(HUB));
}

/// What came back during a [`flood`].
struct Flooded {
    hub: Hub,
    acknowledged: usize,
    alerts: Vec<u16>,
}

/// Sends 1 MiB of hot inputs without acknowledging any alert.
async fn flood(mut hub: Hub, qos: u16) -> Flooded {
    hub.start(25, 1).await;
    let body = format!("{{\"machine\":{{\"temperature\":99}},\"pad\":\"{}\"}}", "x".repeat(1000));
    let (mut acknowledged, mut alerts) = (0, Vec::new());
    let wake = Notify::new();
    for id in 1..=1000 {
        let topic = "devices/d/modules/m/inputs/input1/";
        let level = if qos == 0 { QoS::AtMostOnce } else { QoS::AtLeastOnce };
        let mut publish = Publish::new(topic, level, body.clone());
        publish.pkid = id * qos;
        hub.connection.publish(&publish).unwrap();
        wake.notify_one();
        hub.connection.turn_packets(&mut hub.inbox, &wake, true).await.unwrap();
        for packet in hub.inbox.drain(..) {
            match packet {
                Packet::PubAck(_) => acknowledged += 1,
                Packet::Publish(alert) if alert.pkid != 0 => alerts.push(alert.pkid),
                _ => {}
            }
        }
    }
    timeout(PATIENCE, hub.connection.flush()).await.expect("it reads on").unwrap();
    Flooded { hub, acknowledged, alerts }
}

/// A patch that overtakes the first document ends the wait: what came before the patch is judged
/// by what was in force before it.
#[tokio::test]
async fn a_patch_before_the_first_document_keeps_the_rule_of_arrival() {
    let (link, _stop, _wake) = link(1 << 20);
    let (_served, mut hub) = serve(link, 1 << 16);
    hub.input(1, r#"{"machine":{"temperature":50}}"#).await;
    let topic = "$iothub/twin/PATCH/properties/desired/?$version=2";
    let patch = r#"{"TemperatureThreshold":60,"$version":2}"#;
    hub.send(Packet::Publish(Publish::new(topic, QoS::AtMostOnce, patch))).await;
    hub.input(2, r#"{"machine":{"temperature":50}}"#).await;
    hub.start(60, 2).await;
    let mut alerts = 0;
    let mut acknowledged = Vec::new();
    while acknowledged.len() < 2 {
        match hub.next().await {
            Packet::PubAck(ack) => acknowledged.push(ack.pkid),
            Packet::Publish(publish) if publish.pkid != 0 => {
                alerts += 1;
                hub.send(Packet::PubAck(PubAck::new(publish.pkid))).await;
            }
            _ => {}
        }
    }
    assert_eq!((alerts, acknowledged), (1, vec![1, 2]));
}

/// The wait for the first document begins with each connection, not with the process: a hub may
/// come up long after the module.
#[tokio::test]
async fn the_wait_for_the_twin_counts_from_the_connection() {
    let (mut link, _stop, _wake) = link(1 << 20);
    link.started = Instant::now().checked_sub(10 * FIRST_TWIN_WAIT).expect("an early instant");
    check_that_inputs_wait(link).await;
}

#[tokio::test]
async fn stopping_drains_disconnects_and_leaves_new_inputs_to_the_next_instance() {
    let (link, stop, wake) = link(1 << 20);
    let (served, mut hub) = serve(link, 1 << 16);
    let alert = hub.start_with_an_alert(1).await;
    stop.send(true).unwrap();
    wake.notify_one();
    hub.input(2, HOT).await;
    hub.send(Packet::PubAck(PubAck::new(alert.pkid))).await;
    assert_eq!(hub.next().await, Packet::PubAck(PubAck::new(1)));
    assert_eq!(hub.next().await, Packet::Disconnect);
    let (link, end) = end_of(served).await;
    assert!(matches!(end, Ok(HubLeave::Stop)), "{end:?}");
    assert_eq!(link.pipeline.lock().counters.forwarded, 1);
}
