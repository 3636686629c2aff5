//! Judging bodies: whichever way is taken, the verdict is the same, and the right one.

mod agreement;
mod damaged;
mod digest;
mod fast_path;
mod grammar;
mod readings;
mod serde_json_agrees;

use sluicegate::pipeline::parse::{
    JsonPath, Malformed, PATH_MEMBERS_MAX, Parser, PathError, SIMD_BODY_BYTES_MAX, Verdict, Ways,
};
use sluicegate::pipeline::threshold::Threshold;

use Malformed::{NotJson, NotUtf8, TemperatureNotANumber};
use Verdict::{Alert, Below, NoTemperature};

/// The exact parser alone.
const EXACT: Ways = Ways { walk: false, simd: false };

/// Judges `body` by 25.
fn judge(body: &[u8]) -> Verdict {
    judge_by(&JsonPath::default(), body, Threshold::DEFAULT)
}

/// Judges `body` in every way; all must agree.
fn judge_by(path: &JsonPath, body: &[u8], threshold: Threshold) -> Verdict {
    let exact = Parser::by(EXACT, path.clone()).judge(body, threshold);
    for ways in Ways::ALL {
        let verdict = Parser::by(ways, path.clone()).judge(body, threshold);
        assert!(
            is_same(verdict, exact),
            "{verdict:?} by {ways:?}, and exactly {exact:?}: {}",
            String::from_utf8_lossy(body)
        );
    }
    exact
}

/// Equal to the last bit.
fn is_same(left: Verdict, right: Verdict) -> bool {
    match (left, right) {
        (Alert(left), Alert(right)) => left.to_bits() == right.to_bits(),
        _ => left == right,
    }
}

fn check(body: impl AsRef<[u8]>, expected: Verdict) {
    let body = body.as_ref();
    assert_eq!(judge(body), expected, "{}", String::from_utf8_lossy(body));
}

