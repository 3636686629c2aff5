use super::*;
use proptest::prelude::*;
use std::collections::{BTreeSet, HashMap};

/// A message that the broker has not been acknowledged.
#[derive(Debug, Clone)]
struct Kept {
    id: u16,
    number: u32,
    is_acknowledged: bool,
}

/// A source, and what takes its messages: each number is a message of its own, and an alert.
struct Both {
    ledger: Ledger,
    redelivery: Redelivery,
    kept: Vec<Kept>,
    numbers: u32,
    /// What was delivered on this connection and is not acknowledged, in order.
    due: VecDeque<(u16, u32)>,
    /// Ids acknowledged on this connection, in order.
    acknowledged: Vec<u16>,
    /// Alerts that are open.
    open: Vec<(u64, u32)>,
    judged: HashMap<u32, u32>,
    settled: BTreeSet<u32>,
}

#[derive(Debug, Clone)]
enum Step {
    Deliver,
    DeliverAtMostOnce,
    Settle(prop::sample::Index),
    Release,
    /// The connection ends, and the broker has not seen the last acknowledgements on it. So many
    /// messages are delivered again before the next connection ends too, unless that is all.
    Cut {
        lost: usize,
        again: usize,
    },
    LoseSession,
    /// Another program has taken a message under our id, and got another one under its packet id.
    Swap(prop::sample::Index),
}

impl Both {
    fn new(rule: Rule) -> Self {
        Self {
            ledger: Ledger::default(),
            redelivery: Redelivery::new(rule),
            kept: Vec::new(),
            numbers: 0,
            due: VecDeque::new(),
            acknowledged: Vec::new(),
            open: Vec::new(),
            judged: HashMap::new(),
            settled: BTreeSet::new(),
        }
    }

    fn number(&mut self) -> u32 {
        self.numbers += 1;
        self.numbers
    }

    fn deliver(&mut self, id: u16, number: u32, dup: bool) {
        self.due.push_back((id, number));
        let Self { ledger, redelivery, .. } = self;
        let content = number.to_be_bytes();
        if redelivery.is_expecting() && redelivery.recognise(ledger, id, dup, [b"t", &content]) {
            return;
        }
        self.judge(id, number);
    }

    fn judge(&mut self, id: u16, number: u32) {
        self.open.push((self.ledger.receive(id), number));
        *self.judged.entry(number).or_default() += 1;
    }

    fn settle(&mut self, place: usize) {
        let (receipt, number) = self.open.remove(place);
        if self.redelivery.has_claims() {
            let content = number.to_be_bytes();
            self.redelivery.compare(receipt..receipt + 1, |_| [b"t", &content]);
        }
        self.ledger.settle(receipt);
        self.settled.insert(number);
    }

    /// Acknowledgements leave in the order of delivery, and only of what is settled.
    fn release(&mut self) {
        let Self { ledger, redelivery, due, settled, kept, acknowledged, .. } = self;
        let acknowledge = |id| {
            let (expected, number) = due.pop_front().expect("something is due");
            assert_eq!(id, expected, "in order of delivery");
            assert!(settled.contains(&number), "{number} is not settled");
            kept.iter_mut()
                .filter(|kept| kept.id == id)
                .for_each(|kept| kept.is_acknowledged = true);
            acknowledged.push(id);
        };
        if redelivery.has_claims() {
            redelivery.release(ledger, acknowledge);
        } else {
            ledger.release(acknowledge);
        }
        if redelivery.is_mistaken() {
            self.cut(0, usize::MAX, true);
        }
    }

    fn cut(&mut self, lost: usize, again: usize, session_present: bool) {
        for id in self.acknowledged.drain(..).rev().take(lost) {
            self.kept
                .iter_mut()
                .filter(|kept| kept.id == id)
                .for_each(|k| k.is_acknowledged = false);
        }
        self.acknowledged.clear();
        self.kept.retain(|kept| !kept.is_acknowledged);
        self.connected(session_present);
        if !session_present {
            self.kept.clear();
        }
        for kept in self.kept.clone().into_iter().take(again) {
            self.deliver(kept.id, kept.number, true);
        }
        if again < self.kept.len() {
            self.cut(0, usize::MAX, true);
        }
    }

    fn connected(&mut self, session_present: bool) {
        self.due.clear();
        let Self { ledger, redelivery, open, .. } = self;
        let bodies: Vec<_> =
            open.iter().map(|(receipt, number)| (*receipt, number.to_be_bytes())).collect();
        let open = bodies.iter().map(|(receipt, body)| (*receipt, [&b"t"[..], body]));
        redelivery.connected(ledger, session_present, open);
    }

