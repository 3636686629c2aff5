//! The process outlives its connection: it is made again after a loss and for each new token, and
//! the device registers again when its hub does not know it any more.

use std::time::Duration;

use loadgen_hub::UpstreamMessage;
use serde_json::json;

use super::{DEVICE, call, set_desired, start, stop, wait_for_report, wait_until_started};
use crate::harness::{Process, Scene, wait_until};

/// Bodies of telemetry in the order in which the sensor first sent them.
fn sent(sensor: &Process) -> Vec<String> {
    let lines = sensor.lines();
    let body = |line: &String| line.split_once("telemetry: ").map(|(_, body)| body.to_owned());
    lines.iter().filter_map(body).collect()
}

/// Bodies that went upstream up to now, in order of arrival.
fn arrived(scene: &Scene) -> Vec<String> {
    bodies(scene.hub.upstream().try_iter().collect())
}

fn bodies(messages: Vec<UpstreamMessage>) -> Vec<String> {
    let text = |message: UpstreamMessage| String::from_utf8(message.body.to_vec()).unwrap();
    messages.into_iter().map(text).collect()
}

/// Whether `part` is what is left of `whole` when some elements are left out.
fn is_subsequence(part: &[String], whole: &[String]) -> bool {
    let mut rest = whole.iter();
    part.iter().all(|wanted| rest.any(|found| found == wanted))
}

const TALKATIVE: [(&str, &str); 2] =
    [("SLUICEGATE_INTERVAL", "10ms"), ("RuntimeLogLevel", "debug")];

/// A token is replaced before it ends, by a new connection; nothing is lost, nothing comes twice,
/// and nobody notices: commands and properties go on.
#[test]
fn tokens_are_renewed() {
    let scene = Scene::start_with(|config| config.token_skew = Duration::ZERO);
    let lifetime = ("SLUICEGATE_TOKEN_LIFETIME", "2s");
    let sensor = start(&scene, &[&TALKATIVE[..], &[lifetime]].concat());
    for round in 1..=3 {
        wait_until("the token is renewed", || sensor.count("renewing the token") >= round);
        let version = set_desired(&scene, json!({ "name": round.to_string() }));
        let report =
            json!({"value": round.to_string(), "ac": 200, "av": version, "ad": "completed"});
        wait_for_report(&scene, "name", &report);
    }
    assert_eq!(sensor.count("lost:"), 0, "no connection was lost");
    assert_eq!(sensor.count("registering"), 1, "registered once");
    let sent = finish(&scene, sensor);
    let arrived = arrived(&scene);
    assert_eq!(arrived.len(), sent.len(), "each message once");
    assert!(arrived == sent, "in order");
}

/// Ends the sensor once all that it sent is acknowledged; what it sent.
fn finish(scene: &Scene, mut sensor: Process) -> Vec<String> {
    sensor.signal("TERM");
    assert_eq!(sensor.wait_for_exit().code(), Some(0));
    let summary = sensor.wait_for_line(&["stopped:"]);
    assert!(summary.contains(" 0 dropped"), "{summary}");
    let sent = sent(&sensor);
    let acknowledged = format!(" {} telemetry messages acknowledged", sent.len());
    assert!(summary.contains(&acknowledged), "{} sent: {summary}", sent.len());
    wait_until("the hub has noticed", || !scene.hub.is_connected(DEVICE));
    sent
}

/// Connections are cut and the hub is away for a while: what is measured meanwhile waits, and all
/// of it arrives in order, at least once.
#[test]
fn nothing_is_lost_with_a_connection() {
    let scene = Scene::start(1);
    let sensor = start(&scene, &TALKATIVE);
    let mut seen = Vec::new();
    for round in 1..=3 {
        seen.extend(bodies(scene.take(10)));
        assert!(scene.hub.drop_connection(DEVICE));
        wait_until("the connection is made again", || sensor.count("connected to") > round);
    }
    let before = scene.hub.upstream();
    let connects = sensor.count("connected to");
    let scene = scene.restart_hub();
    seen.extend(bodies(before.try_iter().collect()));
    wait_until("the connection is made again", || sensor.count("connected to") > connects);
    seen.extend(bodies(scene.take(50)));
    let sent = finish(&scene, sensor);
    seen.extend(arrived(&scene));
    assert!(sent.len() > 80, "{} messages", sent.len());
    assert!(is_subsequence(&sent, &seen), "a message is lost or out of order");
}

/// A hub that does not know the device any more sends it back to the provisioning service; the
/// process stays, and tells the new twin what it tells on start.
#[test]
fn a_device_that_the_hub_forgot_registers_again() {
    let scene = Scene::start(1);
    let sensor = start(&scene, &[]);
    assert_eq!(scene.hub.counters().registrations, 1);
    assert!(scene.hub.forget_device(DEVICE));
    sensor.wait_for_line(&["the device could not connect to localhost", "CONNACK 5"]);
    wait_until_started(&scene, &sensor);
    assert_eq!(scene.hub.counters().registrations, 2);
    let version = set_desired(&scene, json!({ "name": { "value": "again" } }));
    let report = json!({"value": "again", "status": "completed", "desiredVersion": version});
    wait_for_report(&scene, "name", &report);
    assert_eq!(call(&scene, "blink", json!(1)).0, 200);
    let summary = stop(sensor);
    assert!(summary.contains("2 registration(s)"), "{summary}");
}
