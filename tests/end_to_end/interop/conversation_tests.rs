//! `sluicegate sensor` holds the same conversation as the tutorial's device on Microsoft's SDK.
//!
//! Each program has a hub of its own and the same scripted operator. The hubs write down every
//! publish of the provisioning service and of the device, in both directions; the two transcripts
//! must not differ in a line. What must differ is made equal first, and nothing else: request ids
//! (numbered by first appearance, so each answer still belongs to its request), the host, times,
//! and measured values, which are checked against their ranges. An answer stands behind its
//! request, as one device may wait for it and the other not. White space in JSON does not count,
//! nor whether nothing is written as an empty body, as `null`, or left out.
//! Telemetry comes when it comes: it is a transcript of its own.

use std::time::Duration;

use loadgen_hub::Exchange;
use serde_json::{Value, json};

use super::sdk::Sdk;
use crate::harness::{Process, Scene, wait_until};
use crate::sensor::{self, DEVICE, reported};

/// Room for everything that a hub writes down here.
const EXCHANGES_MAX: usize = 10_000;
const COMMAND_TIMEOUT: Duration = Duration::from_secs(20);

#[test]
fn the_sensor_talks_like_the_tutorials_device() {
    let (tutorial, sensor) = std::thread::scope(|scope| {
        let tutorial = scope.spawn(|| {
            converse(|scene| {
                Sdk::Python.environmental_sensor(scene.hub.enrollment_environment(DEVICE).unwrap())
            })
        });
        let sensor = scope.spawn(|| {
            converse(|scene| Process::spawn_with_keyboard("sensor", &mut sensor::command(scene)))
        });
        (tutorial.join().expect("the tutorial's device"), sensor.join().expect("the sensor"))
    });
    assert!(tutorial.control.len() > 30, "only {} exchanges", tutorial.control.len());
    show("provisioning, twin and commands", &tutorial.control, &sensor.control);
    show("telemetry", &tutorial.telemetry, &sensor.telemetry);
}

/// Prints the difference of two transcripts, and fails if there is any.
fn show(what: &str, tutorial: &[String], sensor: &[String]) {
    let difference = difference(tutorial, sensor);
    println!("--- tutorial: {what}\n+++ sluicegate sensor\n{}", difference.join("\n"));
    let differs = difference.iter().any(|line| !line.starts_with("  "));
    assert!(!differs, "the transcripts differ:\n{}", difference.join("\n"));
}

/// What was said, a line for each publish.
struct Transcript {
    /// Everything but telemetry.
    control: Vec<String>,
    /// The different lines of telemetry.
    telemetry: Vec<String>,
}

/// Starts a device, operates it, and gives the transcript.
fn converse(start: impl FnOnce(&Scene) -> Process) -> Transcript {
    let scene = Scene::start_for_sdk_with(|config| config.transcript_max = EXCHANGES_MAX);
    let mut device = start(&scene);
    operate(&scene, &device);
    device.type_in("q\n");
    assert_eq!(device.wait_for_exit().code(), Some(0));
    wait_until("the hub has noticed", || !scene.hub.is_connected(DEVICE));
    let exchanges = scene.hub.transcript().unwrap();
    assert!(exchanges.len() < EXCHANGES_MAX, "the transcript is cut off");
    let host = scene.hub.address().ip().to_string();
    let is_telemetry = |exchange: &&Exchange| exchange.topic.starts_with("devices/");
    let (measured, control): (Vec<_>, Vec<_>) = exchanges.iter().partition(is_telemetry);
    assert!(measured.len() >= 10, "{} measurements", measured.len());
    let mut telemetry: Vec<_> = measured.into_iter().map(measurement).collect();
    telemetry.dedup();
    Transcript { control: conversation(&control, &host), telemetry }
}

/// The operator: every command, both writable properties, alone, together and while the device is
/// away. Waits for each outcome, so that the order of all that is said is given.
fn operate(scene: &Scene, device: &Process) {
    wait_until("the device reports its state", || {
        assert!(device.is_running(), "{} ended", device.name());
        reported(scene, "state") == json!("true")
    });
    scene.take(1);
    let call = |name: &str, payload: Value| {
        scene.hub.call_method(DEVICE, name, payload, COMMAND_TIMEOUT).unwrap().0
    };
    assert_eq!(call("blink", json!(5)), 200);
    assert_eq!(call("blink", json!(0.5)), 200);
    assert_eq!(call("turnon", Value::Null), 200);
    assert_eq!(call("turnoff", json!({})), 200);
    assert_eq!(call("reboot", json!({ "now": true })), 404);

    assert_eq!(call("rundiagnostics", Value::Null), 202);
    assert_eq!(call("blink", json!(1)), 200);
    wait_until("the diagnostics are reported", || !reported(scene, "rundiagnostics").is_null());

    set(scene, json!({ "brightness": { "value": 10 } }), || {
        assert_eq!(call("blink", json!(3)), 200);
    });
    set(scene, json!({ "name": { "value": "lamp é" }, "brightness": { "value": 20 } }), || {});
    // Nothing of the template: nothing is said to it.
    scene.hub.set_desired(DEVICE, json!({ "colour": { "value": "red" } })).unwrap();
    assert_eq!(call("turnon", Value::Null), 200);

    assert!(scene.hub.drop_connection(DEVICE));
    set(scene, json!({ "name": { "value": "missed" } }), || {
        // Both are newer than their acknowledgements, as the document has one version.
        wait_until("the brightness is acknowledged again", || {
            let version = scene.hub.twin(DEVICE).unwrap()["desired"]["$version"].clone();
            reported(scene, "brightness")["desiredVersion"] == version
        });
    });
}

