//! Modules and their twins: the `$edgeAgent` section, and one section per module.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::problems::Problems;
use super::{Module, ModuleStatus, Variables, desired_of};
use crate::hub::twin_document::TwinDocument;

/// Longest module or device id, in bytes (IoT Hub: identity registry).
const ID_BYTES_LIMIT: usize = 128;
/// Parts over which `createOptions` may be split: `createOptions`, `createOptions01` … `07`.
const CREATE_OPTIONS_PARTS: usize = 8;

pub(super) fn parse_modules(
    agent: &Map<String, Value>,
    agent_path: &str,
    variables: &Variables,
    problems: &mut Problems,
) -> BTreeMap<String, Module> {
    let path = format!("{agent_path}.modules");
    let modules = match agent.get("modules") {
        Some(Value::Object(modules)) => modules,
        Some(_) => {
            problems.error(&path, "must be an object of modules by name");
            return BTreeMap::new();
        }
        None => {
            problems.error(&path, "missing: the modules of the deployment belong there");
            return BTreeMap::new();
        }
    };
    let mut parsed = BTreeMap::new();
    for (name, value) in modules {
        let path = format!("{path}.{name}");
        check_id(name, "module", &path, problems);
        match value {
            Value::Object(members) => {
                parsed
                    .insert(name.clone(), parse_module(name, members, &path, variables, problems));
            }
            // An update may remove a module by null.
            Value::Null => {}
            _ => problems.error(&path, "must be an object"),
        }
    }
    parsed
}

fn parse_module(
    name: &str,
    members: &Map<String, Value>,
    path: &str,
    variables: &Variables,
    problems: &mut Problems,
) -> Module {
    one_of(members, "type", &["docker"], path, problems);
    one_of(
        members,
        "restartPolicy",
        &["never", "on-failure", "on-unhealthy", "always"],
        path,
        problems,
    );
    one_of(members, "imagePullPolicy", &["on-create", "never"], path, problems);
    let status = one_of(members, "status", &["running", "stopped"], path, problems);
    if let Some(order) = members.get("startupOrder")
        && order.as_u64().is_none_or(|order| order > u64::from(u32::MAX))
    {
        problems.error(&format!("{path}.startupOrder"), "must be a number from 0 to 4294967295");
    }
    let settings_path = format!("{path}.settings");
    let empty = Map::new();
    let settings = match members.get("settings") {
        Some(Value::Object(settings)) => settings,
        None => &empty,
        Some(_) => {
            problems.error(&settings_path, "must be an object");
            &empty
        }
    };
    let image = match settings.get("image") {
        Some(Value::String(image)) => image.clone(),
        None => String::new(),
        Some(_) => {
            problems.error(&format!("{settings_path}.image"), "must be a string");
            String::new()
        }
    };
    Module {
        name: name.to_owned(),
        image,
        status: if status == Some("stopped") {
            ModuleStatus::Stopped
        } else {
            ModuleStatus::Running
        },
        env: parse_env(members.get("env"), &format!("{path}.env"), variables, problems),
        create_options: parse_create_options(settings, &settings_path, problems),
        desired: Value::Object(Map::new()),
    }
}

/// A member that, when present, is one of these texts.
fn one_of<'a>(
    members: &Map<String, Value>,
    name: &str,
    allowed: &[&'a str],
    path: &str,
    problems: &mut Problems,
) -> Option<&'a str> {
    let value = members.get(name)?;
    let known = allowed.iter().find(|text| value.as_str() == Some(text)).copied();
    if known.is_none() {
        let text = format!("{value} is not one of: {}", allowed.join(", "));
        problems.error(&format!("{path}.{name}"), &text);
    }
    known
}

fn parse_env(
    env: Option<&Value>,
    path: &str,
    variables: &Variables,
    problems: &mut Problems,
) -> BTreeMap<String, String> {
    let members = match env {
        Some(Value::Object(members)) => members,
        None => return BTreeMap::new(),
        Some(_) => {
            problems.error(path, "must be an object of {\"NAME\": {\"value\": …}}");
            return BTreeMap::new();
        }
    };
    let mut env = BTreeMap::new();
    for (name, member) in members {
        let path = format!("{path}.{name}");
        if name.is_empty() || name.contains(['=', '\0']) {
            problems.error(&path, "a variable's name is not empty and has neither `=` nor NUL");
        }
        let text = match member.get("value") {
            Some(Value::String(text)) => variables.expand(text),
            Some(value @ (Value::Number(_) | Value::Bool(_))) => value.to_string(),
            _ => {
                problems.error(&path, "must be {\"value\": a string, number or boolean}");
                continue;
            }
        };
        env.insert(name.clone(), text);
    }
    env
}

