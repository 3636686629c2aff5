//! What a connected client sends, packet by packet (MQTT 3.1.1 §3; IoT Hub MQTT support).
//!
//! Runs on the hub's thread with the state borrowed; answers are appended to the connection's
//! write buffer or queued on its link.

use std::fmt;
use std::time::Instant;

use bytes::BytesMut;
use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v4::{
    LastWill, Packet, PingResp, PubAck, Publish, SubAck, Subscribe, SubscribeReasonCode, UnsubAck,
    Unsubscribe,
};
use sluicegate::azure::Properties;
use sluicegate::azure::topics::{Sent, parse_sent};

use super::routing::Offer;
use super::state::{HubState, Seat};
use super::telemetry::{Telemetry, Unroutable};
use super::transcript::Exchange;

/// Why a connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum CloseReason {
    /// The client said DISCONNECT.
    Disconnect,
    /// The client closed its socket.
    PeerClosed,
    /// The same identity connected again, or the hub was told to drop it.
    Evicted,
    /// The client broke the protocol or a bound.
    Protocol(String),
    /// Nothing came for 1.5 keep-alives.
    KeepAlive,
    /// The token that opened the connection has expired.
    TokenExpired,
    /// The socket failed.
    Io(std::io::ErrorKind),
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disconnect => f.write_str("disconnected"),
            Self::PeerClosed => f.write_str("closed by the client"),
            Self::Evicted => f.write_str("evicted by a newer connection, or dropped"),
            Self::Protocol(what) => write!(f, "closed by the hub: {what}"),
            Self::KeepAlive => f.write_str("closed by the hub: silent for 1.5 keep-alives"),
            Self::TokenExpired => f.write_str("closed by the hub: token expired"),
            Self::Io(kind) => write!(f, "socket: {kind}"),
        }
    }
}

/// What a packet leads to.
pub(super) enum Step {
    /// Go on with the next.
    Continue,
    /// A store is full: offer this publish again before anything else is read.
    Blocked(Publish),
    /// Close the connection.
    Close(CloseReason),
}

fn violation(what: &str) -> Step {
    Step::Close(CloseReason::Protocol(what.to_owned()))
}

impl HubState {
    /// Handles one packet of a seated connection.
    pub(super) fn handle(
        &mut self,
        seat: Seat,
        packet: Packet,
        out: &mut BytesMut,
        now: Instant,
    ) -> Step {
        match packet {
            Packet::Publish(publish) => {
                let Publish { topic, payload, .. } = &publish;
                let identity = &self.peers[seat.peer].identity;
                self.transcript.add(|| Exchange::sent(identity.client_id(), topic, payload));
                self.on_publish(seat, publish, out, now)
            }
            Packet::PubAck(ack) => self.on_puback(seat, ack.pkid, now),
            Packet::Subscribe(Subscribe { pkid: 0, .. })
            | Packet::Unsubscribe(Unsubscribe { pkid: 0, .. }) => violation("the packet id 0"),
            Packet::Subscribe(subscribe) => self.on_subscribe(seat, &subscribe, out),
            Packet::Unsubscribe(unsubscribe) => {
                if let Some(session) = &mut self.peers[seat.peer].session {
                    unsubscribe.topics.iter().for_each(|filter| session.unsubscribe(filter));
                }
                self.peers[seat.peer].refresh_interest();
                self.folder.sessions_changed = true;
                written(UnsubAck::new(unsubscribe.pkid).write(out))
            }
            Packet::PingReq => written(PingResp.write(out)),
            Packet::Disconnect => Step::Close(CloseReason::Disconnect),
            Packet::Connect(_) => violation("a second CONNECT"),
            Packet::PubRec(_) | Packet::PubRel(_) | Packet::PubComp(_) => violation("QoS 2"),
            Packet::ConnAck(_) | Packet::SubAck(_) | Packet::UnsubAck(_) | Packet::PingResp => {
                violation("a packet that only servers send")
            }
        }
    }

    /// Handles a publish, new or offered again.
    pub(super) fn on_publish(
        &mut self,
        seat: Seat,
        publish: Publish,
        out: &mut BytesMut,
        now: Instant,
    ) -> Step {
        if publish.qos == QoS::ExactlyOnce {
            return violation("a QoS 2 publish");
        }
        if publish.topic.is_empty() || publish.topic.contains(['+', '#', '\0']) {
            return violation("a topic that is empty or has a wildcard or NUL");
        }
        if !self.may_publish(seat.peer, &publish.topic) {
            return violation("a publish in another identity's name");
        }
        match parse_sent(&publish.topic) {
            Sent::Telemetry { device, module, bag } => {
                let mut properties =
                    Properties::decode_strict(bag).map_err(|_| Unroutable::Malformed);
                if let Ok(properties) = &mut properties {
                    mark_flags(properties, publish.retain, publish.dup);
                }
                let body = publish.payload.clone();
                let telemetry =
                    properties.and_then(|bag| Telemetry::new(device, module, bag, body));
                match self.on_telemetry(seat, telemetry, now) {
                    Ok(Offer::Taken) => {}
                    Ok(Offer::NoRoom) => return Step::Blocked(publish),
                    Err(reason) => return Step::Close(reason),
                }
            }
            Sent::TwinGet { rid } => self.on_twin_get(seat, &rid),
            Sent::TwinReported { rid } => {
                self.on_twin_reported(seat, rid.as_deref(), &publish.payload);
            }
            Sent::MethodResponse { status, rid } => {
                self.on_method_response(seat, Some(status), &rid, &publish.payload);
            }
            Sent::Other => {
                if publish.topic.starts_with("$iothub/twin/GET/") {
                    return violation("a twin GET without a request id");
                }
                self.on_unknown_topic(seat, &publish);
            }
        }
        if publish.qos == QoS::AtLeastOnce {
            return written(PubAck::new(publish.pkid).write(out));
        }
        Step::Continue
    }

