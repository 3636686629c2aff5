//! `loadgen hub`: start, stop, and what is in the way.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Command, Stdio};

use rustix::process::Signal;

use crate::support::{RunningHub, file, loadgen, run, signal, texts, wait_for};

#[test]
fn signals_stop_it_cleanly() {
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let mut hub = RunningHub::start(&["--message-delay", "5ms"]);
        hub.send(signal);
        assert_eq!(hub.wait().code(), Some(0), "{signal:?}");
        assert!(!hub.socket().exists(), "the socket goes with the hub");
    }
}

/// Started by `nohup`, a hub outlives its terminal.
#[test]
fn an_ignored_hangup_stays_ignored() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("hub");
    let script = r#"trap '' HUP; exec "$0" hub --listen 127.0.0.1:0 --no-simulator --state "$1""#;
    let mut child = Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_loadgen"), state.to_str().unwrap()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let get = ["twin", "get", "filter", "--state", state.to_str().unwrap()];
    wait_for("the hub answers", || run(&get).0 == 0);
    signal(&child, Signal::HUP);
    assert_eq!(run(&get).0, 0, "it goes on");
    signal(&child, Signal::TERM);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

/// A reader of its output that goes away is the end, in order and without a word of a panic.
#[test]
fn a_reader_that_goes_away_stops_it_cleanly() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("hub");
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let child = loadgen()
        .args(["hub", "--listen", "127.0.0.1:0", "--state", state.to_str().unwrap()])
        .stdout(writer)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (code, _, err) = texts(child.wait_with_output().unwrap());
    assert_eq!(code, 0, "{err}");
    assert!(!err.contains("panic") && !err.contains("roken pipe"), "{err}");
    assert!(!state.join("control.sock").exists(), "the socket goes with the hub");
}

/// A reader that goes away while the hub runs does not spoil its end.
#[test]
fn a_signal_stops_it_cleanly_with_nobody_reading() {
    let mut hub = RunningHub::start_unread(&["--no-simulator"]);
    hub.send(Signal::TERM);
    assert_eq!(hub.wait().code(), Some(0));
    assert!(!hub.socket().exists(), "the socket goes with the hub");
}

/// A killed hub leaves its socket; the next one in that folder replaces it and remembers the twins.
#[test]
fn a_killed_hub_is_replaced() {
    let mut hub = RunningHub::start(&["--no-simulator"]);
    assert_eq!(hub.run(&["twin", "set", "filter", r#"{"kept": true}"#]).0, 0);
    hub.send(Signal::KILL);
    hub.wait();
    assert!(hub.socket().exists());
    assert_eq!(hub.run(&["twin", "get", "filter"]).0, 69);
    hub.restart(&["--no-simulator"]);
    let (code, out, err) = hub.run(&["twin", "get", "filter"]);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("\"kept\": true"), "{out}");
}

#[test]
fn a_simulated_sensor_reports_what_it_obeys() {
    let hub = RunningHub::start(&[]);
    let sensor = "SimulatedTemperatureSensor";
    let patch = r#"{"SendData": false, "SendInterval": 7}"#;
    assert_eq!(hub.run(&["twin", "set", sensor, patch]).0, 0);
    wait_for("the report", || {
        let (code, out, err) = hub.run(&["twin", "get", sensor]);
        assert_eq!(code, 0, "{err}");
        let (_, reported) = out.split_once("\"reported\"").unwrap();
        reported.contains("\"SendData\": false") && reported.contains("\"SendInterval\": 7")
    });
}

#[test]
fn a_folder_in_use_is_refused() {
    let hub = RunningHub::start(&["--no-simulator"]);
    let (code, _, err) = run(&["hub", "--listen", "127.0.0.1:0", "--state", hub.state()]);
    assert_eq!(code, 69);
    assert!(err.contains("another hub is running") && err.contains("--state"), "{err}");
    assert!(err.contains(&format!("`kill {}` stops it", hub.id())), "{err}");
    assert_eq!(hub.run(&["twin", "get", "filter"]).0, 0, "the first one goes on");
}

#[test]
fn the_websocket_address_may_be_taken_too() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("hub");
    let state = state.to_str().unwrap();
    let args = ["hub", "--listen", "127.0.0.1:0", "--state", state, "--listen-websocket"];
    let (code, _, err) = run(&[&args[..], &[&address]].concat());
    assert_eq!(code, 69);
    assert!(err.contains(&address) && err.contains("with --listen-websocket"), "{err}");
    let _hub = RunningHub::start(&["--no-simulator", "--listen-websocket", "127.0.0.1:0"]);
}

#[test]
fn a_fault_is_asked_for_by_name() {
    let _hub = RunningHub::start(&["--no-simulator", "--fault", "early-connect"]);
    let (code, _, err) = run(&["hub", "--fault", "late-connect"]);
    assert_eq!(code, 64, "{err}");
    assert!(err.contains("early-connect"), "{err}");
}

#[test]
fn a_taken_port_is_refused_with_advice() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("hub");
    let listen = format!("127.0.0.1:{port}");
    let (code, _, err) = run(&["hub", "--listen", &listen, "--state", state.to_str().unwrap()]);
    assert_eq!(code, 69);
    assert!(err.contains(&listen) && err.contains("another port with --listen"), "{err}");
    let stop =
        format!("(process {id}) has port {port}: `kill {id}` stops it", id = std::process::id());
    assert!(err.contains(&stop), "{err}");
    assert!(!state.join("control.sock").exists());
}

