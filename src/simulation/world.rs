//! The peers: a hub and a broker, as far as the module sees them. They answer within the write that
//! asks, so nothing here waits but what the schedule wants to wait, and what the module does not do
//! at once shows.
//!
//! - A hub delivers again, first and in order, what was not acknowledged; under new ids, and
//!   without DUP. It keeps messages although a session is lost.
//! - A broker delivers again under the same ids with DUP, and forgets all with a session.
//! - Both keep to MQTT. What they do wrong is what the schedule says: late, twice, or in the wrong
//!   order.

mod asked;
mod peers;
mod steps;

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hasher};

use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v4::{Packet, Publish, SubAck, SubscribeReasonCode};

use tracing::debug;

use super::feed::Feed;
use super::model::{Check, Model, Use};
use super::script::{Change, End, From, REFUSED, Setup, Topology};
use super::wire::{Ending, Mark, Wire};
use crate::mqtt::Answer;
use crate::mqtt::connection::PACKET_BYTES_MAX;
use crate::pipeline::message::SourceId;
use crate::testing::broker::REPORTED;

/// Whose connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Link,
    Source,
    Outlet,
}

impl Role {
    const ALL: [Self; 3] = [Self::Link, Self::Source, Self::Outlet];
}

/// An answer that waits.
#[derive(Debug)]
enum Reply {
    Packet(Packet, Option<Mark>),
    /// To the GET of this id: what the twin holds when it is sent.
    Document(String),
}

/// One peer's end.
#[derive(Debug, Default)]
pub(super) struct Side {
    pub(super) wire: Wire,
    pub(super) generation: u64,
    replies: VecDeque<Reply>,
    /// Attempts to connect that will fail, and how.
    refusals: u8,
    is_answered: bool,
    is_kept: bool,
    /// Connections and attempts that ended.
    failures: u32,
}

/// See the module.
#[derive(Debug)]
pub(super) struct World {
    pub(super) model: Model,
    pub(super) setup: Setup,
    sides: [Side; 3],
    feeds: [Feed; 2],
    /// The first promise that was broken.
    pub(super) failure: Option<String>,
    /// Alerts and reports whose PUBACKs wait.
    unacknowledged: VecDeque<u16>,
    acks_at_once: bool,
    answers_at_once: bool,
    /// The receiver hangs up at some alerts.
    refuses: bool,
    trouble: Option<(u16, u8)>,
    was_troubled: bool,
    /// The version and the value of the twin, or of the control topic.
    desired: (u64, Change),
    control_id: u16,
    /// Ids of messages at QoS 2 for which PUBREC came, and no PUBCOMP.
    unreleased: Vec<u16>,
    /// Since the schedule's last step.
    reads: u32,
    /// Of all that the module wrote.
    written: DefaultHasher,
}

/// Reads in one step: even one that comes byte by byte needs fewer.
const READS_MAX: u32 = 1_000_000;

impl World {
    pub(super) fn new(setup: Setup) -> Self {
        let feed = |from, role| Feed::new(from, role == Role::Link, setup);
        Self {
            model: Model::new(setup.pool, setup.topology == Topology::Broker),
            setup,
            sides: Default::default(),
            feeds: [feed(SourceId::Hub, Role::Link), feed(SourceId::Broker, Role::Source)],
            failure: None,
            unacknowledged: VecDeque::new(),
            acks_at_once: true,
            answers_at_once: true,
            refuses: setup.refuses,
            trouble: None,
            was_troubled: false,
            desired: (1, Change::Removed),
            control_id: 0,
            unreleased: Vec::new(),
            reads: 0,
            written: DefaultHasher::new(),
        }
    }

