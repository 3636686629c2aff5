use super::*;

const OTHERS: Use = Use { under_way: 0, acknowledged: 1, has_old: false, has_new: false };
const NO_OTHERS: Use = Use { acknowledged: 0, ..OTHERS };

fn mark(n: u8) -> Fingerprint {
    Fingerprint::of("t", &[n])
}

fn suspicious(place: KeptIn, now: Instant) -> Suspicion {
    let mut suspicion = Suspicion::default();
    suspicion.suspect(mark(1), VecDeque::from([place]), now);
    suspicion
}

/// A connection on which the suspect is tried and the peer hangs up; `false` when no trial is due.
fn failing_trial(suspicion: &mut Suspicion, now: Instant, at: Use) -> bool {
    suspicion.reconnected(0);
    if !suspicion.prepare(now, at, true) {
        return false;
    }
    assert!(!suspicion.may_send() && suspicion.to_try().is_none(), "the ping is not answered");
    suspicion.answered();
    assert!(suspicion.to_try().is_some());
    suspicion.tried(9);
    assert_eq!(suspicion.hung_up(now, at.acknowledged, None), Blame::Trial(0));
    true
}

/// Trials in the second after the last one, until the suspect is to blame; gives when each was.
fn trials(place: KeptIn, at: Use, until: Duration) -> (Suspicion, Vec<Duration>) {
    let start = Instant::now();
    let mut suspicion = suspicious(place, start);
    let (mut at_times, mut now) = (Vec::new(), start);
    while now - start < until && !suspicion.get(0).is_to_blame(now) {
        if failing_trial(&mut suspicion, now, at) {
            at_times.push(now - start);
        }
        now += Duration::from_millis(500);
    }
    (suspicion, at_times)
}

/// A suspect is parked after three trials within seconds, and to blame after ten over two minutes
/// at least; a person who waits sees it within five.
#[test]
fn a_suspect_is_to_blame_after_ten_trials_over_two_minutes() {
    let (mut suspicion, times) = trials(KeptIn::Table(1), OTHERS, Duration::from_secs(3600));
    assert!(suspicion.get(0).is_to_be_parked());
    assert_eq!(times.len(), 10, "{times:?}");
    assert!(times[2] < Duration::from_secs(2), "{times:?}");
    assert!((CERTAIN_TIME..Duration::from_secs(300)).contains(&times[9]), "{times:?}");
    assert!(times[3..].windows(2).all(|two| two[1] - two[0] >= TRIAL_INTERVAL), "{times:?}");
}

/// From each trial to the next, in seconds: at once, then 5 to 30, then up to an hour, but for what
/// holds up its source.
#[test]
fn trials_become_rare() {
    let intervals = |place: KeptIn| -> Vec<u64> {
        let mut suspicion = suspicious(place, Instant::now());
        let suspect = suspicion.get(0);
        let interval = |tries| {
            suspect.tries = tries;
            suspect.interval().as_secs()
        };
        (0..22).map(interval).collect()
    };
    let first = [0, 0, 0, 5, 10, 20, 30, 30, 30, 30, 30, 30, 30];
    let late = [60, 120, 240, 480, 960, 1_920, 3_600, 3_600, 3_600];
    assert_eq!(intervals(KeptIn::File(FileName::default())), [&first[..], &late].concat());
    assert_eq!(intervals(KeptIn::Table(1)), [&first[..], &[30; 9]].concat());
}

/// Ten trials that count are not enough before two minutes are over, nor two minutes without ten.
#[test]
fn nothing_is_to_blame_before_its_time() {
    let now = Instant::now();
    let mut suspicion = suspicious(KeptIn::Table(1), now);
    let suspect = suspicion.get(0);
    let mut is_to_blame = |tries, after: Duration| {
        suspect.certain = Some((tries, now));
        suspect.is_to_blame(now + after)
    };
    let two_minutes = Duration::from_secs(120);
    assert!(!is_to_blame(10, two_minutes - Duration::from_millis(1)));
    assert!(!is_to_blame(9, two_minutes));
    assert!(is_to_blame(10, two_minutes));
}

/// Without PUBACKs of others on the same connections nothing is ever to blame. The trials become
/// rare, but for what holds up its source.
#[test]
fn without_others_nothing_is_to_blame() {
    for place in [KeptIn::Table(1), KeptIn::File(FileName::default())] {
        let (mut suspicion, times) =
            trials(place.clone(), NO_OTHERS, Duration::from_secs(48 * 3600));
        assert!(suspicion.get(0).is_to_be_parked());
        let last = times.len() - 1;
        let interval = times[last] - times[last - 1];
        let is_rare = interval >= LATE_INTERVAL_MAX && times.len() < 40;
        let is_in_time = interval <= (PATIENCE + 2) * INTERVAL_MAX;
        assert!(if place == KeptIn::Table(1) { is_in_time } else { is_rare }, "{times:?}");
    }
}

