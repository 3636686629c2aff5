//! The files in `deploy/`: the template runs, and the images are built and named as it says.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use loadgen_hub::HubMessage;
use loadgen_hub::manifest::{Manifest, Variables};
use loadgen_hub::simulator::{OUTPUT, Simulator, SimulatorSettings};
use serde_json::{Value, json};
use sluicegate::azure::Properties;
use test_support::root;

mod build_steps;

use crate::harness::{MODULE, Scene, property};

/// The sensor's module in the template.
const SENSOR: &str = "SimulatedTemperatureSensor";
/// Fixes every temperature below.
const SEED: u64 = 25;
/// Most readings until the simulated temperature has risen by ten degrees: half a degree each.
const READINGS_MAX: usize = 2_000;
/// A longer text of create options would have to be split (IoT Edge: twin string values).
const CREATE_OPTIONS_BYTES_MAX: usize = 512;
const PLATFORMS: [&str; 3] = ["amd64", "arm32v7", "arm64v8"];

fn template_path() -> PathBuf {
    root().join("deploy/deployment.template.json")
}

fn text(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn parsed(path: &str) -> Value {
    serde_json::from_str(&text(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The simulated sensor, with what it has sent.
struct Sensor<'a> {
    scene: &'a Scene,
    simulator: Simulator,
}

impl Sensor<'_> {
    /// Sends readings until the temperature exceeds `limit`; gives temperatures and messages.
    fn send_until(&mut self, limit: f64) -> Vec<(f64, HubMessage)> {
        let mut sent = Vec::new();
        while self.simulator.temperature() <= limit {
            assert!(sent.len() < READINGS_MAX, "seed {SEED} never exceeds {limit} degrees");
            let reading = self.simulator.tick("2020-06-01T12:00:00.1234567Z").unwrap();
            let mut properties = Properties::new();
            for (name, value) in &reading.properties {
                properties.set(name, Some(value));
            }
            let message = HubMessage { body: reading.body.into(), properties };
            self.scene.hub.publish_as(SENSOR, OUTPUT, vec![message.clone()]).unwrap();
            sent.push((self.simulator.temperature(), message));
        }
        sent
    }
}

/// Exactly the messages hotter than `threshold` went upstream, unchanged but for `MessageType`.
#[track_caller]
fn assert_alerts(scene: &Scene, sent: &[(f64, HubMessage)], threshold: f64) {
    let hot: Vec<&HubMessage> =
        sent.iter().filter(|(t, _)| *t > threshold).map(|(_, message)| message).collect();
    assert!(!hot.is_empty() && hot.len() < sent.len(), "both kinds were sent");
    for (alert, message) in scene.take(hot.len()).iter().zip(hot) {
        assert_eq!(
            (alert.module.as_deref(), alert.output.as_deref()),
            (Some(MODULE), Some("output1"))
        );
        assert_eq!(alert.body, message.body);
        for (name, _) in message.properties.iter() {
            assert_eq!(property(alert, name), message.properties.get(name).flatten(), "{name}");
        }
        assert_eq!(property(alert, "MessageType"), Some("Alert"));
    }
    scene.assert_nothing_more_upstream();
}

/// The whole tutorial with the very template: 25 degrees from its twin, sensor to filter to
/// upstream; a threshold above the last temperature silences it until that is exceeded.
#[test]
fn the_template_filters_the_simulated_sensor() {
    let scene = Scene::start_with(|config| {
        config.window = 10;
        config.manifest = Manifest::from_file(&template_path()).unwrap();
    });
    let _module = scene.filter();
    let version = scene.hub.twin(MODULE).unwrap()["desired"]["$version"].as_u64().unwrap();
    assert_eq!(scene.wait_for_report(version)["value"], 25);
    let simulator = Simulator::new(SimulatorSettings::default(), SEED);
    let mut sensor = Sensor { scene: &scene, simulator };
    assert_alerts(&scene, &sensor.send_until(30.0), 25.0);
    let raised = sensor.simulator.temperature() + 5.0;
    assert_eq!(scene.set_threshold(json!(raised))["ac"], 200);
    assert_alerts(&scene, &sensor.send_until(raised + 2.0), raised);
}

/// The template is the built-in deployment: same modules, twins and routes. All that a real edge
/// hub does and the local one does not is the time to live.
#[test]
fn the_template_is_the_built_in_deployment() {
    let template = Manifest::from_file(&template_path()).unwrap();
    let built_in = Manifest::built_in();
    let shown: Vec<&str> = template.warnings.iter().map(|warning| &*warning.text).collect();
    assert_eq!(shown, ["not applied here: the local hub keeps messages until they are delivered"]);
    assert_eq!(template.routes, built_in.routes);
    let twins = |manifest: &Manifest| -> BTreeMap<String, Value> {
        manifest.modules.iter().map(|(name, m)| (name.clone(), m.desired.clone())).collect()
    };
    assert_eq!(twins(&template), twins(&built_in));
    assert_eq!(template.modules[MODULE].desired, json!({"TemperatureThreshold": 25}));
}

/// What a real edge agent needs, and the local hub does not look at.
#[test]
fn the_template_is_complete_for_an_edge_agent() {
    let template = parsed("deploy/deployment.template.json");
    let sections = &template["modulesContent"];
    let agent = &sections["$edgeAgent"]["properties.desired"];
    assert_eq!(agent["schemaVersion"], "1.1");
    assert_eq!(sections["$edgeHub"]["properties.desired"]["schemaVersion"], "1.1");
    let credentials = &agent["runtime"]["settings"]["registryCredentials"]["registry"];
    assert_eq!(
        *credentials,
        json!({
            "address": "${CONTAINER_REGISTRY_SERVER}",
            "username": "${CONTAINER_REGISTRY_USERNAME}",
            "password": "${CONTAINER_REGISTRY_PASSWORD}",
        })
    );
    let modules = [&agent["systemModules"], &agent["modules"]];
    let modules = modules.map(|modules| modules.as_object().unwrap()).into_iter().flatten();
    let mut ports = None;
    for (name, module) in modules {
        assert!(module["settings"]["image"].is_string(), "{name}");
        let options = module["settings"]["createOptions"].as_str();
        let options = options.unwrap_or_else(|| panic!("{name}: an edge agent takes text alone"));
        assert!(options.len() <= CREATE_OPTIONS_BYTES_MAX, "{name}: {} bytes", options.len());
        let options: Value = serde_json::from_str(options).unwrap();
        assert!(options.is_object(), "{name}");
        if name == "edgeHub" {
            ports = options["HostConfig"]["PortBindings"].as_object().cloned();
        }
    }
    assert!(ports.is_some_and(|ports| ports.contains_key("8883/tcp")), "devices reach edgeHub");
}

/// IoT Edge 1.5 ended on 2026-11-10; 1.6 is served until 2028-11-14.
#[test]
fn the_template_names_the_runtime_that_is_served() {
    let template = parsed("deploy/deployment.template.json");
    let agent = &template["modulesContent"]["$edgeAgent"]["properties.desired"];
    for module in [
        "/systemModules/edgeAgent",
        "/systemModules/edgeHub",
        "/modules/SimulatedTemperatureSensor",
    ] {
        let image = agent.pointer(module).unwrap()["settings"]["image"].as_str().unwrap();
        let (name, tag) = image.rsplit_once(':').unwrap();
        assert!(name.starts_with("mcr.microsoft.com/azureiotedge-"), "{image}");
        assert_eq!(tag, "1.6", "{image}");
    }
}

/// Every variable that a text names as `${NAME}`.
fn variables(text: &str) -> BTreeSet<&str> {
    text.split("${").skip(1).filter_map(|rest| Some(rest.split_once('}')?.0)).collect()
}

/// `.env.example` names every variable, no other, and holds no secret; each platform that it
/// offers makes an image name that `module.json` builds.
#[test]
fn the_example_environment_fits_template_and_module() {
    let (template, module) = (text("deploy/deployment.template.json"), text("deploy/module.json"));
    let example = text("deploy/.env.example");
    let named: BTreeMap<&str, &str> = example
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split_once('=').unwrap_or_else(|| panic!("{line}")))
        .collect();
    let wanted: BTreeSet<&str> = variables(&template).union(&variables(&module)).copied().collect();
    assert_eq!(named.keys().copied().collect::<BTreeSet<_>>(), wanted);
    assert_eq!(
        (named["CONTAINER_REGISTRY_USERNAME"], named["CONTAINER_REGISTRY_PASSWORD"]),
        ("", "")
    );
    assert!(text(".gitignore").lines().any(|line| line == ".env"), "secrets are never committed");

    let module: Value = serde_json::from_str(&module).unwrap();
    let tag = &module["image"]["tag"];
    let image = Manifest::from_file(&template_path()).unwrap().modules[MODULE].image.clone();
    for platform in PLATFORMS {
        let built = format!(
            "{}:{}-{platform}",
            module["image"]["repository"].as_str().unwrap(),
            tag["version"].as_str().unwrap()
        );
        let variables: Variables = [("SLUICEGATE_PLATFORM", platform)].into_iter().collect();
        assert_eq!(variables.expand(&image), built);
    }
    assert!(PLATFORMS.contains(&named["SLUICEGATE_PLATFORM"]));
}

/// `module.json` names the product's version and an existing Dockerfile for each platform, in a
/// context that is the repository.
#[test]
fn the_module_file_names_existing_dockerfiles() {
    let module = parsed("deploy/module.json");
    let image = &module["image"];
    assert_eq!(image["tag"]["version"], env!("CARGO_PKG_VERSION"));
    let platforms = image["tag"]["platforms"].as_object().unwrap();
    assert_eq!(platforms.keys().map(String::as_str).collect::<Vec<_>>(), PLATFORMS);
    let folder = root().join("deploy");
    for (platform, file) in platforms {
        let file = file.as_str().unwrap();
        assert_eq!(file, format!("./Dockerfile.{platform}"));
        assert!(folder.join(file).is_file(), "{file}");
    }
    let context = folder.join(image["contextPath"].as_str().unwrap());
    assert_eq!(context.canonicalize().unwrap(), root().canonicalize().unwrap());
}

/// The instructions of a Dockerfile, continued lines joined, by stage.
fn stages(dockerfile: &str) -> Vec<Vec<(String, String)>> {
    let mut stages: Vec<Vec<(String, String)>> = Vec::new();
    for line in dockerfile.replace("\\\n", "").lines() {
        let Some((keyword, rest)) = line.split_once(' ').filter(|_| !line.starts_with('#')) else {
            continue;
        };
        if keyword == "FROM" {
            stages.push(Vec::new());
        }
        let stage = stages.last_mut().expect("a Dockerfile begins with FROM");
        stage.push((keyword.to_owned(), rest.to_owned()));
    }
    stages
}

fn only<'a>(stage: &'a [(String, String)], keyword: &str) -> &'a str {
    let mut found = stage.iter().filter(|(name, _)| name == keyword);
    match (found.next(), found.next()) {
        (Some((_, rest)), None) => rest,
        _ => panic!("not exactly one {keyword} in {stage:?}"),
    }
}

