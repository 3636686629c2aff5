//! Received messages become numbered batches, each within one block and under one threshold.
//!
//! - In: messages of one source in order of receipt, with the threshold in force at that moment.
//! - Out: batches to be judged. Runs on the ingest thread.
//! - Bounded: a batch has at most [`BATCH_MESSAGES_MAX`] messages; their number altogether is
//!   bounded by what may be held ([`limits`](crate::pipeline::limits)), so nothing is dropped here.
//!   Settled batches come back for their memory, at most [`SPARE_BATCHES_MAX`] of them, and
//!   [`SPARE_BYTES_MAX`] in all.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::pipeline::ledger::Content;
use crate::pipeline::limits::{BATCH_MESSAGES_MAX, SPARE_BATCHES_MAX, SPARE_BYTES_MAX};
use crate::pipeline::message::{Batch, Findings, Message, SourceId};
use crate::pipeline::threshold::Threshold;

/// The batches of one source that wait to be judged.
#[derive(Debug)]
pub struct Ingest {
    source: SourceId,
    waiting: VecDeque<Batch>,
    next_sequence: u64,
    spare: Vec<Batch>,
    /// What the lists of those take.
    spare_bytes: usize,
}

impl Ingest {
    /// Gathers what comes from `source`.
    pub fn new(source: SourceId) -> Self {
        Self {
            source,
            waiting: VecDeque::new(),
            next_sequence: 0,
            spare: Vec::new(),
            spare_bytes: 0,
        }
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

    /// Nothing is judged for now: what came since this was last called is copied out of the chunks
    /// that it was read into. Returns the bytes that it keeps.
    pub fn gather(&mut self) -> usize {
        let new = self.waiting.iter_mut().rev().take_while(|batch| batch.kept_bytes == 0);
        new.fold(0, |bytes, batch| {
            batch.detach();
            bytes + batch.kept_bytes
        })
    }

    /// What waits is judged by `threshold`, whatever was in force when it came: that was not known.
    pub fn judge_by(&mut self, threshold: Threshold) {
        for batch in &mut self.waiting {
            batch.threshold = threshold;
        }
    }

    /// The messages that wait to be judged, by receipt.
    pub fn waiting(&self) -> impl Iterator<Item = (u64, Content<'_>)> {
        self.waiting
            .iter()
            .flat_map(|batch| batch.receipts().map(|receipt| (receipt, batch.content(receipt))))
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
        let bytes = batch.lists_bytes();
        if self.spare.len() < SPARE_BATCHES_MAX && self.spare_bytes + bytes <= SPARE_BYTES_MAX {
            self.spare_bytes += bytes;
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
            Some(batch) => {
                self.spare_bytes -= batch.lists_bytes();
                (batch.messages, batch.findings)
            }
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
            kept_bytes: 0,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::message::Span;

    /// What the lists of spare batches take is counted, as they come and as they go.
    #[test]
    fn spare_lists_are_counted() {
        let mut ingest = Ingest::new(SourceId::Hub);
        let mut receipt = 0;
        let message = || Message { origin: Span::new(0..1), body: Span::new(1..2) };
        for round in 1..=20 {
            // Each block has a batch of its own, and each batch another number of messages.
            for messages in 1..=round {
                let block = Bytes::from(vec![0; 2]);
                for _ in 0..messages * 10 {
                    ingest.push(&block, message(), receipt, Threshold::DEFAULT);
                    receipt += 1;
                }
            }
            assert!(ingest.spare.is_empty() && ingest.spare_bytes == 0, "all are in use");
            while let Some(batch) = ingest.next_batch() {
                ingest.recycle(batch);
            }
            let bytes = ingest.spare.iter().map(Batch::lists_bytes).sum::<usize>();
            assert_eq!((ingest.spare.len(), ingest.spare_bytes), (round, bytes));
        }
    }
}
