//! Received messages become numbered batches, each under one threshold.
//!
//! - In: messages for `input1` in order of receipt, with the threshold in force at that moment.
//! - Out: batches for the parser pool. Runs on the ingest thread.
//! - Bounded: [`PIPELINE_BATCHES_MAX`] batches are with the pool at a time; what comes meanwhile is
//!   gathered into larger batches. The number of messages is bounded by what may be held at all
//!   ([`limits`](crate::limits)), so nothing is dropped here.

use std::collections::VecDeque;

use crate::limits::{BATCH_MESSAGES_MAX, PIPELINE_BATCHES_MAX};
use crate::message::{Batch, Message};
use crate::threshold::Threshold;

/// The batches that wait for the pool, and how many are with it.
#[derive(Debug, Default)]
pub struct Ingest {
    waiting: VecDeque<Batch>,
    next_sequence: u64,
    with_pool: usize,
    /// Until the threshold is known, messages are gathered and not judged.
    holding: bool,
}

impl Ingest {
    /// Gathers messages without judging them until [`release`](Self::release).
    pub fn hold(&mut self) {
        self.holding = true;
    }

    /// Ends a hold: what was gathered is judged by `threshold`.
    pub fn release(&mut self, threshold: Threshold) {
        if std::mem::take(&mut self.holding) {
            for batch in &mut self.waiting {
                batch.threshold = threshold;
            }
        }
    }

    /// Whether a hold is on.
    pub fn is_holding(&self) -> bool {
        self.holding
    }

    /// Adds a message that arrived while `threshold` was in force.
    pub fn push(&mut self, message: Message, threshold: Threshold) {
        let end = message.receipt + 1;
        match self.waiting.back_mut() {
            Some(batch)
                if batch.threshold == threshold && batch.messages.len() < BATCH_MESSAGES_MAX =>
            {
                batch.receipts.end = end;
                batch.messages.push(message);
            }
            _ => self.open_batch(message, threshold),
        }
    }

    /// The next batch for the pool, if the pool may have one more.
    pub fn next_batch(&mut self) -> Option<Batch> {
        if self.holding || self.with_pool >= PIPELINE_BATCHES_MAX {
            return None;
        }
        let batch = self.waiting.pop_front()?;
        self.with_pool += 1;
        Some(batch)
    }

    /// A batch came back from the pool.
    pub fn returned(&mut self) {
        debug_assert!(self.with_pool > 0, "more batches came back than went out");
        self.with_pool -= 1;
    }

    /// Whether every message was judged.
    pub fn is_idle(&self) -> bool {
        self.with_pool == 0 && self.waiting.is_empty()
    }

    fn open_batch(&mut self, message: Message, threshold: Threshold) {
        let receipts = message.receipt..message.receipt + 1;
        let mut messages = Vec::with_capacity(64);
        messages.push(message);
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        self.waiting.push_back(Batch { sequence, threshold, receipts, messages });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn message(receipt: u64) -> Message {
        Message { receipt, topic: String::new(), bag_start: 0, body: Bytes::new() }
    }

    fn threshold(value: f64) -> Threshold {
        Threshold::new(value).expect("finite")
    }

    #[test]
    fn a_new_threshold_starts_a_new_batch() {
        let mut ingest = Ingest::default();
        for receipt in 0..3 {
            ingest.push(message(receipt), threshold(25.0));
        }
        ingest.push(message(3), threshold(30.0));
        ingest.push(message(4), threshold(25.0));
        let batches: Vec<_> = std::iter::from_fn(|| ingest.next_batch()).collect();
        let shape: Vec<_> =
            batches.iter().map(|b| (b.sequence, b.threshold, b.receipts.clone())).collect();
        let expected =
            [(0, threshold(25.0), 0..3), (1, threshold(30.0), 3..4), (2, threshold(25.0), 4..5)];
        assert_eq!(shape, expected);
    }

    #[test]
    fn the_pool_gets_no_more_than_its_share_and_batches_grow_meanwhile() {
        let mut ingest = Ingest::default();
        let mut receipt = 0;
        let mut push = |ingest: &mut Ingest| {
            ingest.push(message(receipt), threshold(25.0));
            receipt += 1;
        };
        for _ in 0..PIPELINE_BATCHES_MAX {
            push(&mut ingest);
            assert!(ingest.next_batch().is_some());
        }
        for _ in 0..BATCH_MESSAGES_MAX + 1 {
            push(&mut ingest);
        }
        assert_eq!(ingest.next_batch(), None);
        ingest.returned();
        let batch = ingest.next_batch().expect("one came back");
        assert_eq!(batch.messages.len(), BATCH_MESSAGES_MAX);
        assert!(!ingest.is_idle());
    }

    #[test]
    fn what_was_held_is_judged_by_the_first_known_threshold() {
        let mut ingest = Ingest::default();
        ingest.hold();
        ingest.push(message(0), threshold(25.0));
        assert_eq!(ingest.next_batch(), None);
        ingest.release(threshold(90.0));
        ingest.push(message(1), threshold(90.0));
        let batch = ingest.next_batch().expect("released");
        assert_eq!((batch.threshold, batch.messages.len()), (threshold(90.0), 2));
        ingest.release(threshold(10.0));
        ingest.push(message(2), threshold(90.0));
        let batch = ingest.next_batch().expect("not held");
        assert_eq!(batch.threshold, threshold(90.0), "a second release changes nothing");
    }
}
