//! A change is put in force, and what is reported of it: the same for a twin and for a broker's
//! control topic.

use serde_json::{Value, json};

use super::Outcome;
use super::desired::Change;
use crate::pipeline::threshold::{Setting, Threshold, ThresholdCell};

/// Stores what `change` asks for into `cell`, under `version`; a removed property means `default`.
/// The outcome comes with the value of the reported property that acknowledges it (IoT Plug and
/// Play conventions: `value` is what is in force now, `av` is 0 without a version). `None` when
/// there is nothing to say.
pub(crate) fn put_in_force(
    change: Change,
    cell: &ThresholdCell,
    default: Threshold,
    version: Option<u64>,
) -> Option<(Outcome, Value)> {
    let (outcome, code, text) = match change {
        Change::None => return None,
        Change::Set(threshold) => {
            cell.store(Setting { threshold, version });
            (Outcome::Applied(threshold), 200, "applied".to_owned())
        }
        Change::Removed => {
            cell.store(Setting { threshold: default, version });
            (Outcome::Applied(default), 200, "not set: the default is in force".to_owned())
        }
        Change::Bad(problem) => (Outcome::Refused(problem.clone()), 400, problem),
    };
    let value = number(cell.load().threshold.value());
    let report = json!({ "value": value, "ac": code, "av": version.unwrap_or(0), "ad": text });
    Some((outcome, report))
}

/// A whole number is written without fraction, as people write it in a twin, unless it is larger
/// than the integers that a twin may hold (IoT Hub: tags and properties format).
fn number(value: f64) -> Value {
    const INTEGER_MAX: f64 = 4_503_599_627_370_495.0;
    if value.fract() == 0.0 && value.abs() <= INTEGER_MAX {
        #[expect(clippy::cast_possible_truncation, reason = "whole and within ±2^52: exact")]
        return json!(value as i64);
    }
    json!(value)
}
