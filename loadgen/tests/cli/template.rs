//! `loadgen hub --manifest` with the deployment template that the product ships.

use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::support::{RunningHub, wait_for};

/// Messages that prove the routes.
const ALERTS: usize = 20;

/// A child that does not outlive its test.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // Ended already, when all went well.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Killed {
    fn spawn(command: &mut Command) -> Self {
        Self(command.spawn().unwrap())
    }

    fn has_ended(&mut self) -> bool {
        self.0.try_wait().unwrap().is_some()
    }
}

/// The very template: its simulated sensor, the filter module, and alerts alone upstream.
#[test]
fn the_deployment_template_runs() {
    let template = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/deployment.template.json");
    let hub = RunningHub::start(&["--manifest", template, "--message-delay", "2ms"]);
    let (code, environment, err) = hub.run(&["env", "filter"]);
    assert_eq!(code, 0, "{err}");
    let start = format!("{environment}\nexec \"$0\" module run");
    let mut module = Killed::spawn(
        Command::new("sh")
            .args(["-c", &start, env!("CARGO_BIN_EXE_loadgen")])
            .stdout(Stdio::null())
            .stderr(Stdio::null()),
    );
    let count = ALERTS.to_string();
    let monitor = ["monitor", "--json", "--count", &count];
    let mut monitor = Killed::spawn(hub.command(&monitor).stdout(Stdio::piped()));
    wait_for("alerts upstream", || {
        assert!(!module.has_ended(), "the module ended");
        monitor.has_ended()
    });
    let mut out = String::new();
    let mut pipe = monitor.0.stdout.take().unwrap();
    std::io::Read::read_to_string(&mut pipe, &mut out).unwrap();
    assert_eq!(out.lines().count(), ALERTS, "{out}");
    for line in out.lines() {
        let message: Value = serde_json::from_str(line).unwrap();
        assert_eq!(message["module"], "filter", "{line}");
        assert_eq!(message["output"], "output1", "{line}");
        let body: Value = serde_json::from_str(message["body"]["text"].as_str().unwrap()).unwrap();
        assert!(body["machine"]["temperature"].as_f64().unwrap() > 25.0, "{line}");
        assert!(line.contains("MessageType") && line.contains("Alert"), "{line}");
    }
}
