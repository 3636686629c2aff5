//! Devices that registrations made: what they may do, how long they live, how many there may be.

use std::os::unix::fs::PermissionsExt;

use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v4::ConnectReturnCode;
use serde_json::json;

use super::{assign, body, outcome, registrant};
use crate::client::{Client, Credentials, PATIENCE};
use crate::support::{start, start_with};

/// What a registered device says goes upstream, although no route is about it; its twin and its
/// methods are as every device's.
#[test]
fn a_registered_device_talks_to_the_hub() {
    let hub = start();
    assign(&hub, "sensor1");
    let mut client = Client::connect(&hub, "sensor1");
    client.publish("devices/sensor1/messages/events/%24.ct=application%2Fjson", b"{\"temp\":1}");
    let message = hub.upstream().recv_timeout(PATIENCE).unwrap();
    assert_eq!((message.device.as_str(), message.module), ("sensor1", None));
    assert_eq!(&message.body[..], b"{\"temp\":1}");
    assert_eq!(hub.counters().dropped_no_route, 0);
    client.subscribe("$iothub/twin/res/#", QoS::AtLeastOnce);
    client.subscribe("$iothub/twin/PATCH/properties/desired/#", QoS::AtLeastOnce);
    hub.set_desired("sensor1", json!({"brightness": {"value": 10}})).unwrap();
    let patch = client.take_publish();
    assert_eq!(body(&patch), json!({"brightness": {"value": 10}, "$version": 2}));
    let answer = client.request("$iothub/twin/GET/?$rid=1", b" ");
    assert_eq!(body(&answer)["desired"]["brightness"], json!({"value": 10}));
}

#[test]
fn devices_outlive_the_hub_and_their_files_are_private() {
    let hub = start();
    let group = hub.enrollment("x").unwrap().key.to_base64();
    assign(&hub, "sensor1");
    hub.set_desired("sensor1", json!({"a": 1})).unwrap();
    let mut client = Client::connect(&hub, "sensor1");
    client.subscribe("$iothub/twin/res/#", QoS::AtLeastOnce);
    client.disconnect();
    for file in ["devices.json", "enrollments.json"] {
        let mode = std::fs::metadata(hub.state_dir().join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    let hub = hub.restart();
    assert_eq!(hub.enrollment("x").unwrap().key.to_base64(), group);
    assert_eq!(hub.twin("sensor1").unwrap()["desired"]["a"], 1);
    let (mut client, present) = Client::connect_with(&hub, &Credentials::of(&hub, "sensor1"));
    assert!(present);
    let answer = client.request("$iothub/twin/GET/?$rid=1", b" ");
    assert_eq!(body(&answer)["desired"]["a"], 1);
    client.publish("devices/sensor1/messages/events/", b"x");
    assert_eq!(hub.upstream().recv_timeout(PATIENCE).unwrap().device, "sensor1");
    // Registering again finds the same device.
    assign(&hub, "sensor1");
    assert_eq!(hub.twin("sensor1").unwrap()["desired"]["a"], 1);
    client.ping();
}

#[test]
fn a_forgotten_device_is_refused_until_it_registers_again() {
    let hub = start();
    assign(&hub, "sensor1");
    hub.set_desired("sensor1", json!({"a": 1})).unwrap();
    let credentials = Credentials::of(&hub, "sensor1");
    let (mut client, _) = Client::connect_with(&hub, &credentials);
    assert!(hub.forget_device("sensor1"));
    client.assert_closed();
    assert!(!hub.forget_device("sensor1"));
    assert!(!hub.forget_device("leaf") && !hub.forget_device("filter"), "the manifest's stay");
    assert!(hub.twin("sensor1").is_err());
    let refused = Client::open(&hub).login(&credentials).code;
    assert_eq!(refused, ConnectReturnCode::NotAuthorized);
    let hub = hub.restart();
    let refused = Client::open(&hub).login(&credentials).code;
    assert_eq!(refused, ConnectReturnCode::NotAuthorized);
    assign(&hub, "sensor1");
    let (_client, present) = Client::connect_with(&hub, &credentials);
    assert!(!present);
    assert_eq!(hub.twin("sensor1").unwrap()["desired"], json!({"$version": 1}));
}

#[test]
fn devices_are_bounded() {
    let hub = start_with(|config| config.provisioning.devices_max = 1);
    assign(&hub, "sensor1");
    let answer = body(&outcome(&mut registrant(&hub, "sensor2"), "sensor2"));
    assert_eq!(answer["status"], "failed");
    assert!(hub.twin("sensor2").is_err());
    assign(&hub, "sensor1");
}

/// Registering a device of the manifest gives that device the enrollment's key.
#[test]
fn a_declared_device_may_register() {
    let hub = start();
    let before = hub.connection_string("leaf").unwrap();
    assign(&hub, "leaf");
    let after = hub.connection_string("leaf").unwrap();
    assert_ne!(before, after);
    assert!(after.ends_with(&hub.enrollment("leaf").unwrap().key.to_base64()));
    Client::connect(&hub, "leaf").ping();
    let hub = hub.restart();
    assert_eq!(hub.connection_string("leaf").unwrap(), after);
}

#[test]
fn the_environment_of_a_sensor_is_complete() {
    let hub = start();
    let variables = hub.enrollment_environment("sensor1").unwrap();
    let value = |name: &str| {
        let found = variables.iter().find(|(n, _)| n == &format!("SLUICEGATE_{name}"));
        found.unwrap_or_else(|| panic!("{name}")).1.clone()
    };
    let port = hub.address().port().to_string();
    for (name, expected) in [
        ("ID_SCOPE", "0ne0000LOCAL"),
        ("REGISTRATION_ID", "sensor1"),
        ("PROVISIONING_HOST", "localhost"),
        ("PROVISIONING_PORT", port.as_str()),
        ("HUB_PORT", port.as_str()),
    ] {
        assert_eq!(value(name), expected);
    }
    assert_eq!(value("KEY"), hub.enrollment("sensor1").unwrap().key.to_base64());
    assert!(std::path::Path::new(&value("CA_FILE")).is_absolute());
    for bad in ["", "a/b", "a b", "é"] {
        let error = hub.enrollment_environment(bad).unwrap_err().to_string();
        assert!(error.contains("no registration id"), "{error}");
    }
    assert!(!format!("{:?}", hub.enrollment("sensor1")).contains(&value("KEY")));
}
