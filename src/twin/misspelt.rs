//! A hint for who wrote nearly the name of a desired property: what nothing reads is passed over.

use crate::azure::members::all_members;
use crate::host::text::shown;

/// Most slips in a name that may still be meant for another; of short names, a quarter of it.
const SLIPS_MAX: usize = 3;

/// What is to be done about a member of desired properties that nothing reads, where its name is
/// nearly one of `known`. A misspelt one that is being removed, by `null`, is what it should be.
pub(super) fn hint(desired: &[u8], known: &[&str]) -> Option<String> {
    let found = all_members(desired).ok()?;
    let strays = found.iter().filter(|(name, value)| {
        **value != "null" && !name.starts_with('$') && !known.contains(&name.as_str())
    });
    let (name, meant) = strays
        .filter_map(|(name, _)| Some((name, known.iter().find(|known| is_near(name, known))?)))
        .next()?;
    Some(format!(
        "the desired properties hold \"{}\", which nothing reads: did you mean \"{meant}\"?",
        shown(name)
    ))
}

/// Whether `name` is `known` but for its letter case, its separators, a few slips, or the words
/// that `known` begins with.
fn is_near(name: &str, known: &str) -> bool {
    if name.len() > 2 * known.len() {
        return false;
    }
    let (name, known) = (bare(name), bare(known));
    let is_end = known.ends_with(&name) && 3 * name.len() >= known.len();
    let slips_max = SLIPS_MAX.min(known.len() / 4);
    is_end || strsim::damerau_levenshtein(&name, &known) <= slips_max
}

/// Letters and digits alone, in lower case.
fn bare(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 3] = ["TemperatureThreshold", "name", "brightness"];

    #[test]
    fn a_name_that_is_nearly_known_is_hinted_at() {
        let table = [
            ("TemperatureTreshold", Some("TemperatureThreshold")),
            ("temperaturethreshold", Some("TemperatureThreshold")),
            ("temperatureThreshold", Some("TemperatureThreshold")),
            ("TEMPERATURETHRESHOLD", Some("TemperatureThreshold")),
            ("temperature_threshold", Some("TemperatureThreshold")),
            ("Temperature Threshold", Some("TemperatureThreshold")),
            ("TemparatureThreshhold", Some("TemperatureThreshold")),
            ("TemperatrueThreshold", Some("TemperatureThreshold")),
            ("TemperatureThreshold ", Some("TemperatureThreshold")),
            ("TemperatureThresholds_in", Some("TemperatureThreshold")),
            ("TheTemperatureThreshold", Some("TemperatureThreshold")),
            ("threshold", Some("TemperatureThreshold")),
            ("Name", Some("name")),
            ("nmae", Some("name")),
            ("Brightness", Some("brightness")),
            ("brigthness", Some("brightness")),
            ("brightnes", Some("brightness")),
            ("TemperatureThreshold", None),
            ("brightness", None),
            ("Temperature", None),
            ("TemperatureUnit", None),
            ("HumidityThreshold", None),
            ("color", None),
            ("nickname", None),
            ("game", Some("name")),
            ("gave", None),
            ("$version", None),
            ("", None),
            (&"TemperatureThreshold".repeat(9), None),
        ];
        for (name, meant) in table {
            let hint = hint(format!(r#"{{"x":{{}},"{name}":60}}"#).as_bytes(), &KNOWN);
            assert_eq!(hint.is_some(), meant.is_some(), "{name}: {hint:?}");
            let (hint, part) = (hint.unwrap_or_default(), meant.unwrap_or_default());
            assert!(hint.contains(part) && hint.contains(name) || meant.is_none(), "{hint}");
        }
    }

    /// What is known beside it changes nothing; what is removed, and what is no object, is no slip.
    #[test]
    fn a_misspelt_member_counts_until_it_is_removed() {
        for (text, is_hinted) in [
            (r#"{"TemperatureThreshold":1,"temperaturethreshold":2}"#, true),
            (r#"{"temperaturethreshold":null}"#, false),
            (r#"{"other":{"temperaturethreshold":2}}"#, false),
            (r#"["temperaturethreshold"]"#, false),
            ("{", false),
            ("", false),
        ] {
            assert_eq!(hint(text.as_bytes(), &KNOWN).is_some(), is_hinted, "{text}");
        }
    }
}
