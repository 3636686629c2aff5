//! Tickets and batches against a disk that is a set of numbers.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;

use super::super::recorder::STORE_RETRY;
use super::*;
use crate::telemetry::UpstreamMessage;

fn durable() -> (Durable, Arc<AtomicU64>, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let released = Arc::new(AtomicU64::new(0));
    let (durable, _) = Durable::open(folder.path(), Arc::clone(&released)).unwrap();
    (durable, released, folder)
}

fn upstream() -> UpstreamMessage {
    UpstreamMessage {
        device: "d".to_owned(),
        module: None,
        output: None,
        body: bytes::Bytes::new(),
        properties: sluicegate::azure::Properties::new(),
        received_at: std::time::Instant::now(),
        number: 0,
    }
}

#[derive(Debug, Clone)]
enum StoreAction {
    Input,
    Upstream,
    /// The n-th message that is still needed was delivered.
    Deliver(usize),
    /// So many of the messages upstream that are still needed were read.
    Read(usize),
    /// The writer's turn; its write ends well or not, and then with or without effect.
    Write {
        is_ok: bool,
        is_on_disk: bool,
    },
}

fn action() -> impl Strategy<Value = StoreAction> {
    prop_oneof![
        3 => Just(StoreAction::Input),
        2 => Just(StoreAction::Upstream),
        2 => (0..8_usize).prop_map(StoreAction::Deliver),
        1 => (0..4_usize).prop_map(StoreAction::Read),
        3 => (any::<bool>(), any::<bool>())
            .prop_map(|(is_ok, is_on_disk)| StoreAction::Write { is_ok, is_on_disk }),
    ]
}

/// What is on disk, and what somebody still needs, with the ticket of its PUBACK.
#[derive(Default)]
struct StoreModel {
    disk: BTreeSet<u64>,
    inputs: BTreeMap<u64, u64>,
    upstream: BTreeMap<u64, u64>,
}

impl StoreModel {
    fn write(&mut self, batch: &Batch) {
        let done: BTreeSet<u64> = batch.done().iter().copied().collect();
        self.disk.retain(|number| !done.contains(number));
        if batch.upstream_moved {
            let inputs = &self.inputs;
            self.disk.retain(|n| inputs.contains_key(n) || *n >= batch.upstream_from);
        }
        self.disk.extend(batch.inputs().map(|input| input.number));
        self.disk.extend(batch.upstream().map(|message| message.number));
    }

    /// What has a PUBACK and is needed is on disk.
    fn check(&self, durable: &Durable) {
        for (number, ticket) in self.inputs.iter().chain(&self.upstream) {
            let is_there = self.disk.contains(number);
            assert!(is_there || !durable.is_stored(*ticket), "{number} with ticket {ticket}");
        }
    }
}

fn turn(
    durable: &mut Durable,
    model: &mut StoreModel,
    now: Instant,
    is_ok: bool,
    is_on_disk: bool,
) {
    if let Next::Write(batch) = durable.next(now) {
        if is_ok || is_on_disk {
            model.write(&batch);
        }
        if is_ok {
            durable.committed();
        } else {
            durable.failed(&batch, now + STORE_RETRY);
        }
    }
}

