//! Alerts on their way out by one connection, until their PUBACK.
//!
//! - In: alerts from the pipeline, PUBACKs. Out: QoS 1 publishes into the connection's next write.
//! - The table outlives connections: what has no PUBACK is sent again, in its order, under its id,
//!   with DUP, before anything new. On a connection that begins with some of these, at most
//!   [`RESENT_AT_ONCE`] publishes are under way, and one more for each PUBACK: so a short
//!   connection sends no more than that in vain, and as many as were acknowledged on it.
//! - What the peer answers by hanging up goes last (`suspicion`) and is parked in a file of the
//!   [`DeadLetters`]: its input is settled, and it is tried again from there (`parking`).
//! - Bounded: packet ids ([`Inflight`]), and the connection's high-water mark; beyond either,
//!   alerts stay in the pipeline, where they are counted as held.

use std::collections::VecDeque;
use std::time::Instant;

use bytes::Bytes;

use crate::host::logging::LineLimit;
use crate::mqtt::session;
use crate::mqtt::wire::Outgoing;
use crate::mqtt::{ByteStream, Connection, ConnectionError, Inflight};
use crate::outbound::dead_letters::DeadLetters;
use crate::outbound::naming::Naming;
use crate::pipeline::Pipeline;
use crate::pipeline::message::{Alert, SourceId};
use suspicion::{Suspicion, Use};

pub mod dead_letters;
pub mod naming;
mod parking;
mod suspicion;

/// Publishes that may be under way on a connection that began with some of an earlier one, until
/// the first PUBACK on it.
pub const RESENT_AT_ONCE: usize = 64;

/// What waits for a PUBACK.
#[derive(Debug)]
enum Unacknowledged {
    Alert(Alert),
    /// Rare: it must not make the places of alerts larger.
    Report(Box<OwnReport>),
    /// An alert that is in a file, and goes with its connection.
    Parked,
}

#[derive(Debug)]
struct OwnReport {
    topic: String,
    body: Bytes,
}

impl Unacknowledged {
    fn body_bytes(&self) -> usize {
        match self {
            Self::Alert(alert) => alert.body().len(),
            Self::Report(report) => report.body.len(),
            Self::Parked => 0,
        }
    }
}

const _: () = {
    let places = size_of::<Alert>() + Inflight::<Unacknowledged>::SLOT_BYTES;
    assert!(2 * places <= crate::pipeline::message::ALERT_TABLES_BYTES);
};

/// What a PUBACK was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acknowledged {
    /// An alert.
    Alert,
    /// A report.
    Report,
    /// Nothing that waits.
    Nothing,
}

/// What the end of a connection came to, see [`Outbound::hung_up`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HungUp {
    /// One publish was under way alone: the next connection need not wait, it is not the link.
    pub is_explained: bool,
    /// Inputs were settled.
    pub has_settled: bool,
    /// The report is given up.
    pub is_report_refused: bool,
}

/// The publishes of one connection.
#[derive(Debug)]
pub struct Outbound<N> {
    naming: N,
    inflight: Inflight<Unacknowledged>,
    /// Packet ids to send again before anything new.
    resend: VecDeque<u16>,
    /// While [watched](Self::is_watched): the ids sent on this connection, but for suspects. The
    /// first one has no PUBACK, those behind it may.
    sent_here: VecDeque<u16>,
    /// Publishes that may be under way on this connection, but for its PUBACKs.
    window: usize,
    /// PUBACKs on this connection.
    acknowledged: usize,
    suspicion: Suspicion,
    /// The id of the SUBSCRIBE that is not answered yet.
    subscribe_id: Option<u16>,
    /// That, or publishes of earlier connections to send, or a suspicion: what costs something is
    /// done only then.
    is_watched: bool,
    /// Suspects in the table.
    aside: usize,
    /// Files that may still be written or moved in this turn.
    files_left: usize,
    /// The id of the parked alert that was sent on this connection, without PUBACK yet.
    parked_under_way: Option<u16>,
    dead_letters: Option<DeadLetters>,
    copy_lines: LineLimit,
}

