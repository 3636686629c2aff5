//! Alone with a broker: which messages become alerts, where, and what happens to the others.

use std::collections::BTreeMap;
use std::fs;

use rumqttc::QoS;

use super::client::Client;
use super::tap::Tap;
use super::{
    ALERTS, CONTROL, SENSORS, body, command, figure, number, numbers, standalone, start, stop,
};
use crate::harness::{Mosquitto, wait_until};

/// Messages of the stream, from all of its sensors.
const STREAM: usize = 3_000;
const TOPICS: [&str; 4] =
    ["sensors/a", "sensors/hall 2/b", "sensors/deep/er/and/d\u{e9}eper", "sensors/%24&x=1?y"];

/// The default threshold is 25: every third message is above it.
fn temperature(n: usize) -> &'static str {
    ["25.000000000000004", "25", "-40"][n % 3]
}

/// Of a stream at both qualities exactly the hot messages come back, byte for byte, in order of
/// their sensor, each on the topic of its sensor, at QoS 1 and not retained.
#[test]
fn only_hot_messages_come_back_unchanged_and_in_order() {
    let mosquitto = Mosquitto::start();
    let mut alerts = Client::connect(&mosquitto).subscribed(ALERTS);
    let module = standalone(&mosquitto, &mosquitto.url(), &[]);
    let mut sensors = Client::connect(&mosquitto);
    let message = |n: usize| {
        let space = [" ", "\r\n", ""][n % 7 % 3];
        (TOPICS[n % TOPICS.len()].to_owned(), format!("{}{space}", body(n, temperature(n))))
    };
    sensors.publish_all((0..STREAM / 2).map(message));
    sensors.publish_all_at_most_once((STREAM / 2..STREAM).map(message));

    let mut expected: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (topic, body) in (0..STREAM).filter(|n| n % 3 == 0).map(message) {
        expected.entry(format!("alerts/{topic}")).or_default().push(body);
    }
    let mut came: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for alert in alerts.take(STREAM / 3) {
        assert_eq!((alert.qos, alert.retain, alert.dup), (QoS::AtLeastOnce, false, false));
        let body = String::from_utf8(alert.payload.to_vec()).unwrap();
        came.entry(alert.topic).or_default().push(body);
    }
    assert_eq!(came, expected);

    let summary = stop(module);
    assert_eq!(alerts.drain(), [], "more than the alerts came");
    assert_eq!(figure(&summary, "messages received"), STREAM as u64);
    assert_eq!(figure(&summary, "alerts"), STREAM as u64 / 3);
    assert_eq!(figure(&summary, "malformed"), 0);
}

/// What is no JSON, no UTF-8 or no number is counted and acknowledged, and holds nothing up.
#[test]
fn malformed_messages_are_counted_and_acknowledged() {
    const BROKEN: [&[u8]; 6] = [
        b"",
        b"{",
        b"{} trailing",
        b"\xff\xfe",
        b"{\"machine\":{\"temperature\":\"99\"}}",
        b"{\"machine\":{\"temperature\":NaN}}",
    ];
    const ROUNDS: usize = 50;
    let mosquitto = Mosquitto::start();
    let tap = Tap::on(&mosquitto);
    let mut alerts = Client::connect(&mosquitto).subscribed(ALERTS);
    let module = standalone(&mosquitto, &tap.url(), &["--client-id", "w"]);
    let mut sensors = Client::connect(&mosquitto);
    for round in 0..ROUNDS {
        let broken = BROKEN.map(|body| ("sensors/a".to_owned(), body.to_vec()));
        sensors.publish_all(broken);
        sensors.publish("sensors/a", body(round, 99));
    }
    assert_eq!(numbers(&alerts.take(ROUNDS)), (0..ROUNDS).collect::<Vec<_>>());
    let all = ROUNDS * (BROKEN.len() + 1);
    wait_until("every message is acknowledged", || tap.passed("w") == (all, all));
    tap.assert_acknowledged_in_order();
    let summary = stop(module);
    assert_eq!(figure(&summary, "malformed"), (ROUNDS * BROKEN.len()) as u64);
    assert_eq!(alerts.drain(), []);
}

