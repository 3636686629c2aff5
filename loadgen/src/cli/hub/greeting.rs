//! What `loadgen hub` says at its start and at its end.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::super::output::print;
use super::super::sensors::Sensor;
use super::super::{CommandError, STATE_DEFAULT, shell};
use loadgen_hub::HubHandle;
use loadgen_hub::manifest::Manifest;
use loadgen_hub::route::{Route, Sink};

/// Most routes, twins and outputs that are named, one a line; of the others one line says how many
/// they are.
const LINES_MAX: usize = 20;
/// Characters of a twin that are shown.
const TWIN_CHARS: usize = 100;

/// What an edge hub or the cloud has and this hub has not.
const NOT_HERE: &str = "not here: AMQP, HTTP, X.509, cloud-to-device messages, file upload, calls \
                        between modules, a cloud behind `$upstream` (see `monitor`)";

/// What there is to say about a hub before it runs.
#[derive(Debug)]
pub(super) struct Greeting {
    modules: String,
    routes: Vec<String>,
    /// Names and desired properties of the manifest.
    deployed: Vec<(String, Value)>,
    /// The module that the examples are about.
    example: String,
    state: String,
    /// ` --state DIR`, unless the folder is the usual one.
    state_argument: String,
}

impl Greeting {
    pub(super) fn new(manifest: &Manifest, sensors: &[Sensor], state: &Path) -> Self {
        let state_text = state.display().to_string();
        let state_argument = if state == Path::new(STATE_DEFAULT) {
            String::new()
        } else {
            format!(" --state {}", shell::word(&state_text))
        };
        let modules = manifest.modules.iter().map(|(name, module)| (name, &module.desired));
        let deployed = modules.chain(&manifest.devices);
        Self {
            modules: describe_modules(manifest, sensors),
            routes: manifest.routes.iter().map(describe_route).collect(),
            deployed: deployed.map(|(name, desired)| (name.clone(), desired.clone())).collect(),
            example: example_module(manifest, sensors),
            state: state_text,
            state_argument,
        }
    }

    /// Says where the hub listens, what it serves and what it is not, and how to go on.
    pub(super) fn print(&self, hub: &HubHandle) -> Result<(), CommandError> {
        let Self { state, modules, routes, .. } = self;
        print(format_args!("hub listening on {}, state in {state}", hub.address()))?;
        if let Some(address) = hub.websocket_address() {
            print(format_args!("MQTT over WebSocket on {address}"))?;
        }
        print(format_args!("modules: {modules}"))?;
        print_list("routes", routes)?;
        print_list("twins", &self.twins(hub))?;
        print(NOT_HERE)?;
        self.print_examples()
    }

    fn print_examples(&self) -> Result<(), CommandError> {
        let program = std::env::args().next().unwrap_or_else(|| "loadgen".to_owned());
        let program = shell::word(&program);
        let (example, folder) = (&self.example, &self.state_argument);
        print("in another terminal:")?;
        print(format_args!(
            "  eval \"$({program} env {example}{folder})\"   # then start any program for the \
             module"
        ))?;
        print(format_args!(
            "  eval \"$({program} enrol sensor1{folder})\"   # then start `sluicegate sensor`"
        ))?;
        print(format_args!("  {program} monitor{folder}"))?;
        print(format_args!(
            "  {program} twin set {example} '{{\"TemperatureThreshold\": 30}}'{folder}"
        ))?;
        print(format_args!("  {program} method {example} stats{folder}"))?;
        print(how_to_stop())
    }

    /// The desired properties that are in force, where there are any.
    fn twins(&self, hub: &HubHandle) -> Vec<String> {
        let twin = |(name, deployed): &(String, Value)| {
            let desired = hub.twin(name).ok()?["desired"].take();
            describe_twin(name, desired, deployed, &self.state)
        };
        self.deployed.iter().filter_map(twin).collect()
    }
}

/// Ctrl-C reaches only what is in the foreground of a terminal.
fn how_to_stop() -> String {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    if is_in_foreground(&stat) {
        "Ctrl-C stops".to_owned()
    } else {
        format!("`kill {}` stops", std::process::id())
    }
}

/// By what the kernel tells of a process (proc(5), `/proc/pid/stat`): whether its process group is
/// the one that has its terminal.
fn is_in_foreground(stat: &str) -> bool {
    // The name before it may hold anything, brackets and spaces too.
    let Some((_, fields)) = stat.rsplit_once(") ") else { return false };
    let mut fields = fields.split_whitespace();
    let (group, foreground) = (fields.nth(2), fields.nth(2));
    group.is_some() && group == foreground
}

/// Says what the hub did, and what it was sent and could send to nobody.
pub(super) fn farewell(hub: &HubHandle) -> Result<(), CommandError> {
    let counters = hub.counters();
    let mut text = format!(
        "{} input messages acknowledged, {} messages upstream",
        counters.inputs_acked, counters.upstream
    );
    if counters.dropped_no_route > 0 {
        // `write!` to a String cannot fail.
        let _ = write!(text, ", {} dropped: no route", counters.dropped_no_route);
    }
    print(text)?;
    let unrouted = hub.unrouted().unwrap_or_default();
    let unrouted: Vec<_> =
        unrouted.iter().map(|(source, count)| format!("{count} from {source:?}")).collect();
    if unrouted.is_empty() { Ok(()) } else { print_list("dropped, for want of a route", &unrouted) }
}

