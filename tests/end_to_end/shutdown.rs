//! SIGTERM, SIGINT and SIGHUP: stop reading, drain, say what was done, disconnect, exit 0.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use sluicegate::host::limits::LOG_FLUSH_MAX;
use sluicegate::mqtt::connection::{DISCONNECT_WAIT, TICK};

use crate::harness::{Process, Scene, number, numbered, take_until_seen, wait_until};

/// The time a container is given to stop before it is killed.
const GRACE: Duration = Duration::from_secs(10);
/// How late a busy machine may run a program that has nothing to wait for.
const ALLOWANCE: Duration = Duration::from_secs(4);
/// An idle module may wait for a turn to look at its clocks, and for the hub to close.
const IDLE_END_MAX: Duration = TICK.saturating_add(DISCONNECT_WAIT).saturating_add(ALLOWANCE);

/// Stopped under load, the module exits 0 within the grace; what it forwarded it also
/// acknowledged, so that its successor continues and every alert arrives exactly once.
#[test]
fn sigterm_under_load_drains_and_exits_zero() {
    const STREAM: usize = 20_000;
    let scene = Scene::start(200);
    let mut module = scene.filter();
    let mut seen = Vec::new();
    std::thread::scope(|threads| {
        threads.spawn(|| {
            for start in (0..STREAM).step_by(100) {
                let hot = |n| if n % 2 == 0 { 99 } else { 1 };
                scene.deliver((start..start + 100).map(|n| numbered(n, hot(n))).collect());
            }
        });
        seen.extend(scene.take(500).iter().map(number));
        let start = Instant::now();
        module.signal("TERM");
        // Keep the output flowing: a drain must not depend on luck.
        wait_until("the module ends", || {
            seen.extend(scene.hub.upstream().try_iter().map(|message| number(&message)));
            !module.is_running()
        });
        let status = module.wait_for_exit();
        assert_eq!(status.code(), Some(0));
        assert!(start.elapsed() < GRACE, "took {:?}", start.elapsed());
        wait_until("more of the stream comes", || scene.stored() > 0);
        module = scene.filter();
        while seen.len() < STREAM / 2 {
            seen.push(number(&scene.take(1)[0]));
        }
    });
    let distinct: BTreeSet<usize> = seen.iter().copied().collect();
    assert_eq!(distinct.len(), STREAM / 2, "every alert arrives, none twice");
    scene.assert_nothing_more_upstream();
}

/// An idle module ends within its bound on any of the signals, with a summary as its last line:
/// nothing is in flight that it would wait for, however long it may. That it leaves at once, the
/// tests `an_idle_link_stops_at_once` and `an_idle_source_stops_at_once` show on a stopped clock.
#[test]
fn an_idle_module_stops_within_its_bound_with_a_summary() {
    for signal in ["TERM", "INT", "HUP"] {
        let scene = Scene::start(10);
        let mut command = scene.command();
        command.env("SLUICEGATE_DRAIN_TIMEOUT", "60s");
        let mut module = Process::spawn("sluicegate", &mut command);
        scene.wait_until_subscribed(&module);
        scene.deliver((0..10).map(|n| numbered(n, 20 + n)).collect());
        assert_eq!(scene.take(4).len(), 4);
        scene.wait_until_all_acknowledged();
        let start = Instant::now();
        module.signal(signal);
        assert_eq!(module.wait_for_exit().code(), Some(0), "SIG{signal}");
        assert!(start.elapsed() < IDLE_END_MAX, "SIG{signal} took {:?}", start.elapsed());
        wait_until("the hub noticed", || !scene.is_connected());
        let last = module.lines().pop().unwrap_or_default();
        let totals = "stopped: 10 messages received, 4 alerts, 4 acknowledged by the hub, \
                      6 no alert, 0 malformed,";
        assert!(last.contains(totals), "no totals in the summary: {last}");
    }
}

