//! A hint for who wrote `desired` inside the desired properties, where nothing reads it: a twin, or
//! a part of one, in the place of its desired properties.

use tracing::warn;

use super::desired::sections;
use super::misspelt;
use crate::azure::members::{kind, members};

/// Members that desired properties stand in, elsewhere.
const HOLDERS: [&str; 3] = ["desired", "properties", "properties.desired"];

/// Logs the hints for a patch, or for what a control topic holds, where the properties `known` are
/// read.
pub(crate) fn warn_of_patch(patch: &[u8], known: &[&str]) {
    for hint in hint(patch).into_iter().chain(misspelt::hint(patch, known)) {
        warn!("{hint}");
    }
}

/// Logs the hints for an answer that is a twin document.
pub(crate) fn warn_of_document(status: u32, document: &[u8], known: &[&str]) {
    if status == 200
        && let Ok((desired, _)) = sections(document)
    {
        warn_of_patch(desired.as_bytes(), known);
    }
}

/// What is to be done about desired properties that hold a further `desired`. A property may have
/// that name, as long as it is no object.
fn hint(desired: &[u8]) -> Option<String> {
    let found = members(desired, HOLDERS).ok()?;
    let is_holder = |name: &str, value: &str| match name {
        "properties" => members(value.as_bytes(), ["desired"]).is_ok_and(|[inner]| inner.is_some()),
        _ => kind(value) == "an object",
    };
    let (name, _) = HOLDERS
        .iter()
        .zip(found)
        .find(|(name, value)| value.is_some_and(|value| is_holder(name, value)))?;
    let levels = if *name == "properties" { "two levels" } else { "one level" };
    Some(format!(
        "the desired properties hold \"{name}\", which nothing reads: put its members {levels} up, \
         without it"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_desired_is_hinted_at() {
        let table = [
            (r#"{"desired":{"TemperatureThreshold":60}}"#, Some("\"desired\"")),
            (r#"{"desired":{},"$version":4}"#, Some("\"desired\"")),
            (
                r#"{"TemperatureThreshold":1,"desired":{"TemperatureThreshold":60}}"#,
                Some("\"desired\""),
            ),
            (r#"{"properties":{"desired":{"TemperatureThreshold":60}}}"#, Some("two levels")),
            (r#"{"properties.desired":{"name":"x"}}"#, Some("\"properties.desired\"")),
            (r#"{"TemperatureThreshold":60,"$version":4}"#, None),
            (r#"{"desired":21.5}"#, None),
            (r#"{"desired":null}"#, None),
            (r#"{"properties":{"color":"red"}}"#, None),
            (r#"{"nested":{"desired":{"a":1}}}"#, None),
            ("[]", None),
            ("{", None),
            ("", None),
        ];
        for (text, expected) in table {
            let hint = hint(text.as_bytes());
            assert_eq!(hint.is_some(), expected.is_some(), "{text}: {hint:?}");
            let part = expected.unwrap_or_default();
            assert!(hint.unwrap_or_default().contains(part), "{text}");
        }
    }
}
