//! What all of these tests share: runs one at a time, in this process or by the command line.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use loadgen_load::outcome::{Counts, Document, Finding, Outcome, Soak};
use loadgen_load::settings::{
    Arrivals, Pace, RunSettings, START_WAIT_DEFAULT, Target, TrafficSettings, WINDOW_DEFAULT,
};
use loadgen_load::{LoadError, run};
use test_support::patience;

/// The instrument, which is also the program under test.
pub(crate) const LOADGEN: &str = env!("CARGO_BIN_EXE_loadgen");
/// Fewest tries at a figure before it is given up.
const TRIES_MIN: u32 = 5;

/// Two runs at a time would measure each other.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Held by each test while it measures.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    // It guards nothing that a failed test could have spoilt.
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Tries until `hold` finds nothing to say about a result, and gives that result: at least
/// [`TRIES_MIN`] times, and on until patience ends. What must hold in every run is asserted by
/// `try_` itself.
///
/// This is no way around a wrong figure. `hold` says only that something came late; other programs
/// on the machine make things late now and then, but an instrument that tells wrong times does in
/// each try.
#[track_caller]
pub(crate) fn best_of<T>(
    mut try_: impl FnMut() -> T,
    hold: impl Fn(&T) -> Result<(), String>,
) -> T {
    let start = Instant::now();
    let mut said = Vec::new();
    while said.len() < TRIES_MIN as usize || start.elapsed() < patience() {
        let result = try_();
        match hold(&result) {
            Ok(()) => return result,
            Err(why) => said.push(why),
        }
    }
    panic!("none of {} tries: {said:#?}", said.len());
}

/// `Err` with `why` unless it holds.
pub(crate) fn ensure(holds: bool, why: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(why()) }
}

/// The sink with these flags, as a command.
pub(crate) fn sink(flags: &[&str]) -> Vec<String> {
    [LOADGEN, "sink"].iter().chain(flags).map(|&part| part.to_owned()).collect()
}

/// A run over plain TCP in which every message is an alert, so that each tells its latency.
pub(crate) fn settings(rate: f64, command: Vec<String>) -> RunSettings {
    RunSettings {
        target: Target::Hub { listen: ([127, 0, 0, 1], 0).into(), plain: true, command },
        traffic: TrafficSettings { alerts: 1.0, ..TrafficSettings::default() },
        pace: Pace::Open { rate, arrivals: Arrivals::Fixed, burst: None },
        window: WINDOW_DEFAULT,
        warm_up: Duration::from_millis(200),
        duration: Duration::from_secs(1),
        drain: Duration::from_secs(10),
        verify_properties: true,
        cut_every: None,
        start_wait: START_WAIT_DEFAULT,
    }
}

/// Runs in this process.
pub(crate) fn measure(settings: &RunSettings) -> Result<Outcome, LoadError> {
    run(settings, &mut |_| ControlFlow::Continue(()))
}

/// As [`measure`]; whatever the figures, everything must have come back as it must.
#[track_caller]
pub(crate) fn measure_clean(settings: &RunSettings) -> Outcome {
    let outcome = measure(settings).unwrap();
    assert_clean(&outcome.counts);
    outcome
}

/// Nothing failed, and all that was due was sent.
#[track_caller]
pub(crate) fn assert_clean(counts: &Counts) {
    assert!(counts.is_clean(), "{counts:?}");
    assert_eq!((counts.unsent, counts.faults), (0, 0), "{counts:?}");
    assert_eq!(counts.alerts_correct, counts.alerts_expected, "{counts:?}");
}

/// As [`assert_clean`], of a run whose connections were cut.
#[track_caller]
pub(crate) fn assert_clean_but_for_faults(counts: &Counts) {
    assert!(counts.faults > 0, "{counts:?}");
    assert_clean(&Counts { faults: 0, ..*counts });
}

/// What `loadgen run` left behind.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// What it wrote with `--json`.
    pub(crate) document: Option<Document>,
}

impl Ran {
    #[track_caller]
    pub(crate) fn exit_code(&self) -> i32 {
        self.status.code().unwrap_or_else(|| panic!("no exit code: {self:?}"))
    }

    #[track_caller]
    pub(crate) fn outcome(&self) -> &Outcome {
        match self.document.as_ref().map(|document| &document.result) {
            Some(Finding::Run(outcome)) => outcome,
            _ => panic!("no outcome: {self:?}"),
        }
    }

    #[track_caller]
    pub(crate) fn soak(&self) -> &Soak {
        match self.document.as_ref().map(|document| &document.result) {
            Some(Finding::Soak(soak)) => soak,
            _ => panic!("no soak: {self:?}"),
        }
    }
}

/// `loadgen run` with these flags and `--json`, as a user starts it.
#[track_caller]
pub(crate) fn loadgen_run(flags: &[&str], command: &[String]) -> Ran {
    loadgen("run", flags, command)
}

/// As [`loadgen_run`], another measurement.
#[track_caller]
pub(crate) fn loadgen(measurement: &str, flags: &[&str], command: &[String]) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    let json: PathBuf = folder.path().join("result.json");
    let output = Command::new(LOADGEN)
        .arg(measurement)
        .args(flags)
        .arg("--json")
        .arg(&json)
        .arg("--")
        .args(command)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let document = std::fs::read(&json).ok().map(|bytes| serde_json::from_slice(&bytes).unwrap());
    Ran {
        status: output.status,
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
        document,
    }
}
