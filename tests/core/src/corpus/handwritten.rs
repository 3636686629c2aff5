//! Bodies that somebody thought of: each names one way to go wrong.

use super::{CorpusEntry, Kind};

/// All hand-written bodies, always in the same order.
pub(super) fn entries() -> impl Iterator<Item = CorpusEntry> {
    let values = VALUES.iter().flat_map(|(kind, values)| {
        values.iter().map(|value| {
            entry(*kind, format!(r#"{{"machine":{{"temperature":{value},"pressure":1.5}}}}"#))
        })
    });
    let bodies = BODIES
        .iter()
        .flat_map(|(kind, bodies)| bodies.iter().map(|body| entry(*kind, (*body).to_owned())));
    let bytes = NOT_UTF8.iter().map(|bytes| {
        let mut body = br#"{"machine":{"temperature":26},"note":""#.to_vec();
        body.extend_from_slice(bytes);
        body.extend_from_slice(br#""}"#);
        CorpusEntry { body, kind: Kind::Malformed }
    });
    values.chain(bodies).chain(bytes).chain(limits())
}

fn entry(kind: Kind, body: String) -> CorpusEntry {
    CorpusEntry { body: body.into_bytes(), kind }
}

/// Bodies around and beyond what Python's `json` bears; generated because they are long.
fn limits() -> impl Iterator<Item = CorpusEntry> {
    let digits = [400, 4_300, 4_301, 6_000].into_iter().flat_map(|digits| {
        let kind = if digits > 4_300 { Kind::PythonLimit } else { Kind::HugeNumber };
        let integer = "7".repeat(digits);
        [
            entry(kind, format!(r#"{{"machine":{{"temperature":{integer}}}}}"#)),
            entry(kind, format!(r#"{{"machine":{{"temperature":-{integer}}}}}"#)),
            entry(kind, format!(r#"{{"machine":{{"temperature":26}},"serial":{integer}}}"#)),
        ]
    });
    let depths = [100, 900, 5_000].into_iter().flat_map(|depth| {
        let [valid, broken] = match depth {
            ..=900 => [Kind::Shape, Kind::Malformed],
            _ => [Kind::PythonLimit; 2],
        };
        let (open, close) = ("[".repeat(depth), "]".repeat(depth));
        let objects = format!("{}0{}", r#"{"a":"#.repeat(depth), "}".repeat(depth));
        [
            entry(valid, format!(r#"{{"machine":{{"temperature":26,"x":{open}{close}}}}}"#)),
            entry(valid, format!(r#"{{"x":{objects},"machine":{{"temperature":1}}}}"#)),
            entry(valid, format!("{open}{close}")),
            entry(broken, format!(r#"{{"machine":{{"temperature":26,"x":{open}1.{close}}}}}"#)),
            entry(broken, open),
        ]
    });
    digits.chain(depths)
}

/// Texts that stand in place of the temperature.
const VALUES: &[(Kind, &[&str])] = &[
    (
        Kind::Boundary,
        &[
            "25",
            "25.0",
            "2.5e1",
            "2.5E+1",
            "250e-1",
            "25.000000000000004",
            "25.000000000000001",
            "24.999999999999996",
            "26",
            "-0",
            "-0.0",
            "0",
            "0.0",
            "0e0",
            "0E-0",
            "1E1",
            "5e-324",
            "-5e-324",
            "4.9e-324",
            "2e-324",
            "1.7976931348623157e308",
            "1.7976931348623158e308",
            "1.7976931348623159e308",
        ],
    ),
    (
        Kind::HugeNumber,
        &[
            "1e999",
            "-1e999",
            "1e309",
            "1E400",
            "-1E+400",
            "1e-999",
            "-1e-999",
            "1e4294967296",
            "26e-4294967296",
            "1e4294967297",
            "-1e18446744073709551616",
            "1e99999999999999999999999",
            "26e-99999999999999999999999",
            "0e99999999999999999999999",
            "9007199254740992",
            "9007199254740993",
            "9007199254740992.0",
            "9007199254740993.0",
            "9223372036854775807",
            "9223372036854775808",
            "-9223372036854775808",
            "-9223372036854775809",
            "18446744073709551615",
            "18446744073709551616",
            "1000000000000000019884624838656",
            "1000000000000000019884624838657",
            "340282366920938463463374607431768211456",
            "-170141183460469231731687303715884105729",
            "25.00000000000000000000000000000000000000000000000000000000001",
            "0.000000000000000000000000000000000000000000000000000000000000000000000025e72",
            "2500000000000000000000000000000000000000000000000000000000000000000001e-68",
        ],
    ),
    (
        Kind::Shape,
        &[
            "true",
            "false",
            "null",
            "\"26\"",
            "\"\"",
            "\"NaN\"",
            "[]",
            "[26]",
            "{}",
            "{\"temperature\":26}",
        ],
    ),
    (
        Kind::PythonConstant,
        &["NaN", "Infinity", "-Infinity", "26,\"x\":NaN", "26,\"x\":[-Infinity]", "-Infinity}"],
    ),
    (
        Kind::Malformed,
        &[
            "",
            "+26",
            "026",
            "-026",
            "00",
            "26.",
            ".26",
            "-.26",
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
            "26L",
            "26j",
            "1,000",
            "nan",
            "inf",
            "+Infinity",
            "-NaN",
            "--Infinity",
            "INFINITY",
            "True",
            "None",
            "undefined",
            "tru",
            "truee",
            "nul",
            "26\0",
            "26\0junk",
            "true\0",
            "26\u{c}",
            "26\u{b}",
            "26\u{a0}",
            "1234567890123456789x",
            "1234567890123456789-1",
            "12345678901234567890.",
            "1.234567890123456789012x",
            "1e1234567890123456789x",
            "26 /* hot */",
            "26 // hot",
            "26 # hot",
            "'26'",
            "\"26",
            "\"\t\"",
            "\"\n\"",
            "\"\0\"",
            "\"\\x41\"",
            "\"\\'\"",
            "\"\\u12\"",
            "\"\\u12G4\"",
            "\"\\u 123\"",
            "\"\\u+123\"",
            "\"\\U00000041\"",
            "[26",
            "[26,]",
            "[,26]",
            "[26}",
            "{\"a\"}",
            "{\"a\":}",
            "{a:1}",
            "{'a':1}",
            "{1:1}",
            "{null:1}",
            "{\"a\":1,}",
            "{,}",
            "{\"a\" 1}",
            "{\"a\":1 \"b\":2}",
            "26]",
            "26}}",
            "26}},{",
        ],
    ),
    (
        Kind::Unicode,
        &[
            "26,\"x\":\"\\ud800\"",
            "26,\"x\":\"\\udfff\\ud800\"",
            "26,\"x\":\"\\ud83d\\u0041\"",
            "26,\"x\":\"\\ud800\\ue000\"",
            "26,\"x\":\"\\ud83d\\ude00\"",
            "26,\"\\ud800\":0",
            "26,\"x\":\"\\u0000\"",
            "26,\"x\":\"\u{7f}\u{80}\u{2028}\u{feff}\"",
            "26,\"é€😀\":\"\u{10ffff}\"",
            "26,\"x\":\"\\/\\b\\f\\n\\r\\t\\\\\\\"\"",
        ],
    ),
];

/// Whole bodies.
const BODIES: &[(Kind, &[&str])] = &[
    (
        Kind::Normal,
        &[
            concat!(
                r#"{"machine":{"temperature":21.0,"pressure":1.0}"#,
                r#","ambient":{"temperature":20.7,"humidity":24}"#,
                r#","timeCreated":"2026-01-02T03:04:05.678901Z"}"#
            ),
            concat!(
                r#"{"machine":{"temperature":101.2,"pressure":10.1}"#,
                r#","ambient":{"temperature":21.3,"humidity":26}"#,
                r#","timeCreated":"2026-01-02T03:04:05.678901Z"}"#
            ),
            "\r\n\t {\"machine\": {\"temperature\": 26}} \t\r\n",
        ],
    ),
    (
        Kind::Shape,
        &[
            "{}",
            "[]",
            "26",
            "-0.5",
            "1e999",
            "true",
            "false",
            "null",
            "\"machine\"",
            "\"\"",
            "[\"machine\"]",
            "[[26]]",
            r#"{"temperature":26}"#,
            r#"{"machine":26}"#,
            r#"{"machine":null}"#,
            r#"{"machine":true}"#,
            r#"{"machine":{}}"#,
            r#"{"machine":[]}"#,
            r#"{"machine":"temperature"}"#,
            r#"{"machine":"hot"}"#,
            r#"{"machine":["temperature"]}"#,
            r#"{"machine":[{"temperature":26}]}"#,
            r#"{"Machine":{"temperature":26}}"#,
            r#"{"machine":{"Temperature":26}}"#,
            r#"{"machine.temperature":26}"#,
            r#"{"x":{"machine":{"temperature":26}}}"#,
            r#"[{"machine":{"temperature":26}}]"#,
            r#"{"":{"":26},"machine":{"":1,"temperature":26}}"#,
            r#"{"machine ":{"temperature":26}}"#,
            concat!(
                r#"{"z":[{},[],"",{"machine":{"temperature":1}}]"#,
                r#","machine":{"p":[[]],"temperature":26}}"#
            ),
        ],
    ),
    (
        Kind::DuplicateKeys,
        &[
            r#"{"machine":{"temperature":99,"temperature":1}}"#,
            r#"{"machine":{"temperature":1,"temperature":99}}"#,
            r#"{"machine":{"temperature":"x","temperature":99}}"#,
            r#"{"machine":{"temperature":99,"temperature":"x"}}"#,
            r#"{"machine":{"temperature":99},"machine":{"temperature":1}}"#,
            r#"{"machine":{"temperature":99},"machine":{}}"#,
            r#"{"machine":5,"machine":{"temperature":99}}"#,
            r#"{"machine":{"temperature":99},"machine":5}"#,
            r#"{"machine":{"temperature":1},"m\u0061chine":{"temp\u0065rature":99}}"#,
            r#"{"machine":{"temp\u0065rature":99,"temperature":1}}"#,
            r#"{"machine":{"temperature":1,"temperature\ud800":99}}"#,
        ],
    ),
    (
        Kind::Malformed,
        &[
            "",
            " ",
            "\n",
            "\0",
            "\u{feff}",
            "{",
            "}",
            "[",
            "]",
            "\"",
            ":",
            ",",
            "-",
            "\\",
            "{\"",
            "{\"machine\"",
            "{\"machine\":",
            "{]",
            "[}",
            "\u{feff}{\"machine\":{\"temperature\":26}}",
            "{\"machine\":{\"temperature\":26}",
            "{\"machine\":{\"temperature\":26}}}",
            "{\"machine\":{\"temperature\":26}} x",
            "{\"machine\":{\"temperature\":26}}\0",
            "{\"machine\":{\"temperature\":26}}{}",
            "{\"machine\":{\"temperature\":26}},",
            "{\"machine\":{\"temperature\":26},}",
            "{,\"machine\":{\"temperature\":26}}",
            "{\"machine\":{\"temperature\":26}}\u{c}",
            "\u{b}{\"machine\":{\"temperature\":26}}",
            "{\"machine\"={\"temperature\":26}}",
            "{\"machine\":{\"temperature\":26};}",
            "{machine:{temperature:26}}",
            "{'machine':{'temperature':26}}",
            "{\"machine\":{\"temperature\":26}\\}",
            "\\{\"machine\":{\"temperature\":26}}",
            "{\\\"machine\\\":{\"temperature\":26}}",
            "(26)",
            "hello",
            "<machine><temperature>26</temperature></machine>",
            "machine: {temperature: 26}",
        ],
    ),
];

/// Bytes that are no UTF-8: stray, missing, overlong, surrogates, too large.
const NOT_UTF8: &[&[u8]] = &[
    b"\xff",
    b"\xfe\xff",
    b"\x80",
    b"\xc3",
    b"\xc3\x28",
    b"\xc0\xaf",
    b"\xc1\xbf",
    b"\xe0\x80\x80",
    b"\xe0\x9f\xbf",
    b"\xe2\x82",
    b"\xe2\x28\xa1",
    b"\xed\xa0\x80",
    b"\xed\xbf\xbf",
    b"\xf0\x80\x80\x80",
    b"\xf0\x8f\xbf\xbf",
    b"\xf0\x9f\x98",
    b"\xf4\x90\x80\x80",
    b"\xf5\x80\x80\x80",
    b"\xf8\x88\x80\x80\x80",
    b"\xe9t\xe9",
];
