//! Manifests on the command line: warnings, layers, and the environment that they give a module.

use std::net::TcpListener;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::{RunningHub, file, loadgen, run, texts};

/// What `filter` is given: values that a shell would read otherwise, and names that it cannot take.
fn manifest() -> Value {
    json!({"modulesContent": {
        "$edgeAgent": {"properties.desired": {"schemaVersion": "1.1", "modules": {
            "filter": {
                "env": {
                    "QUOTES": {"value": "it's \"so\""},
                    "SPACES": {"value": "  a  b "},
                    "LINES": {"value": "one\ntwo\n"},
                    "SHELL_WORDS": {"value": "$(echo no) `echo no` $unset_here $5 \\ ; & | # ! * \
                        ~"},
                    "EMPTY": {"value": ""},
                    "NUMBER": {"value": 5},
                    "my-var": {"value": "secret"},
                    "Log:Level": {"value": "secret"},
                    "PATH": {"value": "/app"},
                    "IOTEDGE_DEVICEID": {"value": "other"},
                    "EdgeHubConnectionString": {"value": "other"},
                    "BOTH": {"value": "env"}},
                "settings": {"image": "x", "createOptions": "{\"Env\":[\"BOTH=options\",\"FROM_OP",
                    "createOptions01": "TIONS=a=b\"]}"}}}}},
        "$edgeHub": {"properties.desired": {"schemaVersion": "1.1", "routes": {
            "debugged": "FROM /messages/modules/filter/* INTO \
                BrokeredEndpoint(\"/modules/debugged/inputs/i\")"}}},
        "debugged": {"properties.desired": {"level": 7}}}})
}

/// The variables that a shell has after it has read what the command printed.
fn through_sh(printed: &str, name: &str) -> String {
    let script = format!("{printed}\nprintf '%s.' \"${name}\"");
    let output = std::process::Command::new("sh").arg("-c").arg(script).output().unwrap();
    let (code, out, err) = texts(output);
    assert_eq!(code, 0, "{err}");
    out.strip_suffix('.').unwrap().to_owned()
}

#[test]
fn the_environment_of_the_manifest_reaches_the_shell() {
    let (_folder, path) = file("deployment.json", &manifest().to_string());
    let hub = RunningHub::start(&["--no-simulator", "--manifest", &path]);
    for runtime in [&[][..], &["--runtime"]] {
        let (code, out, err) = hub.run(&[&["env", "filter"][..], runtime].concat());
        assert_eq!(code, 0, "{err}");
        let table = [
            ("QUOTES", "it's \"so\""),
            ("SPACES", "  a  b "),
            ("LINES", "one\ntwo\n"),
            ("SHELL_WORDS", "$(echo no) `echo no` $unset_here $5 \\ ; & | # ! * ~"),
            ("NUMBER", "5"),
            ("BOTH", "env"),
            ("FROM_OPTIONS", "a=b"),
        ];
        for (name, value) in table {
            assert_eq!(through_sh(&out, name), value, "{name}");
        }
        assert!(out.contains("export EMPTY=''\n"), "{out}");
        let device = through_sh(&out, "IOTEDGE_DEVICEID");
        assert_eq!(device, if runtime.is_empty() { "" } else { "edge1" });
        assert_eq!(out.contains("HostName="), runtime.is_empty(), "{out}");
        let shown: Vec<&str> = err.lines().collect();
        let left_out =
            |name: &str, why: &str| format!("loadgen: left out: `{name}` of the manifest: {why}");
        let launcher = "no name for a shell; set it in the program's own launcher";
        let expected = [
            left_out("EdgeHubConnectionString", "the runtime sets it"),
            left_out("IOTEDGE_DEVICEID", "the runtime sets it"),
            left_out("Log:Level", launcher),
            left_out("PATH", "this shell needs its own; set it for the program alone"),
            left_out("my-var", launcher),
        ];
        assert_eq!(shown, expected);
        assert!(!out.contains("secret") && !err.contains("secret"));
    }
}

/// A module that a debugger starts is left out of the manifest: it has a name and a twin here.
#[test]
fn a_module_that_only_routes_name_is_served() {
    let (_folder, path) = file("deployment.json", &manifest().to_string());
    let hub = RunningHub::start(&["--no-simulator", "--manifest", &path]);
    let (code, out, err) = hub.run(&["env", "debugged"]);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("ModuleId=debugged;"), "{out}");
    let (code, out, err) = hub.run(&["twin", "get", "debugged"]);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("\"level\": 7"), "{out}");
    assert_eq!(hub.run(&["env", "nobody"]).0, 1);
}

#[test]
fn layers_are_put_over_the_base() {
    let manifests = Path::new(env!("CARGO_MANIFEST_DIR")).join("hub/tests/manifests");
    let path = |name: &str| manifests.join(name).to_str().unwrap().to_owned();
    let (base, logger, tuning) =
        (path("base.json"), path("layer-logger.json"), path("layer-tuning.json"));
    let layers = ["--manifest", &base, "--manifest", &logger, "--manifest", &tuning];
    let hub = RunningHub::start(&[&["--no-simulator"][..], &layers].concat());
    let (code, out, err) = hub.run(&["twin", "get", "filter"]);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("\"TemperatureThreshold\": 60") && out.contains("\"high\": 9"), "{out}");
    assert_eq!(hub.run(&["twin", "get", "logger"]).0, 0);
    let (code, out, err) = hub.run(&["env", "filter"]);
    assert!(out.contains("export LEVEL='debug'"), "{code}: {out}{err}");
    let (code, _, err) = run(&["hub", "--manifest", &logger]);
    assert_eq!(code, 65, "{err}");
    let part = format!(
        "{logger}: content.modulesContent.$edgeAgent.properties.desired.modules.logger: \
                        a layered deployment"
    );
    assert!(err.contains(&part) && err.contains("--manifest BASE --manifest LAYER"), "{err}");
}

/// Each with its file, before the hub does anything else.
#[test]
fn warnings_come_first() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap().to_string();
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("hub");
    let (_folder, path) = file("deployment.json", &manifest().to_string());
    let (code, _, err) = texts(
        loadgen()
            .args(["hub", "--listen", &listen, "--manifest", &path, "--state"])
            .arg(&state)
            .output()
            .unwrap(),
    );
    assert_eq!(code, 69, "{err}");
    let expected = format!(
        "loadgen: warning: {path}: modulesContent.$edgeHub.properties.desired.routes.debugged: \
         goes to module `debugged`, which is not declared"
    );
    assert!(err.starts_with(&expected), "{err}");
}

#[test]
fn a_desired_inside_desired_is_warned_of() {
    let hub = RunningHub::start(&["--no-simulator"]);
    let patch = r#"{"desired": {"TemperatureThreshold": 60}}"#;
    let (code, _, err) = hub.run(&["twin", "set", "filter", patch]);
    assert_eq!(code, 0, "{err}");
    assert!(err.contains("warning: desired: stands inside `properties.desired`"), "{err}");
}
