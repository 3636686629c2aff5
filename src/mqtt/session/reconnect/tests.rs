use super::*;

const CUT_AFTER_WORK: Loss = Loss {
    lived: Duration::from_secs(1),
    has_worked: true,
    cause: Cause::Unknown,
    is_refusal: false,
    is_unanswered: false,
    is_unacknowledged: false,
    is_hang_up: true,
};
const CUT_BEFORE_WORK: Loss = Loss { has_worked: false, ..CUT_AFTER_WORK };
/// The shortest time that makes a difference.
const INSTANT: Duration = Duration::from_nanos(1);

/// The wait in milliseconds, at its longest.
fn wait(reconnect: &mut Reconnect) -> u128 {
    reconnect.wait(1.0).map_or(0, |wait| wait.as_millis())
}

#[test]
fn the_first_attempt_waits_for_nothing_and_a_wait_is_taken_once() {
    let mut reconnect = Reconnect::default();
    assert_eq!(reconnect.wait(1.0), None);
    reconnect.failed(Some(Answer::Nothing));
    assert_eq!([wait(&mut reconnect), wait(&mut reconnect)], [100, 0]);
}

/// Each kind of failure has its own longest wait, and the last one decides.
#[test]
fn the_last_loss_decides_the_wait() {
    for (answer, first, longest) in [
        (Answer::Nothing, 100, 2_000),
        (Answer::Refusal, 100, 5_000),
        (Answer::Identity, 3_000, 5_000),
    ] {
        let mut reconnect = Reconnect::default();
        let waits: Vec<_> = (0..12)
            .map(|_| {
                reconnect.failed(Some(answer));
                wait(&mut reconnect)
            })
            .collect();
        assert_eq!(
            (waits[0], waits[1], waits[11]),
            (first, longest.min(2 * first), longest),
            "{answer:?}"
        );
        reconnect.failed(Some(Answer::Nothing));
        assert_eq!(wait(&mut reconnect), 2_000, "nobody answered, behind {answer:?}");
        reconnect.failed(None);
        assert_eq!(wait(&mut reconnect), 0, "at once, behind {answer:?}");
    }
}

/// Connections that are cut after they have worked are made again within 2 s, however many there
/// were, and whatever failed before.
#[test]
fn a_link_that_works_is_not_punished() {
    let mut reconnect = Reconnect::default();
    for _ in 0..10 {
        reconnect.failed(Some(Answer::Refusal));
        wait(&mut reconnect);
    }
    let waits: Vec<_> = (0..14)
        .map(|_| {
            reconnect.lost(&CUT_AFTER_WORK);
            wait(&mut reconnect)
        })
        .collect();
    assert_eq!(waits[..6], [100, 200, 400, 800, 1_600, 2_000]);
    assert_eq!(waits[13], 2_000);
    reconnect.failed(Some(Answer::Nothing));
    assert_eq!(wait(&mut reconnect), 100, "work has ended the series of failures");
}

/// A connection that lived for 10 s starts every series anew.
#[test]
fn a_connection_of_10_s_starts_the_series_anew() {
    for loss in [CUT_AFTER_WORK, Loss { is_hang_up: false, ..CUT_BEFORE_WORK }] {
        let mut reconnect = Reconnect::default();
        for _ in 0..10 {
            reconnect.lost(&loss);
            wait(&mut reconnect);
        }
        reconnect.lost(&Loss { lived: HEALTHY_AFTER - INSTANT, ..loss });
        assert!(wait(&mut reconnect) >= 2_000, "{loss:?}");
        reconnect.lost(&Loss { lived: HEALTHY_AFTER, ..loss });
        assert_eq!(wait(&mut reconnect), 100, "{loss:?}");
    }
}

/// A connection that never works is made ever more rarely; a refused filter as a refused identity.
#[test]
fn a_link_that_does_not_work_waits_longer() {
    for (loss, first, longest) in [
        (CUT_BEFORE_WORK, 100, 5_000),
        (Loss { is_refusal: true, ..CUT_BEFORE_WORK }, 3_000, 5_000),
        (Loss { is_refusal: true, ..CUT_AFTER_WORK }, 3_000, 5_000),
    ] {
        let mut reconnect = Reconnect::default();
        let waits: Vec<_> = (0..12)
            .map(|_| {
                reconnect.lost(&loss);
                wait(&mut reconnect)
            })
            .collect();
        assert_eq!((waits[0], waits[11]), (first, longest), "{loss:?}");
    }
}

/// Three short connections in a row are told once; a longer one, another end, or a good one begins
/// the count anew.
#[test]
fn a_client_id_that_is_in_use_twice_is_reported_once() {
    let shown = |losses: &[Loss]| -> Vec<bool> {
        let mut reconnect = Reconnect::default();
        losses.iter().map(|loss| reconnect.lost(loss)).collect()
    };
    let short = Loss { lived: SHORT - INSTANT, ..CUT_BEFORE_WORK };
    let with_work = shown(&[short, CUT_AFTER_WORK, short, short, short]);
    assert_eq!(with_work, [false, false, true, false, false]);
    for other in [Loss { lived: SHORT, ..short }, Loss { is_hang_up: false, ..short }] {
        let counts = shown(&[short, short, other, short, short, short, short]);
        assert_eq!(counts, [false, false, false, false, false, true, false], "{other:?}");
    }
}

