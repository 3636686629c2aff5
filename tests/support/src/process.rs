//! A child process whose output a test can wait on, and which cannot outlive the test.

use std::io::{BufRead, BufReader, PipeReader, PipeWriter, Read, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Instant;

use crate::kernel;
use crate::secrets::Secrets;
use crate::{patience, wait_until};

/// Lines kept of one process; a test that makes more than this is broken.
const LINES_LIMIT: usize = 100_000;
/// What may help where a program is missing.
const ADVICE: &str = "'tests/run tools' installs what is missing";
/// Lines of output shown when a test fails.
const LINES_SHOWN: usize = 60;

/// A running program: killed on drop, its output captured, and shown when the test fails. If a
/// secret stands in that output, the test fails.
#[derive(Debug)]
pub struct Process {
    name: &'static str,
    child: Mutex<Child>,
    input: Mutex<Option<ChildStdin>>,
    lines: Arc<Mutex<Vec<String>>>,
    readers: Vec<JoinHandle<()>>,
    secrets: Secrets,
}

impl Process {
    /// Starts `command` with both outputs captured and no input.
    pub fn spawn(name: &'static str, command: &mut Command) -> Self {
        Self::spawn_with(name, command, Stdio::null())
    }

    /// Starts `command` with both outputs captured and a keyboard: see [`Process::type_in`].
    pub fn spawn_with_keyboard(name: &'static str, command: &mut Command) -> Self {
        Self::spawn_with(name, command, Stdio::piped())
    }

    /// Starts `command` with both outputs going where nobody reads any more.
    pub fn spawn_unheard(name: &'static str, command: &mut Command) -> Self {
        Self::spawn_into(name, command, [nobody(), nobody()])
    }

    /// Starts `command` with both outputs going into one pipe that is full: see [`full_pipe`].
    pub fn spawn_into_full_pipe(name: &'static str, command: &mut Command) -> (Self, PipeReader) {
        let (reader, writer) = full_pipe();
        let outputs = [Stdio::from(writer.try_clone().unwrap()), Stdio::from(writer)];
        (Self::spawn_into(name, command, outputs), reader)
    }

    fn spawn_into(name: &'static str, command: &mut Command, outputs: [Stdio; 2]) -> Self {
        let [output, errors] = outputs;
        let child =
            command.stdin(Stdio::null()).stdout(output).stderr(errors).spawn().unwrap_or_else(
                |error| panic!("cannot start {name} ({command:?}): {error}; {ADVICE}"),
            );
        Self {
            name,
            child: Mutex::new(child),
            input: Mutex::default(),
            lines: Arc::default(),
            readers: Vec::new(),
            secrets: Secrets::of(command),
        }
    }

    fn spawn_with(name: &'static str, command: &mut Command, input: Stdio) -> Self {
        let mut child = command
            .stdin(input)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {name} ({command:?}): {error}; {ADVICE}"));
        let lines = Arc::new(Mutex::new(Vec::new()));
        let readers = vec![
            read_lines(child.stdout.take().unwrap(), Arc::clone(&lines)),
            read_lines(child.stderr.take().unwrap(), Arc::clone(&lines)),
        ];
        let secrets = Secrets::of(command);
        let input = Mutex::new(child.stdin.take());
        Self { name, child: Mutex::new(child), input, lines, readers, secrets }
    }

    /// Fails the test also if this stands in the output: base64 of a key, or a password. Those of
    /// the environment do already.
    pub fn must_not_show(mut self, secret: &str) -> Self {
        self.secrets.add(secret);
        self
    }

    /// What the test calls this process.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Whether the process has not ended yet.
    pub fn is_running(&self) -> bool {
        self.child.lock().unwrap().try_wait().unwrap().is_none()
    }

    /// Both outputs up to now, line by line as they arrived.
    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    /// How many lines contain `text`.
    pub fn count(&self, text: &str) -> usize {
        self.lines.lock().unwrap().iter().filter(|line| line.contains(text)).count()
    }

    /// Waits until one line contains all of `texts`; gives that line.
    #[track_caller]
    pub fn wait_for_line(&self, texts: &[&str]) -> String {
        let mut found = None;
        wait_until(&format!("{} prints a line with {texts:?}", self.name), || {
            let lines = self.lines.lock().unwrap();
            let matches = |line: &&String| texts.iter().all(|text| line.contains(text));
            found = lines.iter().find(matches).cloned();
            found.is_some()
                || !self.is_running() && self.readers.iter().all(JoinHandle::is_finished)
        });
        found.unwrap_or_else(|| panic!("{} ended without a line with {texts:?}", self.name))
    }

    /// Types on the keyboard.
    pub fn type_in(&self, text: &str) {
        let mut input = self.input.lock().unwrap();
        input.as_mut().expect("a keyboard").write_all(text.as_bytes()).unwrap();
    }

    /// Closes the standard input.
    pub fn close_input(&self) {
        self.input.lock().unwrap().take().expect("a keyboard");
    }

    /// Sends a signal by its name, as a shell would.
    pub fn signal(&self, signal: &str) {
        let kill = format!("kill -{signal} {}", self.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success(), "{kill}");
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.child.lock().unwrap().id()
    }

    /// Whether the process has a handler for SIGTERM.
    pub fn catches_sigterm(&self) -> bool {
        kernel::catches_sigterm(self.id())
    }

    /// Most memory that was resident up to now, in bytes.
    pub fn resident_peak(&self) -> u64 {
        kernel::resident_peak(self.id())
    }

    /// SIGKILL: the process has no chance to tidy up. Returns when it is gone.
    pub fn kill(&self) {
        let mut child = self.child.lock().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Waits until the process has ended by itself and its output is read.
    #[track_caller]
    pub fn wait_for_exit(&mut self) -> ExitStatus {
        let mut status = None;
        wait_until(&format!("{} ends", self.name), || {
            status = self.child.lock().unwrap().try_wait().unwrap();
            status.is_some()
        });
        let deadline = Instant::now() + patience();
        for reader in self.readers.drain(..) {
            assert!(Instant::now() < deadline, "{}'s output stays open", self.name);
            reader.join().unwrap();
        }
        status.expect("the loop above ends with a status")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let mut child = self.child.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // Already gone is fine.
        let _ = child.kill();
        let _ = child.wait();
        drop(child);
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
        if std::thread::panicking() {
            let lines = self.lines.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let skipped = lines.len().saturating_sub(LINES_SHOWN);
            eprintln!("--- {} printed {} lines; the last:", self.name, lines.len());
            for line in &lines[skipped..] {
                eprintln!("    {line}");
            }
        } else {
            self.secrets.assert_none_in(&self.lines());
        }
    }
}

/// A pipe without room for a byte, whose reader is there and reads nothing: a write waits for ever.
pub fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = std::io::pipe().unwrap();
    let flags = rustix::fs::fcntl_getfl(&writer).unwrap();
    // For the whole pipe's end, which the child shares: so only until it is full.
    rustix::fs::fcntl_setfl(&writer, flags | rustix::fs::OFlags::NONBLOCK).unwrap();
    while writer.write(&[b'.'; 4096]).is_ok() {}
    rustix::fs::fcntl_setfl(&writer, flags).unwrap();
    (reader, writer)
}

/// A pipe whose reader is gone.
pub fn nobody() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    Stdio::from(writer)
}

fn read_lines(pipe: impl Read + Send + 'static, lines: Arc<Mutex<Vec<String>>>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let mut reader = BufReader::new(pipe);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).is_ok_and(|size| size > 0) {
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            let mut lines = lines.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            if lines.len() < LINES_LIMIT {
                lines.push(text);
            }
            line.clear();
        }
    })
}
