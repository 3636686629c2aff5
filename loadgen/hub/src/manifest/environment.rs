//! The variables that a deployment gives a module: `env`, and `Env` of its `createOptions`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::placeholders::{self, Read};
use super::reading::Reading;

/// Parts over which `createOptions` may be split: `createOptions`, `createOptions01` … `07`.
const CREATE_OPTIONS_PARTS: usize = 8;

/// The module's `env`.
pub(super) fn parse_env(
    env: Option<&Value>,
    path: &str,
    reading: &mut Reading<'_>,
) -> BTreeMap<String, String> {
    let members = match env {
        Some(Value::Object(members)) => members,
        None | Some(Value::Null) => return BTreeMap::new(),
        Some(_) => {
            reading.error(path, "must be an object of {\"NAME\": {\"value\": …}}");
            return BTreeMap::new();
        }
    };
    let mut env = BTreeMap::new();
    for (name, member) in members {
        let path = format!("{path}.{name}");
        if name.is_empty() || name.contains(['=', '\0']) {
            reading.error(&path, "a variable's name is not empty and has neither `=` nor NUL");
        }
        let text = match member.get("value") {
            Some(Value::String(text)) => reading.expand(&format!("{path}.value"), text),
            Some(value @ (Value::Number(_) | Value::Bool(_))) => value.to_string(),
            // A layer may remove a variable by null.
            None if member.is_null() => continue,
            _ => {
                reading.error(&path, "must be {\"value\": a string, number or boolean}");
                continue;
            }
        };
        if text.contains('\0') {
            reading.error(&path, "a variable's value has no NUL: leave it out");
        }
        env.insert(name.clone(), text);
    }
    env
}

/// `Env` of the create options: `["NAME=value"]`. The container engine gets it as it is, so what is
/// wrong with it is told and left out.
pub(super) fn of_create_options(
    options: &Value,
    path: &str,
    reading: &mut Reading<'_>,
) -> BTreeMap<String, String> {
    let mut env = BTreeMap::new();
    let path = format!("{path}.Env");
    let lines = match options.get("Env") {
        Some(Value::Array(lines)) => lines,
        None | Some(Value::Null) => return env,
        Some(_) => {
            reading.warn(&path, "must be a list of \"NAME=value\": ignored");
            return env;
        }
    };
    for (index, line) in lines.iter().enumerate() {
        let path = format!("{path}[{index}]");
        let line = line.as_str().map(|line| reading.expand(&path, line));
        let pair = line.as_deref().and_then(|line| line.split_once('='));
        match pair.filter(|(name, value)| !name.is_empty() && !value.contains('\0')) {
            Some((name, value)) => {
                env.insert(name.to_owned(), value.to_owned());
            }
            None => reading.warn(&path, "must be \"NAME=value\": ignored"),
        }
    }
    env
}

/// An object, or text of an object, the text possibly split into numbered parts.
pub(super) fn parse_create_options(
    settings: &Map<String, Value>,
    path: &str,
    reading: &mut Reading<'_>,
) -> Value {
    let path = format!("{path}.createOptions");
    let empty = Value::Object(Map::new());
    let first = match settings.get("createOptions") {
        Some(object @ Value::Object(_)) => {
            check_parts(settings, 1, "`createOptions` itself is no string", &path, reading);
            return object.clone();
        }
        Some(Value::String(text)) => text,
        None | Some(Value::Null) => {
            check_parts(settings, 1, "`createOptions` itself is no string", &path, reading);
            return empty;
        }
        Some(_) => {
            reading.error(&path, "must be an object, or a string that holds one");
            return empty;
        }
    };
    let text = joined(first, settings, &path, reading);
    if text.trim().is_empty() {
        return empty;
    }
    match placeholders::read(&text, reading.variables(&path)) {
        Read::Value(object @ Value::Object(_), twice) => {
            for member in twice {
                let text = "given twice in the string: the last one counts; remove the other";
                reading.warn(&format!("{path}.{member}"), text);
            }
            return object;
        }
        Read::Value(..) => reading.error(&path, "the string must hold a JSON object"),
        // Lines of the string are not those of the file.
        Read::Unset(problems) => {
            for (member, text) in problems {
                let dot = if member.is_empty() { "" } else { "." };
                reading.error(&format!("{path}{dot}{member}"), &text.replace(" (line 1)", ""));
            }
        }
        Read::NotJson(problem) => reading.error(&path, &format!("the string is {problem}")),
    }
    empty
}

/// All parts of the text.
fn joined(
    first: &str,
    settings: &Map<String, Value>,
    path: &str,
    reading: &mut Reading<'_>,
) -> String {
    let mut text = first.to_owned();
    for part in 1..CREATE_OPTIONS_PARTS {
        match settings.get(&format!("createOptions{part:02}")) {
            Some(Value::String(more)) => text.push_str(more),
            Some(_) => reading.error(&format!("{path}{part:02}"), "must be a string"),
            None => {
                let why = format!("the part createOptions{part:02} before it is missing");
                check_parts(settings, part, &why, path, reading);
                return text;
            }
        }
    }
    let why = format!("there are at most {CREATE_OPTIONS_PARTS} parts, the last is 07");
    check_parts(settings, CREATE_OPTIONS_PARTS, &why, path, reading);
    text
}

/// Parts that are not read, from number `first` on.
fn check_parts(
    settings: &Map<String, Value>,
    first: usize,
    why: &str,
    path: &str,
    reading: &mut Reading<'_>,
) {
    let number = |name: &String| name.strip_prefix("createOptions")?.parse::<usize>().ok();
    for part in settings.keys().filter_map(number).filter(|part| *part >= first) {
        reading.error(&format!("{path}{part:02}"), &format!("not read: {why}"));
    }
}
