//! What may be acknowledged, in which order.

use proptest::prelude::*;
use sluicegate::pipeline::ledger::Ledger;

use crate::properties;

fn release(ledger: &mut Ledger) -> Vec<u16> {
    let mut ids = Vec::new();
    ledger.release(|id| ids.push(id));
    ids
}

#[test]
fn an_open_receipt_holds_back_all_behind_it() {
    let mut ledger = Ledger::default();
    let receipts: Vec<_> = (1..=5).map(|id| ledger.receive(id)).collect();
    ledger.settle_range(0..5, [receipts[1]]);
    assert_eq!(release(&mut ledger), [1]);
    assert_eq!(ledger.messages(), 4);
    ledger.settle(receipts[1]);
    assert_eq!(release(&mut ledger), [2, 3, 4, 5]);
    assert_eq!(ledger.messages(), 0);
}

#[test]
fn nothing_of_an_old_connection_is_acknowledged_on_a_new_one() {
    let mut ledger = Ledger::default();
    let old = ledger.receive(1);
    ledger.forget_packet_ids();
    let new = ledger.receive(1);
    ledger.settle(old);
    assert!(release(&mut ledger).is_empty());
    ledger.settle(new);
    assert_eq!(release(&mut ledger), [1]);
}

#[test]
fn unknown_and_repeated_receipts_are_harmless() {
    let mut ledger = Ledger::default();
    let receipt = ledger.receive(7);
    assert!(!ledger.settle(99));
    assert!(ledger.settle(receipt));
    assert!(!ledger.settle(receipt));
    assert_eq!(release(&mut ledger), [7]);
    assert!(!ledger.settle(receipt));
    assert!(release(&mut ledger).is_empty());
}

/// Up to a place in the row, with the number of what left; those behind it stay.
#[test]
fn a_part_is_released_and_counted() {
    let mut ledger = Ledger::default();
    let receipts: Vec<_> = (1..=5).map(|id| ledger.receive(id)).collect();
    ledger.settle_range(0..5, [receipts[3]]);
    let mut ids = Vec::new();
    for (end, count) in [(0, 0), (2, 2), (2, 0), (5, 1), (5, 0)] {
        assert_eq!(ledger.release_before(end, |id| ids.push(id)), count, "{end}");
    }
    assert_eq!((ids.as_slice(), ledger.first_receipt()), (&[1, 2, 3][..], 3));
    ledger.settle(receipts[3]);
    assert_eq!((ledger.release(|id| ids.push(id)), ledger.messages()), (2, 0));
}

/// Open is what was received with a packet id and is not settled.
#[test]
fn what_is_open_is_listed_with_its_packet_id() {
    let mut ledger = Ledger::default();
    let receipts = [7, 0, 8, 9].map(|id| ledger.receive(id));
    ledger.settle(receipts[2]);
    assert_eq!(ledger.open_ids().collect::<Vec<_>>(), [(receipts[0], 7), (receipts[3], 9)]);
    assert_eq!(ledger.unacknowledged_ids().collect::<Vec<_>>(), [7, 8, 9]);
}

proptest! {
    #![proptest_config(properties())]

    /// In whatever order receipts are settled, packet ids leave once and in order of receipt.
    #[test]
    fn packet_ids_leave_in_order_of_receipt(
        order in Just((0u64..200).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let mut ledger = Ledger::default();
        for id in 1..=200 {
            ledger.receive(id);
        }
        let mut left = Vec::new();
        for receipt in order {
            ledger.settle(receipt);
            left.extend(release(&mut ledger));
        }
        prop_assert_eq!(left, (1..=200).collect::<Vec<u16>>());
        prop_assert_eq!(ledger.messages(), 0);
    }
}
