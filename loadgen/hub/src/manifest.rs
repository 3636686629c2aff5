//! Deployment manifests and templates (IoT Edge: deploy modules and establish routes).
//!
//! JSON text goes in; modules, devices, twins and routes come out. Only [`Manifest::from_file`]
//! touches files and the environment. All problems of a text are reported at once, each with the
//! path of the JSON member it is about.
//!
//! ```text
//! files -> placeholders (JSON text) -> layers (one deployment) -> modules, routes -> ends (checks)
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::route::Route;

mod ends;
mod environment;
mod files;
mod json;
mod layers;
mod members;
mod modules;
mod nearest;
mod placeholders;
mod problems;
mod reading;
mod replaced;
mod routes;
mod schema;
mod sections;
mod variables;

use layers::Deployment;
pub use members::desired_inside;
pub use problems::{ManifestError, PROBLEMS_LISTED_LIMIT, Problem};
use reading::{Reading, Source};
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
    /// Environment variables: `Env` of the create options, and `env` over it; values expanded.
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
            "$edgeAgent": {"properties.desired": {"schemaVersion": "1.1", "modules": {
                "SimulatedTemperatureSensor": {"settings": {
                    "image": "mcr.microsoft.com/azureiotedge-simulated-temperature-sensor:1.0"}},
                "filter": {"settings": {"image": "sluicegate"}},
            }}},
            "$edgeHub": {"properties.desired": {"schemaVersion": "1.1", "routes": {
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
    /// As [`Manifest::from_files`].
    pub fn from_file(path: &Path) -> Result<Self, ManifestError> {
        Self::from_files(&[path.to_owned()])
    }

    /// Reads a manifest or template, and layered deployments to put over it, in their order: the
    /// later wins. Each file has the variables of the `.env` beside it. Without any, the
    /// [built-in](Manifest::built_in) deployment.
    ///
    /// # Errors
    /// A file cannot be read, is larger than [`MANIFEST_BYTES_LIMIT`], or [`Manifest::parse`]
    /// refuses what they make together.
    pub fn from_files(paths: &[PathBuf]) -> Result<Self, ManifestError> {
        if paths.is_empty() {
            return Ok(Self::built_in());
        }
        let texts = files::read_all(paths)?;
        let sources: Vec<Source<'_>> = texts.iter().map(files::FileText::source).collect();
        Self::parse_sources(&sources)
    }

    /// Parses the text of a manifest or template.
    ///
    /// Accepted are `modulesContent`, the old `moduleContent`, and either one inside `content`.
    /// Variables are expanded outside of quotation marks, where each must have a value, and in the
    /// values of twins, routes, `env` and `Env`; an unknown one is left in place there, with a
    /// warning. Those in images and credentials stay: the hub starts no containers.
    ///
    /// # Errors
    /// Every problem found, with its path.
    pub fn parse(text: &str, variables: &Variables) -> Result<Self, ManifestError> {
        Self::parse_sources(&[Source { name: None, text, variables }])
    }

    fn parse_sources(sources: &[Source<'_>]) -> Result<Self, ManifestError> {
        let mut reading = Reading::new(sources);
        let deployment = layers::assemble(&mut reading);
        match deployment.map(|deployment| parse_deployment(deployment, &mut reading)) {
            Some(manifest) if reading.errors.is_empty() => {
                Ok(Self { warnings: reading.warnings, ..manifest })
            }
            _ => Err(reading.into()),
        }
    }
}

fn parse_deployment(deployment: Deployment, reading: &mut Reading<'_>) -> Manifest {
    let mut modules = match system(&deployment, "$edgeAgent", reading) {
        Some((path, agent)) => modules::parse_modules(agent, &path, reading),
        None => BTreeMap::new(),
    };
    let (mut routes, mut time_to_live) = (Vec::new(), None);
    if let Some((path, hub)) = system(&deployment, "$edgeHub", reading) {
        routes = routes::parse_routes(hub, &path, &modules, reading);
        time_to_live = routes::parse_time_to_live(hub, &path, reading);
        if routes.is_empty() {
            reading.warn(&format!("{path}.routes"), "no route: no message will go anywhere");
        }
    }
    ends::declare_named(&routes, &mut modules, reading);
    ends::check_rings(&routes, &modules, reading);
    modules::parse_twins(&deployment.desired, &mut modules, reading);
    Manifest {
        device: DEVICE_DEFAULT.to_owned(),
        hub: HUB_NAME_DEFAULT.to_owned(),
        modules,
        devices: deployment.devices,
        routes: routes.into_iter().map(|(_, route)| route).collect(),
        time_to_live,
        warnings: Vec::new(),
    }
}

/// The settings of a system module and their path, unless they are elsewhere than they are read.
fn system<'a>(
    deployment: &'a Deployment,
    name: &str,
    reading: &mut Reading<'_>,
) -> Option<(String, &'a Map<String, Value>)> {
    let path = format!("{}.{name}.{}", reading.prefix(), members::DESIRED);
    let desired = deployment.system(name)?;
    if let Some((inner, text)) = desired_inside(desired) {
        reading.error(&format!("{path}.{inner}"), &text);
        return None;
    }
    Some((path, desired))
}

#[cfg(test)]
mod tests;
