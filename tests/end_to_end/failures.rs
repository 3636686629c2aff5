//! What cannot work says which host, which identity and why, and is tried again.

use std::net::{Ipv4Addr, TcpListener};
use std::ops::RangeInclusive;
use std::process::Command;

use sluicegate::azure::{ConnectionString, Identity, Key};

use crate::harness::{
    Gateway, MODULE, Process, SUBSCRIBE, Scene, nobody, numbered, numbers, patience, sluicegate,
    wait_until,
};

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
    let Identity { hub, gateway, device, module } = parsed.identity;
    let (module, key) = (module.unwrap_or_default(), parsed.key.to_base64());
    format!(
        "HostName={hub};GatewayHostName={gateway};DeviceId={device};ModuleId={module};\
         SharedAccessKey={key}"
    )
}

fn run(command: &mut Command) -> (Option<i32>, String) {
    let mut module = Process::spawn("sluicegate", command);
    let status = module.wait_for_exit();
    (status.code(), module.lines().join("\n"))
}

/// The first wait after a failure that may pass by itself, in ms: 100 with jitter.
const TRANSIENT_MS: RangeInclusive<u64> = 50..=100;
/// The first wait after a refused identity, in ms: 3,000 with jitter.
const AUTHENTICATION_MS: RangeInclusive<u64> = 1_500..=3_000;

/// The first wait before another attempt, in ms, as the module says.
fn first_wait_ms(module: &Process) -> u64 {
    let line = module.wait_for_line(&["next attempt in ", " ms"]);
    let after = line.split("next attempt in ").nth(1).unwrap();
    after.strip_suffix(" ms").unwrap().parse().unwrap()
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

/// A variable that nothing reads is told with the nearest one: beside the verdict, beside what is
/// wrong, and in the log. Its value, and that of a proxy that cannot be used, is not.
#[test]
fn misspelt_variables_and_bad_proxies_are_reported_without_their_values() {
    let warning = "variable SLUICEGATE_TRESHOLD is not read by anything: did you mean \
                   SLUICEGATE_THRESHOLD?";
    let mut good = sluicegate();
    good.args(["check", "--broker", "mqtt://h"]).env("SLUICEGATE_TRESHOLD", "hunter2");
    let (code, output) = run(&mut good);
    assert_eq!(code, Some(0), "{output}");
    assert!(output.contains(&format!("warning: {warning}")), "{output}");
    let mut logged = sluicegate();
    logged.args(["run", "--broker", "mqtt://127.0.0.1:1"]).env("SLUICEGATE_TRESHOLD", "hunter2");
    let logging = Process::spawn("sluicegate", &mut logged);
    logging.wait_for_line(&["[WRN]", warning]);
    logging.signal("TERM");
    let url = "http://jane:hunter2#3@proxy:8080";
    for subcommand in ["check", "run"] {
        let mut bad = sluicegate();
        bad.args([subcommand, "--websocket"]).env("SLUICEGATE_TRESHOLD", "hunter2");
        bad.env(CONNECTION_STRING, "HostName=h;DeviceId=d;ModuleId=m;SharedAccessKey=czNjcjN0");
        let (code, output) = run(bad.env("HTTPS_PROXY", url));
        assert_eq!(code, Some(EX_USAGE), "{output}");
        for part in [&format!("warning: {warning}"), "variable HTTPS_PROXY: ", "'#' as %23"] {
            assert!(output.contains(part), "{part}: {output}");
        }
        for part in ["hunter2", "jane", "proxy:8080"] {
            assert!(!output.contains(part), "{part}: {output}");
        }
    }
}

/// The exit code is the verdict on the settings, also for whoever does not read the words.
#[test]
fn a_reader_that_is_gone_changes_no_verdict() {
    let scene = Scene::start(10);
    let mut good = sluicegate();
    good.arg("check").envs(scene.hub.environment(MODULE).unwrap());
    let (mut bad, mut none) = (sluicegate(), sluicegate());
    bad.arg("check");
    none.arg("check").arg("--none");
    let cases = [("good", good, 0), ("bad", bad, EX_USAGE), ("no such flag", none, EX_USAGE)];
    for (name, mut command, expected) in cases {
        let status = command.stdout(nobody()).stderr(nobody()).status().unwrap();
        assert_eq!(status.code(), Some(expected), "{name}");
    }
}

/// Nor does the filter need a reader: `sluicegate run 2>&1 | head -1` ends `head` alone.
#[test]
fn a_reader_that_is_gone_stops_no_filter() {
    let scene = Scene::start(10);
    let mut module = Process::spawn_unheard("sluicegate", &mut scene.command());
    scene.wait_until_subscribed(&module);
    scene.deliver(vec![numbered(1, 99)]);
    assert_eq!(numbers(&scene.take(1)), [1]);
    module.signal("TERM");
    assert_eq!(module.wait_for_exit().code(), Some(0));
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
    let wait_ms = first_wait_ms(&module);
    assert!(AUTHENTICATION_MS.contains(&wait_ms), "{wait_ms} ms");
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
    let wait_ms = first_wait_ms(&module);
    assert!(TRANSIENT_MS.contains(&wait_ms), "{wait_ms} ms");
    wait_until("the module tries again", || module.count("refused") >= 3);
    assert!(module.is_running());
}

/// Every other refusal is named with its code and meaning; one that may pass by itself is tried
/// again soon, one that a person has to mend is not.
#[test]
fn refusals_are_named_and_retried_by_their_kind() {
    let cases = [
        (2, "CONNACK 2 (identifier rejected", AUTHENTICATION_MS),
        (3, "CONNACK 3 (server unavailable", TRANSIENT_MS),
        (4, "CONNACK 4 (bad user name or password", AUTHENTICATION_MS),
    ];
    for (code, text, expected_ms) in cases {
        let gateway = Gateway::start(rustls::ALL_VERSIONS, code);
        let module = Process::spawn("sluicegate", &mut gateway.command());
        module.wait_for_line(&["localhost", "edge1/filter", text]);
        let wait_ms = first_wait_ms(&module);
        assert!(expected_ms.contains(&wait_ms), "CONNACK {code}: {wait_ms} ms");
        wait_until("the module tries again", || module.count(text) >= 2);
        assert!(module.is_running());
    }
}

/// A hub that accepts and hangs up at once is told with what may be behind it.
#[test]
fn a_hang_up_behind_connack_is_explained() {
    let gateway = Gateway::start(rustls::ALL_VERSIONS, 0);
    let module = Process::spawn("sluicegate", &mut gateway.command());
    let causes = ["soon after CONNACK", "edge1/filter", "in use twice", "keep-alive of 60 s"];
    let settings = ["EdgeHubConnectionString", "SLUICEGATE_KEEP_ALIVE"];
    module.wait_for_line(&[&["lost: the peer"], &causes[..], &settings].concat());
}

/// A gateway that speaks TLS 1.2 alone, or TLS 1.3 alone, is connected to.
#[test]
fn either_tls_version_is_enough() {
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let gateway = Gateway::start(&[version], 0);
        let module = Process::spawn("sluicegate", &mut gateway.command());
        let course = gateway.accepted.recv_timeout(patience());
        let lines = module.lines().join("\n");
        assert_eq!(course, Ok((version.version, SUBSCRIBE)), "{lines}");
    }
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
    // Where the hub listens as on any other address, so that no name of its certificate is this.
    let gateway = Ipv4Addr::new(127, 0, 8, 1);
    let scene = Scene::start_with(|config| config.listen.set_ip(Ipv4Addr::UNSPECIFIED.into()));
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
