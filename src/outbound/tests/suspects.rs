//! Alerts that the receiver hangs up on: tried alone, parked in files, refused.

use super::*;

/// Connections that end without a PUBACK each, with a turn on each, until `is_done`. A second
/// passes from one to the next.
fn hang_up_until(
    outbound: &mut Outbound<BrokerOutput>,
    pipeline: &mut Pipeline,
    mut is_done: impl FnMut(&Outbound<BrokerOutput>, &Pipeline) -> bool,
) -> Instant {
    let mut now = Instant::now();
    for _ in 0..100 {
        let subscribe = outbound.reconnected().unwrap();
        outbound.subscribed(subscribe);
        turn(outbound, pipeline, now);
        turn(outbound, pipeline, now);
        outbound.hung_up(now, pipeline);
        if is_done(outbound, pipeline) {
            return now;
        }
        now += Duration::from_secs(1);
    }
    panic!("100 connections were not enough");
}

/// However many are alike: a hang-up and a turn wait for the disk a few times each. In the end all
/// are in files, and all inputs are settled. Giving up goes the same way.
#[tokio::test]
async fn many_alike_are_parked_and_refused_a_few_in_each_turn() {
    const ALIKE: usize = 100;
    const AT_ONCE: usize = parking::FILES_AT_ONCE;
    let folder = tempfile::tempdir().unwrap();
    let (mut pipeline, mut outbound) = (pipeline(), outbound());
    outbound.park_in(DeadLetters::new(folder.path(), "here"), Instant::now());
    raise(&mut pipeline, &["bad"; ALIKE], 0);
    let now = hang_up_until(&mut outbound, &mut pipeline, |outbound, _| outbound.parked() > 0);
    assert_eq!(outbound.parked(), AT_ONCE);
    outbound.reconnected();
    for turns in 1.. {
        turn(&mut outbound, &mut pipeline, now);
        let expected = (AT_ONCE * (turns + 1)).min(ALIKE);
        assert_eq!((outbound.parked(), outbound.waiting()), (expected, ALIKE - expected));
        if expected == ALIKE {
            break;
        }
    }
    assert_eq!(crate::testing::receiver::files(folder.path(), "pending").len(), ALIKE);
    assert_eq!(pipeline.counters.parked, ALIKE as u64);

    // New ones that are alike.
    raise(&mut pipeline, &["bad"; ALIKE], 0);
    for turns in 1..=ALIKE.div_ceil(AT_ONCE) {
        turn(&mut outbound, &mut pipeline, now);
        assert_eq!(outbound.parked(), (ALIKE + AT_ONCE * turns).min(2 * ALIKE));
    }
    assert!(outbound.waiting() == 0 && pipeline.next_alert().is_none());

    let mut now = now;
    while pipeline.counters.refused == 0 {
        now += Duration::from_secs(31);
        let subscribe = outbound.reconnected().unwrap();
        outbound.subscribed(subscribe);
        raise(&mut pipeline, &["good"], 0);
        turn(&mut outbound, &mut pipeline, now);
        let id = outbound.oldest().unwrap();
        assert_eq!(outbound.acknowledged(id, &mut pipeline), Acknowledged::Alert);
        turn(&mut outbound, &mut pipeline, now);
        outbound.hung_up(now, &mut pipeline);
    }
    assert_eq!(pipeline.counters.refused, AT_ONCE as u64);
    outbound.reconnected();
    for turns in 1..2 * ALIKE / AT_ONCE {
        turn(&mut outbound, &mut pipeline, now);
        assert_eq!(pipeline.counters.refused, (AT_ONCE * (turns + 1)) as u64);
    }
    assert_eq!((outbound.parked(), outbound.suspicion.is_quiet()), (0, true));
    assert_eq!(crate::testing::receiver::files(folder.path(), "refused").len(), 2 * ALIKE);
}

