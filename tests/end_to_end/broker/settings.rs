//! Settings that cannot work are refused at the start, with exit code 64 and what is wrong.

use std::fs;
use std::process::Command;

use crate::harness::{MODULE, Process, sluicegate};

/// The exit code for settings that cannot work.
const EX_USAGE: i32 = 64;
const KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

/// `sluicegate check` alone with a broker.
fn check(flags: &[&str]) -> Command {
    let mut command = sluicegate();
    command.args(["check", "--broker", "mqtt://127.0.0.1"]).args(flags);
    command
}

fn run(command: &mut Command) -> (Option<i32>, String) {
    let mut process = Process::spawn("sluicegate", command);
    let status = process.wait_for_exit();
    (status.code(), process.lines().join("\n"))
}

#[track_caller]
fn assert_refused(mut command: Command, names: &[&str]) {
    let (code, output) = run(&mut command);
    assert_eq!(code, Some(EX_USAGE), "{command:?}: {output}");
    for name in names {
        assert!(output.contains(name), "{name:?} is not named by {command:?}: {output}");
    }
}

#[track_caller]
fn assert_accepted(mut command: Command) {
    let (code, output) = run(&mut command);
    assert_eq!(code, Some(0), "{command:?}: {output}");
}

/// What the module publishes or obeys must not come back to it as a reading; both topics are named.
#[test]
fn loops_are_refused() {
    let cases: [(&[&str], [&str; 2]); 12] = [
        (&["--subscribe", "#"], ["alerts/{topic}", "#"]),
        (&["--subscribe", "alerts/#"], ["alerts/{topic}", "alerts/#"]),
        (&["--subscribe", "+/#"], ["alerts/{topic}", "+/#"]),
        (&["--subscribe", "a/b", "--subscribe", "alerts/a/b"], ["alerts/{topic}", "alerts/a/b"]),
        (&["--subscribe", "a", "--subscribe", "$share/g/alerts/+"], ["alerts/{topic}", "alerts/+"]),
        (&["--alerts-topic", "{topic}"], ["{topic}", "sensors/#"]),
        (&["--alerts-topic", "{topic}/hot"], ["{topic}/hot", "sensors/#"]),
        (&["--alerts-topic", "sensors/hot"], ["sensors/hot", "sensors/#"]),
        (&["--control-topic", "sensors/control"], ["sensors/control", "sensors/#"]),
        (&["--reported-topic", "sensors/reported"], ["sensors/reported", "sensors/#"]),
        (&["--reported-topic", "sensors"], ["sensors", "sensors/#"]),
        (&["--subscribe", "a", "--subscribe", "+/desired"], ["sluicegate/desired", "+/desired"]),
    ];
    for (flags, names) in cases {
        assert_refused(check(flags), &names);
        let mut run = sluicegate();
        run.args(["run", "--broker", "mqtt://127.0.0.1"]).args(flags);
        assert_refused(run, &names);
    }
}

#[test]
fn what_is_no_loop_is_accepted() {
    let cases: [&[&str]; 11] = [
        &[],
        &["--subscribe", "+/sensor/+/state"],
        &["--subscribe", "+/+/+/+/+/Data"],
        &["--subscribe", "+/devices/+/+"],
        &["--subscribe", "alerts/a/b"],
        &["--subscribe", "$share/g/alerts/+"],
        &["--subscribe", "$share/g/sensors/#"],
        &["--subscribe", "plant/+/t", "--subscribe", "hall/#"],
        &["--subscribe", "alerts"],
        &["--alerts-topic", "sensor/{topic}"],
        &["--alerts-topic", "alarm", "--control-topic", "c", "--reported-topic", "r"],
    ];
    for flags in cases {
        assert_accepted(check(flags));
    }
}

/// Beside the hub nothing is published on the broker, so that nothing can come back.
#[test]
fn beside_the_hub_nothing_is_a_loop() {
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    fs::write(&ca, made.cert.pem()).unwrap();
    let mut command = check(&["--subscribe", "#"]);
    command
        .env(
            "EdgeHubConnectionString",
            format!(
                "HostName=h.net;GatewayHostName=localhost;DeviceId=edge1;ModuleId={MODULE};\
                 SharedAccessKey={KEY}"
            ),
        )
        .env("EdgeModuleCACertificateFile", &ca);
    assert_accepted(command);
}

/// With neither a hub nor a broker both ways to have one are told.
#[test]
fn a_source_is_asked_for() {
    let mut command = sluicegate();
    command.arg("run");
    assert_refused(command, &["EdgeHubConnectionString", "--broker"]);
}

#[test]
fn what_contradicts_itself_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let password = folder.path().join("password");
    fs::write(&password, "abc\n").unwrap();
    let password = password.to_str().unwrap();

    let mut both = check(&["--broker-password-file", password]);
    both.env("SLUICEGATE_BROKER_PASSWORD", "told-in-the-environment");
    assert_refused(both, &["SLUICEGATE_BROKER_PASSWORD", "broker-password-file"]);
    let mut twice = sluicegate();
    twice
        .args(["check", "--broker", "mqtt://user:told-in-the-url@127.0.0.1"])
        .env("SLUICEGATE_BROKER_PASSWORD", "told-in-the-environment");
    let (code, output) = run(&mut twice);
    assert_eq!(code, Some(EX_USAGE), "{output}");
    assert!(!output.contains("told-in"), "a password is shown: {output}");

    for (given, missing) in [("--broker-cert", "broker-key"), ("--broker-key", "broker-cert")] {
        let mut alone = sluicegate();
        alone.args(["check", "--broker", "mqtts://127.0.0.1", given, "/none.pem"]);
        assert_refused(alone, &[missing]);
        assert_refused(check(&[given, "/none.pem"]), &["mqtts://"]);
    }
    for url in ["http://127.0.0.1", "mqtt://", "mqtt://127.0.0.1:0", "127.0.0.1:1883"] {
        let mut command = sluicegate();
        command.args(["check", "--broker", url]);
        assert_refused(command, &["--broker"]);
    }
    for filter in ["a/#/b", "a+/b", "$share/g", "$share//a"] {
        assert_refused(check(&["--subscribe", filter]), &["--subscribe"]);
    }
    for (flag, topic) in [
        ("--alerts-topic", "alerts/#"),
        ("--alerts-topic", "alerts/+/{topic}"),
        ("--control-topic", "control/+"),
        ("--reported-topic", "reported/#"),
    ] {
        assert_refused(check(&[flag, topic]), &[flag]);
    }
    assert_refused(check(&["--path", "a..b"]), &["--path"]);
}