/// A connection that ends before the suspect is sent, or is lost otherwise, says nothing of it.
#[test]
fn what_was_not_sent_is_not_to_blame() {
    let now = Instant::now();
    let mut suspicion = suspicious(KeptIn::Table(1), now);
    for _ in 0..100 {
        suspicion.reconnected(0);
        assert!(suspicion.prepare(now, OTHERS, true));
        assert_eq!(suspicion.hung_up(now, 1, None), Blame::Nobody);
        suspicion.reconnected(0);
        assert!(suspicion.prepare(now, OTHERS, true));
        suspicion.answered();
        assert_eq!(suspicion.hung_up(now, 1, None), Blame::Nobody);
    }
    assert_eq!(suspicion.get(0).tries, 0);
}

/// One PUBACK in nine trials, and the suspect was none.
#[test]
fn a_puback_clears_a_suspect() {
    let (mut suspicion, _) = trials(KeptIn::Table(1), OTHERS, Duration::from_secs(100));
    let now = Instant::now() + Duration::from_secs(1000);
    suspicion.reconnected(0);
    assert!(suspicion.prepare(now, OTHERS, true));
    suspicion.answered();
    assert!(!suspicion.prepare(now, OTHERS, true));
    suspicion.tried(7);
    assert_eq!(suspicion.acknowledged(7, 2), Some(KeptIn::Table(1)));
    assert!(suspicion.is_quiet() && suspicion.may_send());
}

/// Others wait for each half of a trial, but not for ever; and not at all where none may begin.
#[test]
fn a_trial_holds_others_up_for_a_bounded_time() {
    let now = Instant::now();
    let mut suspicion = suspicious(KeptIn::Table(1), now);
    suspicion.reconnected(0);
    assert!(suspicion.may_send());
    assert!(!suspicion.prepare(now, OTHERS, false) && suspicion.may_send());
    let busy = Use { under_way: 3, has_new: true, ..OTHERS };
    assert!(!suspicion.prepare(now, busy, true) && !suspicion.may_send());
    let early = Duration::from_millis(1);
    assert!(!suspicion.prepare(now + TRIAL_WAIT - early, busy, true) && !suspicion.may_send());
    assert!(!suspicion.prepare(now + TRIAL_WAIT, busy, true) && suspicion.may_send());
    let now = now + 2 * TRIAL_INTERVAL;
    assert!(suspicion.prepare(now, OTHERS, true));
    suspicion.answered();
    assert!(!suspicion.prepare(now, OTHERS, true));
    suspicion.tried(1);
    assert!(!suspicion.prepare(now + TRIAL_WAIT - early, OTHERS, true) && !suspicion.may_send());
    assert!(!suspicion.prepare(now + TRIAL_WAIT, OTHERS, true) && suspicion.may_send());
    assert!(!suspicion.prepare(now + 10 * TRIAL_WAIT, OTHERS, true) && suspicion.may_send());
    // It was never answered: that is a try, but none that counts.
    assert_eq!(suspicion.hung_up(now + 10 * TRIAL_WAIT, 5, None), Blame::Trial(0));
    assert_eq!((suspicion.get(0).tries, suspicion.get(0).certain), (1, None));
}

/// Trials of parked suspects come one after the other, and others in between.
#[test]
fn parked_suspects_take_turns() {
    let now = Instant::now();
    let mut suspicion = Suspicion::default();
    for n in 1..=2 {
        suspicion.resume(mark(n), KeptIn::Table(n.into()), now);
    }
    assert!(failing_trial(&mut suspicion, now, OTHERS));
    assert!(!failing_trial(&mut suspicion, now, OTHERS));
    suspicion.reconnected(0);
    let next = now + TRIAL_INTERVAL;
    assert!(suspicion.prepare(next, OTHERS, true));
    suspicion.answered();
    suspicion.tried(7);
    assert_eq!(suspicion.acknowledged(7, 2), Some(KeptIn::Table(2)), "the other one");
    let at = Use { acknowledged: 2, has_new: true, ..OTHERS };
    assert!(!suspicion.prepare(next + TRIAL_INTERVAL, at, true), "others have not been sent");
    let at = Use { acknowledged: 3, ..at };
    assert!(suspicion.prepare(next + TRIAL_INTERVAL, at, true));
}

