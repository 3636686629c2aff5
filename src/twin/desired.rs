//! Reads the one desired property from a twin document or a patch: text in, a change out. What else
//! is in it is passed over.

use crate::azure::members::{described, members};
use crate::mqtt::connection::PACKET_BYTES_MAX;
use crate::pipeline::threshold::Threshold;
use crate::twin::limits::VERSION_MAX;

/// The desired property, as the tutorials name it.
pub(crate) const PROPERTY: &str = "TemperatureThreshold";
/// The member that holds the version of a section.
pub(crate) const VERSION: &str = "$version";

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
    /// What is wrong with the `$version` in the body, where it is no version.
    pub(crate) version_problem: Option<String>,
}

impl Desired {
    /// What cannot be read: the problem is put behind "the patch".
    pub(crate) fn bad(problem: &str, version: Option<u64>) -> Self {
        let change = Change::Bad(format!("the patch {problem}"));
        Self { change, version: plausible(version), version_problem: None }
    }

    /// A patch body; the topic's version stands in where the body has none that can be one.
    pub(crate) fn from_patch(body: &[u8], topic_version: Option<u64>) -> Self {
        let [value, version] = match members(body, [PROPERTY, VERSION]) {
            Ok(members) => members,
            Err(problem) => return Self::bad(&problem, topic_version),
        };
        let change = match value {
            None => Change::None,
            Some("null") => Change::Removed,
            Some(value) => read(value),
        };
        let (version, version_problem) = match read_version(version) {
            Ok(version) => (version, None),
            Err(problem) => (None, Some(problem)),
        };
        Self { change, version: version.or(plausible(topic_version)), version_problem }
    }

    /// A whole document, and the text of its reported properties. A `null` here is a value like any
    /// other and a bad one: a hub deletes what a patch sets to `null`, so a document has no
    /// business to hold it.
    pub(crate) fn from_document(body: &[u8]) -> Result<(Self, Option<&str>), String> {
        let (desired, reported) = sections(body)?;
        let [value, version] = members(desired.as_bytes(), [PROPERTY, VERSION])
            .map_err(|problem| format!("\"desired\" {problem}"))?;
        let change = match value {
            Some(value) => read(value),
            // A hub that has not seen the cloud yet answers with an empty twin: that is no news.
            None if version.is_none() => Change::None,
            None => Change::Removed,
        };
        let version = read_version(version).ok().flatten();
        Ok((Self { change, version, version_problem: None }, reported))
    }
}

/// The text of the desired properties of a twin document, and of the reported ones.
pub(crate) fn sections(document: &[u8]) -> Result<(&str, Option<&str>), String> {
    let [desired, reported] = members(document, ["desired", "reported"])
        .map_err(|problem| format!("the document {problem}"))?;
    Ok((desired.ok_or("the document has no object \"desired\"")?, reported))
}

/// A version that may be one: what is beyond [`VERSION_MAX`] is as good as none.
pub(crate) fn plausible(version: Option<u64>) -> Option<u64> {
    version.filter(|version| *version <= VERSION_MAX)
}

/// The version of a section, by the text of its member; none without one.
///
/// # Errors
/// It is no [plausible] version.
pub(crate) fn read_version(text: Option<&str>) -> Result<Option<u64>, String> {
    let Some(text) = text else { return Ok(None) };
    let version = plausible(text.parse().ok());
    version.map(Some).ok_or_else(|| {
        format!("{VERSION} must be an integer from 0 to {VERSION_MAX}, not {}", described(text))
    })
}

/// Why what came was not even read.
pub(crate) fn too_large(bytes: usize) -> String {
    format!("has {bytes} bytes, and at most {PACKET_BYTES_MAX} are taken")
}

fn read(value: &str) -> Change {
    let threshold = value.parse().ok().and_then(Threshold::new);
    threshold.map_or_else(
        || Change::Bad(format!("{PROPERTY} must be a finite number, not {}", described(value))),
        Change::Set,
    )
}
