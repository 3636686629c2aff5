//! The authority: reads a body by the letter of JSON, keeping every number's own text.
//!
//! It decides whatever the others decline, refuse or cannot represent, and is the twin that they
//! are tested against. It never recurses over the body, so nesting costs memory in
//! proportion to the body and no stack.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{Found, JsonPath, Malformed, Number};

/// What stands at `path` in `body`, after checking all of `body`.
///
/// # Errors
/// `NotUtf8` or `NotJson`; a value that is not a number is found, not an error.
pub(super) fn find<'a>(body: &'a [u8], path: &JsonPath) -> Result<Found<'a>, Malformed> {
    let text = str::from_utf8(body).map_err(|_| Malformed::NotUtf8)?;
    let Some((outermost, inner)) = path.members().split_first() else {
        return Ok(Found::Absent);
    };
    let mut value = whole(text, outermost).map_err(|_| Malformed::NotJson)?;
    for name in inner {
        value = value.and_then(|value| last_member(value, name));
    }
    Ok(value.map_or(Found::Absent, classify))
}

/// Checks all of `text` and finds the last member called `name` on the way.
fn whole<'a>(text: &'a str, name: &str) -> serde_json::Result<Option<&'a str>> {
    let mut json = serde_json::Deserializer::from_str(text);
    let is_object = text.trim_start_matches([' ', '\n', '\r', '\t']).starts_with('{');
    let member = if is_object {
        json.deserialize_map(LastMember { name })?
    } else {
        IgnoredAny::deserialize(&mut json)?;
        None
    };
    json.end()?;
    Ok(member)
}

/// Tells a number from anything else by its first character; `value` is valid JSON.
fn classify(value: &str) -> Found<'_> {
    match value.as_bytes().first() {
        Some(b'-' | b'0'..=b'9') => Found::Number(Number::from_json(value)),
        _ => Found::NotANumber,
    }
}

/// The text of the last member called `name`; none when `value`, which is valid JSON, is not an
/// object or has no such member.
fn last_member<'a>(value: &'a str, name: &str) -> Option<&'a str> {
    if !value.starts_with('{') {
        return None;
    }
    let mut object = serde_json::Deserializer::from_str(value);
    object.deserialize_map(LastMember { name }).ok().flatten()
}

/// Walks one object and keeps the last value that stands under `name`.
struct LastMember<'n> {
    name: &'n str,
}

impl<'de> Visitor<'de> for LastMember<'_> {
    type Value = Option<&'de str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut last = None;
        while let Some(key) = members.next_key::<&'de RawValue>()? {
            if key_is(key.get(), self.name) {
                last = Some(members.next_value::<&'de RawValue>()?.get());
            } else {
                members.next_value::<IgnoredAny>()?;
            }
        }
        Ok(last)
    }
}

/// Whether `key`, a JSON string with its quotes, spells `name`.
///
/// A key with a lone surrogate spells no name at all: names are Unicode text.
fn key_is(key: &str, name: &str) -> bool {
    if key.contains('\\') {
        return serde_json::from_str::<String>(key).is_ok_and(|key| key == name);
    }
    key.strip_prefix('"').and_then(|key| key.strip_suffix('"')) == Some(name)
}
