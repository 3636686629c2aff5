//! How the SDKs fare at an edge hub that loses a CONNECT in the end of the TLS handshake.
//!
//! The Python SDK speaks TLS 1.2, whose last flight is the server's: nothing is lost. The Node SDK
//! hands CONNECT to the socket before TLS stands, so in TLS 1.3 it goes out with the last flight:
//! it is lost every time.

use std::time::Duration;

use loadgen_hub::{HubConfig, HubFault};

use super::sdk::Sdk;
use crate::harness::{MODULE, Scene, wait_until};

fn losing(config: &mut HubConfig) {
    config.fault = Some(HubFault::EarlyConnect);
    // The time after which an edge hub hangs up is a minute.
    config.connect_timeout = Duration::from_secs(2);
}

#[test]
fn python_sdk_is_served() {
    let scene = Scene::start_for_sdk_with(losing);
    let _module = Sdk::Python.start(&scene);
    assert_eq!(scene.hub.counters().early_lost, 0);
}

/// It takes the end of its first connection for a refusal, and gives up.
#[test]
fn node_sdk_is_never_answered_and_gives_up() {
    let scene = Scene::start_for_sdk_with(losing);
    let module = Sdk::Node.spawn(
        "Node module",
        "node/filter_module.js",
        scene.hub.environment(MODULE).unwrap(),
    );
    module.wait_for_line(&["UnauthorizedError"]);
    let counters = scene.hub.counters();
    assert_eq!((counters.early_lost, counters.connects), (1, 0));
}

/// After a connection that was good it tries for ever, in vain.
#[test]
fn node_sdk_does_not_come_back() {
    let scene = Scene::start_for_sdk(1);
    let _module = Sdk::Node.start(&scene);
    let scene = scene.restart_hub_with(losing);
    wait_until("it has tried twice", || scene.hub.counters().early_lost > 1);
    assert_eq!(scene.hub.counters().connects, 0);
}
