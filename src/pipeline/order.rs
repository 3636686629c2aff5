//! Judged batches in the order in which their messages arrived.
//!
//! - In: judged batches in any order. Out: the same in the order of their sequences.
//! - Runs on the ingest thread. Pure.
//! - Bounded: everything here was counted as held when it was received ([`limits`](super::limits)).

use std::collections::VecDeque;

use super::message::Batch;

/// Restores the order of one source's batches.
#[derive(Debug, Default)]
pub struct Order {
    next_sequence: u64,
    /// What came before its turn, by its distance from the next sequence.
    early: VecDeque<Option<Batch>>,
}

impl Order {
    /// Takes a judged batch in; `settle` is called with it and with every batch that waited for it,
    /// in order.
    pub fn accept(&mut self, batch: Batch, mut settle: impl FnMut(Batch)) {
        let ahead = batch.sequence.checked_sub(self.next_sequence).expect("no batch comes twice");
        if ahead > 0 {
            let ahead = usize::try_from(ahead).expect("no more than there are batches in memory");
            self.early.resize_with(self.early.len().max(ahead + 1), || None);
            self.early[ahead] = Some(batch);
            return;
        }
        // Its own place is empty, if there is one.
        self.early.pop_front();
        self.next_sequence += 1;
        settle(batch);
        while let Some(batch) = self.early.pop_front_if(|early| early.is_some()).flatten() {
            self.next_sequence += 1;
            settle(batch);
        }
    }

    /// The sequence of the batch that is settled next.
    pub fn next_sequence(&self) -> u64 {
        self.next_sequence
    }
}
