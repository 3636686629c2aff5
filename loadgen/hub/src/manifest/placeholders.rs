//! Placeholders outside of quotation marks, as in `"timeToLiveSecs": ${TTL}`: replaced before the
//! text is read as JSON. Those inside are texts, and are replaced when their text is read.

use std::ops::Range;

use serde_json::Value;

use super::PROBLEMS_LISTED_LIMIT;
use super::json;
use super::variables::{Variables, variable_at};

/// Stands, with a number, for a placeholder without a value until its path is known. No text that
/// people exchange holds this character.
const MARK: char = '\u{10ffff}';

/// What a text says, or why it cannot be told.
#[derive(Debug, PartialEq)]
pub(super) enum Read {
    /// The value, and the paths of members given twice.
    Value(Value, Vec<String>),
    /// Placeholders without a value: the path of each, and the problem.
    Unset(Vec<(String, String)>),
    /// No JSON.
    NotJson(String),
}

/// A text whose unquoted placeholders are replaced.
struct Replaced<'a> {
    text: String,
    pieces: Vec<Piece<'a>>,
}

/// One placeholder.
struct Piece<'a> {
    name: &'a str,
    is_set: bool,
    /// Where it stood.
    from: Range<usize>,
    /// Where its value stands.
    to: Range<usize>,
}

/// Reads JSON with placeholders.
pub(super) fn read(text: &str, variables: &Variables) -> Read {
    let replaced = replace(text, variables);
    let (value, twice) = match json::parse(&replaced.text) {
        Ok(parsed) => parsed,
        Err(error) => return not_json(text, &replaced, &error),
    };
    // A problem that is not listed is not worth a search for its path.
    let unset = replaced.pieces.iter().enumerate().filter(|(_, piece)| !piece.is_set);
    let unset: Vec<(usize, &Piece<'_>)> = unset.take(PROBLEMS_LISTED_LIMIT).collect();
    if unset.is_empty() {
        return Read::Value(value, twice);
    }
    let problem = |(index, piece): &(usize, &Piece<'_>)| {
        let path = path_of(&value, &format!("{MARK}{index}"), String::new()).unwrap_or_default();
        (path, unset_words(piece.name, Some(place(text, piece.from.start).0)))
    };
    Read::Unset(unset.iter().map(problem).collect())
}

/// That a variable has no value, and what to do.
pub(super) fn unset_words(name: &str, line: Option<usize>) -> String {
    let line = line.map(|line| format!(" (line {line})")).unwrap_or_default();
    format!(
        "variable {name} is not set{line}: set it in the environment, or in `.env` beside the file"
    )
}

/// The line and the column of a byte, from 1.
pub(super) fn place(text: &str, at: usize) -> (usize, usize) {
    let before = &text.as_bytes()[..at.min(text.len())];
    let line_start = before.iter().rposition(|b| *b == b'\n').map_or(0, |newline| newline + 1);
    (before.iter().filter(|b| **b == b'\n').count() + 1, before.len() - line_start + 1)
}

fn replace<'a>(text: &'a str, variables: &Variables) -> Replaced<'a> {
    let mut out = String::with_capacity(text.len());
    let mut pieces = Vec::new();
    let (mut at, mut is_text) = (0, false);
    while let Some(found) = text[at..].find(['"', '\\', '$']) {
        let special = at + found;
        out.push_str(&text[at..special]);
        at = special;
        let token = match text.as_bytes()[special] {
            b'$' if !is_text => variable_at(&text[special..]),
            // Whatever is escaped ends no text.
            b'\\' if is_text => (escape_at(&text[special..]), ""),
            b'"' => {
                is_text = !is_text;
                ("\"", "")
            }
            _ => (&text[special..=special], ""),
        };
        let (token, name) = token;
        at += token.len();
        if name.is_empty() {
            out.push_str(token);
            continue;
        }
        let start = out.len();
        let value = variables.get(name);
        match value {
            Some(value) => out.push_str(value),
            None => out.push_str(&format!("\"{MARK}{}\"", pieces.len())),
        }
        let (from, to) = (special..at, start..out.len());
        pieces.push(Piece { name, is_set: value.is_some(), from, to });
    }
    out.push_str(&text[at..]);
    Replaced { text: out, pieces }
}

/// A backslash and the character behind it.
fn escape_at(text: &str) -> &str {
    let escaped = text[1..].chars().next().map_or(0, char::len_utf8);
    &text[..=escaped]
}

/// The path of the text `wanted`, or of the object that has a member of this name.
fn path_of(value: &Value, wanted: &str, path: String) -> Option<String> {
    match value {
        Value::String(text) => (text == wanted).then_some(path),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .find_map(|(index, item)| path_of(item, wanted, format!("{path}[{index}]"))),
        Value::Object(members) => members.iter().find_map(|(name, member)| {
            if name == wanted {
                return Some(path.clone());
            }
            let dot = if path.is_empty() { "" } else { "." };
            path_of(member, wanted, format!("{path}{dot}{name}"))
        }),
        _ => None,
    }
}

