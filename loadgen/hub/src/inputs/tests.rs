//! The store against a naive twin, and its corner cases.

use std::time::{Duration, Instant};

use bytes::BytesMut;
use proptest::prelude::*;
use rumqttc::mqttbytes::v4::{Packet, Publish};

use super::*;

fn limits(window: usize) -> InputLimits {
    InputLimits {
        messages_max: 1000,
        bytes_max: 1 << 20,
        window,
        ack_timeout: Duration::from_secs(30),
        retry_backoff: Duration::from_secs(1),
    }
}

fn at_least_once(_: &str) -> Delivery {
    Delivery::AtLeastOnce
}

/// Delivers all that may go and decodes it with the codec that clients use.
fn delivered(store: &mut InputStore, ids: &mut PacketIds, now: Instant) -> Vec<Publish> {
    let mut out = BytesMut::new();
    store.deliver(&mut out, usize::MAX, ids, now, at_least_once);
    let mut publishes = Vec::new();
    while !out.is_empty() {
        match Packet::read(&mut out, usize::MAX).unwrap() {
            Packet::Publish(publish) => publishes.push(publish),
            other => panic!("{other:?}"),
        }
    }
    publishes
}

/// What an [`InputStore`] must do, in the simplest form: a list of bodies with the id of each one
/// in flight.
#[derive(Default)]
struct InputModel {
    bodies: Vec<(u32, Option<u16>, bool)>,
}

impl InputModel {
    /// Messages in the window, acknowledged ones behind an unacknowledged one included.
    fn in_flight(&self) -> usize {
        self.bodies.iter().filter(|(_, id, _)| id.is_some()).count()
    }

    fn acknowledge(&mut self, id: u16) -> bool {
        let found = self.bodies.iter_mut().find(|(_, held, acked)| *held == Some(id) && !*acked);
        let Some(entry) = found else { return false };
        entry.2 = true;
        let done = self.bodies.iter().take_while(|(_, id, acked)| id.is_some() && *acked).count();
        self.bodies.drain(..done);
        true
    }

    fn requeue(&mut self) {
        self.bodies.retain(|(_, _, acked)| !acked);
        self.bodies.iter_mut().for_each(|entry| entry.1 = None);
    }
}

#[derive(Debug, Clone)]
enum InputAction {
    Push,
    Deliver,
    /// Acknowledge the n-th id ever handed out (modulo), in flight or not.
    Acknowledge(usize),
    /// A control packet takes an id, or gives one back.
    TakeControl,
    GiveControl,
    Requeue,
    /// The oldest message goes, unless any is in flight.
    Take,
}

fn action() -> impl Strategy<Value = InputAction> {
    prop_oneof![
        4 => Just(InputAction::Push),
        3 => Just(InputAction::Deliver),
        6 => (0_usize..64).prop_map(InputAction::Acknowledge),
        1 => Just(InputAction::TakeControl),
        1 => Just(InputAction::GiveControl),
        1 => Just(InputAction::Requeue),
        2 => Just(InputAction::Take),
    ]
}

proptest! {
    /// For every order of events, the store delivers, completes and redelivers what the model
    /// does, and no two packets in flight share an id.
    #[test]
    fn store_behaves_as_the_model(
        window in 1_usize..12,
        first_id in prop_oneof![Just(0_u16), Just(65_530), any::<u16>()],
        actions in proptest::collection::vec(action(), 1..300),
    ) {
        let now = Instant::now();
        let (mut store, mut model) = (InputStore::new(limits(window)), InputModel::default());
        let mut ids = PacketIds::starting_after(first_id);
        let (mut handed_out, mut control, mut pushed) = (Vec::new(), Vec::new(), 0_u32);
        for action in actions {
            match action {
                InputAction::Push => {
                    prop_assert!(store.push("t/", &pushed.to_be_bytes(), 0));
                    model.bodies.push((pushed, None, false));
                    pushed += 1;
                }
                InputAction::Deliver => {
                    for publish in delivered(&mut store, &mut ids, now) {
                        let in_flight = model.in_flight();
                        let entry = &mut model.bodies[in_flight];
                        prop_assert_eq!(&publish.payload[..], &entry.0.to_be_bytes()[..]);
                        prop_assert!(!control.contains(&publish.pkid));
                        entry.1 = Some(publish.pkid);
                        handed_out.push(publish.pkid);
                    }
                    let expected = model.bodies.len().min(window);
                    prop_assert_eq!(model.in_flight(), expected);
                }
                InputAction::Acknowledge(n) if !handed_out.is_empty() => {
                    let id = handed_out[handed_out.len() - 1 - n % handed_out.len()];
                    prop_assert_eq!(store.acknowledge(id, now), model.acknowledge(id));
                }
                InputAction::Acknowledge(_) => {}
                InputAction::TakeControl => control.extend(ids.next_control(store.oldest_id())),
                InputAction::GiveControl => {
                    if let Some(id) = control.pop() {
                        prop_assert!(!store.acknowledge(id, now));
                        prop_assert!(ids.acknowledge_control(id));
                    }
                }
                InputAction::Requeue => {
                    store.requeue();
                    model.requeue();
                }
                InputAction::Take => {
                    let may = model.in_flight() == 0 && !model.bodies.is_empty();
                    let expected = may.then(|| model.bodies.remove(0).0.to_be_bytes());
                    let taken = store.pop_oldest();
                    prop_assert!(taken.as_ref().is_none_or(|taken| taken.topic == "t/"));
                    let body = taken.as_ref().map(|taken| &taken.body[..]);
                    prop_assert_eq!(body, expected.as_ref().map(|body| &body[..]));
                }
            }
            prop_assert_eq!(store.len(), model.bodies.len());
            let mut live: Vec<u16> = model.bodies.iter().filter_map(|entry| entry.1).collect();
            live.sort_unstable();
            live.dedup();
            prop_assert_eq!(live.len(), model.in_flight());
        }
    }
}

