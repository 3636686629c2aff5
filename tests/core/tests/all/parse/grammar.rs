//! Which bytes are UTF-8 and JSON: everything that simd-json, serde_json and Python could see
//! differently.

use super::*;

/// A valid body into which `junk` is put at each place where a value may stand.
fn check_junk_value(junk: &str) {
    let expected = Verdict::Malformed(NotJson);
    check(junk, expected);
    check(format!("[{junk}]"), expected);
    check(format!("[0,{junk} ]"), expected);
    check_value(junk, expected);
    // After the temperature, and long after it.
    let head = r#"{"machine":{"temperature":26}"#;
    check(format!(r#"{head},"x":{junk}}}"#), expected);
    check(format!(r#"{head},"x":[[{{"y":{junk}}}]],"z":"{}"}}"#, "z".repeat(200)), expected);
}

#[test]
fn the_whole_body_is_checked() {
    let good = r#"{"machine":{"temperature":26}}"#;
    check(good, Alert(26.0));
    check(format!("\r\n\t {good} \t\r\n"), Alert(26.0));
    for end in 1..good.len() {
        check(&good[..end], Verdict::Malformed(NotJson));
        check(&good[end..], Verdict::Malformed(NotJson));
    }
    for tail in [
        ",", "}", "]", "0", "x", "{}", "\"", "\\", "\0", "\u{c}", "\u{b}", "\u{a0}", "\u{2028}",
        "\u{feff}", "//", "/**/", "#",
    ] {
        check(format!("{good}{tail}"), Verdict::Malformed(NotJson));
        check(format!("{good} {tail}"), Verdict::Malformed(NotJson));
        check(format!("{tail}{good}"), Verdict::Malformed(NotJson));
    }
    for body in [
        "", " ", "\n\t\r ", "\u{feff}", "\0", "{", "[", "\"", "{\"", "{\"a\"", "{\"a\":", "-", "t",
        "tru", "nul",
    ] {
        check(body, Verdict::Malformed(NotJson));
    }
}

/// Values that JSON does not know, among them those that Python's `json` does.
#[test]
fn what_looks_like_a_value_is_refused() {
    for junk in [
        "NaN",
        "Infinity",
        "-Infinity",
        "nan",
        "inf",
        "+1",
        "01",
        "-01",
        "00",
        "-",
        "--1",
        "1.",
        "-1.",
        ".5",
        "-.5",
        "1.e5",
        "1e",
        "1e+",
        "1E-",
        "1e5.5",
        "1.5.5",
        "1_000",
        "0x1A",
        "1f",
        "1e5x",
        "1 2",
        "True",
        "None",
        "truex",
        "nulll",
        "true false",
        "falsey",
        "'x'",
        "x",
        "[1,]",
        "[,1]",
        "[,]",
        "[1 2]",
        "[1}",
        "{\"a\":1,}",
        "{,}",
        "{\"a\" 1}",
        "{a:1}",
        "{1:1}",
        "{\"a\":1 \"b\":2}",
        "{\"a\"}",
        "{\"a\":1]",
        "\"\\x\"",
        "\"\\'\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\\u 123\"",
        "\"\\u+123\"",
        "\"\n\"",
        "\"\t\"",
        "\"\u{1f}\"",
        "\"a",
        "a\"",
        "\"a\"b",
        "\"a\"\"b\"",
    ] {
        check_junk_value(junk);
    }
    // Characters allowed in strings as they are.
    check_value("26,\"x\":\"\u{7f}\u{80}\u{2028}\u{feff}/\"", Alert(26.0));
}

/// simd-json skips what follows a NUL byte behind a number or literal.
#[test]
fn nul_bytes_are_refused() {
    for junk in [
        "1\0", "1\0junk", "1.5\0", "1e5\0x", "0\0", "-0\0", "true\0", "false\0x", "null\0\"",
        "\"\0\"", "\0", "{\0}",
    ] {
        check_junk_value(junk);
    }
    check_value("26,\"\\u0000\":\"\\u0000\"", Alert(26.0));
}

/// simd-json does not look at what follows a number of 19 digits or more.
#[test]
fn junk_behind_long_numbers_is_refused() {
    for digits in [1, 2, 9, 44].into_iter().chain(16..24) {
        let integer = "1".repeat(digits);
        let long = &"2345678901".repeat(5)[..digits];
        for number in [
            integer.clone(),
            format!("-{integer}"),
            format!("1.{long}"),
            format!("-0.{long}"),
            format!("0.{}1", "0".repeat(digits)),
            format!("0.{}", "0".repeat(digits)),
            format!("1{long}e1"),
            format!("1.{long}E-1"),
            format!("{integer}.0"),
        ] {
            for junk in [
                "x", "\u{c}", "\u{b}", "-5", "+", ".", "..", "\\", "\\\"", "_", "é", "e", "\u{a0}",
                "\u{85}",
            ] {
                check_junk_value(&format!("{number}{junk}"));
            }
            check(format!("[{number} , {number}\n]"), NoTemperature);
            check(format!(" {number}"), NoTemperature);
        }
    }
}

#[test]
fn bytes_that_are_not_utf8_are_named() {
    let bad: &[&[u8]] = &[
        b"\xff",
        b"\xfe\xff",
        b"\x80",
        b"\xc3",
        b"\xc0\xaf",
        b"\xc1\xbf",
        b"\xe0\x80\x80",
        b"\xe0\x9f\xbf",
        b"\xed\xa0\x80",
        b"\xed\xbf\xbf",
        b"\xf0\x80\x80\x80",
        b"\xf4\x90\x80\x80",
        b"\xf5\x80\x80\x80",
        b"\xe2\x82",
        b"\xf0\x9f\x98",
    ];
    for bytes in bad {
        check(bytes, Verdict::Malformed(NotUtf8));
        for filler in 0..70 {
            let mut body =
                format!(r#"{{"machine":{{"temperature":26}},"{}"#, "x".repeat(filler)).into_bytes();
            body.extend_from_slice(bytes);
            body.extend_from_slice(b"\":0}");
            check(&body, Verdict::Malformed(NotUtf8));
        }
    }
    // Both not UTF-8 and not JSON: the first is what Python would meet first.
    check(b"{\xff", Verdict::Malformed(NotUtf8));
    check("{\"machine\":{\"temperature\":26},\"é€😀\":\"\u{10ffff}\"}", Alert(26.0));
}

/// Any four hexadecimal digits are a valid escape; a key with half a pair names nothing.
#[test]
fn lone_surrogates_are_allowed() {
    for escape in [
        r"\ud800",
        r"\uDFFF",
        r"\ud800\ud800",
        r"\udc00\ud800",
        r"\ud800x",
        r"\ud83d\u0041",
        r"\ud800\ue000",
        r"\udbff\uffff",
        r"\ud83d\ude00",
        r"\ud800\n",
        r"\ud800\\u0041",
        r"\uD800\uDBFF",
    ] {
        check_value(&format!(r#"26,"x":"{escape}""#), Alert(26.0));
        check_value(&format!(r#"26,"{escape}":0"#), Alert(26.0));
        check(format!(r#"{{"machine{escape}":{{"temperature":26}}}}"#), NoTemperature);
        check(format!(r#"{{"machine":{{"temperature{escape}":26}}}}"#), NoTemperature);
        check_value(&format!(r#""{escape}""#), Verdict::Malformed(TemperatureNotANumber));
    }
    check_junk_value(r#""\ud800\u""#);
    check_junk_value(r#""\ud800\ug000""#);
    check_junk_value(r#""\ud8""#);
}

/// Nesting has no limit of its own and needs no stack.
#[test]
fn deep_nesting_is_judged() {
    for depth in [100, 1_000, 100_000] {
        let (open, close) = ("[".repeat(depth), "]".repeat(depth));
        check_value(&format!("26,\"deep\":{open}{close}"), Alert(26.0));
        check(format!("{open}{close}"), NoTemperature);
        check(&open, Verdict::Malformed(NotJson));
        check(format!("{open}{}", &close[1..]), Verdict::Malformed(NotJson));
        let objects = r#"{"machine":"#.repeat(depth);
        check(format!("{objects}26{}", "}".repeat(depth)), NoTemperature);
        check(&objects, Verdict::Malformed(NotJson));
    }
}
