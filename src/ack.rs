//! What may be acknowledged to the source, and how much is held until then.
//!
//! - In: every input message as it is received, then the receipts that are settled: judged no
//!   alert, or forwarded and acknowledged by the hub.
//! - Out: packet ids to PUBACK, in order of receipt (MQTT 3.1.1 §4.6).
//! - Bounded by the caller through [`Ledger::held`]; runs on the ingest thread.

use std::collections::VecDeque;
use std::ops::Range;

/// Messages received and not yet acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Held {
    /// Their number.
    pub messages: usize,
    /// Their topics and bodies.
    pub bytes: usize,
}

#[derive(Debug)]
struct Entry {
    /// Zero: nothing to acknowledge (QoS 0, or received on a connection that is gone).
    packet_id: u16,
    settled: bool,
    bytes: usize,
}

/// The open receipts, oldest first.
#[derive(Debug, Default)]
pub struct Ledger {
    entries: VecDeque<Entry>,
    /// Receipt of the first entry.
    first: u64,
    bytes: usize,
}

impl Ledger {
    /// Opens a receipt. `packet_id` 0 stands for a message that needs no PUBACK; `bytes` is what
    /// the message holds in memory.
    pub fn receive(&mut self, packet_id: u16, bytes: usize) -> u64 {
        let receipt = self.next_receipt();
        self.entries.push_back(Entry { packet_id, settled: false, bytes });
        self.bytes += bytes;
        receipt
    }

    /// The receipt that the next message will get.
    pub fn next_receipt(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    /// Settles one receipt; settling twice is harmless.
    pub fn settle(&mut self, receipt: u64) {
        if let Some(entry) = self.entry(receipt) {
            entry.settled = true;
        }
    }

    /// Settles a range but for `open`, which is in rising order.
    pub fn settle_range(&mut self, receipts: Range<u64>, open: impl IntoIterator<Item = u64>) {
        let mut open = open.into_iter().peekable();
        for receipt in receipts {
            if open.next_if_eq(&receipt).is_none() {
                self.settle(receipt);
            }
        }
        debug_assert!(open.next().is_none(), "an open receipt outside of the range");
    }

    /// Takes out the settled receipts at the front and hands their packet ids to `acknowledge`.
    /// Returns how many receipts were taken.
    ///
    /// # Errors
    /// The first error of `acknowledge`; that receipt is taken out all the same.
    pub fn release<E>(
        &mut self,
        mut acknowledge: impl FnMut(u16) -> Result<(), E>,
    ) -> Result<u64, E> {
        let before = self.first;
        while self.entries.front().is_some_and(|entry| entry.settled) {
            let entry = self.entries.pop_front().expect("the front was looked at");
            self.first += 1;
            self.bytes -= entry.bytes;
            if entry.packet_id != 0 {
                acknowledge(entry.packet_id)?;
            }
        }
        Ok(self.first - before)
    }

    /// The connection is gone: its packet ids mean nothing on the next one, where the source
    /// delivers these messages again. (edgeHub numbers every delivery 1: a late PUBACK would
    /// acknowledge another message.)
    pub fn forget_packet_ids(&mut self) {
        for entry in &mut self.entries {
            entry.packet_id = 0;
        }
    }

    /// What is held now.
    pub fn held(&self) -> Held {
        Held { messages: self.entries.len(), bytes: self.bytes }
    }

    fn entry(&mut self, receipt: u64) -> Option<&mut Entry> {
        let index = receipt.checked_sub(self.first)?;
        self.entries.get_mut(usize::try_from(index).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn release(ledger: &mut Ledger) -> Vec<u16> {
        let mut ids = Vec::new();
        ledger
            .release(|id| {
                ids.push(id);
                Ok::<_, ()>(())
            })
            .unwrap();
        ids
    }

    #[test]
    fn an_open_receipt_holds_back_all_behind_it() {
        let mut ledger = Ledger::default();
        let receipts: Vec<_> = (1..=5).map(|id| ledger.receive(id, 10)).collect();
        ledger.settle_range(0..5, [receipts[1]]);
        assert_eq!(release(&mut ledger), [1]);
        assert_eq!(ledger.held(), Held { messages: 4, bytes: 40 });
        ledger.settle(receipts[1]);
        assert_eq!(release(&mut ledger), [2, 3, 4, 5]);
        assert_eq!(ledger.held(), Held::default());
    }

    #[test]
    fn nothing_of_an_old_connection_is_acknowledged_on_a_new_one() {
        let mut ledger = Ledger::default();
        let old = ledger.receive(1, 10);
        ledger.forget_packet_ids();
        let new = ledger.receive(1, 10);
        ledger.settle(old);
        assert!(release(&mut ledger).is_empty());
        ledger.settle(new);
        assert_eq!(release(&mut ledger), [1]);
    }

    #[test]
    fn unknown_and_repeated_receipts_are_harmless() {
        let mut ledger = Ledger::default();
        let receipt = ledger.receive(7, 1);
        ledger.settle(99);
        ledger.settle(receipt);
        ledger.settle(receipt);
        assert_eq!(release(&mut ledger), [7]);
        ledger.settle(receipt);
        assert!(release(&mut ledger).is_empty());
    }

    proptest! {
        /// In whatever order receipts are settled, packet ids leave once and in order of receipt.
        #[test]
        fn packet_ids_leave_in_order_of_receipt(order in Just((0u64..200).collect::<Vec<_>>()).prop_shuffle()) {
            let mut ledger = Ledger::default();
            for id in 1..=200 {
                ledger.receive(id, 3);
            }
            let mut left = Vec::new();
            for receipt in order {
                ledger.settle(receipt);
                left.extend(release(&mut ledger));
            }
            prop_assert_eq!(left, (1..=200).collect::<Vec<u16>>());
            prop_assert_eq!(ledger.held(), Held::default());
        }
    }
}
