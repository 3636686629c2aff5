//! `${VAR}` and `$VAR` in templates, from the environment and a `.env` file.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

/// Names and values for a template. Their values never show in `Debug`: they may be secrets.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Variables(BTreeMap<String, String>);

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Variables {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        Self(pairs.into_iter().map(|(k, v)| (k.into(), v.into())).collect())
    }
}

impl Variables {
    /// Reads the lines of a `.env` file: `NAME=value`, optionally after `export`, the value in
    /// quotation marks or not. Comments, empty lines and lines without `=` are skipped.
    pub fn from_env_text(text: &str) -> Self {
        text.lines()
            .filter_map(|line| {
                let line = line.trim();
                let line = line.strip_prefix("export ").unwrap_or(line);
                let (name, value) = line.split_once('=')?;
                let name = name.trim();
                (!name.starts_with('#')).then(|| (name, unquote(value.trim())))
            })
            .collect()
    }

    /// The same with the environment laid over: what the caller sets wins over the file.
    pub fn with_environment(mut self, pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        self.0.extend(pairs);
        self
    }

    /// Replaces variables in one text; an unknown one stays as it is. `$upstream` is a sink, never
    /// a variable.
    pub fn expand(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(dollar) = rest.find('$') {
            out.push_str(&rest[..dollar]);
            rest = &rest[dollar..];
            let (token, name) = variable_at(rest);
            match self.0.get(name).filter(|_| !name.eq_ignore_ascii_case("upstream")) {
                Some(value) => out.push_str(value),
                None => out.push_str(token),
            }
            rest = &rest[token.len()..];
        }
        out.push_str(rest);
        out
    }

    /// Replaces variables in every string value below, member names untouched.
    pub(super) fn expand_value(&self, value: &mut Value) {
        match value {
            Value::String(text) if text.contains('$') => *text = self.expand(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.expand_value(item)),
            Value::Object(members) => members.values_mut().for_each(|m| self.expand_value(m)),
            _ => {}
        }
    }
}

/// The variable at the start of a text that begins with `$`: as written, and its name (empty when
/// this `$` starts none).
fn variable_at(text: &str) -> (&str, &str) {
    let after = &text[1..];
    if let Some(braced) = after.strip_prefix('{')
        && let Some(end) = braced.find('}')
    {
        return (&text[..end + 3], &braced[..end]);
    }
    let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len());
    (&text[..=end], &after[..end])
}

fn unquote(value: &str) -> &str {
    for quote in ['"', '\''] {
        if let Some(inner) = value.strip_prefix(quote).and_then(|v| v.strip_suffix(quote)) {
            return inner;
        }
    }
    // An unquoted value ends where a comment begins.
    value.split_once(" #").map_or(value, |(value, _)| value.trim_end())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn expansion_table() {
        let variables: Variables =
            [("A", "1"), ("B_2", "two"), ("upstream", "no"), ("M.x", "dot")].into_iter().collect();
        let table = [
            ("", ""),
            ("plain", "plain"),
            ("$A", "1"),
            ("x${A}y$B_2-z", "x1ytwo-z"),
            ("${M.x}", "dot"),
            ("$C ${C}", "$C ${C}"),
            ("INTO $upstream", "INTO $upstream"),
            ("$", "$"),
            ("$$A", "$1"),
            ("${A", "${A"),
            ("é$A", "é1"),
        ];
        for (text, expected) in table {
            assert_eq!(variables.expand(text), expected, "{text}");
        }
    }

    #[test]
    fn env_file_lines() {
        let text = "# note\nA=1\n export B = \"two words\" \nC='#x'\nD=v # note\nE=\nnothing\n";
        let variables = Variables::from_env_text(text);
        assert_eq!(variables.expand("$A|$B|$C|$D|$E|$F"), "1|two words|#x|v||$F");
        let variables = variables.with_environment([("A".to_owned(), "env".to_owned())]);
        assert_eq!(variables.expand("$A"), "env");
        assert!(!format!("{variables:?}").contains("two words"));
    }

    proptest! {
        /// Without variables every text stays as it is.
        #[test]
        fn unknown_variables_stay(text in "[$a{}é._ ]{0,20}") {
            prop_assert_eq!(Variables::default().expand(&text), text);
        }
    }
}
