//! Reads the few members of a JSON object that matter, and passes over all others as they are: a
//! twin holds what other people put there, however deep and however odd. Takes no stack for
//! nesting.

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::value::RawValue;

/// The text of the members of these names; of equal names the last wins.
///
/// # Errors
/// What is wrong with `text`, to be put behind its name: it is not one JSON object in UTF-8.
pub fn members<'a, const N: usize>(
    text: &'a [u8],
    names: [&str; N],
) -> Result<[Option<&'a str>; N], String> {
    let found = all_members(text)?;
    Ok(names.map(|name| found.get(name).copied()))
}

/// The text of every member, by its name; of equal names the last wins.
///
/// # Errors
/// As of [`members`].
pub fn all_members(text: &[u8]) -> Result<BTreeMap<String, &str>, String> {
    let text = std::str::from_utf8(text).map_err(|error| format!("is not JSON: {error}"))?;
    let found: BTreeMap<String, &RawValue> = serde_json::from_str(text).map_err(|error| {
        match serde_json::from_str::<&RawValue>(text) {
            Ok(value) if kind(value.get()) != OBJECT => {
                format!("must be an object, not {}", kind(value.get()))
            }
            // An object with a name that is no text.
            Ok(_) => problem(&error),
            // The first look ends where there is no object, the second reads on.
            Err(error) => problem(&error),
        }
    })?;
    Ok(found.into_iter().map(|(name, value)| (name, value.get())).collect())
}

/// What is wrong with a text that was no JSON of the form that is wanted, to be put behind its
/// name:
/// without the parser's names of types, and without the text, which may hold a secret.
pub fn problem(error: &serde_json::Error) -> String {
    let at = || format!("at line {} column {}", error.line(), error.column());
    match error.to_string() {
        _ if error.is_data() => format!("has not the members and values that it must, {}", at()),
        text if text.starts_with("number out of range") => {
            format!("holds a number that is out of range, {}", at())
        }
        text if text.starts_with("recursion limit exceeded") => {
            format!("is nested too deep, {}", at())
        }
        text => format!("is not JSON: {text}"),
    }
}

/// The text of the value of `name`, in an object that has no other member.
pub fn sole_member<'a>(text: &'a [u8], name: &str) -> Option<&'a str> {
    let found: BTreeMap<String, &RawValue> = serde_json::from_slice(text).ok()?;
    (found.len() == 1).then(|| found.get(name).map(|value| value.get()))?
}

/// Whether two texts are the same JSON value, however they are written.
pub fn is_same(one: &str, other: &str) -> bool {
    let value = |text| serde_json::from_str::<Value>(text).ok();
    one == other || value(one).is_some_and(|one| Some(one) == value(other))
}

/// How an error shows a value that cannot be used: a number as it is, cut, anything else by its
/// kind.
pub fn described(value: &str) -> &str {
    const BYTES_MAX: usize = 40;
    match kind(value) {
        NUMBER => value.get(..BYTES_MAX).unwrap_or(value),
        kind => kind,
    }
}

const NUMBER: &str = "a number";
const OBJECT: &str = "an object";

