//! The names of the device template `deploy/environmental-sensor.json`, once for the whole program.
//! A test keeps the two equal.

use std::time::Duration;

use serde_json::Value;

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
    pub fn takes(self) -> Duration {
        match self {
            Self::Name => Duration::from_secs(1),
            Self::Brightness => Duration::from_secs(5),
        }
    }

    /// Whether the template allows `value`.
    ///
    /// # Errors
    /// What is wanted instead.
    pub fn check(self, value: &Value) -> Result<(), &'static str> {
        match self {
            Self::Name if !value.is_string() => Err("name must be a string"),
            Self::Brightness if !value.is_i64() => Err("brightness must be an integer"),
            _ => Ok(()),
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
                assert_eq!(
                    property.check(value).is_ok(),
                    *schema == wanted,
                    "{property:?} {value}"
                );
            }
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
