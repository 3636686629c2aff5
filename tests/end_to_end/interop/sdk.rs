//! The filter modules on Microsoft's SDKs, as child processes.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::{MODULE, Process, Scene, tools_dir};

/// One of the unmodified SDKs and the tutorial's module written on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sdk {
    /// `azure-iot-device` for Python.
    Python,
    /// `azure-iot-device` and `azure-iot-device-mqtt` for Node.
    Node,
}

impl Sdk {
    /// Starts the module and waits until it said that it is ready.
    pub(super) fn start(self, scene: &Scene) -> Process {
        let module = match self {
            Self::Python => {
                let python = installed("venv/bin/python");
                Process::spawn(
                    "Python module",
                    &mut command(scene, python, "python/filter_module.py"),
                )
            }
            Self::Node => {
                let modules = installed("node/node_modules");
                let mut command = command(scene, PathBuf::from("node"), "node/filter_module.js");
                Process::spawn("Node module", command.env("NODE_PATH", modules))
            }
        };
        module.wait_for_line(&["ready"]);
        module
    }
}

/// How often the SDK said that it is connected.
pub(super) fn connects(module: &Process) -> usize {
    module.lines().iter().filter(|line| *line == "connected").count()
}

fn command(scene: &Scene, program: PathBuf, script: &str) -> Command {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(script);
    let mut command = Command::new(program);
    // Of the outside environment only what starting an interpreter needs.
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.envs(scene.hub.environment(MODULE).unwrap()).env("PYTHONDONTWRITEBYTECODE", "1");
    command.arg(script);
    command
}

fn installed(path: &str) -> PathBuf {
    let path = tools_dir().join(path);
    assert!(path.exists(), "{} is missing: run 'tests/run tools'", path.display());
    path
}
