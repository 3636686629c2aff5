//! The workload API: signatures and the trust bundle over a module's unix socket.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;

use base64::{Engine, prelude::BASE64_STANDARD};
use loadgen_hub::{Hub, HubError, HubHandle, WorkloadFault};
use rumqttc::mqttbytes::v4::ConnectReturnCode;
use serde_json::{Value, json};
use sluicegate::azure::{ConnectionString, percent_encode};

use crate::client::{CALM, Client, Credentials, PATIENCE, unix_now};
use crate::support::{TestHub, config, start, start_with};

const SIGN: &str = "/modules/filter/genid/1/sign?api-version=2018-06-28";
const BUNDLE: &str = "/trust-bundle?api-version=2022-08-03";

fn variable(hub: &HubHandle, module: &str, name: &str) -> String {
    let variables = hub.runtime_environment(module).unwrap();
    variables.into_iter().find(|(n, _)| n == name).unwrap().1
}

fn socket(hub: &HubHandle, module: &str) -> PathBuf {
    variable(hub, module, "IOTEDGE_WORKLOADURI").strip_prefix("unix://").unwrap().into()
}

fn connect(hub: &HubHandle, module: &str) -> UnixStream {
    let stream = UnixStream::connect(socket(hub, module)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Everything the server says until it closes the connection.
fn exchange(mut stream: impl Read + Write, head: &str, body: &str) -> String {
    // The server may close without having read it all.
    let _ = write!(
        stream,
        "{head} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: \
         {}\r\n\r\n{body}",
        body.len()
    );
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8(answer).unwrap()
}

/// Status and body of an answer.
fn parsed(answer: &str) -> (u16, Value) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer:?}"));
    assert!(head.to_ascii_lowercase().contains("content-type: application/json"), "{head}");
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap())
}

fn ask(hub: &HubHandle, head: &str, body: &str) -> (u16, Value) {
    parsed(&exchange(connect(hub, "filter"), head, body))
}

fn sign_body(data: &[u8]) -> String {
    json!({"keyId": "primary", "algo": "HMACSHA256", "data": BASE64_STANDARD.encode(data)})
        .to_string()
}

fn key_of(hub: &HubHandle, name: &str) -> sluicegate::azure::Key {
    hub.connection_string(name).unwrap().parse::<ConnectionString>().unwrap().key
}

#[test]
fn every_version_signs_with_the_modules_key_and_gives_the_bundle() {
    let hub = start();
    let digest = BASE64_STANDARD.encode(key_of(&hub, "filter").sign(b"text"));
    let ca = std::fs::read_to_string(hub.ca_file()).unwrap();
    let versions = [
        "2018-06-28",
        "2019-01-30",
        "2019-10-22",
        "2019-11-05",
        "2020-07-07",
        "2021-12-07",
        "2022-08-03",
    ];
    for version in versions {
        let head = format!("POST /modules/filter/genid/7/sign?api-version={version}");
        assert_eq!(ask(&hub, &head, &sign_body(b"text")), (200, json!({"digest": digest})));
        let head = format!("GET /trust-bundle?api-version={version}");
        assert_eq!(ask(&hub, &head, ""), (200, json!({"certificate": ca})));
    }
    assert_eq!(hub.counters().workload_requests, 14);
}

/// Nothing but `data` matters, and names may be percent-encoded.
#[test]
fn the_body_is_read_as_the_daemon_reads_it() {
    let hub = start();
    let data = BASE64_STANDARD.encode(b"x");
    let digest = json!({"digest": BASE64_STANDARD.encode(key_of(&hub, "filter").sign(b"x"))});
    let head = "POST /modules/%66ilter/genid/a%2Fb/sign?x=1&api-version=2020-07-07";
    assert_eq!(ask(&hub, head, &json!({"data": data}).to_string()), (200, digest.clone()));
    let body = json!({"keyId": "k", "algo": "none", "data": data, "more": 1}).to_string();
    assert_eq!(ask(&hub, head, &body), (200, digest));
}

/// The daemon has one key and one algorithm, and looks at neither name; the hub says so.
#[test]
fn a_foreign_key_algorithm_or_generation_is_signed_and_counted() {
    let hub = start();
    let generation = variable(&hub, "filter", "IOTEDGE_MODULEGENERATIONID");
    let own = |key: &str, algo: &str, generation: &str| {
        let head = format!("POST /modules/filter/genid/{generation}/sign?api-version=2022-08-03");
        let data = BASE64_STANDARD.encode(b"x");
        ask(&hub, &head, &json!({"keyId": key, "algo": algo, "data": data}).to_string())
    };
    let signed =
        (200, json!({"digest": BASE64_STANDARD.encode(key_of(&hub, "filter").sign(b"x"))}));
    assert_eq!(own("primary", "HMACSHA256", &generation), signed);
    assert_eq!(hub.counters().workload_oddities, 0);
    let odd = [
        ("primary", "none", generation.as_str()),
        ("secondary", "HMACSHA256", &generation),
        ("primary", "HMACSHA256", "1"),
    ];
    for (count, (key, algo, generation)) in (1..).zip(odd) {
        assert_eq!(own(key, algo, generation), signed, "{key} {algo} {generation}");
        assert_eq!(hub.counters().workload_oddities, count);
    }
}