/// Judges bodies whose temperature is the JSON text `value`, closely packed and spaced out.
fn check_value(value: &str, expected: Verdict) {
    check(format!(r#"{{"machine":{{"temperature":{value}}}}}"#), expected);
    check(format!(r#"{{"machine":{{"temperature":{value},"pressure":1}}}}"#), expected);
    check(format!("{{ \"machine\" : {{ \"temperature\" :\t{value}\r\n}} }}"), expected);
}

/// The message of the tutorials is an alert exactly above 25.
#[test]
fn the_sensor_message() {
    let body = |temperature: f64| {
        format!(
            concat!(
                r#"{{"machine":{{"temperature":{temperature},"pressure":1.1}}"#,
                r#","ambient":{{"temperature":20.9,"humidity":26}}"#,
                r#","timeCreated":"2026-01-01T00:00:00Z"}}"#
            ),
            temperature = temperature
        )
    };
    check(body(25.0), Below);
    check(body(25.000000000000004), Alert(25.000000000000004));
    check(body(101.5), Alert(101.5));
    check(body(-3.25), Below);
}

#[test]
fn numbers_compare_by_value() {
    for value in [
        "25",
        "25.0",
        "2.5e1",
        "2.5E+1",
        "250e-1",
        "-26",
        "-0",
        "-0.0",
        "0",
        "0e9",
        "24.999999999999999",
    ] {
        check_value(value, Below);
    }
    for (value, temperature) in [
        ("26", 26.0),
        ("26.5", 26.5),
        ("0.26e2", 26.0),
        ("26E0", 26.0),
        ("2600e-2", 26.0),
        ("25.000000000000004", 25.000000000000004),
        ("9007199254740993", 9_007_199_254_740_992.0),
        ("18446744073709551615", 18_446_744_073_709_551_615.0),
        ("18446744073709551616", 18_446_744_073_709_551_616.0),
        ("123456789012345678901234567890", 123_456_789_012_345_678_901_234_567_890.0),
        ("26.00000000000000000000000000000000000001", 26.0),
    ] {
        check_value(value, Alert(temperature));
    }
}

/// A number with a fraction or an exponent is the nearest double, an integer is itself; and
/// docs/alerts.md says so, by the same example.
#[test]
fn fractions_compare_as_the_nearest_double_and_integers_exactly() {
    check_value("25.0000000000000017", Below);
    check_value("25.0000000000000018", Alert(25.000000000000004));
    check_value("250000000000000017e-16", Below);
    for (value, expected) in [
        ("9007199254740993", Alert(9_007_199_254_740_992.0)),
        ("9007199254740993.0", Below),
        ("9007199254740993e0", Below),
        ("9007199254740992", Below),
    ] {
        let body = format!(r#"{{"machine":{{"temperature":{value}}}}}"#);
        let threshold = Threshold::new(9_007_199_254_740_992.0).unwrap();
        let verdict = judge_by(&JsonPath::default(), body.as_bytes(), threshold);
        assert_eq!(verdict, expected, "{value}");
    }
    let page = include_str!("../../../../docs/alerts.md");
    assert!(!page.contains("Numbers compare exactly"));
    assert!(page.contains("`25.0000000000000017` is 25 and does not exceed it"));
}

/// Infinity exceeds every threshold and minus infinity none; too small a float is zero.
#[test]
fn exponents_have_no_bound() {
    for value in [
        "1e999",
        "1e309",
        "0.1E+400",
        "1e4294967296",
        "1E4294967296",
        "1e4294967299",
        "1e99999999999999999999",
    ] {
        check_value(value, Alert(f64::INFINITY));
        check_value(&format!("-{value}"), Below);
    }
    // 2^32 as exponent must not wrap around: the value is 0, and not 26.
    for value in
        ["26e-4294967296", "26e-999", "1e-99999999999999999999", "26e-18446744073709551616"]
    {
        check_value(value, Below);
        check_value(&format!("-{value}"), Below);
    }
    check_value("0e99999999999999999999", Below);
    check_value("0.0e4294967297", Below);
}

#[test]
fn integers_have_no_bound() {
    let digits = "9".repeat(5_000);
    check_value(&digits, Alert(f64::INFINITY));
    check_value(&format!("-{digits}"), Below);
    for digits in 15..60 {
        let integer = format!("1{}", "0".repeat(digits));
        check_value(&integer, Alert(integer.parse().unwrap()));
        check_value(&format!("-{integer}"), Below);
    }
    check_value("-9223372036854775808", Below);
    check_value("-9223372036854775809", Below);
}

#[test]
fn other_values_are_no_temperature() {
    let values = [
        "true",
        "false",
        "null",
        "\"26\"",
        "\"\"",
        "[]",
        "[26]",
        "{}",
        "{\"temperature\":26}",
        "[[[1e999]]]",
    ];
    for value in values {
        check_value(value, Verdict::Malformed(TemperatureNotANumber));
    }
}

#[test]
fn what_is_not_an_object_on_the_path_is_no_alert() {
    for body in [
        "26",
        "1e999",
        "\"machine\"",
        "true",
        "null",
        "[]",
        "[\"machine\"]",
        "{}",
        "{\"temperature\":26}",
    ] {
        check(body, NoTemperature);
    }
    let machines = [
        "5",
        "1e999",
        "null",
        "true",
        "\"temperature\"",
        "[\"temperature\"]",
        "{}",
        "{\"Temperature\":26}",
        "[{\"temperature\":26}]",
    ];
    for machine in machines {
        check(format!(r#"{{"machine":{machine}}}"#), NoTemperature);
    }
    check(r#"{"Machine":{"temperature":26}}"#, NoTemperature);
    check(r#"{"machine.temperature":26}"#, NoTemperature);
    check(r#"{"x":{"machine":{"temperature":26}}}"#, NoTemperature);
}

/// Of equal keys the last wins at each level, whatever the earlier ones were.
#[test]
fn the_last_of_equal_keys_wins() {
    check(r#"{"machine":{"temperature":99,"temperature":1}}"#, Below);
    check(r#"{"machine":{"temperature":1,"temperature":99}}"#, Alert(99.0));
    check(r#"{"machine":{"temperature":"x","temperature":99}}"#, Alert(99.0));
    check(
        r#"{"machine":{"temperature":99,"temperature":null}}"#,
        Verdict::Malformed(TemperatureNotANumber),
    );
    check(r#"{"machine":{"temperature":99},"machine":{"temperature":1}}"#, Below);
    check(r#"{"machine":5,"machine":{"temperature":99}}"#, Alert(99.0));
    check(r#"{"machine":{"temperature":99},"machine":{}}"#, NoTemperature);
    check(r#"{"machine":{"temperature":99},"machine":5}"#, NoTemperature);
    check(r#"{"machine":{"temperature":1},"\u006dachine":{"temp\u0065rature":99}}"#, Alert(99.0));
    check(r#"{"machine":{"temperature":1e1,"t\u0065mperature":5e1}}"#, Alert(50.0));
}

#[test]
fn order_and_neighbours_of_keys_do_not_matter() {
    check(
        concat!(
            r#"{"a":{"machine":{"temperature":1}},"b":[{"c":[]},{}]"#,
            r#","machine":{"p":{},"q":[[]],"temperature":26}}"#
        ),
        Alert(26.0),
    );
    check(
        r#"{"":0,"machine":{"":{"temperature":1},"temperature":26e0,"":{"temperature":1}},"":1}"#,
        Alert(26.0),
    );
    check(r#"{"machine":{"temperature":26,"note":"\"temperature\":1, }{ \\"}}"#, Alert(26.0));
}

/// A body is judged alike on both sides of the size from which the exact parser takes over.
#[test]
fn large_bodies_are_judged() {
    let shell = r#"{"machine":{"temperature":26},"x":""}"#.len();
    for size in SIMD_BODY_BYTES_MAX - 1..=SIMD_BODY_BYTES_MAX + 1 {
        let filler = "x".repeat(size - shell);
        let body = format!(r#"{{"machine":{{"temperature":26}},"x":"{filler}"}}"#);
        assert_eq!(body.len(), size);
        check(&body, Alert(26.0));
        check(&body[..size - 1], Verdict::Malformed(NotJson));
    }
}

/// What one body leaves behind in the buffers does not colour the next verdict.
#[test]
fn a_parser_forgets() {
    let mut parser = Parser::default();
    let bodies: [(&[u8], Verdict); 6] = [
        (br#"{"machine":{"temperature":26}}"#, Alert(26.0)),
        (br#"{"machine":{"temperature":26"#, Verdict::Malformed(NotJson)),
        (b"{}", NoTemperature),
        (b"\xff", Verdict::Malformed(NotUtf8)),
        (b"", Verdict::Malformed(NotJson)),
        (br#"{"machine":{"temperature":1}}"#, Below),
    ];
    for (before, _) in bodies {
        for (body, expected) in bodies {
            parser.judge(before, Threshold::DEFAULT);
            assert_eq!(parser.judge(body, Threshold::DEFAULT), expected);
        }
    }
}

#[test]
fn the_path_can_be_chosen() {
    let check = |path: &str, body: &str, expected: Verdict| {
        let path: JsonPath = path.parse().unwrap();
        assert_eq!(judge_by(&path, body.as_bytes(), Threshold::DEFAULT), expected, "{path}");
    };
    check("temp", r#"{"temp":26}"#, Alert(26.0));
    check("temp", r#"{"machine":{"temp":26}}"#, NoTemperature);
    check("a.b.c.d", r#"{"a":{"b":{"c":{"d":26e0}}}}"#, Alert(26.0));
    check("a.b.c", r#"{"a":{"b":{"c":{"d":26}}}}"#, Verdict::Malformed(TemperatureNotANumber));
    check("a.a", r#"{"a":{"a":26},"a":{"a":1}}"#, Below);
    check("température", r#"{"temp\u00e9rature":26}"#, Alert(26.0));
    // simd-json decodes some broken surrogate pairs to these very names.
    check("\0", r#"{"\ud800":26}"#, NoTemperature);
    check("\0", r#"{"\u0000":26}"#, Alert(26.0));
    check("\u{12400}", r#"{"\ud800\ue000":26}"#, NoTemperature);
    check("\u{12400}", r#"{"\ud809\udc00":26}"#, Alert(26.0));
}

#[test]
fn paths_are_checked() {
    assert_eq!(JsonPath::default(), JsonPath::DEFAULT.parse().unwrap());
    assert_eq!(JsonPath::default().to_string(), "machine.temperature");
    for text in ["", ".", "a.", ".a", "a..b"] {
        assert_eq!(text.parse::<JsonPath>(), Err(PathError::EmptyName), "{text:?}");
    }
    let longest = ["a"; PATH_MEMBERS_MAX].join(".");
    assert_eq!(longest.parse::<JsonPath>().unwrap().members().len(), PATH_MEMBERS_MAX);
    assert_eq!(format!("{longest}.a").parse::<JsonPath>(), Err(PathError::TooLong));
}

/// What a log line will say.
#[test]
fn errors_read_well() {
    assert_eq!(NotUtf8.to_string(), "the body is not UTF-8");
    assert_eq!(NotJson.to_string(), "the body is not JSON");
    assert_eq!(TemperatureNotANumber.to_string(), "the temperature is not a number");
}

/// A verdict travels by value through the queues.
#[test]
fn verdicts_are_small() {
    assert!(size_of::<Verdict>() <= 16);
}
