//! One twin: desired and reported properties, their versions, merge and limits (IoT Hub: twins).
//!
//! Patches go in, the merged document and the body of a desired patch come out. Pure: no clock, no
//! I/O. Every limit below is checked before anything changes, so a refused patch leaves no trace.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use thiserror::Error;

/// Deepest nesting: a value may sit inside this many objects or arrays below the section.
pub const DEPTH_LIMIT: usize = 10;
/// Longest key, in UTF-8 bytes.
pub const KEY_BYTES_LIMIT: usize = 1024;
/// Longest string value, in UTF-8 bytes.
pub const STRING_BYTES_LIMIT: usize = 4096;
/// Largest size of each section, keys and values counted, in bytes.
pub const SECTION_BYTES_LIMIT: usize = 32 * 1024;
/// Integers from `-INTEGER_LIMIT` up to `INTEGER_LIMIT - 1` are accepted.
pub const INTEGER_LIMIT: i64 = 1 << 52;

/// Why a document was refused: a client sees status 400 (IoT Hub: invalid document).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TwinError {
    /// The patch, or the document, is not a JSON object.
    #[error("a twin document must be a JSON object")]
    NotAnObject,
    /// Nesting beyond [`DEPTH_LIMIT`].
    #[error("`{0}` is nested deeper than {DEPTH_LIMIT} levels")]
    TooDeep(String),
    /// An empty or overlong key, or one with a control character, `.`, `$`, `#` or space.
    #[error(
        "`{0}` is not a property name: 1 to {KEY_BYTES_LIMIT} bytes without control characters, \
         `.`, `$`, `#` and space"
    )]
    Key(String),
    /// A string longer than [`STRING_BYTES_LIMIT`].
    #[error("the string at `{0}` is longer than {STRING_BYTES_LIMIT} bytes")]
    StringTooLong(String),
    /// An integer outside -2^52 ..= 2^52 - 1.
    #[error("the integer at `{0}` is outside -2^52 to 2^52 - 1")]
    IntegerRange(String),
    /// `null` inside an array.
    #[error("the array at `{0}` holds null")]
    NullInArray(String),
    /// The section would exceed [`SECTION_BYTES_LIMIT`].
    #[error("the section would be {0} bytes long; at most {SECTION_BYTES_LIMIT} are kept")]
    TooLarge(usize),
}

impl TwinError {
    /// Status of the twin response: always 400.
    pub fn status(&self) -> u32 {
        400
    }
}

/// One section with its version, which grows by one with each accepted patch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Section {
    version: u64,
    properties: Map<String, Value>,
}

impl Default for Section {
    fn default() -> Self {
        // The service numbers the sections of a new twin 1.
        Self { version: 1, properties: Map::new() }
    }
}

/// A twin as the hub stores it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TwinDocument {
    desired: Section,
    reported: Section,
}

impl TwinDocument {
    /// A new twin with these desired properties; both sections have version 1.
    ///
    /// # Errors
    /// [`TwinError`] when a limit is exceeded.
    pub fn new(desired: &Value) -> Result<Self, TwinError> {
        let mut twin = Self::default();
        twin.desired.merge(&without_service_members(desired)?)?;
        twin.desired.version = 1;
        Ok(twin)
    }

    /// The twin of another module of the same name whose desired properties have come to `version`.
    ///
    /// # Errors
    /// [`TwinError`] when a limit is exceeded.
    pub fn at_version(desired: &Value, version: u64) -> Result<Self, TwinError> {
        let mut twin = Self::new(desired)?;
        twin.desired.version = version;
        Ok(twin)
    }

    /// The answer to a twin GET: `{"desired":{…,"$version":n},"reported":{…,"$version":m}}`.
    pub fn document(&self) -> Value {
        let section = |s: &Section| with_version(s.properties.clone(), s.version);
        json!({ "desired": section(&self.desired), "reported": section(&self.reported) })
    }

    /// The desired properties without `$version`.
    pub fn desired(&self) -> &Map<String, Value> {
        &self.desired.properties
    }

    /// The reported properties without `$version`.
    pub fn reported(&self) -> &Map<String, Value> {
        &self.reported.properties
    }

    /// Version of the desired section.
    pub fn desired_version(&self) -> u64 {
        self.desired.version
    }

    /// Version of the reported section.
    pub fn reported_version(&self) -> u64 {
        self.reported.version
    }

