//! Which commit is compared with which state of the work tree, as git tells it.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::Failure;

/// The two states that are compared.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(super) struct States {
    /// The commit that is compared with, in full.
    pub(super) base: String,
    /// The commit that is checked out, with `-dirty` when something was changed.
    pub(super) work_tree: String,
}

/// The folder of the work tree around `here`.
///
/// # Errors
/// There is none.
pub(super) fn root(here: &Path) -> Result<PathBuf, Failure> {
    git(here, &["rev-parse", "--show-toplevel"]).map(PathBuf::from).map_err(Failure::usage)
}

/// What is compared: with `base`, or with the last commit, or where nothing was changed since, with
/// the one before it.
///
/// # Errors
/// There is no such commit.
pub(super) fn states(root: &Path, base: Option<&str>) -> Result<States, Failure> {
    let commit = |name: &str| {
        let name = format!("{name}^{{commit}}");
        git(root, &["rev-parse", "--verify", "--quiet", "--end-of-options", &name])
    };
    let head = commit("HEAD").map_err(|_| Failure::usage("there is no commit yet"))?;
    // Records are no part of the programs.
    let status = ["status", "--porcelain", "--", ":/", ":/!perf/record"];
    let is_changed = !git(root, &status).map_err(Failure::usage)?.is_empty();
    let name = base.unwrap_or(if is_changed { "HEAD" } else { "HEAD~1" });
    let base = commit(name).map_err(|_| Failure::usage(format!("no commit '{name}'")))?;
    let work_tree = if is_changed { format!("{head}-dirty") } else { head };
    Ok(States { base, work_tree })
}

fn git(folder: &Path, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new("git").arg("-C").arg(folder).args(arguments).output();
    let output = output.map_err(|error| format!("git: {error}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
    }
}