    fn deliver_new(&mut self) {
        let is_free =
            |id: &u16| self.kept.iter().all(|kept| kept.id != *id || kept.is_acknowledged);
        let id = (1..).find(is_free).expect("few are in use");
        self.kept.retain(|kept| kept.id != id);
        let number = self.number();
        self.kept.push(Kept { id, number, is_acknowledged: false });
        self.deliver(id, number, false);
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Deliver => self.deliver_new(),
            Step::DeliverAtMostOnce => {
                let number = self.number();
                self.judge(0, number);
            }
            Step::Settle(place) if !self.open.is_empty() => {
                self.settle(place.index(self.open.len()))
            }
            Step::Settle(_) => {}
            Step::Release => self.release(),
            Step::Cut { lost, again } => self.cut(*lost, *again, true),
            Step::LoseSession => self.cut(0, 0, false),
            Step::Swap(place) => {
                let number = self.number();
                if !self.kept.is_empty() {
                    let place = place.index(self.kept.len());
                    self.kept[place].number = number;
                    self.kept[place].is_acknowledged = false;
                }
                self.cut(0, usize::MAX, true);
            }
        }
    }

    /// How many alerts of one message are open at a time, at most.
    fn copies(&self) -> usize {
        let count = |number| self.open.iter().filter(|(_, open)| *open == number).count();
        self.open.iter().map(|(_, number)| count(*number)).max().unwrap_or(0)
    }

    /// In the end everything is acknowledged, and each message that was, was judged.
    fn finish(mut self) {
        // A message that was taken for another comes again.
        loop {
            while !self.open.is_empty() {
                self.settle(0);
            }
            self.release();
            if self.open.is_empty() && self.due.is_empty() {
                break;
            }
        }
        assert!(self.kept.iter().all(|kept| kept.is_acknowledged), "{:?}", self.kept);
        assert_eq!(self.ledger.messages(), 0);
        assert!(self.redelivery.claims.is_empty() && self.redelivery.checks.is_empty());
    }
}

fn a_step(is_faithful: bool) -> impl Strategy<Value = Step> {
    let disorder = if is_faithful { 0 } else { 1 };
    prop_oneof![
        8 => Just(Step::Deliver),
        1 => Just(Step::DeliverAtMostOnce),
        5 => any::<prop::sample::Index>().prop_map(Step::Settle),
        5 => Just(Step::Release),
        3 => (0usize..3, prop_oneof![3 => Just(usize::MAX), 1 => 0usize..6])
            .prop_map(|(lost, again)| Step::Cut { lost, again }),
        disorder => Just(Step::LoseSession),
        disorder => any::<prop::sample::Index>().prop_map(Step::Swap),
    ]
}

proptest! {
    /// A broker that keeps to the protocol has no message judged while an alert of it is open, and
    /// gets every acknowledgement in the order of its deliveries.
    #[test]
    fn what_is_open_is_never_judged_again(steps in prop::collection::vec(a_step(true), 1..60)) {
        let mut both = Both::new(Rule::PacketId);
        for step in &steps {
            both.step(step);
            assert!(both.copies() <= 1, "{:?}", both.open);
        }
        both.finish();
    }

    /// Sessions that are lost, and packet ids that another program has used: nothing is
    /// acknowledged that was not judged and settled itself.
    #[test]
    fn nothing_is_acknowledged_for_another(steps in prop::collection::vec(a_step(false), 1..60)) {
        let mut both = Both::new(Rule::PacketId);
        steps.iter().for_each(|step| both.step(step));
        both.finish();
    }
}

/// A hub that keeps to one order, but gives ids as it likes and says no DUP.
#[test]
fn a_hub_begins_where_it_left_off() {
    let mut both = Both::new(Rule::Content);
    [10, 11, 12].into_iter().for_each(|number| both.deliver(1, number, false));
    both.settle(1);
    for id in 1..=8 {
        both.connected(true);
        [10, 11, 12].into_iter().for_each(|number| both.deliver(id, number, false));
        // The second is settled, so it is judged again.
        both.settle(both.open.len() - 1);
    }
    assert_eq!([10, 11, 12].map(|number| both.judged[&number]), [1, 9, 1]);
    both.deliver(9, 13, false);
    while !both.open.is_empty() {
        both.settle(0);
    }
    both.release();
    assert_eq!(both.acknowledged, [8, 8, 8, 9]);
    // It has lost what it had kept: what comes may be equal, and new.
    both.deliver(1, 14, false);
    both.connected(false);
    both.deliver(1, 14, false);
    assert_eq!(both.judged[&14], 2);
}

/// Of equal messages each is one of its own.
#[test]
fn equal_messages_of_a_hub_are_distinguished_by_their_number() {
    let mut both = Both::new(Rule::Content);
    [10, 10].into_iter().for_each(|number| both.deliver(1, number, false));
    both.connected(true);
    [10, 10, 10].into_iter().for_each(|number| both.deliver(1, number, false));
    assert_eq!(both.judged[&10], 3);
}

