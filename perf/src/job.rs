//! Child processes: started, waited for, and ended by their id on every way out.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::stop::Stop;

/// How long is slept at most until an end is looked for again. While a run lasts this must not take
/// CPU worth mentioning; of what is short it may be short, too.
const POLL_MAX: Duration = Duration::from_millis(50);
const POLL_MIN: Duration = Duration::from_millis(1);
/// Share of the time waited until now that is slept next.
const POLL_SHARE: u32 = 8;
/// How long a program may take to end after SIGTERM: an instrument ends its own program first.
const END_WAIT: Duration = Duration::from_secs(30);
/// End of a log that is told.
const TAIL_LINES: usize = 5;
/// Prefixes of variables that would tell a program to be somebody else.
const SETTINGS: [&str; 6] =
    ["IOTEDGE_", "SLUICEGATE_", "LOADGEN_", "EdgeHub", "EdgeModule", "RuntimeLogLevel"];

/// A running program; it ends when dropped.
pub(crate) struct Job {
    child: Child,
    name: String,
    log: PathBuf,
}

impl Job {
    /// Starts `command` with the variables given to it and no settings of the caller's shell; its
    /// output goes into `log`.
    ///
    /// # Errors
    /// The program or the file cannot be opened.
    pub(crate) fn start(mut command: Command, log: &Path) -> Result<Self, String> {
        let name = Path::new(command.get_program()).display().to_string();
        let given: Vec<OsString> = command.get_envs().map(|(name, _)| name.to_owned()).collect();
        for variable in inherited_settings().filter(|variable| !given.contains(variable)) {
            command.env_remove(variable);
        }
        let mut spawn = || -> io::Result<Child> {
            let output = File::create(log)?;
            command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
            // Out of the terminal's group: Ctrl-C is for us, who then end everything in order.
            command.process_group(0).spawn()
        };
        let child = spawn().map_err(|error| format!("{name}: {error}"))?;
        Ok(Self { child, name, log: log.to_owned() })
    }

    /// Waits for its end; its exit code, -1 when a signal ended it.
    ///
    /// # Errors
    /// It was stopped, or is not done within `limit`; then it is ended.
    pub(crate) fn wait(&mut self, limit: Duration, stop: &Stop) -> Result<i32, String> {
        let begin = Instant::now();
        let deadline = begin + limit;
        loop {
            if let Some(code) = self.ended() {
                return Ok(code);
            }
            if stop.is_asked() || Instant::now() > deadline {
                self.end();
                return Err(format!("{} was ended before it was done", self.name));
            }
            pause(begin);
        }
    }

    /// Waits until its log contains `text`.
    ///
    /// # Errors
    /// It was stopped, or ended, or does not say so within `limit`.
    pub(crate) fn wait_for(
        &mut self,
        text: &str,
        limit: Duration,
        stop: &Stop,
    ) -> Result<(), String> {
        let begin = Instant::now();
        let deadline = begin + limit;
        loop {
            // Looked at first: what it said last counts.
            let has_ended = self.ended().is_some();
            if self.says(text) {
                return Ok(());
            }
            if has_ended || stop.is_asked() || Instant::now() > deadline {
                return Err(format!("{} never said '{text}': {}", self.name, self.tail()));
            }
            pause(begin);
        }
    }

    /// Whether `text` is in its log.
    pub(crate) fn says(&self, text: &str) -> bool {
        self.text().contains(text)
    }

    /// Its exit code, if it has ended.
    pub(crate) fn ended(&mut self) -> Option<i32> {
        let status = self.child.try_wait().ok()??;
        Some(status.code().unwrap_or(-1))
    }

    /// The last lines of its output.
    pub(crate) fn tail(&self) -> String {
        let text = self.text();
        let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
        lines[lines.len().saturating_sub(TAIL_LINES)..].join(" | ")
    }

    fn text(&self) -> String {
        let bytes = fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Asks it to end, waits, and kills it, and what it has started, if it does not.
    pub(crate) fn end(&mut self) {
        if self.ended().is_some() {
            return;
        }
        let id = Pid::from_child(&self.child);
        // Fails only when it has ended, which is found out below.
        let _ = kill_process(id, Signal::TERM);
        let begin = Instant::now();
        while begin.elapsed() < END_WAIT {
            if self.ended().is_some() {
                return;
            }
            pause(begin);
        }
        let children = children_of(id);
        let _ = self.child.kill();
        let _ = self.child.wait();
        for child in children {
            let _ = kill_process(child, Signal::KILL);
        }
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        self.end();
    }
}

/// A while, for somebody who has waited since `begin`.
fn pause(begin: Instant) {
    std::thread::sleep((begin.elapsed() / POLL_SHARE).clamp(POLL_MIN, POLL_MAX));
}

/// Runs `command` to its end, which must be a success.
///
/// # Errors
/// It cannot be started, was stopped, is not done within `limit`, or failed; with its last words.
pub(crate) fn succeed(command: Command, limit: Duration, stop: &Stop) -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let mut job = Job::start(command, &folder.path().join("log"))?;
    match job.wait(limit, stop)? {
        0 => Ok(()),
        code => Err(format!("{} ended with {code}: {}", job.name, job.tail())),
    }
}

/// Names of the caller's variables that are for another program.
fn inherited_settings() -> impl Iterator<Item = OsString> {
    std::env::vars_os()
        .map(|(name, _)| name)
        .filter(|name| SETTINGS.iter().any(|prefix| name.to_string_lossy().starts_with(prefix)))
}

fn children_of(id: Pid) -> Vec<Pid> {
    let tasks = fs::read_dir(format!("/proc/{id}/task")).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    let ids = lists.flat_map(|list| {
        let ids = list.split_whitespace().filter_map(|id| Pid::from_raw(id.parse().ok()?));
        ids.collect::<Vec<_>>()
    });
    ids.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    fn shell(folder: &Path, script: &str) -> Job {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Job::start(command, &folder.join("log")).unwrap()
    }

    fn is_gone(id: &str) -> bool {
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        // Whoever adopted it may not have reaped it yet.
        stat.is_empty() || stat.contains(") Z ")
    }

    #[test]
    fn its_exit_code_and_output_are_given_back() {
        let folder = tempfile::tempdir().unwrap();
        let mut job = shell(folder.path(), "echo one; echo two >&2; exit 3");
        assert_eq!(job.wait(PATIENCE, &Stop::default()), Ok(3));
        assert_eq!(job.tail(), "one | two");
        assert!(job.wait_for("two", PATIENCE, &Stop::default()).is_ok());
        let said = job.wait_for("three", PATIENCE, &Stop::default()).unwrap_err();
        assert!(said.contains("one | two"), "{said}");
    }

    /// A program that would never end is ended when we are, and when its time is over.
    #[test]
    fn nothing_runs_on() {
        let folder = tempfile::tempdir().unwrap();
        let stopped = Stop::default();
        stopped.ask();
        for (stop, limit) in [(stopped, PATIENCE), (Stop::default(), Duration::ZERO)] {
            let mut job = shell(folder.path(), "echo id $$; exec sleep 600");
            job.wait_for("id", PATIENCE, &Stop::default()).unwrap();
            assert!(job.wait(limit, &stop).is_err());
            assert!(is_gone(job.text().trim().trim_start_matches("id ")));
        }
        let job = shell(folder.path(), "exec sleep 600");
        let id = job.child.id().to_string();
        drop(job);
        assert!(is_gone(&id));
    }
}
