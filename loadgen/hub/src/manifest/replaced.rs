//! What a later text drops without a word, where a whole value takes the place of an object.

use serde_json::{Map, Value};

use super::reading::Reading;

/// Most dropped members that a warning names.
const NAMED_MAX: usize = 5;
/// Most characters of a dropped member's path in a warning.
const NAME_CHARS_MAX: usize = 80;
const OPTIONS: &str = "createOptions";

/// Members that are gone: the paths of the first ones below the place, and how many there are.
#[derive(Default)]
struct Dropped {
    named: Vec<String>,
    count: usize,
}

/// Warns at `path` when `after` has not all members of the object `before`; one that it gives as
/// null is taken away on purpose. `advice` says how to keep them.
pub(super) fn check(
    before: Option<&Value>,
    after: &Value,
    (path, advice): (&str, &str),
    reading: &mut Reading<'_>,
) {
    let Some(before) = before.filter(|_| !after.is_null()) else { return };
    let mut dropped = Dropped::default();
    let name = path.rsplit('.').next().unwrap_or_default();
    dropped.compare(name, before, after, &mut Vec::new());
    if dropped.count > 0 {
        let text = format!(
            "takes the place of all that was said here before, and drops {}: {advice}",
            dropped.words()
        );
        reading.warn(path, &text);
    }
}

impl Dropped {
    /// Compares what has one name before and after; `way` leads there.
    fn compare<'v>(
        &mut self,
        name: &str,
        before: &'v Value,
        after: &Value,
        way: &mut Vec<&'v str>,
    ) {
        let Some(before) = before.as_object() else { return };
        let read_text;
        let after = match after {
            Value::Object(members) => Some(members),
            // The short forms that a manifest has for an object.
            Value::String(text) if name == OPTIONS => {
                read_text = serde_json::from_str::<Map<String, Value>>(text).unwrap_or_default();
                Some(&read_text)
            }
            Value::String(_) if before.contains_key("route") => {
                read_text = Map::from_iter([("route".to_owned(), Value::Null)]);
                Some(&read_text)
            }
            _ => None,
        };
        for (name, value) in before {
            way.push(name);
            match after.and_then(|members| members.get(name)) {
                _ if value.is_null() => {}
                Some(Value::Null) => {}
                Some(after) => self.compare(name, value, after, way),
                None if after.is_some_and(|members| is_part(name, members)) => {}
                None => self.note(way),
            }
            way.pop();
        }
    }

    fn note(&mut self, way: &[&str]) {
        self.count += 1;
        if self.named.len() < NAMED_MAX {
            let path = way.join(".");
            let is_cut = path.chars().nth(NAME_CHARS_MAX).is_some();
            let shown: String = path.chars().take(NAME_CHARS_MAX).collect();
            self.named.push(format!("`{shown}{}`", if is_cut { "…" } else { "" }));
        }
    }

    fn words(&self) -> String {
        let named = self.named.join(", ");
        match self.count - self.named.len() {
            0 => named,
            more => format!("{named} and {more} more"),
        }
    }
}

/// Whether a member is a further part of options that are given anew, and fewer.
fn is_part(name: &str, members: &Map<String, Value>) -> bool {
    name.starts_with(OPTIONS) && members.contains_key(OPTIONS)
}
