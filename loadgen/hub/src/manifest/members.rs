//! Names of members: the known ones, and what stands elsewhere than it is read.

use serde_json::{Map, Value};

use super::nearest::{EDITS_MAX, did_you_mean};
use super::reading::Reading;

/// The member that a module's desired properties stand in.
pub(super) const DESIRED: &str = "properties.desired";
/// Sections of the two system modules.
pub(super) const SYSTEM: [&str; 2] = ["$edgeAgent", "$edgeHub"];

/// What to do about a number in quotation marks.
pub(super) fn without_marks(given: &Value) -> &'static str {
    match given.as_str() {
        Some(text) if text.starts_with('$') || text.trim().parse::<i64>().is_ok() => {
            "; leave the quotation marks out"
        }
        _ => "",
    }
}

/// Warns of members that nothing reads.
pub(super) fn check_known(
    members: &Map<String, Value>,
    known: &[&str],
    path: &str,
    reading: &mut Reading<'_>,
) {
    for name in members.keys().filter(|name| !known.contains(&name.as_str())) {
        let hint = did_you_mean(name, known.iter().copied());
        reading.warn(&format!("{path}.{name}"), &format!("unknown member: ignored{hint}"));
    }
}

/// Warns of members that the edge runtime reads and the local hub does not.
pub(super) fn check_applied(
    members: &Map<String, Value>,
    not_applied: &[(&str, &str)],
    path: &str,
    reading: &mut Reading<'_>,
) {
    for (name, why) in not_applied.iter().filter(|(name, _)| members.contains_key(*name)) {
        reading.warn(&format!("{path}.{name}"), &format!("not applied here: {why}"));
    }
}

/// Says what is wrong with a member of a section that is not its desired properties.
pub(super) fn misplaced(name: &str, value: &Value, path: &str, reading: &mut Reading<'_>) {
    let path = format!("{path}.{name}");
    let head: String = name.splitn(3, '.').take(2).collect::<Vec<_>>().join(".");
    if is_reported(name) {
        reading.warn(&path, "ignored: a module reports its properties itself; remove this");
    } else if name == "tags" {
        reading.warn(&path, "ignored: a deployment sets no tags of modules; remove this");
    } else if name.starts_with(['$', '_', '/']) {
        reading.warn(&path, "unknown member: ignored");
    } else if head.eq_ignore_ascii_case("desired") || head.to_lowercase().starts_with("desired.") {
        let text = format!("`desired` alone is not read: write `{DESIRED}` in its place");
        reading.error(&path, &text);
    } else if strsim::osa_distance(&head.to_lowercase(), DESIRED) <= EDITS_MAX + 1 {
        reading.error(&path, &format!("not read: misspelt for `{DESIRED}`, which is the name"));
    } else {
        let sample = if value.is_object() { "{…}".to_owned() } else { value.to_string() };
        let sample = if sample.len() > 40 { "…".to_owned() } else { sample };
        let text = format!(
            "not read here: desired properties belong into `{DESIRED}`; write \
             {{\"{DESIRED}\": {{\"{name}\": {sample}}}}}"
        );
        reading.error(&path, &text);
    }
}

fn is_reported(name: &str) -> bool {
    let name = name.strip_prefix("properties.").unwrap_or(name);
    name == "reported" || name.starts_with("reported.")
}

/// Finds a second `desired` inside the desired properties: its path below them, and what to do.
pub fn desired_inside(desired: &Map<String, Value>) -> Option<(&'static str, String)> {
    let is_object = |name: &str| desired.get(name).is_some_and(Value::is_object);
    let inner = if desired.contains_key(DESIRED) {
        DESIRED
    } else if desired.get("properties").is_some_and(|p| p.get("desired").is_some()) {
        "properties"
    } else if is_object("desired") {
        "desired"
    } else {
        return None;
    };
    let levels = if inner == "properties" { "two levels" } else { "one level" };
    Some((inner, format!("stands inside `{DESIRED}`: put its members {levels} up, without it")))
}
