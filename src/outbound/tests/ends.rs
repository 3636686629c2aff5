//! How much leaves on a connection, and what its end says of what was under way.

use super::*;
use crate::testing::capture::capture;

/// A connection that begins with nothing of an earlier one has no bound but the table's.
#[tokio::test]
async fn what_begins_with_nothing_old_is_not_bounded() {
    let (mut pipeline, mut outbound) = (pipeline(), outbound());
    let subscribe = outbound.reconnected().unwrap();
    outbound.subscribed(subscribe);
    raise(&mut pipeline, &["t"; 3 * RESENT_AT_ONCE], 0);
    turn(&mut outbound, &mut pipeline, Instant::now());
    assert_eq!(outbound.waiting(), 3 * RESENT_AT_ONCE);
}

/// One that begins with some is bounded for old and new together; the PUBACK of a report lets one
/// more leave, as that of an alert does.
#[tokio::test]
async fn old_and_new_share_a_bound_and_each_puback_widens_it() {
    let (mut pipeline, mut outbound) = (pipeline(), outbound());
    let (mut ours, _peer) = pair(1 << 20);
    outbound.report("reported".to_owned(), Bytes::from("{}"), &mut ours).unwrap();
    raise(&mut pipeline, &["old"], 0);
    outbound.send(&mut ours, &mut pipeline, None).unwrap();
    assert_eq!(outbound.waiting(), 2);

    let (mut ours, _peer) = pair(1 << 20);
    let subscribe = outbound.reconnected().unwrap();
    outbound.subscribed(subscribe);
    raise(&mut pipeline, &["new"; 2 * RESENT_AT_ONCE], 0);
    assert!(!outbound.has_room(&ours));
    outbound.send(&mut ours, &mut pipeline, None).unwrap();
    assert_eq!(outbound.waiting(), RESENT_AT_ONCE);
    assert!(!outbound.has_room(&ours), "for a report neither");
    for (id, of) in [(1, Acknowledged::Report), (2, Acknowledged::Alert)] {
        assert_eq!(outbound.acknowledged(id, &mut pipeline), of);
        outbound.send(&mut ours, &mut pipeline, None).unwrap();
        // One for the PUBACK, and one in the place of what has arrived.
        assert_eq!(outbound.waiting(), RESENT_AT_ONCE + usize::from(id));
    }
}

/// What one bad alert comes to on each connection, to its file: from the third on the end is
/// explained, and with the file its input is settled. Each trial is told, with what becomes of the
/// alert.
#[tokio::test]
async fn each_end_on_a_bad_alert_is_explained_and_told() {
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
    let told = |part: &str| log.lines(part).len();
    let of_it = format!("on an alert (topic \"alerts/bad\", body of {} bytes)", HOT.len());
    assert_eq!(told(&of_it), 3);
    assert_eq!(told("hung up 1 time(s) on an alert"), 1);
    assert_eq!(told("sent alone: it is tried again behind all others; "), 2);
    let path = folder.path().display().to_string();
    assert_eq!(told(&format!("sent alone: it is kept in {path}")), 1);
    assert_eq!(told("and is tried again in 5s; "), 1);
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
        let told = log.lines("is not tried again before a restart");
        assert_eq!(told.len(), usize::from(!is_removed), "{told:?}");
    }
}
