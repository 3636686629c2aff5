//! Makes the runs: the instrument and its programs as child processes, one at a time.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use loadgen_load::capacity::RUNS_MAX;
use loadgen_load::outcome::Finding;
use tempfile::TempDir;

use super::mosquitto::Mosquitto;
use super::reading::{Attempt, Reading, read, share};
use super::scenario::{Method, Run};
use crate::instrument::{self, NoResult};
use crate::job::Job;
use crate::stop::Stop;

/// What the instrument may take beside the measured part: warm-up, start, drain, ends.
const REST_MAX: Duration = Duration::from_secs(150);
/// Measured parts of a comparison: three pairs of two passes over two programs, each made twice.
const COMPARED_MAX: u32 = 24;
/// What each run of a search may take beside its measured part.
const PROBE_REST_MAX: Duration = Duration::from_secs(15);
/// How long the instrument waits for its program.
const START_WAIT: &str = "20s";
/// How long a subscriber may take to be there.
const SUBSCRIBE_WAIT: Duration = Duration::from_secs(20);

/// Where the programs are, and where to put what is forgotten afterwards.
pub(super) struct RecordBench {
    bin_dir: PathBuf,
    folder: TempDir,
    stop: Stop,
}

/// Who takes what a broker has.
#[derive(Clone, Copy)]
enum Subscriber {
    Module,
    Sink,
}

impl RecordBench {
    /// # Errors
    /// There is no room for temporary files.
    pub(super) fn new(bin_dir: &Path, stop: Stop) -> Result<Self, String> {
        let folder = tempfile::Builder::new().prefix("perf-").tempdir();
        let folder = folder.map_err(|error| format!("no temporary folder: {error}"))?;
        Ok(Self { bin_dir: bin_dir.to_owned(), folder, stop })
    }

    /// One try of `run`, measured for so long.
    pub(super) fn measure(&self, run: Run, time: Duration) -> Attempt {
        match run.method() {
            Method::Run(flags) => {
                let mut command = self.loadgen("run", flags, time);
                command.args(["--start-wait", START_WAIT, "--"]).arg(self.program("sluicegate"));
                self.instrument(command.arg("run"), run, time + REST_MAX)
            }
            Method::Compare(flags) => {
                let mut command = self.loadgen("compare", flags, time);
                command.args(["--name", "sluicegate", "--name", "bare"]);
                command.args(["--start-wait", START_WAIT, "--"]).arg(self.program("sluicegate"));
                command.args(["run", "--"]).arg(self.program("perf")).arg("bare");
                self.instrument(&mut command, run, (time + REST_MAX) * COMPARED_MAX)
            }
            Method::Capacity(flags) => {
                let mut command = self.loadgen("capacity", flags, time);
                command.args(["--start-wait", START_WAIT, "--"]).arg(self.program("sluicegate"));
                self.instrument(command.arg("run"), run, (time + PROBE_REST_MAX) * RUNS_MAX)
            }
            Method::Broker(flags) => self.through_mosquitto(flags, run, time),
        }
    }

    fn program(&self, name: &str) -> PathBuf {
        self.bin_dir.join(name)
    }

    fn result_file(&self) -> PathBuf {
        self.folder.path().join("result.json")
    }

    fn log_file(&self, name: &str) -> PathBuf {
        self.folder.path().join(format!("{name}.log"))
    }

    fn loadgen(&self, subcommand: &str, flags: &[&str], time: Duration) -> Command {
        let mut command = Command::new(self.program("loadgen"));
        command.arg(subcommand).args(flags);
        command.args(["--for".to_owned(), format!("{}ms", time.as_millis())]);
        command.arg("--json").arg(self.result_file());
        command
    }

    fn instrument(&self, command: &mut Command, run: Run, limit: Duration) -> Attempt {
        let command = std::mem::replace(command, Command::new(""));
        match self.finding(command, limit) {
            Ok((finding, code)) => Attempt::of(&finding, run, code),
            Err((why, code)) => Attempt::without_result(code.into_iter().collect(), why),
        }
    }

    /// Runs the instrument; its result and exit code, or why there is no result.
    fn finding(&self, command: Command, limit: Duration) -> Result<(Finding, i32), NoResult> {
        let (result, log) = (self.result_file(), self.log_file("loadgen"));
        instrument::finding(command, &result, &log, limit, &self.stop)
    }

    /// The module and the sink in turns, forth and back, each behind a Mosquitto of its own.
    fn through_mosquitto(&self, flags: &[&str], run: Run, time: Duration) -> Attempt {
        use Subscriber::{Module, Sink};
        let mut all = Attempt::without_result(Vec::new(), String::new());
        let (mut module, mut sink) = (0.0, 0.0);
        for subscriber in [Sink, Module, Module, Sink] {
            match self.behind_mosquitto(subscriber, flags, time) {
                Err((why, code)) => {
                    all.exit_codes.extend(code);
                    all.reading = Err(why);
                    return all;
                }
                Ok((Finding::Run(outcome), code)) => {
                    all.exit_codes.push(code);
                    all.standings.push(outcome.verdict.standing);
                    match (read(&outcome, run), subscriber) {
                        (Ok(Reading { rate, .. }), Module) => module += rate,
                        (Ok(Reading { rate, .. }), Sink) => sink += rate,
                        (Err(why), _) => {
                            all.reading = Err(why);
                            return all;
                        }
                    }
                }
                Ok(_) => {
                    all.reading = Err("a result of another kind".to_owned());
                    return all;
                }
            }
        }
        // Each was there twice.
        all.reading = share(module / 2.0, sink / 2.0);
        all
    }

    fn behind_mosquitto(
        &self,
        subscriber: Subscriber,
        flags: &[&str],
        time: Duration,
    ) -> Result<(Finding, i32), NoResult> {
        let plain = |error: String| (error, None);
        let mut mosquitto = Mosquitto::start(self.folder.path(), &self.stop).map_err(plain)?;
        let mut command = match subscriber {
            Subscriber::Module => Command::new(self.program("sluicegate")),
            Subscriber::Sink => Command::new(self.program("loadgen")),
        };
        match subscriber {
            Subscriber::Module => command.args(["run", "--broker", &mosquitto.url()]),
            Subscriber::Sink => command.arg("sink").envs(mosquitto.sink_variables()),
        };
        // Ended before the broker: it is dropped first.
        let mut program = Job::start(command, &self.log_file("subscriber")).map_err(plain)?;
        let subscribed = mosquitto.wait_for_subscription(&mut program, SUBSCRIBE_WAIT, &self.stop);
        subscribed.map_err(plain)?;
        let mut command = self.loadgen("run", flags, time);
        command.args(["--start-wait", START_WAIT, "--broker", &mosquitto.url()]);
        let found = self.finding(command, time + REST_MAX);
        if program.ended().is_some() {
            return Err((format!("the subscriber has ended: {}", program.tail()), None));
        }
        found
    }
}