/// What holds up its source is tried behind PUBACKs of others although older publishes wait; what
/// is in a file has time, and without PUBACKs they go first.
#[test]
fn a_suspect_in_the_table_does_not_wait_for_all_older_ones() {
    let now = Instant::now();
    for (place, is_due) in [(KeptIn::Table(1), true), (KeptIn::File(FileName::default()), false)] {
        for tries in [0, PARK_TRIES] {
            let mut suspicion = suspicious(place.clone(), now);
            suspicion.get(0).tries = tries;
            suspicion.reconnected(7);
            let at = Use { has_old: true, ..OTHERS };
            assert!(!suspicion.prepare(now, Use { acknowledged: 0, ..at }, true));
            assert_eq!(suspicion.prepare(now, at, true), is_due, "{place:?}, {tries}");
        }
    }
}

/// What is being given up bit by bit is not tried, and a trial of another one goes on.
#[test]
fn what_is_given_up_bit_by_bit_is_not_tried() {
    let now = Instant::now();
    let mut suspicion = Suspicion::default();
    for n in 1..=2 {
        suspicion.resume(mark(n), KeptIn::File(FileName::default()), now);
    }
    suspicion.get(0).work = Work::Refuse;
    assert_eq!((suspicion.find(mark(1)), suspicion.find(mark(2))), (None, Some(1)));
    suspicion.reconnected(0);
    assert!(suspicion.prepare(now, OTHERS, true));
    suspicion.answered();
    suspicion.tried(7);
    suspicion.pop(0);
    suspicion.give_up(0);
    assert_eq!((suspicion.with_work(), suspicion.find(mark(2))), (None, Some(0)));
    assert!(suspicion.acknowledged(7, 2).is_some() && suspicion.is_quiet());
}

/// The same oldest publish at the end of two connections: the next one begins with a ping and one
/// publish. A peer that does not answer pings is no reason to send nothing for ever.
#[test]
fn a_careful_connection_begins_with_a_ping() {
    let now = Instant::now();
    let mut suspicion = Suspicion::default();
    assert_eq!(suspicion.hung_up(now, 7, Some(1)), Blame::Nobody);
    assert!(suspicion.is_quiet());
    assert_eq!(suspicion.hung_up(now, 7, Some(1)), Blame::Nobody);
    suspicion.reconnected(1);
    assert!(suspicion.is_careful() && suspicion.prepare(now, NO_OTHERS, true));
    let early = now + PING_WAIT - Duration::from_millis(1);
    assert!(!suspicion.prepare(early, NO_OTHERS, true) && !suspicion.may_send());
    assert!(!suspicion.prepare(now + PING_WAIT, NO_OTHERS, true) && suspicion.may_send());
    suspicion.sent_alone(1);
    assert_eq!(suspicion.hung_up(now, 0, Some(1)), Blame::Nobody, "without a ping");
    for expected in [Blame::Alone, Blame::NewSuspect(1)] {
        suspicion.reconnected(1);
        assert!(suspicion.prepare(now, NO_OTHERS, true));
        suspicion.answered();
        suspicion.sent_alone(1);
        assert_eq!(suspicion.hung_up(now, 0, Some(1)), expected);
    }
    suspicion.reconnected(0);
    assert!(suspicion.is_quiet(), "nothing waits");
}

/// A link that cuts wherever it likes makes no suspect of what arrives in between.
#[test]
fn progress_is_no_reason_for_suspicion() {
    let now = Instant::now();
    let mut suspicion = Suspicion::default();
    for id in 1..100 {
        suspicion.reconnected(1);
        assert!(suspicion.is_quiet());
        assert_eq!(suspicion.hung_up(now, 1, Some(id)), Blame::Nobody);
    }
}

/// A careful connection on which `id` is sent alone.
fn alone(id: u16, now: Instant) -> Suspicion {
    let mut suspicion = Suspicion::default();
    for _ in 0..2 {
        assert_eq!(suspicion.hung_up(now, 0, Some(id)), Blame::Nobody);
    }
    send_alone(&mut suspicion, id, now);
    suspicion
}

fn send_alone(suspicion: &mut Suspicion, id: u16, now: Instant) {
    suspicion.reconnected(1);
    assert!(suspicion.is_careful() && suspicion.prepare(now, NO_OTHERS, false));
    suspicion.answered();
    suspicion.sent_alone(id);
}

