//! The table: what somebody thought of, each with the verdict that is right.
//!
//! Verdicts are written by hand after what the filter promises: the whole body is UTF-8 and JSON
//! (RFC 8259), of equal keys the last counts, integers compare exactly and other numbers as the
//! nearest double. `<stamp>` stands for the stamp, `<hot>` and `<cold>` for the numbers next to the
//! threshold.

use super::super::stamp::{STAMP_BYTES, first_stamp};

/// Depth of the nested bodies.
const DEPTH: usize = 100;
/// Digits of the huge integers: beyond any `f64`.
const DIGITS: usize = 400;
/// Thresholds nearer to 0 are left out where a text is that near to the threshold itself.
const TINY: f64 = 1e-30;

/// What a filter must make of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expect {
    /// Forward it.
    Alert,
    /// Valid, and not above the threshold or without a temperature.
    Quiet,
    /// Count it as an error of its sender.
    Malformed,
}

use Expect::{Alert, Malformed, Quiet};

/// One case, ready but for its stamp.
#[derive(Debug, Clone)]
pub(super) struct Case {
    body: Vec<u8>,
    /// Where its stamp goes; `None` without.
    stamp_at: Option<usize>,
    pub(super) expect: Expect,
}

impl Case {
    fn new(expect: Expect, template: &[u8]) -> Self {
        const MARK: &[u8] = b"<stamp>";
        let Some(at) = template.windows(MARK.len()).position(|part| part == MARK) else {
            return Self { body: template.to_vec(), stamp_at: None, expect };
        };
        let rest = &template[at + MARK.len()..];
        let body = [&template[..at], &[b'0'; STAMP_BYTES], rest].concat();
        Self { body, stamp_at: Some(at), expect }
    }

    pub(super) fn bytes(&self) -> usize {
        self.body.len()
    }

    pub(super) fn write(&self, slot: u32, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&self.body);
        if let Some(at) = self.stamp_at {
            out[start + at..start + at + STAMP_BYTES].copy_from_slice(&first_stamp(slot));
        }
    }
}

