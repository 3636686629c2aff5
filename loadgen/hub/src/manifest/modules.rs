//! Modules and their twins: the `$edgeAgent` section, and one section per module.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::environment;
use super::members::{DESIRED, SYSTEM, check_applied, check_known, desired_inside, without_marks};
use super::reading::Reading;
use super::schema::check_schema;
use super::sections::read_section;
use super::{Module, ModuleStatus};
use crate::twin_document::TwinDocument;

/// Longest module or device id, in bytes (IoT Hub: identity registry).
const ID_BYTES_LIMIT: usize = 128;
/// Most bytes of a module's variables together (the control socket's answers carry them).
const ENV_BYTES_LIMIT: usize = 256 * 1024;
/// What `$edgeAgent` may hold.
const AGENT: [&str; 5] = ["schemaVersion", "runtime", "systemModules", "modules", "integrity"];
/// What a module of it may hold. All but `env`, `settings` and `status` are the agent's alone.
const MODULE: [&str; 8] = [
    "version",
    "type",
    "status",
    "restartPolicy",
    "imagePullPolicy",
    "startupOrder",
    "env",
    "settings",
];

pub(super) fn parse_modules(
    agent: &Map<String, Value>,
    agent_path: &str,
    reading: &mut Reading<'_>,
) -> BTreeMap<String, Module> {
    check_known(agent, &AGENT, agent_path, reading);
    check_applied(agent, &[("integrity", "no signature is checked")], agent_path, reading);
    check_schema(agent, agent_path, reading);
    let path = format!("{agent_path}.modules");
    let modules = match agent.get("modules") {
        Some(Value::Object(modules)) => modules,
        Some(_) => {
            reading.error(&path, "must be an object of modules by name");
            return BTreeMap::new();
        }
        None => {
            reading.error(&path, "missing: the modules of the deployment belong there");
            return BTreeMap::new();
        }
    };
    let mut parsed = BTreeMap::new();
    for (name, value) in modules {
        let path = format!("{path}.{name}");
        check_id(name, "module", &path, reading);
        match value {
            Value::Object(members) => {
                parsed.insert(name.clone(), parse_module(name, members, &path, reading));
            }
            // An update or a layer may remove a module by null.
            Value::Null => {}
            _ => reading.error(&path, "must be an object"),
        }
    }
    parsed
}

fn parse_module(
    name: &str,
    members: &Map<String, Value>,
    path: &str,
    reading: &mut Reading<'_>,
) -> Module {
    check_twin_elsewhere(name, members, path, reading);
    one_of(members, "type", &["docker"], path, reading);
    let policies = ["never", "on-failure", "on-unhealthy", "always"];
    one_of(members, "restartPolicy", &policies, path, reading);
    one_of(members, "imagePullPolicy", &["on-create", "never"], path, reading);
    let status = one_of(members, "status", &["running", "stopped"], path, reading);
    if let Some(order) = members.get("startupOrder")
        && order.as_u64().is_none_or(|order| order > u64::from(u32::MAX))
    {
        let text = format!("must be a number from 0 to 4294967295{}", without_marks(order));
        reading.error(&format!("{path}.startupOrder"), &text);
    }
    let settings_path = format!("{path}.settings");
    let empty = Map::new();
    let settings = match members.get("settings") {
        Some(Value::Object(settings)) => settings,
        None => &empty,
        Some(_) => {
            reading.error(&settings_path, "must be an object");
            &empty
        }
    };
    let create_options = environment::parse_create_options(settings, &settings_path, reading);
    let options_path = format!("{settings_path}.createOptions");
    let mut env = environment::of_create_options(&create_options, &options_path, reading);
    env.extend(environment::parse_env(members.get("env"), &format!("{path}.env"), reading));
    if env.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>() > ENV_BYTES_LIMIT {
        let text =
            format!("over {ENV_BYTES_LIMIT} bytes of names and values: no program takes them");
        reading.error(&format!("{path}.env"), &text);
    }
    let is_stopped = status == Some("stopped");
    Module {
        name: name.to_owned(),
        image: parse_image(settings, &settings_path, reading),
        status: if is_stopped { ModuleStatus::Stopped } else { ModuleStatus::Running },
        env,
        create_options,
        desired: Value::Object(Map::new()),
    }
}

fn parse_image(settings: &Map<String, Value>, path: &str, reading: &mut Reading<'_>) -> String {
    match settings.get("image") {
        Some(Value::String(image)) => image.clone(),
        None => String::new(),
        Some(_) => {
            reading.error(&format!("{path}.image"), "must be a string");
            String::new()
        }
    }
}

