//! Received messages become numbered batches, each within one block and under one threshold.
//!
//! - In: messages of one source in order of receipt, with the threshold in force at that moment.
//! - Out: batches to be judged. Runs on the ingest thread.
//! - Bounded: a batch has at most [`BATCH_MESSAGES_MAX`] messages; their number altogether is
//!   bounded by what may be held ([`limits`](crate::limits)), so nothing is dropped here. Settled
//!   batches come back for their memory, at most [`SPARE_BATCHES_MAX`] of them.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::limits::{BATCH_MESSAGES_MAX, SPARE_BATCHES_MAX};
use crate::message::{Batch, Findings, Message, SourceId};
use crate::threshold::Threshold;

/// The batches of one source that wait to be judged.
#[derive(Debug)]
pub struct Ingest {
    source: SourceId,
    waiting: VecDeque<Batch>,
    next_sequence: u64,
    spare: Vec<Batch>,
}

impl Ingest {
    /// Gathers what comes from `source`.
    pub fn new(source: SourceId) -> Self {
        Self { source, waiting: VecDeque::new(), next_sequence: 0, spare: Vec::new() }
    }

    /// Adds a message of `block` that arrived while `threshold` was in force.
    pub fn push(&mut self, block: &Bytes, message: Message, receipt: u64, threshold: Threshold) {
        match self.waiting.back_mut() {
            Some(batch)
                if batch.receipts().end == receipt
                    && batch.threshold == threshold
                    && batch.block.as_ptr() == block.as_ptr()
                    && batch.messages.len() < BATCH_MESSAGES_MAX =>
            {
                batch.messages.push(message);
            }
            _ => self.open_batch(block.clone(), message, receipt, threshold),
        }
    }

    /// What waits is judged by `threshold`, whatever was in force when it came: that was not known.
    pub fn judge_by(&mut self, threshold: Threshold) {
        for batch in &mut self.waiting {
            batch.threshold = threshold;
        }
    }

    /// The next batch to be judged.
    pub fn next_batch(&mut self) -> Option<Batch> {
        self.waiting.pop_front()
    }

    /// The sequence of the next batch to be opened.
    pub fn next_sequence(&self) -> u64 {
        self.next_sequence
    }

    /// Takes a settled batch back; its memory serves again.
    pub fn recycle(&mut self, mut batch: Batch) {
        if self.spare.len() < SPARE_BATCHES_MAX {
            batch.block = Bytes::new();
            batch.messages.clear();
            batch.findings.clear();
            self.spare.push(batch);
        }
    }

    fn open_batch(
        &mut self,
        block: Bytes,
        message: Message,
        first_receipt: u64,
        threshold: Threshold,
    ) {
        let (mut messages, findings) = match self.spare.pop() {
            Some(batch) => (batch.messages, batch.findings),
            None => (Vec::new(), Findings::default()),
        };
        messages.push(message);
        let (source, sequence) = (self.source, self.next_sequence);
        self.next_sequence += 1;
        self.waiting.push_back(Batch {
            source,
            sequence,
            threshold,
            first_receipt,
            block,
            messages,
            findings,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Span;

    fn message() -> Message {
        Message { origin: Span::new(0..0), body: Span::new(0..1) }
    }

    fn threshold(value: f64) -> Threshold {
        Threshold::new(value).expect("finite")
    }

    type Shape = (u64, Threshold, std::ops::Range<u64>);

    fn shapes(ingest: &mut Ingest) -> Vec<Shape> {
        let batches = std::iter::from_fn(|| ingest.next_batch());
        batches.map(|batch| (batch.sequence, batch.threshold, batch.receipts())).collect()
    }

    /// A batch ends where its threshold, its block or the row of its receipts does.
    #[test]
    fn what_belongs_together_is_one_batch() {
        let mut ingest = Ingest::new(SourceId::Hub);
        let (one, two) = (Bytes::from(vec![0; 9]), Bytes::from(vec![0; 9]));
        for receipt in 0..3 {
            ingest.push(&one, message(), receipt, threshold(25.0));
        }
        ingest.push(&one, message(), 3, threshold(30.0));
        ingest.push(&two, message(), 4, threshold(30.0));
        ingest.push(&two, message(), 6, threshold(30.0));
        let expected = [
            (0, threshold(25.0), 0..3),
            (1, threshold(30.0), 3..4),
            (2, threshold(30.0), 4..5),
            (3, threshold(30.0), 6..7),
        ];
        assert_eq!(shapes(&mut ingest), expected);
        assert_eq!(ingest.next_sequence(), 4);
    }

    #[test]
    fn a_batch_is_bounded() {
        let mut ingest = Ingest::new(SourceId::Hub);
        let block = Bytes::from(vec![0; 9]);
        for receipt in 0..BATCH_MESSAGES_MAX as u64 + 1 {
            ingest.push(&block, message(), receipt, threshold(25.0));
        }
        let lengths: Vec<_> = shapes(&mut ingest).iter().map(|(_, _, r)| r.end - r.start).collect();
        assert_eq!(lengths, [BATCH_MESSAGES_MAX as u64, 1]);
    }

    #[test]
    fn what_waits_for_the_threshold_is_judged_by_it() {
        let mut ingest = Ingest::new(SourceId::Hub);
        let block = Bytes::from(vec![0; 9]);
        ingest.push(&block, message(), 0, threshold(25.0));
        ingest.judge_by(threshold(90.0));
        assert_eq!(shapes(&mut ingest), [(0, threshold(90.0), 0..1)]);
    }

    /// Memory that comes back carries nothing of the old batch.
    #[test]
    fn a_recycled_batch_is_a_new_one() {
        let mut ingest = Ingest::new(SourceId::Broker);
        let block = Bytes::from(vec![0; 9]);
        ingest.push(&block, message(), 0, threshold(25.0));
        let mut batch = ingest.next_batch().expect("one waits");
        batch.findings.malformed[0] = 3;
        batch.findings.alerts.push(crate::message::Finding { index: 0, temperature: 30.0 });
        let capacity = batch.messages.capacity();
        ingest.recycle(batch);
        ingest.push(&block, message(), 1, threshold(26.0));
        let again = ingest.next_batch().expect("one waits");
        assert_eq!(again.source, SourceId::Broker);
        assert_eq!((again.sequence, again.receipts()), (1, 1..2));
        assert_eq!((again.findings, again.messages.capacity()), (Findings::default(), capacity));
    }
}
