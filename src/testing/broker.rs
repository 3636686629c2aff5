//! A scripted broker over memory, for the tests of both connections to one.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{DuplexStream, duplex};
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

use crate::broker::settings::{BrokerSettings, Standalone};
use crate::broker::{Context, Login, Outlet, Password, Source};
use crate::host::files::reread::Reread;
use crate::hub::trust::trusting;
use crate::mqtt::connection::PACKET_BYTES_MAX;
use crate::mqtt::packet::{
    Packet, PubAck, Publish, SubAck, Subscribe, SubscribeReasonCode as Code,
};
use crate::mqtt::tls::TlsSettings;
use crate::mqtt::{Connection, QoS, Route};
use crate::pipeline::message::Alert;
use crate::pipeline::parse::JsonPath;
use crate::pipeline::threshold::{Setting, Threshold, ThresholdCell};
use crate::pipeline::{Pipeline, SharedPipeline};

pub(crate) const HOT: &str = r#"{"machine":{"temperature":99}}"#;
pub(crate) const COLD: &str = r#"{"machine":{"temperature":1}}"#;
pub(crate) const CONTROL: &str = "sluicegate/desired";
pub(crate) const REPORTED: &str = "sluicegate/reported";
pub(crate) const DRAIN: Duration = Duration::from_secs(5);
pub(crate) const PUBACK_TIMEOUT: Duration = Duration::from_secs(60);
const PATIENCE: Duration = Duration::from_secs(120);

/// What both connections share.
pub(crate) struct Rig {
    pub(crate) pipeline: SharedPipeline,
    pub(crate) source_wake: Arc<Notify>,
    pub(crate) outlet_wake: Arc<Notify>,
    stop: watch::Sender<bool>,
    context: Context,
    login: Login,
    settings: BrokerSettings,
    topics: Standalone,
}

impl Rig {
    /// The threshold is 25, and messages wait for it.
    pub(crate) fn holding(held_bytes_max: usize) -> Self {
        let topics = Standalone {
            alerts: "alerts/{topic}".parse().unwrap(),
            control: CONTROL.to_owned(),
            reported: REPORTED.to_owned(),
        };
        let settings = BrokerSettings {
            host: "broker".to_owned(),
            port: 1883,
            route: Route::Tcp,
            tls: TlsSettings::from(trusting([]).unwrap()).into(),
            user: None,
            password: None,
            client_id: Some("gate".to_owned()),
            random_id: String::new(),
            filters: ["sensors/#", "$share/g/machines/+"].map(|text| text.parse().unwrap()).into(),
            standalone: Some(topics.clone()),
        };
        let [hub_wake, source_wake, outlet_wake]: [Arc<Notify>; 3] = Default::default();
        let wakes = [hub_wake, Arc::clone(&source_wake)];
        let path = JsonPath::default();
        let setting = Setting { threshold: Threshold::DEFAULT, version: None };
        let cell = Arc::new(ThresholdCell::new(setting));
        let pipeline =
            Pipeline::start(&wakes, &outlet_wake, 0, &path, held_bytes_max, cell).unwrap();
        let pipeline = SharedPipeline::new(pipeline);
        let (stop, stopped) = watch::channel(false);
        let context = Context {
            pipeline: pipeline.clone(),
            stop: stopped,
            puback_timeout: PUBACK_TIMEOUT,
            drain_timeout: DRAIN,
        };
        Self {
            pipeline,
            source_wake,
            outlet_wake,
            stop,
            context,
            login: Login::new(&settings, Duration::from_secs(60)),
            settings,
            topics,
        }
    }

    /// The same with a password that is read from this file.
    pub(crate) fn with_password_in(mut self, path: &Path) -> Self {
        let password = Password::new("secret".to_owned()).unwrap();
        self.settings.password = Some(Reread::new(password, [path.to_owned()], |_| Ok(None)));
        self.login = Login::new(&self.settings, Duration::from_secs(60));
        self
    }

    /// The threshold is 25, and known.
    pub(crate) fn new(held_bytes_max: usize) -> Self {
        let rig = Self::holding(held_bytes_max);
        rig.pipeline.lock().release_hold();
        rig
    }

    pub(crate) fn source(&self) -> Source {
        let (context, wake) = (self.context.clone(), Arc::clone(&self.source_wake));
        Source::new(&self.login, &self.settings.filters, context, wake, Duration::ZERO)
    }

    /// A source of these filters.
    pub(crate) fn source_of(&self, filters: &[&str]) -> Source {
        let (context, wake) = (self.context.clone(), Arc::clone(&self.source_wake));
        let filters: Vec<_> = filters.iter().map(|text| text.parse().unwrap()).collect();
        Source::new(&self.login, &filters, context, wake, Duration::ZERO)
    }

    pub(crate) fn outlet(&self) -> Outlet {
        let (context, wake) = (self.context.clone(), Arc::clone(&self.outlet_wake));
        Outlet::new(&self.login, &self.topics, context, wake)
    }