#[test]
fn what_is_wrong_is_refused_with_a_message() {
    let hub = start();
    let good = sign_body(b"x");
    let large = sign_body(&[0; 70_000]);
    let post = |path: &str| format!("POST {path}?api-version=2018-06-28");
    let cases: [(String, &str, u16); 15] = [
        (format!("POST {SIGN}"), "", 400),
        (format!("POST {SIGN}"), "{}", 400),
        (format!("POST {SIGN}"), r#"{"data": 1}"#, 400),
        (format!("POST {SIGN}"), r#"{"data": "&&&&"}"#, 400),
        (format!("POST {SIGN}"), &large, 400),
        ("POST /modules/filter/genid/1/sign".into(), &good, 400),
        ("POST /modules/filter/genid/1/sign?api-version=2017-01-01".into(), &good, 400),
        ("GET /trust-bundle".into(), "", 400),
        (post("/modules/other/genid/1/sign"), &good, 403),
        (post("/modules/nobody/genid/1/sign"), &good, 403),
        (post("/modules/filter/genid//sign"), &good, 404),
        (post("/modules/filter/sign"), &good, 404),
        (post("/"), "", 404),
        (format!("GET {SIGN}"), "", 404),
        (format!("POST {BUNDLE}"), "", 404),
    ];
    for (head, body, status) in cases {
        let (got, answer) = ask(&hub, &head, body);
        assert_eq!(got, status, "{head} {answer}");
        assert!(answer["message"].as_str().is_some_and(|m| !m.is_empty()), "{head} {answer}");
    }
}

#[test]
fn over_tcp_every_module_is_served() {
    let hub = start_with(|config| config.workload_http = Some(([127, 0, 0, 1], 0).into()));
    let address = hub.workload_http_address().unwrap();
    let ask = |module: &str| {
        let head = format!("POST /modules/{module}/genid/1/sign?api-version=2018-06-28");
        let stream = TcpStream::connect(address).unwrap();
        parsed(&exchange(stream, &head, &sign_body(b"x")))
    };
    for module in ["filter", "other"] {
        let digest = BASE64_STANDARD.encode(key_of(&hub, module).sign(b"x"));
        assert_eq!(ask(module), (200, json!({"digest": digest})));
    }
    // The device `leaf` is no module.
    for stranger in ["leaf", "nobody"] {
        assert_eq!(ask(stranger).0, 404, "{stranger}");
    }
    assert_eq!(start().workload_http_address(), None);
}

/// The variables lead to a token that the hub accepts.
#[test]
fn a_module_connects_by_its_runtime_variables() {
    let hub = start();
    let value = |name: &str| variable(&hub, "filter", name);
    let expected = [
        ("IOTEDGE_AUTHSCHEME", "sasToken"),
        ("IOTEDGE_IOTHUBHOSTNAME", "local.azure-devices.net"),
        ("IOTEDGE_GATEWAYHOSTNAME", "localhost"),
        ("IOTEDGE_DEVICEID", "edge1"),
        ("IOTEDGE_MODULEID", "filter"),
        ("IOTEDGE_APIVERSION", "2022-08-03"),
    ];
    for (name, text) in expected {
        assert_eq!(value(name), text, "{name}");
    }
    assert_eq!(hub.runtime_environment("filter").unwrap().len(), 8);
    let mut sr = String::new();
    percent_encode("local.azure-devices.net/devices/edge1/modules/filter", &mut sr);
    let expiry = unix_now() + 60;
    let head = format!(
        "POST /modules/filter/genid/{}/sign?api-version={}",
        value("IOTEDGE_MODULEGENERATIONID"),
        value("IOTEDGE_APIVERSION")
    );
    let (_, answer) = ask(&hub, &head, &sign_body(format!("{sr}\n{expiry}").as_bytes()));
    let mut sig = String::new();
    percent_encode(answer["digest"].as_str().unwrap(), &mut sig);
    let mut credentials = Credentials::of(&hub, "filter");
    credentials.password = format!("SharedAccessSignature sr={sr}&sig={sig}&se={expiry}");
    assert_eq!(Client::open(&hub).login(&credentials).code, ConnectReturnCode::Success);
}

#[test]
fn the_generation_is_a_number_of_the_identity() {
    let hub = start();
    let of = |hub: &HubHandle, module| variable(hub, module, "IOTEDGE_MODULEGENERATIONID");
    let first = of(&hub, "filter");
    assert!(first.parse::<u64>().is_ok(), "{first}");
    assert_ne!(first, of(&hub, "other"));
    let hub = hub.restart();
    assert_eq!(first, of(&hub, "filter"));
    for stranger in ["leaf", "nobody"] {
        assert!(matches!(hub.runtime_environment(stranger), Err(HubError::UnknownModule(_))));
    }
}

/// Ten connections are served; one more is closed without an answer, until one has ended.
#[test]
fn the_eleventh_request_is_dropped_without_an_answer() {
    let hub = start();
    hub.set_workload_fault(Some(WorkloadFault::Hang)).unwrap();
    let mut hanging: Vec<_> = (0..10).map(|_| connect(&hub, "filter")).collect();
    for stream in &mut hanging {
        write!(stream, "GET {BUNDLE} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    }
    hub.until(|counters| counters.workload_requests == 10);
    hub.set_workload_fault(None).unwrap();
    assert_eq!(exchange(connect(&hub, "filter"), &format!("GET {BUNDLE}"), ""), "");
    assert_eq!(hub.counters().workload_dropped, 1);
    // Another module's socket has places of its own.
    let other = exchange(connect(&hub, "other"), &format!("GET {BUNDLE}"), "");
    assert_eq!(parsed(&other).0, 200);
    hanging.pop();
    crate::support::wait(|| {
        !exchange(connect(&hub, "filter"), &format!("GET {BUNDLE}"), "").is_empty()
    });
}

#[test]
fn a_kept_connection_serves_again() {
    let hub = start();
    let mut stream = connect(&hub, "filter");
    for _ in 0..3 {
        write!(stream, "GET {BUNDLE} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\"}") {
            let mut chunk = [0; 4096];
            let read = stream.read(&mut chunk).unwrap();
            assert!(read > 0, "closed after {} bytes", answer.len());
            answer.extend_from_slice(&chunk[..read]);
        }
        assert_eq!(parsed(std::str::from_utf8(&answer).unwrap()).0, 200);
    }
}

#[test]
fn faults_are_as_ordered_and_end() {
    let hub = start();
    let bundle = || exchange(connect(&hub, "filter"), &format!("GET {BUNDLE}"), "");
    let sign = || ask(&hub, &format!("POST {SIGN}"), &sign_body(b"x")).0;
    let order = |fault| hub.set_workload_fault(Some(fault)).unwrap();

    order(WorkloadFault::Close);
    assert_eq!(bundle(), "");
    order(WorkloadFault::NotHttp);
    assert!(!bundle().starts_with("HTTP/1.1"));
    for status in [403, 500] {
        order(WorkloadFault::Answer { status, message: "not now".to_owned() });
        assert_eq!(parsed(&bundle()), (status, json!({"message": "not now"})));
    }
    order(WorkloadFault::NotJson);
    let answer = bundle();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("<html>busy</html>"));
    order(WorkloadFault::TruncatedBundle);
    let cut = parsed(&bundle()).1["certificate"].as_str().unwrap().to_owned();
    let whole = std::fs::read_to_string(hub.ca_file()).unwrap();
    assert!(whole.starts_with(&cut) && cut.contains("BEGIN") && !cut.contains("END"), "{cut}");
    assert_eq!(sign(), 200);
    order(WorkloadFault::Bundle("other".to_owned()));
    assert_eq!(parsed(&bundle()), (200, json!({"certificate": "other"})));
    assert_eq!(sign(), 200);

    order(WorkloadFault::Hang);
    let mut stream = connect(&hub, "filter");
    stream.set_read_timeout(Some(CALM)).unwrap();
    write!(stream, "GET {BUNDLE} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    assert!(stream.read(&mut [0]).is_err(), "no answer, and no end");
    hub.set_workload_fault(None).unwrap();
    assert_eq!(parsed(&bundle()).0, 200);
}

#[test]
fn sockets_are_private_and_go_with_the_hub() {
    let hub = start();
    let path = socket(&hub, "filter");
    assert!(path.is_absolute());
    let mode =
        |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    let TestHub { hub, dir } = hub;
    hub.stop();
    assert!(!path.exists());
    // One left behind by a hub that was killed is replaced.
    drop(UnixListener::bind(&path).unwrap());
    let hub = Hub::start(config(dir.path())).unwrap();
    assert_eq!(ask(&hub, &format!("GET {BUNDLE}"), "").0, 200);
    hub.stop();
    std::fs::write(&path, "mine").unwrap();
    let error = Hub::start(config(dir.path())).unwrap_err().to_string();
    assert!(error.contains("no socket") && error.contains("filter.sock"), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), b"mine");
}

/// The hub serves MQTT all the same; who asks for the socket is told.
#[test]
fn a_path_too_long_for_a_socket_is_said_clearly() {
    let folder = "x".repeat(90);
    let hub = start_with(|config| config.state_dir.push(&folder));
    let _client = Client::connect(&hub, "filter");
    let error = hub.runtime_environment("filter").unwrap_err().to_string();
    assert!(error.contains("too long for a socket") && error.contains("at most 107"), "{error}");
}