fn act(durable: &mut Durable, released: &AtomicU64, model: &mut StoreModel, action: &StoreAction) {
    match *action {
        StoreAction::Input => {
            let number = durable.keep_input("m".to_owned(), "t", b"b");
            model.inputs.insert(number, durable.ticket());
        }
        StoreAction::Upstream => {
            let mut message = upstream();
            durable.keep_upstream(&mut message);
            model.upstream.insert(message.number, durable.ticket());
        }
        StoreAction::Deliver(index) => {
            if let Some(number) = model.inputs.keys().copied().nth(index) {
                model.inputs.remove(&number);
                durable.remove(std::iter::once(number));
            }
        }
        StoreAction::Read(count) => {
            if let Some(last) = model.upstream.keys().copied().take(count).next_back() {
                model.upstream.retain(|number, _| *number > last);
                released.store(last + 1, Ordering::Release);
                durable.release_upstream();
            }
        }
        StoreAction::Write { .. } => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Whatever fails: no PUBACK before the disk, in the end all PUBACKs, and nothing left over.
    #[test]
    fn a_ticket_is_good_once_its_message_is_on_disk(
        actions in proptest::collection::vec(action(), 1..60)
    ) {
        let (mut durable, released, _folder) = durable();
        let mut model = StoreModel::default();
        let mut now = Instant::now();
        let mut tickets = vec![0];
        for action in &actions {
            act(&mut durable, &released, &mut model, action);
            tickets.push(durable.ticket());
            if let StoreAction::Write { is_ok, is_on_disk } = *action {
                now += STORE_RETRY;
                turn(&mut durable, &mut model, now, is_ok, is_on_disk);
            }
            model.check(&durable);
        }
        prop_assert!(tickets.is_sorted());
        for _ in 0..3 {
            now += STORE_RETRY.max(REMOVAL_WAIT);
            turn(&mut durable, &mut model, now, true, true);
            model.check(&durable);
        }
        prop_assert!(durable.is_stored(durable.ticket()));
        let needed = model.inputs.keys().chain(model.upstream.keys());
        let needed: BTreeSet<u64> = needed.copied().collect();
        prop_assert_eq!(&model.disk, &needed);
        prop_assert!(matches!(durable.next(now), Next::Wait(None)));
        durable.stop();
        prop_assert!(matches!(durable.next(now), Next::End));
    }
}

/// What is delivered at once is acknowledged without the disk.
#[test]
fn a_message_that_was_delivered_needs_no_disk() {
    let (mut durable, _, _folder) = durable();
    let number = durable.keep_input("m".to_owned(), "t", b"b");
    let ticket = durable.ticket();
    assert!(!durable.is_stored(ticket));
    durable.remove(std::iter::once(number));
    assert!(matches!(durable.next(Instant::now()), Next::Stored));
    assert!(durable.is_stored(ticket));
    assert!(matches!(durable.next(Instant::now()), Next::Wait(None)));
}

/// Removals share the commit of messages that come within a second, or have their own then.
#[test]
fn removals_wait_for_a_second() {
    let (mut durable, _, _folder) = durable();
    let number = durable.keep_input("m".to_owned(), "t", b"b");
    let now = Instant::now();
    assert!(matches!(durable.next(now), Next::Write(_)));
    durable.committed();
    durable.remove(std::iter::once(number));
    let due = now + Duration::from_secs(1);
    assert!(matches!(durable.next(now), Next::Wait(Some(until)) if until == due));
    assert!(matches!(durable.next(due - Duration::from_millis(1)), Next::Wait(Some(_))));
    assert!(matches!(durable.next(due), Next::Write(batch) if batch.done() == [number]));
    // The end does not wait.
    durable.committed();
    durable.remove(std::iter::once(number));
    durable.stop();
    assert!(matches!(durable.next(due), Next::Write(_)));
}

/// What could not be written is tried again a second later, with what has come since; the end
/// tries at once.
#[test]
fn a_batch_that_failed_is_tried_again_a_second_later() {
    let (mut durable, _, _folder) = durable();
    durable.keep_input("m".to_owned(), "t", b"b");
    let ticket = durable.ticket();
    let now = Instant::now();
    let Next::Write(batch) = durable.next(now) else { panic!("nothing to write") };
    durable.failed(&batch, now + STORE_RETRY);
    durable.keep_input("m".to_owned(), "t", b"c");
    let due = now + Duration::from_secs(1);
    assert!(matches!(durable.next(now), Next::Wait(Some(until)) if until == due));
    let Next::Write(batch) = durable.next(due) else { panic!("not due") };
    assert_eq!(batch.len(), 2);
    assert!(!durable.is_stored(ticket));
    durable.failed(&batch, due + STORE_RETRY);
    durable.stop();
    assert!(matches!(durable.next(due), Next::Write(batch) if batch.len() == 2));
    durable.committed();
    assert!(durable.is_stored(ticket));
}

/// A batch that nobody writes is bounded, whatever its messages are.
#[test]
fn a_batch_has_room_for_so_much() {
    let (mut durable, _, _folder) = durable();
    let body = vec![0; 256 * 1024];
    assert!(durable.has_room(usize::MAX), "an empty batch takes any");
    let mut count = 0;
    while durable.has_room(body.len()) {
        durable.keep_input("m".to_owned(), "t", &body);
        count += 1;
    }
    assert_eq!(count, 63, "16 MiB with their names");
    let Next::Write(batch) = durable.next(Instant::now()) else { panic!("nothing to write") };
    assert!(durable.has_room(body.len()), "the next batch");
    durable.failed(&batch, Instant::now());
    assert!(!durable.has_room(body.len()), "what failed counts");
    durable.remove(1..=63);
    while durable.has_room(0) {
        durable.keep_input(String::new(), "", b"");
        count += 1;
    }
    assert_eq!(count, 63 + 65_536);
}
