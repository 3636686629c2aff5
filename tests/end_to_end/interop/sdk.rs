//! The programs on Microsoft's SDKs, as child processes.

use std::path::PathBuf;
use std::process::Command;

use crate::harness::{MODULE, Process, Scene, tools_dir};

/// Names and values for a program's environment.
pub(super) type Variables = Vec<(String, String)>;

/// One of the unmodified SDKs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sdk {
    /// `azure-iot-device` for Python.
    Python,
    /// `azure-iot-device`, `azure-iot-provisioning-device` and their MQTT transports for Node.
    Node,
}

impl Sdk {
    /// Starts the tutorial's module and waits until it said that it is ready.
    pub(super) fn start(self, scene: &Scene) -> Process {
        self.start_with(scene.hub.environment(MODULE).unwrap())
    }

    /// As [`Sdk::start`], in an environment of one's own.
    pub(super) fn start_with(self, variables: Variables) -> Process {
        let module = match self {
            Self::Python => self.spawn("Python module", "python/filter_module.py", variables),
            Self::Node => self.spawn("Node module", "node/filter_module.js", variables),
        };
        module.wait_for_line(&["ready"]);
        module
    }

    /// Starts a device that registers itself.
    pub(super) fn device(self, mut variables: Variables) -> Process {
        match self {
            Self::Python => self.spawn("Python device", "python/provisioned_device.py", variables),
            Self::Node => {
                let ca_file = variables.iter().find(|(name, _)| name == "SLUICEGATE_CA_FILE");
                let ca_file = ca_file.expect("a CA file").1.clone();
                variables.push(("NODE_EXTRA_CA_CERTS".to_owned(), ca_file));
                self.spawn("Node device", "node/provisioned_device.js", variables)
            }
        }
    }

    /// Starts the SDK's own MQTT client over WebSocket.
    pub(super) fn websocket_client(self, variables: Variables) -> Process {
        match self {
            Self::Python => self.spawn("paho", "python/websocket_client.py", variables),
            Self::Node => self.spawn("mqtt.js", "node/websocket_client.js", variables),
        }
    }

    /// Starts the tutorial's environmental sensor, with a keyboard.
    pub(super) fn environmental_sensor(self, variables: Variables) -> Process {
        assert_eq!(self, Self::Python, "it is written once");
        let mut command = self.command("python/environmental_sensor.py", variables);
        Process::spawn_with_keyboard("tutorial", &mut command)
    }

    pub(super) fn spawn(self, name: &'static str, script: &str, variables: Variables) -> Process {
        Process::spawn(name, &mut self.command(script, variables))
    }

    fn command(self, script: &str, variables: Variables) -> Command {
        let script = test_support::root().join("tests").join(script);
        let program = match self {
            Self::Python => installed("venv/bin/python"),
            Self::Node => PathBuf::from("node"),
        };
        let mut command = Command::new(program);
        // Of the outside environment only what starting an interpreter needs.
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("NODE_PATH", installed("node/node_modules"));
        command.envs(variables).env("PYTHONDONTWRITEBYTECODE", "1").arg(script);
        command
    }
}

/// How often the SDK said that it is connected.
pub(super) fn connects(module: &Process) -> usize {
    module.lines().iter().filter(|line| *line == "connected").count()
}

fn installed(path: &str) -> PathBuf {
    let path = tools_dir().join(path);
    assert!(path.exists(), "{} is missing: run 'tests/run tools'", path.display());
    path
}
