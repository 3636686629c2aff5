//! Property tests: every way gives the same verdict for whatever bytes, and the numbers that they
//! compare are the ones that the text spells.

use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::*;
use crate::properties;

/// Texts of numbers around every boundary that a parser could have.
pub(super) fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<f64>()
            .prop_filter("JSON has no such float", |x| x.is_finite())
            .prop_map(|x| x.to_string()),
        any::<f64>()
            .prop_filter("JSON has no such float", |x| x.is_finite())
            .prop_map(|x| format!("{x:e}")),
        any::<i64>().prop_map(|x| x.to_string()),
        any::<u64>().prop_map(|x| x.to_string()),
        any::<i128>().prop_map(|x| x.to_string()),
        (-100..1_000_i32, 0..100_000_u32).prop_map(|(whole, part)| format!("{whole}.{part}")),
        "-?(0|[1-9][0-9]{0,24})(\\.[0-9]{1,24})?([eE][-+]?[0-9]{1,3})?",
        "-?(0|[1-9][0-9]{0,2})(\\.[0-9]{1,3})?[eE][-+]?[0-9]{8,22}",
        "-?[1-9][0-9]{17,400}",
    ]
}

/// Values that are not numbers, and some that are not JSON.
fn atom() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => number(),
        1 => select(vec!["true", "false", "null", "\"\"", "{}", "[]", "\"26\""])
            .prop_map(str::to_owned),
        1 => "\"([a-z\"\\\\]|\\\\u[0-9a-fdD]{4}|\\\\[bfnrtu/\"]|é|😀){0,12}\"",
        1 => select(vec![
            "NaN", "-Infinity", "1.", "01", "1e", "tru", "\"\\ud800\"", "1\u{c}", "\"\\q\"",
        ])
        .prop_map(str::to_owned),
    ]
}

fn key() -> impl Strategy<Value = String> {
    let keys = [
        "machine",
        "temperature",
        "m\\u0061chine",
        "temperature\\ud800",
        "ambient",
        "",
        "é",
        "\\\"",
    ];
    select(keys.to_vec()).prop_map(str::to_owned)
}

fn space() -> impl Strategy<Value = &'static str> {
    select(vec!["", "", "", " ", "\n", "\t\r"])
}

pub(super) fn value() -> impl Strategy<Value = String> {
    atom().prop_recursive(4, 24, 5, |inner| {
        let member = (key(), space(), space(), inner.clone());
        let member = member.prop_map(|(k, a, b, v)| format!("\"{k}\"{a}:{b}{v}"));
        prop_oneof![
            2 => (prop::collection::vec(member, 0..5), space())
                .prop_map(|(m, s)| format!("{{{}{s}}}", m.join(","))),
            1 => (prop::collection::vec(inner, 0..4), space())
                .prop_map(|(m, s)| format!("[{s}{}]", m.join(","))),
        ]
    })
}

/// A body of the usual shape, with anything for a temperature and for a neighbour.
pub(super) fn message() -> impl Strategy<Value = String> {
    (value(), value(), space(), 0..80_usize).prop_map(|(temperature, other, space, filler)| {
        let filler = "x".repeat(filler);
        format!(r#"{{"machine":{{"temperature":{temperature}{space},"{filler}":{other}}}{space}}}"#)
    })
}

/// One change to some bytes: overwrite, insert, remove, or cut.
fn mutate(body: &mut Vec<u8>, (at, byte, kind): (Index, u8, u8)) {
    if body.is_empty() {
        return;
    }
    let at = at.index(body.len());
    match kind {
        0 => body[at] = byte,
        1 => body.insert(at, byte),
        2 => drop(body.remove(at)),
        _ => body.truncate(at),
    }
}

/// A message with up to four bytes changed.
pub(super) fn broken_message() -> impl Strategy<Value = Vec<u8>> {
    (message(), mutations()).prop_map(|(body, changes)| {
        let mut body = body.into_bytes();
        for change in changes {
            mutate(&mut body, change);
        }
        body
    })
}

fn mutations() -> impl Strategy<Value = Vec<(Index, u8, u8)>> {
    let byte = prop_oneof![
        any::<u8>(),
        select(b"\0\t\n\x0c \"\\{}[]:,-+.eE0123456789truefalsn\xc3\xa9\xed\xa0\x80\xf0".to_vec())
    ];
    prop::collection::vec((any::<Index>(), byte, 0..4_u8), 1..5)
}

proptest! {
    #![proptest_config(properties())]

    /// For all JSON documents: all ways agree.
    #[test]
    fn documents(body in value()) {
        judge(body.as_bytes());
    }

    /// For all messages: all ways agree.
    #[test]
    fn messages(body in message()) {
        judge(body.as_bytes());
    }

    /// For all messages with up to four bytes changed: all ways agree.
    #[test]
    fn broken_messages(body in broken_message()) {
        judge(&body);
    }

    /// For all bytes: a verdict, no panic, and all ways agree.
    #[test]
    fn arbitrary_bytes(body in prop::collection::vec(any::<u8>(), 0..300)) {
        judge(&body);
    }

    /// For all strings of JSON's own characters: all ways agree.
    #[test]
    fn arbitrary_tokens(body in "[\\[\\]{}:,\" \\\\0-9eE.+\\-a-f\u{0}\u{c}tnu]{0,100}") {
        judge(body.as_bytes());
    }

    /// For all number texts: the temperature of an alert is the correctly rounded value.
    #[test]
    fn numbers_are_rounded_correctly(text in number()) {
        let body = format!(r#"{{"machine":{{"temperature":{text}}}}}"#);
        let lowest = Threshold::new(f64::MIN).unwrap();
        let expected: f64 = text.parse().unwrap();
        match Parser::default().judge(body.as_bytes(), lowest) {
            // Equal as numbers: the integer -0 has no sign.
            Verdict::Alert(value) => prop_assert_eq!(value, expected),
            verdict => {
                prop_assert_eq!(verdict, Verdict::Below);
                prop_assert!(expected <= f64::MIN);
            }
        }
    }
}
