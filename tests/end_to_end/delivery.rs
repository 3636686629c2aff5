//! No alert is lost and the order holds, whatever happens to the connection or the process.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::{
    INPUT, MODULE, Process, Scene, message, number, numbered, numbers, reading, take_until_seen,
    wait_until,
};

/// Messages delivered in the tests that interrupt the stream.
const STREAM: usize = 6_000;
/// Messages that the hub may have under way.
const WINDOW: usize = 200;

/// Every second message is hot.
fn stream() -> (Vec<loadgen_hub::HubMessage>, BTreeSet<usize>) {
    let messages = (0..STREAM).map(|n| numbered(n, if n % 2 == 0 { 99 } else { 1 })).collect();
    (messages, (0..STREAM).filter(|n| n % 2 == 0).collect())
}

/// Delivers the stream beside the test: delivery blocks while the hub's store is full. The test is
/// told which messages are hot, and may ask whether all of the stream is through. (An empty store
/// alone does not say so: the delivery may have been a moment too slow for the module.)
fn deliver_beside<R>(
    scene: &Scene,
    test: impl FnOnce(BTreeSet<usize>, &dyn Fn() -> bool) -> R,
) -> R {
    let (messages, hot) = stream();
    std::thread::scope(|threads| {
        let delivery = threads.spawn(|| {
            for chunk in messages.chunks(100) {
                scene.deliver(chunk.to_vec());
            }
        });
        test(hot, &|| delivery.is_finished() && scene.stored() == 0)
    })
}

/// Runs the stream, calls `interrupt` three times in its middle, and checks that every hot message
/// went upstream at least once and no other did.
fn check_interrupted(mut interrupt: impl FnMut(&Scene)) {
    // A short queue: the stream gets only so far ahead of this test, on however fast a machine.
    let scene = Scene::start_with(|config| {
        config.window = WINDOW;
        config.upstream_messages_max = 100;
    });
    // The first module is the caller's to start, as an interruption.
    interrupt(&scene);
    deliver_beside(&scene, |hot, is_through| {
        let mut seen = BTreeSet::new();
        for _ in 0..3 {
            seen.extend(numbers(&scene.take(STREAM / 10)));
            assert!(!is_through(), "the stream ended before the interruption");
            interrupt(&scene);
        }
        let missing: BTreeSet<usize> = hot.difference(&seen).copied().collect();
        let rest = take_until_seen(&scene, &missing);
        let forwarded: BTreeSet<usize> = seen.into_iter().chain(rest).collect();
        assert_eq!(forwarded, hot, "only hot messages are forwarded");
        // Read on: what is sent twice must not hold up the acknowledgements.
        wait_until("every input message is acknowledged", || {
            scene.hub.upstream().try_iter().for_each(drop);
            scene.stored() == 0
        });
    });
}

/// Killed at any instant, the module loses no alert: the hub delivers again what it had not
/// acknowledged.
#[test]
fn killed_three_times_every_alert_arrives() {
    let mut module: Option<Process> = None;
    check_interrupted(|scene| {
        if let Some(module) = &module {
            module.kill();
        }
        module = Some(scene.filter());
    });
}

/// The hub cuts the connection in mid-stream: the module comes back by itself and nothing is lost.
#[test]
fn a_dropped_connection_loses_nothing() {
    let mut module: Option<Process> = None;
    check_interrupted(|scene| match &module {
        None => module = Some(scene.filter()),
        Some(module) => {
            assert!(module.is_running());
            assert!(scene.hub.drop_connection(MODULE));
        }
    });
}

/// While nobody takes the output, inputs stay unacknowledged; once somebody does, every alert
/// arrives once and in order.
#[test]
fn a_stalled_output_holds_back_and_resumes() {
    let scene = Scene::start_with(|config| {
        config.window = WINDOW;
        config.lossless = true;
        config.upstream_messages_max = 50;
    });
    let module = scene.filter();
    deliver_beside(&scene, |hot, _| {
        wait_until("the upstream queue is full", || scene.hub.upstream().is_full());
        // A hub that cannot take more stops reading, so it sees no acknowledgement either.
        let mut stored = (0, Instant::now());
        wait_until("nothing moves any more", || {
            if scene.stored() != stored.0 {
                stored = (scene.stored(), Instant::now());
            }
            stored.0 > 0 && stored.1.elapsed() > Duration::from_millis(500)
        });
        assert!(module.is_running());
        assert_eq!(numbers(&scene.take(hot.len())), hot.into_iter().collect::<Vec<_>>());
    });
    scene.assert_nothing_more_upstream();
}

