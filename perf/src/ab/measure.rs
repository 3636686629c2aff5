//! Makes the runs, one at a time: the instrument as a child process, which starts the module.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use loadgen_load::outcome::{Finding, Outcome, Standing};

use super::pairs::{PairReading, Side};
use crate::failure::Failure;
use crate::instrument;
use crate::stop::Stop;

/// Most tries of one run.
const TRIES_MAX: u32 = 3;
/// Most failed tries of one measurement: past it something is wrong that no repetition mends.
const FAILED_MAX: u32 = 20;
/// Enough that the module has its buffers and its threads.
const WARM_UP: Duration = Duration::from_millis(50);
/// How long the instrument waits for its program.
const START_WAIT: &str = "20s";
/// What a run may take beside its measured part: warm-up, start, drain, ends.
const REST_MAX: Duration = Duration::from_secs(150);
/// Closed loop over plain TCP, QoS 1. With more in flight runs differ more, at a fixed rate much
/// more: perf/notes.md.
const FLAGS: [&str; 6] = ["run", "--plain", "--rate", "max", "--window", "2000"];

/// The two programs and what measures them.
pub(super) struct PairsBench {
    pub(super) loadgen: PathBuf,
    pub(super) a: PathBuf,
    pub(super) b: PathBuf,
    /// Of the measured part.
    pub(super) time: Duration,
    /// For what is forgotten afterwards.
    pub(super) folder: PathBuf,
    pub(super) stop: Stop,
    failed: u32,
}

impl PairsBench {
    pub(super) fn new(
        loadgen: PathBuf,
        [a, b]: [PathBuf; 2],
        time: Duration,
        folder: &Path,
        stop: Stop,
    ) -> Self {
        Self { loadgen, a, b, time, folder: folder.to_owned(), stop, failed: 0 }
    }

    /// What one run of a program finds, repeated when it finds nothing.
    ///
    /// # Errors
    /// Stopped (70), or no figure (2) after so many tries.
    pub(super) fn measure(&mut self, side: Side) -> Result<PairReading, Failure> {
        let mut tries = 0;
        loop {
            let found = self.try_once(side);
            if self.stop.is_asked() {
                return Err(Failure::internal("stopped: no answer"));
            }
            tries += 1;
            match found {
                Ok(reading) => return Ok(reading),
                Err(why) => {
                    self.failed += 1;
                    eprintln!("no figure of {side:?}: {why}");
                    if tries == TRIES_MAX || self.failed == FAILED_MAX {
                        let text = format!("no figure of {side:?} in {tries} tries: {why}");
                        return Err(Failure::no_answer(text));
                    }
                }
            }
        }
    }

    fn try_once(&self, side: Side) -> Result<PairReading, String> {
        let (result, log) = (self.folder.join("result.json"), self.folder.join("loadgen.log"));
        let milliseconds = |time: Duration| format!("{}ms", time.as_millis());
        let mut command = Command::new(&self.loadgen);
        command.args(FLAGS).args(["--for", &milliseconds(self.time)]);
        command.args(["--warm-up", &milliseconds(WARM_UP), "--start-wait", START_WAIT, "--json"]);
        command.arg(&result).arg("--");
        command.arg(if side == Side::A { &self.a } else { &self.b }).arg("run");
        let limit = self.time + REST_MAX;
        let finding = instrument::finding(command, &result, &log, limit, &self.stop);
        match finding {
            Ok((Finding::Run(outcome), _)) => read(&outcome),
            Ok(_) => Err("a result of another kind".to_owned()),
            Err((why, _)) => Err(why),
        }
    }
}

/// The figures of a run that can be believed.
fn read(outcome: &Outcome) -> Result<PairReading, String> {
    if outcome.verdict.standing != Standing::Passed {
        return Err(outcome.verdict.reasons.join("; "));
    }
    let cpu_ns = outcome.cost.map_or(0.0, |cost| cost.cpu_ns_per_message);
    if cpu_ns.is_finite() && cpu_ns > 0.0 {
        Ok(PairReading { cpu_ns, rate: outcome.rates.achieved })
    } else {
        Err("no CPU time".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example;

    #[test]
    fn only_a_run_that_passed_counts() {
        for standing in [Standing::Failed, Standing::Invalid, Standing::Saturated] {
            let found = read(&example::outcome(standing, None, 2e6));
            assert_eq!(found, Err("a reason".to_owned()), "{standing:?}");
        }
        let mut passed = example::outcome(Standing::Passed, None, 2e6);
        assert_eq!(read(&passed), Ok(PairReading { cpu_ns: 250.0, rate: 2e6 }));
        passed.cost = None;
        assert!(read(&passed).is_err());
    }
}
