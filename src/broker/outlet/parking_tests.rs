//! Alerts at which a broker hangs up, and a link that is cut at random, in virtual time: the source
//! gives 20 messages ahead of their acknowledgements, as Mosquitto does.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use tokio::io::duplex;
use tokio::time::Instant as Clock;

use super::*;
use crate::mqtt::packet::Publish;
use crate::outbound::dead_letters::{DeadLetters, FILES_MAX};
use crate::pipeline::message::SourceId;
use crate::testing::broker::Rig;
use crate::testing::cut::Cut;
use crate::testing::receiver::{Next, Receiver, files};

/// Messages that a source gives ahead of their acknowledgements.
const WINDOW: usize = 20;
/// From the end of a connection to the next one.
const AWAY: Duration = Duration::from_millis(100);

/// Hot messages, each with a topic of its own, as far as the source has given them.
struct Feed {
    topics: Vec<String>,
    given: usize,
}

impl Feed {
    fn new(topics: impl IntoIterator<Item = String>) -> Self {
        Self { topics: topics.into_iter().collect(), given: 0 }
    }

    /// Gives what the window takes.
    fn advance(&mut self, rig: &Rig) {
        rig.pipeline.lock().release(SourceId::Broker, |_| {});
        let held = rig.pipeline.lock().held(SourceId::Broker).messages;
        for topic in self.topics.iter().skip(self.given).take(WINDOW.saturating_sub(held)) {
            rig.message(topic, &body(topic));
            self.given += 1;
        }
        rig.outlet_wake.notify_one();
    }
}

