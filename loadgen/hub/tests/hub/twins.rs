//! Twins and direct methods.

use std::time::{Duration, Instant};

use loadgen_hub::{HubError, MethodError};
use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v4::Packet;
use serde_json::{Value, json};

use crate::client::{CALM, Client, PATIENCE};
use crate::support::{TestHub, numbered, start, start_with, wait};

const REPORTED: &str = "$iothub/twin/PATCH/properties/reported/?$rid=";

fn connect(hub: &TestHub) -> Client {
    let mut client = Client::connect(hub, "filter");
    client.subscribe("$iothub/twin/res/#", QoS::AtLeastOnce);
    client
}

fn json_of(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

#[test]
fn get_gives_the_whole_document() {
    let hub = start();
    let mut client = connect(&hub);
    let answer = client.request("$iothub/twin/GET/?$rid=a%20b", b" ");
    assert_eq!(answer.topic, "$iothub/twin/res/200/?$rid=a%20b");
    let expected = json!({"desired": {"level": 25, "$version": 1}, "reported": {"$version": 1}});
    assert_eq!(json_of(&answer.payload), expected);
    assert_eq!(hub.twin("filter").unwrap(), expected);
}

#[test]
fn get_without_request_id_closes() {
    let hub = start();
    for topic in ["$iothub/twin/GET/", "$iothub/twin/GET/?x=1"] {
        let mut client = connect(&hub);
        let publish = client.publish_packet(topic, QoS::AtLeastOnce, b" ");
        client.send(&Packet::Publish(publish));
        client.assert_closed();
    }
}

/// A request id that fits into the request and, percent-encoded, not into the answer: there is no
/// answer, counted, and the connection goes on.
#[test]
fn a_request_id_too_long_to_answer_gets_no_answer() {
    let hub = start();
    let mut client = connect(&hub);
    let rid = "/".repeat(60_000);
    client.publish(&format!("$iothub/twin/GET/?$rid={rid}"), b" ");
    client.publish(&format!("{REPORTED}{rid}"), br#"{"a": 1}"#);
    client.publish(&format!("{REPORTED}{rid}"), b"not json");
    client.assert_quiet();
    let counters = hub.counters();
    assert_eq!((counters.twin_unanswerable, counters.protocol_errors), (3, 0));
    // The longest that fits is answered.
    let rid = "/".repeat(21_000);
    let answer = client.request(&format!("$iothub/twin/GET/?$rid={rid}"), b" ");
    assert_eq!(answer.topic, format!("$iothub/twin/res/200/?$rid={}", "%2F".repeat(21_000)));
    assert_eq!(json_of(&answer.payload)["reported"]["a"], 1);
}

#[test]
fn reported_patches_merge_and_count_versions() {
    let hub = start();
    let mut client = connect(&hub);
    let mut report =
        |rid: &str, patch: &str| client.request(&format!("{REPORTED}{rid}"), patch.as_bytes());
    let answer = report("1", r#"{"a": {"x": 1, "y": 2}, "b": [1]}"#);
    assert_eq!(answer.topic, "$iothub/twin/res/204/?$rid=1&$version=2");
    assert!(answer.payload.is_empty());
    let answer = report("2", r#"{"a": {"x": null, "z": 3}, "b": null}"#);
    assert_eq!(answer.topic, "$iothub/twin/res/204/?$rid=2&$version=3");
    for (rid, refused) in [("3", "not json"), ("4", "[1]"), ("5", r#"{"a b": 1}"#), ("6", "")] {
        let answer = report(rid, refused);
        assert_eq!(answer.topic, format!("$iothub/twin/res/400/?$rid={rid}"));
    }
    let reported = hub.twin("filter").unwrap()["reported"].clone();
    assert_eq!(reported, json!({"a": {"y": 2, "z": 3}, "$version": 3}));
    let counters = hub.counters();
    assert_eq!((counters.twin_reported, counters.twin_refused), (2, 4));
}

#[test]
fn answers_go_only_to_sessions_that_listen() {
    let hub = start();
    let mut client = Client::connect(&hub, "filter");
    client.subscribe("$iothub/twin/#", QoS::AtLeastOnce);
    client.publish("$iothub/twin/GET/?$rid=1", b" ");
    client.publish(&format!("{REPORTED}2"), br#"{"a": 1}"#);
    client.assert_quiet();
    assert_eq!(hub.twin("filter").unwrap()["reported"]["a"], 1);
    // A patch without a request id is applied and gets no answer either.
    client.subscribe("$iothub/twin/res/#", QoS::AtMostOnce);
    client.publish("$iothub/twin/PATCH/properties/reported/", br#"{"a": 2}"#);
    client.assert_quiet();
    assert_eq!(hub.twin("filter").unwrap()["reported"]["a"], 2);
    let answer = client.request("$iothub/twin/GET/?$rid=3", b" ");
    assert_eq!(answer.qos, QoS::AtMostOnce);
}

#[test]
fn desired_patches_reach_listening_sessions() {
    let hub = start();
    assert_eq!(hub.set_desired("filter", json!({"level": 30})).unwrap(), 2);
    let mut client = Client::connect(&hub, "filter");
    assert_eq!(hub.set_desired("filter", json!({"level": 31})).unwrap(), 3);
    client.assert_quiet();
    client.subscribe("$iothub/twin/PATCH/properties/desired/#", QoS::AtLeastOnce);
    client.assert_quiet();
    assert_eq!(hub.set_desired("filter", json!({"level": null, "new": {"x": 1}})).unwrap(), 4);
    let patch = client.take_publish();
    assert_eq!(patch.topic, "$iothub/twin/PATCH/properties/desired/?$version=4");
    let expected = json!({"level": null, "new": {"x": 1}, "$version": 4});
    assert_eq!(json_of(&patch.payload), expected);
    assert_eq!(patch.qos, QoS::AtLeastOnce);
    let desired = hub.twin("filter").unwrap()["desired"].clone();
    assert_eq!(desired, json!({"new": {"x": 1}, "$version": 4}));
    assert!(matches!(hub.set_desired("filter", json!([1])), Err(HubError::Twin(_))));
    assert!(matches!(hub.set_desired("nobody", json!({})), Err(HubError::UnknownModule(_))));
}

#[test]
fn place_of_a_patch_among_the_inputs_is_known() {
    let hub = start_with(|config| config.window = 10);
    let mut client = Client::listen(&hub, "filter");
    client.subscribe("$iothub/twin/PATCH/properties/desired/#", QoS::AtLeastOnce);
    hub.deliver("filter", "in", numbered(3)).unwrap();
    let mut topics = Vec::new();
    topics.extend((0..3).map(|_| client.take_publish().topic));
    hub.set_desired("filter", json!({"level": 1})).unwrap();
    hub.deliver("filter", "in", numbered(2)).unwrap();
    topics.extend((0..3).map(|_| client.take_publish().topic));
    let place = topics.iter().position(|topic| topic.contains("/desired/")).unwrap();
    assert_eq!(hub.patches_written("filter").unwrap(), [(2, place as u64)]);
}

#[test]
fn methods_are_called_and_answered() {
    let hub = start();
    let mut client = Client::connect(&hub, "filter");
    client.subscribe("$iothub/methods/POST/#", QoS::AtLeastOnce);
    std::thread::scope(|scope| {
        let call = scope.spawn(|| hub.call_method("filter", "stats", json!({"x": 1}), PATIENCE));
        let request = client.take_publish();
        let rid = request.topic.strip_prefix("$iothub/methods/POST/stats/?$rid=").unwrap();
        assert_eq!(json_of(&request.payload), json!({"x": 1}));
        client.publish(&format!("$iothub/methods/res/207/?$rid={rid}"), br#"{"ok":true}"#);
        assert_eq!(call.join().unwrap(), Ok((207, json!({"ok": true}))));
        // A second answer comes too late.
        client.publish(&format!("$iothub/methods/res/200/?$rid={rid}"), b"{}");
        hub.until(|counters| counters.method_late == 1);
        let call = scope.spawn(|| hub.call_method("filter", "stats", Value::Null, PATIENCE));
        let request = client.take_publish();
        assert!(request.payload.is_empty());
        let rid = request.topic.rsplit('=').next().unwrap().to_owned();
        client.publish(&format!("$iothub/methods/res/abc/?$rid={rid}"), b"{}");
        assert_eq!(call.join().unwrap(), Err(MethodError::Malformed));
    });
}

#[test]
fn methods_without_answer_have_a_status() {
    let hub = start();
    let call = |timeout| hub.call_method("filter", "m", Value::Null, timeout);
    assert_eq!(call(PATIENCE), Err(MethodError::NotConnected));
    let mut client = Client::connect(&hub, "filter");
    assert_eq!(call(PATIENCE), Err(MethodError::NotConnected), "connected but not subscribed");
    client.subscribe("$iothub/methods/POST/#", QoS::AtLeastOnce);
    let start = Instant::now();
    assert_eq!(call(CALM), Err(MethodError::Timeout));
    assert!(start.elapsed() >= CALM && start.elapsed() < PATIENCE / 2);
    assert_eq!(MethodError::NotConnected.status(), 404);
    assert_eq!(MethodError::Timeout.status(), 504);
    let rid = client.take_publish().topic.rsplit('=').next().unwrap().to_owned();
    client.publish(&format!("$iothub/methods/res/200/?$rid={rid}"), b"{}");
    hub.until(|counters| counters.method_late == 1);
    let unknown = hub.call_method("nobody", "m", Value::Null, PATIENCE);
    assert_eq!(unknown.unwrap_err().status(), 404);
    drop(client);
    wait(|| !hub.is_connected("filter"));
    assert_eq!(call(Duration::from_secs(1)), Err(MethodError::NotConnected));
}

#[test]
fn method_limits() {
    let hub = start();
    let mut client = Client::connect(&hub, "filter");
    client.subscribe("$iothub/methods/POST/#", QoS::AtLeastOnce);
    let long_name = "n".repeat(101);
    let large = Value::String("x".repeat(128 * 1024));
    for (name, payload) in [("", Value::Null), (long_name.as_str(), Value::Null), ("m", large)] {
        let refused = hub.call_method("filter", name, payload, PATIENCE);
        assert_eq!(refused, Err(MethodError::Refused));
    }
    client.assert_quiet();
}
