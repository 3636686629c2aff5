//! A hub, or the two ends of a broker, by a script.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use sluicegate::mqtt::packet::{
    ConnAck, ConnectReturnCode, Packet, PubAck, Publish, SubAck, SubscribeReasonCode,
};
use sluicegate::mqtt::{Connection, QoS};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::packets;

/// No alert for so long: the program waits for acknowledgements.
const IDLE: Duration = Duration::from_millis(50);
/// Messages without acknowledgement.
const WINDOW: usize = 60_000;
static FILLER: [u8; 400_000] = [b' '; 400_000];

/// What is sent.
#[derive(Debug, Clone, Copy)]
pub(super) enum Item {
    /// An alert, so many bytes longer than it must be.
    Alert(usize),
    /// The same with so many brackets, among which the number is found by the slowest ways.
    Nested(usize),
    /// A message of so many bytes that is no alert.
    Cold(usize),
    /// That many PINGRESPs.
    Pings(usize),
    /// That many SUBACKs for nothing.
    SubAcks(usize),
}

/// Which alerts are acknowledged.
#[derive(Debug, Clone, Copy)]
pub(super) enum Acknowledge {
    /// All, once no more come.
    WhenIdle,
    /// All at once, but for each so many-th, which waits until no more come.
    AllBut(usize),
}

/// Sends a mix, again from the first that is not acknowledged when it is connected again.
pub(super) struct Source {
    topic: &'static str,
    qos: QoS,
    items: Vec<Item>,
    alerts: usize,
    /// The item, and the alert in it, that is next.
    next: (usize, usize),
    /// Publishes that are not acknowledged, with what was next before each.
    open: VecDeque<(u16, (usize, usize))>,
    packet_id: u16,
    /// Somebody wants it on this connection.
    is_asked: bool,
}

impl Source {
    pub(super) fn new(qos: QoS, items: &[Item], alerts: usize) -> Self {
        let (topic, items) = ("sensors/7", items.to_vec());
        Self {
            topic,
            qos,
            items,
            alerts,
            next: (0, 0),
            open: VecDeque::new(),
            packet_id: 0,
            is_asked: false,
        }
    }

    fn connected(&mut self) {
        if let Some((_, first)) = self.open.front() {
            self.next = *first;
        }
        self.open.clear();
        self.is_asked = false;
    }

    fn acknowledged(&mut self, id: u16) {
        let (first, _) = self.open.pop_front().expect("something is open");
        assert_eq!(id, first, "not in order of receipt");
    }

    /// Adds what the connection takes. The last alert comes at QoS 1, so that it comes in any case.
    fn send(&mut self, connection: &mut Connection<TcpStream>) {
        let has_more = |source: &Self| source.is_asked && source.next.1 < source.alerts;
        while connection.is_writable() && has_more(self) && self.open.len() < WINDOW {
            let before = self.next;
            let item = self.items[before.0 % self.items.len()];
            self.next.0 += 1;
            match item {
                Item::Alert(size) => {
                    let mut body = alert(before.1).into_bytes();
                    body.extend_from_slice(&FILLER[..size]);
                    self.alert(connection, &body, before);
                }
                Item::Nested(size) => {
                    let body = nested(before.1, size).into_bytes();
                    self.alert(connection, &body, before);
                }
                Item::Cold(size) => self.publish(connection, self.qos, &FILLER[..size], before),
                Item::Pings(count) => {
                    (0..count).for_each(|_| connection.send(&Packet::PingResp).unwrap());
                }
                Item::SubAcks(count) => {
                    let codes = vec![SubscribeReasonCode::Success(QoS::AtLeastOnce)];
                    let ack = Packet::SubAck(SubAck::new(u16::MAX, codes));
                    (0..count).for_each(|_| connection.send(&ack).unwrap());
                }
            }
        }
    }

    fn alert(
        &mut self,
        connection: &mut Connection<TcpStream>,
        body: &[u8],
        before: (usize, usize),
    ) {
        self.next.1 += 1;
        let is_last = self.next.1 == self.alerts;
        let qos = if is_last { QoS::AtLeastOnce } else { self.qos };
        self.publish(connection, qos, body, before);
    }

