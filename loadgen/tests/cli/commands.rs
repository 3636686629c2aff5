//! Exit codes and messages of the commands against a running hub, and without one.

use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::{RunningHub, file, loadgen, run, texts};

#[test]
fn wrong_usage_is_64_and_help_is_0() {
    for args in [
        &["hub", "--window", "0"][..],
        &["hub", "--ack-timeout", "30 parsecs"],
        &["demo", "--for", "1s"],
        &["demo", "--rate", "1"],
        &["twin", "set", "filter", "{not json"],
        &["method", "filter", "stats", "--timeout", "301"],
        &["nonsense"],
        &[],
    ] {
        let (code, out, err) = run(args);
        assert_eq!(code, 64, "{args:?}: {out}{err}");
        assert!(err.contains("error:") || err.contains("Usage:"), "{args:?}: {err}");
    }
    let (code, out, _) = run(&["--help"]);
    assert_eq!(code, 0);
    assert!(out.contains("Exit codes:") && out.contains("demo"), "{out}");
    assert!(!out.contains("module  "), "the child's own command is hidden: {out}");
}

/// A variable that no command reads is told of, whatever the command, and changes nothing else.
#[test]
fn a_misspelt_variable_is_reported() {
    for args in
        [&["report", "/nowhere.json"][..], &["twin", "get", "filter", "--state", "/nowhere"]]
    {
        let mut command = loadgen();
        command.args(args).env("LOADGEN_TRESHOLD", "hunter2").env("LOADGEN_THRESHOLD", "5");
        let output = command.output().unwrap();
        let (code, _, _) = run(args);
        assert_eq!(output.status.code(), Some(code));
        let err = String::from_utf8(output.stderr).unwrap();
        let expected = "warning: variable LOADGEN_TRESHOLD is not read by anything: did you mean \
                        LOADGEN_THRESHOLD?";
        assert_eq!(err.lines().filter(|line| *line == expected).count(), 1, "{err}");
        assert!(!err.contains("hunter2"), "{err}");
    }
}

/// For every flag and variable that names a file: what is no regular file is refused at once, by
/// one line that names it, with the exit code of that command.
#[test]
fn irregular_files_are_refused_at_once() {
    let (folder, _) = file("x", "");
    let fifo = folder.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let state = folder.path().join("hub");
    let state = state.to_str().unwrap();
    let broker = "mqtts://me@127.0.0.1:1";
    let load = ["run", "--rate", "1k", "--for", "1s"];
    for (path, why) in [("/dev/zero", "a device"), (fifo.to_str().unwrap(), "a FIFO")] {
        let cases = [
            (65, vec!["hub", "--state", state, "--manifest", path]),
            (64, vec!["hub", "--state", state, "--enrol-group-key-file", path]),
            (65, vec!["report", path]),
            (64, [&load[..], &["--broker", broker, "--broker-ca", path]].concat()),
            (64, [&load[..], &["--broker", broker, "--broker-password-file", path]].concat()),
            (64, [&load[..], &["--replay", path, "--", "true"]].concat()),
        ];
        for (expected, args) in cases {
            let (code, _, err) = run(&args);
            assert_eq!(code, expected, "{args:?}: {err}");
            assert!(err.contains(path) && err.contains(&format!("it is {why}")), "{args:?}: {err}");
        }
    }
    for name in ["keys.json", "sessions.json", "twins.json", "devices.json"] {
        std::fs::create_dir_all(state).unwrap();
        let planted = std::path::Path::new(state).join(name);
        std::os::unix::fs::symlink("/dev/zero", &planted).unwrap();
        let (code, _, err) = run(&["hub", "--listen", "127.0.0.1:0", "--state", state]);
        assert_eq!(code, 69, "{name}: {err}");
        assert!(err.contains(name) && err.contains("it is a device"), "{name}: {err}");
        std::fs::remove_file(planted).unwrap();
    }
}

#[test]
fn without_a_hub_every_command_says_how_to_start_one() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().to_str().unwrap();
    let check = || {
        for args in [
            &["twin", "get", "filter"][..],
            &["twin", "set", "filter", "{}"],
            &["method", "filter", "stats"],
            &["monitor"],
            &["env", "filter"],
        ] {
            let (code, out, err) =
                texts(loadgen().args(args).args(["--state", state]).output().unwrap());
            assert_eq!((code, out.as_str()), (69, ""), "{args:?}: {err}");
            assert!(
                err.contains(&format!("start one with `loadgen hub --state {state}`")),
                "{err}"
            );
        }
    };
    check();
    // The same when a hub was killed and left its socket.
    drop(UnixListener::bind(folder.path().join("control.sock")).unwrap());
    check();
}

