//! A scripted hub or broker on a thread of its own, so that its memory is not counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread::{JoinHandle, spawn};
use std::time::Duration;

use sluicegate::mqtt::packet::{
    ConnAck, ConnectReturnCode, Packet, PubAck, Publish, SubAck, SubscribeReasonCode,
};
use sluicegate::mqtt::{Connection, QoS};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use crate::packets;

/// Messages of 140 bytes, as the sensors of the record send them; spaces make them longer.
const COLD: &str = concat!(
    r#"{"machine":{"temperature":21.52791830163853,"pressure":1.02}"#,
    r#","ambient":{"temperature":21.1,"humidity":25}"#,
    r#","timeCreated":"2026-01-01T00:00Z"}"#
);
const HOT: &str = concat!(
    r#"{"machine":{"temperature":99.52791830163853,"pressure":9.82}"#,
    r#","ambient":{"temperature":21.1,"humidity":25}"#,
    r#","timeCreated":"2026-01-01T00:00Z"}"#
);

/// What is sent, over and over.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) topic: &'static str,
    pub(crate) qos: QoS,
    /// Messages that are sent at once; the next ones only when all of these are settled.
    pub(crate) burst: usize,
    /// Every so many-th is an alert; 0: none.
    pub(crate) hot_every: usize,
    /// Bytes of each body, at least those of the sensors of the record.
    pub(crate) body_bytes: usize,
}

/// The thread and the two ends of its orders.
pub(crate) struct Peer {
    orders: mpsc::Sender<(Load, usize)>,
    done: mpsc::Receiver<usize>,
    thread: JoinHandle<()>,
}

impl Peer {
    /// Takes connections on `listener`: one whose client id ends with `-out` is only answered, the
    /// other is sent what is ordered.
    pub(crate) fn start(listener: std::net::TcpListener, connections: usize) -> Self {
        listener.set_nonblocking(true).unwrap();
        let (orders, mut orders_taken) = mpsc::channel::<(Load, usize)>(1);
        let (report, done) = mpsc::channel(1);
        let thread = spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let listener = TcpListener::from_std(listener).unwrap();
                let alerts = Arc::new(AtomicUsize::new(0));
                let mut source = None;
                for _ in 0..connections {
                    let (end, client_id) = End::accept(&listener, &alerts).await;
                    if client_id.ends_with("-out") {
                        tokio::spawn(end.answer());
                    } else {
                        source = Some(end);
                    }
                }
                let mut source = source.expect("the connection that messages go out by");
                while let Some((load, bursts)) = orders_taken.recv().await {
                    let before = alerts.load(Relaxed);
                    for _ in 0..bursts {
                        source.burst(load).await;
                    }
                    report.send(alerts.load(Relaxed) - before).await.unwrap();
                }
            });
        });
        Self { orders, done, thread }
    }

    /// Has that many bursts sent from now on. Call it outside of any runtime.
    pub(crate) fn order(&self, load: Load, bursts: usize) {
        self.orders.blocking_send((load, bursts)).unwrap();
    }

    /// Waits until they are settled, and tells how many alerts came back.
    pub(crate) async fn finished(&mut self) -> usize {
        let patience = Duration::from_secs(100);
        tokio::time::timeout(patience, self.done.recv()).await.expect("in time").expect("a peer")
    }

    pub(crate) fn stop(self) {
        drop((self.orders, self.done));
        self.thread.join().unwrap();
    }
}

/// The peer's end of one connection.
struct End {
    connection: Connection<TcpStream>,
    inbox: Vec<Packet>,
    is_subscribed: bool,
    acknowledged: usize,
    alerts: Arc<AtomicUsize>,
}

impl End {
    async fn accept(listener: &TcpListener, alerts: &Arc<AtomicUsize>) -> (Self, String) {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let mut end = Self {
            connection: Connection::new(stream, Duration::ZERO),
            inbox: Vec::new(),
            is_subscribed: false,
            acknowledged: 0,
            alerts: Arc::clone(alerts),
        };
        let hello = packets::connect_of(&mut end.connection).await;
        let accepted = ConnAck::new(ConnectReturnCode::Success, false);
        end.connection.send(&Packet::ConnAck(accepted)).unwrap();
        while !end.is_subscribed {
            end.turn().await;
        }
        (end, hello.client_id)
    }

    /// Sends one burst and waits until all of it is settled: at QoS 0 a last message at QoS 1 tells
    /// that everything before it is.
    async fn burst(&mut self, load: Load) {
        for index in 1..=load.burst {
            let is_last = index == load.burst;
            let is_hot = load.hot_every > 0 && index % load.hot_every == 0;
            let qos = if is_last { QoS::AtLeastOnce } else { load.qos };
            let body = if is_hot { HOT } else { COLD };
            let body = format!("{body:0$}", load.body_bytes);
            let mut publish = Publish::new(load.topic, qos, body);
            publish.pkid = u16::try_from(index).unwrap();
            self.connection.publish(&publish).unwrap();
        }
        let expected = if load.qos == QoS::AtMostOnce { 1 } else { load.burst };
        self.acknowledged = 0;
        while self.acknowledged < expected {
            self.turn().await;
        }
    }

    /// Answers until the connection ends.
    async fn answer(mut self) {
        loop {
            self.turn().await;
        }
    }

    async fn turn(&mut self) {
        if packets::turn(&mut self.connection, &mut self.inbox).await.is_err() {
            // The test is over, or will say what it waits for.
            return std::future::pending().await;
        }
        for packet in std::mem::take(&mut self.inbox) {
            self.react(packet);
        }
    }

    fn react(&mut self, packet: Packet) {
        let Self { connection, .. } = self;
        match packet {
            Packet::PubAck(_) => self.acknowledged += 1,
            Packet::Subscribe(subscribe) => {
                let granted = SubscribeReasonCode::Success(QoS::AtLeastOnce);
                let codes = vec![granted; subscribe.filters.len()];
                let ack = SubAck::new(subscribe.pkid, codes);
                connection.send(&Packet::SubAck(ack)).unwrap();
                self.is_subscribed = true;
            }
            Packet::PingReq => connection.send(&Packet::PingResp).unwrap(),
            Packet::Publish(publish) if publish.qos == QoS::AtLeastOnce => {
                self.alerts.fetch_add(1, Relaxed);
                connection.send(&Packet::PubAck(PubAck::new(publish.pkid))).unwrap();
            }
            Packet::Publish(request) => {
                let (path, rid) = request.topic.split_once("/?$rid=").expect("a twin request");
                let (status, body) = match path {
                    "$iothub/twin/GET" => ("200", r#"{"desired":{"$version":1}}"#),
                    _ => ("204", ""),
                };
                let topic = format!("$iothub/twin/res/{status}/?$rid={rid}");
                connection.publish(&Publish::new(topic, QoS::AtMostOnce, body)).unwrap();
            }
            other => panic!("{other:?}"),
        }
    }
}