/// The hub goes away and comes back: the module finds it, and still obeys the twin that it had.
#[test]
fn a_restarted_hub_is_found_again() {
    let scene = Scene::start(10);
    let module = scene.filter();
    scene.set_threshold(json!(60));
    let scene = scene.restart_hub();
    scene.wait_until_subscribed(&module);
    scene.deliver(vec![numbered(0, 60), numbered(1, 61)]);
    assert_eq!(numbers(&scene.take(1)), [1]);
    scene.set_threshold(json!(70));
    scene.deliver(vec![numbered(2, 70), numbered(3, 71)]);
    assert_eq!(numbers(&scene.take(1)), [3]);
    scene.assert_nothing_more_upstream();
}

/// While the hub takes no alerts, the module takes no more than it may hold; once it takes them
/// again, everything arrives.
#[test]
fn more_than_may_be_held_is_delivered_after_the_stall() {
    const COUNT: usize = 1000;
    let scene = Scene::start_with(|config| {
        config.window = COUNT;
        config.upstream_messages_max = 20;
    });
    let mut command = scene.command();
    command.env("SLUICEGATE_HELD_BYTES", "1048576");
    let module = Process::spawn("sluicegate", &mut command);
    scene.wait_until_subscribed(&module);
    let pad = " ".repeat(5_000);
    let padded = |n: usize| message(format!("{}{pad}", reading(99)), &[("n", &n.to_string())]);
    scene.deliver((0..COUNT).map(padded).collect());
    wait_until("the module holds all it may", || module.count("wait for the hub") > 0);
    let upstream = scene.hub.upstream();
    let mut seen = BTreeSet::new();
    wait_until("every alert arrived and every input is acknowledged", || {
        seen.extend(upstream.try_iter().map(|alert| number(&alert)));
        seen.len() == COUNT && scene.stored() == 0
    });
}

/// An input so large that its alert is more than any hub takes is counted, and holds nothing up.
#[test]
fn an_alert_too_large_for_the_hub_does_not_stop_the_module() {
    let scene = Scene::start(10);
    let module = scene.filter();
    let padding = |size: usize| " ".repeat(size - reading(99).len());
    let largest = (262_144 - 2_000..=262_144).rev().find(|size| {
        let body = format!("{}{}", reading(99), padding(*size));
        scene.hub.deliver(MODULE, INPUT, vec![message(body, &[("n", "0")])]).is_ok()
    });
    assert!(largest.is_some(), "the hub takes inputs near its limit");
    scene.deliver(vec![numbered(1, 99)]);
    assert_eq!(number(&scene.take(1)[0]), 1);
    scene.wait_until_all_acknowledged();
    // Another thread writes the log, and another one reads it.
    module.wait_for_line(&["alert lost"]);
    assert_eq!(module.count("alert lost"), 1);
    assert_eq!(module.count("connected to"), 1, "the connection stays");
}

/// Two processes of one identity, both of which get work acknowledged: each says so, and their
/// waits grow past those of a link that is cut.
#[test]
fn two_of_one_identity_wait_for_each_other_under_load() {
    /// Longest wait behind a cut of a link that works.
    const CUT_MS: u64 = 2_000;
    /// Enough that something is under way whenever one throws the other out.
    const BACKLOG: usize = 20_000;
    let scene = Scene::start(WINDOW);
    let both = [(); 2].map(|()| Process::spawn("sluicegate", &mut scene.command()));
    let longest_ms = |module: &Process| {
        let lines = module.lines();
        let waits = lines.iter().filter_map(|line| line.split("; next attempt in ").nth(1));
        waits.filter_map(|rest| rest.strip_suffix(" ms")?.parse::<u64>().ok()).max()
    };
    let mut sent = 0;
    wait_until("the waits grow", || {
        while scene.stored() < BACKLOG {
            scene.deliver((sent..sent + BACKLOG / 4).map(|n| numbered(n, 99)).collect());
            sent += BACKLOG / 4;
        }
        while scene.hub.upstream().try_recv().is_ok() {}
        both.iter().any(|module| longest_ms(module) > Some(CUT_MS))
    });
    for module in &both {
        module.wait_for_line(&["probably a second process connects as"]);
    }
}
