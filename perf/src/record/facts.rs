//! What is written beside every figure: when, of what, where.

use std::process::Command;
use std::time::SystemTime;

use loadgen_hub::simulator::utc_text;
use loadgen_load::machine::Machine;

use super::row::RecordFacts;

/// Takes them now. What the system does not tell is empty.
pub(super) fn gather(built: bool) -> RecordFacts {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    RecordFacts {
        time: utc_text(since_epoch.unwrap_or_default()),
        commit: commit(),
        built,
        machine: Machine::here(),
        rustc: said(Command::new("rustc").arg("--version")).unwrap_or_default(),
    }
}

/// What is checked out, with `-dirty` behind it when something is changed. Earlier records and
/// baselines do not make a tree dirty: several may be taken of one commit.
pub(crate) fn commit() -> String {
    let status = ["status", "--porcelain", "--untracked-files=no", "--"];
    let paths = [":/", ":/!perf/record", ":/!perf/baseline"];
    match said(Command::new("git").args(["rev-parse", "--short=12", "HEAD"])) {
        None => String::new(),
        Some(commit) => match said(Command::new("git").args(status).args(paths)).as_deref() {
            Some("") => commit,
            _ => format!("{commit}-dirty"),
        },
    }
}

/// What a command says, unless it fails.
fn said(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