/// The problem, at its place in the text as people see it.
fn not_json(text: &str, replaced: &Replaced<'_>, error: &serde_json::Error) -> Read {
    let lines = replaced.text.split_inclusive('\n');
    let line_start: usize = lines.take(error.line().saturating_sub(1)).map(str::len).sum();
    let at = line_start + error.column().saturating_sub(1);
    let mut shift = (0, 0);
    for piece in &replaced.pieces {
        // The error is often found behind the last character of a value.
        if (piece.to.start..=piece.to.end).contains(&at) {
            let (line, _) = place(text, piece.from.start);
            let advice = if piece.is_set {
                format!(
                    "not JSON with the value of {name} (line {line}): where it is a text, put \
                     the placeholder in quotation marks",
                    name = piece.name
                )
            } else {
                unset_words(piece.name, Some(line))
            };
            return Read::NotJson(advice);
        }
        if piece.to.end <= at {
            shift = (piece.to.end, piece.from.end);
        }
    }
    let (line, column) = place(text, (at + shift.1).saturating_sub(shift.0));
    let words = json::words(error);
    let advice = if is_comment(text, line) { "; JSON has no comments: remove it" } else { "" };
    Read::NotJson(format!("not JSON: {words} at line {line} column {column}{advice}"))
}

fn is_comment(text: &str, line: usize) -> bool {
    let line = text.lines().nth(line - 1).unwrap_or_default().trim_start();
    line.starts_with("//") || line.starts_with("/*") || line.starts_with('#')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn variables() -> Variables {
        let set =
            [("TTL", "7200"), ("ON", "true"), ("T", "\"x\""), ("P", "\"a\":1"), ("W", "word")];
        set.into_iter().chain([("L", "[\n1,\n2]"), ("E", "")]).collect()
    }

    fn value(value: Value) -> Read {
        Read::Value(value, Vec::new())
    }

    #[test]
    fn unquoted_placeholders_are_replaced() {
        let table = [
            (r#"{"a": ${TTL}}"#, json!({"a": 7200})),
            (r#"{"a": $TTL, "b":$ON}"#, json!({"a": 7200, "b": true})),
            (r#"[${TTL}00,$T,$L]"#, json!([720_000, "x", [1, 2]])),
            (r#"{$P}"#, json!({"a": 1})),
            ("$TTL", json!(7200)),
            // What stands in quotation marks is a text, whatever is around it.
            (r#"{"a": "$TTL", "$TTL": 1}"#, json!({"a": "$TTL", "$TTL": 1})),
            (r#"["\"$TTL", "\\", $TTL]"#, json!(["\"$TTL", "\\", 7200])),
            (r#"["$", "${", "é$UNSET"]"#, json!(["$", "${", "é$UNSET"])),
        ];
        for (text, expected) in table {
            assert_eq!(read(text, &variables()), value(expected), "{text}");
        }
    }

    #[test]
    fn what_is_unset_is_named_with_path_and_line() {
        let text = "{\"a\": {\r\n \"b\": [1, ${X}],\n \"c\": $Y}, $Z: 1, \"t\": $TTL}";
        let Read::Unset(problems) = read(text, &variables()) else { panic!("three are unset") };
        let shown: Vec<(&str, &str)> = problems
            .iter()
            .map(|(path, text)| (path.as_str(), text.split_once(':').unwrap().0))
            .collect();
        let expected = [
            ("a.b[1]", "variable X is not set (line 2)"),
            ("a.c", "variable Y is not set (line 3)"),
            ("", "variable Z is not set (line 3)"),
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn errors_stand_where_people_see_them() {
        let table = [
            ("{\"a\": $W}", "not JSON with the value of W (line 1)"),
            ("{\n\"a\": $E}", "not JSON with the value of E (line 2)"),
            ("{\"a\": $L,\n \"b\": }", "not JSON: expected value at line 2 column 7"),
            ("{\"a\": 1,\n}", "not JSON: trailing comma at line 2 column 1"),
            ("{\"a\": $TTL $X}", "variable X is not set (line 1)"),
            ("{\n // note\n}", "JSON has no comments"),
            ("", "not JSON: EOF while parsing a value at line 1 column 1"),
        ];
        for (text, expected) in table {
            let Read::NotJson(shown) = read(text, &variables()) else { panic!("{text}") };
            assert!(shown.contains(expected), "{text}: {shown}");
            assert!(!shown.contains("word"), "no value is shown: {shown}");
        }
    }

    proptest! {
        /// No text makes it panic, and without `$` it is JSON's own meaning.
        #[test]
        fn every_text_is_read(text in "[$\\{\\}\"\\\\TLWé:,\n 1]{0,24}") {
            let shown = read(&text, &variables());
            if !text.contains('$') {
                let usual = serde_json::from_str::<Value>(&text).ok();
                let ours = match shown { Read::Value(value, _) => Some(value), _ => None };
                prop_assert_eq!(ours, usual);
            }
        }
    }
}
