//! The property bag of a message: what stands behind the last `/` of a topic.
//!
//! `k=v` joined by `&`, both percent-encoded; a name that starts with `$.` is a system property.
//! There are two readers because the two ends differ: a module takes what it can
//! ([`Properties::decode`]), edgeHub drops the message ([`Properties::decode_strict`]).

use super::{percent_decode, percent_encode};

/// System properties in the order in which the SDKs send them, before all others.
pub(crate) const SYSTEM_ORDER: [&str; 8] =
    ["$.on", "$.mid", "$.cid", "$.uid", "$.ct", "$.ce", "$.ifid", "$.exp"];

/// The properties of one message: unique names, in order; `None` is a bare `key` without `=`.
///
/// No name is empty: the wire cannot carry one, and edgeHub drops a message that tries.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Properties(Vec<(String, Option<String>)>);

/// Why edgeHub would refuse a bag: it drops the message and acknowledges it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BagError {
    /// A raw `=` after the first: it must be `%3D`.
    #[error("a property value has a raw '=' (write %3D)")]
    RawEquals,
    /// A property without a name.
    #[error("a property has an empty name")]
    EmptyName,
    /// `&` with nothing behind it.
    #[error("the bag ends in '&'")]
    TrailingSeparator,
}

impl Properties {
    /// A bag without properties.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a bag as the Python SDK does: takes what it can, never fails.
    ///
    /// `a=b=c` is `a: "b"`, bad percent sequences stay as they are, of two equal names the last
    /// value wins at the first one's place, and tokens with an empty name are skipped.
    pub fn decode(bag: &str) -> Self {
        let mut properties = Self::new();
        for token in bag.split('&') {
            let (name, value) = split_token(token);
            properties.put(percent_decode(name).into_owned(), value.map(decoded));
        }
        properties
    }

    /// Reads a bag as edgeHub's tokenizer does: stops at the first raw `/`, `key` and `key=` are
    /// both `None`, of two equal names the last value wins.
    ///
    /// # Errors
    /// A raw `=` in a value, an empty name, a trailing `&`. edgeHub then drops the message and
    /// still acknowledges it.
    pub fn decode_strict(bag: &str) -> Result<Self, BagError> {
        let bag = bag.split_once('/').map_or(bag, |(bag, _)| bag);
        let mut properties = Self::new();
        if bag.is_empty() {
            return Ok(properties);
        }
        if bag.ends_with('&') {
            return Err(BagError::TrailingSeparator);
        }
        for token in bag.split('&') {
            let (name, value) = match token.split_once('=') {
                Some((_, value)) if value.contains('=') => return Err(BagError::RawEquals),
                Some((name, value)) => (name, Some(value).filter(|value| !value.is_empty())),
                None => (token, None),
            };
            if name.is_empty() {
                return Err(BagError::EmptyName);
            }
            properties.put(percent_decode(name).into_owned(), value.map(decoded));
        }
        Ok(properties)
    }

    /// Appends the bag to `out`, in order, all but RFC 3986 unreserved characters as `%XX`.
    pub fn encode(&self, out: &mut String) {
        encode_pairs(self.iter(), out);
    }

    /// The value of `name`: `Some(None)` for a bare key, `None` when there is no such property.
    pub fn get(&self, name: &str) -> Option<Option<&str>> {
        self.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// Sets `name` at its present place, or at the end. An empty name is not set.
    pub fn set(&mut self, name: &str, value: Option<&str>) {
        self.put(name.to_owned(), value.map(str::to_owned));
    }

    /// Removes `name`; whether it was there.
    pub fn remove(&mut self, name: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|(known, _)| known != name);
        self.0.len() != before
    }

    /// Name and value of each property, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_deref()))
    }

    /// How many properties there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn put(&mut self, name: String, value: Option<String>) {
        if name.is_empty() {
            return;
        }
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = value,
            None => self.0.push((name, value)),
        }
    }
}

impl FromIterator<(String, Option<String>)> for Properties {
    fn from_iter<I: IntoIterator<Item = (String, Option<String>)>>(pairs: I) -> Self {
        let mut properties = Self::new();
        pairs.into_iter().for_each(|(name, value)| properties.put(name, value));
        properties
    }
}

/// Place of `name` among the system properties; all others come after them.
pub(crate) fn system_rank(name: &str) -> usize {
    SYSTEM_ORDER.iter().position(|system| *system == name).unwrap_or(SYSTEM_ORDER.len())
}

/// Appends `pairs` as a bag: encoded, joined by `&`.
pub(crate) fn encode_pairs<'a>(
    pairs: impl Iterator<Item = (&'a str, Option<&'a str>)>,
    out: &mut String,
) {
    for (index, (name, value)) in pairs.enumerate() {
        if index > 0 {
            out.push('&');
        }
        encode_pair(name, value, out);
    }
}

/// Appends one property, encoded.
pub(crate) fn encode_pair(name: &str, value: Option<&str>, out: &mut String) {
    percent_encode(name, out);
    if let Some(value) = value {
        out.push('=');
        percent_encode(value, out);
    }
}

/// Name and value of a token, still encoded; what follows a second `=` is cut off.
pub(crate) fn split_token(token: &str) -> (&str, Option<&str>) {
    let mut parts = token.split('=');
    (parts.next().unwrap_or_default(), parts.next())
}

fn decoded(text: &str) -> String {
    percent_decode(text).into_owned()
}

#[cfg(test)]
pub(crate) mod tests;
