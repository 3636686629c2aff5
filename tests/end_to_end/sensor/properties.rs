//! Writable properties: each takes its own time, is acknowledged in the form that it came in, and
//! what was set while the sensor was away is made up for.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{DEVICE, call, reported, set_desired, start, stop, wait_for_report};
use crate::harness::{Process, Scene, wait_until};

/// How long the sensor takes for each.
const NAME_TAKES: Duration = Duration::from_secs(1);
const BRIGHTNESS_TAKES: Duration = Duration::from_secs(5);

fn wrapped(value: Value, version: u64) -> Value {
    json!({ "value": value, "status": "completed", "desiredVersion": version })
}

fn plain(value: Value, version: u64) -> Value {
    json!({ "value": value, "ac": 200, "av": version, "ad": "completed" })
}

/// A brightness takes 5 s and a name 1 s, at the same time, and neither delays a command. Each
/// is acknowledged under the version that it came with.
fn check_concurrency(form: impl Fn(Value) -> Value, acknowledgement: impl Fn(Value, u64) -> Value) {
    let scene = Scene::start(1);
    let _sensor = start(&scene, &[]);
    let start = Instant::now();
    let brightness = set_desired(&scene, json!({ "brightness": form(json!(10)) }));
    let name = set_desired(&scene, json!({ "name": form(json!("lamp")) }));

    let (status, _) = call(&scene, "blink", json!(3));
    let blink_took = start.elapsed();
    assert_eq!((status, reported(&scene, "brightness")), (200, Value::Null));
    assert!(blink_took < BRIGHTNESS_TAKES, "blink was answered after {blink_took:?}");

    wait_for_report(&scene, "name", &acknowledgement(json!("lamp"), name));
    assert!(start.elapsed() >= NAME_TAKES);
    assert_eq!(reported(&scene, "brightness"), Value::Null, "the name came first");
    wait_for_report(&scene, "brightness", &acknowledgement(json!(10), brightness));
    assert!(start.elapsed() >= BRIGHTNESS_TAKES);
    assert_eq!(reported(&scene, "name"), acknowledgement(json!("lamp"), name));
}

/// The form of 2020: `{"brightness": {"value": 10}}`.
#[test]
fn wrapped_values_are_acknowledged_in_kind_and_delay_nothing() {
    check_concurrency(|value| json!({ "value": value }), wrapped);
}

/// The form of today: `{"brightness": 10}`.
#[test]
fn plain_values_are_acknowledged_in_kind_and_delay_nothing() {
    check_concurrency(|value| value, plain);
}

/// A value that the template does not allow is refused at once and in kind, with the value in
/// force; telemetry and commands go on.
#[test]
fn values_that_the_template_does_not_allow_are_refused() {
    let scene = Scene::start(1);
    let _sensor = start(&scene, &[]);
    let version = set_desired(&scene, json!({ "brightness": "bright", "name": { "value": 7 } }));
    wait_until("both are refused", || {
        !reported(&scene, "brightness").is_null() && !reported(&scene, "name").is_null()
    });
    let brightness = reported(&scene, "brightness");
    assert_eq!((&brightness["ac"], &brightness["av"]), (&json!(400), &json!(version)));
    assert_eq!(brightness["value"], json!(0), "the default");
    let name = reported(&scene, "name");
    assert_eq!((&name["status"], &name["desiredVersion"]), (&json!("failed"), &json!(version)));
    assert_eq!(name["value"], json!(""));
    assert_eq!(call(&scene, "turnon", Value::Null).0, 200);
}

/// What was in force stays and is reported, by a later process too.
#[test]
fn a_refusal_reports_the_value_in_force() {
    let scene = Scene::start(1);
    let refused = |brightness: Value| {
        let version = set_desired(&scene, json!({ "brightness": brightness }));
        wait_until("it is refused", || reported(&scene, "brightness")["av"] == json!(version));
        let report = reported(&scene, "brightness");
        assert_eq!((&report["value"], &report["ac"]), (&json!(7), &json!(400)), "{report}");
    };
    let sensor = start(&scene, &[]);
    set_desired(&scene, json!({ "brightness": 7 }));
    refused(json!("high"));
    refused(json!([7]));
    stop(sensor);
    let _sensor = start(&scene, &[]);
    refused(json!({ "brightness": 8 }));
}

/// A twin in the place of its desired properties is hinted at, in a patch and in the document.
#[test]
fn a_desired_inside_the_desired_properties_is_hinted_at() {
    let scene = Scene::start(1);
    let hint = ["[WRN]", "the desired properties hold", "properties", "two levels up"];
    let sensor = start(&scene, &[]);
    set_desired(&scene, json!({ "properties": { "desired": { "brightness": 7 } } }));
    sensor.wait_for_line(&hint);
    sensor.kill();
    start(&scene, &[]).wait_for_line(&hint);
}