/// A heading and a line for each, or one line that says that there is none.
fn print_list(heading: &str, lines: &[String]) -> Result<(), CommandError> {
    if lines.is_empty() {
        return print(format_args!("{heading}: none"));
    }
    print(format_args!("{heading}:"))?;
    lines.iter().take(LINES_MAX).try_for_each(|line| print(format_args!("  {line}")))?;
    match lines.len().saturating_sub(LINES_MAX) {
        0 => Ok(()),
        more => print(format_args!("  and {more} more")),
    }
}

fn describe_modules(manifest: &Manifest, sensors: &[Sensor]) -> String {
    let simulated = |name: &str| sensors.iter().find(|sensor| sensor.name == name);
    let describe = |name: &String| match simulated(name) {
        Some(sensor) => {
            format!("{name} (simulated, every {:?})", sensor.simulator.send_interval())
        }
        None => name.clone(),
    };
    manifest.modules.keys().map(describe).collect::<Vec<_>>().join(", ")
}

/// `name: /messages/modules/a/outputs/b -> c/inputs/d`.
fn describe_route(route: &Route) -> String {
    let source = route.source();
    // A source that names no output takes all that is behind it.
    let rest = if source.to_ascii_lowercase().contains("/outputs/") { "" } else { "/*" };
    let sink = match &route.sink {
        Sink::Upstream => "$upstream".to_owned(),
        Sink::Input { module, input } => format!("{module}/inputs/{input}"),
    };
    format!("{}: {source}{rest} -> {sink}", route.name)
}

/// `name: {...}, version 3`, and where that is from if it is not what the manifest says; `None`
/// where there is nothing to tell.
fn describe_twin(name: &str, mut desired: Value, deployed: &Value, state: &str) -> Option<String> {
    let version = desired.as_object_mut()?.remove("$version")?;
    let is_deployed = desired == *deployed;
    if is_deployed && desired.as_object()?.is_empty() {
        return None;
    }
    let kept = if is_deployed {
        String::new()
    } else {
        format!(", kept in {state}; the manifest has {}", shortened(deployed))
    };
    Some(format!("{name}: {}, version {version}{kept}", shortened(&desired)))
}

fn shortened(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(TWIN_CHARS) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

/// The module that the examples are about: the first that somebody has to start.
fn example_module(manifest: &Manifest, sensors: &[Sensor]) -> String {
    let simulated = |name: &String| sensors.iter().any(|sensor| sensor.name == *name);
    let example = manifest.modules.keys().find(|name| !simulated(name));
    shell::word(example.map_or("MODULE", String::as_str))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ctrl_c_is_for_the_foreground_of_a_terminal() {
        let rows = [
            ("7 (loadgen) S 1 7 7 34816 7 4194304 1 0", true),
            ("7 (a) b (c) S 1 7 5 34816 7 4194304 1 0", true),
            ("9 (loadgen) S 7 9 7 34816 7 4194304 1 0", false),
            ("9 (loadgen) S 7 9 7 0 -1 4194304 1 0", false),
            ("9 (loadgen) S 7", false),
            ("", false),
        ];
        for (stat, expected) in rows {
            assert_eq!(is_in_foreground(stat), expected, "{stat}");
        }
    }

    #[test]
    fn routes_are_shown_from_source_to_sink() {
        let rows = [
            (
                "FROM /messages/modules/a/outputs/b INTO BrokeredEndpoint(\"/modules/c/inputs/d\")",
                "r: /messages/modules/a/outputs/b -> c/inputs/d",
            ),
            ("FROM /messages/modules/a/* INTO $upstream", "r: /messages/modules/a/* -> $upstream"),
            ("FROM /messages/* INTO $upstream", "r: /messages/* -> $upstream"),
            ("FROM /* INTO $upstream", "r: /* -> $upstream"),
            (
                "FROM /messages/modules/a/outputs/* INTO $upstream",
                "r: /messages/modules/a/outputs/* -> $upstream",
            ),
        ];
        for (text, expected) in rows {
            assert_eq!(describe_route(&Route::parse("r", text).unwrap()), expected);
        }
    }

    #[test]
    fn twins_are_shown_with_their_origin() {
        let describe =
            |desired: Value, deployed: Value| describe_twin("m", desired, &deployed, "dir");
        assert_eq!(describe(json!({"$version": 1}), json!({})), None);
        assert_eq!(
            describe(json!({"a": 1, "$version": 2}), json!({"a": 1})).as_deref(),
            Some(r#"m: {"a":1}, version 2"#)
        );
        assert_eq!(
            describe(json!({"a": 60, "$version": 3}), json!({"a": 1})).as_deref(),
            Some(r#"m: {"a":60}, version 3, kept in dir; the manifest has {"a":1}"#)
        );
        let long = describe(json!({"a": "x".repeat(500), "$version": 1}), json!({})).unwrap();
        assert!(long.len() < 200 && long.contains("..."), "{long}");
    }
}
