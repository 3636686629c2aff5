//! How the sensor gets its hub: by its own key or by one that is derived from a group's, and what
//! it says when it does not get one.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener};
use std::process::Command;

use loadgen_hub::{GroupKey, HubConfig, RegistrationFault};
use serde_json::{Value, json};
use sluicegate::azure::Key;

use super::{DEVICE, command, start, wait_until_started};
use crate::harness::{Process, Scene, sluicegate, wait_until};

/// A key that nobody enrolled, and the published vector of a key derived from it.
const KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
const EX_USAGE: i32 = 64;
const EX_UNAVAILABLE: i32 = 69;

fn key() -> Key {
    Key::from_base64(KEY).unwrap()
}

/// The command with exactly one key, in this variable.
fn command_with_key(scene: &Scene, variable: &str, value: &str) -> Command {
    let mut command = command(scene);
    command.env_remove("SLUICEGATE_KEY").env(variable, value);
    command
}

fn check_that_it_starts(scene: &Scene, command: &mut Command) {
    let mut sensor = Process::spawn("sensor", command).must_not_show(&key().to_base64());
    wait_until_started(scene, &sensor);
    sensor.wait_for_line(&["registering sensor1 with localhost"]);
    sensor.wait_for_line(&["registration status: assigned; hub localhost, device sensor1"]);
    sensor.wait_for_line(&["connected to localhost", "as sensor1"]);
    scene.take(1);
    sensor.signal("TERM");
    assert_eq!(sensor.wait_for_exit().code(), Some(0));
}

/// An individual enrollment: the key is the device's own, in a variable or in a file.
#[test]
fn an_individual_key_registers() {
    let scene = Scene::start_with(|config| {
        config.provisioning.group_key = GroupKey::None;
        config.provisioning.individual = BTreeMap::from([(DEVICE.to_owned(), key())]);
    });
    check_that_it_starts(&scene, &mut command(&scene));
    let file = scene.hub.state_dir().join("sensor.key");
    std::fs::write(&file, format!("{KEY}\n")).unwrap();
    let path = file.to_str().unwrap();
    check_that_it_starts(&scene, &mut command_with_key(&scene, "SLUICEGATE_KEY_FILE", path));
}

/// An enrollment group: the device's key is derived from the group's, by the operator or here.
#[test]
fn a_group_key_registers() {
    let scene = Scene::start_with(|config| {
        config.provisioning.group_key = GroupKey::Given(key());
    });
    check_that_it_starts(&scene, &mut command(&scene));
    check_that_it_starts(&scene, &mut command_with_key(&scene, "SLUICEGATE_GROUP_KEY", KEY));
    let file = scene.hub.state_dir().join("group.key");
    std::fs::write(&file, KEY).unwrap();
    let path = file.to_str().unwrap();
    check_that_it_starts(&scene, &mut command_with_key(&scene, "SLUICEGATE_GROUP_KEY_FILE", path));
}

/// A DTDL model is announced with the registration; without one nothing is said of it.
#[test]
fn a_model_is_announced() {
    let model = "dtmi:sluicegate:EnvironmentalSensor;1";
    for (variables, payload) in
        [(&[][..], Value::Null), (&[("SLUICEGATE_MODEL_ID", model)], json!({ "modelId": model }))]
    {
        let scene = Scene::start_with(|config| config.transcript_max = 1);
        start(&scene, variables);
        let register = &scene.hub.transcript().unwrap()[0];
        let body: Value = serde_json::from_slice(&register.body).unwrap();
        assert_eq!((&body["registrationId"], &body["payload"]), (&json!(DEVICE), &payload));
    }
}

/// The service may take its time, and may be too busy at first.
#[test]
fn a_slow_and_busy_service_is_waited_for() {
    let scene = Scene::start_with(|config| config.provisioning.assigning_polls = 2);
    let busy = RegistrationFault::Status { status: 429, retry_after_s: Some(1), times: 1 };
    scene.hub.set_registration_fault(DEVICE, Some(busy)).unwrap();
    let sensor = start(&scene, &[]);
    sensor.wait_for_line(&["provisioning service busy (429)"]);
    assert_eq!(sensor.count("registration status: assigning"), 3);
}

/// Starts the sensor where it cannot register. It says `texts` in one line, tries again, and when
/// it is told to quit it says that it could not connect, and why.
#[track_caller]
fn check_refusal(command: &mut Command, texts: &[&str]) {
    let mut sensor = Process::spawn("sensor", command).must_not_show(&key().to_base64());
    let line = sensor.wait_for_line(texts);
    assert!(line.contains("the device could not register with"), "{line}");
    wait_until("the sensor tries again", || sensor.count("could not register with") >= 2);
    sensor.signal("TERM");
    assert_eq!(sensor.wait_for_exit().code(), Some(EX_UNAVAILABLE));
    sensor.wait_for_line(&[&["the device could not connect"], &texts[1..]].concat());
}

