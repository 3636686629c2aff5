//! The last layer but the defaults: a TOML file.

use std::path::Path;

use super::super::{PREFIX, Spec, names};
use super::Layers;
use crate::host::files::{self, SETTINGS_BYTES_MAX};
use crate::host::text::{nearest, shown};
use crate::settings::SWITCH;

impl Layers {
    /// Reads the file at `path`, which `config` names.
    pub(super) fn read_file(&mut self, path: &Path, config: &Spec) {
        let shown = path.display();
        let text = match files::read_text(path, SETTINGS_BYTES_MAX) {
            Ok(text) => text,
            Err(problem) => {
                let source = self.source_or_default(config);
                return self.problem(format!("{source}: cannot read {shown}: {problem}"));
            }
        };
        let table: toml::Table = match text.parse() {
            Ok(table) => table,
            Err(error) => return self.problem(format!("{shown}{}", toml_problem(&text, &error))),
        };
        for (key, value) in table {
            let spec = self.table.iter().find(|spec| spec.key() == key && !spec.is_env_only);
            let Some(spec) = spec.filter(|spec| spec.name != config.name) else {
                let problem = self.no_such_key(&key, &value, config);
                self.problems.push(format!("{shown}: {problem}"));
                continue;
            };
            let texts = match value {
                toml::Value::Array(values) if spec.is_list => {
                    values.into_iter().map(scalar).collect()
                }
                toml::Value::Boolean(value) if spec.value == SWITCH => {
                    Some(vec![value.to_string()])
                }
                value => scalar(value).map(|text| vec![text]),
            };
            let Some(texts) = texts.filter(|texts: &Vec<String>| !texts.is_empty()) else {
                let wanted = match spec.value {
                    _ if spec.is_list => "a string or a list of at least one string",
                    SWITCH => "true or false",
                    _ => "a string or a number",
                };
                self.problems.push(format!("{shown}: {key} must be {wanted}"));
                continue;
            };
            self.give(spec, texts, format!("{shown}: {key}"));
        }
    }

    /// What to do about a key of the file that is none.
    fn no_such_key(&self, key: &str, value: &toml::Value, config: &Spec) -> String {
        let none = format!("there is no setting {:?} in a file", shown(key));
        let is_meant = |spec: &&Spec| spec.key() == key || spec.env.eq_ignore_ascii_case(key);
        match self.table.iter().find(is_meant) {
            Some(spec) if spec.is_env_only => {
                return format!("{none}: it is taken from the environment alone, as {}", spec.env);
            }
            Some(spec) if spec.name != config.name => {
                return format!("{none}: write {}", spec.key());
            }
            _ => {}
        }
        let rows = self.table.iter();
        let keys = rows.filter(|spec| !spec.is_env_only && spec.name != config.name);
        let keys: Vec<_> = keys.map(|spec| (names::word(spec.name, ""), spec)).collect();
        // All that variables begin with, too.
        let word = names::word(key, PREFIX);
        match nearest(&word, keys.iter().map(|(word, spec)| (word.as_str(), *spec))) {
            Some(spec) => format!("{none}: did you mean {}?", spec.key()),
            None if value.is_table() => format!("{none}: settings stand outside of any [table]"),
            None => format!("{none}: --help lists the flags, whose names are the keys"),
        }
    }
}

fn scalar(value: toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Float(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Where and why a text is not TOML. The error's own text shows the line, which may hold a secret
/// that somebody put into the file without quotation marks.
fn toml_problem(text: &str, error: &toml::de::Error) -> String {
    let place = error.span().and_then(|span| text.get(..span.start)).map(|before| {
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = before.matches('\n').count() + 1;
        format!(" line {line}, column {}", before[line_start..].chars().count() + 1)
    });
    format!("{} is not TOML: {}", place.unwrap_or_default(), error.message())
}