/// Each Dockerfile: two stages on bases of its architecture and of the declared compiler, not
/// root, in exec form; and the three differ in nothing but the architecture's name.
#[test]
fn the_dockerfiles_are_staged_unprivileged_and_alike() {
    let first = text("deploy/Dockerfile.amd64");
    for platform in PLATFORMS {
        let dockerfile = text(&format!("deploy/Dockerfile.{platform}"));
        assert_eq!(dockerfile.replace(platform, "amd64"), first, "{platform}");
        let stages = stages(&dockerfile);
        let [build, image] = &stages[..] else { panic!("{platform}: {} stages", stages.len()) };
        let compiler = concat!("/rust:", env!("CARGO_PKG_RUST_VERSION"), "-slim-bookworm AS build");
        assert_eq!(only(build, "FROM"), format!("{platform}{compiler}"));
        assert_eq!(only(image, "FROM"), format!("{platform}/debian:bookworm-slim"));
        let user = only(image, "USER").split(':').next().unwrap().parse::<u32>();
        assert!(user.is_ok_and(|id| id > 0), "{platform}: a user by number, not root");
        assert_eq!(only(image, "ENTRYPOINT"), r#"["/usr/local/bin/sluicegate"]"#);
        assert_eq!(only(image, "CMD"), r#"["run"]"#);
        assert!(only(image, "COPY").starts_with("--from=build "), "{platform}");
        assert!(only(image, "RUN").contains("ca-certificates"), "{platform}: roots for the sensor");
    }
}

/// Cargo reads the manifest of each member before it builds any: each is copied, of the others than
/// those that the module is made of alone.
#[test]
fn each_member_of_the_workspace_has_its_manifest_in_the_build() {
    let manifest = text("Cargo.toml");
    let (_, members) = manifest.split_once("members = [").expect("members");
    let (members, _) = members.split_once(']').expect("the end of the members");
    let members: Vec<&str> = members.split('"').skip(1).step_by(2).collect();
    assert!(members.len() > 5, "{members:?}");
    let stages = stages(&text("deploy/Dockerfile.amd64"));
    let copies: Vec<&str> =
        stages[0].iter().filter(|(k, _)| k == "COPY").map(|(_, rest)| rest.as_str()).collect();
    for member in members {
        let manifest = format!("{member}/Cargo.toml");
        let is_part = ["allocator", "build-info"].iter().any(|part| member.starts_with(part));
        let line = if is_part { None } else { Some(format!("{manifest} {manifest}")) };
        assert!(line.is_none_or(|line| copies.contains(&line.as_str())), "{manifest}");
    }
}

/// What is copied into the images is let in by `.dockerignore`, which lets in nothing else.
#[test]
fn the_build_context_is_what_the_images_need() {
    let ignore = text(".dockerignore");
    let mut lines = ignore.lines().filter(|line| !line.starts_with('#'));
    assert_eq!(lines.next(), Some("*"), "everything is left out first");
    let let_in: BTreeSet<&str> = lines.map(|line| line.strip_prefix('!').unwrap()).collect();
    let stages = stages(&text("deploy/Dockerfile.amd64"));
    let copied: BTreeSet<&str> = stages[0]
        .iter()
        .filter(|(keyword, _)| keyword == "COPY")
        .flat_map(|(_, rest)| rest.rsplit_once(' ').unwrap().0.split(' '))
        .collect();
    assert_eq!(let_in, copied);
}

/// Refused alerts have a place in the container that outlives it, though all else there is
/// read-only: the folder that the image's variable names is the image's user's, and a volume in the
/// template.
#[test]
fn refused_alerts_have_a_volume() {
    let dockerfile = text("deploy/Dockerfile.amd64");
    let stages = stages(&dockerfile);
    let (name, folder) = only(&stages[1], "ENV").split_once('=').unwrap();
    assert_eq!(name, "SLUICEGATE_REFUSED_DIR");
    let (user, group) = only(&stages[1], "USER").split_once(':').unwrap();
    let made = format!("install --directory --owner={user} --group={group} {folder}");
    assert!(only(&stages[1], "RUN").ends_with(&made), "{made}");
    let template = parsed("deploy/deployment.template.json");
    let modules = &template["modulesContent"]["$edgeAgent"]["properties.desired"]["modules"];
    let options = modules["filter"]["settings"]["createOptions"].as_str().unwrap();
    let options: Value = serde_json::from_str(options).unwrap();
    let mounts = &options["HostConfig"]["Mounts"];
    assert_eq!(mounts[0]["Target"], folder);
    assert_eq!(mounts[0]["Type"], "volume");
}
