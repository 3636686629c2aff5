//! A Mosquitto for one run: it holds nothing back, drops nothing and forgets everything.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::job::Job;
use crate::stop::Stop;

/// Attempts to find a port that nobody takes before Mosquitto does.
const START_ATTEMPTS: usize = 10;
const START_WAIT: Duration = Duration::from_secs(10);
/// Where messages are published and alerts go, as `loadgen run --broker` has it by default.
const SUBSCRIBE: &str = "sensors/#";
const PUBLISH: &str = "alerts/{topic}";

/// A running broker; it ends when dropped.
pub(super) struct Mosquitto {
    job: Job,
    port: u16,
}

impl Mosquitto {
    /// Starts one on a free port of loopback, its files in `folder`.
    ///
    /// # Errors
    /// It is not installed, or does not run.
    pub(super) fn start(folder: &Path, stop: &Stop) -> Result<Self, String> {
        let (file, log) = (folder.join("mosquitto.conf"), folder.join("mosquitto.log"));
        let mut said = String::new();
        for _ in 0..START_ATTEMPTS {
            let internal = |error| format!("mosquitto: {error}");
            let port = free_port().map_err(internal)?;
            fs::write(&file, config(port)).map_err(internal)?;
            let mut command = Command::new(installed());
            command.arg("-c").arg(&file);
            let mut job = Job::start(command, &log)?;
            match job.wait_for("running", START_WAIT, stop) {
                Ok(()) => return Ok(Self { job, port }),
                Err(why) if stop.is_asked() => return Err(why),
                Err(why) => said = why,
            }
        }
        Err(said)
    }

    pub(super) fn url(&self) -> String {
        format!("mqtt://127.0.0.1:{}", self.port)
    }

    /// Waits until `program` has subscribed to the sensors.
    ///
    /// # Errors
    /// It ends instead, or takes longer than `limit`, or all is stopped.
    pub(super) fn wait_for_subscription(
        &mut self,
        program: &mut Job,
        limit: Duration,
        stop: &Stop,
    ) -> Result<(), String> {
        let deadline = Instant::now() + limit;
        let subscribed = format!(" {SUBSCRIBE}");
        while Instant::now() < deadline && !stop.is_asked() && program.ended().is_none() {
            if self.job.says(&subscribed) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Err(format!("the subscriber has not subscribed: {}", program.tail()))
    }

    /// What `loadgen sink` is told.
    pub(super) fn sink_variables(&self) -> [(&'static str, String); 4] {
        [
            ("LOADGEN_HOST", "127.0.0.1".to_owned()),
            ("LOADGEN_PORT", self.port.to_string()),
            ("LOADGEN_SUBSCRIBE", SUBSCRIBE.to_owned()),
            ("LOADGEN_PUBLISH", PUBLISH.to_owned()),
        ]
    }
}

/// Its defaults hold messages back (20) and drop them (1,000), and let each small answer wait.
fn config(port: u16) -> String {
    let log: String = ["error", "warning", "notice", "information", "subscribe"]
        .map(|kind| format!("log_type {kind}\n"))
        .concat();
    format!(
        "persistence false\nallow_anonymous true\nlog_dest stderr\n{log}\
         max_inflight_messages 0\nmax_queued_messages 0\nset_tcp_nodelay true\n\
         listener {port} 127.0.0.1\n"
    )
}

/// Debian installs daemons where only root's path looks.
fn installed() -> PathBuf {
    let folders = ["/usr/sbin", "/usr/local/sbin"].iter();
    let mut candidates = folders.map(|folder| Path::new(folder).join("mosquitto"));
    candidates.find(|path| path.exists()).unwrap_or_else(|| "mosquitto".into())
}

fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