/// Sets writable properties, does something meanwhile, and waits until all are acknowledged.
fn set(scene: &Scene, patch: Value, meanwhile: impl FnOnce()) {
    let version = scene.hub.set_desired(DEVICE, patch.clone()).unwrap();
    meanwhile();
    for name in patch.as_object().unwrap().keys() {
        wait_until(&format!("{name} of version {version} is acknowledged"), || {
            reported(scene, name)["desiredVersion"] == json!(version)
        });
    }
}

/// The line of one measurement, whose values are as the template has them.
fn measurement(exchange: &Exchange) -> String {
    let mut body: Value = serde_json::from_slice(&exchange.body).expect("JSON");
    for (name, range) in [("temp", 1..=74), ("humid", 30..=98)] {
        let value = body[name].as_u64().expect(name);
        assert!(range.contains(&value), "{name} {value}");
        body[name] = json!(format!("{} to {}", range.start(), range.end()));
    }
    line(exchange, &exchange.topic, &body)
}

fn line(exchange: &Exchange, topic: &str, body: &Value) -> String {
    format!("{} {topic} {body}", if exchange.from_client { "device>" } else { "  <hub" })
}

/// The lines of exchanges, with what must differ made equal.
fn conversation(exchanges: &[&Exchange], host: &str) -> Vec<String> {
    // Each with the id of the device's request that it belongs to.
    let mut lines: Vec<(Option<&str>, String)> = Vec::new();
    let mut ids: Vec<&str> = Vec::new();
    for exchange in exchanges {
        let mut topic = exchange.topic.clone();
        // The hub's own ids, of commands, are the same: each hub counts from one.
        let is_command = topic.starts_with("$iothub/methods/");
        let rid = exchange.topic.split_once("$rid=").filter(|_| !is_command);
        let rid = rid.map(|(_, rest)| rest.split('&').next().unwrap_or(rest));
        if let Some(rid) = rid {
            if !ids.contains(&rid) {
                ids.push(rid);
            }
            let number = ids.iter().position(|id| *id == rid).expect("pushed above");
            topic = topic.replace(&format!("$rid={rid}"), &format!("$rid=[{number}]"));
        }
        let request = lines.iter().position(|(id, _)| rid.is_some() && *id == rid);
        let place = request.map_or(lines.len(), |request| request + 1);
        lines.insert(place, (rid, line(exchange, &topic, &body_of(exchange, host))));
    }
    lines.into_iter().map(|(_, line)| line).collect()
}

fn body_of(exchange: &Exchange, host: &str) -> Value {
    if exchange.body.trim_ascii().is_empty() {
        return Value::Null;
    }
    let mut body = serde_json::from_slice(&exchange.body).expect("JSON");
    normalise(&mut body, host);
    body
}

/// Takes the host, times and members that say nothing out of a body.
fn normalise(body: &mut Value, host: &str) {
    match body {
        Value::Object(members) => {
            members.retain(|_, value| !value.is_null());
            for (name, value) in members {
                if name.ends_with("DateTimeUtc") {
                    *value = json!("[time]");
                }
                normalise(value, host);
            }
        }
        Value::String(text) if text == host => *text = "[host]".to_owned(),
        Value::String(text) => {
            const DONE: &str = "Diagnostics run complete at ";
            if let Some(time) = text.strip_prefix(DONE).and_then(|rest| rest.strip_suffix('.')) {
                assert!(time.starts_with("20") && time.len() >= 19, "{time}");
                *text = format!("{DONE}[time].");
            }
        }
        _ => {}
    }
}

/// The lines of both, in order: `  ` in both, `- ` in the left one, `+ ` in the right one.
fn difference(left: &[String], right: &[String]) -> Vec<String> {
    // common[i][j]: length of the longest common subsequence of left[i..] and right[j..].
    let mut common = vec![vec![0_usize; right.len() + 1]; left.len() + 1];
    for i in (0..left.len()).rev() {
        for j in (0..right.len()).rev() {
            common[i][j] = if left[i] == right[j] {
                common[i + 1][j + 1] + 1
            } else {
                common[i + 1][j].max(common[i][j + 1])
            };
        }
    }
    let (mut i, mut j, mut lines) = (0, 0, Vec::new());
    while i < left.len() || j < right.len() {
        if i < left.len() && j < right.len() && left[i] == right[j] {
            lines.push(format!("  {}", left[i]));
            (i, j) = (i + 1, j + 1);
        } else if j == right.len() || i < left.len() && common[i + 1][j] >= common[i][j + 1] {
            lines.push(format!("- {}", left[i]));
            i += 1;
        } else {
            lines.push(format!("+ {}", right[j]));
            j += 1;
        }
    }
    lines
}

#[test]
fn differences_are_found() {
    let lines = |text: &str| text.chars().map(String::from).collect::<Vec<_>>();
    let difference = |left, right| difference(&lines(left), &lines(right)).join("");
    assert_eq!(difference("abc", "abc"), "  a  b  c");
    assert_eq!(difference("abc", "axc"), "  a- b+ x  c");
    assert_eq!(difference("", "a"), "+ a");
    assert_eq!(difference("ab", "a"), "  a- b");
    assert_eq!(difference("abcd", "acbd"), "  a- b  c+ b  d");
}
