//! What moves between the stages: batches of messages, and what the pool found in them.

use std::ops::Range;

use bytes::Bytes;

use crate::parse::Malformed;
use crate::threshold::Threshold;

/// One message for `input1`, as it came from the socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its number in order of receipt, given by the [`Ledger`](crate::ack::Ledger).
    pub receipt: u64,
    /// The topic as received.
    pub topic: String,
    /// Where the property bag begins in `topic`.
    pub bag_start: usize,
    /// The body: a slice of the read buffer.
    pub body: Bytes,
}

impl Message {
    /// The percent-encoded property bag; it ends at a raw `/`, as for the official SDKs.
    pub fn bag(&self) -> &str {
        let rest = &self.topic[self.bag_start..];
        rest.split_once('/').map_or(rest, |(bag, _)| bag)
    }
}

/// Messages that arrived together under one threshold.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// Consecutive from 0; the forwarder restores this order.
    pub sequence: u64,
    /// The threshold that was in force when the messages arrived.
    pub threshold: Threshold,
    /// The receipts that the batch settles: those of its messages, and of nothing else that is
    /// still open.
    pub receipts: Range<u64>,
    /// In order of receipt.
    pub messages: Vec<Message>,
}

/// A message that exceeded the threshold.
#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    /// The message, to be forwarded.
    pub message: Message,
    /// The temperature found in it; infinite where JSON says `1e999`.
    pub temperature: f64,
}

/// One bad message of a batch, kept for the log.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// What is wrong with it.
    pub reason: Malformed,
    /// Its body.
    pub body: Bytes,
}

/// A batch that went through the pool.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// The batch's number.
    pub sequence: u64,
    /// The batch's threshold.
    pub threshold: Threshold,
    /// The batch's receipts: all but those of `alerts` are settled.
    pub receipts: Range<u64>,
    /// In order of receipt.
    pub alerts: Vec<Alert>,
    /// Messages in the batch.
    pub messages: u32,
    /// Bad messages by reason, in the order of [`Malformed::ALL`].
    pub malformed: [u32; Malformed::ALL.len()],
    /// The first bad message.
    pub sample: Option<Sample>,
}