    /// Merges a patch into the desired section: objects merge, `null` deletes, everything else
    /// replaces (RFC 7386). Gives the body to send to the module: the patch with its `$version`.
    /// `$version` and `$metadata` in the patch are ignored, as the service does.
    ///
    /// # Errors
    /// [`TwinError`]; the twin is unchanged.
    pub fn patch_desired(&mut self, patch: &Value) -> Result<Value, TwinError> {
        let patch = without_service_members(patch)?;
        self.desired.merge(&patch)?;
        Ok(with_version(patch, self.desired.version))
    }

    /// Merges a patch into the reported section and gives the section's new version.
    ///
    /// # Errors
    /// [`TwinError`]; the twin is unchanged.
    pub fn patch_reported(&mut self, patch: &Value) -> Result<u64, TwinError> {
        let patch = patch.as_object().ok_or(TwinError::NotAnObject)?;
        self.reported.merge(patch)?;
        Ok(self.reported.version)
    }
}

impl Section {
    fn merge(&mut self, patch: &Map<String, Value>) -> Result<(), TwinError> {
        check_members(patch, 0, "")?;
        let mut merged = self.properties.clone();
        merge_members(&mut merged, patch);
        // A patch of legal depth cannot deepen the document past the limit: each path of the
        // result is a path of the patch or of the old document. Only the size must be summed.
        let size = members_size(&merged);
        if size > SECTION_BYTES_LIMIT {
            return Err(TwinError::TooLarge(size));
        }
        self.properties = merged;
        self.version += 1;
        Ok(())
    }
}

fn with_version(mut members: Map<String, Value>, version: u64) -> Value {
    members.insert("$version".to_owned(), version.into());
    Value::Object(members)
}

fn without_service_members(patch: &Value) -> Result<Map<String, Value>, TwinError> {
    let mut members = patch.as_object().ok_or(TwinError::NotAnObject)?.clone();
    members.remove("$version");
    members.remove("$metadata");
    Ok(members)
}

/// RFC 7386 on two objects.
fn merge_members(target: &mut Map<String, Value>, patch: &Map<String, Value>) {
    for (key, value) in patch {
        match value {
            Value::Null => {
                target.remove(key);
            }
            Value::Object(members) => {
                let slot = target.entry(key.clone()).or_insert(Value::Null);
                if !slot.is_object() {
                    *slot = Value::Object(Map::new());
                }
                if let Value::Object(slot) = slot {
                    merge_members(slot, members);
                }
            }
            _ => {
                target.insert(key.clone(), value.clone());
            }
        }
    }
}

fn check_members(members: &Map<String, Value>, depth: usize, path: &str) -> Result<(), TwinError> {
    for (key, value) in members {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        if !key_valid(key) {
            return Err(TwinError::Key(path));
        }
        check_value(value, depth, &path)?;
    }
    Ok(())
}

fn key_valid(key: &str) -> bool {
    !key.is_empty()
        && key.len() <= KEY_BYTES_LIMIT
        && !key.chars().any(|c| c.is_control() || matches!(c, '.' | '$' | '#' | ' '))
}

fn check_value(value: &Value, depth: usize, path: &str) -> Result<(), TwinError> {
    if (value.is_object() || value.is_array()) && depth == DEPTH_LIMIT {
        return Err(TwinError::TooDeep(path.to_owned()));
    }
    match value {
        Value::Null | Value::Bool(_) => Ok(()),
        Value::String(text) if text.len() > STRING_BYTES_LIMIT => {
            Err(TwinError::StringTooLong(path.to_owned()))
        }
        Value::String(_) => Ok(()),
        Value::Number(number) => {
            let integer_in_range =
                number.as_i64().is_some_and(|n| (-INTEGER_LIMIT..INTEGER_LIMIT).contains(&n));
            if number.is_f64() || integer_in_range {
                Ok(())
            } else {
                Err(TwinError::IntegerRange(path.to_owned()))
            }
        }
        Value::Array(items) => items.iter().enumerate().try_for_each(|(index, item)| {
            if item.is_null() {
                return Err(TwinError::NullInArray(path.to_owned()));
            }
            check_value(item, depth + 1, &format!("{path}[{index}]"))
        }),
        Value::Object(members) => check_members(members, depth + 1, path),
    }
}

fn members_size(members: &Map<String, Value>) -> usize {
    members.iter().map(|(key, value)| key.len() + value_size(value)).sum()
}

/// Size as the service counts it: text by its bytes, a number 8, a boolean 4.
fn value_size(value: &Value) -> usize {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 4,
        Value::Number(_) => 8,
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(value_size).sum(),
        Value::Object(members) => members_size(members),
    }
}

#[cfg(test)]
mod tests;