#[test]
fn a_bad_manifest_is_refused_whole() {
    let (folder, manifest) = file(
        "deployment.json",
        r#"{"modulesContent": {
            "$edgeAgent": {"properties.desired": {"modules": {
                "tempSensor": {"status": "up", "env": {"MessageDelay": {"value": "soon"}}}}}},
            "$edgeHub": {"properties.desired": {"routes": {
                "w": "FROM /messages/* WHERE a = 1 INTO $upstream"}}}}}"#,
    );
    let state = folder.path().join("hub");
    let args = ["hub", "--listen", "127.0.0.1:0", "--state", state.to_str().unwrap(), "--manifest"];
    let (code, _, err) = run(&[&args[..], &[&manifest]].concat());
    assert_eq!(code, 65, "{err}");
    for part in ["2 problems", "tempSensor.status", "routes.w", "`WHERE` is not supported"] {
        assert!(err.contains(part), "{part}: {err}");
    }
    assert!(!state.exists(), "nothing was begun");
    let text = std::fs::read_to_string(&manifest).unwrap();
    let text = text.replace("WHERE a = 1 ", "").replace(r#""status": "up", "#, "");
    std::fs::write(&manifest, text).unwrap();
    let (code, _, err) = run(&[&args[..], &[&manifest]].concat());
    assert_eq!(code, 65, "{err}");
    assert!(err.contains("module tempSensor: env MessageDelay `soon`"), "{err}");
    let (code, _, err) = run(&[&args[..], &["/nonexistent.json"]].concat());
    assert_eq!(code, 65, "{err}");
    assert!(err.contains("/nonexistent.json"), "{err}");
}

#[test]
fn an_address_on_the_port_is_named_in_the_first_line() {
    let hub = RunningHub::start(&["--no-simulator"]);
    assert_ne!(hub.port, 0);
    std::net::TcpStream::connect(("127.0.0.1", hub.port)).unwrap();
}

/// The address that is listened on is the one that clients are told.
#[test]
fn env_and_enrol_name_the_address_that_is_listened_on() {
    for (listen, websocket, name) in [
        ("127.0.0.2:0", "127.0.0.2:0", "127.0.0.2"),
        ("0.0.0.0:0", "127.3.4.5:0", "127.3.4.5"),
        ("127.0.0.1:0", "127.0.0.1:0", "localhost"),
        ("0.0.0.0:0", "0.0.0.0:0", "localhost"),
    ] {
        let args = ["--no-simulator", "--listen", listen, "--listen-websocket", websocket];
        let hub = RunningHub::start(&args);
        for (command, variable) in [
            (&["env", "filter"][..], format!("GatewayHostName={name};")),
            (&["env", "filter", "--runtime"], format!("IOTEDGE_GATEWAYHOSTNAME='{name}'")),
            (&["enrol", "dev-1"], format!("SLUICEGATE_PROVISIONING_HOST='{name}'")),
        ] {
            let (code, out, err) = hub.run(command);
            assert_eq!(code, 0, "{err}");
            assert!(out.contains(&variable), "{listen} {websocket}: {out}");
        }
    }
}

