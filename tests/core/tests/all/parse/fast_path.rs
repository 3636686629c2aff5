//! The walk: what it judges is judged as the exact parser does, and it declines no more than it
//! says.

use core_tests::corpus::{THRESHOLDS, corpus};
use proptest::prelude::*;

use super::agreement::{message, number};
use super::*;
use crate::properties;

/// The simulated sensor's, with the digits that it really sends.
const SENSOR: &str = concat!(
    r#"{"machine":{"temperature":101.52791830163853,"pressure":9.8137}"#,
    r#","ambient":{"temperature":-21.1,"humidity":25}"#,
    r#","timeCreated":"2026-01-01T00:00:12Z"}"#
);
/// All that JSON has, at places where the walk takes it: escapes, characters of two to four bytes,
/// white space, literals, nesting, names beside those of the path.
const RICH: &str = "{ \"aé\":\"\\ud83d\\ude00é€😀\",\r\n\t\
    \"machine\":{\"é\":[[],{},[1,-0.5e-3],{\"\\n\":true}],\
    \"temperature\":-1.25E+1,\"p\":null} ,\"machines\":{\"temperature\":false}, \"a long \
    name\":\"a long value, too\"}  ";

/// What the walk says of `body`, after comparing it, bit by bit, with the exact parser.
fn compare(path: &JsonPath, body: &[u8], threshold: f64) -> Option<Verdict> {
    let threshold = Threshold::new(threshold).unwrap();
    let verdict = Parser::new(path.clone()).walk(body, threshold)?;
    let exact = Parser::by(EXACT, path.clone()).judge(body, threshold);
    let text = String::from_utf8_lossy(body);
    assert!(
        is_same(verdict, exact),
        "{verdict:?}, and exactly {exact:?} at {}: {text}",
        threshold.value()
    );
    Some(verdict)
}

fn compare_default(body: &[u8], threshold: f64) -> Option<Verdict> {
    compare(&JsonPath::default(), body, threshold)
}

/// Whether the walk must judge `body`: it is valid, and nothing in it can be a reason to decline.
fn is_plain(body: &[u8]) -> bool {
    let malformed = [Verdict::Malformed(NotJson), Verdict::Malformed(NotUtf8)];
    let verdict = Parser::by(EXACT, JsonPath::default()).judge(body, Threshold::DEFAULT);
    !body.contains(&b'\\') && !malformed.contains(&verdict)
}

/// For all bodies of the corpus and all its thresholds: what is judged is right; and whatever is
/// valid and without escapes is judged, unless it nests more than 63 deep.
#[test]
fn the_corpus_agrees() {
    let mut judged = 0;
    for entry in corpus(2, 3_000) {
        for threshold in THRESHOLDS {
            let judgement = compare_default(&entry.body, threshold);
            judged += usize::from(judgement.is_some());
            if judgement.is_none() && is_plain(&entry.body) {
                let brackets = entry.body.iter().filter(|byte| b"[{".contains(byte)).count();
                assert!(brackets > 63, "{}", String::from_utf8_lossy(&entry.body));
            }
        }
    }
    assert!(judged > 7_500, "{judged}");
}

/// For all places in typical bodies and bytes of every kind: changing one, or putting one in,
/// leaves a body that is judged right or declined. So does removing one, and cutting.
#[test]
fn one_byte_makes_no_difference_between_parsers() {
    let bytes = b"\0\x01\t\n\x0c\x1f \
                  !\"#+,-./0159:;@AEFZ[\\]^`abefnrtux{|}~\
                  \x7f\x80\xbf\xc0\xc3\xe2\xed\xef\xf0\xf4\xf5\xff";
    for body in [SENSOR.as_bytes(), RICH.as_bytes()] {
        assert!(compare_default(body, 25.0).is_some());
        for at in 0..body.len() {
            compare_default(&body[..at], 25.0);
            compare_default(&body[at..], 25.0);
            let mut changed = body.to_vec();
            changed.remove(at);
            compare_default(&changed, 25.0);
            for byte in bytes {
                changed.insert(at, *byte);
                compare_default(&changed, 25.0);
                changed.remove(at);
            }
            changed.insert(at, 0);
            for byte in bytes {
                changed[at] = *byte;
                compare_default(&changed, 25.0);
            }
        }
    }
}