impl<N: Naming> Outbound<N> {
    /// Nothing is on its way yet; `naming` finds the topics.
    pub fn new(naming: N) -> Self {
        Self {
            naming,
            inflight: Inflight::default(),
            resend: VecDeque::new(),
            sent_here: VecDeque::new(),
            window: usize::MAX,
            acknowledged: 0,
            suspicion: Suspicion::default(),
            subscribe_id: None,
            is_watched: false,
            aside: 0,
            files_left: parking::FILES_AT_ONCE,
            parked_under_way: None,
            dead_letters: None,
            copy_lines: LineLimit::default(),
        }
    }

    /// A new connection: everything without PUBACK will be sent again on it. Returns a packet id
    /// for its SUBSCRIBE, to be given back by [`subscribed`](Self::subscribed); one is always left.
    pub fn reconnected(&mut self) -> Option<u16> {
        self.end_trial();
        self.acknowledged = 0;
        self.sent_here.clear();
        self.resend = self.inflight.resend();
        if self.aside > 0 {
            self.resend.retain(|id| !self.suspicion.is_suspect(*id));
        }
        self.suspicion.reconnected(self.resend.len());
        self.window = match self.resend.len() {
            0 => usize::MAX,
            _ if self.suspicion.is_careful() => 1,
            _ => RESENT_AT_ONCE,
        };
        self.subscribe_id = self.inflight.reserve();
        self.watch();
        self.subscribe_id
    }

    fn watch(&mut self) {
        let is_begun = self.resend.is_empty() && self.subscribe_id.is_none();
        self.is_watched = !is_begun || !self.suspicion.is_quiet();
        if !self.is_watched {
            self.sent_here = VecDeque::new();
        }
    }

    /// The peer has answered a PINGREQ on this connection.
    pub fn answered(&mut self) {
        self.suspicion.answered();
    }

    /// The SUBACK for `packet_id` came.
    pub fn subscribed(&mut self, packet_id: u16) {
        self.inflight.complete(packet_id);
        self.subscribe_id = None;
        self.watch();
    }

    /// A PUBACK came. One for what was not sent on this connection yet ends nothing: the peer
    /// answers each publish on the connection that it came on (MQTT 3.1.1 §4.4, §4.6), so that is a
    /// mistake, and the publish is still to be sent. It is counted as unexpected.
    #[inline]
    pub fn acknowledged(&mut self, packet_id: u16, pipeline: &mut Pipeline) -> Acknowledged {
        if self.is_watched && !self.is_awaited(packet_id) {
            pipeline.counters.unexpected += 1;
            return Acknowledged::Nothing;
        }
        match self.inflight.complete(packet_id) {
            Some(Unacknowledged::Alert(alert)) => {
                self.acknowledged += 1;
                pipeline.forwarded(&alert);
                Acknowledged::Alert
            }
            Some(Unacknowledged::Report(_)) => {
                self.acknowledged += 1;
                Acknowledged::Report
            }
            Some(Unacknowledged::Parked) => {
                self.acknowledged += 1;
                pipeline.counters.forwarded += 1;
                Acknowledged::Alert
            }
            None => {
                pipeline.counters.unexpected += 1;
                Acknowledged::Nothing
            }
        }
    }

    /// Alerts without PUBACK.
    pub fn alerts(&self) -> impl Iterator<Item = &Alert> {
        self.inflight.iter().filter_map(|sent| match sent {
            Unacknowledged::Alert(alert) => Some(alert),
            Unacknowledged::Report(_) | Unacknowledged::Parked => None,
        })
    }

    /// Whether a publish under this id was sent on this connection and has no PUBACK yet, which is
    /// noted as its.
    #[cold]
    fn is_awaited(&mut self, packet_id: u16) -> bool {
        let is_awaited = !self.is_unsent(packet_id);
        if is_awaited {
            self.suspect_acknowledged(packet_id);
            // It is complete in a moment.
            let is_over = |id: u16| id == packet_id || self.inflight.get(id).is_none();
            while self.sent_here.front().is_some_and(|id| is_over(*id)) {
                self.sent_here.pop_front();
            }
        }
        is_awaited
    }