/// A publish that was sent alone and has its PUBACK is cleared, now and on earlier connections; the
/// PUBACK of another clears nothing.
#[test]
fn only_its_own_puback_clears_what_was_sent_alone() {
    let now = Instant::now();
    let mut suspicion = alone(5, now);
    assert_eq!(suspicion.acknowledged(5, 1), None);
    assert_eq!(suspicion.hung_up(now, 1, None), Blame::Nobody);

    for (acknowledged, blame) in [(7, Blame::NewSuspect(5)), (5, Blame::Alone)] {
        let mut suspicion = alone(5, now);
        assert_eq!(suspicion.hung_up(now, 0, Some(5)), Blame::Alone);
        assert_eq!(suspicion.acknowledged(acknowledged, 1), None);
        send_alone(&mut suspicion, 5, now);
        assert_eq!(suspicion.hung_up(now, 0, Some(5)), blame);
    }
}

/// Care ends with a connection that brought as many PUBACKs as may be under way at once.
#[test]
fn care_ends_once_enough_arrives() {
    const ENOUGH: usize = crate::outbound::RESENT_AT_ONCE;
    let now = Instant::now();
    for (acknowledged, is_careful) in [(ENOUGH - 1, true), (ENOUGH, false), (ENOUGH + 1, false)] {
        let mut suspicion = alone(5, now);
        suspicion.acknowledged(5, 1);
        assert_eq!(suspicion.hung_up(now, acknowledged, Some(6)), Blame::Nobody);
        assert_eq!(suspicion.is_careful(), is_careful, "{acknowledged}");
    }
}

/// There are no more suspects than may be.
#[test]
fn suspects_are_bounded() {
    let now = Instant::now();
    for (suspects, blame) in
        [(SUSPECTS_MAX - 1, Blame::NewSuspect(5)), (SUSPECTS_MAX, Blame::Alone)]
    {
        let mut suspicion = alone(5, now);
        for n in 0..suspects {
            let mark = Fingerprint::of("t", &n.to_be_bytes());
            suspicion.suspect(mark, VecDeque::from([KeptIn::File(FileName::default())]), now);
        }
        suspicion.hung_up(now, 0, Some(5));
        send_alone(&mut suspicion, 5, now);
        assert_eq!(suspicion.hung_up(now, 0, Some(5)), blame);
    }
}

/// Where nothing was acknowledged before it, a suspect is tried only once nothing else is there to
/// be sent.
#[test]
fn a_trial_without_others_waits_until_there_are_none() {
    let now = Instant::now() + Duration::from_secs(3600);
    for (at, is_tried) in [
        (NO_OTHERS, true),
        (Use { has_new: true, ..NO_OTHERS }, false),
        (Use { has_old: true, ..NO_OTHERS }, false),
        (Use { under_way: 1, ..NO_OTHERS }, false),
    ] {
        let mut suspicion = suspicious(KeptIn::Table(1), Instant::now());
        suspicion.reconnected(0);
        assert_eq!(suspicion.prepare(now, at, true), is_tried, "{at:?}");
        assert_eq!(suspicion.may_send(), !is_tried, "{at:?}: others wait for a trial alone");
    }
}

/// Others wait five seconds for each half of a trial; one that did not come about begins again five
/// seconds later.
#[test]
fn others_wait_for_a_trial_for_a_bounded_time() {
    let start = Instant::now();
    let at = |seconds: u64| start + Duration::from_secs(seconds);
    let mut suspicion = suspicious(KeptIn::Table(1), start);
    suspicion.reconnected(0);
    assert!(suspicion.prepare(at(0), OTHERS, true));
    suspicion.answered();
    assert!(!suspicion.prepare(at(4), OTHERS, true));
    suspicion.tried(9);
    for (now, may_send) in [(5, false), (8, false), (9, true)] {
        assert!(!suspicion.prepare(at(now), OTHERS, true));
        assert_eq!(suspicion.may_send(), may_send, "{now}");
    }
    assert_eq!(suspicion.under_way(), Some(9), "its PUBACK may come yet");

    let busy = Use { under_way: 1, ..OTHERS };
    let mut suspicion = suspicious(KeptIn::Table(1), start);
    suspicion.reconnected(0);
    for (now, may_send) in [(0, false), (4, false), (5, true), (9, true), (10, false)] {
        assert!(!suspicion.prepare(at(now), busy, true));
        assert_eq!(suspicion.may_send(), may_send, "{now}");
    }
}
