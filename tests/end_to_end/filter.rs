//! What is forwarded: exactly the hot messages of `input1`, unchanged but for `MessageType`.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{
    INPUT, MODULE, Process, Scene, message, numbered, numbers, property, reading,
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

/// Controls and code points that are no characters: a property that holds one arrives as it was.
#[test]
fn odd_characters_in_properties_arrive() {
    let scene = Scene::start(10);
    let _module = scene.filter();
    let odd =
        ["\u{1}", "\n", "\u{1f}", "\u{7f}", "\u{80}", "\u{9f}", "\u{fdd0}", "\u{ffff}", "\u{0}"];
    for value in odd {
        scene.deliver(vec![message(reading(99), &[("k", value)])]);
        let [alert] = &scene.take(1)[..] else { panic!("one") };
        assert_eq!(property(alert, "k"), Some(value), "{value:?}");
    }
    scene.assert_nothing_more_upstream();
    assert_eq!(scene.counter("forwarded"), odd.len() as u64);
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

/// A flood of broken bodies is acknowledged, counted by reason, logged at a bounded rate, and
/// changes nothing else.
#[test]
fn a_malformed_flood_is_acknowledged_and_barely_logged() {
    let scene = Scene::start(100);
    let module = scene.filter();
    let by_reason: [(&str, &str, &[&[u8]]); 3] = [
        (
            "not_json",
            "the body is not JSON: \"{\"",
            &[b"{", b"", b"{} trailing", b"\xef\xbb\xbf{\"machine\":{\"temperature\":99}}"],
        ),
        ("not_utf8", "the body is not UTF-8: \"\\xff\\xfe\"", &[b"\xff\xfe"]),
        (
            "temperature_not_a_number",
            "the temperature is not a number: \"{\\\"machine",
            &[b"{\"machine\":{\"temperature\":\"hot\"}}"],
        ),
    ];
    // Each reason alone, as a batch is worth one line.
    for (_, line, bodies) in by_reason {
        scene.deliver(vec![message(bodies[0], &[])]);
        module.wait_for_line(&["message ignored: ", line]);
    }
    const ROUNDS: usize = 250;
    for round in 0..ROUNDS {
        let flood = by_reason.iter().flat_map(|(.., bodies)| bodies.iter());
        scene.deliver(flood.map(|body| message(*body, &[])).collect());
        scene.deliver(vec![numbered(round, 99)]);
    }
    let expected: Vec<usize> = (0..ROUNDS).collect();
    assert_eq!(numbers(&scene.take(ROUNDS)), expected);
    scene.assert_nothing_more_upstream();
    assert!(module.is_running());
    let counters = counters(&scene);
    let mut broken = 0;
    for (counter, _, bodies) in by_reason {
        let count = 1 + ROUNDS * bodies.len();
        assert_eq!(counters[counter], count, "{counter}: {counters}");
        broken += count;
    }
    assert_eq!(counters["received"], broken + ROUNDS, "{counters}");
    assert_eq!((&counters["alerts"], &counters["not_alerts"]), (&json!(ROUNDS), &json!(0)));
    let lines = module.lines().len();
    assert!(lines < 200, "{broken} broken messages made {lines} log lines");
}

/// JSON without a temperature in its place is no alert, and nothing is wrong with it.
#[test]
fn json_without_the_temperature_is_no_alert_and_not_malformed() {
    let scene = Scene::start(10);
    let module = scene.filter();
    let bodies = ["[1]", "{\"machine\":\"temperature\"}", "{}", "99", "{\"temperature\":99}"];
    scene.deliver(bodies.iter().map(|body| message(*body, &[])).collect());
    scene.assert_nothing_more_upstream();
    let counters = counters(&scene);
    assert_eq!((&counters["received"], &counters["not_alerts"]), (&json!(5), &json!(5)));
    for name in ["not_utf8", "not_json", "temperature_not_a_number", "alerts"] {
        assert_eq!(counters[name], 0, "{counters}");
    }
    assert_eq!(module.count("message ignored"), 0);
}

/// The counters that `stats` answers with.
fn counters(scene: &Scene) -> Value {
    let (status, mut stats) =
        scene.hub.call_method(MODULE, "stats", json!(null), METHOD_TIMEOUT).unwrap();
    assert_eq!(status, 200);
    stats["counters"].take()
}

/// The method `stats` answers with counters; any other name with 404 and a JSON error.
#[test]
fn methods_answer() {
    let scene = Scene::start(10);
    let _module = scene.filter();
    scene.deliver((0..10).map(|n| numbered(n, 20 + n)).collect());
    assert_eq!(scene.take(4).len(), 4);
    scene.wait_until_all_acknowledged();
    let counters = counters(&scene);
    assert_eq!((&counters["received"], &counters["forwarded"]), (&json!(10), &json!(4)));
    assert_eq!((&counters["alerts"], &counters["not_alerts"]), (&json!(4), &json!(6)));
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

/// What the tutorial prints is in the log of level debug: each message with its size, data,
/// properties and number, each alert with temperature and threshold, each patch with its number.
#[test]
fn messages_alerts_and_patches_are_logged() {
    let scene = Scene::start(10);
    let module = Process::spawn("sluicegate", scene.command().env("RuntimeLogLevel", "debug"));
    scene.wait_until_subscribed(&module);
    scene.set_threshold(json!(30));
    let (cold, hot) = (reading(30), reading(31.5));
    scene.deliver(vec![message(cold.clone(), &[("n", "1")]), message(hot.clone(), &[("n", "2")])]);
    scene.take(1);
    for (number, body) in [(1, cold), (2, hot)] {
        let total = format!("message {number}: {} bytes", body.len());
        // Quotes are escaped: a body cannot end its log line.
        let temperature = if number == 1 { "temperature\\\":30," } else { "temperature\\\":31.5," };
        module.wait_for_line(&["[DBG]", &total, temperature, &format!("n={number}")]);
    }
    module.wait_for_line(&["alert: machine.temperature 31.5 exceeds 30"]);
    assert_eq!(module.count("alert: machine"), 1);
    scene.set_threshold(json!(5));
    module.wait_for_line(&["twin callback 1", "TemperatureThreshold\\\":30"]);
    module.wait_for_line(&["twin callback 2", "TemperatureThreshold\\\":5"]);
    assert_eq!((scene.counter("received"), scene.counter("twin_callbacks")), (2, 2));
}
