//! Whole manifests, as files: what is read of each, and every word that is told.

use std::path::Path;

use super::*;

const AGENT: &str = "modulesContent.$edgeAgent.properties.desired";
const HUB: &str = "modulesContent.$edgeHub.properties.desired";

/// What a manifest makes, in short.
struct Expected {
    modules: &'static [&'static str],
    routes: usize,
    warnings: Vec<String>,
}

/// Reads copies of these files, beside a `.env` of this text. Problems name the files without their
/// folder.
fn read(names: &[&str], env: &str) -> Result<Manifest, Vec<String>> {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/manifests");
    let folder = tempfile::tempdir().unwrap();
    let copy = |name: &&str| {
        let path = folder.path().join(name);
        std::fs::copy(from.join(name), &path).unwrap();
        path
    };
    let paths: Vec<PathBuf> = names.iter().map(copy).collect();
    std::fs::write(folder.path().join(".env"), env).unwrap();
    let place = format!("{}/", folder.path().display());
    let short = |problems: &[Problem]| -> Vec<String> {
        shown(problems).iter().map(|text| text.replace(&place, "")).collect()
    };
    match Manifest::from_files(&paths) {
        Ok(mut manifest) => {
            for problem in &mut manifest.warnings {
                problem.file = problem.file.as_ref().map(|file| file.replace(&place, ""));
            }
            Ok(manifest)
        }
        Err(error) => Err(short(&error.problems)),
    }
}

fn ttl(file: &str) -> String {
    format!("{file}: {HUB}.storeAndForwardConfiguration.timeToLiveSecs: not applied here: {KEPT}")
}

fn undeclared(file: &str, path: &str, verb: &str, module: &str) -> String {
    format!(
        "{file}: {path}: {verb} module `{module}`, which is not declared: served all the same, \
         `loadgen env {module}` is for it"
    )
}

type Taken = (Vec<&'static str>, Expected);

/// A file by itself.
fn one(
    name: &'static str,
    modules: &'static [&'static str],
    routes: usize,
    warnings: Vec<String>,
) -> Taken {
    (vec![name], Expected { modules, routes, warnings })
}

const PRIORITY: &str = "not applied here: the local hub delivers messages in their order";

fn taken() -> Vec<Taken> {
    let mut all = taken_templates();
    all.extend(taken_deployments());
    all
}

fn taken_templates() -> Vec<Taken> {
    let file = "template-3.0-windows.json";
    let sections = "moduleContent.$edgeHub.properties.desired";
    let windows = vec![
        ttl(file).replace(HUB, sections),
        undeclared(file, &format!("{sections}.routes.sensorToFilter"), "comes from", "tempSensor"),
    ];
    let template = "names-of-a-template.json";
    let four = "template-4.0.json";
    let left = |route: &str, verb: &str, name: &str| {
        format!(
            "{template}: {HUB}.routes.{route}: {verb} `{name}`, which a template left: write the \
             module's name"
        )
    };
    vec![
        one(
            "template-1.0.json",
            &["SampleModule", "tempSensor"],
            2,
            vec![
                format!("template-1.0.json: {HUB}.routes.unused: empty: passed over"),
                ttl("template-1.0.json"),
            ],
        ),
        one("template-2.0.json", &["SimulatedTemperatureSensor", "camera"], 2, vec![]),
        one(file, &["filter", "tempSensor"], 2, windows),
        one(
            four,
            &["SimulatedTemperatureSensor", "filter"],
            4,
            vec![
                format!("{four}: {HUB}.routes.alerts.priority: {PRIORITY}"),
                format!("{four}: {HUB}.routes.alerts.timeToLiveSecs: not applied here: {KEPT}"),
                format!("{four}: {HUB}.routes.sensorToFilter.priority: {PRIORITY}"),
                format!(
                    "{four}: {HUB}.routes.twins: not applied here: the local hub sends no twin \
                 change notifications, so nothing takes this route"
                ),
                ttl(four),
            ],
        ),
        one(
            template,
            &["SendModule"],
            3,
            vec![
                left("r1", "comes from", "FROM_MODULE_NAME"),
                left("r2", "goes to", "TO_MODULE_NAME"),
                left("r3", "comes from", "<module>"),
            ],
        ),
    ]
}

fn taken_deployments() -> Vec<Taken> {
    let debug = "debug-left-out.json";
    let nested = "nested-edge.json";
    vec![
        one(
            "deployment-split.json",
            &["writer"],
            1,
            vec![ttl("deployment-split.json").replace(HUB, &format!("content.{HUB}"))],
        ),
        one(
            "eflow-windows-paths.json",
            &["opcpublisher"],
            1,
            vec![ttl("eflow-windows-paths.json")],
        ),
        one(
            nested,
            &["IoTEdgeAPIProxy", "registry"],
            1,
            vec![
                format!(
                    "{nested}: {HUB}.mqttBroker: not applied here: the local hub serves the \
                 topics of IoT Hub alone"
                ),
                format!(
                    "{nested}: {HUB}.schemaVersion: \"1.2\" is newer than 1.1: what it adds is not \
                 applied"
                ),
                ttl(nested),
            ],
        ),
        one("base.json", &["SimulatedTemperatureSensor", "filter"], 2, vec![]),
        (
            vec!["base.json", "layer-logger.json", "layer-tuning.json"],
            Expected {
                modules: &["SimulatedTemperatureSensor", "filter", "logger"],
                routes: 3,
                warnings: vec![format!(
                    "layer-logger.json: content.{HUB}.routes.up.priority: {PRIORITY}"
                )],
            },
        ),
        one(
            debug,
            &["SimulatedTemperatureSensor", "filter"],
            2,
            vec![
                undeclared(debug, &format!("{HUB}.routes.filterToIoTHub"), "comes from", "filter"),
                undeclared(debug, &format!("{HUB}.routes.sensorTofilter"), "goes to", "filter"),
            ],
        ),
    ]
}

