//! MQTT over WebSocket with the MQTT clients inside the SDKs. The SDKs themselves dial port 443
//! alone, which not everybody may listen on.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sluicegate::azure::{ConnectionString, sign_token};

use super::sdk::Sdk;
use crate::harness::{MODULE, Scene, wait_until};

#[test]
fn python_client_talks_over_websocket() {
    exercise(Sdk::Python);
}

#[test]
fn node_client_talks_over_websocket() {
    exercise(Sdk::Node);
}

fn exercise(sdk: Sdk) {
    let scene = Scene::start_with(|config| {
        config.listen_websocket = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    });
    let port = scene.hub.websocket_address().unwrap().port();
    let text = scene.hub.connection_string(MODULE).unwrap();
    let ConnectionString { identity, key } = text.parse().unwrap();
    let expiry = SystemTime::now() + Duration::from_secs(600);
    let expiry = expiry.duration_since(UNIX_EPOCH).unwrap().as_secs();
    let ca_file = scene.hub.ca_file().display().to_string();
    let variables = [
        ("HOST", "localhost".to_owned()),
        ("PORT", port.to_string()),
        ("CA_FILE", ca_file.clone()),
        ("NODE_EXTRA_CA_CERTS", ca_file),
        ("CLIENT_ID", identity.client_id()),
        ("USERNAME", identity.username("test", None)),
        ("PASSWORD", sign_token(&key, &identity.resource(), expiry, None)),
        ("TOPIC", format!("devices/edge1/modules/{MODULE}/messages/events/%24.on=output1")),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value));
    let mut client = sdk.websocket_client(variables.into());
    assert_eq!(client.wait_for_exit().code(), Some(0));
    client.wait_for_line(&["twin", r#""TemperatureThreshold":25"#]);
    client.wait_for_line(&["sent"]);
    assert_eq!(scene.take(1)[0].body.len(), 200_000);
    wait_until("the hub noticed", || !scene.is_connected());
}
