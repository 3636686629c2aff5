//! The other end of a connection in tests: a broker that does what it is told to.

use std::sync::Arc;
use std::time::Duration;

use rumqttc::mqttbytes::v4::{
    Packet, PubAck, Publish, SubAck, Subscribe, SubscribeReasonCode as Code,
};
use tokio::io::{DuplexStream, duplex};
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

use super::{Context, Login};
use crate::mqtt::{Connection, QoS, Route};
use crate::parse::JsonPath;
use crate::pipeline::{Pipeline, SharedPipeline};
use crate::settings::{BrokerSettings, Standalone};
use crate::threshold::{Setting, Threshold, ThresholdCell};
use crate::trust::trusting;

/// Longer than anything takes, but for what waits for the clock, which tests stop.
const PATIENCE: Duration = Duration::from_secs(3600);
/// A body above the threshold of [`world`].
pub(super) const HOT: &str = r#"{"machine":{"temperature":99}}"#;
/// One below it.
pub(super) const COLD: &str = r#"{"machine":{"temperature":1}}"#;

/// What a source and an outlet need, around a pipeline that holds; what wakes them; and the stop.
pub(super) struct World {
    pub(super) context: Context,
    pub(super) source_wake: Arc<Notify>,
    pub(super) outlet_wake: Arc<Notify>,
    pub(super) stop: watch::Sender<bool>,
}

pub(super) fn world(held_bytes: usize) -> World {
    let (stop, stopped) = watch::channel(false);
    let threshold = Threshold::new(25.0).unwrap();
    let cell = Arc::new(ThresholdCell::new(Setting { threshold, version: None }));
    let (source_wake, outlet_wake): (Arc<Notify>, Arc<Notify>) = Default::default();
    let wakes = [Arc::default(), Arc::clone(&source_wake)];
    let path = JsonPath::default();
    let pipeline = Pipeline::start(&wakes, &outlet_wake, 0, &path, held_bytes).unwrap();
    let pipeline = SharedPipeline::new(pipeline);
    let drain_timeout = Duration::from_secs(5);
    let context = Context { pipeline, stop: stopped, cell, drain_timeout };
    World { context, source_wake, outlet_wake, stop }
}

/// A login with the client id `w`, and the filter `sensors/#`.
pub(super) fn login() -> (Login, BrokerSettings) {
    let settings = BrokerSettings {
        host: "broker".to_owned(),
        port: 1883,
        route: Route::Tcp,
        tls: trusting([]).unwrap(),
        user: None,
        password: None,
        client_id: Some("w".to_owned()),
        filters: vec!["sensors/#".parse().unwrap()],
        standalone: Some(Standalone {
            alerts: "alerts/{topic}".parse().unwrap(),
            control: "desired".to_owned(),
            reported: "reported".to_owned(),
        }),
    };
    (Login::new(&settings, Duration::from_secs(60)), settings)
}

/// The broker's end of a connection.
pub(super) struct Peer(Connection<DuplexStream>);

/// A connection, without its CONNECT and CONNACK, and the broker's end of it.
pub(super) fn pair() -> (Connection<DuplexStream>, Peer) {
    let (ours, theirs) = duplex(1 << 20);
    let ours = Connection::new(ours, Duration::from_secs(60));
    (ours, Peer(Connection::new(theirs, Duration::ZERO)))
}

impl Peer {
    pub(super) async fn next(&mut self) -> Packet {
        let next = timeout(PATIENCE, self.0.next_packet()).await.expect("a packet comes");
        next.expect("the connection holds")
    }

    pub(super) async fn send(&mut self, packet: &Packet) {
        self.0.send(packet).unwrap();
        self.0.flush().await.unwrap();
    }

    /// Takes the SUBSCRIBE.
    pub(super) async fn subscribe(&mut self) -> Subscribe {
        match self.next().await {
            Packet::Subscribe(subscribe) => subscribe,
            other => panic!("no SUBSCRIBE but {other:?}"),
        }
    }

    pub(super) async fn answer(&mut self, subscribe: &Subscribe, code: Code) {
        self.send(&Packet::SubAck(SubAck::new(subscribe.pkid, vec![code]))).await;
    }

    /// Takes the SUBSCRIBE and grants it.
    pub(super) async fn grant(&mut self) {
        let subscribe = self.subscribe().await;
        self.answer(&subscribe, Code::Success(QoS::AtLeastOnce)).await;
    }

    /// The next PUBLISH; what comes before it must be a PINGREQ, which is answered.
    pub(super) async fn publish(&mut self) -> Publish {
        loop {
            match self.next().await {
                Packet::Publish(publish) => return publish,
                Packet::PingReq => self.send(&Packet::PingResp).await,
                other => panic!("no PUBLISH but {other:?}"),
            }
        }
    }

    pub(super) async fn acknowledge(&mut self, publish: &Publish) {
        self.send(&Packet::PubAck(PubAck::new(publish.pkid))).await;
    }

    /// Delivers a message: `id` 0 is QoS 0.
    pub(super) async fn deliver(&mut self, topic: &str, body: &str, id: u16, retain: bool) {
        let qos = if id == 0 { QoS::AtMostOnce } else { QoS::AtLeastOnce };
        let mut publish = Publish::new(topic, qos, body);
        (publish.pkid, publish.retain) = (id, retain);
        self.send(&Packet::Publish(publish)).await;
    }
}
