//! `${VAR}` and `$VAR` in templates, from the environment and a `.env` file.
//!
//! The file is read by the rules that the tools of IoT Edge share, and by no crate: dotenvy refuses
//! `C:\data` and values with blanks, takes the lines after a lone `'` for one value, and replaces
//! `$` in passwords. Those tools take all of them as they stand.

use std::collections::BTreeMap;
use std::fmt;

/// Names behind `$` that are no variables: a sink, and the two system modules.
const NO_VARIABLES: [&str; 3] = ["upstream", "edgeHub", "edgeAgent"];

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

/// A variable without a value, as it stands in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unset<'a> {
    /// `$NAME` or `${NAME}`.
    pub(super) token: &'a str,
    pub(super) name: &'a str,
}

impl Unset<'_> {
    /// Whether this is surely meant as a variable: `$5` and `$body.x` may be plain text.
    pub(super) fn is_plain(&self) -> bool {
        let upper = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        self.token.starts_with("${") || self.name.chars().all(upper)
    }
}

impl Variables {
    /// Reads the lines of a `.env` file: `NAME=value`, optionally after `export`, the value in
    /// quotation marks or not. Comments, empty lines and lines without `=` are skipped.
    pub fn from_env_text(text: &str) -> Self {
        text.trim_start_matches('\u{feff}').lines().filter_map(env_line).collect()
    }

    /// The same with the environment laid over: what the caller sets wins over the file.
    pub fn with_environment(mut self, pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        self.0.extend(pairs);
        self
    }

    /// The value of a variable.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Replaces variables in one text; an unknown one stays as it is. `$upstream` is a sink, never
    /// a variable.
    pub fn expand(&self, text: &str) -> String {
        self.expand_noting(text, |_| {})
    }

    /// As [`Variables::expand`], and tells every variable that has no value.
    pub(super) fn expand_noting<'a>(
        &self,
        text: &'a str,
        mut unset: impl FnMut(Unset<'a>),
    ) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(dollar) = rest.find('$') {
            out.push_str(&rest[..dollar]);
            rest = &rest[dollar..];
            let (token, name) = variable_at(rest);
            match self.get(name).filter(|_| !name.is_empty()) {
                Some(value) => out.push_str(value),
                None => {
                    out.push_str(token);
                    if !name.is_empty() {
                        unset(Unset { token, name });
                    }
                }
            }
            rest = &rest[token.len()..];
        }
        out.push_str(rest);
        out
    }
}

/// The variable at the start of a text that begins with `$`: as written, and its name (empty when
/// this `$` starts none).
pub(super) fn variable_at(text: &str) -> (&str, &str) {
    let after = &text[1..];
    let (token, name) = match after.strip_prefix('{').and_then(|braced| braced.split_once('}')) {
        Some((name, _)) => (&text[..name.len() + 3], name),
        None => {
            let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let end = after.find(|c| !word(c)).unwrap_or(after.len());
            (&text[..=end], &after[..end])
        }
    };
    let is_name = !name.contains(|c: char| c.is_whitespace() || "\"'{$".contains(c))
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && !NO_VARIABLES.iter().any(|no| no.eq_ignore_ascii_case(name));
    (token, if is_name { name } else { "" })
}

fn env_line(line: &str) -> Option<(&str, String)> {
    let line = line.trim();
    let exported = line.strip_prefix("export").filter(|rest| rest.starts_with([' ', '\t']));
    let line = exported.map_or(line, str::trim_start);
    let (name, value) = line.split_once('=')?;
    let name = name.trim_end();
    (!name.is_empty() && !name.starts_with('#')).then(|| (name, env_value(value.trim())))
}

/// A value without its quotation marks and without a comment behind it.
fn env_value(value: &str) -> String {
    let quoted = match value.chars().next() {
        Some('\'') => value[1..].split_once('\'').map(|(inner, rest)| (inner.to_owned(), rest)),
        Some('"') => unescaped(&value[1..]),
        _ => None,
    };
    if let Some((inner, rest)) = quoted
        && (rest.is_empty() || rest.trim_start().starts_with('#'))
    {
        return inner;
    }
    // An unquoted value ends where a comment begins.
    let comment = value.match_indices('#').map(|(at, _)| at);
    let blank_before = |at: &usize| value[..*at].ends_with([' ', '\t']);
    let end = comment.filter(|at| *at == 0 || blank_before(at)).min().unwrap_or(value.len());
    value[..end].trim_end().to_owned()
}

/// The text up to the closing `"`, with `\n`, `\r`, `\t`, `\"` and `\\` read, and what follows it.
fn unescaped(text: &str) -> Option<(String, &str)> {
    let mut out = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((out, &text[at + 1..])),
            '\\' => match chars.next()?.1 {
                'n' => out.push('\n'),
                'r' => out.push('\r'),
                't' => out.push('\t'),
                c @ ('"' | '\\') => out.push(c),
                other => out.extend(['\\', other]),
            },
            c => out.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn expansion_table() {
        let variables: Variables =
            [("A", "1"), ("B_2", "two"), ("upstream", "no"), ("M.x", "dot"), ("5", "no")]
                .into_iter()
                .collect();
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
            ("$5 and $edgeHub", "$5 and $edgeHub"),
            ("${ A }${}", "${ A }${}"),
        ];
        for (text, expected) in table {
            assert_eq!(variables.expand(text), expected, "{text}");
        }
    }

    #[test]
    fn env_file_lines() {
        let text = "\u{feff}# note\r\nA=1\n export B = \"two words\" \nC='#x'\nD=v # note\nE=\n\
            nothing\nF=\"q\\\"\\n\" # note\n\
            G=it's C:\\data\nH=a#b\nI='a' b\nJ= # empty\nexport\tL=1\n=x\nK=p$w\n";
        let variables = Variables::from_env_text(text);
        let table = [
            ("A", "1"),
            ("B", "two words"),
            ("C", "#x"),
            ("D", "v"),
            ("E", ""),
            ("F", "q\"\n"),
            ("G", "it's C:\\data"),
            ("H", "a#b"),
            ("I", "'a' b"),
            ("J", ""),
            ("K", "p$w"),
            ("L", "1"),
        ];
        for (name, value) in table {
            assert_eq!(variables.get(name), Some(value), "{name}");
        }
        assert_eq!(variables.0.len(), table.len());
        let variables = variables.with_environment([("A".to_owned(), "env".to_owned())]);
        assert_eq!(variables.expand("$A"), "env");
        assert!(!format!("{variables:?}").contains("two words"));
    }

    #[test]
    fn variables_without_a_value_are_noted() {
        let mut unset = Vec::new();
        Variables::default()
            .expand_noting("$A ${b} $c $5 $upstream $", |v| unset.push((v.token, v.is_plain())));
        assert_eq!(unset, [("$A", true), ("${b}", true), ("$c", false)]);
    }

    proptest! {
        /// Without variables every text stays as it is.
        #[test]
        fn unknown_variables_stay(text in "[$a{}é._ ]{0,20}") {
            prop_assert_eq!(Variables::default().expand(&text), text);
        }

        /// No line makes the reader panic.
        #[test]
        fn every_line_is_read(text in "[A=\"'\\\\#n é\n]{0,20}") {
            let _ = Variables::from_env_text(&text);
        }
    }
}
