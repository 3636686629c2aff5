//! From files to one deployment: a whole manifest, and layers over it in their order, as IoT Hub's
//! layered deployments are. A layer names places below `properties.desired`, parted by dots; what
//! it has there takes the place of what was there.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::members::{DESIRED, SYSTEM};
use super::modules;
use super::nearest::did_you_mean;
use super::placeholders::{self, Read};
use super::reading::Reading;
use super::replaced;
use super::sections::{put, read_section};

/// Members that hold the sections.
const SECTIONS: [&str; 2] = ["modulesContent", "moduleContent"];
/// The newest `$schema-template` that is known.
const SCHEMA_TEMPLATE_MAX: u64 = 4;

/// All files as one.
#[derive(Default)]
pub(super) struct Deployment {
    /// Desired properties by section.
    pub(super) desired: BTreeMap<String, Value>,
    pub(super) devices: BTreeMap<String, Value>,
    /// Sections whose `properties.desired` some file gives as a whole.
    whole: BTreeSet<String>,
    /// Sections that are there, and whose problems are told already.
    seen: BTreeSet<String>,
    with_problems: BTreeSet<String>,
    /// The first place that only a layer names, and its file.
    layered: Option<(usize, String)>,
}

/// Reads all files into one deployment; `None` when there is none.
pub(super) fn assemble(reading: &mut Reading<'_>) -> Option<Deployment> {
    let mut deployment = Deployment::default();
    for index in 0..reading.sources.len() {
        reading.current = Some(index);
        if let Some(root) = read_text(index, reading) {
            merge_manifest(root, index, &mut deployment, reading);
        }
    }
    reading.current = None;
    if reading.prefixes.iter().any(String::is_empty) || deployment.seen.is_empty() {
        // A file that cannot be read at all: what is missing may be in it.
        if reading.errors.is_empty() {
            reading.error(
                &format!("{}.$edgeAgent", reading.prefix()),
                "missing: every deployment has it",
            );
        }
        return None;
    }
    check_complete(&deployment, reading).then_some(deployment)
}

fn read_text(index: usize, reading: &mut Reading<'_>) -> Option<Value> {
    let source = &reading.sources[index];
    match placeholders::read(source.text.trim_start_matches('\u{feff}'), source.variables) {
        Read::Value(value, twice) => {
            for path in twice {
                reading.warn(&path, "given twice: the last one counts; remove the other");
            }
            Some(value)
        }
        Read::Unset(problems) => {
            problems.iter().for_each(|(path, text)| reading.error(path, text));
            None
        }
        Read::NotJson(text) => {
            reading.error("", &text);
            None
        }
    }
}

fn merge_manifest(
    mut root: Value,
    index: usize,
    deployment: &mut Deployment,
    reading: &mut Reading<'_>,
) {
    check_template(root.get("$schema-template"), reading);
    if let Some(devices) = root.get("devices") {
        for (id, desired) in modules::parse_devices(devices, reading) {
            let path = format!("devices.{id}");
            let advice = "a later file gives all properties of a device";
            let before = deployment.devices.get(&id);
            replaced::check(before, &desired, (&path, advice), reading);
            deployment.devices.insert(id, desired);
        }
    }
    check_strays(&root, "", reading);
    let is_wrapped = root.get("content").is_some();
    let mut prefix = String::new();
    if is_wrapped {
        "content.".clone_into(&mut prefix);
        root = root["content"].take();
        check_strays(&root, "content.", reading);
    }
    let Some(name) = SECTIONS.into_iter().find(|name| root.get(name).is_some()) else {
        reading.error(&format!("{prefix}{}", SECTIONS[0]), &without_sections(&root));
        return;
    };
    prefix.push_str(name);
    reading.prefixes[index].clone_from(&prefix);
    let Value::Object(sections) = root[name].take() else {
        reading.error(&prefix, "must be an object");
        return;
    };
    for (name, section) in sections {
        deployment.add_section(&name, section, index, &format!("{prefix}.{name}"), reading);
    }
}

/// What to do about a file without sections.
fn without_sections(root: &Value) -> String {
    let mut names = root.as_object().into_iter().flatten().map(|(name, _)| name.as_str());
    if SYSTEM.into_iter().any(|name| root.get(name).is_some()) {
        return "missing: put the sections of the modules into it".to_owned();
    }
    match names.find(|name| !did_you_mean(name, [SECTIONS[0]]).is_empty()) {
        Some(name) => format!("missing: `{name}` is misspelt for it"),
        None => "missing: a deployment manifest has its modules there".to_owned(),
    }
}

