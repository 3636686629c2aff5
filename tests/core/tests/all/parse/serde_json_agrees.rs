//! serde_json's own values are an oracle, as far as they reach: no lone surrogates, no floats
//! beyond `f64`, no more than 128 levels.

use proptest::prelude::*;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::agreement::{broken_message, message, value};
use super::*;
use crate::properties;

/// What the oracle says of `body` by 25; none when it does not know.
fn oracle(body: &[u8]) -> Option<Verdict> {
    let Ok(text) = str::from_utf8(body) else {
        return Some(Verdict::Malformed(NotUtf8));
    };
    if serde_json::from_str::<IgnoredAny>(text).is_err() {
        return Some(Verdict::Malformed(NotJson));
    }
    let document: Value = serde_json::from_str(text).ok()?;
    let Some(temperature) = document.get("machine").and_then(|machine| machine.get("temperature"))
    else {
        return Some(NoTemperature);
    };
    let Some(temperature) = temperature.as_f64() else {
        return Some(Verdict::Malformed(TemperatureNotANumber));
    };
    // It does not round correctly: too near to the threshold it does not know either.
    let is_near = (temperature - 25.0).abs() < 1e-9;
    (!is_near).then_some(if temperature > 25.0 { Alert(temperature) } else { Below })
}

pub(super) fn compare(body: &[u8]) {
    let Some(expected) = oracle(body) else { return };
    let verdict = Parser::default().judge(body, Threshold::DEFAULT);
    let is_same = match (verdict, expected) {
        (Alert(verdict), Alert(expected)) => (verdict - expected).abs() <= verdict.abs() * 1e-15,
        _ => verdict == expected,
    };
    let text = String::from_utf8_lossy(body);
    assert!(is_same, "{verdict:?}, and by serde_json {expected:?}: {text}");
}

proptest! {
    #![proptest_config(properties())]

    /// For all documents that serde_json knows: its verdict.
    #[test]
    fn documents(body in value()) {
        compare(body.as_bytes());
    }

    /// For all messages that serde_json knows: its verdict.
    #[test]
    fn messages(body in message()) {
        compare(body.as_bytes());
    }

    /// For all messages with up to four bytes changed: its verdict.
    #[test]
    fn broken_messages(body in broken_message()) {
        compare(&body);
    }
}

/// The oracle knows what it is asked about most.
#[test]
fn the_oracle_knows_plain_bodies() {
    for (body, expected) in [
        (r#"{"machine":{"temperature":26.5}}"#, Alert(26.5)),
        (r#"{"machine":{"temperature":1,"temperature":2}}"#, Below),
        (r#"{"machine":[]}"#, NoTemperature),
        (r#"{"machine":{"temperature":null}}"#, Verdict::Malformed(TemperatureNotANumber)),
        (r#"{"machine":{"temperature":}}"#, Verdict::Malformed(NotJson)),
    ] {
        assert_eq!(oracle(body.as_bytes()), Some(expected), "{body}");
    }
}
