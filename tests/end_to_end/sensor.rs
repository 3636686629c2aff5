//! `sluicegate sensor` as a process against the local hub: its provisioning service and its device
//! endpoint, real TLS. Here: telemetry and commands.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::{Process, Scene, wait_until};

mod connection;
mod properties;
mod quit;
mod registration;

/// The device: its registration id, and so its device id.
pub(crate) const DEVICE: &str = "sensor1";
/// How long a command may take: none of them waits for anything.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(5);

/// The command of `sluicegate sensor` with the variables that the hub gives for [`DEVICE`].
pub(crate) fn command(scene: &Scene) -> Command {
    let mut command = scene.program_command();
    command.arg("sensor").envs(scene.hub.enrollment_environment(DEVICE).unwrap());
    command
}

/// Starts the sensor and waits until it has reported its state: then it also takes commands.
fn start(scene: &Scene, variables: &[(&str, &str)]) -> Process {
    let mut command = command(scene);
    let sensor = Process::spawn("sensor", command.envs(variables.iter().copied()));
    wait_until_started(scene, &sensor);
    sensor
}

fn wait_until_started(scene: &Scene, sensor: &Process) {
    wait_until("the sensor has reported its state", || {
        assert!(sensor.is_running(), "the sensor ended before it reported its state");
        reported(scene, "state") == json!("true")
    });
}

/// A property as the hub has it reported; null while there is none, and before there is a device.
pub(crate) fn reported(scene: &Scene, property: &str) -> Value {
    scene.hub.twin(DEVICE).map_or(Value::Null, |twin| twin["reported"][property].clone())
}

/// Waits until a property is reported as exactly this.
#[track_caller]
fn wait_for_report(scene: &Scene, property: &str, expected: &Value) {
    let what = format!("{property} is reported as {expected}");
    wait_until(&what, || reported(scene, property) == *expected);
}

fn set_desired(scene: &Scene, patch: Value) -> u64 {
    scene.hub.set_desired(DEVICE, patch).unwrap()
}

#[track_caller]
fn call(scene: &Scene, name: &str, payload: Value) -> (u32, Value) {
    scene.hub.call_method(DEVICE, name, payload, COMMAND_TIMEOUT).unwrap()
}

/// Ends the sensor by SIGTERM; its last words.
fn stop(mut sensor: Process) -> String {
    sensor.signal("TERM");
    assert_eq!(sensor.wait_for_exit().code(), Some(0));
    sensor.wait_for_line(&["stopped:", "telemetry messages acknowledged"])
}

/// Each message is `{"temp": T, "humid": H}` and nothing else, T an integer in 1..=74 and H in
/// 30..=98, from the device itself and without properties.
#[test]
fn telemetry_has_the_shape_and_the_ranges_of_the_template() {
    check_telemetry(&Scene::start(1));
}

/// Starts a sensor, sees its telemetry, and ends it; its last words.
pub(crate) fn check_telemetry(scene: &Scene) -> String {
    let sensor = start(scene, &[("SLUICEGATE_INTERVAL", "10ms")]);
    let (mut temps, mut humids) = (BTreeSet::new(), BTreeSet::new());
    for message in scene.take(300) {
        assert_eq!((&*message.device, &message.module, &message.output), (DEVICE, &None, &None));
        assert!(message.properties.is_empty(), "{:?}", message.properties);
        let body: Value = serde_json::from_slice(&message.body).unwrap();
        let (temp, humid) = (body["temp"].as_u64().unwrap(), body["humid"].as_u64().unwrap());
        assert_eq!(body, json!({ "temp": temp, "humid": humid }));
        assert!((1..=74).contains(&temp) && (30..=98).contains(&humid), "{body}");
        temps.insert(temp);
        humids.insert(humid);
    }
    // 300 draws of 74 and of 69 values: fewer than 40 different ones have a chance below 1e-20.
    assert!(temps.len() > 40 && humids.len() > 40, "{} and {}", temps.len(), humids.len());
    stop(sensor)
}

/// Without a setting, a message leaves every two seconds.
#[test]
fn telemetry_comes_every_two_seconds() {
    let scene = Scene::start(1);
    let _sensor = start(&scene, &[]);
    let messages = scene.take(4);
    let took = messages[3].received_at.duration_since(messages[0].received_at);
    // Three intervals; the first message may have waited for its connection.
    assert!(took > Duration::from_secs(5), "4 messages in {took:?}");
    assert!(took < Duration::from_secs(12), "4 messages in {took:?}");
}

/// The commands that are done at once: status and body.
#[test]
fn commands_are_answered() {
    let scene = Scene::start(1);
    let _sensor = start(&scene, &[]);
    let blinking =
        |seconds: &str| json!({ "description": format!("Blinking LED every {seconds} seconds") });
    assert_eq!(call(&scene, "blink", json!(5)), (200, blinking("5")));
    assert_eq!(call(&scene, "blink", json!(0.5)), (200, blinking("0.5")));
    assert_eq!(call(&scene, "blink", json!("7")), (200, blinking("7")));
    assert_eq!(call(&scene, "turnon", Value::Null), (200, Value::Null));
    assert_eq!(call(&scene, "turnoff", json!({})), (200, Value::Null));
    for bad in [json!("fast"), Value::Null, json!([1])] {
        let (status, error) = call(&scene, "blink", bad);
        assert_eq!(status, 400, "{error}");
        assert!(error["error"].is_string(), "{error}");
    }
    for unknown in ["reboot", "Blink", "blink ", "a/b"] {
        let (status, error) = call(&scene, unknown, json!({"now": true}));
        assert_eq!(status, 404, "{error}");
        assert!(error["error"].as_str().unwrap().contains(unknown), "{error}");
    }
}

/// 202 at once; three steps of two seconds later the result is reported, with the time. Nothing
/// else waits meanwhile.
#[test]
fn diagnostics_are_reported_when_they_are_done() {
    let scene = Scene::start(1);
    let _sensor = start(&scene, &[]);
    let start = Instant::now();
    assert_eq!(call(&scene, "rundiagnostics", Value::Null), (202, Value::Null));
    assert_eq!(reported(&scene, "rundiagnostics"), Value::Null);
    assert_eq!(call(&scene, "turnon", Value::Null).0, 200);
    let mut report = Value::Null;
    wait_until("the diagnostics are reported", || {
        report = reported(&scene, "rundiagnostics");
        !report.is_null()
    });
    assert!(start.elapsed() >= Duration::from_secs(6), "reported after {:?}", start.elapsed());
    let text = report["value"].as_str().expect("a text");
    assert_eq!(report, json!({ "value": text }));
    let time = text.strip_prefix("Diagnostics run complete at ").expect(text);
    assert!(time.ends_with("Z.") && time.len() == "2020-06-01T12:00:00Z.".len(), "{text}");
}

/// Eight runs at a time; a ninth is told to come again, and nothing else suffers.
#[test]
fn too_many_diagnostics_are_refused() {
    let scene = Scene::start(1);
    let _sensor = start(&scene, &[]);
    let statuses: Vec<u32> =
        (0..9).map(|_| call(&scene, "rundiagnostics", Value::Null).0).collect();
    assert_eq!(statuses, [[202; 8].as_slice(), &[429]].concat());
    assert_eq!(call(&scene, "turnoff", Value::Null).0, 200);
}