#[test]
fn addresses_that_no_name_leads_to_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("hub");
    let state = state.to_str().unwrap();
    for (listen, websocket, shown) in [
        ("127.0.0.1:0", "127.0.0.2:0", "none leads to both 127.0.0.1:0 and 127.0.0.2:0"),
        ("127.0.0.2:0", "[::1]:0", "give both listeners one address"),
        ("[fe80::1%1]:0", "127.0.0.1:0", "of one link alone"),
        ("0.0.0.0:0", "224.0.0.1:0", "224.0.0.1:0 is no address of one machine"),
    ] {
        let args = ["hub", "--state", state, "--listen", listen, "--listen-websocket", websocket];
        let (code, _, err) = run(&args);
        assert_eq!(code, 64, "{err}");
        assert!(err.contains(shown), "{err}");
    }
    assert!(!folder.path().join("hub").exists(), "nothing was begun");
}

#[test]
fn the_greeting_tells_routes_twins_and_what_is_not_here() {
    let (mut hub, greeting) = RunningHub::start_greeted(&["--no-simulator"]);
    let text = greeting.join("\n");
    for part in [
        "/messages/modules/SimulatedTemperatureSensor/outputs/temperatureOutput -> \
         filter/inputs/input1",
        "-> $upstream",
        "filter: {\"TemperatureThreshold\":25}, version 1",
        "not here: AMQP, HTTP, X.509, cloud-to-device messages, file upload",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(greeting.len() < 20 && greeting.iter().all(|line| line.len() < 200), "{text}");
    // What a folder has kept is told from what the manifest has.
    assert_eq!(hub.run(&["twin", "set", "filter", r#"{"TemperatureThreshold": 60}"#]).0, 0);
    hub.send(Signal::TERM);
    hub.wait();
    let state = hub.state().to_owned();
    let mut child = loadgen()
        .args(["hub", "--no-simulator", "--listen", "127.0.0.1:0", "--state", &state])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let again: Vec<_> = lines.take_while(|line| !line.ends_with(" stops")).collect();
    let expected = "  filter: {\"TemperatureThreshold\":60}, version 2, kept in ";
    let shown = again.iter().find(|line| line.starts_with(expected));
    let shown = shown.unwrap_or_else(|| panic!("{again:#?}"));
    assert!(shown.ends_with("; the manifest has {\"TemperatureThreshold\":25}"), "{shown}");
    signal(&child, Signal::TERM);
    child.wait().unwrap();
}

#[test]
fn the_end_tells_what_no_route_took() {
    let (_manifest, manifest) = file(
        "deployment.json",
        r#"{"modulesContent": {
            "$edgeAgent": {"properties.desired": {"modules": {"s": {"settings":
                {"image": "azureiotedge-simulated-temperature-sensor:1.0"}}}}},
            "$edgeHub": {"properties.desired": {"routes": {}}}}}"#,
    );
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("hub");
    let mut child = loadgen()
        .args(["hub", "--listen", "127.0.0.1:0", "--message-delay", "1ms"])
        .args(["--manifest", &manifest, "--state", state.to_str().unwrap()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let source = "\"/messages/modules/s/outputs/temperatureOutput\"";
    let mut warnings = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(warnings.any(|line| line.contains("no route") && line.contains(source)));
    signal(&child, Signal::TERM);
    let (code, out, _) = texts(child.wait_with_output().unwrap());
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("dropped: no route") && out.contains(&format!("from {source}")), "{out}");
    assert!(!warnings.any(|line| line.contains(source)), "once");
}

/// Where files can grow no further, as on a full disk: the command is told, nothing is half
/// written.
#[test]
fn what_a_full_disk_does_not_take_is_refused() {
    // 4 or 8 KiB, as the shell counts.
    let hub = RunningHub::start_under("ulimit -f 8", &["--no-simulator"]);
    let large = format!(r#"{{"a": "{0}", "b": "{0}", "c": "{0}"}}"#, "x".repeat(4000));
    let files = || {
        let mut files: Vec<_> = std::fs::read_dir(hub.state())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_file())
            .map(|path| (path.clone(), std::fs::read(path).unwrap()))
            .collect();
        files.sort();
        files
    };
    let (_, twin, _) = hub.run(&["twin", "get", "filter"]);
    let before = files();
    for _ in 0..2 {
        let (code, out, err) = hub.run(&["twin", "set", "filter", &large]);
        assert_eq!((code, &*out), (1, ""), "{err}");
        for part in ["not saved", "twins.json", "make room there", "(500)"] {
            assert!(err.contains(part), "{part}: {err}");
        }
    }
    assert_eq!(hub.run(&["twin", "get", "filter"]).1, twin);
    assert_eq!(files(), before, "neither a part nor a trace");
    assert_eq!(hub.run(&["twin", "set", "filter", r#"{"small": 1}"#]).0, 0, "it goes on");
}
