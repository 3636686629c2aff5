//! `schemaVersion` of the two system modules.

use serde_json::{Map, Value};

use super::reading::Reading;

/// The newest minor version that is applied in full; all are of major version 1.
const MINOR_MAX: u64 = 1;

/// Tells a version that the edge runtime refuses, and one that may hold more than is applied here.
pub(super) fn check_schema(settings: &Map<String, Value>, path: &str, reading: &mut Reading<'_>) {
    let path = format!("{path}.schemaVersion");
    let Some(version) = settings.get("schemaVersion") else {
        let text = "missing: the edge runtime takes no deployment without it; write \"1.1\"";
        reading.warn(&path, text);
        return;
    };
    match read(version) {
        Some((1, 0..=MINOR_MAX)) => {}
        Some((1, _)) => {
            let text =
                format!("{version} is newer than 1.{MINOR_MAX}: what it adds is not applied");
            reading.warn(&path, &text);
        }
        _ => {
            let text = format!("{version} is no version that the runtime takes: write \"1.1\"");
            reading.error(&path, &text);
        }
    }
}

/// Whether routes are texts alone, as in version 1.0.
pub(super) fn is_first(settings: &Map<String, Value>) -> bool {
    settings.get("schemaVersion").and_then(read) == Some((1, 0))
}

fn read(version: &Value) -> Option<(u64, u64)> {
    let mut numbers = version.as_str()?.split('.').map(str::parse);
    let (major, minor) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
    numbers.all(|number| number.is_ok()).then_some((major, minor))
}
