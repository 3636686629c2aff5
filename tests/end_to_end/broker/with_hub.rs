//! Beside the hub: sensors from the broker and from `input1`, one threshold, one output.

use serde_json::json;

use super::client::Client;
use super::{CONTROL, REPORTED, SENSORS, body, number, start};
use crate::harness::{MODULE, Mosquitto, Process, Scene, numbered, property, wait_until};

/// Starts the module of `scene` with `mosquitto` as its broker.
fn module(scene: &Scene, mosquitto: &Mosquitto) -> Process {
    let mut command = scene.command();
    command.args(["--broker", &mosquitto.url()]);
    let module = start(mosquitto, &mut command, &[SENSORS]);
    scene.wait_until_subscribed(&module);
    module
}

/// A reading from the broker goes to `output1` of the hub, with its topic as a property, whatever
/// characters that has; and nothing goes to the broker.
#[test]
fn the_brokers_alerts_go_to_the_hub_with_their_topic() {
    let mosquitto = Mosquitto::start();
    let mut broker_side = Client::connect(&mosquitto).subscribed("#");
    let scene = Scene::start(10);
    let _module = module(&scene, &mosquitto);
    let mut sensors = Client::connect(&mosquitto);
    let topics = [
        "sensors/a",
        "sensors/hall 2/50%/a&b=c",
        "sensors/?$.to=x&%24.on=output2/;:@",
        "sensors/\u{e9}\u{20ac}/\u{1f321}",
        "sensors//",
    ];
    for (n, topic) in topics.iter().enumerate() {
        sensors.publish(topic, body(100 + n, 25));
        sensors.publish(topic, body(n, 25.5));
    }
    for (n, (alert, topic)) in scene.take(topics.len()).iter().zip(topics).enumerate() {
        assert_eq!(alert.body, body(n, 25.5));
        assert_eq!(alert.module.as_deref(), Some(MODULE));
        assert_eq!(alert.output.as_deref(), Some("output1"), "{topic}");
        assert_eq!(property(alert, "topic"), Some(topic));
        assert_eq!(property(alert, "MessageType"), Some("Alert"), "{topic}");
        let own = alert.properties.iter().filter(|(name, _)| !name.starts_with('$')).count();
        assert_eq!(own, 2, "{topic}: {:?}", alert.properties);
    }
    scene.assert_nothing_more_upstream();
    // All there was on the broker is what this test sent.
    let came = broker_side.drain();
    assert_eq!(came.len(), 2 * topics.len(), "{came:?}");
    assert_eq!(mosquitto.subscriptions(CONTROL), 0, "the twin is where the threshold is");
}

/// The twin's threshold judges the messages of both sides, from the first on; a patch on the
/// broker's control topic is nobody's.
#[test]
fn the_twin_judges_both_inputs() {
    let mosquitto = Mosquitto::start();
    let scene = Scene::start(10);
    let mut sensors = Client::connect(&mosquitto);
    sensors.retain(CONTROL, r#"{"TemperatureThreshold": 1000}"#);
    let version = scene.hub.set_desired(MODULE, json!({"TemperatureThreshold": 60})).unwrap();
    let _module = module(&scene, &mosquitto);
    scene.wait_for_report(version);
    for (round, threshold) in [60, 80, 30].into_iter().enumerate() {
        if round > 0 {
            let report = scene.set_threshold(json!(threshold));
            assert_eq!((&report["value"], &report["ac"]), (&json!(threshold), &json!(200)));
        }
        sensors
            .publish_all([threshold, threshold + 1].map(|t| ("sensors/a".to_owned(), body(t, t))));
        let alert = &scene.take(1)[0];
        assert_eq!(number(&alert.body), Some(threshold + 1));
        assert_eq!(property(alert, "topic"), Some("sensors/a"));
        scene.deliver([threshold, threshold + 1].map(|t| numbered(t, t)).into());
        let alert = &scene.take(1)[0];
        let expected = (threshold + 1).to_string();
        assert_eq!(property(alert, "n"), Some(expected.as_str()));
        assert_eq!(property(alert, "topic"), None);
    }
    scene.assert_nothing_more_upstream();
    let reports = Client::connect(&mosquitto).subscribed(REPORTED).drain();
    assert_eq!(reports, [], "the twin is where the threshold is reported");
}

/// Both streams at once, each in its own order and complete, at both qualities of the broker.
#[test]
fn both_inputs_flow_at_once() {
    const COUNT: usize = 2_000;
    let mosquitto = Mosquitto::start();
    let scene = Scene::start(100);
    let _module = module(&scene, &mosquitto);
    let mut sensors = Client::connect(&mosquitto);
    let message =
        |n: usize| ("sensors/a".to_owned(), body(n, if n.is_multiple_of(4) { 99 } else { 1 }));
    std::thread::scope(|threads| {
        threads.spawn(|| {
            sensors.publish_all((0..COUNT / 2).map(message));
            sensors.publish_all_at_most_once((COUNT / 2..COUNT).map(message));
        });
        let hub_side = |n: usize| numbered(n, if n.is_multiple_of(4) { 99 } else { 1 });
        scene.deliver((0..COUNT).map(hub_side).collect());
        let (mut from_broker, mut from_hub) = (Vec::new(), Vec::new());
        for alert in scene.take(COUNT / 2) {
            match property(&alert, "n") {
                Some(n) => from_hub.push(n.parse().unwrap()),
                None => from_broker.push(number(&alert.body).expect("a number")),
            }
        }
        let hot: Vec<usize> = (0..COUNT).step_by(4).collect();
        assert_eq!((&from_broker, &from_hub), (&hot, &hot));
    });
    scene.assert_nothing_more_upstream();
    assert_eq!(scene.counter("forwarded"), COUNT as u64 / 2);
}

/// While the broker is away the hub's input goes on, and the other way round: each is found again.
#[test]
fn either_side_goes_on_alone() {
    let mut mosquitto = Mosquitto::start();
    let scene = Scene::start(10);
    let mut command = scene.command();
    command.args(["--broker", &mosquitto.url(), "--client-id", "w"]);
    let module = start(&mosquitto, &mut command, &[SENSORS]);
    scene.wait_until_subscribed(&module);
    Client::connect(&mosquitto).publish("sensors/a", body(0, 99));
    assert_eq!(number(&scene.take(1)[0].body), Some(0));

    mosquitto.restart_without_memory();
    scene.deliver(vec![numbered(1, 99)]);
    assert_eq!(property(&scene.take(1)[0], "n"), Some("1"));
    wait_until("the module is back at the broker", || mosquitto.subscriptions(SENSORS) > 0);
    Client::connect(&mosquitto).publish("sensors/a", body(2, 99));
    assert_eq!(number(&scene.take(1)[0].body), Some(2));

    assert!(scene.hub.drop_connection(MODULE));
    Client::connect(&mosquitto).publish("sensors/a", body(3, 99));
    assert_eq!(number(&scene.take(1)[0].body), Some(3));
    assert!(module.is_running());
}