#[test]
fn twins_are_set_and_read() {
    let hub = RunningHub::start(&["--no-simulator"]);
    let get = || -> Value {
        let (code, out, err) = hub.run(&["twin", "get", "filter"]);
        assert_eq!(code, 0, "{err}");
        serde_json::from_str(&out).unwrap()
    };
    assert_eq!(get()["desired"], serde_json::json!({"TemperatureThreshold": 25, "$version": 1}));
    let patch = r#"{"TemperatureThreshold": null, "nested": {"a": [1, "two"]}}"#;
    let (code, out, _) = hub.run(&["twin", "set", "filter", patch]);
    assert_eq!((code, out.trim()), (0, "desired properties of filter: version 2"));
    let expected = serde_json::json!({"nested": {"a": [1, "two"]}, "$version": 2});
    assert_eq!(get()["desired"], expected);
    for (patch, part) in [("[]", "must be a JSON object"), (r#"{"a b": 1}"#, "`a b`")] {
        let (code, _, err) = hub.run(&["twin", "set", "filter", patch]);
        assert_eq!(code, 1, "{err}");
        assert!(err.contains(part), "{err}");
    }
    assert_eq!(get()["desired"], expected, "refused patches change nothing");
    let (code, _, err) = hub.run(&["twin", "get", "nobody"]);
    assert_eq!(code, 1);
    assert!(err.contains("`nobody` is not in the manifest"), "{err}");
}

#[test]
fn methods_of_absent_modules_are_404() {
    let hub = RunningHub::start(&[]);
    let (code, out, err) = hub.run(&["method", "filter", "stats"]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.contains("404") && err.contains("not connected"), "{err}");
    let (code, _, err) = hub.run(&["method", "nobody", "stats"]);
    assert_eq!(code, 1, "{err}");
    let sensor = "SimulatedTemperatureSensor";
    let (code, out, _) = hub.run(&["method", sensor, "reset"]);
    assert_eq!(code, 0);
    assert_eq!(serde_json::from_str::<Value>(&out).unwrap()["status"], 200);
    let (code, _, err) = hub.run(&["method", sensor, "explode"]);
    assert_eq!(code, 1);
    assert!(err.contains("404"), "{err}");
}

/// What `env` prints gives a shell the two variables exactly, whatever the folder is called.
#[test]
fn env_goes_through_a_shell() {
    let hub = RunningHub::start(&["--no-simulator"]);
    let script = "eval \"$(\"$LOADGEN\" env filter --state \"$STATE\")\" && \
        printf '%s\\n%s\\n' \"$EdgeHubConnectionString\" \"$EdgeModuleCACertificateFile\" && \
        env | grep -c '^EdgeHubConnectionString='";
    let output = Command::new("sh")
        .args(["-euc", script])
        .env("LOADGEN", env!("CARGO_BIN_EXE_loadgen"))
        .env("STATE", hub.state())
        .output()
        .unwrap();
    let (code, out, err) = texts(output);
    assert_eq!(code, 0, "{err}");
    let lines: Vec<&str> = out.lines().collect();
    let parsed: sluicegate::azure::ConnectionString = lines[0].parse().unwrap();
    assert_eq!(parsed.identity.client_id(), "edge1/filter");
    assert_eq!(lines[1], format!("{}/ca.pem", hub.state()));
    assert!(std::fs::read_to_string(lines[1]).unwrap().contains("BEGIN CERTIFICATE"));
    assert_eq!(lines[2], "1", "exported, not only set");
    for args in [&["env", "nobody"][..], &["env", "nobody", "--runtime"]] {
        let (code, out, err) = hub.run(args);
        assert_eq!((code, out.as_str()), (1, ""), "{err}");
    }
}

/// `loadgen hub &` and a command that asks it, typed in one breath: the command waits for the hub.
#[test]
fn a_command_waits_for_a_hub_that_is_about_to_listen() {
    let folder = tempfile::tempdir().unwrap();
    let script = "\"$LOADGEN\" hub --no-simulator --listen 127.0.0.1:0 --state \"$STATE\" \
        >/dev/null & \"$LOADGEN\" env filter --state \"$STATE\"; code=$?; kill $!; wait; exit \
        $code";
    let output = Command::new("sh")
        .args(["-uc", script])
        .env("LOADGEN", env!("CARGO_BIN_EXE_loadgen"))
        .env("STATE", folder.path().join("hub"))
        .output()
        .unwrap();
    let (code, out, err) = texts(output);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("export EdgeHubConnectionString="), "{err}");
}

/// The variables of the edge runtime, with the module's socket and no secret.
#[test]
fn env_runtime_names_the_workload_socket() {
    let hub = RunningHub::start(&["--no-simulator", "--expire-tokens=false", "--token-skew", "1s"]);
    let (code, out, err) = hub.run(&["env", "filter", "--runtime"]);
    assert_eq!(code, 0, "{err}");
    let names: Vec<&str> = out.lines().filter_map(|l| l.split(['=', ' ']).nth(1)).collect();
    let all = ["WORKLOADURI", "AUTHSCHEME", "MODULEGENERATIONID", "IOTHUBHOSTNAME"];
    let more = ["GATEWAYHOSTNAME", "DEVICEID", "MODULEID", "APIVERSION"];
    let mut expected: Vec<_> =
        all.iter().chain(&more).map(|name| format!("IOTEDGE_{name}")).collect();
    // The hub of this test is not where every SDK looks for it.
    expected.push("SLUICEGATE_GATEWAY_PORT".to_owned());
    assert_eq!(names, expected, "{out}");
    let script = "eval \"$(\"$LOADGEN\" env filter --runtime --state \"$STATE\")\" && \
        printf '%s' \"$IOTEDGE_WORKLOADURI\"";
    let output = Command::new("sh")
        .args(["-euc", script])
        .env("LOADGEN", env!("CARGO_BIN_EXE_loadgen"))
        .env("STATE", hub.state())
        .output()
        .unwrap();
    let (code, out, err) = texts(output);
    assert_eq!(code, 0, "{err}");
    assert_eq!(out, format!("unix://{}/workload/filter.sock", hub.state()));
    std::os::unix::net::UnixStream::connect(out.strip_prefix("unix://").unwrap()).unwrap();
}

