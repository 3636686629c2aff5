//! A state folder that cannot be written to: who asks for a change is told, and nothing changes.

use std::path::{Path, PathBuf};

use loadgen_hub::{Hub, HubError};
use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v4::{
    Packet, SubAck, Subscribe, SubscribeFilter, SubscribeReasonCode, Unsubscribe,
};
use serde_json::json;

use crate::client::{Client, Credentials};
use crate::support::{config, start, wait};

/// Keeps a file of the state from being written, root or not, until it is dropped.
struct Blocked(PathBuf);

impl Blocked {
    fn new(folder: &Path, file: &str) -> Self {
        // Where a folder stands that is not empty, no file can be made.
        let path = folder.join(format!("{file}.new"));
        std::fs::create_dir_all(path.join("inside")).unwrap();
        Self(path)
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

fn assert_not_saved<T: std::fmt::Debug>(result: Result<T, HubError>, file: &str) {
    let error = result.unwrap_err();
    assert!(matches!(error, HubError::NotSaved { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("not saved") && text.contains(file), "{text}");
}

#[test]
fn a_twin_that_cannot_be_kept_stays_as_it_is() {
    let hub = start();
    let mut client = Client::connect(&hub, "filter");
    client.subscribe("$iothub/twin/PATCH/properties/desired/#", QoS::AtLeastOnce);
    client.subscribe("$iothub/twin/res/#", QoS::AtMostOnce);
    let before = hub.twin("filter").unwrap();
    let on_disk = || std::fs::read(hub.state_dir().join("twins.json")).unwrap();
    let bytes_before = on_disk();
    let blocked = Blocked::new(hub.state_dir(), "twins.json");
    assert_not_saved(hub.set_desired("filter", json!({"level": 1})), "twins.json");
    assert_not_saved(hub.remake_twin("filter", json!({"level": 2}), 9), "twins.json");
    assert_not_saved(hub.report("other", json!({"a": 1})), "twins.json");
    let reported = "$iothub/twin/PATCH/properties/reported/?$rid=";
    let answer = client.request(&format!("{reported}7"), br#"{"a": 1}"#);
    assert_eq!(answer.topic, "$iothub/twin/res/500/?$rid=7");
    let body: serde_json::Value = serde_json::from_slice(&answer.payload).unwrap();
    assert_eq!(body["errorCode"], 500_000);
    // No patch was sent, nothing has changed here or there.
    client.assert_quiet();
    assert_eq!(hub.twin("filter").unwrap(), before);
    assert_eq!(hub.twin("other").unwrap()["reported"], json!({"$version": 1}));
    assert_eq!(on_disk(), bytes_before);
    assert_eq!(hub.counters().save_failures, 4);
    // A document that is none is its sender's fault still.
    let answer = client.request(&format!("{reported}8"), b"[]");
    assert_eq!(answer.topic, "$iothub/twin/res/400/?$rid=8");
    drop(blocked);
    assert_eq!(hub.set_desired("filter", json!({"level": 1})).unwrap(), 2);
    assert_eq!(client.take_publish().topic, "$iothub/twin/PATCH/properties/desired/?$version=2");
    let answer = client.request(&format!("{reported}9"), br#"{"a": 1}"#);
    assert_eq!(answer.topic, "$iothub/twin/res/204/?$rid=9&$version=2");
}

/// SDKs never subscribe again, so a subscription that would not outlive the hub is none.
#[test]
fn a_subscription_that_cannot_be_kept_is_not_granted() {
    let hub = start();
    let granted = SubscribeReasonCode::Success(QoS::AtLeastOnce);
    let inputs = "devices/edge1/modules/filter/inputs/#";
    let mut client = Client::listen(&hub, "filter");
    let blocked = Blocked::new(hub.state_dir(), "sessions.json");
    let responses = "$iothub/twin/res/#";
    assert_eq!(client.subscribe(responses, QoS::AtLeastOnce), SubscribeReasonCode::Failure);
    let both = [inputs, responses]
        .map(|filter| SubscribeFilter { path: filter.to_owned(), qos: QoS::AtLeastOnce });
    client.send(&Packet::Subscribe(Subscribe { pkid: 7, filters: both.into() }));
    let mixed = SubAck::new(7, vec![granted, SubscribeReasonCode::Failure]);
    assert_eq!(client.receive(), Packet::SubAck(mixed));
    // What is kept already is granted again: messages go on.
    assert_eq!(client.subscribe(inputs, QoS::AtLeastOnce), granted);
    hub.deliver("filter", "in", crate::support::numbered(1)).unwrap();
    assert_eq!(client.take_publish().payload, "0");
    client.publish("$iothub/twin/GET/?$rid=1", b" ");
    client.assert_quiet();
    // A clean session is not kept anyway.
    let mut credentials = Credentials::of(&hub, "other");
    credentials.clean_session = true;
    let (mut other, _) = Client::connect_with(&hub, &credentials);
    assert_eq!(other.subscribe(responses, QoS::AtLeastOnce), granted);
    // UNSUBACK knows no failure.
    let unsubscribe = Unsubscribe { pkid: 9, topics: vec![inputs.into()] };
    client.send(&Packet::Unsubscribe(unsubscribe));
    client.assert_closed_without_answer();
    drop(blocked);
    let (mut client, present) = Client::connect_with(&hub, &Credentials::of(&hub, "filter"));
    assert!(present);
    assert_eq!(client.subscribe(responses, QoS::AtLeastOnce), granted);
    hub.deliver("filter", "in", crate::support::numbered(1)).unwrap();
    assert_eq!(client.take_publish().payload, "0", "it is subscribed still");
}

#[test]
fn a_device_that_cannot_be_kept_is_not_assigned() {
    let hub = start();
    let enrollment = hub.enrollment("dev-1").unwrap();
    let (mut client, _) = Client::connect_with(&hub, &Credentials::enrolled(&enrollment));
    client.subscribe("$dps/registrations/res/#", QoS::AtMostOnce);
    let body = json!({"registrationId": "dev-1"}).to_string();
    let put = "$dps/registrations/PUT/iotdps-register/?$rid=1";
    let answer = client.request(put, body.as_bytes());
    let answer: serde_json::Value = serde_json::from_slice(&answer.payload).unwrap();
    let operation = answer["operationId"].as_str().unwrap();
    let get = "$dps/registrations/GET/iotdps-get-operationstatus/?$rid=2&operationId=";
    let poll = format!("{get}{operation}");
    for file in ["devices.json", "twins.json"] {
        let _blocked = Blocked::new(hub.state_dir(), file);
        let topic = client.request(&poll, b" ").topic;
        assert_eq!(topic, "$dps/registrations/res/500/?$rid=2&retry-after=5");
        assert!(!hub.names().unwrap().contains(&"dev-1".to_owned()));
    }
    assert_eq!(client.request(&poll, b" ").topic, "$dps/registrations/res/200/?$rid=2");
    assert!(hub.names().unwrap().contains(&"dev-1".to_owned()));
    let _device = Client::connect(&hub, "dev-1");
    let blocked = Blocked::new(hub.state_dir(), "devices.json");
    assert!(!hub.forget_device("dev-1"));
    assert!(hub.is_connected("dev-1"), "it is a device still");
    drop(blocked);
    assert!(hub.forget_device("dev-1"));
}

#[test]
fn a_hub_that_cannot_save_does_not_start_and_says_so_at_its_end() {
    for file in ["keys.json", "sessions.json", "twins.json", "enrollments.json"] {
        let folder = tempfile::tempdir().unwrap();
        let blocked = Blocked::new(folder.path(), file);
        assert_not_saved(Hub::start(config(folder.path())), file);
        drop(blocked);
        Hub::start(config(folder.path())).unwrap().finish().unwrap();
    }
    let hub = start();
    let blocked = Blocked::new(hub.state_dir(), "sessions.json");
    let client = Client::connect(&hub, "filter");
    let crate::support::TestHub { hub, dir } = hub;
    assert_not_saved(hub.finish(), "sessions.json");
    drop((blocked, client, dir));
}

/// What nobody waits for is tried again by itself, not with each packet.
#[test]
fn what_could_not_be_saved_is_tried_again() {
    let hub = start();
    let blocked = Blocked::new(hub.state_dir(), "sessions.json");
    let mut client = Client::connect(&hub, "filter");
    (0..100).for_each(|_| client.ping());
    assert!(hub.counters().save_failures < 10, "{}", hub.counters().save_failures);
    drop(blocked);
    let sessions = || std::fs::read_to_string(hub.state_dir().join("sessions.json")).unwrap();
    assert!(!sessions().contains("edge1/filter"));
    wait(|| {
        client.ping();
        sessions().contains("edge1/filter")
    });
}
