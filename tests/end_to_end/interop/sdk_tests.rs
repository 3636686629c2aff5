//! The hub is one that unmodified SDKs get along with: twin, patch, method, input, output, and
//! all of them again after the hub dropped the connection, and after it restarted.

use std::time::Duration;

use serde_json::{Value, json};

use super::sdk::{Sdk, connects};
use crate::harness::{
    MODULE, Process, Scene, message, numbered, numbers, property, reading, wait_until,
};

pub(super) const METHOD_TIMEOUT: Duration = Duration::from_secs(10);

#[test]
fn python_sdk_gets_along_with_the_hub() {
    let scene = exercise(Sdk::Python);
    // The Python SDK hands every method to the module's handler, which refuses unknown names.
    let (module, scene) = scene;
    let (status, error) =
        scene.hub.call_method(MODULE, "reboot", json!(null), METHOD_TIMEOUT).unwrap();
    assert_eq!((status, &error["error"]), (404, &json!("unknown method reboot")));
    stop(module, &scene);
}

#[test]
fn node_sdk_gets_along_with_the_hub() {
    let (module, scene) = exercise(Sdk::Node);
    // The Node SDK answers only names that the module registered.
    let timeout = Duration::from_millis(200);
    assert!(scene.hub.call_method(MODULE, "reboot", json!(null), timeout).is_err());
    stop(module, &scene);
}

fn exercise(sdk: Sdk) -> (Process, Scene) {
    let scene = Scene::start_for_sdk(10);
    // Known before the module starts: it learns this from the full twin.
    let version = scene.hub.set_desired(MODULE, json!({ "TemperatureThreshold": 30 })).unwrap();
    let module = sdk.start(&scene);
    assert_eq!(scene.wait_for_report(version)["value"], json!(30));
    let twin = module.wait_for_line(&["twin ", "TemperatureThreshold"]);
    let document: Value = serde_json::from_str(twin.trim_start_matches("twin ")).unwrap();
    assert_eq!(document["$version"], json!(version), "{twin}");

    input_and_output(&scene, &module);
    patch(&scene, 60);
    method(&scene, 1);

    let before = connects(&module);
    assert!(scene.hub.drop_connection(MODULE));
    check_after_reconnect(&scene, &module, before);
    let before = connects(&module);
    let scene = scene.restart_hub();
    check_after_reconnect(&scene, &module, before);
    (module, scene)
}

/// The SDK comes back; it does not subscribe again to everything, for the hub kept its
/// subscriptions.
pub(super) fn check_after_reconnect(scene: &Scene, module: &Process, connects_before: usize) {
    wait_until("the SDK is connected again", || connects(module) > connects_before);
    scene.wait_until_subscribed(module);
    patch(scene, 60);
    scene.deliver(vec![numbered(10, 60), numbered(11, 61)]);
    assert_eq!(numbers(&scene.take(1)), [11]);
    patch(scene, 40);
    method(scene, 2);
    scene.deliver(vec![numbered(20, 40), numbered(21, 41)]);
    assert_eq!(numbers(&scene.take(1)), [21]);
}

/// Inputs reach the module with their properties, outputs the hub with theirs.
pub(super) fn input_and_output(scene: &Scene, module: &Process) {
    let properties = [
        ("n", "2"),
        ("sequenceNumber", "17"),
        ("sp ace", "a&b=c/d?e#f+g%h"),
        ("uni", "é€"),
        ("$.mid", "id 1/2"),
        ("$.cid", "c+1"),
        ("$.ct", "application/json"),
        ("$.ce", "utf-8"),
    ];
    let body = " {\"machine\": {\"temperature\": 30.5, \"name\": \"é\"}} ";
    scene.hub.deliver(MODULE, "input2", vec![message(reading(99), &[])]).unwrap();
    scene.deliver(vec![numbered(1, 30), message(body, &properties)]);
    let alert = &scene.take(1)[0];
    assert_eq!(alert.body, body);
    assert_eq!(alert.output.as_deref(), Some("output1"));
    assert_eq!(alert.module.as_deref(), Some(MODULE));
    for (name, value) in properties {
        assert_eq!(property(alert, name), Some(value), "{name}");
    }
    assert_eq!(property(alert, "MessageType"), Some("Alert"));
    module.wait_for_line(&["ignored input2"]);
    scene.assert_nothing_more_upstream();
}

/// A desired patch reaches the module, its report the hub.
pub(super) fn patch(scene: &Scene, threshold: u32) {
    let report = scene.set_threshold(json!(threshold));
    assert_eq!((&report["value"], &report["ac"]), (&json!(threshold), &json!(200)));
}

/// A direct method reaches the module with its payload, the answer the caller.
pub(super) fn method(scene: &Scene, call: u32) {
    let payload = json!({ "call": call, "text": "é" });
    let (status, answer) =
        scene.hub.call_method(MODULE, "stats", payload.clone(), METHOD_TIMEOUT).unwrap();
    assert_eq!(status, 200);
    assert_eq!(answer["payload"], payload);
    assert_eq!(answer["ignored"], 1);
}

/// The module takes its leave, and the hub notices.
pub(super) fn stop(mut module: Process, scene: &Scene) {
    module.signal("TERM");
    assert_eq!(module.wait_for_exit().code(), Some(0));
    module.wait_for_line(&["stopped"]);
    wait_until("the hub noticed", || !scene.is_connected());
}
