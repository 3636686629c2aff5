//! The SDKs inside the hub's edge runtime: the workload socket signs for them, and they renew
//! their tokens by a new connection.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;

use super::sdk::{Sdk, connects};
use super::sdk_tests::{check_after_reconnect, input_and_output, method, patch, stop};
use crate::harness::{MODULE, Process, Scene, numbered, take_until_seen, wait_until};

/// Time between two renewals: enough for a few steps, which no renewal must disturb.
const BETWEEN_RENEWALS_S: u64 = 6;
/// How long an answer is waited for before the SDK is asked again.
const ANSWER_WAIT: Duration = Duration::from_secs(1);

/// The Python SDK renews 120 s before the end.
#[test]
fn python_sdk_renews_its_token_inside_the_runtime() {
    exercise(Sdk::Python, &[("TOKEN_LIFETIME_S", 120 + BETWEEN_RENEWALS_S)]);
}

#[test]
fn node_sdk_renews_its_token_inside_the_runtime() {
    let lifetime = 2 * BETWEEN_RENEWALS_S;
    let margin = BETWEEN_RENEWALS_S;
    exercise(Sdk::Node, &[("TOKEN_LIFETIME_S", lifetime), ("TOKEN_MARGIN_S", margin)]);
}

fn exercise(sdk: Sdk, settings: &[(&str, u64)]) {
    let scene = Scene::start_for_sdk_with(|config| {
        config.window = 10;
        // A token that is not renewed ends its connection within the test, where it can.
        config.token_skew = Duration::ZERO;
    });
    let version = scene.hub.set_desired(MODULE, json!({ "TemperatureThreshold": 30 })).unwrap();
    let mut variables = scene.hub.runtime_environment(MODULE).unwrap();
    variables.extend(settings.iter().map(|(name, value)| (name.to_string(), value.to_string())));
    let module = sdk.start_with(variables);
    scene.wait_for_report(version);

    wait_for_renewal(&scene, &module);
    input_and_output(&scene, &module);
    let counters = scene.hub.counters();
    // One trust bundle and a signature for each connection.
    assert!(counters.workload_requests > counters.connects, "{counters:?}");

    if sdk == Sdk::Python {
        // The Node SDK takes its listeners off first, then acknowledges what still comes: lost.
        messages_across_a_renewal(&scene, &module);
    }
    patch(&scene, 60);
    method(&scene, 1);

    wait_for_renewal(&scene, &module);
    let before = connects(&module);
    assert!(scene.hub.drop_connection(MODULE));
    check_after_reconnect(&scene, &module, before);
    // Each connection ended by its own client, but for the one that the hub dropped.
    let counters = scene.hub.counters();
    let ended = (counters.evictions, counters.auth_failures, counters.keep_alive_timeouts);
    assert_eq!(ended, (0, 0, 0));
    stop(module, &scene);
}

/// Waits until the SDK has connected anew with a new signature, and listens.
fn wait_for_renewal(scene: &Scene, module: &Process) {
    let before = scene.hub.counters();
    wait_until("the SDK renews its token", || {
        let now = scene.hub.counters();
        now.connects > before.connects && now.workload_requests > before.workload_requests
    });
    scene.wait_until_subscribed(module);
    // The hub knows of the new connection before the SDK has finished with it; and what the Node
    // SDK is asked before it has put its listeners back, it never answers.
    wait_until("the SDK answers again", || {
        let answer = scene.hub.call_method(MODULE, "stats", json!({}), ANSWER_WAIT);
        answer.is_ok_and(|(status, _)| status == 200)
    });
}

/// Messages go on while the token is renewed, and not one alert is lost.
fn messages_across_a_renewal(scene: &Scene, module: &Process) {
    let before = scene.hub.counters().connects;
    let mut sent = BTreeSet::new();
    wait_until("the SDK renews its token under load", || {
        let n = 1000 + sent.len();
        scene.deliver(vec![numbered(n, 99)]);
        sent.insert(n);
        scene.hub.counters().connects > before
    });
    scene.wait_until_subscribed(module);
    take_until_seen(scene, &sent);
    scene.wait_until_all_acknowledged();
}