/// A name that is nearly a property's is hinted at.
#[test]
fn a_misspelt_property_is_hinted_at() {
    let scene = Scene::start(1);
    let sensor = start(&scene, &[]);
    set_desired(&scene, json!({ "brigthness": 7 }));
    sensor.wait_for_line(&["[WRN]", "\"brigthness\"", "did you mean \"brightness\"?"]);
}

/// Of two answers in different forms the twin holds the second alone, by a later process too.
#[test]
fn an_answer_in_the_other_form_leaves_nothing_of_the_first() {
    let scene = Scene::start(1);
    let mut sensor = start(&scene, &[]);
    let check = |value: Value, report: &dyn Fn(u64) -> Value| {
        let version = set_desired(&scene, json!({ "name": value }));
        wait_for_report(&scene, "name", &report(version));
    };
    for is_restarted in [false, true] {
        set_desired(&scene, json!({ "name": { "value": 7.5 } }));
        wait_until("it is refused", || reported(&scene, "name")["status"] == "failed");
        if is_restarted {
            stop(sensor);
            sensor = start(&scene, &[]);
        }
        check(json!("lamp"), &|version| plain(json!("lamp"), version));
        set_desired(&scene, json!({ "name": 5 }));
        wait_until("it is refused", || reported(&scene, "name")["ac"] == 400);
        check(json!({ "value": "desk" }), &|version| wrapped(json!("desk"), version));
    }
    stop(sensor);
}

/// A newer value supersedes one that is not in force yet.
#[test]
fn the_newest_value_wins() {
    let scene = Scene::start(1);
    let _sensor = start(&scene, &[]);
    for value in 1..=3 {
        set_desired(&scene, json!({ "brightness": value }));
    }
    let newest = set_desired(&scene, json!({ "brightness": 4 }));
    let mut first = Value::Null;
    wait_until("a brightness is reported", || {
        first = reported(&scene, "brightness");
        !first.is_null()
    });
    assert_eq!(first, plain(json!(4), newest));
}

/// What was set before the sensor started, while its connection was gone, and while the process
/// was dead is acted on once; what was acknowledged is not acted on again.
#[test]
fn missed_values_are_made_up_for() {
    let scene = Scene::start(1);
    let summary = stop(start(&scene, &[]));
    assert!(summary.contains("0 property changes"), "{summary}");
    let version = set_desired(&scene, json!({ "name": { "value": "one" } }));

    let sensor = start(&scene, &[]);
    wait_for_report(&scene, "name", &wrapped(json!("one"), version));
    let connects = scene.hub.counters().connects;
    assert!(scene.hub.drop_connection(DEVICE));
    let version = set_desired(&scene, json!({ "name": { "value": "two" } }));
    wait_for_report(&scene, "name", &wrapped(json!("two"), version));
    assert!(scene.hub.counters().connects > connects);

    // Killed before the brightness is in force.
    let brightness = set_desired(&scene, json!({ "brightness": 50 }));
    sensor.wait_for_line(&["desired properties", "brightness"]);
    sensor.kill();
    assert_eq!(reported(&scene, "brightness"), Value::Null);
    let sensor = start(&scene, &[]);
    wait_for_report(&scene, "brightness", &plain(json!(50), brightness));
    // A document has one version for all: the name was newer than its acknowledgement, too.
    wait_for_report(&scene, "name", &wrapped(json!("two"), brightness));
    stop(sensor);

    let summary = stop(connected(&scene));
    assert!(summary.contains("0 property changes"), "{summary}");
}

/// A twin that was deleted and made anew, and has come to the same version with another value, is
/// acted on after a reconnect; one that has come to a lower version, at its next patch.
#[test]
fn a_twin_made_anew_is_acted_on() {
    let scene = Scene::start(1);
    let _sensor = start(&scene, &[]);
    let version = set_desired(&scene, json!({ "name": "one" }));
    wait_for_report(&scene, "name", &plain(json!("one"), version));

    scene.hub.remake_twin(DEVICE, json!({ "name": "two" }), version).unwrap();
    assert!(scene.hub.drop_connection(DEVICE));
    wait_for_report(&scene, "name", &plain(json!("two"), version));

    let connects = scene.hub.counters().connects;
    scene.hub.remake_twin(DEVICE, json!({ "name": "zero" }), 0).unwrap();
    for value in ["three", "four"] {
        let version = set_desired(&scene, json!({ "name": value }));
        wait_for_report(&scene, "name", &plain(json!(value), version));
    }
    assert_eq!(scene.hub.counters().connects, connects, "on the same connection");
}

/// A sensor that has read its twin: it has sent telemetry since, and the twin came first.
fn connected(scene: &Scene) -> Process {
    let gets = scene.hub.counters().twin_gets;
    let sensor = start(scene, &[]);
    wait_until("the twin is read", || scene.hub.counters().twin_gets > gets);
    // The twin's answer was on its way before this command's request was.
    assert_eq!(call(scene, "turnon", Value::Null).0, 200);
    sensor
}
