//! What is forwarded: exactly the hot messages of `input1`, unchanged but for `MessageType`.

use std::time::Duration;

use serde_json::json;

use crate::harness::{
    INPUT, MODULE, Scene, message, numbered, numbers, property, reading, wait_until,
};

/// How long a method call may take.
const METHOD_TIMEOUT: Duration = Duration::from_secs(10);

/// A forwarded message is the input: same bytes, same properties, and `MessageType` = `Alert`.
#[test]
fn an_alert_is_the_same_message_with_message_type() {
    let scene = Scene::start(10);
    let _module = scene.filter();
    let body =
        "  {\"timeCreated\":\"é€\\u0041\", \"machine\" : {\"x\":[1,{}],\"temperature\":1e2 } }\r\n";
    let properties = [
        ("sequenceNumber", "7"),
        ("sp ace", "a&b=c/d?e#f+g%h"),
        ("uni", "é€"),
        ("$.mid", "id 1/2"),
        ("$.cid", "c+1"),
        ("$.uid", "u 1"),
        ("$.ct", "application/json;charset=utf-8"),
        ("$.ce", "utf-8"),
        ("$.exp", "2030-01-02T03:04:05Z"),
    ];
    scene.deliver(vec![message(reading(20), &[("n", "0")]), message(body, &properties)]);
    let alert = &scene.take(1)[0];
    assert_eq!(alert.body, body);
    assert_eq!(alert.module.as_deref(), Some(MODULE));
    assert_eq!(alert.output.as_deref(), Some("output1"));
    for (name, value) in properties {
        assert_eq!(property(alert, name), Some(value), "{name}");
    }
    assert_eq!(property(alert, "MessageType"), Some("Alert"));
    scene.assert_nothing_more_upstream();
}

/// Exactly the messages above the default threshold are forwarded, in the order of arrival.
#[test]
fn only_what_exceeds_the_threshold_is_forwarded_in_order() {
    let scene = Scene::start(100);
    let _module = scene.filter();
    let cases = [
        ("25", false),
        ("25.0", false),
        ("25.000000000000004", true),
        ("24.999999999999996", false),
        ("26", true),
        ("2.6e1", true),
        ("-0", false),
        ("-1e308", false),
        ("1e999", true),
        ("123456789012345678901234567890", true),
        ("\"99\"", false),
        ("null", false),
        ("true", false),
        ("[99]", false),
        ("NaN", false),
        ("Infinity", false),
        ("025", false),
        ("1.7976931348623157e308", true),
    ];
    let messages = cases.iter().enumerate().map(|(n, (text, _))| numbered(n, text)).collect();
    let expected: Vec<usize> =
        cases.iter().enumerate().filter(|(_, (_, hot))| *hot).map(|(n, _)| n).collect();
    scene.deliver(messages);
    assert_eq!(numbers(&scene.take(expected.len())), expected);
    scene.assert_nothing_more_upstream();
}

/// An input's own `MessageType`, in any letter case, is replaced and not doubled: a hub drops a
/// message with two names that differ only in case.
#[test]
fn a_message_type_in_any_case_is_replaced() {
    let scene = Scene::start(10);
    let _module = scene.filter();
    let names = ["MessageType", "messagetype", "MESSAGETYPE", "mEssageTypE"];
    for name in names {
        let properties = [("a", "1"), (name, "Info"), ("z", "2")];
        scene.deliver(vec![message(reading(99), &properties)]);
    }
    for alert in scene.take(names.len()) {
        let types: Vec<(&str, Option<&str>)> = alert
            .properties
            .iter()
            .filter(|(k, _)| k.eq_ignore_ascii_case("MessageType"))
            .collect();
        assert_eq!(types, [("MessageType", Some("Alert"))]);
        assert_eq!((property(&alert, "a"), property(&alert, "z")), (Some("1"), Some("2")));
    }
}

/// Messages for any other input are acknowledged and ignored, however hot.
#[test]
fn other_inputs_are_acknowledged_and_ignored() {
    let scene = Scene::start(10);
    let _module = scene.filter();
    for input in ["input2", "Input1", "input10", "control"] {
        scene.hub.deliver(MODULE, input, vec![message(reading(99), &[]); 5]).unwrap();
    }
    scene.wait_until_all_acknowledged();
    scene.deliver(vec![numbered(1, 99)]);
    assert_eq!(numbers(&scene.take(1)), [1]);
    scene.assert_nothing_more_upstream();
}

/// A flood of broken bodies is acknowledged, logged at a bounded rate, and changes nothing else.
#[test]
fn a_malformed_flood_is_acknowledged_and_barely_logged() {
    let scene = Scene::start(100);
    let module = scene.filter();
    let broken: [&[u8]; 8] = [
        b"",
        b"{",
        b"\xff\xfe",
        b"[1]",
        b"{\"machine\":{\"temperature\":\"hot\"}}",
        b"{} trailing",
        b"\xef\xbb\xbf{\"machine\":{\"temperature\":99}}",
        b"{\"machine\":\"temperature\"}",
    ];
    const ROUNDS: usize = 250;
    for round in 0..ROUNDS {
        let flood = broken.iter().map(|body| message(*body, &[])).collect();
        scene.deliver(flood);
        scene.deliver(vec![numbered(round, 99)]);
    }
    let expected: Vec<usize> = (0..ROUNDS).collect();
    assert_eq!(numbers(&scene.take(ROUNDS)), expected);
    scene.assert_nothing_more_upstream();
    assert!(module.is_running());
    let lines = module.lines().len();
    assert!(lines < 200, "{} broken messages made {lines} log lines", ROUNDS * broken.len());
    let says_why = |text: &str| module.count(text) > 0;
    assert!(says_why("not JSON") || says_why("JSON"), "no line says what was wrong");
}

/// The method `stats` answers with counters; any other name with 404 and a JSON error.
#[test]
fn methods_answer() {
    let scene = Scene::start(10);
    let _module = scene.filter();
    scene.deliver((0..10).map(|n| numbered(n, 20 + n)).collect());
    assert_eq!(scene.take(4).len(), 4);
    scene.wait_until_all_acknowledged();
    // The counters are read while the pipeline runs: the last acknowledgement may be newer.
    wait_until("stats counts 10 received and 4 forwarded", || {
        let (status, stats) =
            scene.hub.call_method(MODULE, "stats", json!(null), METHOD_TIMEOUT).unwrap();
        assert_eq!(status, 200);
        assert!(stats.is_object(), "{stats}");
        let text = stats.to_string();
        text.contains(":10") && text.contains(":4")
    });
    let (status, error) =
        scene.hub.call_method(MODULE, "reboot", json!({"now": true}), METHOD_TIMEOUT).unwrap();
    assert_eq!(status, 404);
    assert!(error.to_string().contains("reboot"), "{error}");
}

/// The hub delivers one message at a time unless told otherwise: the module works then too.
#[test]
fn one_message_in_flight_is_enough() {
    let scene = Scene::start(1);
    let _module = scene.filter();
    scene.hub.deliver(MODULE, INPUT, (0..200).map(|n| numbered(n, 99)).collect()).unwrap();
    assert_eq!(numbers(&scene.take(200)), (0..200).collect::<Vec<_>>());
    scene.assert_nothing_more_upstream();
}
