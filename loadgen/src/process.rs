//! A program under test as a process of its own: started, watched, ended.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

/// How long a program may take to end after SIGTERM: the filter drains for up to 5 s.
const TERMINATE_WAIT: Duration = Duration::from_secs(8);
/// How often its end is looked for.
const POLL: Duration = Duration::from_millis(2);
/// End of the module's log that is shown when it fails, in bytes.
const LOG_TAIL_BYTES: u64 = 2000;

/// The running program; killed when dropped, with everything in its process group.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

/// How a program ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ended {
    /// Its exit status.
    pub(crate) status: ExitStatus,
    /// Time from SIGTERM to its end.
    pub(crate) took: Duration,
    /// It did not end by itself in [`TERMINATE_WAIT`].
    pub(crate) killed: bool,
}

impl Process {
    /// Starts `command` with these variables and no others that would tell a module who it is; its
    /// output goes into the file `log`.
    ///
    /// # Errors
    /// The program or the log file cannot be opened, or the system has no process to give.
    pub(crate) fn start(
        mut command: Command,
        environment: impl IntoIterator<Item = (impl AsRef<OsStr>, impl AsRef<OsStr>)>,
        log: PathBuf,
    ) -> io::Result<Self> {
        let output = File::create(&log)?;
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        // Settings of the caller's shell are for another module.
        for name in inherited_settings() {
            command.env_remove(name);
        }
        command.envs(environment);
        // Out of the terminal's group: Ctrl-C is for us, who then end the program in order.
        command.process_group(0);
        Ok(Self { child: command.spawn()?, log })
    }

    /// Process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its exit status, if it has ended.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Asks it to end, waits, and kills it if it does not.
    ///
    /// # Errors
    /// The system cannot tell about the process.
    pub(crate) fn terminate(&mut self) -> io::Result<Ended> {
        let start = Instant::now();
        if self.child.try_wait()?.is_none() {
            kill_process_group(Pid::from_child(&self.child), Signal::TERM)?;
        }
        while start.elapsed() < TERMINATE_WAIT {
            if let Some(status) = self.child.try_wait()? {
                return Ok(Ended { status, took: start.elapsed(), killed: false });
            }
            std::thread::sleep(POLL);
        }
        kill_process_group(Pid::from_child(&self.child), Signal::KILL)?;
        let status = self.child.wait()?;
        Ok(Ended { status, took: start.elapsed(), killed: true })
    }

    /// The last lines of its log, each indented.
    pub(crate) fn log_tail(&self) -> String {
        let read = || -> io::Result<String> {
            let mut file = File::open(&self.log)?;
            let length = file.metadata()?.len();
            file.seek(SeekFrom::Start(length.saturating_sub(LOG_TAIL_BYTES)))?;
            let mut bytes = Vec::new();
            file.take(LOG_TAIL_BYTES).read_to_end(&mut bytes)?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        let text = read().unwrap_or_else(|error| format!("(no log: {error})"));
        text.lines().map(|line| format!("\n  | {line}")).collect()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Once it was waited for, its id may be somebody else's.
        if matches!(self.child.try_wait(), Ok(None)) {
            // Both fail only when it has ended since.
            let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
            let _ = self.child.wait();
        }
    }
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
