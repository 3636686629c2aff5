//! The names of the device template `deploy/environmental-sensor.json`, once for the whole program.
//! A test keeps the two equal.

use std::time::Duration;

use serde_json::{Value, json};

use crate::azure::members::described;

/// Most bytes of a text in a twin (IoT Hub: tags and properties format).
const TEXT_BYTES_MAX: usize = 4096;

/// Telemetry: temperature.
pub const TEMP: &str = "temp";
/// Telemetry: relative humidity.
pub const HUMID: &str = "humid";
/// Read-only property: `"true"` while the device runs.
pub const STATE: &str = "state";
/// Command and the property that its result is reported by.
pub const RUN_DIAGNOSTICS: &str = "rundiagnostics";

/// What the operator may set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writable {
    /// Name of the customer who operates the device.
    Name,
    /// Brightness of its light.
    Brightness,
}

impl Writable {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Name, Self::Brightness];

    /// The property of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|property| property.name() == name)
    }

    /// Its name in the template.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Brightness => "brightness",
        }
    }

    /// How long the device takes to bring a new value into force.
    pub fn settling_time(self) -> Duration {
        match self {
            Self::Name => Duration::from_secs(1),
            Self::Brightness => Duration::from_secs(5),
        }
    }

    /// What is in force until a value was set.
    pub fn default_value(self) -> Value {
        match self {
            Self::Name => json!(""),
            Self::Brightness => json!(0),
        }
    }

    /// The value of this text, as the template allows it: a string, and an integer of 32 bits (DTDL
    /// v2, "Primitive schemas").
    ///
    /// # Errors
    /// What is wanted instead, and what was found.
    pub fn check(self, text: &str) -> Result<Value, String> {
        match self {
            Self::Name => match serde_json::from_str::<String>(text) {
                Ok(name) if name.len() <= TEXT_BYTES_MAX => Ok(json!(name)),
                Ok(name) => Err(format!(
                    "name must have at most {TEXT_BYTES_MAX} bytes, not {}",
                    name.len()
                )),
                Err(_) if text.starts_with('"') => Err("name must be Unicode text".to_owned()),
                Err(_) => Err(format!("name must be a string, not {}", described(text))),
            },
            Self::Brightness => text.parse::<i32>().map(|value| json!(value)).map_err(|_| {
                let (least, most) = (i32::MIN, i32::MAX);
                let found = described(text);
                format!("brightness must be an integer from {least} to {most}, not {found}")
            }),
        }
    }
}

/// What the operator may order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Blinks the light every so many seconds.
    Blink,
    /// Turns the light on.
    TurnOn,
    /// Turns the light off.
    TurnOff,
    /// Starts a diagnostic run, whose result is reported later.
    RunDiagnostics,
}

