//! A program under test as a process of its own: started, watched, ended.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Builder;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

/// How long a program may take to end after SIGTERM: the filter drains for up to 5 s.
const TERMINATE_WAIT: Duration = Duration::from_secs(8);
/// How often its end is looked for.
const POLL: Duration = Duration::from_millis(2);
/// End of the module's log that is shown when it fails, in bytes.
const LOG_TAIL_BYTES: usize = 2000;

/// Where the output of a program goes.
#[derive(Debug)]
enum Log {
    /// Into this file, to be kept.
    File(PathBuf),
    /// Its last [`LOG_TAIL_BYTES`] are remembered, by a thread that ends with the output.
    Tail(Arc<Mutex<VecDeque<u8>>>),
}

/// The running program; it ends with everything in its process group.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: Log,
}

/// Whether a program is there and may be run, as it is found when it is started.
///
/// # Errors
/// Why not.
pub fn check_program(name: &str) -> io::Result<()> {
    if name.contains('/') {
        return check_executable(Path::new(name));
    }
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/bin:/usr/bin".into());
    let mut refusal = io::Error::from(io::ErrorKind::NotFound);
    for folder in std::env::split_paths(&path) {
        match check_executable(&folder.join(name)) {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => refusal = error,
            Err(_) => {}
        }
    }
    Err(refusal)
}

fn check_executable(file: &Path) -> io::Result<()> {
    if file.metadata()?.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    Ok(rustix::fs::access(file, rustix::fs::Access::EXEC_OK)?)
}

/// How a program ended.
#[derive(Debug, Clone, Copy)]
pub struct Ended {
    /// Its exit status.
    pub status: ExitStatus,
    /// Time from SIGTERM to its end.
    pub took: Duration,
    /// It did not end by itself in `TERMINATE_WAIT`.
    pub killed: bool,
}

impl Process {
    /// Starts `command` with these variables and no others that would tell a module who it is; its
    /// output goes into the file `log`.
    ///
    /// # Errors
    /// The program or the log file cannot be opened, or the system has no process to give.
    pub fn start(
        command: Command,
        environment: impl IntoIterator<Item = (impl AsRef<OsStr>, impl AsRef<OsStr>)>,
        log: PathBuf,
    ) -> io::Result<Self> {
        let output = File::create(&log)?;
        let child = spawn(command, environment, output.try_clone()?.into(), output.into())?;
        Ok(Self { child, log: Log::File(log) })
    }

    /// As [`Process::start`]; of the output, only the end is remembered.
    ///
    /// # Errors
    /// The program cannot be opened, or the system has no process, pipe or thread to give.
    pub fn start_quietly(
        command: Command,
        environment: impl IntoIterator<Item = (impl AsRef<OsStr>, impl AsRef<OsStr>)>,
    ) -> io::Result<Self> {
        let (output, input) = io::pipe()?;
        let tail = Arc::new(Mutex::new(VecDeque::new()));
        let kept = Arc::clone(&tail);
        Builder::new().name("log".to_owned()).spawn(move || keep_tail(output, &kept))?;
        let child = spawn(command, environment, input.try_clone()?.into(), input.into())?;
        Ok(Self { child, log: Log::Tail(tail) })
    }

    /// Process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its exit status, if it has ended; what it left in its group is then killed.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        // Looked at without reaping: until then its id is nobody else's.
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let id = WaitId::Pid(Pid::from_child(&self.child));
        if !matches!(waitid(id, options), Ok(None)) {
            self.kill_group();
            return self.child.wait().ok();
        }
        None
    }

    /// Stops it and everything in its group, until [`Process::resume`].
    ///
    /// # Errors
    /// It has ended.
    pub fn stop(&self) -> io::Result<()> {
        Ok(kill_process_group(Pid::from_child(&self.child), Signal::STOP)?)
    }

    /// Lets it go on.
    ///
    /// # Errors
    /// It has ended.
    pub fn resume(&self) -> io::Result<()> {
        Ok(kill_process_group(Pid::from_child(&self.child), Signal::CONT)?)
    }

    /// Kills it with everything in its group, without a word.
    ///
    /// # Errors
    /// The system cannot tell about the process.
    pub fn kill(&mut self) -> io::Result<ExitStatus> {
        self.kill_group();
        self.child.wait()
    }

    /// Asks it to end, waits, and kills it if it does not.
    ///
    /// # Errors
    /// The system cannot tell about the process.
    pub fn terminate(&mut self) -> io::Result<Ended> {
        let start = Instant::now();
        if self.ended().is_none() {
            kill_process_group(Pid::from_child(&self.child), Signal::TERM)?;
        }
        while start.elapsed() < TERMINATE_WAIT {
            if let Some(status) = self.ended() {
                return Ok(Ended { status, took: start.elapsed(), killed: false });
            }
            std::thread::sleep(POLL);
        }
        self.kill_group();
        let status = self.child.wait()?;
        Ok(Ended { status, took: start.elapsed(), killed: true })
    }

    /// The last lines of its log, each indented.
    pub fn log_tail(&self) -> String {
        let text = match &self.log {
            Log::File(path) => {
                end_of_file(path).unwrap_or_else(|error| format!("(no log: {error})"))
            }
            Log::Tail(tail) => {
                let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
                String::from_utf8_lossy(tail.make_contiguous()).into_owned()
            }
        };
        text.lines().map(|line| format!("\n  | {line}")).collect()
    }

    /// Fails only when nothing is left of the group.
    fn kill_group(&self) {
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.ended().is_none() {
            self.kill_group();
            let _ = self.child.wait();
        }
    }
}

