//! Running the binary: to its end, or as a hub in the background.

use std::io::{BufRead, BufReader, Lines};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use test_support::wait_until_for;

/// How long anything may take before it counts as hanging.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The program under test. It hears SIGHUP even when the tests run where that is ignored, as under
/// `nohup`, because a child inherits what its parent ignores.
pub(crate) fn loadgen() -> Command {
    let mut command = Command::new("env");
    command.args(["--default-signal=HUP", env!("CARGO_BIN_EXE_loadgen")]);
    command
}

/// Runs to the end; exit code, standard output and standard error.
pub(crate) fn run(args: &[&str]) -> (i32, String, String) {
    texts(loadgen().args(args).output().unwrap())
}

pub(crate) fn texts(output: Output) -> (i32, String, String) {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
}

pub(crate) fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

/// Waits until the condition holds.
#[track_caller]
pub(crate) fn wait_for(what: &str, condition: impl FnMut() -> bool) {
    wait_until_for(PATIENCE, what, condition);
}

/// A file in its own folder that goes with it.
pub(crate) fn file(name: &str, text: &str) -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (folder, path)
}

/// A hub in the background, on a free port, in a folder that goes with it.
pub(crate) struct RunningHub {
    child: Child,
    _folder: TempDir,
    state: PathBuf,
    pub(crate) port: u16,
}

impl RunningHub {
    pub(crate) fn start(args: &[&str]) -> Self {
        // A name that only correct quoting survives.
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("it's a $(hub)");
        Self::start_in(folder, state, args)
    }

    /// Starts a hub under limits that a shell sets first.
    pub(crate) fn start_under(limits: &str, args: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("hub");
        let mut command = Command::new("sh");
        command.args(["-c", &format!("{limits}; exec \"$@\""), "sh"]);
        command.args(std::iter::once(loadgen().get_program()).chain(loadgen().get_args()));
        let (child, port, lines) = spawn_hub(command, &state, args);
        read_on(lines);
        Self { child, _folder: folder, state, port }
    }

    /// As [`RunningHub::start_under`], and gives what the hub logs.
    pub(crate) fn start_logged(limits: &str, args: &[&str]) -> (Self, Arc<Mutex<Vec<String>>>) {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("hub");
        let mut command = Command::new("sh");
        command.args(["-c", &format!("{limits}; exec \"$@\""), "sh"]);
        command.args(std::iter::once(loadgen().get_program()).chain(loadgen().get_args()));
        command.stderr(Stdio::piped());
        let (mut child, port, lines) = spawn_hub(command, &state, args);
        read_on(lines);
        let log = Arc::new(Mutex::new(Vec::new()));
        let (written, errors) = (Arc::clone(&log), BufReader::new(child.stderr.take().unwrap()));
        std::thread::spawn(move || {
            errors
                .lines()
                .map_while(Result::ok)
                .for_each(|line| written.lock().unwrap().push(line));
        });
        (Self { child, _folder: folder, state, port }, log)
    }

    /// The process's number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Starts a hub whose output is read up to its greeting's end and then closed.
    pub(crate) fn start_unread(args: &[&str]) -> Self {
        Self::start_greeted(args).0
    }

    /// As [`RunningHub::start_unread`], and gives the greeting behind its first line.
    pub(crate) fn start_greeted(args: &[&str]) -> (Self, Vec<String>) {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("hub");
        let (child, port, lines) = spawn_hub(loadgen(), &state, args);
        let mut greeting = Vec::new();
        for line in lines {
            greeting.push(line.unwrap());
            if greeting.last().is_some_and(|line| line.ends_with(" stops")) {
                return (Self { child, _folder: folder, state, port }, greeting);
            }
        }
        panic!("the greeting does not end: {greeting:#?}");
    }

    fn start_in(folder: TempDir, state: PathBuf, args: &[&str]) -> Self {
        let (child, port, lines) = spawn_hub(loadgen(), &state, args);
        read_on(lines);
        Self { child, _folder: folder, state, port }
    }

    /// Starts again in the same folder; the hub must have ended.
    pub(crate) fn restart(&mut self, args: &[&str]) {
        let (child, port, lines) = spawn_hub(loadgen(), &self.state, args);
        read_on(lines);
        (self.child, self.port) = (child, port);
    }

    pub(crate) fn state(&self) -> &str {
        self.state.to_str().unwrap()
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.state.join("control.sock")
    }

    /// Runs a command against this hub.
    pub(crate) fn run(&self, args: &[&str]) -> (i32, String, String) {
        texts(self.command(args).output().unwrap())
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = loadgen();
        command.args(args).arg("--state").arg(&self.state);
        command
    }

    pub(crate) fn send(&self, what: Signal) {
        signal(&self.child, what);
    }

    /// Waits until the hub has ended.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let mut status = None;
        wait_for("the hub ends", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }
}

impl Drop for RunningHub {
    fn drop(&mut self) {
        // Ended already in some tests.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

type HubLines = Lines<BufReader<ChildStdout>>;

/// The rest must be read, or the hub would block on a full pipe.
fn read_on(lines: HubLines) {
    std::thread::spawn(move || lines.for_each(drop));
}

fn spawn_hub(mut program: Command, state: &Path, args: &[&str]) -> (Child, u16, HubLines) {
    program.args(["hub", "--state", state.to_str().unwrap()]).args(args);
    if !args.contains(&"--listen") {
        program.args(["--listen", "127.0.0.1:0"]);
    }
    let mut child = program.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = lines.next().expect("the hub says where it listens").unwrap();
    let address = first.strip_prefix("hub listening on ");
    let address = address.unwrap_or_else(|| panic!("{first}")).split(',').next().unwrap();
    let address: SocketAddr = address.parse().unwrap();
    (child, address.port(), lines)
}
