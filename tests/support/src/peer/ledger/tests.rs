use super::*;

/// What stands for a threshold here.
const THRESHOLD: f64 = 25.0;

/// A ledger of `count` hot messages, all delivered.
fn delivered(count: usize) -> Ledger {
    let mut ledger = Ledger::default();
    for n in 0..count {
        ledger.push(99.0, 0);
        let (id, is_again, body) = ledger.next(THRESHOLD).unwrap();
        assert_eq!((usize::from(id), is_again, number(body)), (n + 1, false, Some(n)));
    }
    ledger
}

fn body(n: usize) -> Vec<u8> {
    format!(r#"{{"n":{n},"machine":{{"temperature":99}}}}"#).into_bytes()
}

/// One alert, from its coming to the acknowledgement of its message.
fn whole(ledger: &mut Ledger, n: usize, id: u16) {
    assert_eq!(ledger.alert(&body(n)), Some(n));
    ledger.settle(n);
    ledger.acknowledge(id);
}

fn violations(ledger: &Ledger) -> String {
    ledger.tally().violations.join("\n")
}

#[test]
fn a_good_course_is_kept() {
    let mut ledger = delivered(2);
    ledger.push(1.0, 10);
    ledger.push_malformed(b"{".to_vec());
    let ids: Vec<_> = (0..2).map(|_| ledger.next(THRESHOLD).unwrap().0).collect();
    whole(&mut ledger, 0, 1);
    whole(&mut ledger, 1, 2);
    ids.into_iter().for_each(|id| ledger.acknowledge(id));
    ledger.tally().assert_kept();
    assert_eq!(ledger.tally().alerts, 2);
}

#[test]
fn each_fault_is_seen() {
    let mut early = delivered(1);
    early.alert(&body(0));
    early.acknowledge(1);
    assert!(violations(&early).contains("before its alert"));
    let mut lost = delivered(1);
    lost.settle(0);
    lost.acknowledge(1);
    assert_eq!((lost.tally().lost, lost.tally().unacknowledged), (1, 0));
    let mut order = delivered(2);
    whole(&mut order, 1, 2);
    whole(&mut order, 0, 1);
    assert!(violations(&order).contains("out of order"));
    let mut twice = delivered(1);
    twice.alert(&body(0));
    whole(&mut twice, 0, 1);
    assert!(violations(&twice).contains("came 2 times, 0 were excused"));
    let mut changed = delivered(1);
    assert_eq!(changed.alert(br#"{"n":0,"machine":{"temperature":98}}"#), None);
    assert!(violations(&changed).contains("no such message"));
    let mut cold = Ledger::default();
    cold.push(99.0, 0);
    cold.next(100.0);
    cold.alert(&body(0));
    assert!(violations(&cold).contains("no alert"));
    let mut stranger = delivered(1);
    stranger.acknowledge(2);
    assert!(violations(&stranger).contains("not in use"));
}

/// What was not acknowledged comes again under its id, before what is new; its alert may, too.
#[test]
fn a_new_connection_has_what_the_old_one_left() {
    let mut ledger = delivered(3);
    whole(&mut ledger, 0, 1);
    ledger.alert(&body(1));
    ledger.push(99.0, 0);
    ledger.connection_ended(true);
    for expected in [(2, true), (3, true), (4, false)] {
        let (id, is_again, _) = ledger.next(THRESHOLD).unwrap();
        assert_eq!((id, is_again), expected);
    }
    for n in 1..4 {
        whole(&mut ledger, n, u16::try_from(n + 1).unwrap());
    }
    let tally = ledger.tally();
    tally.assert_kept();
    assert_eq!((tally.alerts, tally.duplicates), (4, 1));
}

/// A repetition is acknowledged as often as it was sent, and its id is in use until then.
#[test]
fn an_id_is_in_use_until_its_last_copy_is_acknowledged() {
    let mut ledger = delivered(1);
    ledger.repeat();
    assert_eq!(ledger.next(THRESHOLD).map(|(id, is_again, _)| (id, is_again)), Some((1, true)));
    whole(&mut ledger, 0, 1);
    assert_eq!(ledger.unacknowledged(), 0);
    ledger.push(99.0, 0);
    assert!(!ledger.may_deliver(1));
    ledger.acknowledge(1);
    assert!(ledger.may_deliver(1));
    assert_eq!(ledger.next(THRESHOLD).map(|(id, _, _)| id), Some(2));
    whole(&mut ledger, 1, 2);
    ledger.tally().assert_kept();
}