fn spawn(
    mut command: Command,
    environment: impl IntoIterator<Item = (impl AsRef<OsStr>, impl AsRef<OsStr>)>,
    output: Stdio,
    errors: Stdio,
) -> io::Result<Child> {
    command.stdin(Stdio::null()).stdout(output).stderr(errors);
    // Settings of the caller's shell are for another module.
    for name in inherited_settings() {
        command.env_remove(name);
    }
    command.envs(environment);
    // Out of the terminal's group: Ctrl-C is for us, who then end the program in order.
    command.process_group(0);
    command.spawn()
}

/// Reads to the end and remembers what came last.
fn keep_tail(mut output: impl Read, tail: &Mutex<VecDeque<u8>>) {
    let mut bytes = [0; LOG_TAIL_BYTES];
    while let Ok(count @ 1..) = output.read(&mut bytes) {
        let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
        tail.extend(&bytes[..count]);
        let surplus = tail.len().saturating_sub(LOG_TAIL_BYTES);
        tail.drain(..surplus);
    }
}

fn end_of_file(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LOG_TAIL_BYTES as u64)))?;
    let mut bytes = Vec::new();
    file.take(LOG_TAIL_BYTES as u64).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Names of variables that would tell the module to be somebody else.
fn inherited_settings() -> impl Iterator<Item = OsString> {
    std::env::vars_os().map(|(name, _)| name).filter(|name| {
        let name = name.to_string_lossy();
        name.starts_with("IOTEDGE_")
            || name.starts_with("SLUICEGATE_")
            || name.starts_with("LOADGEN_")
            || name.starts_with("EdgeHub")
            || name.starts_with("EdgeModule")
            || name == "RuntimeLogLevel"
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Process {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Process::start_quietly(command, [("A", "b")]).unwrap()
    }

    fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !condition() {
            assert!(Instant::now() < deadline, "waited in vain until {what}");
            std::thread::sleep(POLL);
        }
    }

    #[test]
    fn a_program_is_found_as_it_is_started() {
        let folder = tempfile::tempdir().unwrap();
        let text = folder.path().join("text");
        std::fs::write(&text, "no program").unwrap();
        let [text, folder] = [text.as_path(), folder.path()].map(|path| path.to_str().unwrap());
        for name in ["sh", "/bin/sh"] {
            assert!(check_program(name).is_ok(), "{name}");
        }
        for name in
            ["/no/such", "no-such-program-anywhere", "", "./sh", "/etc/passwd/x", folder, text]
        {
            let checked = check_program(name);
            // Root may run nothing either that has no x.
            assert!(checked.is_err(), "{name}");
            assert!(Command::new(name).stdout(Stdio::null()).spawn().is_err(), "{name}");
        }
    }

    #[test]
    fn much_output_is_forgotten_but_for_its_end() {
        let mut process = shell("head -c 5000000 /dev/zero; echo the last words; exit 3");
        let mut status = None;
        wait_for("it has ended", || {
            status = status.or_else(|| process.ended());
            status.is_some()
        });
        assert_eq!(status.unwrap().code(), Some(3));
        wait_for("its words are read", || process.log_tail().contains("the last words"));
        assert!(process.log_tail().len() < 2 * LOG_TAIL_BYTES);
    }

    /// A child of the program that ignores SIGTERM does not outlive it, whoever ends first.
    #[test]
    fn nothing_of_its_group_is_left() {
        for parent in ["exit 0", "sleep 60"] {
            let child = "sh -c 'trap \"\" TERM; echo pid $$; while :; do sleep 1; done'";
            let mut process = shell(&format!("{child} & sleep 0.1; {parent}"));
            let mut id = None;
            wait_for("the child has told its id", || {
                let text = process.log_tail();
                let found = text.split("pid ").nth(1).and_then(|rest| rest.split('\n').next());
                id = found.and_then(|id| id.trim().parse::<u32>().ok());
                id.is_some()
            });
            if parent == "exit 0" {
                wait_for("it has ended", || process.ended().is_some());
            }
            process.terminate().unwrap();
            let folder = PathBuf::from(format!("/proc/{}", id.unwrap()));
            let is_gone = || {
                // Whoever adopted it may not have reaped it yet.
                let stat = std::fs::read_to_string(folder.join("stat")).unwrap_or_default();
                stat.is_empty() || stat.contains(") Z ")
            };
            wait_for("the child is gone", is_gone);
        }
    }
}