/// Tens of thousands of suspects in the table, as there is no folder: a turn, a PUBACK and a new
/// connection do not look at each of them for each of them, or this would take hours.
#[tokio::test]
async fn many_suspects_in_the_table_cost_a_turn_nothing() {
    const ALIKE: usize = 30_000;
    let (mut pipeline, mut outbound) = (pipeline(), outbound());
    raise(&mut pipeline, &["bad"; ALIKE], 0);
    let mut connection = Connection::new(join(empty(), sink()), Duration::ZERO);
    while outbound.waiting() < ALIKE {
        outbound.send(&mut connection, &mut pipeline, None).unwrap();
        connection = Connection::new(join(empty(), sink()), Duration::ZERO);
    }
    let now = hang_up_until(&mut outbound, &mut pipeline, |outbound, _| outbound.aside == ALIKE);
    for _ in 0..10 {
        let subscribe = outbound.reconnected().unwrap();
        outbound.subscribed(subscribe);
        for _ in 0..100 {
            raise(&mut pipeline, &["good"], 0);
            let mut connection = Connection::new(join(empty(), sink()), Duration::ZERO);
            assert!(!outbound.wants_ping(now, false, &pipeline));
            assert!(outbound.is_drained() && outbound.oldest().is_none());
            outbound.send(&mut connection, &mut pipeline, None).unwrap();
            let id = outbound.oldest().unwrap();
            assert_eq!(outbound.acknowledged(id, &mut pipeline), Acknowledged::Alert);
        }
    }
    assert_eq!((outbound.waiting(), pipeline.counters.forwarded), (ALIKE, 1000));
}

/// What one bad alert comes to on each connection, to its file: from the third on the end is
/// explained, and with the file its input is settled. Each trial is told, with what becomes of the
/// alert.
#[tokio::test]
async fn each_end_on_a_bad_alert_is_explained_and_logged() {
    let folder = tempfile::tempdir().unwrap();
    let log = capture();
    let (mut pipeline, mut outbound) = (pipeline(), outbound());
    outbound.park_in(DeadLetters::new(folder.path(), "here"), Instant::now());
    raise(&mut pipeline, &["bad"], 0);
    let mut now = Instant::now();
    let mut outcomes = Vec::new();
    while outbound.parked() == 0 {
        let subscribe = outbound.reconnected().unwrap();
        outbound.subscribed(subscribe);
        turn(&mut outbound, &mut pipeline, now);
        turn(&mut outbound, &mut pipeline, now);
        let HungUp { is_explained, has_settled, is_report_refused } =
            outbound.hung_up(now, &mut pipeline);
        assert!(!is_report_refused);
        outcomes.push((is_explained, has_settled));
        now += Duration::from_secs(1);
    }
    let (unexplained, explained) = ((false, false), (true, false));
    let expected = [&[unexplained; 2][..], &[explained; 4], &[(true, true)]].concat();
    assert_eq!(outcomes, expected);
    let shown = |part: &str| log.lines(part).len();
    let of_it = format!("on an alert (topic \"alerts/bad\", body of {} bytes)", HOT.len());
    assert_eq!(shown(&of_it), 3);
    assert_eq!(shown("hung up 1 time(s) on an alert"), 1);
    assert_eq!(shown("sent alone: it is tried again behind all others; "), 2);
    let path = folder.path().display().to_string();
    assert_eq!(shown(&format!("sent alone: it is kept in {path}")), 1);
    assert_eq!(shown("and is tried again in 5s; "), 1);
}

/// A suspect is acknowledged only on a connection that it was sent on.
#[tokio::test]
async fn a_puback_for_a_suspect_that_was_not_sent_ends_nothing() {
    let (mut pipeline, mut outbound) = (pipeline(), outbound());
    raise(&mut pipeline, &["bad"], 0);
    let now = hang_up_until(&mut outbound, &mut pipeline, |outbound, _| outbound.aside > 0);
    let subscribe = outbound.reconnected().unwrap();
    outbound.subscribed(subscribe);
    let bad = outbound.inflight.oldest().unwrap();
    assert_eq!(outbound.acknowledged(bad, &mut pipeline), Acknowledged::Nothing);
    assert_eq!((pipeline.counters.unexpected, outbound.waiting()), (1, 1));
    turn(&mut outbound, &mut pipeline, now);
    turn(&mut outbound, &mut pipeline, now);
    assert_eq!(outbound.oldest(), Some(bad));
    assert_eq!(outbound.acknowledged(bad, &mut pipeline), Acknowledged::Alert);
    assert!(outbound.waiting() == 0 && outbound.suspicion.is_quiet());
}