/// Two processes of one name that do not know of each other: each is thrown out as often as the
/// other comes back, and in the end that is rare. One of them alone is not held to it.
#[test]
fn two_of_one_name_end_up_far_apart() {
    let [mut ours, mut theirs] = [Reconnect::default(), Reconnect::default()];
    let mut wait_of_theirs = Duration::ZERO;
    let mut waits = Vec::new();
    for _ in 0..30 {
        ours.lost(&Loss { lived: wait_of_theirs, ..CUT_BEFORE_WORK });
        let wait_of_ours = ours.wait(0.5).expect("a wait");
        theirs.lost(&Loss { lived: wait_of_ours, ..CUT_BEFORE_WORK });
        wait_of_theirs = theirs.wait(0.5).expect("a wait");
        waits.push(wait_of_theirs.as_secs());
    }
    assert!(waits[12..].iter().all(|wait| *wait >= 3), "{waits:?}");
    ours.lost(&Loss { lived: SHORT_OF_SUSPECTED - INSTANT, ..CUT_BEFORE_WORK });
    assert_eq!(wait(&mut ours), 5_000);
    ours.lost(&Loss { lived: SHORT_OF_SUSPECTED, ..CUT_BEFORE_WORK });
    assert_eq!(wait(&mut ours), 100);
}

/// Where an answer takes longer than it is waited for, the next connection waits longer; the wait
/// is bounded, and any other end takes it back.
#[test]
fn an_answer_that_is_slow_is_waited_for_longer() {
    let mut reconnect = Reconnect::default();
    let slow = Loss { is_unanswered: true, is_hang_up: false, ..CUT_BEFORE_WORK };
    let mut waits = vec![reconnect.answer_wait().as_secs()];
    for _ in 0..5 {
        reconnect.lost(&slow);
        waits.push(reconnect.answer_wait().as_secs());
    }
    assert_eq!(waits, [5, 10, 20, 40, 60, 60]);
    reconnect.lost(&CUT_BEFORE_WORK);
    assert_eq!(reconnect.answer_wait(), ANSWER_WAIT);
}

/// A hole is found as soon the second and the third time, where the link worked in between.
#[test]
fn every_hole_of_a_link_that_works_is_found_as_soon() {
    let mut reconnect = Reconnect::default();
    for lived in [9, 30, 3_600] {
        let lived = Duration::from_secs(lived);
        reconnect.lost(&Loss { lived, is_unanswered: true, is_hang_up: false, ..CUT_AFTER_WORK });
        assert_eq!(reconnect.answer_wait(), ANSWER_WAIT, "{lived:?}");
    }
}

/// A hang-up that is explained grows no wait, and says nothing of a name in use twice.
#[test]
fn a_hang_up_that_is_explained_is_not_waited_for() {
    let mut reconnect = Reconnect::default();
    let explained = Loss { cause: Cause::Refused, ..CUT_BEFORE_WORK };
    for _ in 0..10 {
        assert!(!reconnect.lost(&explained));
        assert_eq!(wait(&mut reconnect), 100);
    }
    reconnect.lost(&CUT_AFTER_WORK);
    assert_eq!(wait(&mut reconnect), 100, "nor did any other wait grow");
}

/// A peer that refuses whatever it is sent, and acknowledges nothing, is left in peace.
#[test]
fn a_peer_that_takes_nothing_is_waited_for_longer() {
    let mut reconnect = Reconnect::default();
    let explained = Loss { cause: Cause::Refused, ..CUT_BEFORE_WORK };
    for _ in 0..2 {
        for _ in 0..REFUSALS_AT_ONCE {
            reconnect.lost(&explained);
            assert_eq!(wait(&mut reconnect), 100);
        }
        let waits: Vec<u128> = (0..10)
            .map(|_| {
                reconnect.lost(&explained);
                wait(&mut reconnect)
            })
            .collect();
        assert!(waits.is_sorted() && waits[0] == 100, "{waits:?}");
        assert_eq!(waits[8..], [5_000, 5_000], "{waits:?}");
        // It takes something again.
        reconnect.lost(&Loss { has_worked: true, ..explained });
        assert_eq!(wait(&mut reconnect), 100);
    }
}

#[test]
fn left_in_good_order_nothing_is_waited_for() {
    let mut reconnect = Reconnect::default();
    reconnect.lost(&CUT_BEFORE_WORK);
    reconnect.left();
    assert_eq!(wait(&mut reconnect), 0);
}

/// Work on a connection is no excuse once it shows that another client of the name does it, too:
/// the waits grow, until a connection lives longer than the other's wait.
#[test]
fn a_name_in_use_twice_is_waited_for_under_load_too() {
    let mut reconnect = Reconnect::default();
    let shared = Loss { cause: Cause::Shared, ..CUT_AFTER_WORK };
    let mut waits: Vec<_> = (0..12)
        .map(|_| {
            reconnect.lost(&shared);
            wait(&mut reconnect)
        })
        .collect();
    assert!(waits[..3].iter().all(|wait| *wait <= 2_000), "{waits:?}");
    assert_eq!(waits.pop(), Some(5_000), "{waits:?}");
    reconnect.lost(&Loss { lived: SHORT_OF_SUSPECTED, ..CUT_AFTER_WORK });
    assert_eq!(wait(&mut reconnect), 100);
}
