//! Topic filters, their overlaps, topics of alerts, and the topics of a hub.
//!
//! Matching is held against MQTT 3.1.1 §4.7, read level by level. An overlap is held against a
//! topic that is made to come through both filters, and its absence against every topic at hand.

use std::borrow::Cow;

use sluicegate::azure::topics::{
    Received, Sent, desired_patch, input, method_request, method_response, parse_received,
    parse_sent, twin_get, twin_reported, twin_response,
};
use sluicegate::azure::{Identity, Properties};
use sluicegate::mqtt::topics::{AlertsTopic, TopicFilter, check_topic, overlap, returning};

use crate::input::lines;

const DEVICE: &str = "d";
const MODULE: &str = "m";
/// Levels of the topics that are made.
const ANY: &str = "x";

/// The lines of `data` are two filters, a topic, and the topic of alerts; each may be missing.
pub fn check(data: &[u8]) {
    let Some(mut lines) = lines(data) else { return };
    let mut line = || lines.next().unwrap_or_default();
    let (one, other, topic, alerts) = (line(), line(), line(), line());
    for text in [one, other, topic, alerts] {
        check_hub_topic(text);
        assert!(check_topic(text).is_err() || !text.contains(['+', '#', '\0']) && !text.is_empty());
    }
    let (one, other) = (read(one), read(other));
    for filter in [&one, &other].into_iter().flatten() {
        assert_eq!(filter.matches(topic), admits(filter.pattern(), topic), "{filter} {topic}");
    }
    let (Some(one), Some(other)) = (one, other) else { return };
    check_overlap(&one, &other, topic);
    if let Ok(alerts) = alerts.parse() {
        check_returning(&one, &alerts, &other, topic);
    }
}

/// A filter, if it is one; whether it is, is known by the rules.
fn read(text: &str) -> Option<TopicFilter> {
    let filter = text.parse::<TopicFilter>().ok();
    if let Some(filter) = &filter {
        assert_eq!(filter.as_str(), text);
        assert!(text.ends_with(filter.pattern()) && is_filter(filter.pattern()), "{text}");
        assert_eq!(filter.is_special(), filter.pattern() != text);
    } else if !text.starts_with('$') {
        let is_text = !text.is_empty() && !text.chars().any(sluicegate::mqtt::text::is_refused);
        assert!(!is_text || !is_filter(text), "{text}");
    }
    filter
}

/// Whether wildcards stand alone, and `#` last (§4.7.1).
fn is_filter(pattern: &str) -> bool {
    let last = pattern.split('/').count() - 1;
    pattern.split('/').enumerate().all(|(index, level)| match level {
        "+" => true,
        "#" => index == last,
        level => !level.contains(['+', '#']),
    })
}

/// Whether `topic` comes through `pattern`, by the standard's sentences.
fn admits(pattern: &str, topic: &str) -> bool {
    fn levels(pattern: &[&str], topic: &[&str]) -> bool {
        match (pattern, topic) {
            // The level above it, and any number of levels below.
            (["#"], _) => true,
            ([wanted, pattern @ ..], [level, topic @ ..]) => {
                (*wanted == "+" || wanted == level) && levels(pattern, topic)
            }
            (pattern, topic) => pattern.is_empty() && topic.is_empty(),
        }
    }
    let is_wild = pattern.starts_with(['+', '#']);
    let split = |text: &'_ str| -> Vec<String> { text.split('/').map(str::to_owned).collect() };
    let (pattern, levels_of_topic) = (split(pattern), split(topic));
    let pattern: Vec<&str> = pattern.iter().map(String::as_str).collect();
    let levels_of_topic: Vec<&str> = levels_of_topic.iter().map(String::as_str).collect();
    !(is_wild && topic.starts_with('$')) && levels(&pattern, &levels_of_topic)
}