/// Behind a PUBACK the connection shows that it works: what is under way then is not to blame for
/// its end.
#[tokio::test]
async fn what_is_sent_behind_a_puback_is_not_sent_alone() {
    let (mut pipeline, mut outbound) = (pipeline(), outbound());
    raise(&mut pipeline, &["a", "b", "c"], 0);
    let now = Instant::now();
    for _ in 0..2 {
        let subscribe = outbound.reconnected().unwrap();
        outbound.subscribed(subscribe);
        turn(&mut outbound, &mut pipeline, now);
        assert_eq!(outbound.hung_up(now, &mut pipeline), HungUp::default());
    }
    let subscribe = outbound.reconnected().unwrap();
    outbound.subscribed(subscribe);
    turn(&mut outbound, &mut pipeline, now);
    let first = outbound.oldest().unwrap();
    assert_eq!(outbound.acknowledged(first, &mut pipeline), Acknowledged::Alert);
    turn(&mut outbound, &mut pipeline, now);
    assert!(outbound.oldest().unwrap() > first);
    assert_eq!(outbound.hung_up(now, &mut pipeline), HungUp::default());
}

/// The file of a parked alert that a person has taken away is forgotten without a word; one that
/// cannot be read is told of, and left. Neither holds up others.
#[tokio::test]
async fn a_parked_alert_without_its_file_is_forgotten() {
    for is_removed in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let log = capture();
        let (mut pipeline, mut outbound) = (pipeline(), outbound());
        outbound.park_in(DeadLetters::new(folder.path(), "here"), Instant::now());
        raise(&mut pipeline, &["bad"], 0);
        let now = hang_up_until(&mut outbound, &mut pipeline, |outbound, _| outbound.parked() > 0);
        let file = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
        if is_removed {
            std::fs::remove_file(file).unwrap();
        } else {
            std::fs::write(file, "junk").unwrap();
        }
        let subscribe = outbound.reconnected().unwrap();
        outbound.subscribed(subscribe);
        let later = now + Duration::from_secs(3600);
        (0..2).for_each(|_| turn(&mut outbound, &mut pipeline, later));
        assert!(outbound.parked() == 0 && outbound.suspicion.is_quiet(), "{is_removed}");
        let shown = log.lines("is not tried again before a restart");
        assert_eq!(shown.len(), usize::from(!is_removed), "{shown:?}");
    }
}

/// New alerts that are like a suspect in the table join it there, and leave a packet id for the
/// next SUBSCRIBE.
#[tokio::test]
async fn copies_of_a_suspect_leave_an_id_for_subscribe() {
    let (mut pipeline, mut outbound) = (pipeline(), outbound());
    raise(&mut pipeline, &["bad"], 0);
    let now = hang_up_until(&mut outbound, &mut pipeline, |outbound, _| outbound.aside > 0);
    let subscribe = outbound.reconnected().unwrap();
    outbound.subscribed(subscribe);
    raise(&mut pipeline, &vec!["bad"; WINDOW_MAX], 0);
    turn(&mut outbound, &mut pipeline, now);
    assert_eq!(outbound.inflight.room(), 1);
    assert_eq!(outbound.aside, outbound.waiting(), "none of them is under way");
    assert!(outbound.is_drained() && outbound.reconnected().is_some());
}

/// A parked alert is put off where only one packet id is left, which the next SUBSCRIBE needs.
#[tokio::test]
async fn a_parked_alert_leaves_an_id_for_subscribe() {
    let folder = tempfile::tempdir().unwrap();
    let (mut pipeline, mut outbound) = (pipeline(), outbound());
    outbound.park_in(DeadLetters::new(folder.path(), "here"), Instant::now());
    raise(&mut pipeline, &["bad"], 0);
    let now = hang_up_until(&mut outbound, &mut pipeline, |outbound, _| outbound.parked() > 0);
    let subscribe = outbound.reconnected().unwrap();
    outbound.subscribed(subscribe);
    assert!(outbound.wants_ping(now + Duration::from_secs(3600), true, &pipeline));
    outbound.answered();
    assert!(outbound.suspicion.to_try().is_some(), "it is its turn");
    while outbound.inflight.room() > 1 {
        outbound.inflight.push(Unacknowledged::Parked).unwrap();
    }
    let mut connection = Connection::new(join(empty(), sink()), Duration::ZERO);
    outbound.try_suspect(&mut connection, &mut pipeline).unwrap();
    assert_eq!((outbound.inflight.room(), outbound.parked_under_way), (1, None));
    assert!(outbound.suspicion.to_try().is_none() && outbound.parked() == 1, "put off, and kept");
}

