//! The control socket against clients that do not keep to the rules.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;

use serde_json::{Value, json};

use crate::support::{PATIENCE, RunningHub, file, wait_for};

fn connect(hub: &RunningHub) -> UnixStream {
    let stream = UnixStream::connect(hub.socket()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Sends bytes as they are and reads the one answer.
fn raw(hub: &RunningHub, request: &[u8]) -> Value {
    let mut stream = connect(hub);
    // The hub may answer and close before an overlong request is written whole.
    let _ = stream.write_all(request);
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).unwrap();
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
}

#[test]
fn the_socket_is_its_owners_alone() {
    let hub = RunningHub::start(&["--no-simulator"]);
    let mode = std::fs::metadata(hub.socket()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn bad_requests_get_an_error_and_the_hub_goes_on() {
    let hub = RunningHub::start(&["--no-simulator"]);
    let cases: [(&[u8], u32, &str); 6] = [
        (b"\n", 400, "not understood"),
        (b"not json\n", 400, "not understood"),
        (b"{\"request\":\"explode\"}\n", 400, "unknown variant `explode`"),
        (b"{\"request\":\"twin-get\"}\n", 400, "missing field `module`"),
        (b"{\"request\":\"monitor\",\"extra\":1}\n", 400, "unknown field `extra`"),
        (b"\xff\xfe\n", 400, "not understood"),
    ];
    for (request, status, part) in cases {
        let answer = raw(&hub, request);
        assert_eq!(answer["answer"], "error");
        assert_eq!(answer["status"], status, "{answer}");
        assert!(answer["text"].as_str().unwrap().contains(part), "{answer}");
    }
    let mut overlong = vec![b' '; 256 * 1024 + 1];
    overlong.push(b'\n');
    assert_eq!(raw(&hub, &overlong)["status"], 413);
    drop(connect(&hub));
    let answer = raw(&hub, b"{\"request\":\"twin-get\",\"module\":\"filter\"}\n");
    assert_eq!(answer["document"]["desired"]["TemperatureThreshold"], 25);
}

/// More connections than are served at once wait their turn; none is lost.
#[test]
fn connections_beyond_the_bound_wait() {
    let hub = RunningHub::start(&["--no-simulator"]);
    let idle: Vec<UnixStream> = (0..40).map(|_| connect(&hub)).collect();
    let mut late = connect(&hub);
    late.write_all(b"{\"request\":\"twin-get\",\"module\":\"filter\"}\n").unwrap();
    drop(idle);
    let mut answer = String::new();
    late.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("TemperatureThreshold"), "{answer}");
}

/// A monitor that does not read holds up nothing: it loses the oldest messages and learns how many.
#[test]
fn a_slow_monitor_loses_the_oldest_and_learns_how_many() {
    let sensors = ["a", "b", "c", "d"];
    let image = json!({"settings": {"image": "x/azureiotedge-simulated-temperature-sensor:1.0"}});
    let modules: serde_json::Map<String, Value> =
        sensors.iter().map(|name| ((*name).to_owned(), image.clone())).collect();
    let manifest = json!({"modulesContent": {
        "$edgeAgent": {"properties.desired": {"modules": modules}},
        "$edgeHub": {"properties.desired": {"routes": {"all": "FROM /messages/* INTO \
            $upstream"}}}}});
    let (_folder, manifest) = file("deployment.json", &manifest.to_string());
    let hub = RunningHub::start(&["--manifest", &manifest, "--message-delay", "1ms"]);
    let mut slow = connect(&hub);
    slow.write_all(b"{\"request\":\"monitor\"}\n").unwrap();
    let mut lines = BufReader::new(slow)
        .lines()
        .map(|line| -> Value { serde_json::from_str(&line.unwrap()).unwrap() });
    assert_eq!(lines.next().unwrap()["answer"], "listening");
    // Another monitor, which reads, sees far more than socket buffers and the queue can hold.
    let (code, _, err) = hub.run(&["monitor", "--json", "--count", "4000"]);
    assert_eq!(code, 0, "{err}");
    let mut before = 0;
    let lost = loop {
        let answer = lines.next().unwrap();
        if answer["answer"] == "lost" {
            break answer["count"].as_u64().unwrap();
        }
        before += 1;
    };
    assert!(lost > 0 && before > 0, "{lost} lost after {before}");
    // On a busy machine it may at once fall behind again.
    assert!(lines.any(|answer| answer["answer"] == "message"), "and it goes on");
    // The place of a monitor that has gone is free again.
    drop(lines);
    wait_for("the hub serves on", || hub.run(&["twin", "get", "a"]).0 == 0);
}
