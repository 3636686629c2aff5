//! Modules that live inside the hub's process: they take their inputs, and report.

use loadgen_hub::HubError;
use rumqttc::mqttbytes::QoS;
use serde_json::json;

use crate::client::Client;
use crate::support::{message, numbered, start, start_with, wait};

#[test]
fn inputs_are_taken_in_order_with_name_and_properties() {
    let hub = start();
    let sent = message("body", &[("level", Some("a b/é")), ("$.ct", Some("application/json"))]);
    hub.publish_as("source", "both", vec![sent]).unwrap();
    hub.deliver("other", "plain", numbered(3)).unwrap();
    let first = hub.drain_inputs("other", 2).unwrap();
    assert_eq!(hub.stored("other"), 2);
    assert_eq!(first.len(), 2);
    let (input, message) = &first[0];
    assert_eq!((input.as_str(), &message.body[..]), ("in 2", &b"body"[..]));
    assert_eq!(message.properties.get("level"), Some(Some("a b/é")));
    assert_eq!(message.properties.get("$.ct"), Some(Some("application/json")));
    assert_eq!(message.properties.get("$.cmid"), Some(Some("source")));
    assert_eq!((first[1].0.as_str(), &first[1].1.body[..]), ("plain", &b"0"[..]));
    let rest = hub.drain_inputs("other", usize::MAX).unwrap();
    assert_eq!(rest.iter().map(|(_, m)| &m.body[..]).collect::<Vec<_>>(), [b"1", b"2"]);
    assert_eq!((hub.stored("other"), hub.stored("filter")), (0, 1), "others keep theirs");
    assert!(hub.drain_inputs("other", usize::MAX).unwrap().is_empty());
    let counters = hub.counters();
    assert_eq!((counters.inputs_delivered, counters.inputs_acked), (4, 4));
}

/// Whoever is connected owns the identity; what it leaves unacknowledged can be taken after it.
#[test]
fn a_connected_module_is_not_robbed() {
    let hub = start();
    let mut client = Client::listen(&hub, "filter");
    hub.deliver("filter", "in", numbered(2)).unwrap();
    assert_eq!(client.receive_publish().payload, "0");
    let refused = hub.drain_inputs("filter", 10);
    assert!(matches!(&refused, Err(HubError::Connected(name)) if name == "filter"), "{refused:?}");
    assert!(matches!(hub.report("filter", json!({"a": 1})), Err(HubError::Connected(_))));
    assert_eq!(hub.twin("filter").unwrap()["reported"], json!({"$version": 1}));
    assert_eq!(hub.stored("filter"), 2);
    drop(client);
    wait(|| !hub.is_connected("filter"));
    assert_eq!(hub.drain_inputs("filter", 10).unwrap().len(), 2);
    let counters = hub.counters();
    assert_eq!((counters.inputs_delivered, counters.inputs_redelivered), (2, 1));
    assert_eq!(counters.inputs_acked, 2);
}

#[test]
fn taking_makes_room_for_who_waits() {
    let hub = start_with(|config| config.inputs_messages_max = 4);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| hub.deliver("filter", "in", numbered(10)));
        let mut taken = Vec::new();
        wait(|| {
            taken.extend(hub.drain_inputs("filter", 3).unwrap());
            taken.len() == 10
        });
        waiting.join().unwrap().unwrap();
        let bodies: Vec<_> = taken.into_iter().map(|(_, m)| m.body).collect();
        assert_eq!(bodies, numbered(10).into_iter().map(|m| m.body).collect::<Vec<_>>());
    });
}

#[test]
fn reports_merge_into_the_twin_and_survive_the_hub() {
    let hub = start();
    assert_eq!(hub.report("filter", json!({"a": 1, "b": {"c": 2}})).unwrap(), 2);
    assert_eq!(hub.report("filter", json!({"a": null})).unwrap(), 3);
    assert!(matches!(hub.report("filter", json!([1])), Err(HubError::Twin(_))));
    let counters = hub.counters();
    assert_eq!((counters.twin_reported, counters.twin_refused), (2, 1));
    let hub = hub.restart();
    let expected = json!({"b": {"c": 2}, "$version": 3});
    assert_eq!(hub.twin("filter").unwrap()["reported"], expected);
    let mut client = Client::connect(&hub, "filter");
    client.subscribe("$iothub/twin/res/#", QoS::AtLeastOnce);
    let answer = client.request("$iothub/twin/GET/?$rid=1", b" ");
    let document: serde_json::Value = serde_json::from_slice(&answer.payload).unwrap();
    assert_eq!(document["reported"], expected);
}

#[test]
fn only_modules_of_the_manifest_live_here() {
    let hub = start();
    for name in ["nobody", "leaf"] {
        assert!(matches!(hub.drain_inputs(name, 1), Err(HubError::UnknownModule(_))), "{name}");
        assert!(matches!(hub.report(name, json!({})), Err(HubError::UnknownModule(_))), "{name}");
    }
}