    /// Whether there is no publish under this id, or it waits for its turn on this connection.
    fn is_unsent(&self, packet_id: u16) -> bool {
        let is_old = |front: &u16| self.inflight.is_from(*front, packet_id);
        if self.inflight.get(packet_id).is_none() {
            return true;
        }
        if self.aside > 0 && self.suspicion.is_suspect(packet_id) {
            return self.suspicion.under_way() != Some(packet_id);
        }
        self.resend.front().is_some_and(is_old)
    }

    /// Publishes without PUBACK.
    pub fn waiting(&self) -> usize {
        self.inflight.waiting()
    }

    /// The packet id of the oldest publish that was sent on this connection and has no PUBACK.
    pub fn oldest(&self) -> Option<u16> {
        if !self.is_watched {
            return self.inflight.oldest();
        }
        match (self.parked_under_way, self.sent_here.front().copied()) {
            (Some(parked), Some(oldest)) if self.inflight.is_from(parked, oldest) => Some(parked),
            (_, Some(oldest)) => Some(oldest),
            (_, None) => self.suspicion.under_way(),
        }
    }

    /// Alerts that are in files and will be tried again.
    pub fn parked(&self) -> usize {
        self.suspicion.in_files()
    }

    /// Whether all that can be sent on this connection has its PUBACK: everything but suspects
    /// whose turn it is not.
    pub fn is_drained(&self) -> bool {
        self.resend.is_empty() && self.under_way() == 0
    }

    /// Publishes that were sent on this connection and have no PUBACK.
    fn under_way(&self) -> usize {
        let tried = self.suspicion.under_way();
        let is_aside = tried.is_some_and(|id| self.suspicion.is_suspect(id));
        let aside = self.aside - usize::from(is_aside);
        self.inflight.waiting() - self.resend.len() - aside
    }

    /// Whether something new can be sent. One packet id stays free for the SUBSCRIBE of the next
    /// connection.
    pub fn has_room<S: ByteStream>(&self, connection: &Connection<S>) -> bool {
        self.can_add(connection) && self.room() > 0
    }

    fn can_add<S: ByteStream>(&self, connection: &Connection<S>) -> bool {
        connection.is_writable() && self.resend.is_empty() && self.inflight.room() > 1
    }

    /// Publishes that may be sent now, but for the table and the socket.
    fn room(&self) -> usize {
        if self.is_watched && !self.suspicion.may_send() {
            return 0;
        }
        self.window.saturating_add(self.acknowledged).saturating_sub(self.under_way())
    }

    /// Does what the clock asks for: timeouts and trials. Call it before [`send`](Self::send).
    /// Suspects are tried only while `may_try`. Whether to send a PINGREQ now, whose answer is told
    /// by [`answered`](Self::answered).
    #[must_use]
    pub fn wants_ping(&mut self, now: Instant, may_try: bool, pipeline: &Pipeline) -> bool {
        if !self.is_watched {
            return false;
        }
        let at = Use {
            under_way: self.under_way(),
            acknowledged: self.acknowledged,
            has_old: !self.resend.is_empty(),
            has_new: pipeline.has_alerts(),
        };
        self.suspicion.prepare(now, at, may_try)
    }