/// All cases for a program that compares with `threshold`, always in the same order.
pub(super) fn all(threshold: f64) -> Vec<Case> {
    let neighbours =
        [(Alert, threshold.next_up()), (Quiet, threshold), (Quiet, threshold.next_down())];
    let near = neighbours.into_iter().flat_map(|(expect, value)| {
        spellings(value).into_iter().map(move |text| with_temperature(expect, &text))
    });
    let [hot, cold] = [threshold.next_up(), threshold.next_down()].map(scientific);
    let fill = |template: &str| template.replace("<hot>", &hot).replace("<cold>", &cold);
    let values = flat(VALUES).map(|(expect, value)| with_temperature(expect, &fill(value)));
    let bodies = flat(BODIES).map(|(expect, body)| Case::new(expect, fill(body).as_bytes()));
    let bytes = NOT_UTF8.iter().map(|bytes| {
        let before = fill(r#"{"machine":{"temperature":<hot>},"note":""#);
        let after = br#"","timeCreated":"<stamp>"#;
        Case::new(Malformed, &[before.as_bytes(), bytes, after].concat())
    });
    near.chain(values).chain(bodies).chain(bytes).chain(long(&hot, &cold)).collect()
}

fn flat(
    table: &'static [(Expect, &'static [&'static str])],
) -> impl Iterator<Item = (Expect, &'static str)> {
    table.iter().flat_map(|(expect, texts)| texts.iter().map(|text| (*expect, *text)))
}

fn with_temperature(expect: Expect, text: &str) -> Case {
    let body =
        format!(r#"{{"machine":{{"temperature":{text},"pressure":1.5}},"timeCreated":"<stamp>"#);
    Case::new(expect, body.as_bytes())
}

/// Beyond the largest number there is a text all the same: it reads as infinity.
fn scientific(value: f64) -> String {
    match value {
        f64::INFINITY => "1e999".to_owned(),
        f64::NEG_INFINITY => "-1e999".to_owned(),
        _ => format!("{value:e}"),
    }
}

/// Texts that all mean `value`.
fn spellings(value: f64) -> Vec<String> {
    let text = scientific(value);
    let (mantissa, exponent) = text.split_once('e').expect("scientific");
    let exponent: i32 = exponent.parse().expect("scientific");
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let places = i32::try_from(fraction.len()).expect("at most 17 digits");
    let mut texts = vec![
        format!("{mantissa}E{exponent:+}"),
        format!("{mantissa}e{exponent:+04}"),
        format!("{whole}.{fraction}00e{exponent}"),
        text.clone(),
    ];
    if value != 0.0 {
        let (sign, digit) = whole.split_at(whole.len() - 1);
        // Zero has no such forms: JSON allows one 0 before the point.
        texts.push(format!("{whole}{fraction}00000e{}", exponent - places - 5));
        texts.push(format!("{sign}0.000{digit}{fraction}e{}", exponent + 4));
    }
    if value.is_finite() && value.abs() > TINY {
        // Nearer to the value than to any other number.
        texts.push(format!("{value:.60}"));
        texts.push(format!("{value:.60}1"));
    }
    texts
}

/// Long and deep ones.
fn long(hot: &str, cold: &str) -> Vec<Case> {
    let integer = "7".repeat(DIGITS);
    let (open, close) = ("[".repeat(DEPTH), "]".repeat(DEPTH));
    let objects = format!("{}0{}", r#"{"a":"#.repeat(DEPTH), "}".repeat(DEPTH));
    let end = r#""timeCreated":"<stamp>"#;
    let case = |expect, text: String| Case::new(expect, text.as_bytes());
    vec![
        with_temperature(Alert, &integer),
        with_temperature(Quiet, &format!("-{integer}")),
        with_temperature(Malformed, &format!("{integer}x")),
        with_temperature(Alert, &format!(r#"{hot},"serial":{integer}"#)),
        with_temperature(Quiet, &format!("-1.{}e999", "0".repeat(DIGITS))),
        case(Alert, format!(r#"{{"machine":{{"temperature":{hot},"x":{open}{close}}},{end}"#)),
        case(Alert, format!(r#"{{"x":{objects},"machine":{{"temperature":{hot}}},{end}"#)),
        case(Quiet, format!(r#"{{"x":{objects},"machine":{{"temperature":{cold}}},{end}"#)),
        case(Quiet, format!(r#"{{"machine":{objects},{end}"#)),
        case(
            Malformed,
            format!(r#"{{"machine":{{"temperature":{hot},"x":{open}1.{close}}},{end}"#),
        ),
        case(Malformed, format!(r#"{{"machine":{{"temperature":{hot}}},"x":{open},{end}"#)),
        case(Quiet, format!("{open}{close}")),
        case(Malformed, open),
    ]
}

/// Texts that stand in place of the temperature.
const VALUES: &[(Expect, &[&str])] = &[
    (
        Alert,
        &[
            "1e999",
            "1E400",
            "1e4294967296",
            "1e99999999999999999999999",
            " \t\r\n<hot> \t\r\n",
            "<hot>,\"x\":\"\\ud83d\\ude00\"",
            "<hot>,\"é€😀\":\"\u{7f}\u{2028}\u{10ffff}\"",
            "<hot>,\"x\":\"\\/\\b\\f\\n\\r\\t\\\\\\\"\\u0000\"",
            "<hot>,\"x\":{\"temperature\":<cold>}",
            "<hot>,\"x\":[true,false,null,{},[],\"\"]",
        ],
    ),
    (Quiet, &["-1e999", "-1E+400", "-1e99999999999999999999999", "<cold>,\"x\":<hot>"]),
    (
        Malformed,
        &[
            "true",
            "false",
            "null",
            "\"<hot>\"",
            "\"\"",
            "\"NaN\"",
            "[]",
            "[<hot>]",
            "{}",
            "{\"temperature\":<hot>}",
            "NaN",
            "Infinity",
            "-Infinity",
            "<hot>,\"x\":NaN",
            "<hot>,\"x\":[-Infinity]",
            "",
            "+<hot>",
            "026",
            "-026",
            "00",
            "26.",
            ".26",
            "-",
            "--26",
            "2 6",
            "26e",
            "26e+",
            "26.e1",
            "26e1.5",
            "2_6",
            "0x1A",
            "26f",
            "1,000",
            "nan",
            "inf",
            "True",
            "None",
            "undefined",
            "tru",
            "truee",
            "<hot>\0",
            "<hot>\u{b}",
            "<hot>\u{a0}",
            "<hot> /* hot */",
            "<hot> // hot",
            "'26'",
            "\"26",
            "<hot>,\"x\":\"\t\"",
            "<hot>,\"x\":\"\n\"",
            "<hot>,\"x\":\"\\x41\"",
            "<hot>,\"x\":\"\\u12G4\"",
            "<hot>,\"x\":[1,]",
            "<hot>,\"x\":{\"a\":}",
            "<hot>,\"x\":{a:1}",
            "<hot>,\"x\":1 \"y\":2",
            "<hot>]",
            "<hot>}}",
        ],
    ),
];

/// Whole bodies.
const BODIES: &[(Expect, &[&str])] = &[
    (
        Alert,
        &[
            "\r\n\t {\"machine\": {\"temperature\": <hot>}, \"timeCreated\": \"<stamp>",
            r#"{"machine":{"temperature":<cold>,"temperature":<hot>},"timeCreated":"<stamp>"#,
            r#"{"machine":{"temperature":"x","temperature":<hot>},"timeCreated":"<stamp>"#,
            concat!(
                r#"{"machine":{"temperature":<cold>},"machine":{"temperature":<hot>}"#,
                r#","timeCreated":"<stamp>"#
            ),
            r#"{"machine":5,"machine":{"temperature":<hot>},"timeCreated":"<stamp>"#,
            r#"{"machine":{"\u0074emperature":<hot>},"timeCreated":"<stamp>"#,
            r#"{"m\u0061chine":{"temp\u0065rature":<hot>},"timeCreated":"<stamp>"#,
            concat!(
                r#"{"machine":{"temperature":<cold>},"m\u0061chine":{"temp\u0065rature":<hot>}"#,
                r#","timeCreated":"<stamp>"#
            ),
            r#"{"":{"":0},"machine":{"":1,"temperature":<hot>},"timeCreated":"<stamp>"#,
            concat!(
                r#"{"z":[{"machine":{"temperature":<cold>}}],"machine":{"p":[[]],"#,
                r#""temperature":<hot>}"#,
                r#","timeCreated":"<stamp>"#
            ),
        ],
    ),
    (
        Quiet,
        &[
            "{}",
            "[]",
            "26",
            "1e999",
            "true",
            "null",
            "\"machine\"",
            "[[26]]",
            r#"[{"machine":{"temperature":<hot>}}]"#,
            "{\"machine\":{\"temperature\":<cold>},\"timeCreated\":\"<stamp> \r\n",
            r#"{"temperature":<hot>,"timeCreated":"<stamp>"#,
            r#"{"machine":<hot>,"timeCreated":"<stamp>"#,
            r#"{"machine":null,"timeCreated":"<stamp>"#,
            r#"{"machine":{},"timeCreated":"<stamp>"#,
            r#"{"machine":[{"temperature":<hot>}],"timeCreated":"<stamp>"#,
            r#"{"machine":"temperature","timeCreated":"<stamp>"#,
            r#"{"Machine":{"temperature":<hot>},"timeCreated":"<stamp>"#,
            r#"{"machine":{"Temperature":<hot>},"timeCreated":"<stamp>"#,
            r#"{"machine":{"temperature ":<hot>},"timeCreated":"<stamp>"#,
            r#"{"machine.temperature":<hot>,"timeCreated":"<stamp>"#,
            r#"{"x":{"machine":{"temperature":<hot>}},"timeCreated":"<stamp>"#,
            r#"{"note":"\"machine\":{\"temperature\":<hot>}","timeCreated":"<stamp>"#,
            r#"{"machine":{"temperature":<hot>,"temperature":<cold>},"timeCreated":"<stamp>"#,
            r#"{"machine":{"temperature":<hot>,"\u0074emperature":<cold>},"timeCreated":"<stamp>"#,
            r#"{"machine":{"temperature":<hot>},"machine":{},"timeCreated":"<stamp>"#,
            r#"{"machine":{"temperature":<hot>},"machine":5,"timeCreated":"<stamp>"#,
            r#"{"machine":{"temperature":<cold>,"temperature\ud800":<hot>},"timeCreated":"<stamp>"#,
        ],
    ),
    (
        Malformed,
        &[
            "",
            " ",
            "\0",
            "{",
            "]",
            "\"",
            "hello",
            "<machine><temperature>26</temperature></machine>",
            "\u{feff}",
            "\u{feff}{\"machine\":{\"temperature\":<hot>},\"timeCreated\":\"<stamp>",
            r#"{"machine":{"temperature":<hot>"#,
            r#"{"machine":{"temperature":<hot>},"timeCreated":"2026-01-01T00:00:"#,
            r#"{"machine":{"temperature":<hot>},"timeCreated":"2026-01-01T00:00:00.0000000Z""#,
            r#"{"machine":{"temperature":<hot>,"timeCreated":"<stamp>"#,
            r#""machine":{"temperature":<hot>},"timeCreated":"<stamp>"#,
            r#"{"machine":{"temperature":<hot>},"timeCreated":"<stamp>}"#,
            r#"{"machine":{"temperature":<hot>},"timeCreated":"<stamp> x"#,
            "{\"machine\":{\"temperature\":<hot>},\"timeCreated\":\"<stamp>\0",
            r#"{"machine":{"temperature":<hot>},"timeCreated":"<stamp>{}"#,
            r#"{}{"machine":{"temperature":<hot>},"timeCreated":"<stamp>"#,
            r#"{,"machine":{"temperature":<hot>},"timeCreated":"<stamp>"#,
            r#"{"machine":{"temperature":<hot>},,"timeCreated":"<stamp>"#,
            r#"{"machine":{"temperature":<hot>};"timeCreated":"<stamp>"#,
            r#"{"machine"={"temperature":<hot>},"timeCreated":"<stamp>"#,
            r#"{machine:{temperature:<hot>},"timeCreated":"<stamp>"#,
            r#"{'machine':{'temperature':<hot>},"timeCreated":"<stamp>"#,
            r#"{"machine":{"temperature":<hot>,"temperature":"x"},"timeCreated":"<stamp>"#,
            r#"{"machine":{"temperature":<hot>,"\u0074emperature":null},"timeCreated":"<stamp>"#,
            "\u{b}{\"machine\":{\"temperature\":<hot>},\"timeCreated\":\"<stamp>",
        ],
    ),
];

/// Bytes that are no UTF-8: stray, missing, overlong, surrogates, too large.
const NOT_UTF8: &[&[u8]] = &[
    b"\xff",
    b"\xfe\xff",
    b"\x80",
    b"\xc3",
    b"\xc0\xaf",
    b"\xe0\x80\x80",
    b"\xe2\x82",
    b"\xed\xa0\x80",
    b"\xf0\x80\x80\x80",
    b"\xf0\x9f\x98",
    b"\xf4\x90\x80\x80",
    b"\xf8\x88\x80\x80\x80",
];
