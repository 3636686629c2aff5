use super::*;
use crate::mqtt::connection::TICK;

const INTERVAL: Duration = Duration::from_secs(60);

/// Ticks for `time`, with what `at` says was sent and heard in each; when PINGREQs left, and when
/// the connection ended, both in ticks.
async fn ticks(
    keep_alive: &mut KeepAlive,
    time: Duration,
    mut at: impl FnMut(u32) -> (bool, bool),
) -> (Vec<u32>, Option<u32>) {
    let mut pings = Vec::new();
    for tick in 1..=u32::try_from(time.as_millis() / TICK.as_millis()).unwrap() {
        tokio::time::advance(TICK).await;
        let (sent, heard) = at(tick);
        match keep_alive.tick(sent, heard, true) {
            Ok(true) => pings.push(tick),
            Ok(false) => {}
            Err(_) => return (pings, Some(tick)),
        }
    }
    (pings, None)
}

const fn seconds(seconds: u32) -> u32 {
    2 * seconds
}

/// What was sent and has no answer is asked about after 3 s, and 5 s later the connection is over.
#[tokio::test(start_paused = true)]
async fn a_hole_behind_what_was_sent_is_found_within_9_s() {
    let mut keep_alive = KeepAlive::new(INTERVAL);
    let (pings, end) = ticks(&mut keep_alive, INTERVAL, |tick| (tick == 1, false)).await;
    assert_eq!(pings, [1 + seconds(3)]);
    assert_eq!(end, Some(1 + seconds(3) + seconds(5) + 1), "the tick behind the wait");
}

/// An idle link is asked at half the keep-alive and has as long to answer; so is one whose last
/// word was the peer's.
#[tokio::test(start_paused = true)]
async fn an_idle_link_stays_with_the_keep_alive() {
    for heard_last in [false, true] {
        let mut keep_alive = KeepAlive::new(INTERVAL);
        let heard = |tick| (heard_last && tick == 1, heard_last && tick == 2);
        let (pings, end) = ticks(&mut keep_alive, INTERVAL * 2, heard).await;
        assert_eq!(pings.len(), 1);
        assert!((seconds(30)..seconds(32)).contains(&pings[0]), "{pings:?}");
        assert!(end.is_some_and(|end| (seconds(60)..seconds(62)).contains(&end)), "{end:?}");
    }
}

/// A message every second, each acknowledged: nobody is asked anything.
#[tokio::test(start_paused = true)]
async fn a_link_on_which_both_talk_is_not_asked() {
    let mut keep_alive = KeepAlive::new(INTERVAL);
    let (pings, end) = ticks(&mut keep_alive, INTERVAL * 3, |tick| {
        (tick % seconds(1) == 0, tick % seconds(1) == 0)
    })
    .await;
    assert_eq!((pings.len(), end), (0, None));
}

/// The owner's question wants an answer to something of ours: other packets are none.
#[tokio::test(start_paused = true)]
async fn a_question_is_answered_by_an_answer_alone() {
    for answer in [None, Some(seconds(4))] {
        let mut keep_alive = KeepAlive::new(INTERVAL);
        keep_alive.ask();
        let mut answer_due = answer;
        let mut pings = 0;
        let mut end = None;
        for tick in 1..=seconds(20) {
            tokio::time::advance(TICK).await;
            if answer_due.take_if(|due| *due <= tick).is_some() {
                assert!(keep_alive.wants_answer());
                keep_alive.answered();
            }
            match keep_alive.tick(false, true, true) {
                Ok(ping) => pings += u32::from(ping),
                Err(error) => {
                    assert!(matches!(error, ConnectionError::Unanswered(ANSWER_WAIT)), "{error:?}");
                    end = Some(tick);
                    break;
                }
            }
        }
        assert_eq!(pings, 1);
        assert_eq!(end.is_some(), answer.is_none(), "{end:?}");
        assert!(end.is_none_or(|end| end == 1 + seconds(5) + 1), "{end:?}");
    }
}

/// While nothing is read nothing is overdue, however long that takes.
#[tokio::test(start_paused = true)]
async fn nothing_is_overdue_while_nothing_is_read() {
    let mut keep_alive = KeepAlive::new(INTERVAL);
    keep_alive.ask();
    for tick in 0..seconds(300) {
        tokio::time::advance(TICK).await;
        let sent = tick % 3 == 0;
        keep_alive.tick(sent, false, false).expect("alive");
    }
}

/// Where answers take long the owner of the connections says how long to wait.
#[tokio::test(start_paused = true)]
async fn a_slow_link_has_longer_to_answer() {
    let mut keep_alive = KeepAlive::new(INTERVAL);
    keep_alive.answers_within(Duration::from_secs(20));
    let (_, end) = ticks(&mut keep_alive, INTERVAL, |tick| (tick == 1, false)).await;
    assert!(end.is_some_and(|end| (seconds(23)..=seconds(24) + 2).contains(&end)), "{end:?}");
}