/// What a JSON value is, by its first byte.
pub fn kind(value: &str) -> &'static str {
    match value.trim_start().as_bytes().first() {
        Some(b'n') => "null",
        Some(b't' | b'f') => "a boolean",
        Some(b'"') => "a string",
        Some(b'[') => "an array",
        Some(b'{') => OBJECT,
        _ => NUMBER,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_member_of_a_name_is_found_as_its_text() {
        let text = br#" {"a": 1, "b":{"a":2} ,"\u0061" : [ 3 ] ,"c":1e999} "#;
        assert_eq!(members(text, ["a", "c", "d"]), Ok([Some("[ 3 ]"), Some("1e999"), None]));
    }

    /// For every depth, in what is wanted and in what is not: the members are found.
    #[test]
    fn depth_is_no_matter() {
        for depth in [10, 127, 130, 1_000, 100_000] {
            for (open, close) in [("[", "]"), ("{\"x\":", "}")] {
                let deep = format!("{}1{}", open.repeat(depth), close.repeat(depth));
                let text = format!("{{\"b\":{deep},\"a\":{deep},\"c\":1}}");
                let found = members(text.as_bytes(), ["a", "c"]);
                assert_eq!(found, Ok([Some(&*deep), Some("1")]), "{depth} {open}");
            }
        }
    }

    #[test]
    fn a_value_that_is_no_object_is_named_by_its_kind() {
        let many = "9".repeat(400);
        let deep = format!("{}{}", "[".repeat(1_000), "]".repeat(1_000));
        for (text, kind) in [
            ("[1]", "an array"),
            ("[]", "an array"),
            (&*deep, "an array"),
            ("\"{}\"", "a string"),
            ("\"\\ud800\"", "a string"),
            ("60", "a number"),
            ("-0", "a number"),
            ("2.5", "a number"),
            ("-7e3", "a number"),
            ("18446744073709551616", "a number"),
            ("1e999", "a number"),
            ("-1E+400", "a number"),
            (&*many, "a number"),
            (" true", "a boolean"),
            ("false\n", "a boolean"),
            ("null", "null"),
        ] {
            let expected = format!("must be an object, not {kind}");
            assert_eq!(members(text.as_bytes(), ["a"]), Err(expected));
        }
    }

    /// For everything that only begins like a value: it is called by no kind.
    #[test]
    fn what_is_not_json_is_said_to_be_not() {
        for text in [
            &b""[..],
            b"{",
            b"{\"a\":1",
            b"{\"a\":}",
            b"{} {}",
            b"\xff",
            b"{\"b\":\"\xff\"}",
            b"{\"\\ud800\":1}",
            b"60 C",
            b"[1",
            b"[1}",
            b"\"a",
            b"nul",
            b"true false",
            b"NaN",
            b"-",
            b"01",
            b"+1",
            b"1e",
        ] {
            let problem = members(text, ["a"]).unwrap_err();
            let shown = text.escape_ascii();
            assert!(problem.starts_with("is not JSON: "), "{shown}: {problem}");
            assert!(!problem.contains("invalid type"), "{shown}: {problem}");
        }
    }

    /// For every way to be wrong: JSON is not said to be none, and no type of the parser is named.
    #[test]
    fn a_problem_is_shown_without_the_parsers_words() {
        let deep = "[".repeat(1_000) + &"]".repeat(1_000);
        for (text, start) in [
            ("1e999", "holds a number that is out of range, at line 1"),
            ("[1,\n-1E400]", "holds a number that is out of range, at line 2"),
            (&*deep, "is nested too deep, at line 1"),
            ("{", "is not JSON: EOF"),
            ("x", "is not JSON: expected value"),
            ("", "is not JSON: EOF"),
        ] {
            let output = problem(&serde_json::from_str::<Value>(text).unwrap_err());
            assert!(output.starts_with(start), "{text:.20}: {output}");
        }
        for text in ["{\"secret\":1}", "[7]", "\"secret\"", "null", "true", "1.5", "1e9"] {
            let output = problem(&serde_json::from_str::<[u8; 2]>(text).unwrap_err());
            assert!(output.starts_with("has not the members"), "{text}: {output}");
            assert!(!output.contains("secret"), "{output}");
        }
    }

    #[test]
    fn a_value_is_the_same_however_it_is_written() {
        for (one, other, is_one) in [
            (r#"{"value": 10}"#, r#"{"value":10}"#, true),
            (r#""\u0061""#, r#""a""#, true),
            (r#"{"a":1,"b":2}"#, r#"{"b":2,"a":1}"#, true),
            ("1e999", "1e999", true),
            ("1e999", "2e999", false),
            ("7", "\"7\"", false),
            ("null", "0", false),
        ] {
            assert_eq!(is_same(one, other), is_one, "{one} {other}");
        }
    }

    #[test]
    fn a_value_is_shown_in_short() {
        let many = "9".repeat(400);
        for (text, expected) in [
            ("1e999", "1e999"),
            ("-2.5", "-2.5"),
            (&*many, &many[..40]),
            ("\"1\"", "a string"),
            ("{\"a\":1}", "an object"),
            ("[7]", "an array"),
            ("true", "a boolean"),
            ("null", "null"),
        ] {
            assert_eq!(described(text), expected, "{text}");
        }
    }
}