impl Command {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Blink, Self::TurnOn, Self::TurnOff, Self::RunDiagnostics];

    /// The command of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|command| command.name() == name)
    }

    /// Its name in the template.
    pub fn name(self) -> &'static str {
        match self {
            Self::Blink => "blink",
            Self::TurnOn => "turnon",
            Self::TurnOff => "turnoff",
            Self::RunDiagnostics => RUN_DIAGNOSTICS,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    const TEMPLATE: &str = include_str!("../../deploy/environmental-sensor.json");

    fn template() -> Value {
        serde_json::from_str(TEMPLATE).expect("JSON")
    }

    fn is_a(content: &Value, kind: &str) -> bool {
        let types = &content["@type"];
        types == kind || types.as_array().is_some_and(|types| types.iter().any(|t| t == kind))
    }

    fn names(kind: &str, filter: impl Fn(&Value) -> bool) -> BTreeSet<String> {
        let template = template();
        let contents = template["contents"].as_array().expect("contents");
        let chosen = contents.iter().filter(|content| is_a(content, kind) && filter(content));
        chosen.map(|content| content["name"].as_str().expect("a name").to_owned()).collect()
    }

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn the_template_has_the_names_of_the_program_and_no_others() {
        let is_writable = |content: &Value| content["writable"] == true;
        assert_eq!(names("Telemetry", |_| true), set(&[TEMP, HUMID]));
        assert_eq!(names("Property", |content| !is_writable(content)), set(&[STATE]));
        assert_eq!(names("Property", is_writable), set(&Writable::ALL.map(Writable::name)));
        assert_eq!(names("Command", |_| true), set(&Command::ALL.map(Command::name)));
    }

    /// DTDL v2: "Digital Twin Model Identifier", "Interface", "Command payload".
    #[test]
    fn the_template_is_an_interface_of_dtdl_2() {
        let template = template();
        assert_eq!(template["@context"], "dtmi:dtdl:context;2");
        assert_eq!(template["@type"], "Interface");
        let id = template["@id"].as_str().expect("an id");
        assert!(id.starts_with("dtmi:") && id.ends_with(";1"), "{id}");
        let contents = template["contents"].as_array().expect("contents");
        assert_eq!(contents.len(), 9);
        for content in contents {
            let has_schema = content["schema"].is_string();
            assert_eq!(has_schema, !is_a(content, "Command"), "{content}");
            assert!(content["displayName"].is_string(), "{content}");
        }
    }

    #[test]
    fn the_schemas_are_those_that_the_program_checks() {
        let template = template();
        let schema = |name: &str| {
            let contents = template["contents"].as_array().expect("contents");
            let found = contents.iter().find(|content| content["name"] == name).expect("named");
            found["schema"].as_str().expect("a schema").to_owned()
        };
        let cases = [
            (serde_json::json!("lamp"), "string"),
            (serde_json::json!(10), "integer"),
            (serde_json::json!(1.5), "double"),
            (serde_json::json!(true), "boolean"),
            (Value::Null, "none"),
        ];
        for property in Writable::ALL {
            let wanted = schema(property.name());
            for (value, schema) in &cases {
                let checked = property.check(&value.to_string());
                assert_eq!(checked.is_ok(), *schema == wanted, "{property:?} {value}");
                assert!(checked.is_err() || checked.as_ref() == Ok(value));
            }
            let default = property.default_value();
            assert_eq!(property.check(&default.to_string()), Ok(default), "{property:?}");
        }
    }

    /// For all kinds of values: what is refused is called what it is.
    #[test]
    fn a_refused_value_is_named_by_its_kind() {
        let long = format!("\"{}\"", "n".repeat(TEXT_BYTES_MAX + 1));
        let deep = "[".repeat(1_000) + &"]".repeat(1_000);
        let cases = [
            (Writable::Name, "5", "name must be a string, not 5"),
            (Writable::Name, "1e999", "name must be a string, not 1e999"),
            (Writable::Name, "null", "name must be a string, not null"),
            (Writable::Name, "true", "name must be a string, not a boolean"),
            (Writable::Name, "{\"a\":1}", "name must be a string, not an object"),
            (Writable::Name, &deep, "name must be a string, not an array"),
            (Writable::Name, &long, "name must have at most 4096 bytes, not 4097"),
            (Writable::Name, "\"\\ud800\"", "name must be Unicode text"),
            (Writable::Brightness, "\"high\"", "a string"),
            (Writable::Brightness, "2147483648", "2147483648"),
            (Writable::Brightness, "-2147483649", "-2147483649"),
            (Writable::Brightness, "18446744073709551616", "18446744073709551616"),
            (Writable::Brightness, "1e999", "1e999"),
            (Writable::Brightness, "7.5", "7.5"),
            (Writable::Brightness, "false", "a boolean"),
            (Writable::Brightness, "null", "null"),
            (Writable::Brightness, &deep, "an array"),
            (Writable::Brightness, "{}", "an object"),
        ];
        for (property, text, expected) in cases {
            let problem = property.check(text).unwrap_err();
            let start = match property {
                Writable::Name => "",
                Writable::Brightness => {
                    "brightness must be an integer from -2147483648 to 2147483647, not "
                }
            };
            assert_eq!(problem, format!("{start}{expected}"), "{text:.20}");
        }
        for text in ["2147483647", "-2147483648", "0"] {
            assert!(Writable::Brightness.check(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn names_are_found_exactly() {
        for command in Command::ALL {
            assert_eq!(Command::named(command.name()), Some(command));
        }
        for property in Writable::ALL {
            assert_eq!(Writable::named(property.name()), Some(property));
        }
        assert_eq!(Command::named("Blink"), None);
        assert_eq!(Writable::named("state"), None);
    }
}
