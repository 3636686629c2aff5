//! What can go wrong between the module, the security daemon and the gateway: each fault is named,
//! with where it is and what the other side said, and tried again; then the module filters as if
//! nothing had been. Every process here logs all it can, and no secret is in it.

use std::net::{Ipv4Addr, SocketAddr};

use loadgen_hub::WorkloadFault;
use serde_json::json;

use super::{check_that_it_filters, start};
use crate::harness::{MODULE, Process, Scene, wait_until};

/// Starts the module while the daemon has `fault`; it must say `texts` in one line, try again, and
/// filter as soon as the fault is mended.
fn check(fault: WorkloadFault, texts: &[&str]) {
    let scene = Scene::start(10);
    scene.hub.set_workload_fault(Some(fault)).unwrap();
    let module = start(&scene, &[]);
    check_complaint(&module, &[&["workload API at unix:", MODULE], texts].concat());
    assert!(!scene.is_connected());
    scene.hub.set_workload_fault(None).unwrap();
    scene.wait_until_subscribed(&module);
    check_that_it_filters(&scene);
}

/// The module says `texts` in one line, twice, and lives.
pub(super) fn check_complaint(module: &Process, texts: &[&str]) {
    module.wait_for_line(texts);
    let says = |line: &String| texts.iter().all(|text| line.contains(text));
    wait_until(&format!("the module says {texts:?} again"), || {
        module.lines().iter().filter(|line| says(line)).count() >= 2
    });
    assert!(module.count("next attempt in") >= 1);
    assert!(module.is_running());
}

fn refusal(status: u16, message: &str) -> WorkloadFault {
    WorkloadFault::Answer { status, message: message.to_owned() }
}

#[test]
fn a_daemon_that_hangs() {
    check(WorkloadFault::Hang, &["no answer within 6s"]);
}

#[test]
fn a_daemon_that_closes() {
    check(WorkloadFault::Close, &["closed the connection without an answer", "5 times"]);
}

#[test]
fn a_daemon_that_answers_403() {
    check(refusal(403, "no access for you"), &["answered 403", "no access for you"]);
}

#[test]
fn a_daemon_that_answers_500() {
    check(refusal(500, "the HSM is away"), &["answered 500", "the HSM is away"]);
}

/// The daemon's own words cannot end a log line and begin another.
#[test]
fn a_daemon_that_answers_with_a_forged_log_line() {
    let message = "one\n<6> 2026-01-01 00:00:00.000 +00:00 [INF] - two";
    check(refusal(404, message), &["answered 404", "one <6>", "[INF] - two"]);
}

#[test]
fn a_daemon_that_speaks_no_http() {
    check(WorkloadFault::NotHttp, &["no HTTP answer"]);
}

#[test]
fn a_daemon_that_answers_no_json() {
    check(WorkloadFault::NotJson, &["unusable trust bundle"]);
}

#[test]
fn a_trust_bundle_that_is_cut_off() {
    check(WorkloadFault::TruncatedBundle, &["unusable trust bundle", "cut off"]);
}

#[test]
fn a_trust_bundle_without_certificates() {
    check(WorkloadFault::Bundle(String::new()), &["unusable trust bundle", "no PEM certificate"]);
}

/// Nothing is cleverer than the bundle: a gateway whose issuer is not in it is not trusted.
#[test]
fn an_authority_that_the_bundle_does_not_know() {
    let (scene, other) = (Scene::start(10), Scene::start(1));
    let stranger = std::fs::read_to_string(other.hub.ca_file()).unwrap();
    scene.hub.set_workload_fault(Some(WorkloadFault::Bundle(stranger))).unwrap();
    let module = start(&scene, &[]);
    check_complaint(&module, &["TLS handshake with localhost", "not signed by a trusted root"]);
    assert!(!scene.is_connected());
}

/// The gateway's certificate must name `IOTEDGE_GATEWAYHOSTNAME`, whatever else it names.
#[test]
fn a_certificate_for_another_host() {
    // Where the hub listens as on any other address, so that no name of its certificate is this.
    let gateway = Ipv4Addr::new(127, 0, 8, 1);
    let scene = Scene::start_with(|config| config.listen.set_ip(Ipv4Addr::UNSPECIFIED.into()));
    let module = start(&scene, &[("IOTEDGE_GATEWAYHOSTNAME", &gateway.to_string())]);
    check_complaint(
        &module,
        &[&format!("TLS handshake with {gateway}"), "does not carry the host name"],
    );
    assert!(!scene.is_connected());
}

/// A daemon with another key for this module signs tokens that the gateway refuses; the module
/// tries again, patiently.
#[test]
fn a_daemon_with_the_wrong_key() {
    let scene = Scene::start(10);
    let other = Scene::start_with(|config| {
        config.workload_http = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    });
    let gateway = std::fs::read_to_string(scene.hub.ca_file()).unwrap();
    other.hub.set_workload_fault(Some(WorkloadFault::Bundle(gateway))).unwrap();
    let uri = format!("http://{}", other.hub.workload_http_address().unwrap());
    let module = start(&scene, &[("IOTEDGE_WORKLOADURI", &uri)])
        .must_not_show(&other.module_key().to_base64());
    check_complaint(&module, &["localhost", MODULE, "CONNACK 5"]);
    assert!(!scene.is_connected());
    assert!(scene.hub.counters().auth_failures >= 2);
}

/// Another module's socket: the daemon takes the process for that one.
#[test]
fn the_socket_of_another_module() {
    let scene = Scene::start(10);
    let names = scene.hub.names().unwrap();
    let other = names.iter().find(|name| *name != MODULE).expect("a second module");
    let environment = scene.hub.runtime_environment(other).unwrap();
    let (_, uri) = environment.iter().find(|(name, _)| name == "IOTEDGE_WORKLOADURI").unwrap();
    let module = start(&scene, &[("IOTEDGE_WORKLOADURI", uri)]);
    check_complaint(&module, &["answered 403", "not this module", "IOTEDGE_MODULEID"]);
}

/// Nobody listens on the socket: the error names it and asks the right question.
#[test]
fn a_socket_that_is_not_there() {
    let scene = Scene::start(10);
    let uri = "unix:///nonexistent/workload.sock";
    let module = start(&scene, &[("IOTEDGE_WORKLOADURI", uri)]);
    check_complaint(&module, &[uri, "is the edge runtime running"]);
}

/// The hub does not know the module any more, though the daemon still signs for it.
#[test]
fn an_identity_that_the_gateway_does_not_know() {
    let scene = Scene::start(10);
    let module = start(&scene, &[("IOTEDGE_DEVICEID", "another-device")]);
    check_complaint(&module, &["another-device", "CONNACK 5"]);
    // The connection string's way in is not affected.
    let _well = scene.filter();
    assert_eq!(scene.set_threshold(json!(30))["value"], json!(30));
}