fn body(topic: &str) -> String {
    format!(r#"{{"machine":{{"temperature":99}},"of":"{topic}"}}"#)
}

fn is_bad(publish: &Publish) -> bool {
    publish.topic.contains("bad")
}

fn letters(folder: &Path) -> DeadLetters {
    DeadLetters::new(folder, "here")
}

/// Connects again and again, each time for `bytes()` bytes, until `is_done`. Gives the outlet back.
async fn run(
    rig: &Rig,
    mut outlet: Outlet,
    receiver: &mut Receiver,
    mut bytes: impl FnMut() -> usize,
    mut is_done: impl FnMut(&Receiver) -> bool,
) -> Outlet {
    loop {
        let (ours, theirs) = duplex(1 << 16);
        let connection = Connection::new(Cut::after(ours, bytes()), Duration::from_secs(60));
        let served = tokio::spawn(async move {
            let end = session::serve(&mut outlet, connection, false)
                .await
                .end
                .expect_err("nobody stops it");
            (outlet, end)
        });
        let peer = Connection::new(theirs, Duration::ZERO);
        let each = |receiver: &Receiver, _| {
            if is_done(receiver) { Next::Leave } else { Next::Send(Vec::new()) }
        };
        let has_left = receiver.serve(peer, each).await;
        let end;
        (outlet, end) = served.await.unwrap();
        outlet.lost(&end);
        if has_left {
            return outlet;
        }
        // The outlet wakes the source when it has settled something.
        rig.outlet_wake.notify_one();
        tokio::time::sleep(AWAY).await;
    }
}

fn never() -> usize {
    usize::MAX
}

fn topics_of(receiver: &Receiver) -> BTreeSet<String> {
    receiver.came.iter().map(|(topic, _)| topic.clone()).collect()
}

fn good(feed: &Feed) -> BTreeSet<String> {
    let good = feed.topics.iter().filter(|topic| !topic.contains("bad"));
    good.map(|topic| format!("alerts/{topic}")).collect()
}

/// Whatever place the bad ones have, and whether PUBACKs before them are lost: all others arrive
/// within seconds, those still at the source too. The bad ones are on disk meanwhile, with their
/// topic and body, and nothing else is.
#[tokio::test(start_paused = true)]
async fn a_poison_alert_stops_no_other() {
    for (count, bad) in [(200, &[0][..]), (200, &[7]), (200, &[19, 20, 90, 199]), (1, &[0])] {
        for is_lazy in [false, true] {
            let rig = Rig::new(1 << 20);
            let folder = tempfile::tempdir().unwrap();
            let outlet = rig.outlet().parking_in(letters(folder.path()));
            let name = |n| if bad.contains(&n) { format!("bad/{n}") } else { format!("s/{n}") };
            let mut feed = Feed::new((0..count).map(name));
            let mut receiver = Receiver { is_lazy, ..Receiver::hating(is_bad) };
            let expected = good(&feed);
            let start = Clock::now();
            run(&rig, outlet, &mut receiver, never, |receiver| {
                feed.advance(&rig);
                // The source flows on.
                rig.pipeline.lock().held(SourceId::Broker).messages == 0
                    && topics_of(receiver) == expected
                    && files(folder.path(), "pending").len() == bad.len()
            })
            .await;
            let took = start.elapsed();
            assert!(took < Duration::from_secs(15) * u32::try_from(bad.len()).unwrap(), "{took:?}");
            let mut kept: Vec<_> = files(folder.path(), "pending")
                .into_iter()
                .inspect(|(head, _)| assert_eq!(head["properties"], serde_json::json!([])))
                .map(|(head, body)| (head["topic"].as_str().unwrap().to_owned(), body))
                .collect();
            kept.sort();
            let topics = feed.topics.iter().filter(|topic| topic.contains("bad"));
            let mut expected: Vec<_> =
                topics.map(|topic| (format!("alerts/{topic}"), body(topic).into_bytes())).collect();
            expected.sort();
            assert_eq!(kept, expected);
            let counters = rig.pipeline.lock().counters.clone();
            assert_eq!((counters.parked, counters.refused), (bad.len() as u64, 0));
        }
    }
}

/// A stream of different bad ones, one in 0.9 s among 200 others a second, so that there are always
/// some of earlier connections: they are parked while the next ones come.
#[tokio::test(start_paused = true)]
async fn a_stream_of_poison_alerts_is_parked_as_it_comes() {
    let rig = Rig::new(1 << 20);
    let folder = tempfile::tempdir().unwrap();
    let outlet = rig.outlet().parking_in(letters(folder.path()));
    let mut receiver = Receiver { is_lazy: true, ..Receiver::hating(is_bad) };
    let start = Clock::now();
    let (mut given, mut bad, mut most_behind) = (0, 0, 0);
    run(&rig, outlet, &mut receiver, never, |_| {
        let now = start.elapsed().as_millis() / 5;
        while given < now {
            given += 1;
            if given % 180 == 0 {
                bad += 1;
                rig.message(&format!("bad/{bad}"), &body(&format!("bad/{bad}")));
            } else {
                rig.message(&format!("s/{given}"), &body("other"));
            }
        }
        rig.outlet_wake.notify_one();
        let parked = rig.pipeline.lock().counters.parked;
        most_behind = most_behind.max(bad - parked);
        given >= 12_000
    })
    .await;
    assert!(most_behind < bad / 2, "{most_behind} of {bad} were in memory at a time");
}

/// While others go on arriving, the bad one is given up after minutes: its file says so, the
/// connection is left in peace, and it was never in the way of the others for long.
#[tokio::test(start_paused = true)]
async fn a_poison_alert_is_refused_after_minutes_and_kept() {
    let rig = Rig::new(1 << 20);
    let folder = tempfile::tempdir().unwrap();
    let outlet = rig.outlet().parking_in(letters(folder.path()));
    let mut receiver = Receiver::hating(is_bad);
    let start = Clock::now();
    let (mut others, mut slowest) = (0, Duration::ZERO);
    let mut sent_at = start;
    rig.message("bad", &body("bad"));
    let outlet = run(&rig, outlet, &mut receiver, never, |receiver| {
        if receiver.came.len() == others {
            slowest = slowest.max(sent_at.elapsed());
            others += 1;
            sent_at = Clock::now();
            rig.message(&others.to_string(), &body("other"));
            rig.outlet_wake.notify_one();
        }
        !files(folder.path(), "refused").is_empty()
    })
    .await;
    let took = start.elapsed();
    assert!((Duration::from_secs(120)..Duration::from_secs(300)).contains(&took), "{took:?}");
    assert!(slowest < Duration::from_secs(5), "{slowest:?}");
    let [(head, found)] = &files(folder.path(), "refused")[..] else { panic!("not one file") };
    assert_eq!((&head["topic"], &found[..]), (&"alerts/bad".into(), body("bad").as_bytes()));
    assert!(head["reason"].as_str().unwrap().contains("not tried any more"), "{head}");
    assert!(files(folder.path(), "pending").is_empty());
    assert_eq!((rig.pipeline.lock().counters.refused, outlet.outbound.parked()), (1, 0));
    let hang_ups = receiver.hang_ups;
    assert!((10..20).contains(&hang_ups), "{hang_ups}");
    let end = Clock::now() + Duration::from_secs(7200);
    run(&rig, outlet, &mut receiver, never, |_| Clock::now() >= end).await;
    assert_eq!(receiver.hang_ups, hang_ups, "it is not tried any more");
}

/// Two hundred cuts at any byte, the first ones of each connection most likely: nothing is lost,
/// nothing refused, and what was parked by chance arrives too.
#[tokio::test(start_paused = true)]
async fn two_hundred_random_cuts_lose_nothing() {
    for seed in [1, 2, 3, 4] {
        let mut random = fastrand::Rng::with_seed(seed);
        let rig = Rig::new(1 << 20);
        let folder = tempfile::tempdir().unwrap();
        let outlet = rig.outlet().parking_in(letters(folder.path()));
        let mut feed = Feed::new((0..2000).map(|n| format!("s/{n}")));
        let mut receiver = Receiver { is_lazy: seed % 2 == 0, ..Receiver::hating(|_| false) };
        let expected = good(&feed);
        let mut cuts = 0;
        let mut bytes = || {
            cuts += 1;
            let most = [100, 400, 2_000][random.usize(..3)];
            if cuts <= 200 { random.usize(1..most) } else { usize::MAX }
        };
        run(&rig, outlet, &mut receiver, &mut bytes, |receiver| {
            feed.advance(&rig);
            topics_of(receiver) == expected && files(folder.path(), "pending").is_empty()
        })
        .await;
        let counters = rig.pipeline.lock().counters.clone();
        assert_eq!(counters.refused, 0, "seed {seed}: {counters:?}");
        assert!(files(folder.path(), "refused").is_empty(), "seed {seed}");
        assert!(cuts > 30, "seed {seed}: {cuts} cuts");
    }
}

/// A process that starts anew tries what the last one has parked, and the receiver takes it now.
#[tokio::test(start_paused = true)]
async fn a_later_process_delivers_what_was_parked() {
    let rig = Rig::new(1 << 20);
    let folder = tempfile::tempdir().unwrap();
    let outlet = rig.outlet().parking_in(letters(folder.path()));
    rig.message("bad", &body("bad"));
    let mut receiver = Receiver::hating(is_bad);
    run(&rig, outlet, &mut receiver, never, |_| !files(folder.path(), "pending").is_empty()).await;
    assert!(receiver.came.is_empty());

    let rig = Rig::new(1 << 20);
    let outlet = rig.outlet().parking_in(letters(folder.path()));
    assert_eq!(outlet.outbound.parked(), 1);
    let mut receiver = Receiver::hating(|_| false);
    let is_gone = |_: &Receiver| files(folder.path(), "pending").is_empty();
    let outlet = run(&rig, outlet, &mut receiver, never, is_gone).await;
    assert_eq!(receiver.came, [("alerts/bad".to_owned(), body("bad").into_bytes())]);
    assert_eq!((rig.pipeline.lock().counters.forwarded, outlet.outbound.parked()), (1, 0));
}

/// Where the folder is full, or cannot be written, nothing is given up, and nothing settled: others
/// that were received arrive. Once there is room, it is kept there.
#[tokio::test(start_paused = true)]
async fn without_a_folder_nothing_is_given_up() {
    for is_full in [true, false] {
        let rig = Rig::new(1 << 20);
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("refused");
        if is_full {
            fs::create_dir(&folder).unwrap();
            (0..FILES_MAX)
                .for_each(|n| fs::write(folder.join(format!("{n}.refused")), "").unwrap());
        } else {
            fs::write(&folder, "a file").unwrap();
        }
        let outlet = rig.outlet().parking_in(letters(&folder));
        rig.message("bad", &body("bad"));
        (0..100).for_each(|n| rig.message(&format!("s/{n}"), &body("other")));
        let mut receiver = Receiver::hating(is_bad);
        let start = Clock::now();
        let others = |receiver: &Receiver| topics_of(receiver).len() == 100;
        let outlet = run(&rig, outlet, &mut receiver, never, others).await;
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());

        // Much longer than it takes to give something up.
        let mut n = 0;
        let outlet = run(&rig, outlet, &mut receiver, never, |_| {
            if start.elapsed().as_secs() > n {
                n += 1;
                rig.message(&format!("later/{n}"), &body("other"));
                rig.outlet_wake.notify_one();
            }
            n > 1000
        })
        .await;
        assert!(receiver.hang_ups > 15, "{}", receiver.hang_ups);
        {
            let pipeline = &mut *rig.pipeline.lock();
            pipeline.release(SourceId::Broker, |_| {});
            assert!(pipeline.held(SourceId::Broker).messages > 100, "the bad one is the first");
            assert_eq!((pipeline.counters.parked, pipeline.counters.refused), (0, 0));
        }
        if is_full {
            fs::remove_dir_all(&folder).unwrap()
        } else {
            fs::remove_file(&folder).unwrap()
        }
        // It has failed so often by now that it is given up at once.
        let is_kept = |_: &Receiver| !files(&folder, "refused").is_empty();
        run(&rig, outlet, &mut receiver, never, is_kept).await;
        assert_eq!(files(&folder, "refused")[0].1, body("bad").as_bytes());
        rig.pipeline.lock().release(SourceId::Broker, |_| {});
        assert_eq!(rig.pipeline.lock().held(SourceId::Broker).messages, 0);
    }
}

