//! The module against Mosquitto: nothing it does depends on how our own hub happens to work.

use rumqttc::QoS;
use serde_json::{Value, json};

use super::broker::{Broker, CrudeHub};
use crate::harness::reading;

/// Messages of one stream; every third is hot.
const STREAM: usize = 3_000;
/// Messages published before their alerts are awaited: Mosquitto drops QoS 0 to a full queue.
const BLOCK: usize = 300;
const EVENTS: &str = "devices/edge1/modules/filter/messages/events/";

/// A twin document with this threshold in this version.
fn twin(threshold: u32, version: u64) -> Value {
    json!({
        "desired": { "TemperatureThreshold": threshold, "$version": version },
        "reported": { "$version": 1 },
    })
}

fn temperature(n: usize) -> &'static str {
    if n.is_multiple_of(3) { "30.5" } else { "30" }
}

/// Publishes a stream and checks that exactly its hot messages come back, in order, unchanged.
fn check_stream(hub: &CrudeHub, qos: QoS) {
    for start in (0..STREAM).step_by(BLOCK) {
        for n in start..start + BLOCK {
            let bag =
                format!("sequenceNumber={n}&sp%20ace=a%26b%3D%2F&%24.cdid=edge1&%24.cmid=sensor");
            hub.deliver(qos, "input1", &bag, &reading(temperature(n)));
        }
        for n in (start..start + BLOCK).filter(|n| n.is_multiple_of(3)) {
            let alert = hub.next_output();
            assert_eq!(alert.payload, reading(temperature(n)));
            assert_eq!(alert.qos, QoS::AtLeastOnce);
            let bag = alert.topic.strip_prefix(EVENTS).unwrap();
            let mut properties: Vec<&str> = bag.split('&').collect();
            assert_eq!(properties[0], "%24.on=output1", "{bag}");
            properties.retain(|property| !property.starts_with("%24."));
            properties.sort_unstable();
            let number = format!("sequenceNumber={n}");
            assert_eq!(properties, ["MessageType=Alert", number.as_str(), "sp%20ace=a%26b%3D%2F"]);
        }
    }
}

/// At QoS 1 and at QoS 0, exactly the hot messages are forwarded, in order, byte for byte.
#[test]
fn mosquitto_carries_a_stream_at_both_qualities() {
    let broker = Broker::start();
    let hub = broker.crude_hub(twin(30, 4));
    let _module = broker.module();
    assert_eq!(hub.wait_for_report(4)["value"].as_f64(), Some(30.0));
    check_stream(&hub, QoS::AtLeastOnce);
    check_stream(&hub, QoS::AtMostOnce);
}

/// A patch moves the threshold, an older one is discarded, and after a gap in the versions the
/// module asks for the whole twin.
#[test]
fn mosquitto_carries_patches() {
    let broker = Broker::start();
    let hub = broker.crude_hub(twin(30, 4));
    let _module = broker.module();
    hub.wait_for_report(4);
    hub.patch(json!(50), 5);
    assert_eq!(hub.wait_for_report(5)["value"].as_f64(), Some(50.0));
    // What the document says is in force after an old patch, so it must say what the patch said.
    hub.set_twin(twin(50, 5));
    hub.patch(json!(10), 5);
    hub.patch(json!(10), 3);
    for (n, temperature) in ["20", "50", "51"].iter().enumerate() {
        hub.deliver(QoS::AtLeastOnce, "input1", &format!("n={n}"), &reading(temperature));
    }
    assert!(hub.next_output().topic.contains("n=2"), "an old patch was applied");
    hub.set_twin(twin(70, 9));
    hub.patch(json!(60), 8);
    assert_eq!(hub.wait_for_report(9)["value"].as_f64(), Some(70.0));
}

/// A broker that comes back without any memory: the module subscribes and asks for its twin again.
#[test]
fn mosquitto_forgets_and_the_module_does_not() {
    let mut broker = Broker::start();
    let hub = broker.crude_hub(twin(30, 4));
    let _module = broker.module();
    hub.wait_for_report(4);
    check_stream(&hub, QoS::AtLeastOnce);
    broker.restart();
    drop(hub);
    let hub = broker.crude_hub(twin(30, 5));
    hub.wait_for_report(5);
    check_stream(&hub, QoS::AtLeastOnce);
}