    /// The connections that there are.
    pub(super) fn roles(&self) -> &'static [Role] {
        match self.setup.topology {
            Topology::Hub => &Role::ALL[..1],
            Topology::Both => &Role::ALL[..2],
            Topology::Broker => &Role::ALL[1..],
        }
    }

    fn role(&self, end: End) -> Role {
        match (self.setup.topology, end) {
            (Topology::Hub, _) | (Topology::Both, End::Output) => Role::Link,
            (_, End::Input) => Role::Source,
            (Topology::Broker, End::Output) => Role::Outlet,
        }
    }

    fn from(&self, from: From) -> SourceId {
        match (self.setup.topology, from) {
            (Topology::Hub, _) | (Topology::Both, From::Second) => SourceId::Hub,
            (Topology::Broker, _) | (Topology::Both, From::First) => SourceId::Broker,
        }
    }

    pub(super) fn side(&mut self, role: Role) -> &mut Side {
        &mut self.sides[role as usize]
    }

    /// Notes the first promise that is broken.
    pub(super) fn note(&mut self, check: Check) {
        if let Err(why) = check {
            self.failure.get_or_insert(why);
        }
    }

    /// The module connects: whether its session was kept, and the number of the connection.
    pub(super) fn dial(&mut self, role: Role) -> Result<(bool, u64), Answer> {
        self.ended(role);
        let side = self.side(role);
        if let Some(left) = side.refusals.checked_sub(1) {
            side.refusals = left;
            side.failures += 1;
            return Err(if side.is_answered { Answer::Refusal } else { Answer::Nothing });
        }
        side.wire = Wire::new(usize::MAX);
        side.generation += 1;
        let generation = side.generation;
        let is_present = std::mem::replace(&mut side.is_kept, true) && role != Role::Outlet;
        if role == self.role(End::Output) {
            self.model.opened();
        }
        if role != Role::Outlet {
            let feed = &mut self.feeds[Self::feed_of(role)];
            feed.connected();
            if !is_present {
                self.model.forget(feed.from);
            }
        }
        if role == Role::Source && is_present {
            self.unreleased.clone().into_iter().for_each(|id| self.release(id));
            self.deliver(role);
        }
        Ok((is_present, generation))
    }

    fn feed_of(role: Role) -> usize {
        usize::from(role == Role::Source)
    }

    /// The connection is over, for the peer.
    fn ended(&mut self, role: Role) {
        let is_output = role == self.role(End::Output);
        let side = self.side(role);
        side.replies.clear();
        side.wire.drop();
        let unread: Vec<_> = side.wire.unread().collect();
        for mark in unread {
            match mark {
                Mark::Message { message, id: 0 } => self.model.excuse(message),
                // That a control topic was cleared shows on the next connection, in its time.
                Mark::Change { change: Change::Removed, .. } if role == Role::Outlet => {
                    self.model.is_uncertain();
                }
                _ => {}
            }
        }
        if is_output {
            self.unacknowledged.clear();
        }
    }

    /// The module has let go of a connection.
    pub(super) fn dropped(&mut self, role: Role, generation: u64) {
        if self.side(role).generation == generation && !self.side(role).wire.is_dropped {
            if role == self.role(End::Output) {
                self.model.hung_up();
            }
            self.ended(role);
        }
    }

    /// The module has read so far.
    pub(super) fn was_read(&mut self, role: Role) {
        while !self.side(role).wire.is_shut
            && let Some(mark) = self.side(role).wire.passed()
        {
            if let Mark::Message { message, id: 1.. } = mark {
                self.feeds[Self::feed_of(role)].was_read(message);
            }
            let is_own = role == self.role(End::Output);
            if is_own || !matches!(mark, Mark::PubAck { .. } | Mark::SubAck { .. }) {
                self.model.read(mark);
            }
        }
    }

    /// The module has written.
    pub(super) fn was_written(&mut self, role: Role) {
        while !self.side(role).wire.is_stalled_out() {
            match Packet::read(&mut self.side(role).wire.up, PACKET_BYTES_MAX) {
                Ok(packet) => self.received(role, packet),
                Err(rumqttc::mqttbytes::Error::InsufficientBytes(_)) => return,
                Err(error) => return self.note(Err(format!("the module sends {error:?}"))),
            }
        }
    }

    fn received(&mut self, role: Role, packet: Packet) {
        debug!("{role:?} {} <- {packet:?}", self.sides[role as usize].generation);
        match packet {
            // Of what the control topic has told.
            Packet::PubAck(_) if role == Role::Outlet => {}
            Packet::Subscribe(subscribe) => {
                if role == self.role(End::Output) {
                    let check = self.model.subscribed(subscribe.pkid);
                    self.note(check);
                }
                self.side(role).wire.is_subscribed = true;
                let granted = SubscribeReasonCode::Success(QoS::AtLeastOnce);
                let codes = vec![granted; subscribe.filters.len()];
                let (id, ack) = (subscribe.pkid, SubAck::new(subscribe.pkid, codes));
                if role == Role::Outlet {
                    self.tell_retained();
                }
                self.reply(role, Reply::Packet(Packet::SubAck(ack), Some(Mark::SubAck { id })));
                self.deliver(role);
            }
            Packet::PingReq => self.reply(role, Reply::Packet(Packet::PingResp, None)),
            Packet::Disconnect => self.side(role).wire.end(Ending::Closed),
            Packet::PubAck(ack) if role == Role::Link || !self.setup.exactly_once => {
                self.acknowledged(role, ack.pkid);
            }
            Packet::PubRec(record) if role == Role::Source && self.setup.exactly_once => {
                self.acknowledged(role, record.pkid);
                self.unreleased.push(record.pkid);
                self.release(record.pkid);
            }
            Packet::PubComp(complete) => self.unreleased.retain(|id| *id != complete.pkid),
            Packet::Publish(publish) => self.published(role, &publish),
            other => self.note(Err(format!("the module sends {other:?}"))),
        }
    }

    /// The oldest message of a source is done with.
    fn acknowledged(&mut self, role: Role, id: u16) {
        let acknowledged = self.feeds[Self::feed_of(role)].acknowledged(id);
        let check = acknowledged.and_then(|message| self.model.acknowledged(message));
        self.note(check);
        self.deliver(role);
    }

    fn published(&mut self, role: Role, publish: &Publish) {
        let topic = publish.topic.as_str();
        if let Some(id) = topic.strip_prefix("$iothub/twin/GET/?$rid=") {
            return self.reply(role, Reply::Document(id.to_owned()));
        }
        if let Some((_, id)) = topic.split_once("/properties/reported/?$rid=") {
            let status = self.status(204);
            self.reported(&publish.payload, status < 300);
            let answer = format!("$iothub/twin/res/{status}/?$rid={id}");
            let answer = Publish::new(answer, QoS::AtMostOnce, "");
            return self.reply(role, Reply::Packet(Packet::Publish(answer), None));
        }
        if publish.qos != QoS::AtLeastOnce {
            return self.note(Err(format!("a publish at {:?} to {topic}", publish.qos)));
        }
        let (id, dup) = (publish.pkid, publish.dup);
        let check = if topic == REPORTED {
            self.reported(&publish.payload, true);
            self.model.publish(Use::Report, id, dup).map(drop)
        } else {
            match self.model.alert_of(&publish.payload) {
                Ok(number) if self.refuses && self.model.messages[number].value == REFUSED => {
                    let check = self.model.refused(number, id);
                    self.note(check);
                    return self.hang_up(End::Output, false, false);
                }
                Ok(number) => self.model.alerted(number, id, dup),
                Err(why) => Err(why),
            }
        };
        self.note(check);
        self.unacknowledged.push_back(id);
        if self.acks_at_once {
            self.ack_all(false);
        }
    }

    fn reported(&mut self, body: &[u8], is_taken: bool) {
        let text = String::from_utf8_lossy(body);
        let rest = text.split_once("\"av\":").map_or("", |(_, rest)| rest);
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        if let Ok(version) = digits.parse()
            && is_taken
        {
            self.model.reported = Some(version);
        }
    }

    /// Whether the module reads as if there were no end of it.
    pub(super) fn is_busy(&mut self) -> bool {
        self.reads += 1;
        self.reads > READS_MAX
    }

    /// The module writes these bytes.
    pub(super) fn note_bytes(&mut self, role: Role, bytes: &[u8]) {
        self.written.write_u8(role as u8);
        self.written.write(bytes);
    }

    /// Of all that it wrote.
    pub(super) fn digest(&self) -> u64 {
        self.written.finish()
    }

    /// The next step begins.
    pub(super) fn begin_step(&mut self) {
        self.reads = 0;
    }
}