/// An object, or text of an object, the text possibly split into numbered parts.
fn parse_create_options(
    settings: &Map<String, Value>,
    path: &str,
    problems: &mut Problems,
) -> Value {
    let path = format!("{path}.createOptions");
    let first = match settings.get("createOptions") {
        None | Some(Value::Null) => return Value::Object(Map::new()),
        Some(object @ Value::Object(_)) => return object.clone(),
        Some(Value::String(text)) => text,
        Some(_) => {
            problems.error(&path, "must be an object, or a string that holds one");
            return Value::Object(Map::new());
        }
    };
    let mut text = first.clone();
    for part in 1..CREATE_OPTIONS_PARTS {
        match settings.get(&format!("createOptions{part:02}")) {
            Some(Value::String(more)) => text.push_str(more),
            Some(_) => problems.error(&format!("{path}{part:02}"), "must be a string"),
            None => break,
        }
    }
    if text.trim().is_empty() {
        return Value::Object(Map::new());
    }
    match serde_json::from_str(&text) {
        Ok(object @ Value::Object(_)) => object,
        Ok(_) => {
            problems.error(&path, "the string must hold a JSON object");
            Value::Object(Map::new())
        }
        Err(error) => {
            problems.error(&path, &format!("the string does not hold JSON: {error}"));
            Value::Object(Map::new())
        }
    }
}

/// Twins of the modules: every section that is not of a system module.
pub(super) fn parse_twins(
    sections: &Map<String, Value>,
    path: &str,
    modules: &mut BTreeMap<String, Module>,
    variables: &Variables,
    problems: &mut Problems,
) {
    for (name, section) in sections.iter().filter(|(name, _)| !name.starts_with('$')) {
        let path = format!("{path}.{name}");
        let Some(module) = modules.get_mut(name) else {
            problems.warn(&path, "a twin for a module that is not declared: ignored");
            continue;
        };
        let desired = parse_desired(section, &path, problems);
        module.desired = desired;
        variables.expand_value(&mut module.desired);
    }
}

fn parse_desired(section: &Value, path: &str, problems: &mut Problems) -> Value {
    let empty = Value::Object(Map::new());
    let Some(members) = section.as_object() else {
        problems.error(path, "must be an object with `properties.desired`");
        return empty;
    };
    if let Some(layered) = members.keys().find(|key| key.starts_with("properties.desired.")) {
        let text = "layered deployments are not supported: merge it into `properties.desired`";
        problems.error(&format!("{path}.{layered}"), text);
    }
    let Some(desired) = desired_of(section) else { return empty };
    match TwinDocument::new(desired) {
        Ok(twin) => Value::Object(twin.desired().clone()),
        Err(error) => {
            problems.error(&format!("{path}.properties.desired"), &error.to_string());
            empty
        }
    }
}

/// The local hub's own member `devices`: ids, or twins by id.
pub(super) fn parse_devices(devices: &Value, problems: &mut Problems) -> BTreeMap<String, Value> {
    let mut parsed = BTreeMap::new();
    match devices {
        Value::Array(ids) => {
            for (index, id) in ids.iter().enumerate() {
                let path = format!("devices[{index}]");
                match id.as_str() {
                    Some(id) => {
                        check_id(id, "device", &path, problems);
                        parsed.insert(id.to_owned(), Value::Object(Map::new()));
                    }
                    None => problems.error(&path, "must be a device id"),
                }
            }
        }
        Value::Object(members) => {
            for (id, section) in members {
                let path = format!("devices.{id}");
                check_id(id, "device", &path, problems);
                parsed.insert(id.clone(), parse_desired(section, &path, problems));
            }
        }
        _ => problems.error("devices", "must be a list of ids, or an object of twins by id"),
    }
    parsed
}

/// IoT Hub's alphabet for ids; none of them needs care in a topic filter.
fn check_id(id: &str, kind: &str, path: &str, problems: &mut Problems) {
    let legal = |c: char| c.is_ascii_alphanumeric() || "-:.*%_!(),=@$'?".contains(c);
    if id.is_empty() || id.len() > ID_BYTES_LIMIT || id.starts_with('$') || !id.chars().all(legal) {
        let text = format!(
            "`{id}` is not a {kind} id: 1 to {ID_BYTES_LIMIT} ASCII letters, digits and \
             - : . * % _ ! ( ) , = @ $ ' ?, not starting with $"
        );
        problems.error(path, &text);
    }
}
