//! The verdict on a body: every way gives the same, and it is that of docs/alerts.md.
//!
//! The rules are held by serde_json, which tells where values begin and end, and by a comparison
//! of decimal texts that has no float but the threshold.

use std::collections::BTreeMap;

use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use sluicegate::pipeline::parse::{JsonPath, Malformed, Parser, Verdict, Ways};
use sluicegate::pipeline::threshold::Threshold;

use crate::input::first;
use crate::number::exceeds;

/// At each of them some spelling of a number is hard to judge.
const THRESHOLDS: [f64; 8] =
    [25.0, 24.5, 0.0, -12.75, 9_007_199_254_740_992.0, 1.0e30, f64::MAX, -1.0e300];
/// The usual one, one of a single name, and one whose names need escapes and more.
const PATHS: [&str; 4] = ["machine.temperature", "t", "a.b.c", "é.\u{1f600}"];

/// A way with its parser, for each path.
struct Judge {
    path: JsonPath,
    parsers: Vec<Parser>,
}

thread_local! {
    static JUDGES: std::cell::RefCell<Vec<Judge>> = std::cell::RefCell::new(judges());
}

fn judges() -> Vec<Judge> {
    let judge = |text: &&str| {
        let path: JsonPath = text.parse().expect("each is a path");
        let parsers = Ways::ALL.map(|ways| Parser::by(ways, path.clone()));
        Judge { path, parsers: parsers.into() }
    };
    PATHS.iter().map(judge).collect()
}

/// The first byte of `data` chooses the threshold and the path; the rest is the body.
pub fn check(data: &[u8]) {
    let (how, body) = first(data);
    let threshold = THRESHOLDS[usize::from(how & 7)];
    let threshold = Threshold::new(threshold).expect("each is finite");
    JUDGES.with_borrow_mut(|judges| {
        let Judge { path, parsers } = &mut judges[usize::from(how >> 3 & 3)];
        let mut verdicts = parsers.iter_mut().map(|parser| parser.judge(body, threshold));
        let verdict = verdicts.next_back().expect("there are four ways");
        // The last of them is the exact parser alone.
        for other in verdicts {
            assert!(is_same(other, verdict), "{other:?}, and exactly {verdict:?}");
        }
        if let Some(walked) = parsers[0].walk(body, threshold) {
            assert!(is_same(walked, verdict), "{walked:?} by the walk, and exactly {verdict:?}");
        }
        if let Some(expected) = by_rules(body, path, threshold) {
            let is_right = match (verdict, expected) {
                (Verdict::Alert(_), Verdict::Alert(_)) => true,
                _ => verdict == expected,
            };
            assert!(is_right, "{verdict:?}, and by the rules {expected:?}");
        }
    });
}

/// Equal to the last bit.
fn is_same(left: Verdict, right: Verdict) -> bool {
    match (left, right) {
        (Verdict::Alert(left), Verdict::Alert(right)) => left.to_bits() == right.to_bits(),
        _ => left == right,
    }
}

/// The verdict by the rules; the value of an alert is left out. `None` where a name is one that
/// serde_json cannot read: with half of a surrogate pair.
fn by_rules(body: &[u8], path: &JsonPath, threshold: Threshold) -> Option<Verdict> {
    let Ok(text) = std::str::from_utf8(body) else {
        return Some(Verdict::Malformed(Malformed::NotUtf8));
    };
    if serde_json::from_str::<IgnoredAny>(text).is_err() {
        return Some(Verdict::Malformed(Malformed::NotJson));
    }
    let mut value = text.trim_matches([' ', '\t', '\n', '\r']);
    for name in path.members() {
        if !value.starts_with('{') {
            return Some(Verdict::NoTemperature);
        }
        let members: BTreeMap<String, &RawValue> = serde_json::from_str(value).ok()?;
        match members.get(name) {
            Some(member) => value = member.get(),
            None => return Some(Verdict::NoTemperature),
        }
    }
    if !value.starts_with(['-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9']) {
        return Some(Verdict::Malformed(Malformed::TemperatureNotANumber));
    }
    Some(if exceeds(value, threshold.value()) { Verdict::Alert(0.0) } else { Verdict::Below })
}