/// What was parked as its connection ended comes again first, and is acknowledged; behind the first
/// other message an equal one is new, and so it is where the session was lost.
#[test]
fn what_was_parked_is_acknowledged_when_it_comes_again() {
    for (session_present, contents, judged) in [
        (true, &[10, 11][..], 1),
        (true, &[11, 10], 2),
        (false, &[10, 11], 2),
        (true, &[10, 10, 11], 2),
    ] {
        let mut both = Both::new(Rule::Content);
        both.deliver(1, 10, false);
        both.redelivery.parked([b"t", &10_u32.to_be_bytes()]);
        both.settle(0);
        both.connected(session_present);
        for (id, number) in (1..).zip(contents) {
            both.deliver(id, *number, false);
        }
        assert_eq!(both.judged[&10], judged, "{contents:?}");
        while !both.open.is_empty() {
            both.settle(0);
        }
        both.release();
        let ids: Vec<u16> = (1..).take(contents.len()).collect();
        assert_eq!(both.acknowledged, ids, "each in its place");
    }
}

/// A connection that ends before the acknowledgement leaves changes nothing about that.
#[test]
fn what_was_parked_may_come_again_and_again() {
    let mut both = Both::new(Rule::Content);
    both.deliver(1, 10, false);
    both.redelivery.parked([b"t", &10_u32.to_be_bytes()]);
    both.settle(0);
    for _ in 0..3 {
        both.connected(true);
        both.deliver(1, 10, false);
    }
    assert_eq!(both.judged[&10], 1);
}

/// What was not acknowledged comes again before anything new, unless another client of our name has
/// acknowledged it: settled here meanwhile or not. A session that was lost says nothing.
#[test]
fn another_client_of_our_name_shows() {
    for (session_present, again, is_shared) in [
        (true, &[][..], true),
        (true, &[(1, 10)][..], true),
        (true, &[(1, 10), (2, 11)][..], false),
        (false, &[][..], false),
    ] {
        for is_settled in [false, true] {
            let mut both = Both::new(Rule::PacketId);
            both.deliver(1, 10, false);
            both.deliver(2, 11, false);
            if is_settled {
                both.settle(1);
                both.settle(0);
            }
            both.connected(session_present);
            again.iter().for_each(|(id, number)| both.deliver(*id, *number, true));
            assert!(!both.redelivery.is_shared(), "before anything new came");
            both.deliver(3, 12, false);
            assert_eq!(both.redelivery.is_shared(), is_shared, "{again:?} {is_settled}");
        }
    }
}

/// A hub has several queues: what is new may come before what comes again, so only the end of a
/// connection tells.
#[test]
fn another_client_of_our_name_shows_at_a_hub_when_the_connection_ends() {
    for (session_present, came, is_shared) in [
        (true, &[12][..], true),
        (true, &[10, 12][..], true),
        (true, &[12, 10][..], true),
        (true, &[12, 10, 11][..], false),
        (true, &[10, 11, 12][..], false),
        (true, &[10][..], false),
        (true, &[][..], false),
        (false, &[12][..], false),
    ] {
        let mut both = Both::new(Rule::Content);
        both.deliver(1, 10, false);
        both.deliver(1, 11, false);
        both.connected(session_present);
        came.iter().for_each(|number| both.deliver(1, *number, false));
        assert_eq!(both.redelivery.is_shared(), is_shared, "{session_present} {came:?}");
    }
}

/// What comes with DUP and was never seen, as it was lost with its connection, is one of those that
/// come first, and says nothing of another client.
#[test]
fn a_message_first_seen_with_dup_is_a_message_of_its_own() {
    let mut both = Both::new(Rule::PacketId);
    both.deliver(2, 11, false);
    both.connected(true);
    both.deliver(1, 10, true);
    assert!(!both.redelivery.is_shared());
    both.deliver(2, 11, true);
    both.deliver(3, 12, false);
    assert!(!both.redelivery.is_shared());
    assert_eq!([10, 11, 12].map(|number| both.judged[&number]), [1, 1, 1]);
}

/// Once what was parked is acknowledged, an equal message on the next connection is a new one.
#[test]
fn what_was_parked_and_acknowledged_is_expected_no_more() {
    let mut both = Both::new(Rule::Content);
    both.deliver(1, 10, false);
    both.redelivery.parked([b"t", &10_u32.to_be_bytes()]);
    both.settle(0);
    both.release();
    both.redelivery.released();
    both.connected(true);
    both.deliver(1, 10, false);
    assert_eq!(both.judged[&10], 2);
}

/// The number of receipts that left, those before a message that came again included.
#[test]
fn what_leaves_around_a_message_that_came_again_is_counted() {
    let mut both = Both::new(Rule::PacketId);
    both.deliver(1, 10, false);
    both.connected(true);
    both.judge(0, 11);
    both.deliver(1, 10, true);
    both.judge(0, 12);
    let Both { ledger, redelivery, .. } = &mut both;
    assert_eq!(redelivery.release(ledger, |_| {}), 0, "nothing is settled");
    (0..2).for_each(|_| both.settle(0));
    let Both { ledger, redelivery, .. } = &mut both;
    let mut ids = Vec::new();
    assert_eq!(redelivery.release(ledger, |id| ids.push(id)), 2, "the first delivery, and 11");
    assert_eq!((ids.as_slice(), ledger.messages()), (&[1][..], 1));
    both.settle(0);
    let Both { ledger, redelivery, .. } = &mut both;
    assert_eq!(redelivery.release(ledger, |_| {}), 1);
}