/// The one that has waited longest is to blame, whatever its packet id.
#[tokio::test]
async fn a_suspect_is_known_by_its_own_packet_id() {
    let (mut pipeline, mut outbound) = (pipeline(), outbound());
    raise(&mut pipeline, &["good", "bad", "other"], 0);
    turn(&mut outbound, &mut pipeline, Instant::now());
    assert_eq!(outbound.acknowledged(1, &mut pipeline), Acknowledged::Alert);
    outbound.hung_up(Instant::now(), &mut pipeline);
    hang_up_until(&mut outbound, &mut pipeline, |outbound, _| outbound.aside > 0);
    assert!(outbound.suspicion.is_suspect(2) && !outbound.suspicion.is_suspect(3));
}

/// Two connections that end on different publishes are no sign of a bad one: the next one is as
/// free as any.
#[tokio::test]
async fn ends_on_different_publishes_ask_for_no_care() {
    let (mut pipeline, mut outbound) = (pipeline(), outbound());
    let now = Instant::now();
    raise(&mut pipeline, &["a", "b", "c"], 0);
    for _ in 0..2 {
        let subscribe = outbound.reconnected().unwrap();
        outbound.subscribed(subscribe);
        turn(&mut outbound, &mut pipeline, now);
        assert_eq!(outbound.hung_up(now, &mut pipeline), HungUp::default());
        assert!(!outbound.suspicion.is_careful());
        // What is acknowledged is another one's end.
        let subscribe = outbound.reconnected().unwrap();
        outbound.subscribed(subscribe);
        turn(&mut outbound, &mut pipeline, now);
        let oldest = outbound.oldest().unwrap();
        assert_eq!(outbound.acknowledged(oldest, &mut pipeline), Acknowledged::Alert);
    }
}

/// The PUBACK of one trial is not what the next one is compared with: it waits for PUBACKs of
/// others.
#[tokio::test]
async fn a_trial_that_arrived_is_no_other_for_the_next_one() {
    let folder = tempfile::tempdir().unwrap();
    let (mut pipeline, mut outbound) = (pipeline(), outbound());
    outbound.park_in(DeadLetters::new(folder.path(), "here"), Instant::now());
    raise(&mut pipeline, &["bad", "worse"], 0);
    let now = hang_up_until(&mut outbound, &mut pipeline, |outbound, _| outbound.parked() == 2);
    // Both are due, and have not waited for others for long.
    let now = now + Duration::from_secs(6);
    let subscribe = outbound.reconnected().unwrap();
    outbound.subscribed(subscribe);
    let pass_good = |outbound: &mut Outbound<BrokerOutput>, pipeline: &mut Pipeline| {
        raise(pipeline, &["good"], 0);
        let mut connection = Connection::new(join(empty(), sink()), Duration::ZERO);
        outbound.send(&mut connection, pipeline, None).unwrap();
        let id = outbound.oldest().unwrap();
        assert_eq!(outbound.acknowledged(id, pipeline), Acknowledged::Alert);
    };
    pass_good(&mut outbound, &mut pipeline);
    turn(&mut outbound, &mut pipeline, now);
    let trial = outbound.suspicion.under_way().expect("a trial");
    assert_eq!(outbound.acknowledged(trial, &mut pipeline), Acknowledged::Alert);
    assert_eq!(outbound.parked(), 1);
    assert!(!outbound.wants_ping(now, true, &pipeline), "no PUBACK of another one yet");
    pass_good(&mut outbound, &mut pipeline);
    assert!(outbound.wants_ping(now, true, &pipeline));
}

/// A new alert that is like a parked one is in a file by the end of the turn that would send it,
/// and its input is settled.
#[tokio::test]
async fn an_alert_like_a_parked_one_is_parked_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let (mut pipeline, mut outbound) = (pipeline(), outbound());
    outbound.park_in(DeadLetters::new(folder.path(), "here"), Instant::now());
    raise(&mut pipeline, &["bad"], 0);
    let now = hang_up_until(&mut outbound, &mut pipeline, |outbound, _| outbound.parked() == 1);
    let subscribe = outbound.reconnected().unwrap();
    outbound.subscribed(subscribe);
    raise(&mut pipeline, &["bad"], 0);
    turn(&mut outbound, &mut pipeline, now);
    assert_eq!((outbound.parked(), outbound.waiting(), pipeline.counters.parked), (2, 0, 2));
}