#[test]
fn bytes_and_messages_bound_the_store() {
    let mut store = InputStore::new(InputLimits { messages_max: 2, bytes_max: 100, ..limits(1) });
    assert!(store.has_room(1_000_000), "an empty store takes any message");
    store.push("topic", &[0; 45], 0);
    assert!(store.has_room(50));
    assert!(!store.has_room(51));
    assert!(store.is_below_low_water());
    store.push("topic", &[0; 1], 0);
    assert!(!store.has_room(1));
    assert!(!store.is_below_low_water());
    assert_eq!(store.pop_oldest().unwrap().body.len(), 45);
    assert!(store.has_room(94) && !store.has_room(95), "what was taken counts no more");
}

#[test]
fn topic_beyond_mqtt_is_refused() {
    let mut store = InputStore::new(limits(1));
    assert!(!store.push(&"t".repeat(65_536), b"", 0));
    assert!(store.push(&"t".repeat(65_535), b"", 0));
    assert_eq!(store.len(), 1);
}

#[test]
fn all_lengths_of_the_remaining_length_are_encoded() {
    let now = Instant::now();
    for body_bytes in [0, 100, 122, 123, 200, 16_377, 16_378, 2_097_145, 2_097_146] {
        let (mut store, mut ids) = (InputStore::new(limits(1)), PacketIds::default());
        store.push("abc", &vec![7; body_bytes], 0);
        let publishes = delivered(&mut store, &mut ids, now);
        assert_eq!(publishes[0].payload.len(), body_bytes);
        assert_eq!(publishes[0].topic, "abc");
    }
}

#[test]
fn time_out_puts_everything_back_and_pauses_longer_each_time() {
    let start = Instant::now();
    let (mut store, mut ids) = (InputStore::new(limits(2)), PacketIds::default());
    (0..3_u32).for_each(|n| assert!(store.push("t", &n.to_be_bytes(), 0)));
    let mut now = start;
    for pause_s in [1, 2, 4, 8, 16, 32, 60, 60] {
        assert_eq!(delivered(&mut store, &mut ids, now).len(), 2);
        let deadline = store.deadline().unwrap();
        assert_eq!(deadline, now + Duration::from_secs(30));
        assert!(!store.expire(deadline - Duration::from_millis(1)));
        assert!(store.expire(deadline));
        now = store.deadline().unwrap();
        assert_eq!(now, deadline + Duration::from_secs(pause_s));
        assert!(delivered(&mut store, &mut ids, now - Duration::from_millis(1)).is_empty());
    }
    // An acknowledgement ends the row of time-outs.
    let first = delivered(&mut store, &mut ids, now)[0].pkid;
    assert!(store.acknowledge(first, now));
    assert_eq!(store.deadline(), Some(now + Duration::from_secs(30)));
    let deadline = store.deadline().unwrap();
    assert!(store.expire(deadline));
    assert_eq!(store.deadline(), Some(deadline + Duration::from_secs(1)));
    // A new connection does not wait for the pause.
    store.resume();
    assert_eq!(delivered(&mut store, &mut ids, deadline).len(), 2);
}

#[test]
fn deliveries_stop_at_the_write_buffers_bound() {
    let now = Instant::now();
    let (mut store, mut ids) = (InputStore::new(limits(100)), PacketIds::default());
    (0..10).for_each(|_| assert!(store.push("t", &[0; 100], 0)));
    let mut out = BytesMut::new();
    store.deliver(&mut out, 250, &mut ids, now, at_least_once);
    assert!((250..=360).contains(&out.len()), "{}", out.len());
    store.deliver(&mut out, 250, &mut ids, now, at_least_once);
    assert_eq!(store.sent, 3);
}

#[test]
fn rejected_and_unacknowledged_qos_leave_at_once() {
    let now = Instant::now();
    let (mut store, mut ids) = (InputStore::new(limits(10)), PacketIds::default());
    ["a", "b", "c"].iter().for_each(|topic| assert!(store.push(topic, b"x", 0)));
    let decide = |topic: &str| match topic {
        "a" => Delivery::AtLeastOnce,
        "b" => Delivery::Reject,
        _ => Delivery::AtMostOnce,
    };
    let mut out = BytesMut::new();
    let done = store.deliver(&mut out, usize::MAX, &mut ids, now, decide);
    assert_eq!(done, Delivered { fresh: 2, again: 0, rejected: 1, completed: 1 });
    assert_eq!((store.len(), store.sent), (1, 1));
}
