//! The input messages stored for one module, and which of them are in flight.
//!
//! Encoded messages enter in routing order and leave when they are acknowledged. The first `sent`
//! of the queue are in flight:
//!
//! ```text
//!   front                                                    back
//!   [ id 7 ][ id 8, acknowledged ][ id 9 ] | [ not sent ][ not sent ] ...
//!   '------------ sent <= window --------'
//! ```
//!
//! Bounded by count and bytes; a publisher whose message does not fit is not read until it does.
//! Pure: no clock, no socket, time comes in as an argument.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::{BufMut, Bytes, BytesMut};

use super::config::{BACKOFF_MAX, HubConfig};
use super::packet_ids::PacketIds;

/// Bounds and times of an [`InputStore`].
#[derive(Debug, Clone, Copy)]
pub(super) struct InputLimits {
    /// Messages stored, in flight included.
    pub(super) messages_max: usize,
    /// Bytes of topic and body stored.
    pub(super) bytes_max: usize,
    /// Messages in flight.
    pub(super) window: usize,
    /// Time the oldest message in flight may stay unacknowledged.
    pub(super) ack_timeout: Duration,
    /// Pause before the first redelivery after a time-out.
    pub(super) retry_backoff: Duration,
}

impl InputLimits {
    /// Those that a hub is started with.
    pub(super) fn of(config: &HubConfig) -> Self {
        Self {
            messages_max: config.inputs_messages_max.max(1),
            bytes_max: config.inputs_bytes_max,
            window: config.window.clamp(1, usize::from(u16::MAX)),
            ack_timeout: config.ack_timeout,
            retry_backoff: config.retry_backoff,
        }
    }
}

/// What to do with a stored message once its turn has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Delivery {
    /// Send it, complete when acknowledged.
    AtLeastOnce,
    /// Send it, complete when written.
    AtMostOnce,
    /// No filter of the session covers its topic: it is dropped for good, as edgeHub does.
    Reject,
}

/// How many messages a round of [`InputStore::deliver`] moved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Delivered {
    /// Written for the first time.
    pub(super) fresh: u64,
    /// Written again.
    pub(super) again: u64,
    /// Dropped because no filter covers the topic.
    pub(super) rejected: u64,
    /// Completed by being written (QoS 0).
    pub(super) completed: u64,
}

/// One stored message: `[topic][body]` in one allocation.
struct Entry {
    content: Box<[u8]>,
    topic_bytes: u16,
    /// Packet id while in flight.
    id: u16,
    acked: bool,
    sent_before: bool,
    /// Its number on disk; 0 when it is not there, or need not be any more.
    number: u64,
}

/// A message that was taken out of the store.
pub(super) struct TakenInput {
    pub(super) topic: String,
    pub(super) body: Bytes,
    /// A connection has seen it already.
    pub(super) sent_before: bool,
}

/// The queue of one module.
pub(super) struct InputStore {
    limits: InputLimits,
    entries: VecDeque<Entry>,
    bytes: usize,
    /// Entries at the front that are in flight (or acknowledged behind one that is).
    sent: usize,
    /// When the front entry counts as lost; `None` when nothing is in flight.
    ack_deadline: Option<Instant>,
    /// Nothing is delivered before this instant.
    paused_until: Option<Instant>,
    /// Acknowledgement time-outs since the last acknowledgement.
    timeouts: u32,
    /// Numbers of messages that are done with; whoever keeps them on disk takes them.
    done: Vec<u64>,
}

impl InputStore {
    pub(super) fn new(limits: InputLimits) -> Self {
        Self {
            limits,
            entries: VecDeque::new(),
            bytes: 0,
            sent: 0,
            ack_deadline: None,
            paused_until: None,
            timeouts: 0,
            done: Vec::new(),
        }
    }

