//! What all of these tests share: `loadgen run` with its result.

use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use loadgen_load::outcome::{Document, Finding, Outcome};
use test_support::patience;

/// Fewest tries before a figure is given up.
const TRIES_MIN: usize = 5;

/// Two runs at a time would measure each other.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Held by each test while it measures.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    // It guards nothing that a failed test could have spoilt.
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs until one result has nothing wrong with it that a busy machine explains, at least
/// [`TRIES_MIN`] times and on until patience ends. What must hold in each run is asserted by `try_`
/// itself, which gives what is wrong.
#[track_caller]
pub(crate) fn some_try(mut try_: impl FnMut() -> Result<(), String>) {
    let start = Instant::now();
    let mut said = Vec::new();
    while said.len() < TRIES_MIN || start.elapsed() < patience() {
        match try_() {
            Ok(()) => return,
            Err(why) => said.push(why),
        }
    }
    panic!("none of {} tries: {said:#?}", said.len());
}

/// The program under test, in an environment without settings of its own.
pub(crate) fn loadgen(subcommand: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
    for (name, _) in
        std::env::vars_os().filter(|(n, _)| n.to_string_lossy().starts_with("LOADGEN_"))
    {
        command.env_remove(name);
    }
    command.arg(subcommand);
    command
}

/// What `loadgen run` left behind.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// What it wrote with `--json`; empty when it did not.
    pub(crate) json: String,
}

impl std::fmt::Debug for Ran {
    /// As a user sees it: the JSON is too long for that.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "exit code {}\n{}{}", self.code, self.stderr, self.stdout)
    }
}

impl Ran {
    #[track_caller]
    pub(crate) fn outcome(&self) -> Outcome {
        let document: Document =
            serde_json::from_str(&self.json).unwrap_or_else(|error| panic!("{error}: {self:?}"));
        match document.result {
            Finding::Run(outcome) => *outcome,
            _ => panic!("no run: {self:?}"),
        }
    }

    /// There is no result, because the broker does not serve; standard error says why, in one line.
    #[track_caller]
    pub(crate) fn refused(&self, part: &str) {
        assert_eq!((self.code, self.stdout.as_str(), self.json.as_str()), (69, "", ""), "{self:?}");
        let last = self.stderr.lines().last().unwrap_or_default();
        assert!(last.starts_with("loadgen: mqtt") && last.contains(part), "{part}: {self:?}");
    }
}

/// `loadgen run --broker URL` with these flags and this password, until it ends.
pub(crate) fn run(url: &str, flags: &[&str], password: Option<&str>) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("run.json");
    let mut command = loadgen("run");
    command.args(["--broker", url, "--json"]).arg(&json).args(flags).stdin(Stdio::null());
    if let Some(password) = password {
        command.env("LOADGEN_BROKER_PASSWORD", password);
    }
    let output = command.output().unwrap();
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
        json: std::fs::read_to_string(json).unwrap_or_default(),
    }
}