/// The filters may be several, from the flags, the environment or the file; what none of them
/// names is not even received.
#[test]
fn several_subscriptions_are_made() {
    let mosquitto = Mosquitto::start();
    let mut alerts = Client::connect(&mosquitto).subscribed(ALERTS);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("settings.toml");
    fs::write(&file, "subscribe = [\"plant/#\", \"hall/+/t\"]\n").unwrap();
    let file = file.to_str().unwrap();
    let by_flags: &[&str] = &["--subscribe", "plant/#", "--subscribe", "hall/+/t"];
    for (flags, variable) in [(by_flags, ""), (&[], "plant/#,hall/+/t"), (&["--config", file], "")]
    {
        let mut command = command(&mosquitto.url(), flags);
        command.env("SLUICEGATE_SUBSCRIBE", variable);
        let module = start(&mosquitto, &mut command, &["plant/#", "hall/+/t", CONTROL]);
        let mut sensors = Client::connect(&mosquitto);
        let topics = ["sensors/a", "hall/1/u", "plant", "plant/x/y", "hall/1/t", "hall/1/t/v"];
        sensors.publish_all(topics.iter().enumerate().map(|(n, t)| (t.to_string(), body(n, 99))));
        let came: Vec<String> = alerts.take(3).into_iter().map(|alert| alert.topic).collect();
        assert_eq!(came, ["alerts/plant", "alerts/plant/x/y", "alerts/hall/1/t"], "{flags:?}");
        let summary = stop(module);
        assert_eq!(figure(&summary, "messages received"), 3);
        assert_eq!(alerts.drain(), []);
    }
    assert_eq!(mosquitto.subscriptions(SENSORS), 0, "a default beside what was asked for");
}

/// The member that is compared can be any.
#[test]
fn another_member_is_compared() {
    let mosquitto = Mosquitto::start();
    let mut alerts = Client::connect(&mosquitto).subscribed(ALERTS);
    let _module = standalone(&mosquitto, &mosquitto.url(), &["--path", "a.b.c"]);
    let mut sensors = Client::connect(&mosquitto);
    let bodies = [
        r#"{"n":0,"machine":{"temperature":99}}"#,
        r#"{"n":1,"a":{"b":{"c":25}}}"#,
        r#"{"n":2,"a":{"b":{"c":25.5}},"c":0}"#,
        r#"{"n":3,"a.b.c":99,"a":{"b":99,"c":99}}"#,
        r#"{"n":4,"a":{"x":{"c":0},"b":{"c":1e2}}}"#,
    ];
    sensors.publish_all(bodies.map(|body| ("sensors/a".to_owned(), body)));
    let came = alerts.take(2);
    assert_eq!(numbers(&came), [2, 4]);
    assert_eq!(came[0].payload, bodies[2]);
}

/// Alerts, control and reports go where they are told to, `{topic}` or not.
#[test]
fn other_topics_are_used() {
    let mosquitto = Mosquitto::start();
    let mut all = Client::connect(&mosquitto).subscribed("out/#");
    let mut sensors = Client::connect(&mosquitto);
    for (template, topic) in [("out/{topic}/hot", "out/sensors/a/hot"), ("out/alarm", "out/alarm")]
    {
        let flags =
            ["--alerts-topic", template, "--control-topic", "in/c", "--reported-topic", "out/r"];
        let mut command = command(&mosquitto.url(), &flags);
        let module = start(&mosquitto, &mut command, &[SENSORS, "in/c"]);
        sensors.retain("in/c", r#"{"TemperatureThreshold": 60}"#);
        loop {
            let report = all.expect();
            assert_eq!(report.topic, "out/r");
            if String::from_utf8_lossy(&report.payload).contains("60") {
                break;
            }
        }
        sensors.publish_all([60, 61].map(|t| ("sensors/a".to_owned(), body(t, t))));
        let alert = all.expect();
        assert_eq!((alert.topic.as_str(), number(&alert.payload)), (topic, Some(61)));
        stop(module);
        sensors.retain("in/c", "");
        all.drain();
    }
    assert_eq!(mosquitto.subscriptions(CONTROL), 0);
}
