//! What is promised, held against what the peers see. It knows messages, alerts and thresholds, and
//! nothing of how the module keeps its word.
//!
//! - **Nothing lost.** A source hears of a message only once its alert was acknowledged, or where
//!   the threshold of one of its deliveries makes it no alert.
//! - **Nothing twice without need.** A message is an alert once for each time that it was
//!   delivered, and once only while its source has kept the session and its alert is under way.
//! - **Order.** Acknowledgements leave in order of receipt; alerts of a source in order of arrival.
//! - **Ids.** One that is in use names one publish, on the next connection too. What is sent again
//!   has DUP and its own id.
//! - **The threshold** is that of the last document or patch that was read before the message.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::script::Change;
use super::wire::Mark;
use crate::outbound::RESENT_AT_ONCE;
use crate::pipeline::message::SourceId;

/// The threshold that nobody has set.
const DEFAULT: u8 = 25;
/// No threshold is higher.
const HIGHEST: u8 = 60;
/// Hang-ups of the receiver with alerts under way, from which on an alert may be suspected of being
/// the cause: such alerts go last.
const SUSPECTED_AFTER: u32 = 4;

/// Hang-ups at one alert, before none of which it may be put into a file.
const REFUSED_AFTER: u32 = 5;

/// What a check says.
pub(super) type Check = Result<(), String>;

/// One message of a source.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) from: SourceId,
    pub(super) value: u8,
    pub(super) body: Bytes,
    pub(super) is_acknowledged: bool,
    pub(super) is_at_most_once: bool,
    /// Nobody has to have it any more: it was at QoS 0 when the process ended, or its source forgot
    /// it.
    pub(super) is_excused: bool,
    /// Numbers of its deliveries among all.
    deliveries: Vec<u64>,
    may_be_hot: bool,
    may_be_cold: bool,
    /// Alerts that may be made of it, and those that were.
    copies: u32,
    sends: u32,
    /// PUBACKs of its alerts that the module has read.
    arrivals: u32,
    /// How often the receiver hung up when it got an alert of it.
    refusals: u32,
    /// A session was lost, or a process, since it was delivered.
    is_forgotten: bool,
}

impl Message {
    /// Whether it was judged no alert, if it was.
    pub(super) fn is_surely_cold(&self) -> bool {
        !self.may_be_hot
    }

    /// Whether an alert must be made of it.
    pub(super) fn is_surely_hot(&self) -> bool {
        self.may_be_hot && !self.may_be_cold
    }

    /// Whether the module knows of one alert that it has arrived.
    pub(super) fn has_arrived(&self) -> bool {
        self.arrivals > 0
    }

    /// Whether it knows that of all that may be made.
    pub(super) fn is_done(&self) -> bool {
        self.arrivals >= self.copies.max(1)
    }

    /// Whether its alert may be in a file, as the receiver does not take it.
    pub(super) fn is_refused(&self) -> bool {
        self.refusals >= REFUSED_AFTER
    }

    /// Whether it was delivered.
    pub(super) fn is_delivered(&self) -> bool {
        !self.deliveries.is_empty()
    }
}

/// What an id of the module's own is in use for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    Alert(usize),
    Report,
    Subscribe,
}

/// What was sent on the connection that alerts leave by.
#[derive(Debug, Default)]
struct Here {
    sent: BTreeMap<u16, Use>,
    /// Publishes of an earlier connection were without PUBACK when it began.
    has_old: bool,
    acknowledged: usize,
    /// The last delivery, by source, of which an alert was sent.
    last: [u64; SourceId::ALL.len()],
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) messages: Vec<Message>,
    deliveries: u64,
    /// The threshold in force by what the module has read; none while it waits for the first one.
    pub(super) in_force: Option<u8>,
    /// What was in force when that was not known.
    before: u8,
    version: u64,
    /// The version of the last report.
    pub(super) reported: Option<u64>,
    in_use: BTreeMap<u16, Use>,
    /// Connections of this process that alerts leave by.
    connections: u32,
    here: Here,
    /// Hang-ups of the receiver while alerts were under way.
    hang_ups: u32,
    /// The threshold comes by a topic, not by a twin.
    by_topic: bool,
    /// A pool has batches: what is in it is not recognised when it comes again.
    has_pool: bool,
}

