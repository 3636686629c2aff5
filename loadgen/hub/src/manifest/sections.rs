//! One section of a file: a module's desired properties, as a whole or by places below them.

use serde_json::{Map, Value};

use super::members::{DESIRED, misplaced};
use super::reading::Reading;
use super::replaced;

/// A section's desired properties: as a whole, and by places below them.
#[derive(Default)]
pub(super) struct DesiredSection {
    pub(super) whole: Option<Value>,
    pub(super) dotted: Vec<(String, Value)>,
}

impl DesiredSection {
    /// Both as one value.
    pub(super) fn joined(self, path: &str, reading: &mut Reading<'_>) -> Value {
        let mut desired = self.whole.unwrap_or_else(|| Map::new().into());
        for (place, value) in self.dotted {
            put(&mut desired, &place, value, path, reading);
        }
        desired
    }
}

/// A section's desired properties; tells of everything else in it.
pub(super) fn read_section(
    section: Value,
    path: &str,
    reading: &mut Reading<'_>,
) -> DesiredSection {
    let Value::Object(mut members) = section else {
        reading.error(path, &format!("must be an object with `{DESIRED}`"));
        return DesiredSection::default();
    };
    let mut read = DesiredSection { whole: members.remove(DESIRED), dotted: Vec::new() };
    for (name, value) in members {
        if let Some(place) = name.strip_prefix(DESIRED).and_then(|rest| rest.strip_prefix('.')) {
            read.dotted.push((place.to_owned(), value));
        } else if name == "properties" && value.is_object() {
            read_nested(value, path, &mut read, reading);
        } else {
            misplaced(&name, &value, path, reading);
        }
    }
    read
}

/// `"properties": {"desired": …}`, as a twin document has it.
fn read_nested(nest: Value, path: &str, read: &mut DesiredSection, reading: &mut Reading<'_>) {
    let path = format!("{path}.properties");
    let Value::Object(members) = nest else { return };
    for (name, value) in members {
        if name != "desired" {
            misplaced(&name, &value, &path, reading);
        } else if read.whole.is_some() {
            let text = format!("stands beside `{DESIRED}`: leave one of them out");
            reading.error(&format!("{path}.desired"), &text);
        } else {
            let text = format!("IoT Hub takes one member `{DESIRED}` alone: write it so");
            reading.warn(&path, &text);
            read.whole = Some(value);
        }
    }
}

/// Puts a value at a dotted place of the section at `path`; tells of what that drops, or of what is
/// wrong with the place. Whether it is there now.
pub(super) fn put(
    desired: &mut Value,
    place: &str,
    value: Value,
    path: &str,
    reading: &mut Reading<'_>,
) -> bool {
    let path = format!("{path}.{DESIRED}.{place}");
    let parts: Vec<&str> = place.split('.').collect();
    let before = parts.iter().try_fold(&*desired, |holder, part| holder.get(*part));
    let advice = format!("write `{DESIRED}.{place}.MEMBER` to change one and keep the others");
    replaced::check(before, &value, (&path, &advice), reading);
    let put = insert(desired, &parts, value);
    if let Err(problem) = &put {
        reading.error(&path, problem);
    }
    put.is_ok()
}

/// Puts a value at a place, and makes the objects on the way.
///
/// # Errors
/// What is wrong with the place.
fn insert(target: &mut Value, parts: &[&str], value: Value) -> Result<(), String> {
    let Some((last, way)) = parts.split_last().filter(|_| !parts.contains(&"")) else {
        return Err("a name between two dots is missing".to_owned());
    };
    let mut holder = target;
    let mut name = DESIRED;
    let in_the_way = |name: &str| format!("`{name}` is no object there: give it as a whole");
    for part in way {
        let members = holder.as_object_mut().ok_or_else(|| in_the_way(name))?;
        holder = members.entry(*part).or_insert(Value::Null);
        if holder.is_null() {
            *holder = Map::new().into();
        }
        name = part;
    }
    holder.as_object_mut().ok_or_else(|| in_the_way(name))?.insert((*last).to_owned(), value);
    Ok(())
}
