//! What the peers say.

use bytes::BytesMut;
use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v4::{Packet, PubAck, PubRel, Publish};
use tracing::debug;

use super::{Reply, Role, World};
use crate::mqtt::connection::PACKET_BYTES_MAX;
use crate::pipeline::message::SourceId;
use crate::simulation::script::{Change, End};
use crate::simulation::wire::Mark;
use crate::testing::broker::CONTROL;

impl World {
    pub(super) fn send(&mut self, role: Role, packet: &Packet, mark: Option<Mark>) {
        debug!("{role:?} {} -> {packet:?}", self.sides[role as usize].generation);
        let mut bytes = BytesMut::new();
        packet.write(&mut bytes, PACKET_BYTES_MAX).expect("a packet that can be written");
        self.side(role).wire.send(&bytes, mark);
    }

    pub(super) fn reply(&mut self, role: Role, reply: Reply) {
        if self.answers_at_once {
            self.answer(role, reply);
        } else {
            self.side(role).replies.push_back(reply);
        }
    }

    pub(super) fn answer(&mut self, role: Role, reply: Reply) {
        match reply {
            Reply::Packet(packet, mark) => self.send(role, &packet, mark),
            Reply::Document(id) => {
                let status = self.status(200);
                let topic = format!("$iothub/twin/res/{status}/?$rid={id}");
                let (version, change) = self.desired;
                let value = match change {
                    Change::Set(value) => format!("\"TemperatureThreshold\":{value},"),
                    Change::Bad => "\"TemperatureThreshold\":\"bad\",".to_owned(),
                    Change::Removed => String::new(),
                };
                let body = format!("{{\"desired\":{{{value}\"$version\":{version}}}}}");
                let mark = Mark::Change { version, change, is_document: true };
                let answer = Packet::Publish(Publish::new(topic, QoS::AtMostOnce, body));
                self.send(role, &answer, (status == 200).then_some(mark));
            }
        }
    }

    pub(super) fn status(&mut self, well: u16) -> u16 {
        let Some((status, left)) = self.trouble.take() else { return well };
        self.trouble = (left > 1).then(|| (status, left - 1));
        status
    }

    /// Delivers what a source has and may.
    pub(super) fn deliver(&mut self, role: Role) {
        if role == Role::Outlet {
            return;
        }
        let side = &self.sides[role as usize];
        if !side.wire.is_open() || (role == Role::Link && !side.wire.is_subscribed) {
            return;
        }
        while let Some((message, id, dup)) = self.feeds[Self::feed_of(role)].next() {
            let publish = self.delivery(message, id, dup);
            self.send(role, &publish, Some(Mark::Message { message, id }));
        }
    }

    pub(super) fn delivery(&self, number: usize, id: u16, dup: bool) -> Packet {
        let message = &self.model.messages[number];
        let topic = match message.from {
            SourceId::Hub => "devices/d/modules/m/inputs/input1/a=1&%24.cdid=d&%24.cmid=s",
            SourceId::Broker => "sensors/a",
        };
        let qos = match (id, message.from) {
            (0, _) => QoS::AtMostOnce,
            (_, SourceId::Broker) if self.setup.exactly_once => QoS::ExactlyOnce,
            _ => QoS::AtLeastOnce,
        };
        let mut publish = Publish::from_bytes(topic, qos, message.body.clone());
        (publish.pkid, publish.dup) = (id, dup);
        Packet::Publish(publish)
    }

    /// What the control topic holds, told behind a subscription or when it changes.
    pub(super) fn tell_control(&mut self, is_retained: bool) {
        let (version, change) = self.desired;
        let body = match change {
            Change::Set(value) => {
                format!("{{\"TemperatureThreshold\":{value},\"$version\":{version}}}")
            }
            Change::Bad => format!("{{\"TemperatureThreshold\":[],\"$version\":{version}}}"),
            Change::Removed => String::new(),
        };
        let mut publish = Publish::new(CONTROL, QoS::AtLeastOnce, body);
        self.control_id = self.control_id % 1000 + 1;
        (publish.retain, publish.pkid) = (is_retained, self.control_id);
        let mark = Mark::Change { version, change, is_document: is_retained };
        self.send(Role::Outlet, &Packet::Publish(publish), Some(mark));
    }

    pub(super) fn tell_retained(&mut self) {
        if self.desired.1 != Change::Removed {
            self.tell_control(true);
        }
    }

    /// The id of a message at QoS 2 may serve again.
    pub(super) fn release(&mut self, id: u16) {
        self.send(Role::Source, &Packet::PubRel(PubRel::new(id)), None);
    }

    pub(super) fn ack_all(&mut self, reversed: bool) {
        let mut ids: Vec<u16> = self.unacknowledged.drain(..).collect();
        if reversed {
            ids.reverse();
        }
        ids.into_iter().for_each(|id| self.ack(id));
    }

    pub(super) fn ack(&mut self, id: u16) {
        let role = self.role(End::Output);
        self.send(role, &Packet::PubAck(PubAck::new(id)), Some(Mark::PubAck { id }));
    }
}