    /// Sends again what an earlier connection left without PUBACK, then new alerts, while the
    /// socket takes them and packet ids last. With `only`, new alerts of that source alone.
    ///
    /// # Errors
    /// Never for topics that `naming` lets through; the codec's own signature says so.
    pub fn send<S: ByteStream>(
        &mut self,
        connection: &mut Connection<S>,
        pipeline: &mut Pipeline,
        only: Option<SourceId>,
    ) -> Result<(), ConnectionError> {
        let mut room = self.room();
        if self.is_watched {
            room = self.send_old(room, connection, pipeline)?;
        }
        // All that does not change as alerts leave is looked at once.
        room = if self.can_add(connection) { room.min(self.inflight.room() - 1) } else { 0 };
        let is_watched = self.is_watched;
        while room > 0 && connection.is_writable() {
            let next = match only {
                Some(source) => pipeline.next_alert_of(source),
                None => pipeline.next_alert(),
            };
            let Some(alert) = next else { break };
            if is_watched && let Some(suspect) = self.suspect_like(&alert) {
                self.keep_copy(suspect, alert, pipeline);
                room -= 1;
                continue;
            }
            match self.naming.topic(&alert) {
                Ok(topic) => {
                    let id = self.inflight.next_id();
                    connection.publish(outgoing(topic, id, alert.body()))?;
                    self.inflight.push(Unacknowledged::Alert(alert)).expect("there is room");
                    room -= 1;
                    if is_watched {
                        self.sent(id);
                    }
                }
                Err(why) => pipeline.unsent(&alert, why, session::now()),
            }
        }
        Ok(())
    }

    /// Sends the suspect whose turn it is, and what earlier connections have left. Gives how many
    /// more may be sent.
    #[cold]
    fn send_old<S: ByteStream>(
        &mut self,
        mut room: usize,
        connection: &mut Connection<S>,
        pipeline: &mut Pipeline,
    ) -> Result<usize, ConnectionError> {
        self.files_left = parking::FILES_AT_ONCE;
        self.work_on_files(pipeline);
        self.try_suspect(connection, pipeline)?;
        while room > 0 && connection.is_writable() {
            let Some(id) = self.resend.pop_front() else { break };
            self.send_again(id, connection, pipeline)?;
            self.sent(id);
            room -= 1;
        }
        self.watch();
        Ok(room)
    }

    /// Sends a report, which the broker keeps for later subscribers; only where there
    /// [is room](Self::has_room).
    ///
    /// # Errors
    /// When the topic is longer than MQTT can tell.
    pub fn report<S: ByteStream>(
        &mut self,
        topic: String,
        body: Bytes,
        connection: &mut Connection<S>,
    ) -> Result<(), ConnectionError> {
        let id = self.inflight.next_id();
        connection.publish(Outgoing { retain: true, ..outgoing(&topic, id, &body) })?;
        let report = Box::new(OwnReport { topic, body });
        self.inflight.push(Unacknowledged::Report(report)).expect("there is room");
        self.sent(id);
        Ok(())
    }

    /// Until a careful connection has brought a PUBACK, its one publish is alone.
    fn sent(&mut self, id: u16) {
        if !self.is_watched {
            return;
        }
        self.sent_here.push_back(id);
        if self.suspicion.is_careful() && self.acknowledged == 0 {
            self.suspicion.sent_alone(id);
        }
    }

    fn send_again<S: ByteStream>(
        &mut self,
        id: u16,
        connection: &mut Connection<S>,
        pipeline: &mut Pipeline,
    ) -> Result<(), ConnectionError> {
        match self.inflight.get(id) {
            Some(Unacknowledged::Alert(alert)) => {
                if let Ok(topic) = self.naming.topic(alert) {
                    let publish = outgoing(topic, id, alert.body());
                    connection.publish(Outgoing { dup: true, ..publish })?;
                    pipeline.counters.resent += 1;
                }
            }
            Some(Unacknowledged::Report(report)) => {
                let publish = outgoing(&report.topic, id, &report.body);
                connection.publish(Outgoing { dup: true, retain: true, ..publish })?;
            }
            Some(Unacknowledged::Parked) | None => {}
        }
        Ok(())
    }
}

fn outgoing<'a>(topic: &'a str, id: u16, body: &'a [u8]) -> Outgoing<'a> {
    Outgoing { topic, packet_id: Some(id), dup: false, retain: false, body }
}

#[cfg(test)]
mod tests;
