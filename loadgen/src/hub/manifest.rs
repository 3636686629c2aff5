//! Deployment manifests and templates (IoT Edge: deploy modules and establish routes).
//!
//! JSON text goes in; modules, devices, twins and routes come out. Only [`Manifest::from_file`]
//! touches files and the environment. All problems of a text are reported at once, each with the
//! path of the JSON member it is about.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::route::{Route, Sink};

mod modules;
mod problems;
mod routes;
mod variables;

use problems::Problems;
pub use problems::{ManifestError, Problem};
pub use variables::Variables;

/// Largest manifest accepted, in bytes.
pub const MANIFEST_BYTES_LIMIT: u64 = 4 * 1024 * 1024;
/// Device id when nothing names one.
pub const DEVICE_DEFAULT: &str = "edge1";
/// Hub name when nothing names one. It is an identity only: nobody resolves it.
pub const HUB_NAME_DEFAULT: &str = "local.azure-devices.net";

/// Whether the runtime should run a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModuleStatus {
    /// The module runs.
    Running,
    /// The module is declared but must not run; its identity exists.
    Stopped,
}

/// One module of the deployment.
#[derive(Clone, PartialEq)]
pub struct Module {
    /// Module id.
    pub name: String,
    /// `settings.image`, variables left in place; empty when absent.
    pub image: String,
    /// Running unless the manifest says stopped.
    pub status: ModuleStatus,
    /// Environment variables, values expanded.
    pub env: BTreeMap<String, String>,
    /// `createOptions` as an object, whether given as one, as text or as split text.
    pub create_options: Value,
    /// Desired properties of the module twin: a JSON object.
    pub desired: Value,
}

impl fmt::Debug for Module {
    /// Without the values of `env`: they may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Module")
            .field("name", &self.name)
            .field("image", &self.image)
            .field("status", &self.status)
            .field("env", &self.env.keys())
            .field("desired", &self.desired)
            .finish_non_exhaustive()
    }
}

/// Everything the hub takes from a deployment.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// Id of the edge device that the modules belong to.
    pub device: String,
    /// Name of the IoT hub, as it stands in user names and tokens.
    pub hub: String,
    /// Modules by name, without the two system modules.
    pub modules: BTreeMap<String, Module>,
    /// Devices that connect through the hub, with their desired properties.
    ///
    /// A deployment has no such member; the local hub takes them from a top-level `devices`:
    /// `{"sensor-1": {"properties.desired": {…}}}` or `["sensor-1"]`.
    pub devices: BTreeMap<String, Value>,
    /// Routes in order of name.
    pub routes: Vec<Route>,
    /// How long undelivered messages are kept; `None` is for ever.
    pub time_to_live: Option<Duration>,
    /// Remarks on members that are legal and probably not meant.
    pub warnings: Vec<Problem>,
}

impl Default for Manifest {
    /// [`Manifest::built_in`].
    fn default() -> Self {
        Self::built_in()
    }
}

impl Manifest {
    /// The deployment of the tutorials: a simulated sensor, the filter at threshold 25, upstream.
    pub fn built_in() -> Self {
        let text = json!({"modulesContent": {
            "$edgeAgent": {"properties.desired": {"modules": {
                "SimulatedTemperatureSensor": {"settings": {
                    "image": "mcr.microsoft.com/azureiotedge-simulated-temperature-sensor:1.0"}},
                "filter": {"settings": {"image": "sluicegate"}},
            }}},
            "$edgeHub": {"properties.desired": {"routes": {
                "sensorToFilter": "FROM /messages/modules/SimulatedTemperatureSensor/outputs/\
                    temperatureOutput INTO BrokeredEndpoint(\"/modules/filter/inputs/input1\")",
                "filterToUpstream": "FROM /messages/modules/filter/outputs/output1 INTO $upstream",
            }}},
            "filter": {"properties.desired": {"TemperatureThreshold": 25}},
        }})
        .to_string();
        Self::parse(&text, &Variables::default()).expect("the text above is a valid manifest")
    }

    /// Reads a manifest or template; `${VAR}` and `$VAR` come from the environment, then from a
    /// file `.env` beside it.
    ///
    /// # Errors
    /// The file cannot be read, is larger than [`MANIFEST_BYTES_LIMIT`], or [`Manifest::parse`]
    /// refuses it.
    pub fn from_file(path: &Path) -> Result<Self, ManifestError> {
        let text = read_bounded(path)?;
        let env_file = path.parent().unwrap_or(Path::new("")).join(".env");
        let variables = if env_file.is_file() {
            Variables::from_env_text(&read_bounded(&env_file)?)
        } else {
            Variables::default()
        };
        Self::parse(&text, &variables.with_environment(std::env::vars()))
    }