fn check_overlap(one: &TopicFilter, other: &TopicFilter, topic: &str) {
    let is_shared = overlap(one, other);
    assert_eq!(is_shared, overlap(other, one), "{one} {other}");
    assert!(overlap(one, one) && overlap(other, other));
    let common = common(one.pattern(), other.pattern());
    let comes = |topic: &str| one.matches(topic) && other.matches(topic);
    assert_eq!(is_shared, comes(&common), "{one} {other}: {common}");
    assert!(is_shared || !comes(topic), "{one} {other}: {topic}");
}

/// A topic that comes through both patterns, if any does.
fn common(one: &str, other: &str) -> String {
    let (mut one, mut other) = (one.split('/').peekable(), other.split('/').peekable());
    let mut levels = Vec::new();
    loop {
        let (mine, theirs) = (one.next_if(|l| *l != "#"), other.next_if(|l| *l != "#"));
        let level = match (mine, theirs) {
            (None, None) => break,
            (Some("+") | None, Some(level)) | (Some(level), _) => level,
        };
        levels.push(if level == "+" { ANY } else { level });
    }
    // Two filters that are `#` and nothing else.
    if levels.is_empty() { ANY.to_owned() } else { levels.join("/") }
}

fn check_returning(source: &TopicFilter, alerts: &AlertsTopic, back: &TopicFilter, topic: &str) {
    let returns = |topic: &str| {
        let mut alert = String::new();
        alerts.write(&mut alert, topic);
        source.matches(topic) && back.matches(&alert)
    };
    match returning(std::slice::from_ref(source), alerts, back) {
        Some(found) => assert!(returns(&found), "{source} {alerts} {back}: {found}"),
        None => assert!(topic.is_empty() || !returns(topic), "{source} {alerts} {back}: {topic}"),
    }
}

/// A hub hands on all properties of a message, in another order, but for two of its own.
fn check_handed_on(sent: &Properties, received: &Properties) {
    const LEFT_OUT: [&str; 2] = ["$.on", "$.ifid"];
    let left_out = LEFT_OUT.iter().filter(|name| sent.get(name).is_some()).count();
    assert_eq!(received.len() + left_out, sent.len());
    for (name, value) in received.iter() {
        assert!(!LEFT_OUT.contains(&name) && sent.get(name) == Some(value), "{name}");
    }
}

/// What is read of a topic is written so that it reads the same.
fn check_hub_topic(topic: &str) {
    let identity = Identity {
        hub: "h".to_owned(),
        gateway: "g".to_owned(),
        device: DEVICE.to_owned(),
        module: Some(MODULE.to_owned()),
    };
    let again = match parse_received(&identity, topic) {
        Received::Input { input: name, bag } => {
            let properties = Properties::decode(bag);
            let written = input(DEVICE, MODULE, &name, &properties);
            if name.chars().all(|character| character.is_ascii_alphanumeric()) {
                match parse_received(&identity, &written) {
                    Received::Input { input, bag } => {
                        assert_eq!(input, name);
                        check_handed_on(&properties, &Properties::decode(bag));
                    }
                    other => panic!("{topic}: {other:?}"),
                }
            }
            None
        }
        Received::TwinResponse { status, rid, version } => {
            Some(twin_response(status, &rid, version))
        }
        Received::DesiredPatch { version } => version.map(desired_patch),
        Received::Method { name, rid } => Some(method_request(&name, &rid)),
        Received::Other => None,
    };
    if let Some(again) = again {
        let (first, second) = (parse_received(&identity, topic), parse_received(&identity, &again));
        assert_eq!(first, second, "{topic} {again}");
    }
    let again = match parse_sent(topic) {
        Sent::TwinGet { rid } => Some(twin_get(&rid)),
        Sent::TwinReported { rid } => rid.map(|rid: Cow<'_, str>| twin_reported(&rid)),
        Sent::MethodResponse { status, rid } => Some(method_response(status, &rid)),
        Sent::Telemetry { .. } | Sent::Other => None,
    };
    if let Some(again) = again {
        assert_eq!(parse_sent(topic), parse_sent(&again), "{topic} {again}");
    }
}
