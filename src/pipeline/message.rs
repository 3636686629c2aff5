//! What moves between the stages: batches of messages within one block of bytes, and alerts.
//!
//! A message is two places in the block that one read brought, and is judged there. What stays
//! longer than that is copied out, once: an alert into its source's
//! [`arena`](crate::pipeline::arena), and messages that wait for the first threshold into a block
//! of their own. A block keeps all of the chunk that it was read into, so nothing small may keep
//! it.

use std::ops::Range;

use bytes::Bytes;

use crate::mqtt::connection::CHUNK_BYTES_MAX;
use crate::pipeline::ledger::Content;
use crate::pipeline::parse::Malformed;
use crate::pipeline::place::Place;
use crate::pipeline::threshold::Threshold;

/// What an alert counts besides its bytes: its places in the tables that it passes through, the
/// outbox and that of its connection, which double when they grow. (`outbound` holds it to that.)
pub const ALERT_TABLES_BYTES: usize = 2 * 2 * size_of::<Alert>();

/// A place in a block of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// The bytes in `range`, which lies within a block.
    pub fn new(range: Range<usize>) -> Self {
        let narrow = |at: usize| u32::try_from(at).expect("a block is far below 4 GiB");
        Self { start: narrow(range.start), end: narrow(range.end) }
    }

    /// The bytes of `block` that this is about.
    pub fn of<'a>(&self, block: &'a [u8]) -> &'a [u8] {
        let widen = |at: u32| usize::try_from(at).expect("usize has at least 32 bits here");
        &block[widen(self.start)..widen(self.end)]
    }

    /// Their number.
    pub fn len(&self) -> usize {
        usize::try_from(self.end - self.start).expect("usize has at least 32 bits here")
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }
}

/// One message to be judged, as it came from the socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message {
    /// What its alert's topic is made from: of a message from the hub its encoded property bag, of
    /// one from a broker its topic. UTF-8.
    pub origin: Span,
    /// The body.
    pub body: Span,
}

impl Message {
    /// From its first byte to its last: origin and body are parts of one packet, with no more than
    /// a packet id between them.
    #[inline]
    pub fn whole(&self) -> Span {
        debug_assert!(self.origin.end <= self.body.start, "a body before its topic: {self:?}");
        Span { start: self.origin.start, end: self.body.end }
    }

    /// The same message with its first byte at `start`.
    #[must_use]
    pub fn moved_to(&self, start: usize) -> Self {
        let Span { start, .. } = Span::new(start..start);
        let from = self.origin.start;
        let moved = |at: Span| Span { start: at.start - from + start, end: at.end - from + start };
        Self { origin: moved(self.origin), body: moved(self.body) }
    }
}

/// Where messages come from; each has a connection of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceId {
    /// The hub: `input1` of the module.
    Hub,
    /// A plain MQTT broker.
    Broker,
}

impl SourceId {
    /// All of them, in the order of their discriminants.
    pub const ALL: [SourceId; 2] = [Self::Hub, Self::Broker];
}

/// Messages that one read brought, under one threshold, with consecutive receipts.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// Where they came from.
    pub source: SourceId,
    /// Consecutive from 0 for each source; the order in which batches are settled.
    pub sequence: u64,
    /// The threshold that was in force when the messages arrived.
    pub threshold: Threshold,
    /// Receipt of the first message.
    pub first_receipt: u64,
    /// The bytes that they are in.
    pub block: Bytes,
    /// In order of receipt.
    pub messages: Vec<Message>,
    /// What the parser found in them.
    pub findings: Findings,
    /// What it counts as held until it is settled: at least what it keeps alive.
    pub kept_bytes: usize,
}

