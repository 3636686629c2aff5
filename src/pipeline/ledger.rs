//! What may be acknowledged to the source, and how many messages are held until then.
//!
//! - In: every input message as it is received, then the receipts that are settled: judged no
//!   alert, or forwarded and acknowledged by the hub.
//! - Out: packet ids to PUBACK, in order of receipt (MQTT 3.1.1 §4.6).
//! - Bounded by the caller through [`Ledger::messages`]; runs on the ingest thread.

mod redelivery;

use std::collections::VecDeque;
use std::ops::Range;

pub use redelivery::{Content, Redelivery, Rule};

/// Four bytes: there is one for every message that is held.
#[derive(Debug)]
struct Entry {
    /// Zero: nothing to acknowledge (QoS 0, or received on a connection that is gone).
    packet_id: u16,
    settled: bool,
}

/// The open receipts, oldest first.
#[derive(Debug, Default)]
pub struct Ledger {
    entries: VecDeque<Entry>,
    /// Receipt of the first entry.
    first: u64,
}

const _: () = assert!(size_of::<Entry>() == 4);

impl Ledger {
    /// Opens a receipt. `packet_id` 0 stands for a message that needs no PUBACK.
    pub fn receive(&mut self, packet_id: u16) -> u64 {
        let receipt = self.next_receipt();
        self.entries.push_back(Entry { packet_id, settled: false });
        receipt
    }

    /// The receipt that the next message will get.
    pub fn next_receipt(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    /// Settles one receipt, and tells whether it was open; settling twice is harmless.
    pub fn settle(&mut self, receipt: u64) -> bool {
        self.entry(receipt).is_some_and(|entry| !std::mem::replace(&mut entry.settled, true))
    }

    /// Settles a range of open receipts, but for those in `open`.
    pub fn settle_range(&mut self, receipts: Range<u64>, open: impl IntoIterator<Item = u64>) {
        let (Some(start), Some(end)) = (self.index(receipts.start), self.index(receipts.end))
        else {
            return;
        };
        for entry in self.entries.range_mut(start.min(end)..end) {
            entry.settled = true;
        }
        for receipt in open {
            debug_assert!(receipts.contains(&receipt), "an open receipt outside of the range");
            if let Some(entry) = self.entry(receipt) {
                entry.settled = false;
            }
        }
    }

    /// Takes out the settled receipts at the front and hands their packet ids to `acknowledge`.
    /// Returns how many receipts were taken.
    pub fn release(&mut self, mut acknowledge: impl FnMut(u16)) -> u64 {
        let before = self.first;
        while let Some(entry) = self.entries.pop_front_if(|entry| entry.settled) {
            self.first += 1;
            if entry.packet_id != 0 {
                acknowledge(entry.packet_id);
            }
        }
        self.first - before
    }

    /// [`release`](Self::release) for the receipts before `end` alone.
    pub fn release_before(&mut self, end: u64, mut acknowledge: impl FnMut(u16)) -> u64 {
        let before = self.first;
        while self.first < end
            && let Some(entry) = self.entries.pop_front_if(|entry| entry.settled)
        {
            self.first += 1;
            if entry.packet_id != 0 {
                acknowledge(entry.packet_id);
            }
        }
        self.first - before
    }

    /// The oldest receipt that was not released, or the one that the next message will get.
    pub fn first_receipt(&self) -> u64 {
        self.first
    }

    /// Whether a receipt is not settled yet.
    pub fn is_open(&self, receipt: u64) -> bool {
        let entry = self.index(receipt).and_then(|index| self.entries.get(index));
        entry.is_some_and(|entry| !entry.settled)
    }

    /// The receipts that are not settled yet, oldest first, with their packet ids where they have
    /// some.
    pub fn open_ids(&self) -> impl Iterator<Item = (u64, u16)> {
        let open = |entry: &Entry| !entry.settled && entry.packet_id != 0;
        let entries = (self.first..).zip(&self.entries).filter(move |(_, entry)| open(entry));
        entries.map(|(receipt, entry)| (receipt, entry.packet_id))
    }

    /// The packet ids that were not handed out to be acknowledged.
    pub fn unacknowledged_ids(&self) -> impl Iterator<Item = u16> {
        self.entries.iter().map(|entry| entry.packet_id).filter(|id| *id != 0)
    }

    /// The connection is gone: its packet ids mean nothing on the next one, where the source
    /// delivers these messages again. (edgeHub numbers every delivery 1: a late PUBACK would
    /// acknowledge another message.)
    pub fn forget_packet_ids(&mut self) {
        for entry in &mut self.entries {
            entry.packet_id = 0;
        }
    }

    /// Messages received and not yet acknowledged.
    pub fn messages(&self) -> usize {
        self.entries.len()
    }

    fn entry(&mut self, receipt: u64) -> Option<&mut Entry> {
        let index = self.index(receipt)?;
        self.entries.get_mut(index)
    }

    /// Where a receipt is, or the end of all; `None` when it was taken out, or never given.
    fn index(&self, receipt: u64) -> Option<usize> {
        let index = usize::try_from(receipt.checked_sub(self.first)?).ok()?;
        (index <= self.entries.len()).then_some(index)
    }
}