/// White space anywhere is no reason to decline.
#[test]
fn spaced_out_bodies() {
    let spaced = SENSOR.replace(':', " : ").replace(',', ",\n\t");
    for body in [SENSOR, RICH, &spaced] {
        assert!(compare_default(body.as_bytes(), 25.0).is_some(), "{body}");
    }
}

/// For all sequences of up to four bytes beyond ASCII's ends, at all offsets from the end of a
/// string and in names and values: the walk takes exactly what is UTF-8.
#[test]
fn utf8_is_checked_in_every_string() {
    let edges =
        [0x41, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc2, 0xe0, 0xed, 0xef, 0xf0, 0xf4, 0xf5];
    let mut sequences: Vec<Vec<u8>> = vec![Vec::new()];
    let mut start = 0;
    for _ in 0..4 {
        let end = sequences.len();
        for index in start..end {
            let longer = edges.map(|byte| [sequences[index].clone(), vec![byte]].concat());
            sequences.extend(longer);
        }
        start = end;
    }
    for (index, sequence) in sequences.iter().enumerate() {
        let filler = "x".repeat(index % 17);
        for (before, after) in [
            (r#"{"machine":{"temperature":26},"a":""#, r#""}"#),
            (r#"{"machine":{""#, r#"":1,"temperature":26}}"#),
        ] {
            let body = [before.as_bytes(), filler.as_bytes(), sequence, after.as_bytes()].concat();
            let expected = str::from_utf8(sequence).ok().map(|_| Alert(26.0));
            assert_eq!(compare_default(&body, 25.0), expected, "{sequence:x?}");
        }
    }
}

/// For all spellings of numbers, at the path and elsewhere: the walk takes exactly JSON's.
#[test]
fn numbers_of_every_shape() {
    let digits = [
        "",
        "0",
        "7",
        "00",
        "07",
        "1234567",
        "12345678",
        "123456789",
        "012345678",
        "1234567890123456",
        "99999999999999999999",
    ];
    let exponents = ["", "e", "E1", "e+", "e-2", "e+05", "e123456789", "e1.", "E-+1"];
    let mut judged = 0;
    for (sign, whole) in ["", "-", "+", "--"].into_iter().flat_map(|s| digits.map(|w| (s, w))) {
        for point in [None].into_iter().chain(digits.map(Some)) {
            for exponent in exponents {
                let fraction = point.map(|digits| format!(".{digits}")).unwrap_or_default();
                let number = format!("{sign}{whole}{fraction}{exponent}");
                let is_json = serde_json::from_str::<&serde_json::value::RawValue>(&number).is_ok();
                judged += usize::from(is_json);
                for body in [
                    format!(r#"{{"machine":{{"temperature":{number}}}}}"#),
                    format!(r#"{{"machine":{{"temperature":{number} ,"a":1}}}}"#),
                    format!(r#"[{number},{{"a":{number}}}]"#),
                    number.clone(),
                ] {
                    for threshold in [25.0, -8.0] {
                        let judgement = compare_default(body.as_bytes(), threshold);
                        assert_eq!(judgement.is_some(), is_json, "{body}");
                    }
                }
            }
        }
    }
    assert!(judged > 500, "{judged}");
}

/// Of equal names the last counts at each level, and nothing else is taken for one.
#[test]
fn names_of_members_are_distinguished() {
    for (body, expected) in [
        (r#"{"machine":{"temperature":99,"temperature":1}}"#, Some(Below)),
        (r#"{"machine":{"temperature":1,"temperature":99}}"#, Some(Alert(99.0))),
        (r#"{"machine":{"temperature":99},"machine":{}}"#, Some(NoTemperature)),
        (r#"{"machine":{"temperature":99},"machine":[{"temperature":99}]}"#, Some(NoTemperature)),
        (r#"{"machine":{},"machine":{"temperature":99}}"#, Some(Alert(99.0))),
        (r#"{"machine":{"machine":{"temperature":99}},"temperature":99}"#, Some(NoTemperature)),
        (r#"{"machine2":{"temperature":99},"machin":{"temperature":99}}"#, Some(NoTemperature)),
        (r#"{"machine":{"temperature\\":99}}"#, None),
        (r#"{"machine":{"temper\u0061ture":99,"temperature":1}}"#, None),
        (r#"{"\n":1,"machine":{"temperature":99}}"#, None),
        (r#"{"a":{"\n":1},"machine":{"temperature":99,"b":{"\"":1}}}"#, Some(Alert(99.0))),
    ] {
        assert_eq!(compare_default(body.as_bytes(), 25.0), expected, "{body}");
        check(body, judge(body.as_bytes()));
    }
}

/// Names of every length, and of every kind of character, are found among their neighbours.
#[test]
fn paths_of_every_length() {
    for length in 1..40 {
        for last in ["x", "é", "€", "😀"] {
            let name = "n".repeat(length) + last;
            let path: JsonPath = format!("{name}.{name}").parse().unwrap();
            let body = format!(r#"{{"{name}n":1,"{name}":{{"n{name}":2,"{name}":26}}}}"#);
            assert_eq!(compare(&path, body.as_bytes(), 25.0), Some(Alert(26.0)));
            let body = body.replace(&format!("\"{name}\""), "\"n\"");
            assert_eq!(compare(&path, body.as_bytes(), 25.0), Some(NoTemperature));
        }
    }
    for name in ["\"", "a\"", "\\", "a\\nb", "\u{1f}", "\0"] {
        let parser = Parser::new(name.parse().unwrap());
        assert_eq!(parser.walk(b"{}", Threshold::DEFAULT), None, "{name:?}");
    }
}

/// 63 levels beside the path are judged, in lists, objects and both; more are declined.
#[test]
fn nesting_has_a_bound() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("[{\"a\":", "}]")] {
        let levels = open.matches(['[', '{']).count();
        for depth in 1..140 {
            for inner in ["1", "[]", "{}"] {
                let value = open.repeat(depth) + inner + &close.repeat(depth);
                let body = format!(r#"{{"machine":{{"a":{value},"temperature":26}}}}"#);
                let judgement = compare_default(body.as_bytes(), 25.0);
                assert_eq!(judgement.is_some(), depth * levels <= 63, "{body}");
                compare_default(&body.as_bytes()[..body.len() - 1], 25.0);
                compare_default(body.replacen(close, "]", 1).as_bytes(), 25.0);
            }
        }
    }
}

#[test]
fn bodies_beyond_the_bound_are_declined() {
    let body = |spaces: usize| SENSOR.to_owned() + &" ".repeat(spaces);
    let room = 16 * 1024 * 1024 - SENSOR.len();
    assert!(compare_default(body(room).as_bytes(), 25.0).is_some());
    assert_eq!(compare_default(body(room + 1).as_bytes(), 25.0), None);
}

proptest! {
    #![proptest_config(properties())]

    /// For all numbers and thresholds, near to them and far: the walk judges, and judges right.
    #[test]
    fn numbers_compare_as_documented(
        text in number(),
        threshold in any::<f64>(),
        near in -2..3_i32,
    ) {
        let body = format!(r#"{{"machine":{{"temperature":{text}}}}}"#);
        let value: f64 = text.parse().unwrap();
        let (above, below) = (value.next_up(), value.next_down());
        let around = [value, above, below, value.trunc() + f64::from(near), threshold];
        for threshold in around.into_iter().filter(|threshold| threshold.is_finite()) {
            prop_assert!(compare_default(body.as_bytes(), threshold).is_some());
        }
    }

    /// For all messages: what is valid and without escapes is judged, and right.
    #[test]
    fn plain_messages_are_judged(body in message()) {
        let judgement = compare_default(body.as_bytes(), 25.0);
        prop_assert!(judgement.is_some() || !is_plain(body.as_bytes()));
    }
}