    /// Parses the text of a manifest or template.
    ///
    /// Accepted are `modulesContent`, the old `moduleContent`, and either one inside `content`.
    /// Variables are expanded in the values of twins, routes and `env`; an unknown one is left in
    /// place, and those in images, create options and credentials always are: the hub starts no
    /// containers.
    ///
    /// # Errors
    /// Every problem found, with its path.
    pub fn parse(text: &str, variables: &Variables) -> Result<Self, ManifestError> {
        let mut root: Value = serde_json::from_str(text.trim_start_matches('\u{feff}'))
            .map_err(|error| ManifestError::single("", format!("not JSON: {error}")))?;
        let mut problems = Problems::default();
        let manifest = parse_root(&mut root, variables, &mut problems);
        match manifest {
            Some(manifest) if problems.errors.is_empty() => {
                Ok(Self { warnings: problems.warnings, ..manifest })
            }
            _ => Err(ManifestError { problems: problems.errors }),
        }
    }

    /// Whether a module is declared.
    pub fn has_module(&self, name: &str) -> bool {
        self.modules.contains_key(name)
    }
}

fn read_bounded(path: &Path) -> Result<String, ManifestError> {
    sluicegate::files::read_text(path, MANIFEST_BYTES_LIMIT).map_err(|problem| {
        ManifestError::single("", format!("cannot read {}: {problem}", path.display()))
    })
}

fn parse_root(
    root: &mut Value,
    variables: &Variables,
    problems: &mut Problems,
) -> Option<Manifest> {
    let devices = root.get("devices").map(|d| modules::parse_devices(d, problems));
    let (path, sections) = find_sections(root, problems)?;
    let agent = desired_section(sections, &path, "$edgeAgent", problems);
    let hub = desired_section(sections, &path, "$edgeHub", problems);
    let mut modules = match &agent {
        Some((path, desired)) => modules::parse_modules(desired, path, variables, problems),
        None => BTreeMap::new(),
    };
    modules::parse_twins(sections, &path, &mut modules, variables, problems);
    let (routes, time_to_live) = match &hub {
        Some((path, desired)) => (
            routes::parse_routes(desired, path, variables, problems),
            routes::parse_time_to_live(desired, path, problems),
        ),
        None => (Vec::new(), None),
    };
    check_ends(&routes, hub.map(|(path, _)| path).as_deref(), &modules, problems);
    Some(Manifest {
        device: DEVICE_DEFAULT.to_owned(),
        hub: HUB_NAME_DEFAULT.to_owned(),
        modules,
        devices: devices.unwrap_or_default(),
        routes: routes.into_iter().map(|(_, route)| route).collect(),
        time_to_live,
        warnings: Vec::new(),
    })
}

/// The object that holds the modules' sections, and its path.
fn find_sections<'a>(
    root: &'a Value,
    problems: &mut Problems,
) -> Option<(String, &'a Map<String, Value>)> {
    let (prefix, root) = match root.get("content") {
        Some(content) => ("content.", content),
        None => ("", root),
    };
    for name in ["modulesContent", "moduleContent"] {
        let path = format!("{prefix}{name}");
        match root.get(name) {
            Some(Value::Object(sections)) => return Some((path, sections)),
            Some(_) => {
                problems.error(&path, "must be an object");
                return None;
            }
            None => {}
        }
    }
    problems.error(
        &format!("{prefix}modulesContent"),
        "missing: a deployment manifest has its modules there",
    );
    None
}

/// `properties.desired` of a system module: as one member name, or as two nested members.
fn desired_section<'a>(
    sections: &'a Map<String, Value>,
    path: &str,
    name: &str,
    problems: &mut Problems,
) -> Option<(String, &'a Map<String, Value>)> {
    let path = format!("{path}.{name}");
    let Some(section) = sections.get(name) else {
        problems.error(&path, "missing: every deployment has it");
        return None;
    };
    let desired = desired_of(section);
    let path = format!("{path}.properties.desired");
    match desired {
        Some(Value::Object(desired)) => Some((path, desired)),
        Some(_) => {
            problems.error(&path, "must be an object");
            None
        }
        None => {
            problems.error(&path, "missing: the settings of this module belong there");
            None
        }
    }
}

fn desired_of(section: &Value) -> Option<&Value> {
    section.get("properties.desired").or_else(|| section.get("properties")?.get("desired"))
}

/// A route into a module nobody declared would fill a store for ever: an error. One out of such a
/// module only never fires: a warning.
fn check_ends(
    routes: &[(String, Route)],
    hub_path: Option<&str>,
    modules: &BTreeMap<String, Module>,
    problems: &mut Problems,
) {
    let known = |name: &str| modules.keys().any(|module| module == name);
    for (path, route) in routes {
        if let Sink::Input { module, .. } = &route.sink
            && !known(module)
        {
            problems.error(path, &format!("goes to module `{module}`, which is not declared"));
        }
        if let Some(module) = route.source_module()
            && !modules.keys().any(|name| name.eq_ignore_ascii_case(module))
        {
            problems.warn(path, &format!("comes from module `{module}`, which is not declared"));
        }
    }
    if let (true, Some(path)) = (routes.is_empty(), hub_path) {
        problems.warn(&format!("{path}.routes"), "no route: no message will go anywhere");
    }
}

#[cfg(test)]
mod tests;