impl Model {
    pub(super) fn new(has_pool: bool, by_topic: bool) -> Self {
        Self { has_pool, by_topic, before: DEFAULT, ..Self::default() }
    }

    /// A new message; gives its number.
    pub(super) fn add(&mut self, from: SourceId, value: u8, bytes: usize) -> usize {
        let number = self.messages.len();
        let head = format!("{{\"machine\":{{\"temperature\":{value}}},\"n\":{number},\"pad\":\"");
        let pad = "x".repeat(bytes.saturating_sub(head.len()));
        self.messages.push(Message {
            from,
            value,
            body: format!("{head}{pad}\"}}").into(),
            is_acknowledged: false,
            is_at_most_once: false,
            is_excused: false,
            deliveries: Vec::new(),
            may_be_hot: false,
            may_be_cold: false,
            copies: 0,
            sends: 0,
            arrivals: 0,
            refusals: 0,
            is_forgotten: false,
        });
        number
    }

    /// Messages that nobody has forgotten, of one source.
    pub(super) fn excuse(&mut self, number: usize) {
        self.messages[number].is_excused = true;
    }

    /// A session of this source is lost: what comes again is new.
    pub(super) fn forget(&mut self, from: SourceId) {
        for message in self.messages.iter_mut().filter(|message| message.from == from) {
            message.is_forgotten = true;
        }
    }

    /// The process is gone, and another one begins.
    pub(super) fn restarted(&mut self) {
        self.in_use.clear();
        self.connections = 0;
        self.here = Here::default();
        (self.in_force, self.before, self.version) = (None, DEFAULT, 0);
        self.hang_ups = 0;
        for message in &mut self.messages {
            message.is_forgotten = true;
        }
    }

    /// The hold may have ended by its time, or what is in force is not known.
    pub(super) fn is_uncertain(&mut self) {
        self.in_force = None;
    }

    /// The module has read a message.
    pub(super) fn delivered(&mut self, number: usize, id: u16) {
        self.deliveries += 1;
        let (low, high) = match self.in_force {
            Some(threshold) => (threshold, threshold),
            None => (DEFAULT.min(self.before), HIGHEST),
        };
        let has_pool = self.has_pool;
        let message = &mut self.messages[number];
        message.may_be_hot |= message.value > low;
        message.may_be_cold |= message.value <= high;
        let is_settled = message.has_arrived() || message.is_refused();
        let is_known = message.is_delivered() && !message.is_forgotten && !is_settled;
        if !is_known || has_pool || id == 0 {
            message.copies += 1;
        }
        message.is_forgotten = false;
        message.deliveries.push(self.deliveries);
    }

    /// The module has read a change of the threshold.
    pub(super) fn changed(&mut self, version: u64, change: Change, is_whole: bool) {
        if version < self.version || (version == self.version && !is_whole) {
            return;
        }
        self.version = version;
        match change {
            Change::Set(threshold) => (self.in_force, self.before) = (Some(threshold), threshold),
            Change::Removed => (self.in_force, self.before) = (Some(DEFAULT), DEFAULT),
            // A document that cannot be used ends the wait for it, and changes nothing. A bad patch
            // that a control topic has retained does not end it.
            Change::Bad if is_whole && !self.by_topic => self.in_force = Some(self.before),
            Change::Bad => {}
        }
    }

    /// The source has got the PUBACK for its oldest delivery.
    pub(super) fn acknowledged(&mut self, number: usize) -> Check {
        let message = &mut self.messages[number];
        if !message.has_arrived() && !message.may_be_cold && !message.is_refused() {
            return Err(format!("message {number} is acknowledged before the PUBACK of its alert"));
        }
        message.is_acknowledged = true;
        Ok(())
    }

    /// A connection begins that alerts leave by.
    pub(super) fn opened(&mut self) {
        self.connections += 1;
        self.in_use.retain(|_, used| *used != Use::Subscribe);
        self.here = Here { has_old: !self.in_use.is_empty(), ..Here::default() };
    }

    /// That connection has ended, by the receiver's will or for want of a PUBACK.
    pub(super) fn hung_up(&mut self) {
        self.hang_ups += u32::from(!self.here.sent.is_empty());
    }

    /// Whether alerts may have been put behind all others.
    pub(super) fn may_suspect(&self) -> bool {
        self.hang_ups >= SUSPECTED_AFTER
    }

