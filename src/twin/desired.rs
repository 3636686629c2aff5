//! Reads the one desired property from a twin document or a patch: text in, a change out.

use serde_json::Value;

use crate::threshold::Threshold;

/// The desired property, as the tutorials name it.
pub(crate) const PROPERTY: &str = "TemperatureThreshold";

/// What a document or patch asks for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Change {
    /// Nothing about the property.
    None,
    /// A usable value.
    Set(Threshold),
    /// The property is gone: absent from a document, or `null` in a patch (RFC 7386).
    Removed,
    /// An unusable value; the text says what it is and what is wanted.
    Bad(String),
}

/// The change and the version it came with.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Desired {
    pub(crate) change: Change,
    pub(crate) version: Option<u64>,
}

impl Desired {
    /// A patch body; the topic's version stands in where the body has none.
    pub(crate) fn from_patch(body: &[u8], topic_version: Option<u64>) -> Self {
        let patch = match serde_json::from_slice(body) {
            Ok(Value::Object(patch)) => patch,
            Ok(other) => {
                let problem = format!("the patch must be an object, not {}", kind(&other));
                return Self { change: Change::Bad(problem), version: topic_version };
            }
            Err(error) => {
                let problem = format!("the patch is not JSON: {error}");
                return Self { change: Change::Bad(problem), version: topic_version };
            }
        };
        let version = patch.get("$version").and_then(Value::as_u64).or(topic_version);
        let change = match patch.get(PROPERTY) {
            None => Change::None,
            Some(Value::Null) => Change::Removed,
            Some(value) => read(value),
        };
        Self { change, version }
    }

    /// A whole document. A `null` here is a value like any other and a bad one: a hub deletes
    /// what a patch sets to `null`, so a document has no business to hold it.
    pub(crate) fn from_document(body: &[u8]) -> Result<Self, String> {
        let document: Value =
            serde_json::from_slice(body).map_err(|error| format!("not JSON: {error}"))?;
        let desired = document
            .get("desired")
            .and_then(Value::as_object)
            .ok_or("the document has no object \"desired\"")?;
        let version = desired.get("$version").and_then(Value::as_u64);
        let change = match desired.get(PROPERTY) {
            Some(value) => read(value),
            // A hub that has not seen the cloud yet answers with an empty twin: that is no news.
            None if version.is_none() => Change::None,
            None => Change::Removed,
        };
        Ok(Self { change, version })
    }
}

fn read(value: &Value) -> Change {
    let threshold = value.as_f64().and_then(Threshold::new);
    threshold.map_or_else(
        || Change::Bad(format!("{PROPERTY} must be a finite number, not {}", kind(value))),
        Change::Set,
    )
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number out of range",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
