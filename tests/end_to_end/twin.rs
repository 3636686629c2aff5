//! The threshold and the device twin: the threshold in force when a message arrives judges it.

use serde_json::{Value, json};

use crate::harness::{MODULE, Process, Scene, numbered, numbers, wait_until};

/// The default threshold, in force when the twin names none.
const DEFAULT: f64 = 25.0;

/// Messages delivered between two patches, at most.
const BLOCK: usize = 250;
/// Messages that may be unacknowledged when the next block is delivered.
const UNDER_WAY: usize = 400;

/// A small generator of numbers (xorshift), so that a run repeats from its seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// For every message: it is forwarded iff its temperature exceeds the threshold of the last patch
/// that was sent on the connection before it.
#[test]
fn patches_in_mid_stream_judge_by_arrival() {
    let seed = 0x5eed_2020;
    println!("seed {seed:#x}");
    let mut random = Random(seed);
    // The window is wider than what is ever under way, and that is less than the hub lets wait in
    // a connection's write buffer: each message is then sent at once, so that the order of these
    // calls is the order on the connection.
    let scene = Scene::start(UNDER_WAY + BLOCK);
    let _module = scene.filter();
    scene.set_threshold(json!(50));
    let mut threshold = 50;
    let mut expected = Vec::new();
    let mut n = 0;
    let mut last_version = 0;
    for _ in 0..60 {
        wait_until("few messages are under way", || scene.hub.stored(MODULE) <= UNDER_WAY);
        let count = 1 + random.below(BLOCK as u64);
        let block = (0..count).map(|_| {
            let temperature = random.below(100);
            if temperature > threshold {
                expected.push(n);
            }
            n += 1;
            numbered(n - 1, temperature)
        });
        scene.deliver(block.collect());
        threshold = random.below(100);
        let patch = json!({ "TemperatureThreshold": threshold });
        last_version = scene.hub.set_desired(MODULE, patch).unwrap();
    }
    assert_eq!(numbers(&scene.take(expected.len())), expected);
    assert_eq!(scene.wait_for_report(last_version)["value"], json!(threshold));
    scene.assert_nothing_more_upstream();
}

/// An applied value is reported with 200 and its version.
#[test]
fn an_applied_threshold_is_reported() {
    let scene = Scene::start(10);
    let _module = scene.filter();
    for value in [json!(70), json!(-3.5), json!(0), json!(1e300)] {
        let report = scene.set_threshold(value.clone());
        assert_eq!(report["value"].as_f64(), value.as_f64());
        assert_eq!(report["ac"], 200, "{report}");
        assert!(report["ad"].is_string(), "{report}");
    }
}

/// A value that is no number changes nothing and is reported with 400 and what is in force.
#[test]
fn a_bad_threshold_changes_nothing_and_is_reported() {
    let scene = Scene::start(10);
    let _module = scene.filter();
    scene.set_threshold(json!(70));
    let bad = [json!("80"), json!(true), json!({"value": 80}), json!([80]), json!("NaN")];
    for (n, value) in bad.iter().enumerate() {
        let report = scene.set_threshold(value.clone());
        assert_eq!(report["ac"], 400, "{value}: {report}");
        assert_eq!(report["value"].as_f64(), Some(70.0), "{value}: {report}");
        scene.deliver(vec![numbered(2 * n, 70), numbered(2 * n + 1, 71)]);
        assert_eq!(numbers(&scene.take(1)), [2 * n + 1]);
    }
    scene.assert_nothing_more_upstream();
}

/// A removed property returns to the default.
#[test]
fn a_removed_threshold_returns_to_the_default() {
    let scene = Scene::start(10);
    let _module = scene.filter();
    scene.set_threshold(json!(70));
    let report = scene.set_threshold(Value::Null);
    assert_eq!(report["value"].as_f64(), Some(DEFAULT), "{report}");
    scene.deliver(vec![numbered(0, 25), numbered(1, 26)]);
    assert_eq!(numbers(&scene.take(1)), [1]);
    scene.assert_nothing_more_upstream();
}

/// A patch without the threshold changes nothing.
#[test]
fn another_property_changes_nothing() {
    let scene = Scene::start(10);
    let _module = scene.filter();
    scene.set_threshold(json!(70));
    scene
        .hub
        .set_desired(MODULE, json!({"Other": 1, "Nested": {"TemperatureThreshold": 1}}))
        .unwrap();
    scene.deliver(vec![numbered(0, 70), numbered(1, 71)]);
    assert_eq!(numbers(&scene.take(1)), [1]);
    scene.assert_nothing_more_upstream();
}

/// What the twin says at start, and what changed while the module was away, is applied: the module
/// fetches the full twin on every connect.
#[test]
fn a_change_while_away_is_applied_on_return() {
    let scene = Scene::start(10);
    let version = scene.hub.set_desired(MODULE, json!({"TemperatureThreshold": 60})).unwrap();
    let module = scene.filter();
    assert_eq!(scene.wait_for_report(version)["value"].as_f64(), Some(60.0));
    drop(module);
    let version = scene.hub.set_desired(MODULE, json!({"TemperatureThreshold": 80})).unwrap();
    let _module: Process = scene.filter();
    assert_eq!(scene.wait_for_report(version)["value"].as_f64(), Some(80.0));
    scene.deliver(vec![numbered(0, 80), numbered(1, 81)]);
    assert_eq!(numbers(&scene.take(1)), [1]);
}