/// A report at which the broker hangs up holds no alert back, and is given up in the end: the
/// control topic works on.
#[tokio::test(start_paused = true)]
async fn a_poison_report_stops_no_alert() {
    let rig = Rig::new(1 << 20);
    let folder = tempfile::tempdir().unwrap();
    let mut outlet = rig.outlet().parking_in(letters(folder.path()));
    outlet.on_patch(
        br#"{"TemperatureThreshold":30}"#,
        false,
        &mut rig.pipeline.lock(),
        session::now(),
    );
    let mut receiver = Receiver::hating(|publish| publish.retain);
    let start = Clock::now();
    (0..50).for_each(|n| rig.message(&format!("s/{n}"), &body("other")));
    let others = |receiver: &Receiver| topics_of(receiver).len() == 50;
    let outlet = run(&rig, outlet, &mut receiver, never, others).await;
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    let mut n = 0;
    let mut outlet = run(&rig, outlet, &mut receiver, never, |_| {
        if start.elapsed().as_secs() > n {
            n += 1;
            rig.message(&format!("later/{n}"), &body("other"));
            rig.outlet_wake.notify_one();
        }
        n > 1000
    })
    .await;
    // There are two: the broker has nothing retained, so the patch was cleared meanwhile.
    assert!((20..40).contains(&receiver.hang_ups), "{}", receiver.hang_ups);
    assert_eq!(outlet.outbound.waiting(), 0);
    outlet.on_patch(
        br#"{"TemperatureThreshold":40}"#,
        false,
        &mut rig.pipeline.lock(),
        session::now(),
    );
    assert!(outlet.control.next_report().is_some());
    assert!(files(folder.path(), "pending").is_empty());
}
