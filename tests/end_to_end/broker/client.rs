//! A plain MQTT client on a blocking socket: what a test publishes and what it gets to see.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};

use bytes::BytesMut;
use rumqttc::mqttbytes::v4::{
    Connect, ConnectReturnCode, Packet, PubAck, PubComp, PubRec, PubRel, Publish, Subscribe,
    SubscribeReasonCode,
};
use rumqttc::mqttbytes::{Error, QoS};
use serde_json::Value;

use crate::harness::{BROKER_PASSWORD, BROKER_USER, Mosquitto, patience};

const PACKET_BYTES_MAX: usize = 1 << 20;
/// Publishes written before their acknowledgements are read.
const WINDOW: usize = 100;
/// Longer than any test: this client sends no pings of its own accord.
const KEEP_ALIVE_S: u16 = 3_600;

/// One connection. Whatever it waits for comes within the harness's patience, or the test fails.
pub(crate) struct Client {
    socket: TcpStream,
    buffer: BytesMut,
    packet_id: u16,
    /// Messages that came while something else was waited for.
    received: VecDeque<Publish>,
}

impl Client {
    /// Connects without a session.
    pub(crate) fn connect(mosquitto: &Mosquitto) -> Self {
        Self::login(mosquitto.port(), "", true)
    }

    /// Connects with a session, which waits for the client of that id while it is away.
    pub(crate) fn resume(mosquitto: &Mosquitto, id: &str) -> Self {
        Self::login(mosquitto.port(), id, false)
    }

    fn login(port: u16, id: &str, clean: bool) -> Self {
        let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        socket.set_read_timeout(Some(patience())).unwrap();
        socket.set_write_timeout(Some(patience())).unwrap();
        let received = VecDeque::new();
        let mut client = Self { socket, buffer: BytesMut::new(), packet_id: 0, received };
        let mut connect = Connect::new(id);
        connect.keep_alive = KEEP_ALIVE_S;
        connect.clean_session = clean;
        // Where no password is asked, none is looked at.
        connect.set_login(BROKER_USER, BROKER_PASSWORD);
        client.send(&[Packet::Connect(connect)]);
        let Packet::ConnAck(ack) = client.next_packet() else { panic!("CONNACK comes first") };
        assert_eq!(ack.code, ConnectReturnCode::Success);
        client
    }

    /// Subscribes at QoS 1, and gives itself.
    pub(crate) fn subscribed(self, filter: &str) -> Self {
        self.subscribed_at(QoS::AtLeastOnce, filter)
    }

    /// Subscribes, and gives itself.
    pub(super) fn subscribed_at(mut self, qos: QoS, filter: &str) -> Self {
        let mut subscribe = Subscribe::new(filter, qos);
        subscribe.pkid = self.next_id();
        self.send(&[Packet::Subscribe(subscribe)]);
        let ack = self.wait_for(|packet| match packet {
            Packet::SubAck(ack) => Some(ack),
            _ => None,
        });
        assert_eq!(ack.return_codes, [SubscribeReasonCode::Success(qos)]);
        self
    }

    /// Publishes at QoS 1, and waits until the broker has it.
    pub(crate) fn publish(&mut self, topic: &str, body: impl Into<Vec<u8>>) {
        self.publish_all([(topic.to_owned(), body.into())]);
    }

    /// As [`publish`](Self::publish), for many.
    pub(crate) fn publish_all(
        &mut self,
        messages: impl IntoIterator<Item = (String, impl Into<Vec<u8>>)>,
    ) {
        let mut messages = messages.into_iter().peekable();
        while messages.peek().is_some() {
            let block: Vec<Packet> = messages
                .by_ref()
                .take(WINDOW)
                .map(|(topic, body)| self.numbered(topic, body.into(), false))
                .collect();
            self.send(&block);
            for _ in &block {
                self.wait_for_puback();
            }
        }
    }

    /// Publishes at QoS 2, and waits until the broker is done with it.
    pub(super) fn publish_exactly_once(&mut self, topic: &str, body: impl Into<Vec<u8>>) {
        let mut publish = Publish::new(topic, QoS::ExactlyOnce, body.into());
        publish.pkid = self.next_id();
        let id = publish.pkid;
        self.send(&[Packet::Publish(publish)]);
        self.wait_for(|packet| (packet == Packet::PubRec(PubRec::new(id))).then_some(()));
        self.send(&[Packet::PubRel(PubRel::new(id))]);
        self.wait_for(|packet| (packet == Packet::PubComp(PubComp::new(id))).then_some(()));
    }

