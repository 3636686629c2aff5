//! What all of these tests share: child processes, and `loadgen run` with its result.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use loadgen_load::outcome::{Document, Finding, Outcome};

/// Lines kept of one process; a test that makes more than this is broken.
const LINES_MAX: usize = 10_000;
/// Fewest tries before a figure is given up.
const TRIES_MIN: usize = 5;

/// Two runs at a time would measure each other.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Held by each test while it measures.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    // It guards nothing that a failed test could have spoilt.
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long anything may take before it counts as hanging.
pub(crate) fn patience() -> Duration {
    let seconds = std::env::var("SLUICEGATE_TEST_PATIENCE_S");
    Duration::from_secs(seconds.ok().and_then(|text| text.parse().ok()).unwrap_or(30))
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

/// Waits until the condition holds.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + patience();
    while !condition() {
        assert!(Instant::now() < deadline, "waited too long until {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
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

/// A running program, killed when dropped; its output is read all the time.
pub(crate) struct Process {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
    readers: [JoinHandle<()>; 2],
}

impl Process {
    #[track_caller]
    pub(crate) fn spawn(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| {
                panic!(
                    "cannot start {command:?}: {error}; 'tests/run tools' installs what is missing"
                )
            });
        let lines = Arc::new(Mutex::new(Vec::new()));
        let readers = [
            read_lines(child.stdout.take().unwrap(), Arc::clone(&lines)),
            read_lines(child.stderr.take().unwrap(), Arc::clone(&lines)),
        ];
        Self { child, lines, readers }
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Whether it has ended and everything that it said was read.
    fn is_over(&mut self) -> bool {
        !self.is_running() && self.readers.iter().all(JoinHandle::is_finished)
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    /// How many lines contain `text`.
    pub(crate) fn count(&self, text: &str) -> usize {
        self.lines().iter().filter(|line| line.contains(text)).count()
    }

    /// Waits for a line with this text.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, text: &str) {
        wait_until(text, || self.count(text) > 0 || self.is_over());
        assert!(self.count(text) > 0, "ended without {text:?}: {:#?}", self.lines());
    }

    /// Waits until it has ended by itself; its exit code.
    #[track_caller]
    pub(crate) fn wait(&mut self) -> i32 {
        wait_until("the program ends", || self.is_over());
        self.child.wait().unwrap().code().unwrap_or(-1)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Ended already in some tests.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads until the process, or the last one that it has started, ends.
fn read_lines(pipe: impl Read + Send + 'static, lines: Arc<Mutex<Vec<String>>>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
            if lines.len() < LINES_MAX {
                lines.push(line);
            }
        }
    })
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