    /// Numbers of the messages that were done with since the last call.
    pub(super) fn drain_done(&mut self) -> std::vec::Drain<'_, u64> {
        self.done.drain(..)
    }

    /// Messages stored, in flight included.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Packet id of the oldest message in flight; 0 when there is none.
    pub(super) fn oldest_id(&self) -> u16 {
        if self.sent > 0 { self.entries.front().map_or(0, |entry| entry.id) } else { 0 }
    }

    /// Whether a message with this many bytes of topic and body fits. An empty store takes any.
    pub(super) fn has_room(&self, bytes: usize) -> bool {
        self.entries.is_empty()
            || (self.entries.len() < self.limits.messages_max
                && self.bytes.saturating_add(bytes) <= self.limits.bytes_max)
    }

    /// Whether so much has left that a waiting publisher should try again.
    pub(super) fn is_below_low_water(&self) -> bool {
        let InputLimits { messages_max, bytes_max, .. } = self.limits;
        self.entries.len() < messages_max
            && self.entries.len() <= messages_max - messages_max / 4
            && self.bytes <= bytes_max - bytes_max / 4
    }

    /// Appends a message, with its number on disk or 0; the caller has asked
    /// [`InputStore::has_room`].
    ///
    /// `topic` must be at most 65,535 bytes long; a longer one gives `false` and is not stored.
    pub(super) fn push(&mut self, topic: &str, body: &[u8], number: u64) -> bool {
        let Ok(topic_bytes) = u16::try_from(topic.len()) else { return false };
        let mut content = Vec::with_capacity(topic.len() + body.len());
        content.extend_from_slice(topic.as_bytes());
        content.extend_from_slice(body);
        self.bytes += content.len();
        self.entries.push_back(Entry {
            content: content.into_boxed_slice(),
            topic_bytes,
            id: 0,
            acked: false,
            sent_before: false,
            number,
        });
        true
    }

    /// Writes messages to `out` until the window, the ids or `out_bytes_max` is used up.
    pub(super) fn deliver(
        &mut self,
        out: &mut BytesMut,
        out_bytes_max: usize,
        ids: &mut PacketIds,
        now: Instant,
        mut decide: impl FnMut(&str) -> Delivery,
    ) -> Delivered {
        let mut delivered = Delivered::default();
        if self.paused_until.is_some_and(|until| now < until) {
            return delivered;
        }
        self.paused_until = None;
        while self.sent < self.limits.window && out.len() < out_bytes_max {
            let Some(entry) = self.entries.get(self.sent) else { break };
            let delivery = decide(entry.topic());
            let id = match delivery {
                Delivery::AtLeastOnce => {
                    let Some(id) = ids.next(self.oldest_id()) else { break };
                    id
                }
                Delivery::AtMostOnce | Delivery::Reject => 0,
            };
            let entry = &mut self.entries[self.sent];
            entry.id = id;
            match delivery {
                Delivery::Reject => delivered.rejected += 1,
                _ if entry.sent_before => delivered.again += 1,
                _ => delivered.fresh += 1,
            }
            if delivery != Delivery::Reject {
                entry.encode(out);
                entry.sent_before = true;
            }
            if delivery == Delivery::AtLeastOnce {
                self.sent += 1;
                self.ack_deadline.get_or_insert(now + self.limits.ack_timeout);
            } else {
                delivered.completed += u64::from(delivery == Delivery::AtMostOnce);
                self.remove(self.sent);
            }
        }
        delivered
    }

    /// Removes the oldest message and gives it away; `None` when there is none, or while any is in
    /// flight.
    pub(super) fn pop_oldest(&mut self) -> Option<TakenInput> {
        if self.sent > 0 {
            return None;
        }
        let mut entry = self.entries.pop_front()?;
        self.bytes -= entry.content.len();
        entry.note_done(&mut self.done);
        let topic = entry.topic().to_owned();
        let body = Bytes::from(entry.content).slice(topic.len()..);
        Some(TakenInput { topic, body, sent_before: entry.sent_before })
    }

    /// Takes the acknowledgement of a packet id; `false` when no such input is in flight.
    pub(super) fn acknowledge(&mut self, id: u16, now: Instant) -> bool {
        let Some(index) = self.position(id) else { return false };
        if self.entries[index].acked {
            return false;
        }
        self.entries[index].acked = true;
        self.entries[index].note_done(&mut self.done);
        self.timeouts = 0;
        if index > 0 {
            return true;
        }
        while self.sent > 0 && self.entries.front().is_some_and(|entry| entry.acked) {
            self.remove(0);
            self.sent -= 1;
        }
        self.ack_deadline = (self.sent > 0).then(|| now + self.limits.ack_timeout);
        true
    }

    /// Puts everything in flight back, in order: the connection is gone.
    pub(super) fn requeue(&mut self) {
        for index in (0..self.sent).rev() {
            if self.entries[index].acked {
                self.remove(index);
            }
        }
        self.sent = 0;
        self.ack_deadline = None;
    }

    /// Puts everything in flight back when the oldest message waited too long; deliveries then
    /// pause, longer with each time-out in a row. Tells whether that happened.
    pub(super) fn expire(&mut self, now: Instant) -> bool {
        if self.ack_deadline.is_none_or(|deadline| now < deadline) {
            return false;
        }
        self.requeue();
        let doublings = self.timeouts.min(16);
        let pause = self.limits.retry_backoff.saturating_mul(1 << doublings).min(BACKOFF_MAX);
        self.timeouts = self.timeouts.saturating_add(1);
        self.paused_until = Some(now + pause);
        true
    }

    /// A new connection delivers at once: pauses belong to the old one.
    pub(super) fn resume(&mut self) {
        self.requeue();
        self.paused_until = None;
        self.timeouts = 0;
    }

    /// Gives the message in flight its whole time again: the hub itself did not read the answer.
    pub(super) fn restart_ack_time(&mut self, now: Instant) {
        if self.ack_deadline.is_some() {
            self.ack_deadline = Some(now + self.limits.ack_timeout);
        }
    }

    /// The next instant at which something has to happen without anything arriving.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match (self.ack_deadline, self.paused_until) {
            (None, Some(until)) if !self.entries.is_empty() => Some(until),
            (deadline, _) => deadline,
        }
    }

    /// Where in the queue the message with this packet id in flight is.
    ///
    /// Ids in flight grow from the front (modulo 65,535), skipping only those that other packets
    /// held: so an index never exceeds the distance of the id from the front's.
    fn position(&self, id: u16) -> Option<usize> {
        let front = self.entries.front().filter(|_| self.sent > 0)?;
        let distance = PacketIds::distance(front.id, id)?;
        let mut index = distance.min(self.sent - 1);
        loop {
            let entry_id = self.entries[index].id;
            if entry_id == id {
                return Some(index);
            }
            let entry_distance = PacketIds::distance(front.id, entry_id)?;
            if entry_distance < distance || index == 0 {
                return None;
            }
            index -= 1;
        }
    }

    fn remove(&mut self, index: usize) {
        let removed =
            if index == 0 { self.entries.pop_front() } else { self.entries.remove(index) };
        if let Some(mut entry) = removed {
            self.bytes -= entry.content.len();
            entry.note_done(&mut self.done);
        }
    }
}