impl Batch {
    /// Origin and body of the message with this receipt, which must be one of its own.
    pub fn content(&self, receipt: u64) -> Content<'_> {
        let index = usize::try_from(receipt - self.first_receipt).ok();
        let message = index.and_then(|index| self.messages.get(index));
        let message = message.map(|m| [m.origin, m.body].map(|at| at.of(&self.block)));
        message.unwrap_or_default()
    }

    /// What it keeps alive besides its block: itself and its two lists, all of which are in tables
    /// that double; and what its messages will take once they are alerts, as all may be.
    fn tables_bytes(&self) -> usize {
        const MESSAGE_BYTES: usize =
            2 * (size_of::<Message>() + size_of::<Finding>()) + ALERT_TABLES_BYTES;
        2 * size_of::<Self>() + self.messages.len() * MESSAGE_BYTES
    }

    /// The message that was found.
    #[inline]
    pub fn message(&self, found: &Finding) -> Message {
        self.messages[usize::try_from(found.index).expect("usize has at least 32 bits here")]
    }

    /// What its two lists take, filled or not.
    pub fn lists_bytes(&self) -> usize {
        self.messages.capacity() * size_of::<Message>()
            + self.findings.alerts.capacity() * size_of::<Finding>()
    }

    /// What it keeps alive in all, at most, while its block is in a chunk.
    pub fn bytes_in_chunk(&self) -> usize {
        CHUNK_BYTES_MAX + self.block.len() + self.tables_bytes()
    }

    /// Copies its messages out of the chunk that they came in, into a block of their own.
    pub fn detach(&mut self) {
        let lengths = self.messages.iter().map(|message| message.whole().len());
        let mut own = Vec::with_capacity(lengths.sum());
        for message in &mut self.messages {
            let start = own.len();
            own.extend_from_slice(message.whole().of(&self.block));
            *message = message.moved_to(start);
        }
        self.block = own.into();
        self.kept_bytes = self.block.len() + self.tables_bytes();
    }

    /// The receipts of its messages.
    pub fn receipts(&self) -> Range<u64> {
        self.first_receipt..self.first_receipt + self.messages.len() as u64
    }
}

/// What a parser found in a batch.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Findings {
    /// The messages that exceed the threshold, in order of receipt.
    pub alerts: Vec<Finding>,
    /// Bad messages by reason, in the order of [`Malformed::ALL`].
    pub malformed: [u32; Malformed::ALL.len()],
    /// The first bad message, for the log.
    pub sample: Option<(Malformed, Message)>,
}

impl Findings {
    /// Forgets everything, but keeps the memory.
    pub fn clear(&mut self) {
        self.alerts.clear();
        self.malformed = [0; Malformed::ALL.len()];
        self.sample = None;
    }
}

/// A message that exceeds the threshold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Finding {
    /// Which message of the batch.
    pub index: u32,
    /// The temperature found in it; infinite where JSON says `1e999`.
    pub temperature: f64,
}

/// A message on its way out, with memory of its own until it is acknowledged.
///
/// Of its parts no more is kept than tells one from the other: it goes through tables that count as
/// held, and each move of it copies all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// Where the message came from.
    pub source: SourceId,
    /// Where its memory is in the source's arena.
    pub place: Place,
    /// Its receipt there.
    pub receipt: u64,
    /// From the first byte of its origin to the last one of its body.
    whole: Bytes,
    /// A part of a topic, which MQTT bounds.
    origin_len: u16,
    /// Between origin and body: a packet id, or nothing.
    gap: u8,
}

impl Alert {
    /// The alert that `message` raises, whose [whole](Message::whole) is in `place` of its source's
    /// arena.
    #[inline]
    pub fn new(
        source: SourceId,
        receipt: u64,
        place: Place,
        whole: Bytes,
        message: &Message,
    ) -> Self {
        let Message { origin, body } = message;
        debug_assert_eq!(whole.len(), message.whole().len());
        let origin_len = u16::try_from(origin.len()).expect("a topic is no longer");
        let gap = u8::try_from(body.start - origin.end).expect("there is a packet id at most");
        Self { source, place, receipt, whole, origin_len, gap }
    }

    /// Its bytes in the arena.
    pub fn bytes(&self) -> usize {
        self.whole.len()
    }

    /// Origin and body.
    pub fn content(&self) -> Content<'_> {
        [self.origin().as_bytes(), self.body()]
    }

    /// What its topic is made from, see [`Message::origin`].
    pub fn origin(&self) -> &str {
        // The decoder has checked the whole topic, and it is cut at ASCII characters only.
        std::str::from_utf8(&self.whole[..usize::from(self.origin_len)]).unwrap_or_default()
    }

    /// The body as received.
    pub fn body(&self) -> &[u8] {
        &self.whole[usize::from(self.origin_len) + usize::from(self.gap)..]
    }
}
