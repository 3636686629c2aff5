//! The table of publishes without PUBACK.

use proptest::prelude::*;
use sluicegate::mqtt::Inflight;
use sluicegate::mqtt::inflight::WINDOW_MAX;

use crate::properties;

fn push(table: &mut Inflight<u32>, token: u32) -> u16 {
    table.push(token).expect("room")
}

#[test]
fn ids_run_from_1_and_come_back_with_their_token() {
    let mut table = Inflight::default();
    assert_eq!((push(&mut table, 10), push(&mut table, 20)), (1, 2));
    assert_eq!(table.complete(2), Some(20));
    assert_eq!(table.complete(2), None, "a second PUBACK is ignored");
    assert_eq!(table.complete(9), None, "a PUBACK for nothing is ignored");
    assert_eq!(table.complete(0), None);
    assert_eq!(table.complete(1), Some(10));
    assert_eq!(table.waiting(), 0);
}

#[test]
fn the_window_holds_every_packet_id_and_refuses_one_more() {
    let mut table = Inflight::default();
    for token in 0..65_535 {
        push(&mut table, token);
    }
    assert_eq!(table.room(), 0);
    assert_eq!(table.push(7), Err(7), "one more");
    assert_eq!(table.reserve(), None);
    assert_eq!(table.complete(1), Some(0));
    assert_eq!(push(&mut table, 7), 1, "the circle closes without id 0");
}

#[test]
fn resend_keeps_ids_and_order_and_frees_reserved_ids() {
    let mut table = Inflight::default();
    let reserved = table.reserve();
    for token in 0..4 {
        push(&mut table, token);
    }
    assert_eq!(reserved, Some(1));
    assert_eq!(table.complete(3), Some(1));
    let ids = table.resend();
    let again: Vec<_> = ids.iter().map(|id| (*id, *table.get(*id).expect("it waits"))).collect();
    assert_eq!(again, [(2, 0), (4, 2), (5, 3)]);
    assert_eq!(push(&mut table, 9), 6, "the reserved id is free, and those after it go on");
}

/// The circle of ids closes without 0, for those that are sent again too.
#[test]
fn resend_knows_the_ids_beyond_the_circles_end() {
    let mut table = Inflight::default();
    for token in 0..65_533 {
        let id = push(&mut table, token);
        table.complete(id);
    }
    for token in 0..4 {
        push(&mut table, token);
    }
    assert_eq!(table.resend(), [65_534, 65_535, 1, 2]);
    assert_eq!(table.get(1), Some(&2));
}

/// However often a connection is lost with the window full but for one id, SUBSCRIBE gets that one.
#[test]
fn a_full_window_leaves_an_id_for_subscribe_on_every_connection() {
    let mut table = Inflight::default();
    while table.room() > 1 {
        push(&mut table, 0);
    }
    for _ in 0..3 {
        table.resend();
        let id = table.reserve().expect("the id that is left");
        table.complete(id);
    }
}

proptest! {
    #![proptest_config(properties())]

    /// For any order of PUBACKs, each token comes back exactly once, under the id it was sent with.
    #[test]
    fn every_token_returns_once(
        order in prop::collection::vec(any::<u16>(), 1..300),
        start in any::<u16>(),
    ) {
        let mut table = Inflight::<u32>::default();
        for token in 0..u32::from(start % 5000) {
            let id = push(&mut table, token);
            prop_assert_eq!(table.complete(id), Some(token));
        }
        let mut open = Vec::new();
        for (token, pick) in (0u32..).zip(&order) {
            let id = push(&mut table, token);
            open.push((id, token));
            if pick % 3 != 0 {
                let (id, token) = open.swap_remove(usize::from(*pick) % open.len());
                prop_assert_eq!(table.complete(id), Some(token));
            }
        }
        prop_assert_eq!(table.waiting(), open.len());
        for (id, token) in open {
            prop_assert_eq!(table.complete(id), Some(token));
        }
        prop_assert_eq!(table.room(), WINDOW_MAX);
    }
}
