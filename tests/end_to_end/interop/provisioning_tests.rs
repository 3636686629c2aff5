//! The SDKs' provisioning clients register with the hub's service, by individual and by derived
//! keys, and then are devices of the hub.

use loadgen_hub::{GroupKey, RegistrationFault};
use serde_json::{Value, json};
use sluicegate::azure::Key;

use super::sdk::{Sdk, Variables, connects};
use super::sdk_tests::METHOD_TIMEOUT;
use crate::harness::{Process, Scene, patience, property, wait_until};

const DEVICE: &str = "sn-007";
const GROUP_KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
/// As little like the group's as can be.
const OWN_KEY: &str = "aW5kaXZpZHVhbCBlbnJvbGxtZW50";

#[test]
fn python_sdk_registers_with_a_derived_key() {
    with_a_derived_key(Sdk::Python);
}

#[test]
fn node_sdk_registers_with_a_derived_key() {
    with_a_derived_key(Sdk::Node);
}

#[test]
fn python_sdk_registers_with_a_key_of_its_own() {
    with_a_key_of_its_own(Sdk::Python);
}

#[test]
fn node_sdk_registers_with_a_key_of_its_own() {
    with_a_key_of_its_own(Sdk::Node);
}

#[test]
fn python_sdk_understands_refusals() {
    refusals(Sdk::Python);
}

#[test]
fn node_sdk_understands_refusals() {
    refusals(Sdk::Node);
}

fn start() -> Scene {
    Scene::start_for_sdk_with(|config| {
        let key = |text| Key::from_base64(text).unwrap();
        config.provisioning.group_key = GroupKey::Given(key(GROUP_KEY));
        config.provisioning.individual.insert("own".to_owned(), key(OWN_KEY));
        config.provisioning.assigning_polls = 1;
    })
}

fn variables(scene: &Scene, registration: &str) -> Variables {
    scene.hub.enrollment_environment(registration).unwrap()
}

/// The variables with another key, or with none of the device.
fn with(mut variables: Variables, name: &str, key: &str) -> Variables {
    variables.retain(|(name, _)| name != "SLUICEGATE_KEY");
    variables.push((format!("SLUICEGATE_{name}"), key.to_owned()));
    variables
}

/// The program derives the key itself, as the tutorial does, and is a whole device.
fn with_a_derived_key(sdk: Sdk) {
    let scene = start();
    let device = sdk.device(with(variables(&scene, DEVICE), "GROUP_KEY", GROUP_KEY));
    let host = scene.hub.address().ip().to_string();
    device.wait_for_line(&["assigned", &host, DEVICE, "initialAssignment"]);
    device.wait_for_line(&["ready"]);
    telemetry(&scene);
    property_and_method(&scene, &device, 10, 1);
    let before = connects(&device);
    assert!(scene.hub.drop_connection(DEVICE));
    wait_until("the SDK is connected again", || connects(&device) > before);
    wait_until("the hub sees it", || scene.hub.is_connected(DEVICE));
    property_and_method(&scene, &device, 20, 2);
    stop(device, &scene, DEVICE);
}

/// A throttled registration is asked for again.
fn with_a_key_of_its_own(sdk: Sdk) {
    let scene = start();
    assert_eq!(scene.hub.enrollment("own").unwrap().key.to_base64(), OWN_KEY);
    let fault = RegistrationFault::Status { status: 429, retry_after_s: Some(1), times: 1 };
    scene.hub.set_registration_fault("own", Some(fault)).unwrap();
    let device = sdk.device(variables(&scene, "own"));
    device.wait_for_line(&["ready"]);
    assert_eq!(scene.hub.counters().registrations_refused, 1);
    telemetry(&scene);
    stop(device, &scene, "own");
    // Registering once more finds the same device.
    let device = sdk.device(variables(&scene, "own"));
    device.wait_for_line(&["assigned", "own"]);
    device.wait_for_line(&["ready"]);
    stop(device, &scene, "own");
}

fn refusals(sdk: Sdk) {
    let scene = start();
    let refused = |variables: Variables| {
        let mut device = sdk.device(variables);
        assert_eq!(device.wait_for_exit().code(), Some(1));
        let line = device.wait_for_line(&["refused"]);
        assert_eq!(device.count("assigned"), 0, "{line}");
    };
    refused(with(variables(&scene, DEVICE), "KEY", GROUP_KEY));
    assert_eq!(scene.hub.counters().auth_failures, 1, "the wrong key");
    for fault in [
        RegistrationFault::Status { status: 401, retry_after_s: None, times: 1 },
        RegistrationFault::Status { status: 404, retry_after_s: None, times: 1 },
        RegistrationFault::Failed,
        RegistrationFault::Disabled,
    ] {
        scene.hub.set_registration_fault(DEVICE, Some(fault)).unwrap();
        refused(variables(&scene, DEVICE));
    }
    assert_eq!(scene.hub.counters().registrations, 0);
}

fn telemetry(scene: &Scene) {
    let message = scene.hub.upstream().recv_timeout(patience()).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&message.body).unwrap(), json!({ "temp": 21.5 }));
    for (name, value) in [("$.ct", "application/json"), ("$.ce", "utf-8"), ("sp ace", "a&b=c")] {
        assert_eq!(property(&message, name), Some(value), "{name}");
    }
    assert_eq!(message.module, None);
}

/// A writable property reaches the device, its acknowledgement the hub; and a method.
fn property_and_method(scene: &Scene, device: &Process, brightness: u32, call: usize) {
    let patch = json!({ "brightness": brightness });
    let version = scene.hub.set_desired(DEVICE, patch).unwrap();
    let expected = json!({ "value": brightness, "ac": 200, "av": version, "ad": "applied" });
    wait_until("the property is acknowledged", || {
        scene.hub.twin(DEVICE).unwrap()["reported"]["brightness"] == expected
    });
    let answer = scene.hub.call_method(DEVICE, "blink", json!(3), METHOD_TIMEOUT);
    assert_eq!(answer, Ok((200, json!({ "name": "blink", "payload": 3 }))));
    wait_until("the device says so", || device.count("method blink") == call);
}

fn stop(mut device: Process, scene: &Scene, name: &str) {
    device.signal("TERM");
    assert_eq!(device.wait_for_exit().code(), Some(0));
    device.wait_for_line(&["stopped"]);
    wait_until("the hub noticed", || !scene.hub.is_connected(name));
}
