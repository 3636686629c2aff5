//! How IoT Central reads and writes properties, in both of its generations.
//!
//! | | 2020 (templates without DTDL) | IoT Plug and Play |
//! |---|---|---|
//! | desired | `{"p": {"value": 10}, "$version": 2}` | `{"p": 10, "$version": 2}` |
//! | acknowledged | `{"p": {"value": 10, "status": "completed", "desiredVersion": 2}}` | `{"p": {"value": 10, "ac": 200, "av": 2, "ad": "completed"}}` |
//!
//! A desired value decides for itself: an object whose only member is `value` is of 2020, anything
//! else is plain. So one device serves applications of either generation.
//!
//! Source: Azure IoT Central, "Telemetry, property, and command payloads" and the tutorial
//! "Connect a client application" of 2020; IoT Plug and Play conventions, "Writable properties".

use serde_json::{Value, json};

use super::members::members;

/// The form in which a desired value came, and in which its acknowledgement goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `{"value": ...}`, as IoT Central wrote it until July 2020.
    Wrapped,
    /// The value itself, as IoT Plug and Play has it.
    Plain,
}

/// How a device settled a desired value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is in force: 200, `completed`.
    Completed,
    /// It cannot be: 400, `failed`, and the text says why.
    Rejected(String),
}

/// Takes a desired value out of its form.
pub fn desired(raw: &Value) -> (Form, &Value) {
    match raw.as_object().filter(|object| object.len() == 1).and_then(|object| object.get("value"))
    {
        Some(value) => (Form::Wrapped, value),
        None => (Form::Plain, raw),
    }
}

/// The object that a device reports for a property to acknowledge a desired value; `version` is the
/// `$version` that the value came with.
pub fn acknowledgement(form: Form, value: &Value, verdict: &Verdict, version: u64) -> Value {
    match (form, verdict) {
        (Form::Wrapped, Verdict::Completed) => {
            json!({ "value": value, "status": "completed", "desiredVersion": version })
        }
        (Form::Wrapped, Verdict::Rejected(why)) => {
            json!({ "value": value, "status": "failed", "desiredVersion": version, "message": why })
        }
        (Form::Plain, Verdict::Completed) => {
            json!({ "value": value, "ac": 200, "av": version, "ad": "completed" })
        }
        (Form::Plain, Verdict::Rejected(why)) => {
            json!({ "value": value, "ac": 400, "av": version, "ad": why })
        }
    }
}

/// What the text of a reported property acknowledges, in either form: the `$version` of a desired
/// value, and the text of that value where the report repeats it.
pub fn acknowledged(report: &str) -> Option<(u64, Option<&str>)> {
    let names = ["value", "desiredVersion", "av"];
    let [value, wrapped, plain] = members(report.as_bytes(), names).ok()?;
    let version = |text: Option<&str>| text.and_then(|text| text.parse::<u64>().ok());
    Some((version(wrapped).max(version(plain))?, value))
}

/// The object that a device reports for an asynchronous command that is done.
pub fn command_result(text: &str) -> Value {
    json!({ "value": text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_object_with_value_alone_is_wrapped() {
        let cases = [
            (json!({"value": 10}), Form::Wrapped, json!(10)),
            (json!({"value": {"value": 1}}), Form::Wrapped, json!({"value": 1})),
            (json!({"value": null}), Form::Wrapped, Value::Null),
            (json!(10), Form::Plain, json!(10)),
            (json!("lamp"), Form::Plain, json!("lamp")),
            (json!({}), Form::Plain, json!({})),
            (json!({"value": 1, "x": 2}), Form::Plain, json!({"value": 1, "x": 2})),
            (json!({"Value": 1}), Form::Plain, json!({"Value": 1})),
            (json!([1]), Form::Plain, json!([1])),
        ];
        for (raw, form, value) in cases {
            assert_eq!(desired(&raw), (form, &value), "{raw}");
        }
    }

    #[test]
    fn each_form_is_acknowledged_in_kind() {
        let rejected = Verdict::Rejected("no".into());
        let cases = [
            (
                Form::Wrapped,
                &Verdict::Completed,
                json!({"value": 10, "status": "completed", "desiredVersion": 2}),
            ),
            (
                Form::Wrapped,
                &rejected,
                json!({"value": 10, "status": "failed", "desiredVersion": 2, "message": "no"}),
            ),
            (
                Form::Plain,
                &Verdict::Completed,
                json!({"value": 10, "ac": 200, "av": 2, "ad": "completed"}),
            ),
            (Form::Plain, &rejected, json!({"value": 10, "ac": 400, "av": 2, "ad": "no"})),
        ];
        for (form, verdict, wanted) in cases {
            let written = acknowledgement(form, &json!(10), verdict, 2);
            assert_eq!(written, wanted);
            assert_eq!(acknowledged(&written.to_string()), Some((2, Some("10"))), "read back");
        }
    }

    #[test]
    fn a_report_without_version_acknowledges_nothing() {
        for report in [json!("true"), json!({"value": 1}), json!({"av": "2"}), json!({"av": -1})] {
            assert_eq!(acknowledged(&report.to_string()), None);
        }
    }

    #[test]
    fn a_result_is_wrapped() {
        assert_eq!(command_result("done"), json!({"value": "done"}));
    }
}