/// A hub that takes nothing more cannot hold the module back: it gives up when its drain time is
/// over, still exits 0, and its successor delivers every alert.
#[test]
fn sigterm_while_the_output_is_stalled_gives_up_in_time() {
    const STREAM: usize = 2_000;
    let scene = Scene::start_with(|config| {
        config.window = STREAM;
        config.upstream_messages_max = 50;
    });
    let mut module = scene.filter();
    scene.deliver((0..STREAM).map(|n| numbered(n, 99)).collect());
    wait_until("the upstream queue is full", || scene.hub.upstream().is_full());
    let start = Instant::now();
    module.signal("TERM");
    assert_eq!(module.wait_for_exit().code(), Some(0));
    assert!(start.elapsed() < GRACE, "took {:?}", start.elapsed());
    std::thread::scope(|threads| {
        // The hub reads the dead connection to its end once its queue moves again.
        threads.spawn(|| take_until_seen(&scene, &(0..STREAM).collect()));
        let _module = scene.filter();
        scene.wait_until_all_acknowledged();
    });
}

/// A module that cannot connect still obeys.
#[test]
fn sigterm_while_disconnected_exits_zero() {
    let scene = Scene::start(10);
    let mut command = scene.command();
    scene.hub.stop();
    let mut module = crate::harness::Process::spawn("sluicegate", &mut command);
    module.wait_for_line(&["refused"]);
    module.signal("TERM");
    assert_eq!(module.wait_for_exit().code(), Some(0));
}

/// Nobody reads the module's output, into which it logs every message: it judges and acknowledges
/// all the same, and on SIGTERM it ends within its drain time and 2 s, although its hub takes
/// nothing more.
#[test]
fn a_log_that_nobody_reads_stops_neither_the_messages_nor_the_end() {
    const STREAM: usize = 3_000;
    const DRAIN: Duration = Duration::from_secs(3);
    let scene = Scene::start_with(|config| {
        config.window = STREAM;
        config.upstream_messages_max = 50;
    });
    let mut command = scene.command();
    command.env("RuntimeLogLevel", "verbose").env("SLUICEGATE_DRAIN_TIMEOUT", "3s");
    let (mut module, _reader) = Process::spawn_into_full_pipe("sluicegate", &mut command);
    scene.wait_until_subscribed(&module);
    scene.deliver((0..STREAM).map(|n| numbered(n, n % 100)).collect());
    let expected: BTreeSet<usize> = (0..STREAM).filter(|n| n % 100 > 25).collect();
    assert_eq!(take_until_seen(&scene, &expected).len(), expected.len());
    scene.wait_until_all_acknowledged();
    assert_eq!(scene.counter("received"), STREAM as u64);
    scene.deliver((0..STREAM).map(|n| numbered(n, 99)).collect());
    wait_until("the upstream queue is full", || scene.hub.upstream().is_full());
    let start = Instant::now();
    module.signal("TERM");
    assert_eq!(module.wait_for_exit().code(), Some(0));
    assert!(start.elapsed() < DRAIN + Duration::from_secs(2), "took {:?}", start.elapsed());
}

/// The same with nothing in flight, and without a hub: it ends within its bound.
#[test]
fn a_log_that_nobody_reads_does_not_hold_up_an_idle_end() {
    let scene = Scene::start(10);
    let (mut module, _reader) = Process::spawn_into_full_pipe("sluicegate", &mut scene.command());
    scene.wait_until_subscribed(&module);
    let start = Instant::now();
    module.signal("TERM");
    assert_eq!(module.wait_for_exit().code(), Some(0));
    assert!(start.elapsed() < IDLE_END_MAX + LOG_FLUSH_MAX, "took {:?}", start.elapsed());
    let mut command = crate::harness::sluicegate();
    command.args(["run", "--broker", "mqtt://127.0.0.1:1"]);
    let (mut module, _reader) = Process::spawn_into_full_pipe("sluicegate", &mut command);
    wait_until("the signals are taken", || module.catches_sigterm());
    let start = Instant::now();
    module.signal("TERM");
    assert_eq!(module.wait_for_exit().code(), Some(0));
    assert!(start.elapsed() < IDLE_END_MAX + LOG_FLUSH_MAX, "took {:?}", start.elapsed());
}