impl Entry {
    /// Nothing of it is needed after a restart.
    fn note_done(&mut self, done: &mut Vec<u64>) {
        if self.number != 0 {
            done.push(std::mem::take(&mut self.number));
        }
    }

    fn topic(&self) -> &str {
        // Written from a `&str` in `push`.
        std::str::from_utf8(&self.content[..usize::from(self.topic_bytes)]).unwrap_or_default()
    }

    /// MQTT 3.1.1 §3.3. DUP stays clear on redelivery, as edgeHub leaves it: the id is a new one.
    fn encode(&self, out: &mut BytesMut) {
        let topic_bytes = usize::from(self.topic_bytes);
        let id_bytes = if self.id == 0 { 0 } else { 2 };
        let mut remaining = 2 + id_bytes + self.content.len();
        out.reserve(5 + remaining);
        out.put_u8(if self.id == 0 { 0x30 } else { 0x32 });
        loop {
            let more = if remaining > 127 { 0x80 } else { 0 };
            out.put_u8(u8::try_from(remaining & 127).unwrap_or(0) | more);
            remaining >>= 7;
            if remaining == 0 {
                break;
            }
        }
        out.put_u16(self.topic_bytes);
        out.put_slice(&self.content[..topic_bytes]);
        if self.id != 0 {
            out.put_u16(self.id);
        }
        out.put_slice(&self.content[topic_bytes..]);
    }
}

#[cfg(test)]
mod tests;