/// Sections beside the object that they belong into.
fn check_strays(root: &Value, prefix: &str, reading: &mut Reading<'_>) {
    if !SECTIONS.into_iter().chain(["content"]).any(|name| root.get(name).is_some()) {
        return;
    }
    for (name, section) in root.as_object().into_iter().flatten() {
        let is_section = |section: &Map<String, Value>| {
            section.keys().any(|member| member.starts_with("properties"))
        };
        if section.as_object().is_some_and(is_section) {
            let text = format!("not read here: this section belongs into `{}`", SECTIONS[0]);
            reading.error(&format!("{prefix}{name}"), &text);
        }
    }
}

fn check_template(version: Option<&Value>, reading: &mut Reading<'_>) {
    let Some(version) = version else { return };
    let major = version.as_str().and_then(|text| text.split('.').next()?.parse::<u64>().ok());
    if major.is_none_or(|major| major > SCHEMA_TEMPLATE_MAX) {
        let text = format!(
            "{version} is no known version of templates: read as {SCHEMA_TEMPLATE_MAX}.0.0"
        );
        reading.warn("$schema-template", &text);
    }
}

impl Deployment {
    /// The desired properties of a system module, when they are an object.
    pub(super) fn system(&self, name: &str) -> Option<&Map<String, Value>> {
        self.desired.get(name)?.as_object()
    }

    fn add_section(
        &mut self,
        name: &str,
        section: Value,
        index: usize,
        path: &str,
        reading: &mut Reading<'_>,
    ) {
        if name.starts_with('$') && !SYSTEM.contains(&name) {
            let hint = did_you_mean(name, SYSTEM);
            reading.error(path, &format!("no module has this name{hint}"));
            return;
        }
        self.seen.insert(name.to_owned());
        let errors_before = reading.errors.len();
        let section = read_section(section, path, reading);
        if let Some(whole) = section.whole {
            self.set_whole(name, whole, index, path, reading);
        }
        for (place, value) in section.dotted {
            if self.layered.is_none() {
                self.layered = Some((index, format!("{path}.{DESIRED}.{place}")));
            }
            self.set_place(name, &place, value, index, path, reading);
        }
        if reading.errors.len() > errors_before {
            self.with_problems.insert(name.to_owned());
        }
    }

    fn set_whole(
        &mut self,
        name: &str,
        value: Value,
        index: usize,
        path: &str,
        reading: &mut Reading<'_>,
    ) {
        let path = format!("{path}.{DESIRED}");
        if !value.is_object() {
            reading.error(&path, "must be an object");
            return;
        }
        self.whole.insert(name.to_owned());
        reading.own(format!("{name}.{DESIRED}"), index);
        let advice = format!("name the base first, and write `{DESIRED}.MEMBER` in a layer");
        replaced::check(self.desired.get(name), &value, (&path, &advice), reading);
        self.desired.insert(name.to_owned(), value);
    }

    /// Puts one place of a layer in.
    fn set_place(
        &mut self,
        name: &str,
        place: &str,
        value: Value,
        index: usize,
        path: &str,
        reading: &mut Reading<'_>,
    ) {
        let parts: Vec<&str> = place.split('.').collect();
        let desired = self.desired.entry(name.to_owned()).or_insert_with(|| Map::new().into());
        if let ("$edgeAgent", ["modules", module, _, ..]) = (name, &parts[..])
            && let Some(modules) = desired.get("modules").and_then(Value::as_object)
            && !modules.contains_key(*module)
        {
            let hint = reading.hint(module, modules.keys());
            let text = format!("no manifest before this layer has a module `{module}`{hint}");
            reading.warn(&format!("{path}.{DESIRED}.{place}"), &text);
        }
        if put(desired, place, value, path, reading) {
            reading.own(format!("{name}.{DESIRED}.{place}"), index);
        }
    }
}

/// Whether both system modules have their whole settings; says what is missing.
fn check_complete(deployment: &Deployment, reading: &mut Reading<'_>) -> bool {
    let missing: Vec<&str> =
        SYSTEM.into_iter().filter(|name| !deployment.whole.contains(*name)).collect();
    if missing.is_empty() {
        return true;
    }
    if let Some((index, path)) = &deployment.layered {
        reading.current = Some(*index);
        let text = format!(
            "a layered deployment, which names places in another one and has no whole \
             {missing} of its own: name that one first, as --manifest BASE --manifest LAYER",
            missing = missing.join(" and ")
        );
        reading.error(path, &text);
        reading.current = None;
        return false;
    }
    for name in missing.into_iter().filter(|name| !deployment.with_problems.contains(*name)) {
        let path = format!("{}.{name}", reading.prefix());
        if deployment.seen.contains(name) {
            let text = "missing: the settings of this module belong there";
            reading.error(&format!("{path}.{DESIRED}"), text);
        } else {
            reading.error(&path, "missing: every deployment has it");
        }
    }
    // What there is can be looked at: all problems are told at once.
    true
}