/// A twin that stands with the module's settings, and members that nothing reads.
fn check_twin_elsewhere(
    name: &str,
    members: &Map<String, Value>,
    path: &str,
    reading: &mut Reading<'_>,
) {
    let is_twin = |member: &str| member.starts_with("properties") || member == "desired";
    let (twins, others): (Vec<_>, Vec<_>) =
        members.iter().map(|(n, v)| (n.clone(), v.clone())).partition(|(n, _)| is_twin(n));
    for (member, _) in twins {
        let text = format!(
            "not read here: desired properties belong into the section `{prefix}.{name}`",
            prefix = reading.prefix()
        );
        reading.error(&format!("{path}.{member}"), &text);
    }
    check_known(&others.into_iter().collect(), &MODULE, path, reading);
}

/// A member that, when present, is one of these texts.
fn one_of<'a>(
    members: &Map<String, Value>,
    name: &str,
    allowed: &[&'a str],
    path: &str,
    reading: &mut Reading<'_>,
) -> Option<&'a str> {
    let value = members.get(name)?;
    let known = allowed.iter().find(|text| value.as_str() == Some(text)).copied();
    if known.is_none() {
        let text = format!("{value} is not one of: {}", allowed.join(", "));
        reading.error(&format!("{path}.{name}"), &text);
    }
    known
}

/// Twins of the modules: every section that is not of a system module.
pub(super) fn parse_twins(
    sections: &BTreeMap<String, Value>,
    modules: &mut BTreeMap<String, Module>,
    reading: &mut Reading<'_>,
) {
    for (name, desired) in sections.iter().filter(|(name, _)| !SYSTEM.contains(&name.as_str())) {
        let path = format!("{}.{name}", reading.prefix());
        if !modules.contains_key(name) {
            let hint = reading.hint(name, modules.keys());
            let text = format!("a twin for a module that is not declared: ignored{hint}");
            reading.warn(&path, &text);
            continue;
        }
        let desired = parse_desired(desired, &format!("{path}.{DESIRED}"), reading);
        if let Some(module) = modules.get_mut(name) {
            module.desired = desired;
        }
    }
}

fn parse_desired(desired: &Value, path: &str, reading: &mut Reading<'_>) -> Value {
    if let Some((inner, text)) = desired.as_object().and_then(desired_inside) {
        let path = format!("{path}.{inner}");
        if inner == DESIRED {
            // No property may have a name with a dot.
            reading.error(&path, &text);
            return Value::Object(Map::new());
        }
        reading.warn(&path, &text);
    }
    match TwinDocument::new(desired) {
        Ok(twin) => {
            let mut desired = Value::Object(twin.desired().clone());
            expand_texts(&mut desired, path.to_owned(), reading);
            desired
        }
        Err(error) => {
            reading.error(path, &error.to_string());
            Value::Object(Map::new())
        }
    }
}

/// Replaces variables in every text below, names of members untouched.
fn expand_texts(value: &mut Value, path: String, reading: &mut Reading<'_>) {
    match value {
        Value::String(text) if text.contains('$') => *text = reading.expand(&path, text),
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                expand_texts(item, format!("{path}[{index}]"), reading);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                expand_texts(member, format!("{path}.{name}"), reading);
            }
        }
        _ => {}
    }
}

/// The local hub's own member `devices`: ids, or twins by id.
pub(super) fn parse_devices(devices: &Value, reading: &mut Reading<'_>) -> BTreeMap<String, Value> {
    let mut parsed = BTreeMap::new();
    match devices {
        Value::Array(ids) => {
            for (index, id) in ids.iter().enumerate() {
                let path = format!("devices[{index}]");
                match id.as_str() {
                    Some(id) => {
                        check_id(id, "device", &path, reading);
                        parsed.insert(id.to_owned(), Value::Object(Map::new()));
                    }
                    None => reading.error(&path, "must be a device id"),
                }
            }
        }
        Value::Object(members) => {
            for (id, section) in members {
                let path = format!("devices.{id}");
                check_id(id, "device", &path, reading);
                let desired = read_section(section.clone(), &path, reading).joined(&path, reading);
                let path = format!("{path}.{DESIRED}");
                parsed.insert(id.clone(), parse_desired(&desired, &path, reading));
            }
        }
        _ => reading.error("devices", "must be a list of ids, or an object of twins by id"),
    }
    parsed
}

fn check_id(id: &str, kind: &str, path: &str, reading: &mut Reading<'_>) {
    if !is_id(id) {
        let text = format!(
            "`{id}` is not a {kind} id: 1 to {ID_BYTES_LIMIT} ASCII letters, digits and \
             - : . * % _ ! ( ) , = @ $ ' ?, not starting with $"
        );
        reading.error(path, &text);
    }
}

/// IoT Hub's alphabet for ids; none of them needs care in a topic filter.
pub(super) fn is_id(id: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || "-:.*%_!(),=@$'?".contains(c);
    !id.is_empty() && id.len() <= ID_BYTES_LIMIT && !id.starts_with('$') && id.chars().all(legal)
}
