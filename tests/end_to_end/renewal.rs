//! Tokens are renewed in mid-stream: nothing is lost, nothing comes twice, the order holds.

use std::time::{Duration, Instant};

use crate::harness::{Process, Scene, numbered, numbers, patience};

/// How many renewals must fall among the messages.
const RENEWALS: u64 = 20;
/// Messages in one delivery, and the time between deliveries.
const CHUNK: usize = 20;
const PAUSE: Duration = Duration::from_millis(10);
/// Messages that the hub may have under way.
const WINDOW: usize = 200;

/// With tokens of half a second, messages come until there were 20 renewals, and every second one
/// is an alert.
#[test]
fn renewals_under_load_lose_and_repeat_nothing() {
    let scene = Scene::start(WINDOW);
    let mut command = scene.command();
    let module = Process::spawn("sluicegate", command.env("SLUICEGATE_TOKEN_LIFETIME", "500ms"));
    scene.wait_until_subscribed(&module);
    let deadline = Instant::now() + patience();
    let mut sent = 0;
    let mut seen = Vec::new();
    while scene.counter("renewals") < RENEWALS {
        assert!(Instant::now() < deadline, "{} renewals", scene.counter("renewals"));
        let chunk = sent..sent + CHUNK;
        sent = chunk.end;
        scene.deliver(chunk.map(|n| numbered(n, if n % 2 == 0 { 99 } else { 1 })).collect());
        seen.extend(numbers(&scene.hub.upstream().try_iter().collect::<Vec<_>>()));
        std::thread::sleep(PAUSE);
    }
    seen.extend(numbers(&scene.take(sent / 2 - seen.len())));
    assert_eq!(seen, (0..sent).step_by(2).collect::<Vec<_>>(), "each alert once and in order");
    scene.assert_nothing_more_upstream();
    assert_eq!(scene.counter("resent"), 0, "nothing was left behind");
    assert_eq!(module.count("lost:"), 0, "no connection was lost");
}