fn start_with(change: impl FnOnce(&mut HubConfig)) -> Scene {
    Scene::start_with(change)
}

#[test]
fn a_wrong_key_is_refused() {
    let scene = start_with(|_| {});
    let mut command = command(&scene);
    check_refusal(command.env("SLUICEGATE_KEY", KEY), &["localhost", "CONNACK 5"]);
}

#[test]
fn another_id_scope_is_refused() {
    let scene = start_with(|_| {});
    let mut command = command(&scene);
    check_refusal(command.env("SLUICEGATE_ID_SCOPE", "0ne0000OTHER"), &["localhost", "CONNACK 5"]);
}

#[test]
fn a_registration_that_nobody_enrolled_is_refused() {
    let scene = start_with(|_| {});
    let mut command = command(&scene);
    let stranger = start_with(|config| config.provisioning.group_key = GroupKey::None);
    let port = stranger.hub.address().port().to_string();
    command.env("SLUICEGATE_PROVISIONING_PORT", port);
    command.env("SLUICEGATE_CA_FILE", stranger.hub.ca_file());
    check_refusal(&mut command, &["localhost", "the provisioning service refused: 404"]);
}

#[test]
fn a_registration_that_fails_is_reported() {
    let scene = start_with(|_| {});
    scene.hub.set_registration_fault(DEVICE, Some(RegistrationFault::Failed)).unwrap();
    let texts = ["localhost", "registration status: failed", "the allocation failed"];
    check_refusal(&mut command(&scene), &texts);
}

#[test]
fn a_disabled_enrollment_is_reported() {
    let scene = start_with(|_| {});
    scene.hub.set_registration_fault(DEVICE, Some(RegistrationFault::Disabled)).unwrap();
    check_refusal(&mut command(&scene), &["localhost", "registration status: disabled"]);
}

/// A registration that is enabled meanwhile needs nobody to start the sensor again.
#[test]
fn a_registration_that_is_mended_goes_through() {
    let scene = start_with(|_| {});
    scene.hub.set_registration_fault(DEVICE, Some(RegistrationFault::Disabled)).unwrap();
    let sensor = Process::spawn("sensor", &mut command(&scene));
    sensor.wait_for_line(&["registration status: disabled", "must be enabled"]);
    scene.hub.set_registration_fault(DEVICE, None).unwrap();
    wait_until_started(&scene, &sensor);
}

#[test]
fn an_unknown_authority_is_refused() {
    let (scene, other) = (start_with(|_| {}), start_with(|_| {}));
    let mut command = command(&scene);
    let texts = ["localhost", "TLS handshake", "not signed by a trusted root"];
    check_refusal(command.env("SLUICEGATE_CA_FILE", other.hub.ca_file()), &texts);
    assert!(!scene.is_connected());
}

#[test]
fn a_certificate_for_another_host_is_refused() {
    let host = Ipv4Addr::new(127, 0, 8, 1).to_string();
    // Where the hub listens as on any other address, so that no name of its certificate is this.
    let scene = start_with(|config| config.listen.set_ip(Ipv4Addr::UNSPECIFIED.into()));
    let mut command = command(&scene);
    let texts = [&*host, "TLS handshake", "does not carry the host name"];
    check_refusal(command.env("SLUICEGATE_PROVISIONING_HOST", &host), &texts);
}

#[test]
fn nobody_listens() {
    let scene = start_with(|_| {});
    // Taken and released: nobody listens there.
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let mut command = command(&scene);
    let texts = ["localhost", &port.to_string(), "refused"];
    check_refusal(command.env("SLUICEGATE_PROVISIONING_PORT", port.to_string()), &texts);
}

/// All that is missing is named at once; so is a key that is given twice, and none is shown.
#[test]
fn settings_are_checked_before_anything_starts() {
    let check = |command: &mut Command, texts: &[&str]| {
        let mut sensor = Process::spawn("sensor", command).must_not_show(&key().to_base64());
        assert_eq!(sensor.wait_for_exit().code(), Some(EX_USAGE));
        for text in texts {
            sensor.wait_for_line(&[text]);
        }
    };
    let all = ["SLUICEGATE_ID_SCOPE", "SLUICEGATE_REGISTRATION_ID", "SLUICEGATE_KEY_FILE"];
    check(sluicegate().arg("sensor"), &all);
    let scene = start_with(|_| {});
    let mut twice = command(&scene);
    check(twice.env("SLUICEGATE_GROUP_KEY", KEY), &["more than once"]);
    let mut broken = command(&scene);
    check(broken.env("SLUICEGATE_KEY", "not base64!"), &["SLUICEGATE_KEY"]);
}
