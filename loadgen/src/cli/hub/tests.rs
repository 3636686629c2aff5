//! Simulated sensors against a real hub.

use std::time::Instant;

use serde_json::json;

use super::*;
use loadgen_hub::manifest::Variables;

const PATIENCE: Duration = Duration::from_secs(20);

/// What `commander` sends goes to the sensor's `control`, and to an input that it does not have.
const MANIFEST: &str = concat!(
    r#"{"modulesContent": {
    "$edgeAgent": {"properties.desired": {"modules": {
      "tempSensor": {"settings": {"image": "x"}},
      "commander": {"settings": {"image": "x"}}}}},
    "$edgeHub": {"properties.desired": {"routes": {
      "up": "FROM /messages/modules/tempSensor/* INTO $upstream",
      "c": "FROM /messages/modules/commander/outputs/c INTO "#,
    r#"BrokeredEndpoint(\"/modules/tempSensor/inputs/control\")",
      "o": "FROM /messages/modules/commander/* INTO "#,
    r#"BrokeredEndpoint(\"/modules/tempSensor/inputs/other\")"}}},
    "tempSensor": {"properties.desired": {"SendData": true}}}}"#
);

/// Waits for what the condition gives.
fn wait<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited too long: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn start(folder: &Path) -> (Arc<HubHandle>, SensorThread) {
    let manifest = Manifest::parse(MANIFEST, &Variables::default()).unwrap();
    let sensors = sensors(&manifest, Some(Duration::from_millis(1))).unwrap();
    let hub = Hub::start(HubConfig {
        listen: ([127, 0, 0, 1], 0).into(),
        state_dir: folder.to_owned(),
        manifest,
        ..HubConfig::default()
    });
    let hub = Arc::new(hub.unwrap());
    let destination = HubDestination { hub: Arc::clone(&hub), failing: false };
    let thread = SensorThread::start(sensors, destination).unwrap();
    (hub, thread)
}

fn command(hub: &HubHandle, output: &str, body: &str) {
    let message = HubMessage { body: body.to_owned().into(), ..HubMessage::default() };
    hub.publish_as("commander", output, vec![message]).unwrap();
}

#[test]
fn a_routed_reset_cools_the_sensor_and_nothing_stays_stored() {
    let folder = tempfile::tempdir().unwrap();
    let (hub, thread) = start(folder.path());
    let upstream = hub.upstream();
    let temperature = || {
        let message = upstream.recv_timeout(PATIENCE).unwrap();
        let body: Value = serde_json::from_slice(&message.body).unwrap();
        body["machine"]["temperature"].as_f64().unwrap()
    };
    wait("a warm sensor", || (temperature() > 40.0).then_some(()));
    for bad in ["", "[", "{}", r#"[{"command":"reset"},{"command":2}]"#] {
        command(&hub, "c", bad);
    }
    // Taken and ignored: this input is not `control`.
    command(&hub, "o", r#"{"command":"reset"}"#);
    wait("an empty store", || (hub.stored("tempSensor") == 0).then_some(()));
    let afterwards = upstream.len() + 10;
    (0..afterwards).for_each(|_| assert!(temperature() > 30.0, "still warm"));
    command(&hub, "c", r#"{"command":"reset"}"#);
    let cold = wait("a cold sensor", || Some(temperature()).filter(|t| *t < 30.0));
    assert!((20.75..22.5).contains(&cold), "{cold}: one step from the minimum");
    wait("an empty store", || (hub.stored("tempSensor") == 0).then_some(()));
    let counters = hub.counters();
    // Each message of `c` goes to both inputs.
    assert_eq!((counters.inputs_stored, counters.inputs_acked), (11, 11));
    thread.stop();
}

#[test]
fn the_twin_holds_what_the_sensor_reports() {
    let folder = tempfile::tempdir().unwrap();
    let (hub, thread) = start(folder.path());
    hub.set_desired("tempSensor", json!({"SendData": false, "SendInterval": 3})).unwrap();
    let reported = wait("a report", || {
        let reported = hub.twin("tempSensor").unwrap()["reported"].take();
        (reported["$version"] != 1).then_some(reported)
    });
    assert_eq!(reported, json!({"SendData": false, "SendInterval": 3, "$version": 2}));
    thread.stop();
}
