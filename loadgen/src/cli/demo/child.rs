//! The filter module as a process of its own: started, watched, ended.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, set_parent_process_death_signal};

use crate::cli::output::note;

/// How long the module may take to end after SIGTERM: it drains for up to 5 s.
const TERMINATE_WAIT: Duration = Duration::from_secs(8);
/// How often its end is looked for.
const POLL: Duration = Duration::from_millis(2);
/// End of the module's log that is shown when it fails, in bytes.
const LOG_TAIL_BYTES: u64 = 2000;

/// The running module; killed when dropped.
#[derive(Debug)]
pub(super) struct ModuleProcess {
    child: Child,
    log: PathBuf,
}

/// How the module ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ended {
    /// Its exit status.
    pub(super) status: ExitStatus,
    /// Time from SIGTERM to its end.
    pub(super) took: Duration,
    /// It did not end by itself in [`TERMINATE_WAIT`].
    pub(super) killed: bool,
}

impl ModuleProcess {
    /// Starts this very program as the module, its log in `folder`.
    ///
    /// # Errors
    /// The program or the log file cannot be opened, or the system has no process to give.
    pub(super) fn start(
        folder: &Path,
        environment: Vec<(String, String)>,
        port: u16,
    ) -> io::Result<Self> {
        let log = folder.join("module.log");
        let output = File::create(&log)?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["module", "run"]).stdin(Stdio::null());
        command.stdout(output.try_clone()?).stderr(output);
        // Settings of the caller's shell are for another module.
        for name in inherited_settings() {
            command.env_remove(name);
        }
        command.envs(environment).env("SLUICEGATE_GATEWAY_PORT", port.to_string());
        // Out of the terminal's group: Ctrl-C is for the demo, which then ends the module in order.
        command.process_group(0);
        Ok(Self { child: command.spawn()?, log })
    }

    /// Process id.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its exit status, if it has ended.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Asks it to end, waits, and kills it if it does not.
    ///
    /// # Errors
    /// The system cannot tell about the process.
    pub(super) fn terminate(&mut self) -> io::Result<Ended> {
        let start = Instant::now();
        if self.child.try_wait()?.is_none() {
            kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        }
        while start.elapsed() < TERMINATE_WAIT {
            if let Some(status) = self.child.try_wait()? {
                return Ok(Ended { status, took: start.elapsed(), killed: false });
            }
            std::thread::sleep(POLL);
        }
        self.child.kill()?;
        let status = self.child.wait()?;
        Ok(Ended { status, took: start.elapsed(), killed: true })
    }

    /// The last lines of its log, each indented.
    pub(super) fn log_tail(&self) -> String {
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

impl Drop for ModuleProcess {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Names of variables that would tell the module to be somebody else.
fn inherited_settings() -> impl Iterator<Item = OsString> {
    std::env::vars_os().map(|(name, _)| name).filter(|name| {
        let name = name.to_string_lossy();
        name.starts_with("IOTEDGE_")
            || name.starts_with("SLUICEGATE_")
            || name.starts_with("EdgeHub")
            || name.starts_with("EdgeModule")
            || name == "RuntimeLogLevel"
    })
}

/// Is the module: runs the filter's own command line in this process.
pub(crate) fn be_module(args: Vec<OsString>) -> ExitCode {
    // A demo that is killed takes its module with it.
    if let Err(error) = set_parent_process_death_signal(Some(Signal::TERM)) {
        note(format_args!("the module would outlive its demo: {error}"));
    }
    sluicegate::cli::main_from(std::iter::once(OsString::from("sluicegate")).chain(args))
}