    /// Routes telemetry, or drops it counted.
    fn on_telemetry(
        &mut self,
        seat: Seat,
        telemetry: Result<Telemetry<'_>, Unroutable>,
        now: Instant,
    ) -> Result<Offer, CloseReason> {
        match telemetry {
            Err(problem @ Unroutable::TooLarge) => {
                return Err(CloseReason::Protocol(problem.to_string()));
            }
            Err(problem) => {
                let total = match problem {
                    Unroutable::DuplicateProperty => &mut self.counters.dropped_duplicate_property,
                    _ => &mut self.counters.dropped_malformed,
                };
                *total += 1;
                if worth_a_line(*total) {
                    let client = &self.peers[seat.peer].name;
                    tracing::warn!(%client, %problem, total, "message dropped");
                }
            }
            Ok(telemetry) => {
                if self.route_from(seat.peer, &telemetry, now) == Offer::NoRoom {
                    return Ok(Offer::NoRoom);
                }
            }
        }
        self.counters.telemetry_received += 1;
        Ok(Offer::Taken)
    }

    /// edgeHub acknowledges what it cannot place; a method answer with a bad status also ends
    /// the call it belongs to.
    fn on_unknown_topic(&mut self, seat: Seat, publish: &Publish) {
        self.counters.dropped_malformed += 1;
        let total = self.counters.dropped_malformed;
        if worth_a_line(total) {
            tracing::warn!(topic = %publish.topic, total, "publish to an unknown topic dropped");
        }
        if publish.topic.starts_with("$iothub/methods/res/")
            && let Some((_, rid)) = publish.topic.split_once("?$rid=")
        {
            self.on_method_response(seat, None, rid, &publish.payload);
        }
    }

    fn on_puback(&mut self, seat: Seat, id: u16, now: Instant) -> Step {
        let peer = &mut self.peers[seat.peer];
        if peer.inputs.acknowledge(id, now) {
            self.counters.inputs_acked += 1;
            self.announce_room_of(seat.peer);
        } else if let Some(link) = self.link(seat) {
            // A stray id is ignored: it may answer a delivery that has timed out.
            link.ids.acknowledge_control(id);
        }
        Step::Continue
    }

    fn on_subscribe(&mut self, seat: Seat, subscribe: &Subscribe, out: &mut BytesMut) -> Step {
        let peer = &mut self.peers[seat.peer];
        let session = peer.session.get_or_insert_default();
        let codes = subscribe
            .filters
            .iter()
            .map(|filter| match session.subscribe(&filter.path, filter.qos as u8) {
                Some(0) => SubscribeReasonCode::Success(QoS::AtMostOnce),
                Some(_) => SubscribeReasonCode::Success(QoS::AtLeastOnce),
                None => SubscribeReasonCode::Failure,
            })
            .collect();
        peer.refresh_interest();
        self.folder.sessions_changed = true;
        written(SubAck::new(subscribe.pkid, codes).write(out))
    }

    /// Publishes the will of a client whose connection broke, if it is telemetry of its own.
    pub(super) fn on_will(&mut self, seat: Seat, will: LastWill, now: Instant) {
        if !self.may_publish(seat.peer, &will.topic) {
            return;
        }
        let Sent::Telemetry { device, module, bag } = parse_sent(&will.topic) else { return };
        let Ok(mut properties) = Properties::decode_strict(bag) else { return };
        properties.set("iothub-MessageType", Some("Will"));
        if let Ok(telemetry) = Telemetry::new(device, module, properties, will.message) {
            self.counters.telemetry_received += 1;
            if self.route_from(seat.peer, &telemetry, now) == Offer::NoRoom {
                tracing::warn!(topic = %will.topic, "will dropped: a store is full");
            }
        }
    }
}

/// A flood of one kind of trouble gets a line at 1, 2, 4, 8, ... of it.
pub(super) fn worth_a_line(total: u64) -> bool {
    total.is_power_of_two()
}

/// edgeHub keeps neither flag, and says so in the message.
fn mark_flags(properties: &mut Properties, retain: bool, dup: bool) {
    if retain {
        properties.set("mqtt-retain", Some("true"));
    }
    if dup {
        properties.set("mqtt-dup", Some("true"));
    }
}

/// Writing an answer fails only for packets far larger than any answer.
fn written(result: Result<usize, rumqttc::mqttbytes::Error>) -> Step {
    match result {
        Ok(_) => Step::Continue,
        Err(error) => Step::Close(CloseReason::Protocol(error.to_string())),
    }
}
