//! Where the gate finds and leaves things.

use std::path::PathBuf;

/// Where things are.
#[derive(Debug, Clone)]
pub(super) struct Places {
    /// Root of the workspace.
    pub(super) root: PathBuf,
    /// Cargo's folder for what it builds.
    pub(super) target: PathBuf,
}

impl Places {
    pub(super) fn baselines(&self) -> PathBuf {
        self.root.join("perf/baseline")
    }

    /// Folder for what the gate itself makes.
    pub(super) fn own(&self) -> PathBuf {
        self.root.join(&self.target).join("gate")
    }
}
