//! Reads the few members of a JSON object that matter, and passes over all others as they are: a
//! twin holds what other people put there, however deep and however odd. Takes no stack for nesting.

use std::collections::BTreeMap;
use std::fmt::Display;

use serde_json::value::RawValue;

/// The text of the members of these names; of equal names the last wins.
///
/// # Errors
/// What is wrong with `text`, to be put behind its name: it is not one JSON object in UTF-8.
pub fn members<'a, const N: usize>(
    text: &'a [u8],
    names: [&str; N],
) -> Result<[Option<&'a str>; N], String> {
    let not_json = |problem: &dyn Display| format!("is not JSON: {problem}");
    let text = std::str::from_utf8(text).map_err(|error| not_json(&error))?;
    let found: BTreeMap<String, &RawValue> = match serde_json::from_str(text) {
        Ok(found) => found,
        Err(error) if error.is_data() => {
            return Err(format!("must be an object, not {}", kind(text)));
        }
        Err(error) => return Err(not_json(&error)),
    };
    Ok(names.map(|name| found.get(name).map(|value| value.get())))
}

/// What a JSON value is, by its first byte.
pub fn kind(value: &str) -> &'static str {
    match value.trim_start().as_bytes().first() {
        Some(b'n') => "null",
        Some(b't' | b'f') => "a boolean",
        Some(b'"') => "a string",
        Some(b'[') => "an array",
        Some(b'{') => "an object",
        _ => "a number",
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
    fn what_is_no_object_is_told_by_its_kind() {
        for (text, kind) in [
            ("[1]", "an array"),
            ("\"{}\"", "a string"),
            ("7", "a number"),
            ("-7e3", "a number"),
            (" true", "a boolean"),
            ("null", "null"),
        ] {
            let expected = format!("must be an object, not {kind}");
            assert_eq!(members(text.as_bytes(), ["a"]), Err(expected));
        }
        for text in
            [&b""[..], b"{", b"{\"a\":1", b"{\"a\":}", b"{} {}", b"\xff", b"{\"b\":\"\xff\"}"]
        {
            let problem = members(text, ["a"]).unwrap_err();
            assert!(problem.starts_with("is not JSON: "), "{problem}");
        }
    }
}
