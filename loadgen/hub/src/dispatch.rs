//! What a connected client sends, packet by packet (MQTT 3.1.1 §3; IoT Hub MQTT support).
//!
//! Runs on the hub's thread with the state borrowed; answers are appended to the connection's
//! write buffer or queued on its link.

use std::time::Instant;

use bytes::BytesMut;
use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v4::{LastWill, Packet, PingResp, PubAck, Publish};
use sluicegate::azure::Properties;
use sluicegate::azure::topics::{Sent, parse_sent};

use super::close::CloseReason;
use super::config::OWED_MAX;
use super::peer::Seat;
use super::state::HubState;
use super::tally::worth_a_line;
use super::targets::Offer;
use super::telemetry::{Telemetry, Unroutable};
use super::transcript::Exchange;

/// What a packet leads to.
pub(super) enum Step {
    /// Go on with the next.
    Continue,
    /// A store is full: offer this publish again before anything else is read.
    Blocked(Publish),
    /// Close the connection.
    Close(CloseReason),
}

pub(super) fn violation(what: &str) -> Step {
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
            Packet::Subscribe(subscribe) => self.on_subscribe(seat, &subscribe, out),
            Packet::Unsubscribe(unsubscribe) => self.on_unsubscribe(seat, &unsubscribe, out),
            Packet::PingReq => written(PingResp.write(out)),
            Packet::Disconnect => Step::Close(CloseReason::Disconnect),
            Packet::PubRec(_) | Packet::PubRel(_) | Packet::PubComp(_) => violation("QoS 2"),
            // None of them comes past the strict reader.
            Packet::Connect(_)
            | Packet::ConnAck(_)
            | Packet::SubAck(_)
            | Packet::UnsubAck(_)
            | Packet::PingResp => violation("a packet that has no place here"),
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
                let (peer, counters) = (seat.peer, &mut self.counters);
                self.calls.answer(peer, Some(status), &rid, &publish.payload, counters);
            }
            Sent::Other => {
                if publish.topic.starts_with("$iothub/twin/GET/") {
                    return violation("a twin GET without a request id");
                }
                self.on_unknown_topic(seat, &publish);
            }
        }
        if publish.qos == QoS::AtLeastOnce {
            return self.acknowledge(seat, publish.pkid, out);
        }
        Step::Continue
    }

    /// Writes a PUBACK; in a durable hub, once all that was taken up to now is on disk.
    fn acknowledge(&mut self, seat: Seat, id: u16, out: &mut BytesMut) -> Step {
        match self.durable.as_ref().map(|durable| (durable, durable.ticket())) {
            Some((durable, ticket)) if !durable.is_stored(ticket) => {
                let Some(link) = self.link(seat) else { return Step::Continue };
                if link.owed.len() >= OWED_MAX {
                    return violation("a packet id that is in use [MQTT-2.3.1-2]");
                }
                link.owed.push_back((ticket, id));
                Step::Continue
            }
            _ => written(PubAck::new(id).write(out)),
        }
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
            let topic = publish.topic.escape_debug();
            tracing::warn!(%topic, total, "publish to an unknown topic dropped");
        }
        if publish.topic.starts_with("$iothub/methods/res/")
            && let Some((_, rid)) = publish.topic.split_once("?$rid=")
        {
            self.calls.answer(seat.peer, None, rid, &publish.payload, &mut self.counters);
        }
    }

    fn on_puback(&mut self, seat: Seat, id: u16, now: Instant) -> Step {
        let peer = &mut self.peers[seat.peer];
        if peer.inputs.acknowledge(id, now) {
            self.counters.inputs_acked += 1;
            self.note_done(seat.peer);
            self.announce_room_of(seat.peer);
        } else if let Some(link) = self.link(seat) {
            // A stray id is ignored: it may answer a delivery that has timed out.
            link.ids.acknowledge_control(id);
        }
        Step::Continue
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
pub(super) fn written(result: Result<usize, rumqttc::mqttbytes::Error>) -> Step {
    match result {
        Ok(_) => Step::Continue,
        Err(error) => Step::Close(CloseReason::Protocol(error.to_string())),
    }
}