    /// As the module does at a signal.
    pub(crate) fn stop(&self) {
        self.stop.send(true).unwrap();
        self.source_wake.notify_one();
        self.outlet_wake.notify_one();
    }

    /// Takes the next alert in the outlet's place, once there is one.
    pub(crate) async fn alert(&self) -> Alert {
        let next = async {
            loop {
                if let Some(alert) = self.pipeline.lock().next_alert() {
                    return alert;
                }
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, next).await.expect("an alert in time")
    }

    /// The PUBACK of an alert, in the outlet's place.
    pub(crate) fn forwarded(&self, alert: &Alert) {
        let pipeline = &mut *self.pipeline.lock();
        pipeline.forwarded(alert);
        pipeline.wake_others(&self.outlet_wake);
    }

    /// The threshold in force.
    pub(crate) fn threshold(&self) -> Threshold {
        self.pipeline.lock().cell().load().threshold
    }

    /// Takes a message in and judges it, in the source's place.
    pub(crate) fn message(&self, topic: &str, body: &str) {
        use crate::pipeline::message::{Message, SourceId, Span};
        let block = bytes::Bytes::from(format!("{topic}{body}"));
        let (middle, end) = (topic.len(), block.len());
        let message = Message { origin: Span::new(0..middle), body: Span::new(middle..end) };
        let pipeline = &mut *self.pipeline.lock();
        pipeline.read_threshold();
        pipeline.receive(SourceId::Broker, &block, message, Some(1));
        pipeline.advance(std::time::Instant::now());
        pipeline.wake_others(&self.source_wake);
    }
}

/// Waits until something is so.
pub(crate) async fn until(mut is_so: impl FnMut() -> bool) {
    let check = async {
        while !is_so() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, check).await.expect("in time");
}

/// The broker's end of a connection.
pub(crate) struct Peer {
    pub(crate) connection: Connection<DuplexStream>,
}

impl Peer {
    /// Our end of a new connection, with `buffer` bytes between the two, and the broker's.
    pub(crate) fn connect(buffer: usize) -> (Connection<DuplexStream>, Self) {
        let (ours, theirs) = duplex(buffer);
        let connection = Connection::new(theirs, Duration::ZERO);
        (Connection::new(ours, Duration::from_secs(60)), Self { connection })
    }

    pub(crate) async fn next(&mut self) -> Packet {
        let packet = timeout(PATIENCE, self.connection.next_packet());
        packet.await.expect("a packet in time").expect("an open connection")
    }

    /// The next packet that is no PINGREQ; none of those is answered.
    pub(crate) async fn next_but_pings(&mut self) -> Packet {
        loop {
            match self.next().await {
                Packet::PingReq => {}
                other => return other,
            }
        }
    }

    pub(crate) async fn next_publish(&mut self) -> Publish {
        match self.next().await {
            Packet::Publish(publish) => publish,
            other => panic!("expected a publish, got {other:?}"),
        }
    }

    pub(crate) async fn send(&mut self, packet: Packet) {
        self.connection.send(&packet).unwrap();
        timeout(PATIENCE, self.connection.flush()).await.expect("room in time").unwrap();
    }

    pub(crate) async fn puback(&mut self, id: u16) {
        self.send(Packet::PubAck(PubAck::new(id))).await;
    }

    /// Sends a message, at QoS 0 without an id.
    pub(crate) async fn publish(&mut self, topic: &str, id: u16, body: &str, retain: bool) {
        let qos = if id == 0 { QoS::AtMostOnce } else { QoS::AtLeastOnce };
        let mut publish = Publish::new(topic, qos, body);
        (publish.pkid, publish.retain) = (id, retain);
        self.send(Packet::Publish(publish)).await;
    }

    /// A publish with one byte more than is taken, and then some.
    pub(crate) async fn publish_too_large(&mut self, topic: &str, id: u16, retain: bool) {
        let mut publish = Publish::new(topic, QoS::AtLeastOnce, vec![b' '; PACKET_BYTES_MAX]);
        (publish.pkid, publish.retain) = (id, retain);
        self.connection.publish(&publish).unwrap();
        self.connection.flush().await.unwrap();
    }

    pub(crate) async fn subscribe(&mut self) -> Subscribe {
        match self.next().await {
            Packet::Subscribe(subscribe) => subscribe,
            other => panic!("expected SUBSCRIBE, got {other:?}"),
        }
    }

    /// Waits for SUBSCRIBE and answers it with these codes, or with a grant of all.
    pub(crate) async fn grant(&mut self, codes: Option<Vec<Code>>) -> Subscribe {
        let subscribe = self.subscribe().await;
        let granted = || vec![Code::Success(QoS::AtLeastOnce); subscribe.filters.len()];
        let ack = SubAck::new(subscribe.pkid, codes.unwrap_or_else(granted));
        self.send(Packet::SubAck(ack)).await;
        subscribe
    }
}
