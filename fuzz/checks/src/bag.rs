//! Property bags: both readers, the writer, and the topic of an alert, against what they must be
//! to each other.

use sluicegate::azure::alert::is_message_type;
use sluicegate::azure::{Properties, alert_topic, percent_decode, percent_encode};

const PREFIX: &str = "devices/edge1/modules/filter/messages/events/%24.on=output1";
/// What the hub sets from the topic.
const STAMPED: [&str; 3] = ["$.on", "$.cdid", "$.cmid"];

/// `data` is a bag, as it stands in a topic.
pub fn check(data: &[u8]) {
    let Ok(bag) = std::str::from_utf8(data) else { return };
    let properties = Properties::decode(bag);
    // Quadratic: left out of long runs, which have no debug assertions.
    if cfg!(debug_assertions) {
        check_names(&properties);
    }
    check_decoded(bag, &properties);
    let encoded = encode(&properties);
    assert_eq!(Properties::decode(&encoded), properties, "what is written reads back");
    check_strict(bag, &encoded, &properties);
    check_alert(bag);
    let mut text = String::new();
    percent_encode(bag, &mut text);
    assert_eq!(percent_decode(&text), bag);
}

/// Of two equal names the last value stands at the first one's place; none is empty.
fn check_decoded(bag: &str, properties: &Properties) {
    let mut expected: Vec<(String, Option<String>)> = Vec::new();
    for token in bag.split('&') {
        let mut parts = token.split('=').map(|part| percent_decode(part).into_owned());
        let (name, value) = (parts.next().unwrap_or_default(), parts.next());
        match expected.iter_mut().find(|(known, _)| *known == name) {
            Some(known) => known.1 = value,
            None if name.is_empty() => {}
            None => expected.push((name, value)),
        }
    }
    let pairs = expected.iter().map(|(name, value)| (name.as_str(), value.as_deref()));
    assert!(properties.iter().eq(pairs), "{properties:?}");
}

fn encode(properties: &Properties) -> String {
    let mut encoded = String::new();
    properties.encode(&mut encoded);
    encoded
}

/// Names are there once, and never empty; each finds its value.
fn check_names(properties: &Properties) {
    for (index, (name, value)) in properties.iter().enumerate() {
        assert!(!name.is_empty());
        assert_eq!(properties.get(name), Some(value));
        assert!(properties.iter().skip(index + 1).all(|(other, _)| other != name), "{name} twice");
    }
}

/// What the strict reader takes, the lenient one takes alike, but for an empty value.
fn check_strict(bag: &str, encoded: &str, properties: &Properties) {
    let without_empty = |properties: &Properties| -> Properties {
        let pairs = properties.iter();
        pairs
            .map(|(name, value)| {
                let value = value.filter(|value| !value.is_empty());
                (name.to_owned(), value.map(str::to_owned))
            })
            .collect()
    };
    let front = bag.split('/').next().unwrap_or_default();
    if let Ok(strict) = Properties::decode_strict(bag) {
        assert_eq!(strict, without_empty(&Properties::decode(front)));
    }
    let strict = Properties::decode_strict(encoded);
    assert_eq!(strict, Ok(without_empty(properties)), "what is written is taken");
}

/// The topic of an alert carries what the bag has, less what the hub sets.
fn check_alert(bag: &str) {
    let mut topic = String::new();
    let had_type = alert_topic(&mut topic, PREFIX, bag);
    let front = bag.split('/').next().unwrap_or_default();
    let all = Properties::decode(front);
    assert_eq!(had_type, all.iter().any(|(name, _)| is_message_type(name.as_bytes())));
    let mut expected: Properties = all
        .iter()
        .filter(|(name, _)| !STAMPED.contains(name) && !is_message_type(name.as_bytes()))
        .map(|(name, value)| (name.to_owned(), value.map(str::to_owned)))
        .collect();
    expected.set("MessageType", Some("Alert"));
    let bag = topic.strip_prefix(PREFIX).and_then(|rest| rest.strip_prefix('&'));
    let bag = bag.expect("it begins with what it is given");
    assert_eq!(Properties::decode(bag), expected);
    assert!(bag.bytes().all(|byte| byte.is_ascii_graphic() && !b"/+#".contains(&byte)), "{bag}");
}