#[test]
fn every_manifest_is_read_with_its_warnings() {
    for (names, expected) in taken() {
        let manifest =
            read(&names, "").unwrap_or_else(|problems| panic!("{names:?}: {problems:?}"));
        assert_eq!(shown(&manifest.warnings), expected.warnings, "{names:?}");
        assert_eq!(manifest.modules.keys().collect::<Vec<_>>(), expected.modules, "{names:?}");
        assert_eq!(manifest.routes.len(), expected.routes, "{names:?}");
    }
}

#[test]
fn contradictory_manifests_are_refused() {
    let layered = |file: &str, path: &str, missing: &str| {
        format!(
            "{file}: {path}: a layered deployment, which names places in another one and has no \
             whole {missing} of its own: name that one first, as --manifest BASE --manifest LAYER"
        )
    };
    let unset = |path: &str, name: &str, line: &str| {
        format!(
            "placeholders.json: {path}: variable {name} is not set{line}: set it in the \
             environment, or in `.env` beside the file"
        )
    };
    let both = "$edgeAgent and $edgeHub";
    let options = format!("{AGENT}.modules.filter.settings.createOptions");
    let table = [
        (
            vec!["layer-logger.json"],
            "",
            vec![layered("layer-logger.json", &format!("content.{AGENT}.modules.logger"), both)],
        ),
        (
            vec!["layer-tuning.json", "layer-logger.json"],
            "",
            vec![layered(
                "layer-tuning.json",
                &format!("{AGENT}.modules.filter.env.LEVEL.value"),
                both,
            )],
        ),
        (
            vec!["threshold-misplaced.json"],
            "",
            vec![
                "threshold-misplaced.json: modulesContent.filter.TemperatureThreshold: not read \
                 here: desired properties belong into `properties.desired`; write \
                 {\"properties.desired\": {\"TemperatureThreshold\": 60}}"
                    .to_owned(),
            ],
        ),
        (
            vec!["placeholders.json"],
            "SITE=here\n",
            vec![
                unset(&format!("{HUB}.routes.up.timeToLiveSecs"), "TTL", " (line 57)"),
                unset(
                    "modulesContent.filter.properties.desired.TemperatureThreshold",
                    "THRESHOLD",
                    " (line 64)",
                ),
            ],
        ),
        (
            vec!["placeholders.json"],
            "TTL=1\nTHRESHOLD=60\n",
            vec![
                unset(&format!("{options}.HostConfig.Memory"), "MEMORY", ""),
                unset(&format!("{HUB}.routes.up.route"), "ROUTE", " (line 56)"),
            ],
        ),
    ];
    for (names, env, expected) in table {
        let problems = read(&names, env).expect_err("refused");
        assert_eq!(problems, expected, "{names:?} {env}");
    }
}

/// Quoted placeholders stay texts, whatever their values hold; the others become what they say.
#[test]
fn placeholders_have_their_values() {
    let env = "TTL=60\nexport THRESHOLD = \"61.5\" # degrees\nMEMORY=1000\nREGISTRY=r\n\
        SITE='a \"b\" \\c'\nROUTE=FROM /messages/modules/filter/* INTO $upstream\n";
    let manifest = read(&["placeholders.json"], env).unwrap();
    let filter = &manifest.modules["filter"];
    let expected = json!({"TemperatureThreshold": 61.5, "site": "a \"b\" \\c", "price": "$5"});
    assert_eq!(filter.desired, expected);
    let env: Vec<_> = filter.env.iter().map(|(name, value)| (&**name, &**value)).collect();
    assert_eq!(env, [("SITE", "a \"b\" \\c"), ("WHERE", "a \"b\" \\c")]);
    assert_eq!(filter.create_options["HostConfig"]["Memory"], 1000);
    assert_eq!(filter.image, "${REGISTRY}/filter:1", "images keep their variables");
    assert_eq!(manifest.routes[0].time_to_live, Some(Duration::from_secs(60)));
}

#[test]
fn layers_are_put_over_the_base_in_order() {
    let manifest = read(&["base.json", "layer-logger.json", "layer-tuning.json"], "").unwrap();
    let filter = &manifest.modules["filter"];
    assert_eq!(filter.image, "acr.azurecr.io/filter:2.0");
    assert_eq!(filter.env["LEVEL"], "debug");
    let expected = json!({"TemperatureThreshold": 60, "limits": {"low": 1, "high": 9}});
    assert_eq!(filter.desired, expected);
    assert_eq!(manifest.modules["logger"].desired, json!({"Keep": 7}));
    let up = manifest.routes.iter().find(|route| route.name == "up").unwrap();
    assert_eq!((up.priority, up.source_module()), (1, Some("logger")));
}

/// Backslashes, quotation marks and `$` of split and Windows options come through.
#[test]
fn create_options_give_their_env() {
    let split = read(&["deployment-split.json"], "").unwrap();
    let env = &split.modules["writer"].env;
    assert_eq!((&*env["LABEL"], &*env["EMPTY"]), ("a \"quoted\" $name", ""));
    let windows = read(&["eflow-windows-paths.json"], "").unwrap();
    let env = &windows.modules["opcpublisher"].env;
    assert_eq!((&*env["LOGS"], &*env["CONFIG"]), ("C:\\opc\\logs\\", "C:\\opc\\new.json"));
    assert_eq!(env["Logging:LogLevel"], "Debug");
    let camera = &read(&["template-2.0.json"], "").unwrap().modules["camera"];
    assert_eq!(camera.env["FRAMES"], "30", "`env` wins over `Env`");
    assert_eq!(camera.env["TITLE"], "it's $5");
}