    /// Publishes at QoS 0. When this returns, the broker has taken all of them.
    pub(crate) fn publish_all_at_most_once(
        &mut self,
        messages: impl IntoIterator<Item = (String, impl Into<Vec<u8>>)>,
    ) {
        for (topic, body) in messages {
            self.send(&[Packet::Publish(Publish::new(topic, QoS::AtMostOnce, body.into()))]);
        }
        self.ping();
    }

    /// Publishes a retained message at QoS 1; an empty one clears the topic.
    pub(crate) fn retain(&mut self, topic: &str, body: impl Into<Vec<u8>>) {
        let packet = self.numbered(topic.to_owned(), body.into(), true);
        self.send(&[packet]);
        self.wait_for_puback();
    }

    fn numbered(&mut self, topic: String, body: Vec<u8>, retain: bool) -> Packet {
        let mut publish = Publish::new(topic, QoS::AtLeastOnce, body);
        publish.pkid = self.next_id();
        publish.retain = retain;
        Packet::Publish(publish)
    }

    fn wait_for_puback(&mut self) {
        self.wait_for(|packet| matches!(packet, Packet::PubAck(_)).then_some(()));
    }

    /// The next message of a subscription.
    #[track_caller]
    pub(crate) fn expect(&mut self) -> Publish {
        if let Some(publish) = self.received.pop_front() {
            return publish;
        }
        match self.next_packet() {
            Packet::Publish(publish) => self.acknowledged(publish),
            other => panic!("nobody asked for {other:?}"),
        }
    }

    /// The next `count` messages.
    #[track_caller]
    pub(crate) fn take(&mut self, count: usize) -> Vec<Publish> {
        (0..count).map(|_| self.expect()).collect()
    }

    /// All that the broker had for this client before now.
    pub(crate) fn drain(&mut self) -> Vec<Publish> {
        self.ping();
        self.received.drain(..).collect()
    }

    /// The next JSON message that `is_it` accepts; others are passed over.
    #[track_caller]
    pub(crate) fn expect_json(&mut self, is_it: impl Fn(&Value) -> bool) -> Value {
        loop {
            let publish = self.expect();
            let value = serde_json::from_slice(&publish.payload).expect("JSON");
            if is_it(&value) {
                return value;
            }
        }
    }

    /// The broker answers behind everything it had to send, and to do, before.
    fn ping(&mut self) {
        self.send(&[Packet::PingReq]);
        self.wait_for(|packet| matches!(packet, Packet::PingResp).then_some(()));
    }

    /// Reads up to the packet that `pick` wants; messages before it are kept.
    fn wait_for<T>(&mut self, pick: impl Fn(Packet) -> Option<T>) -> T {
        loop {
            match self.next_packet() {
                Packet::Publish(publish) => {
                    let publish = self.acknowledged(publish);
                    self.received.push_back(publish);
                }
                packet => {
                    if let Some(found) = pick(packet) {
                        return found;
                    }
                }
            }
        }
    }

    fn acknowledged(&mut self, publish: Publish) -> Publish {
        if publish.qos == QoS::AtLeastOnce {
            self.send(&[Packet::PubAck(PubAck::new(publish.pkid))]);
        }
        publish
    }

    fn next_id(&mut self) -> u16 {
        self.packet_id = self.packet_id.checked_add(1).unwrap_or(1);
        self.packet_id
    }

    fn send(&mut self, packets: &[Packet]) {
        let mut bytes = BytesMut::new();
        for packet in packets {
            packet.write(&mut bytes, PACKET_BYTES_MAX).unwrap();
        }
        self.socket.write_all(&bytes).expect("the broker takes what it is sent");
    }

    #[track_caller]
    fn next_packet(&mut self) -> Packet {
        loop {
            match Packet::read(&mut self.buffer, PACKET_BYTES_MAX) {
                Ok(packet) => return packet,
                Err(Error::InsufficientBytes(_)) => {}
                Err(error) => panic!("the broker speaks no MQTT: {error}"),
            }
            let mut bytes = [0; 16 * 1024];
            let count = self.socket.read(&mut bytes).expect("a packet of the broker in time");
            assert!(count > 0, "the broker hung up");
            self.buffer.extend_from_slice(&bytes[..count]);
        }
    }
}
