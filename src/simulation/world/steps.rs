//! What the schedule wants to happen.

use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v4::{Packet, PubAck, Publish};

use super::{Role, World};
use crate::pipeline::message::SourceId;
use crate::simulation::script::{Change, End, From, Topology, Way};
use crate::simulation::wire::{Ending, Mark};

impl World {
    pub(in crate::simulation) fn input(&mut self, from: From, count: u8, value: u8, bytes: u16) {
        let from = self.from(from);
        for _ in 0..count {
            let message = self.model.add(from, value, bytes.into());
            self.feeds[from as usize].add(message);
        }
        self.deliver(if from == SourceId::Hub { Role::Link } else { Role::Source });
    }

    pub(in crate::simulation) fn unacknowledged_input(&mut self, from: From, value: u8) {
        let from = self.from(from);
        let role = if from == SourceId::Hub { Role::Link } else { Role::Source };
        let message = self.model.add(from, value, 0);
        self.model.messages[message].is_at_most_once = true;
        let wire = &self.sides[role as usize].wire;
        if !wire.is_open() || !wire.is_subscribed || self.setup.tight {
            self.model.excuse(message);
        }
        let publish = self.delivery(message, 0, false);
        if self.sides[role as usize].wire.is_open() {
            self.send(role, &publish, Some(Mark::Message { message, id: 0 }));
        }
    }

    pub(in crate::simulation) fn set_acks(&mut self, prompt: bool) {
        self.acks_at_once = prompt;
        if prompt {
            self.ack_all(false);
        }
    }

    pub(in crate::simulation) fn ack_one(&mut self, which: u8, times: u8) {
        let count = self.unacknowledged.len();
        if count == 0 {
            return;
        }
        let id = self.unacknowledged.remove(usize::from(which) % count).expect("it is within");
        (0..times).for_each(|_| self.ack(id));
    }

    pub(in crate::simulation) fn ack_waiting(&mut self, reversed: bool) {
        self.ack_all(reversed);
    }

    /// Far from all ids that a schedule gets to.
    pub(in crate::simulation) fn stray_ack(&mut self, end: End) {
        let role = self.role(end);
        self.send(role, &Packet::PubAck(PubAck::new(60_000)), None);
    }

    pub(in crate::simulation) fn set_answers(&mut self, prompt: bool) {
        self.answers_at_once = prompt;
        while prompt && self.answer_one(0) {}
    }

    pub(in crate::simulation) fn answer_one(&mut self, which: u8) -> bool {
        let waits = |role: &Role| !self.sides[*role as usize].replies.is_empty();
        let Some(role) = Role::ALL.into_iter().find(waits) else { return false };
        let replies = &mut self.side(role).replies;
        let at = usize::from(which) % replies.len();
        let reply = replies.remove(at).expect("it is within");
        self.answer(role, reply);
        true
    }

    pub(in crate::simulation) fn trouble(&mut self, status: u16, times: u8) {
        self.trouble = Some((status, times));
        self.was_troubled = true;
    }

    pub(in crate::simulation) fn stall(&mut self, end: End, way: Way, after: u16) {
        let role = self.role(end);
        let wire = &mut self.side(role).wire;
        if way != Way::Out {
            wire.stall_in(after);
        }
        if way != Way::In {
            wire.stall_out();
        }
    }

    pub(in crate::simulation) fn flow(&mut self, end: End) {
        let role = self.role(end);
        self.side(role).wire.flow();
        self.was_written(role);
    }

    pub(in crate::simulation) fn cut(&mut self, end: End, bytes: u16) {
        let role = self.role(end);
        self.side(role).wire.cut = bytes.into();
    }

    pub(in crate::simulation) fn hang_up(&mut self, end: End, reset: bool, lost: bool) {
        let role = self.role(end);
        let side = self.side(role);
        if side.wire.is_open() {
            side.failures += 1;
        }
        side.wire.end(if reset { Ending::Reset } else { Ending::Closed });
        side.replies.clear();
        if role == self.role(End::Output) {
            self.unacknowledged.clear();
        }
        if lost && role != Role::Outlet {
            self.side(role).is_kept = false;
            if role == Role::Source {
                self.unreleased.clear();
            }
            let feed = &mut self.feeds[Self::feed_of(role)];
            for message in feed.lose_session() {
                self.model.excuse(message);
            }
        }
    }

    pub(in crate::simulation) fn refuse(&mut self, end: End, times: u8, answered: bool) {
        let role = self.role(end);
        let side = self.side(role);
        (side.refusals, side.is_answered) = (times, answered);
    }

    pub(in crate::simulation) fn patch(&mut self, change: Change) {
        self.desired = (self.desired.0 + 1, change);
        let (version, _) = self.desired;
        if self.setup.topology == Topology::Broker {
            let wire = &self.sides[Role::Outlet as usize].wire;
            if wire.is_open() && wire.is_subscribed {
                self.tell_control(false);
            } else if change == Change::Removed {
                self.model.is_uncertain();
            }
            return;
        }
        let value = match change {
            Change::Set(value) => value.to_string(),
            Change::Removed => "null".to_owned(),
            Change::Bad => "\"bad\"".to_owned(),
        };
        let topic = format!("$iothub/twin/PATCH/properties/desired/?$version={version}");
        let body = format!("{{\"TemperatureThreshold\":{value},\"$version\":{version}}}");
        if self.sides[Role::Link as usize].wire.is_subscribed {
            let mark = Mark::Change { version, change, is_document: false };
            let publish = Packet::Publish(Publish::new(topic, QoS::AtMostOnce, body));
            self.send(Role::Link, &publish, Some(mark));
        }
    }

    /// The process is gone.
    pub(in crate::simulation) fn restarted(&mut self) {
        for role in Role::ALL {
            self.ended(role);
        }
        self.model.restarted();
        let messages = &mut self.model.messages;
        for feed in &mut self.feeds {
            feed.disconnected();
        }
        let lost = messages.iter_mut().filter(|message| message.is_at_most_once);
        lost.for_each(|message| message.is_excused = true);
    }

    /// All faults end.
    pub(in crate::simulation) fn calm(&mut self) {
        (self.trouble, self.refuses) = (None, false);
        for role in Role::ALL {
            let side = self.side(role);
            side.refusals = 0;
            side.wire.cut = usize::MAX;
            side.wire.flow();
            self.was_written(role);
        }
        self.set_answers(true);
        self.set_acks(true);
    }
}
