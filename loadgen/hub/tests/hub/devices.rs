//! Devices besides modules: client id `{d}`, topics without a module, and no inputs.

use std::time::Duration;

use loadgen_hub::MethodError;
use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v4::{ConnectReturnCode, LastWill};
use serde_json::{Value, json};
use sluicegate::azure::{ConnectionString, sign_token};

use crate::client::{Client, Credentials, PATIENCE, unix_now};
use crate::support::{numbered, start, wait};

const TELEMETRY: &str = "devices/leaf/messages/events/";

/// Telemetry of a declared device takes the routes, with its properties.
#[test]
fn telemetry_is_routed_from_messages_events() {
    let hub = start();
    let upstream = hub.upstream();
    let mut client = Client::connect(&hub, "leaf");
    // Node ends the bag with a slash, Python does not.
    let bag = "%24.mid=m-1&%24.ct=application%2Fjson&sp%20ace=a%20b&bare";
    for topic in [format!("{TELEMETRY}{bag}"), format!("{TELEMETRY}{bag}/")] {
        client.publish(&topic, b"{}");
        let message = upstream.recv_timeout(PATIENCE).unwrap();
        let sender = (message.device.as_str(), message.module, message.output);
        assert_eq!(sender, ("leaf", None, None));
        let value = |name| message.properties.get(name);
        assert_eq!(value("$.mid"), Some(Some("m-1")));
        assert_eq!(value("sp ace"), Some(Some("a b")));
        assert_eq!(value("bare"), Some(None));
    }
    assert_eq!(hub.counters().identity_mismatches, 0);
}

#[test]
fn twin_and_methods_are_as_a_modules() {
    let hub = start();
    let mut client = Client::connect(&hub, "leaf");
    for filter in [
        "$iothub/twin/res/#",
        "$iothub/twin/PATCH/properties/desired/#",
        "$iothub/methods/POST/#",
        "devices/leaf/messages/devicebound/#",
    ] {
        client.subscribe(filter, QoS::AtLeastOnce);
    }
    let reported = "$iothub/twin/PATCH/properties/reported/?$rid=1";
    let answer = client.request(reported, br#"{"state": "on"}"#);
    assert_eq!(answer.topic, "$iothub/twin/res/204/?$rid=1&$version=2");
    assert_eq!(hub.twin("leaf").unwrap()["reported"]["state"], "on");
    hub.set_desired("leaf", json!({"fan": 1})).unwrap();
    let patch = client.take_publish();
    assert_eq!(patch.topic, "$iothub/twin/PATCH/properties/desired/?$version=2");
    std::thread::scope(|scope| {
        let call = scope.spawn(|| hub.call_method("leaf", "blink", json!(3), PATIENCE));
        let request = client.take_publish();
        assert!(request.topic.starts_with("$iothub/methods/POST/blink/?$rid="), "{request:?}");
        assert_eq!(serde_json::from_slice::<Value>(&request.payload).unwrap(), json!(3));
        let rid = request.topic.rsplit('=').next().unwrap();
        client.publish(&format!("$iothub/methods/res/200/?$rid={rid}"), br#"{"ok":1}"#);
        assert_eq!(call.join().unwrap(), Ok((200, json!({"ok": 1}))));
    });
    client.disconnect();
    let refused = hub.call_method("leaf", "blink", json!(null), Duration::from_secs(1));
    assert_eq!(refused, Err(MethodError::NotConnected));
}

#[test]
fn sessions_and_wills_are_kept_apart_from_a_modules() {
    let hub = start();
    let upstream = hub.upstream();
    let mut credentials = Credentials::of(&hub, "leaf");
    credentials.will = Some(LastWill::new(TELEMETRY, "gone", QoS::AtLeastOnce, false));
    let (mut client, _) = Client::connect_with(&hub, &credentials);
    client.subscribe("$iothub/twin/res/#", QoS::AtLeastOnce);
    let mut module = Client::connect(&hub, "filter");
    assert!(hub.drop_connection("leaf"));
    client.assert_closed();
    let will = upstream.recv_timeout(PATIENCE).unwrap();
    assert_eq!((will.device.as_str(), &will.body[..]), ("leaf", &b"gone"[..]));
    module.ping();
    let (mut client, present) = Client::connect_with(&hub, &credentials);
    assert!(present);
    let answer = client.request("$iothub/twin/GET/?$rid=2", b" ");
    assert_eq!(answer.topic, "$iothub/twin/res/200/?$rid=2");
}

/// A device has no inputs, and a module's credentials do not open it, nor the other way round.
#[test]
fn a_device_is_no_module() {
    let hub = start();
    let mut client = Client::connect(&hub, "leaf");
    client.subscribe("devices/leaf/modules/filter/inputs/#", QoS::AtLeastOnce);
    hub.deliver("filter", "in", numbered(1)).unwrap();
    client.assert_quiet();
    assert!(hub.deliver("leaf", "in", numbered(1)).is_err());
    let text = hub.connection_string("leaf").unwrap();
    let leaf: ConnectionString = text.parse().unwrap();
    let mut wrong = Credentials::of(&hub, "filter");
    wrong.password = sign_token(&leaf.key, &leaf.identity.resource(), unix_now() + 60, None);
    let code = Client::open(&hub).login(&wrong).code;
    assert_eq!(code, ConnectReturnCode::NotAuthorized);
    // The edge device itself is not declared: only its modules connect.
    let mut edge = Credentials::of(&hub, "leaf");
    edge.client_id = "edge1".to_owned();
    edge.username = edge.username.replace("/leaf/", "/edge1/");
    let code = Client::open(&hub).login(&edge).code;
    assert_eq!(code, ConnectReturnCode::NotAuthorized);
    wait(|| hub.counters().auth_failures == 2);
}
