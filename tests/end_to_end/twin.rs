//! The threshold and the device twin: the threshold in force when a message arrives judges it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::harness::{MODULE, Process, Scene, numbered, numbers, wait_until};

/// The default threshold, in force when the twin names none.
const DEFAULT: f64 = 25.0;

/// Patches in the stream.
const PATCHES: usize = 100;
/// Messages between two patches, fewer than this.
const BLOCK: u64 = 200;
/// Unacknowledged messages above which the stream waits, however slow the module is: the hub then
/// sends every block and every patch at once, so that patches come between messages.
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
/// that the hub wrote to the connection before it.
#[test]
fn patches_in_mid_stream_judge_by_arrival() {
    let seed = 0x5eed_2020;
    println!("seed {seed:#x}");
    let mut random = Random(seed);
    let scene = Scene::start(1_000);
    let _module = scene.filter();
    let mut thresholds = BTreeMap::new();
    let mut set = |threshold: u64| {
        let patch = json!({ "TemperatureThreshold": threshold });
        thresholds.insert(scene.hub.set_desired(MODULE, patch).unwrap(), threshold);
    };
    set(50);
    let mut temperatures = Vec::new();
    for _ in 0..PATCHES {
        wait_until("few messages are under way", || scene.stored() <= UNDER_WAY);
        let start = temperatures.len();
        temperatures.extend((0..random.below(BLOCK)).map(|_| random.below(100)));
        let block = temperatures[start..].iter().zip(start..);
        scene.deliver(block.map(|(temperature, n)| numbered(n, temperature)).collect());
        set(random.below(100));
    }
    let (&last_version, &last_threshold) = thresholds.last_key_value().unwrap();
    assert_eq!(scene.wait_for_report(last_version)["value"], json!(last_threshold));
    scene.wait_until_all_acknowledged();

    // The hub tells how many messages it had written before each patch.
    assert_eq!(scene.hub.counters().inputs_redelivered, 0, "the count would be useless");
    let written = scene.hub.patches_written(MODULE).unwrap();
    assert_eq!(written.len(), thresholds.len());
    let places: BTreeSet<u64> = written.iter().map(|&(_, before)| before).collect();
    assert!(places.len() > PATCHES / 2, "the patches were not in mid-stream: {written:?}");
    let in_force = |n: usize| {
        let before = written.iter().rev().find(|&&(_, before)| before <= n as u64).unwrap();
        thresholds[&before.0]
    };
    let predicted: Vec<usize> =
        (0..temperatures.len()).filter(|&n| temperatures[n] > in_force(n)).collect();
    assert_eq!(numbers(&scene.take(predicted.len())), predicted);
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

/// A twin that was deleted and made anew, and has come to the same version with another value, is
/// obeyed after a reconnect; one that has come to a lower version, at its next patch.
#[test]
fn a_twin_made_anew_is_obeyed() {
    let scene = Scene::start(10);
    let _module = scene.filter();
    let version = scene.hub.set_desired(MODULE, json!({"TemperatureThreshold": 60})).unwrap();
    assert_eq!(scene.wait_for_report(version)["value"], 60);

    scene.hub.remake_twin(MODULE, json!({"TemperatureThreshold": 70}), version).unwrap();
    assert!(scene.hub.drop_connection(MODULE));
    assert_eq!(scene.wait_for_report(version)["value"], 70);
    scene.deliver(vec![numbered(0, 70), numbered(1, 71)]);
    assert_eq!(numbers(&scene.take(1)), [1]);

    let connects = scene.hub.counters().connects;
    scene.hub.remake_twin(MODULE, json!({"TemperatureThreshold": 10}), 1).unwrap();
    for value in [80, 90] {
        let version =
            scene.hub.set_desired(MODULE, json!({"TemperatureThreshold": value})).unwrap();
        assert_eq!(scene.wait_for_report(version)["value"], value);
    }
    scene.deliver(vec![numbered(2, 90), numbered(3, 91)]);
    assert_eq!(numbers(&scene.take(1)), [3]);
    assert_eq!(scene.hub.counters().connects, connects, "on the same connection");
    scene.assert_nothing_more_upstream();
}

/// A twin in the place of its desired properties is hinted at, in a patch and in the document, and
/// changes nothing.
#[test]
fn a_desired_inside_the_desired_properties_is_hinted_at() {
    let scene = Scene::start(10);
    let module = scene.filter();
    let before = scene.wait_for_report(1);
    let hint = ["the desired properties hold", "desired", "one level up"];
    let patch = json!({"desired": {"TemperatureThreshold": 60}});
    scene.hub.set_desired(MODULE, patch).unwrap();
    module.wait_for_line(&[&["[WRN]"], &hint[..]].concat());
    assert_eq!(scene.hub.twin(MODULE).unwrap()["reported"]["TemperatureThreshold"], before);
    module.kill();
    scene.filter().wait_for_line(&hint);
}

/// A name that is nearly the property's is hinted at, in a patch and in the document.
#[test]
fn a_misspelt_property_is_hinted_at() {
    let scene = Scene::start(10);
    let module = scene.filter();
    let hint = ["[WRN]", "\"temperature_treshold\"", "did you mean \"TemperatureThreshold\"?"];
    scene.hub.set_desired(MODULE, json!({"temperature_treshold": 60})).unwrap();
    module.wait_for_line(&hint);
    module.kill();
    scene.filter().wait_for_line(&hint);
}
