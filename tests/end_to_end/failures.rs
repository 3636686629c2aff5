//! What cannot work says which host, which identity and why, and is tried again.

use std::net::{Ipv4Addr, TcpListener};
use std::process::Command;

use sluicegate::azure::{ConnectionString, Key};

use crate::harness::{MODULE, Process, Scene, sluicegate, wait_until};

/// The exit code for settings that cannot work.
const EX_USAGE: i32 = 64;
const CONNECTION_STRING: &str = "EdgeHubConnectionString";
const CA_FILE: &str = "EdgeModuleCACertificateFile";

/// The module's connection string in `scene`, changed by `change`.
fn connection_string(scene: &Scene, change: impl FnOnce(&mut ConnectionString)) -> String {
    let environment = scene.hub.environment(MODULE).unwrap();
    let (_, text) = environment.into_iter().find(|(name, _)| name == CONNECTION_STRING).unwrap();
    let mut parsed: ConnectionString = text.parse().unwrap();
    change(&mut parsed);
    parsed.to_secret_string()
}

fn run(command: &mut Command) -> (Option<i32>, String) {
    let mut module = Process::spawn("sluicegate", command);
    let status = module.wait_for_exit();
    (status.code(), module.lines().join("\n"))
}

/// Every setting that is wrong is named at once, with exit code 64.
#[test]
fn all_settings_errors_are_reported_at_once() {
    let mut command = sluicegate();
    command
        .arg("run")
        .env(CONNECTION_STRING, "HostName=h;DeviceId=d;ModuleId=m;SharedAccessKey=not base64!")
        .env(CA_FILE, "/nonexistent/ca.pem")
        .env("SLUICEGATE_GATEWAY_PORT", "eight");
    let (code, output) = run(&mut command);
    assert_eq!(code, Some(EX_USAGE), "{output}");
    for text in ["SharedAccessKey", "/nonexistent/ca.pem", "SLUICEGATE_GATEWAY_PORT"] {
        assert!(output.contains(text), "nothing about {text}: {output}");
    }
    assert!(!output.contains("not base64!"), "a secret in the output: {output}");
}

/// Without any setting the two variables that identify a module are asked for.
#[test]
fn missing_settings_are_named() {
    let (code, output) = run(sluicegate().arg("run"));
    assert_eq!(code, Some(EX_USAGE), "{output}");
    for text in [CONNECTION_STRING, CA_FILE] {
        assert!(output.contains(text), "nothing about {text}: {output}");
    }
}

/// A refused identity is named in the log and tried again: with the key put right on the hub's
/// side, the module would get in.
#[test]
fn a_wrong_key_is_named_and_retried() {
    let scene = Scene::start(10);
    let wrong = Key::from_base64("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=").unwrap();
    let text = connection_string(&scene, |parsed| parsed.key = wrong);
    let module = Process::spawn("sluicegate", scene.command().env(CONNECTION_STRING, text));
    let line = module.wait_for_line(&["localhost", MODULE, "CONNACK 5"]);
    assert!(line.to_lowercase().contains("auth"), "{line}");
    wait_until("the module tries again", || module.count("CONNACK 5") >= 2);
    assert!(module.is_running());
    assert!(!scene.is_connected());
    assert!(module.count("SharedAccessSignature sr=") == 0, "a secret in the log");
}

/// Nobody listens: the log says so, with the address; the module gets in as soon as somebody does.
#[test]
fn a_refused_connection_is_named_and_retried() {
    let scene = Scene::start(10);
    // Taken and released: nobody listens there.
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let mut command = scene.command();
    command.env("SLUICEGATE_GATEWAY_PORT", port.to_string());
    let module = Process::spawn("sluicegate", &mut command);
    module.wait_for_line(&["localhost", &port.to_string(), "refused"]);
    wait_until("the module tries again", || module.count("refused") >= 3);
    assert!(module.is_running());
}

/// A hub whose certificate another authority signed is not trusted.
#[test]
fn an_unknown_authority_is_named() {
    let (scene, other) = (Scene::start(10), Scene::start(10));
    let mut command = scene.command();
    command.env(CA_FILE, other.hub.ca_file());
    let module = Process::spawn("sluicegate", &mut command);
    let line = module.wait_for_line(&["localhost", "ertificate"]);
    assert!(line.contains(MODULE) || line.contains("localhost"), "{line}");
    wait_until("the module tries again", || module.count("ertificate") >= 2);
    assert!(!scene.is_connected());
}

/// A certificate for another name is not trusted.
#[test]
fn a_wrong_server_name_is_named() {
    // Where the hub listens, but no name of its certificate.
    let gateway = Ipv4Addr::new(127, 0, 8, 1);
    let scene = Scene::start_with(|config| config.listen.set_ip(gateway.into()));
    let text = connection_string(&scene, |parsed| parsed.identity.gateway = gateway.to_string());
    let module = Process::spawn("sluicegate", scene.command().env(CONNECTION_STRING, text));
    module.wait_for_line(&[&gateway.to_string(), "ertificate"]);
    assert!(!scene.is_connected());
}

/// A gateway name that does not resolve is named.
#[test]
fn an_unknown_host_is_named() {
    let scene = Scene::start(10);
    let host = "no-such-host.invalid";
    let text = connection_string(&scene, |parsed| parsed.identity.gateway = host.to_owned());
    let module = Process::spawn("sluicegate", scene.command().env(CONNECTION_STRING, text));
    module.wait_for_line(&[host]);
    wait_until("the module tries again", || module.count(host) >= 2);
    assert!(module.is_running());
}
