//! How IoT Central reads and writes properties, in both of its generations.
//!
//! | | 2020 (templates without DTDL) | IoT Plug and Play |
//! |---|---|---|
//! | desired | `{"p": {"value": 10}, "$version": 2}` | `{"p": 10, "$version": 2}` |
//! | acknowledged | with `status` and `desiredVersion` | with `ac`, `av` and `ad` |
//!
//! An acknowledgement in the form of 2020, and one of IoT Plug and Play:
//!
//! ```json
//! {"p": {"value": 10, "status": "completed", "desiredVersion": 2}}
//! {"p": {"value": 10, "ac": 200, "av": 2, "ad": "completed"}}
//! ```
//!
//! A desired value decides for itself: an object whose only member is `value` is of 2020, anything
//! else is plain. So one device serves applications of either generation.
//!
//! Source: Azure IoT Central, "Telemetry, property, and command payloads" and the tutorial
//! "Connect a client application" of 2020; IoT Plug and Play conventions, "Writable properties".

use serde_json::{Value, json};

use super::members::{members, sole_member};

/// The members that an acknowledgement may have, of either form, beside `value`.
pub const MEMBERS: [&str; 6] = ["status", "desiredVersion", "message", "ac", "av", "ad"];

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
pub enum Acceptance {
    /// It is in force: 200, `completed`.
    Completed,
    /// It cannot be: 400, `failed`, and the text says why.
    Rejected(String),
}

/// Takes the text of a desired value out of its form.
pub fn desired(raw: &str) -> (Form, &str) {
    match sole_member(raw.as_bytes(), "value") {
        Some(value) => (Form::Wrapped, value),
        None => (Form::Plain, raw),
    }
}

/// The object that a device reports for a property to acknowledge a desired value. `value` is what
/// is in force now, which is not what was asked for where that is rejected; `version` is the
/// `$version` that the desired value came with.
pub fn acknowledgement(form: Form, value: &Value, acceptance: &Acceptance, version: u64) -> Value {
    match (form, acceptance) {
        (Form::Wrapped, Acceptance::Completed) => {
            json!({ "value": value, "status": "completed", "desiredVersion": version })
        }
        (Form::Wrapped, Acceptance::Rejected(why)) => {
            json!({ "value": value, "status": "failed", "desiredVersion": version, "message": why })
        }
        (Form::Plain, Acceptance::Completed) => {
            json!({ "value": value, "ac": 200, "av": version, "ad": "completed" })
        }
        (Form::Plain, Acceptance::Rejected(why)) => {
            json!({ "value": value, "ac": 400, "av": version, "ad": why })
        }
    }
}

/// What the text of a reported property acknowledges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PropertyAcknowledgement<'a> {
    /// The `$version` of the desired value.
    pub version: u64,
    /// The text of the value that is in force.
    pub value: Option<&'a str>,
    /// The desired value was rejected.
    pub is_rejected: bool,
}

/// Reads the text of a reported property, in either form; `None` where it acknowledges nothing.
pub fn acknowledged(report: &str) -> Option<PropertyAcknowledgement<'_>> {
    let names = ["value", "desiredVersion", "status", "av", "ac"];
    let [value, wrapped, status, plain, code] = members(report.as_bytes(), names).ok()?;
    let number = |text: Option<&str>| text.and_then(|text| text.parse::<u64>().ok());
    let (wrapped, plain) = (number(wrapped), number(plain));
    // Reports are merged: one of the other form may still have its members there.
    let is_rejected = match wrapped > plain {
        true => status == Some("\"failed\""),
        false => number(code).is_some_and(|code| code >= 400),
    };
    Some(PropertyAcknowledgement { version: wrapped.max(plain)?, value, is_rejected })
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
            assert_eq!(desired(&raw.to_string()), (form, &*value.to_string()), "{raw}");
        }
        // What no value can hold keeps its form and its text.
        let deep = "[".repeat(1_000) + &"]".repeat(1_000);
        for text in ["1e999", "\"\\ud800\"", &deep] {
            assert_eq!(desired(text), (Form::Plain, text));
            assert_eq!(desired(&format!("{{ \"value\" : {text} }}")), (Form::Wrapped, text));
        }
    }

    #[test]
    fn each_form_is_acknowledged_in_kind() {
        let rejected = Acceptance::Rejected("no".into());
        let cases = [
            (
                Form::Wrapped,
                &Acceptance::Completed,
                json!({"value": 10, "status": "completed", "desiredVersion": 2}),
            ),
            (
                Form::Wrapped,
                &rejected,
                json!({"value": 10, "status": "failed", "desiredVersion": 2, "message": "no"}),
            ),
            (
                Form::Plain,
                &Acceptance::Completed,
                json!({"value": 10, "ac": 200, "av": 2, "ad": "completed"}),
            ),
            (Form::Plain, &rejected, json!({"value": 10, "ac": 400, "av": 2, "ad": "no"})),
        ];
        for (form, verdict, wanted) in cases {
            let written = acknowledgement(form, &json!(10), verdict, 2);
            assert_eq!(written, wanted);
            let is_rejected = *verdict != Acceptance::Completed;
            let shown = PropertyAcknowledgement { version: 2, value: Some("10"), is_rejected };
            assert_eq!(acknowledged(&written.to_string()), Some(shown), "read back");
        }
    }

    /// A report leaves the members of an earlier one in the other form where they were.
    #[test]
    fn of_two_forms_in_a_report_the_newer_counts() {
        let cases = [
            (r#"{"value":7,"status":"completed","desiredVersion":2,"ac":400,"av":3}"#, 3, true),
            (r#"{"value":7,"status":"completed","desiredVersion":4,"ac":400,"av":3}"#, 4, false),
            (r#"{"value":7,"status":"failed","desiredVersion":2,"ac":200,"av":3}"#, 3, false),
            (r#"{"value":7,"status":"failed","desiredVersion":4,"ac":200,"av":3}"#, 4, true),
            (r#"{"value":7,"desiredVersion":4}"#, 4, false),
        ];
        for (report, version, is_rejected) in cases {
            let shown = PropertyAcknowledgement { version, value: Some("7"), is_rejected };
            assert_eq!(acknowledged(report), Some(shown), "{report}");
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