    fn publish(
        &mut self,
        connection: &mut Connection<TcpStream>,
        qos: QoS,
        body: &[u8],
        before: (usize, usize),
    ) {
        let mut publish = Publish::new(self.topic, qos, body);
        if qos == QoS::AtLeastOnce {
            self.packet_id = self.packet_id % 65_000 + 1;
            publish.pkid = self.packet_id;
            self.open.push_back((self.packet_id, before));
        }
        connection.publish(&publish).unwrap();
    }
}

fn alert(number: usize) -> String {
    format!("{{\"machine\":{{\"temperature\":99}},\"n\":{number}}}")
}

/// The same behind lists, 100 within another, of so many bytes in all.
fn nested(number: usize, size: usize) -> String {
    const DEPTH: usize = 100;
    let deep = format!("{}{},", "[".repeat(DEPTH), "]".repeat(DEPTH));
    let lists = deep.repeat(size / deep.len());
    format!("{{\"lists\":[{lists}0],{}", &alert(number)[1..])
}

/// What the program has sent.
struct Sink {
    acknowledge: Acknowledge,
    waiting: Vec<u16>,
    seen: BTreeSet<usize>,
}

impl Sink {
    fn new(acknowledge: Acknowledge) -> Self {
        Self { acknowledge, waiting: Vec::new(), seen: BTreeSet::new() }
    }

    fn alert(&mut self, publish: &Publish, connection: &mut Connection<TcpStream>) {
        let text = std::str::from_utf8(&publish.payload).unwrap().trim_end();
        let number = text.rsplit_once(':').unwrap().1.trim_end_matches('}').parse().unwrap();
        let (end, is_nested) = (alert(number), text.starts_with("{\"lists\":["));
        assert!(text == end || is_nested && text.ends_with(&end[1..]), "another body");
        let is_new = self.seen.insert(number);
        match self.acknowledge {
            Acknowledge::AllBut(nth) if !is_new || number % nth != 0 => {
                connection.acknowledge(publish.pkid);
            }
            Acknowledge::AllBut(_) | Acknowledge::WhenIdle => self.waiting.push(publish.pkid),
        }
    }

    fn idle(&mut self, connection: &mut Connection<TcpStream>) {
        self.waiting.drain(..).for_each(|id| connection.acknowledge(id));
    }

    /// Whether the last of them came, and at QoS 1 all others too.
    fn is_done(&self, (alerts, qos): (usize, QoS)) -> bool {
        let is_last_here = self.seen.last() == Some(&(alerts - 1));
        is_last_here && (qos == QoS::AtMostOnce || self.seen.len() == alerts)
    }
}

/// Takes the next connection; gives its client id, too.
async fn accept(listener: &TcpListener) -> (Connection<TcpStream>, String) {
    let (stream, _) = listener.accept().await.unwrap();
    stream.set_nodelay(true).unwrap();
    let mut connection = Connection::new(stream, Duration::ZERO);
    let hello = packets::connect_of(&mut connection).await;
    let accepted = ConnAck::new(ConnectReturnCode::Success, false);
    connection.send(&Packet::ConnAck(accepted)).unwrap();
    (connection, hello.client_id)
}

/// What one turn brought; `None` when nothing comes.
///
/// # Errors
/// When the program hung up.
async fn turn(connection: &mut Connection<TcpStream>) -> Result<Option<Vec<Packet>>, HungUp> {
    let mut packets = Vec::new();
    match timeout(IDLE, packets::turn(connection, &mut packets)).await {
        Ok(Ok(())) => Ok(Some(packets)),
        Ok(Err(_)) => Err(HungUp),
        Err(_) => Ok(None),
    }
}

struct HungUp;

fn granted(connection: &mut Connection<TcpStream>, id: u16, filters: usize) {
    let codes = vec![SubscribeReasonCode::Success(QoS::AtLeastOnce); filters];
    connection.send(&Packet::SubAck(SubAck::new(id, codes))).unwrap();
}

/// A hub: messages and alerts on one connection.
pub(super) struct Hub {
    source: Source,
    sink: Sink,
}

impl Hub {
    pub(super) fn new(source: Source, acknowledge: Acknowledge) -> Self {
        let source = Source { topic: "devices/d/modules/m/inputs/input1/", ..source };
        Self { source, sink: Sink::new(acknowledge) }
    }