    /// SUBSCRIBE came.
    pub(super) fn subscribed(&mut self, id: u16) -> Check {
        match self.in_use.insert(id, Use::Subscribe) {
            None => Ok(()),
            Some(used) => Err(format!("SUBSCRIBE has the id {id}, which is in use for {used:?}")),
        }
    }

    /// Which message an alert is of.
    pub(super) fn alert_of(&self, body: &[u8]) -> Result<usize, String> {
        let number = self.number_of(body).ok_or_else(|| {
            format!("an alert that is no message: {}", String::from_utf8_lossy(body))
        })?;
        if !self.messages[number].may_be_hot {
            return Err(format!("an alert of message {number}, which no threshold makes one"));
        }
        Ok(number)
    }

    /// An alert came that the receiver hangs up at.
    pub(super) fn refused(&mut self, number: usize, id: u16) -> Check {
        self.messages[number].refusals += 1;
        self.hang_ups += 1;
        match self.in_use.get(&id) {
            None => Ok(()),
            Some(used) => Err(format!("an alert has the id {id}, which is in use for {used:?}")),
        }
    }

    /// An alert of this message came, under this id.
    pub(super) fn alerted(&mut self, number: usize, id: u16, dup: bool) -> Check {
        let is_new = self.publish(Use::Alert(number), id, dup)?;
        let message = &mut self.messages[number];
        if is_new {
            message.sends += 1;
            if message.sends > message.copies {
                return Err(format!("one alert more of message {number} than it needs"));
            }
        }
        if message.refusals > 0 {
            // It goes behind all others, also from its file.
            return Ok(());
        }
        let last = &mut self.here.last[message.from as usize];
        match message.deliveries.iter().find(|delivery| *delivery > last) {
            Some(delivery) => *last = *delivery,
            None if self.hang_ups >= SUSPECTED_AFTER => {}
            None => return Err(format!("an alert of message {number} behind a later one")),
        }
        Ok(())
    }

    /// A report, or an alert, came: whether for the first time. What is sent again may have been
    /// lost with the connection that it was first sent on.
    pub(super) fn publish(&mut self, used: Use, id: u16, dup: bool) -> Result<bool, String> {
        let is_new = match (self.in_use.get(&id), dup) {
            (None, false) => true,
            (None, true) if self.connections > 1 => true,
            (Some(known), true) if *known == used && !self.here.sent.contains_key(&id) => false,
            (known, _) => {
                return Err(format!("{used:?} with DUP {dup} and id {id}, which has {known:?}"));
            }
        };
        self.in_use.insert(id, used);
        self.here.sent.insert(id, used);
        let under_way = self.here.sent.len();
        if self.here.has_old && under_way > RESENT_AT_ONCE + self.here.acknowledged {
            return Err(format!("{under_way} publishes are under way on a new connection"));
        }
        Ok(is_new)
    }

    /// The module has read a PUBACK or a SUBACK.
    pub(super) fn completed(&mut self, id: u16) {
        if let Some(Use::Alert(number)) = self.in_use.remove(&id) {
            self.messages[number].arrivals += 1;
        }
        self.here.acknowledged += usize::from(self.here.sent.remove(&id).is_some());
    }

    /// Whether an alert of this source may be without PUBACK: acknowledgements wait in order.
    pub(super) fn is_waiting(&self, from: SourceId) -> bool {
        let mut messages = self.messages.iter().filter(|message| message.from == from);
        messages.any(|message| message.is_delivered() && message.may_be_hot && !message.is_done())
    }

    /// Publishes without PUBACK on the connection that alerts leave by.
    pub(super) fn under_way(&self) -> usize {
        self.here.sent.len()
    }

    /// Takes in what the module has read, but for messages and changes.
    pub(super) fn read(&mut self, mark: Mark) {
        match mark {
            Mark::Message { message, id } => self.delivered(message, id),
            Mark::PubAck { id } | Mark::SubAck { id } => self.completed(id),
            Mark::Change { version, change, is_document } => {
                self.changed(version, change, is_document);
            }
        }
    }

    fn number_of(&self, body: &[u8]) -> Option<usize> {
        let text = std::str::from_utf8(body).ok()?;
        let (_, rest) = text.split_once("\"n\":")?;
        let number: usize = rest.split_once(',')?.0.parse().ok()?;
        self.messages.get(number).filter(|message| message.body == body).map(|_| number)
    }
}