/// What `enrol` prints is what `sluicegate sensor` reads; the group's key may be one's own.
#[test]
fn enrol_prints_what_a_sensor_registers_with() {
    let key = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
    let (_folder, file) = file("group.key", &format!("{key}\n"));
    let hub = RunningHub::start(&["--no-simulator", "--enrol-group-key-file", &file]);
    let (code, out, err) = hub.run(&["enrol", "dev-1"]);
    assert_eq!(code, 0, "{err}");
    let has = |line: &str| assert!(out.lines().any(|l| l == line), "{line}: {out}");
    has("export SLUICEGATE_ID_SCOPE='0ne0000LOCAL'");
    has("export SLUICEGATE_REGISTRATION_ID='dev-1'");
    has("export SLUICEGATE_KEY='OMh199of2VbMZydm9WzziAMshZm/6i8BTTfCPw6adZM='");
    has("export SLUICEGATE_PROVISIONING_HOST='localhost'");
    has(&format!("export SLUICEGATE_PROVISIONING_PORT='{}'", hub.port));
    has(&format!("export SLUICEGATE_HUB_PORT='{}'", hub.port));
    assert!(out.contains("export SLUICEGATE_CA_FILE="), "{out}");
    let (code, out, err) = hub.run(&["enrol", "a/b"]);
    assert_eq!((code, out.as_str()), (1, ""), "{err}");
}

#[test]
fn a_bad_group_key_is_refused_without_being_shown() {
    let (_folder, path) = file("group.key", "not base64 but secret");
    for (path, problem) in [(path.as_str(), "not base64"), ("/nonexistent.key", "No such file")] {
        let (code, _, err) =
            run(&["hub", "--listen", "127.0.0.1:0", "--enrol-group-key-file", path]);
        assert_eq!(code, 64, "{err}");
        assert!(err.contains(path) && err.contains(problem), "{err}");
        assert!(!err.contains("secret"), "{err}");
    }
}

fn sensor_to_upstream() -> (tempfile::TempDir, String) {
    let manifest = serde_json::json!({"modulesContent": {
        "$edgeAgent": {"properties.desired": {"modules": {"tempSensor": {
            "env": {"MessageDelay": {"value": "00:00:00.01"}, "machineTempMin": {"value": 50}}}}}},
        "$edgeHub": {"properties.desired": {"routes": {
            "all": "FROM /messages/modules/tempSensor/* INTO $upstream"}}}}});
    file("deployment.json", &manifest.to_string())
}

#[test]
fn monitor_shows_messages_with_their_properties() {
    let (_folder, manifest) = sensor_to_upstream();
    let hub = RunningHub::start(&["--manifest", &manifest]);
    let (code, out, err) = hub.run(&["monitor", "--count", "3"]);
    assert_eq!(code, 0, "{err}");
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines.len(), 3);
    for line in lines {
        assert!(line.starts_with("edge1/tempSensor temperatureOutput "), "{line}");
        assert!(
            line.contains(" sequenceNumber=") && line.contains(" $.ct=application/json"),
            "{line}"
        );
        assert!(line.contains(r#" {"machine":{"temperature":"#), "{line}");
    }
    let (code, out, _) = hub.run(&["monitor", "--count", "1", "--json"]);
    assert_eq!(code, 0);
    let message: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(message["module"], "tempSensor");
    let body: Value = serde_json::from_str(message["body"]["text"].as_str().unwrap()).unwrap();
    assert!(body["machine"]["temperature"].as_f64().unwrap() > 49.0);
}

/// `loadgen monitor | head -1` ends quietly.
#[test]
fn monitor_ends_with_its_reader() {
    let (_folder, manifest) = sensor_to_upstream();
    let hub = RunningHub::start(&["--manifest", &manifest]);
    let mut monitor =
        hub.command(&["monitor"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(
        &mut std::io::BufReader::with_capacity(64, monitor.stdout.take().unwrap()),
        &mut line,
    )
    .unwrap();
    assert!(line.starts_with("edge1/tempSensor"), "{line}");
    let (code, _, err) = texts(monitor.wait_with_output().unwrap());
    assert_eq!(code, 0, "{err}");
    assert!(!err.contains("loadgen:"), "{err}");
}