    /// Serves one connection after another until all is done.
    pub(super) async fn run(mut self, listener: &TcpListener) {
        let goal = (self.source.alerts, self.source.qos);
        while !self.sink.is_done(goal) {
            let (mut connection, _) = accept(listener).await;
            self.source.connected();
            self.sink.waiting.clear();
            while !self.sink.is_done(goal) && self.serve(&mut connection).await.is_ok() {}
        }
    }

    async fn serve(&mut self, connection: &mut Connection<TcpStream>) -> Result<(), HungUp> {
        let Some(packets) = turn(connection).await? else {
            self.sink.idle(connection);
            return Ok(());
        };
        for packet in packets {
            match packet {
                Packet::Publish(publish) if publish.qos == QoS::AtLeastOnce => {
                    self.sink.alert(&publish, connection);
                }
                Packet::Publish(request) => {
                    answer(&request.topic, connection);
                    self.source.is_asked = true;
                }
                Packet::PubAck(PubAck { pkid }) => self.source.acknowledged(pkid),
                Packet::Subscribe(ask) => granted(connection, ask.pkid, ask.filters.len()),
                Packet::PingReq => connection.send(&Packet::PingResp).unwrap(),
                Packet::Disconnect => return Err(HungUp),
                other => panic!("{other:?}"),
            }
        }
        self.source.send(connection);
        Ok(())
    }
}

/// A broker: messages on one connection, alerts on another.
pub(super) struct Outlet {
    sink: Sink,
}

impl Outlet {
    pub(super) fn new(acknowledge: Acknowledge) -> Self {
        Self { sink: Sink::new(acknowledge) }
    }

    /// Serves both connections until all is done.
    pub(super) async fn run(mut self, listener: &TcpListener, mut source: Source) {
        let (mut from, mut to) = (None, None);
        while from.is_none() || to.is_none() {
            let (connection, client_id) = accept(listener).await;
            let end = if client_id.ends_with("-out") { &mut to } else { &mut from };
            *end = Some(connection);
            // Each subscribes, and one waits for the other.
            if let Some(to) = &mut to {
                let _ = self.serve(to).await;
            }
        }
        let (mut from, mut to) = (from.expect("both"), to.expect("both"));
        let goal = (source.alerts, source.qos);
        let feeding = async { while Self::feed(&mut source, &mut from).await.is_ok() {} };
        let taking = async {
            while !self.sink.is_done(goal) && self.serve(&mut to).await.is_ok() {}
            self.sink.is_done(goal)
        };
        let is_done = tokio::select! { () = feeding => false, is_done = taking => is_done };
        assert!(is_done, "the program hung up");
    }

    async fn feed(source: &mut Source, from: &mut Connection<TcpStream>) -> Result<(), HungUp> {
        for packet in turn(from).await?.into_iter().flatten() {
            match packet {
                Packet::PubAck(PubAck { pkid }) => source.acknowledged(pkid),
                Packet::PingReq => from.send(&Packet::PingResp).unwrap(),
                Packet::Subscribe(ask) => {
                    granted(from, ask.pkid, ask.filters.len());
                    source.is_asked = true;
                }
                other => panic!("{other:?}"),
            }
        }
        source.send(from);
        Ok(())
    }

    async fn serve(&mut self, to: &mut Connection<TcpStream>) -> Result<(), HungUp> {
        let Some(packets) = turn(to).await? else {
            self.sink.idle(to);
            return Ok(());
        };
        for packet in packets {
            match packet {
                Packet::Publish(report) if report.retain => to.acknowledge(report.pkid),
                Packet::Publish(publish) => self.sink.alert(&publish, to),
                Packet::PingReq => to.send(&Packet::PingResp).unwrap(),
                Packet::Subscribe(ask) => granted(to, ask.pkid, ask.filters.len()),
                other => panic!("{other:?}"),
            }
        }
        Ok(())
    }
}

fn answer(request: &str, connection: &mut Connection<TcpStream>) {
    let (path, rid) = request.split_once("/?$rid=").expect("a twin request");
    let (status, body) = match path {
        "$iothub/twin/GET" => ("200", r#"{"desired":{"$version":1}}"#),
        _ => ("204", ""),
    };
    let topic = format!("$iothub/twin/res/{status}/?$rid={rid}");
    connection.publish(&Publish::new(topic, QoS::AtMostOnce, body)).unwrap();
}
