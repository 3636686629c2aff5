//! One run from the first message built to the verdict.
//!
//! The engine has a thread of its own; the calling thread starts, watches and ends the program
//! under test, samples what it uses, and shows progress.

use std::ops::ControlFlow;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};
use rustix::process::Signal;

use super::board::Board;
use super::broker::{Broker, Login};
use super::conductor::{Conductor, Launcher};
use super::cost::Usage;
use super::engine::{Disturbance, Engine, Found, Report, nanoseconds};
use super::error::LoadError;
use super::feeder::Feeder;
use super::gateway::Gateway;
use super::others::{Reading, own_cpu_s};
use super::outcome::{Cost, Others, Outcome, Rates, Sample};
use super::progress::{Phase, Progress};
use super::schedule::Schedule;
use super::settings::{Disturbances, Pace, RunSettings, Target};
use super::side::Side;
use super::traffic::{Topics, Traffic};
use super::verdict::{Evidence, judge};
use crate::process::{Ended, Process};

/// How often progress is told.
const WATCH_PERIOD: Duration = Duration::from_millis(100);
/// Phases of a run: the channel for them never fills.
const PHASES: usize = 8;
/// The part of a token's life after which the module renews it.
const TOKEN_PART: f64 = 0.8;

/// Runs once. `watch` is told how it goes, about ten times a second, and may end it early: then the
/// result is that of the part until then.
///
/// # Errors
/// What is asked is impossible, the program under test did not start, subscribe or stay, or the
/// broker cannot be reached. Anything else is part of the result.
pub fn run(
    settings: &RunSettings,
    watch: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
) -> Result<Outcome, LoadError> {
    Ok(disturbed(settings, None, watch)?.outcome)
}

/// What came of a run that may have been disturbed.
pub(super) struct Disturbed {
    pub(super) outcome: Outcome,
    pub(super) measured_s: f64,
    pub(super) found: Found,
    pub(super) samples: Vec<Sample>,
    pub(super) thresholds: Option<[f64; 2]>,
    /// How the program under test ended by itself.
    pub(super) ended: Option<String>,
}

/// As [`run`], with these disturbances of a program that is started here.
///
/// # Errors
/// As [`run`]. A program that is disturbed and ends by itself while it is measured is a result.
pub(super) fn disturbed(
    settings: &RunSettings,
    asked: Option<&Disturbances>,
    watch: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
) -> Result<Disturbed, LoadError> {
    let patched = asked.is_some_and(|asked| asked.patch_every.is_some());
    let mut stage = Prepared::build(settings, patched)?;
    let thresholds = stage.ceiling.map(|ceiling| [settings.traffic.threshold, ceiling]);
    let board = Arc::new(Board::default());
    let (phases_tx, phases) = bounded(PHASES);
    let started = Instant::now();
    let (program, side) = stage.open(settings, asked)?;
    let is_ours = program.is_some();
    let (process, launcher) = program.unzip();
    let (conductor, orders) = asked
        .zip(launcher)
        .map(|(asked, launcher)| Conductor::new(settings, asked, launcher))
        .unzip();
    let disturbance = orders.map(|orders| Disturbance::new(orders, thresholds));
    let board_of_engine = Arc::clone(&board);
    let engine = Engine::new(settings, side, stage.feeder, board_of_engine, phases_tx, disturbance);
    let thread = std::thread::Builder::new()
        .name("engine".to_owned())
        .spawn(move || engine.run())
        .map_err(internal)?;
    let total = settings.warm_up + settings.duration;
    let watcher = Watcher { board, phases, process, total, conductor };
    let (mut report, seen) = watcher.run(thread, watch)?;
    let startup = is_ours.then(|| report.ready.duration_since(started));
    let found = std::mem::take(&mut report.found);
    let measured = report.meter.measured_ns.clone();
    let measured_s = Duration::from_nanos(measured.end - measured.start).as_secs_f64();
    let outcome = outcome(settings, report, &seen, startup);
    let (samples, ended) = (seen.samples, seen.ended);
    Ok(Disturbed { outcome, measured_s, found, samples, thresholds, ended })
}

/// What is ready before anything is started.
struct Prepared {
    feeder: Feeder,
    gateway: Option<Gateway>,
    /// A second threshold, where the first is to be changed.
    ceiling: Option<f64>,
}

impl Prepared {
    fn build(settings: &RunSettings, patched: bool) -> Result<Self, LoadError> {
        let setting = |error: &dyn std::fmt::Display| LoadError::Setting(error.to_string());
        let gateway = match &settings.target {
            Target::Hub { listen, plain, .. } => {
                Some(Gateway::open(*listen, *plain, settings.traffic.threshold)?)
            }
            Target::Broker { .. } => None,
        };
        let topics = match (&gateway, &settings.target) {
            (_, Target::Broker { topic, .. }) => Topics::Broker { topic },
            (Some(gateway), _) => Topics::Hub(gateway.identity()),
            (None, Target::Hub { .. }) => {
                return Err(LoadError::Internal("a hub without a gateway".to_owned()));
            }
        };
        let mut traffic =
            Traffic::build(&settings.traffic, topics).map_err(|error| setting(&error))?;
        let ceiling =
            patched.then(|| traffic.split_alerts()).transpose().map_err(|error| setting(&error))?;
        let schedule = match settings.pace {
            Pace::Open { rate, arrivals, burst } => Some(
                Schedule::new(rate, arrivals, burst, settings.traffic.seed)
                    .map_err(|error| setting(&error))?,
            ),
            Pace::Closed => None,
        };
        let end_ns = nanoseconds(settings.warm_up + settings.duration);
        Ok(Self { feeder: Feeder::new(traffic, schedule, end_ns), gateway, ceiling })
    }

    /// Starts the program under test, or gets ready for the broker.
    fn open(
        &mut self,
        settings: &RunSettings,
        asked: Option<&Disturbances>,
    ) -> Result<(Option<(Process, Launcher)>, Side), LoadError> {
        match &settings.target {
            Target::Hub { command, .. } => {
                let gateway = self
                    .gateway
                    .take()
                    .ok_or_else(|| LoadError::Internal("the gateway is gone".to_owned()))?;
                let [program, arguments @ ..] = command.as_slice() else {
                    return Err(LoadError::Setting(
                        "no program under test: write it behind --".to_owned(),
                    ));
                };
                let launcher = Launcher::new(program, arguments, gateway.environment())
                    .with(asked.and_then(token_lifetime));
                let process = launcher.start().map_err(|error| {
                    LoadError::Unavailable(format!("cannot start {program}: {error}"))
                })?;
                Ok((Some((process, launcher)), Side::Hub(Box::new(gateway))))
            }
            Target::Broker { url, ca_file, password, connections, topic, alerts_topic } => {
                let login = Login { url: url.clone(), password: password.clone() };
                let topics = (topic.as_str(), alerts_topic.as_str());
                let broker = Broker::new(login, ca_file.as_deref(), topics, settings.traffic.qos)?;
                Ok((None, Side::Broker { broker: Box::new(broker), connections: *connections }))
            }
        }
    }
}

/// The variable by which the program is told how long its tokens live.
fn token_lifetime(asked: &Disturbances) -> Option<(&'static str, String)> {
    let ms = (asked.renew_every?.as_secs_f64() / TOKEN_PART * 1e3).round();
    Some(("SLUICEGATE_TOKEN_LIFETIME", format!("{ms}ms")))
}

/// The calling thread's part.
struct Watcher {
    board: Arc<Board>,
    phases: Receiver<Phase>,
    process: Option<Process>,
    total: Duration,
    /// Where the run is disturbed.
    conductor: Option<Conductor>,
}

/// What the program under test and the machine had used when the measured part began or ended.
#[derive(Debug, Clone, Copy)]
struct Mark {
    /// `None` when the program runs elsewhere.
    usage: Option<Usage>,
    machine: Option<Reading>,
    at: Instant,
    sent: u64,
}

/// What the calling thread saw of the program under test.
#[derive(Debug, Default)]
struct Seen {
    cost: Option<Cost>,
    others: Option<Others>,
    /// How it ended, when not as it should.
    odd_end: Option<String>,
    /// How it ended by itself, in a run that is disturbed.
    ended: Option<String>,
    samples: Vec<Sample>,
}

impl Mark {
    /// What the program under test used since an earlier one.
    fn cost(&self, begin: &Self) -> Option<Cost> {
        let wall_s = self.at.duration_since(begin.at).as_secs_f64();
        Some(self.usage?.since(&begin.usage?, wall_s, self.sent - begin.sent))
    }
}

impl Watcher {
    fn run(
        mut self,
        thread: JoinHandle<Result<Report, LoadError>>,
        watch: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
    ) -> Result<(Report, Seen), LoadError> {
        let mut phase = Phase::Starting;
        let (mut begin, mut end) = (None, None);
        let mut last = (Instant::now(), 0);
        let mut seen = Seen::default();
        let mut gone: Option<ExitStatus> = None;
        loop {
            match self.phases.recv_timeout(WATCH_PERIOD) {
                Ok(entered) => {
                    phase = entered;
                    match phase {
                        Phase::Measuring => begin = Some(self.mark()),
                        Phase::Draining => end = Some(self.mark()),
                        Phase::Ending => seen.odd_end = self.end_process(gone)?,
                        _ => {}
                    }
                    continue;
                }
                // The engine is done.
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {}
            }
            // Once it was told to end it may be gone long before a busy machine lets the engine see
            // that.
            if phase != Phase::Ending
                && let Some(status) = self.process.as_mut().and_then(Process::ended)
            {
                gone.get_or_insert(status);
                self.board.abandon();
                self.board.stop();
            }
            if gone.is_none() && self.conduct(phase)? && begin.is_some() {
                // What the new process uses counts from here on.
                begin = Some(self.mark());
            }
            if watch(&self.progress(phase, &mut last)).is_break() {
                self.board.stop();
            }
        }
        let report = thread
            .join()
            .map_err(|_| LoadError::Internal("the engine's thread panicked".to_owned()))?;
        let tail = || self.process.as_ref().map(Process::log_tail).unwrap_or_default();
        if let Some(status) = gone {
            let text = format!("the program under test ended: {status}{}", tail());
            if self.conductor.is_none() || begin.is_none() {
                return Err(LoadError::Unavailable(text));
            }
            seen.ended = Some(text);
        }
        let report = report.map_err(|error| match error {
            LoadError::Unavailable(text) => LoadError::Unavailable(format!("{text}{}", tail())),
            other => other,
        })?;
        if let Some((begin, end)) = begin.zip(end) {
            seen.cost = end.cost(&begin);
            seen.others = end.machine.zip(begin.machine).and_then(|(end, begin)| end.since(&begin));
        }
        seen.samples = self.conductor.map(Conductor::into_samples).unwrap_or_default();
        Ok((report, seen))
    }

    /// Disturbs the program, if that is asked; `true` when it is a new process.
    fn conduct(&mut self, phase: Phase) -> Result<bool, LoadError> {
        let (Some(conductor), Some(process)) = (&mut self.conductor, &mut self.process) else {
            return Ok(false);
        };
        if phase == Phase::Ending {
            return Ok(false);
        }
        conductor.turn(self.board.read(), process).map_err(internal)
    }

    /// Ends the program under test, which the engine serves meanwhile, and says what was odd about
    /// that.
    fn end_process(&mut self, gone: Option<ExitStatus>) -> Result<Option<String>, LoadError> {
        let Some(process) = self.process.as_mut().filter(|_| gone.is_none()) else {
            return Ok(None);
        };
        if let Some(conductor) = &mut self.conductor {
            conductor.resume(process).map_err(internal)?;
        }
        let ended = process.terminate();
        self.board.abandon();
        let ended = ended.map_err(internal)?;
        let by_signal = ended.status.signal() == Some(Signal::TERM.as_raw());
        Ok(match ended {
            Ended { killed: true, took, .. } => {
                let seconds = took.as_secs_f64();
                Some(format!(
                    "the program under test had to be killed, {seconds:.0} s after SIGTERM"
                ))
            }
            Ended { status, .. } if !status.success() && !by_signal => {
                Some(format!("on SIGTERM the program under test ended with {status}"))
            }
            _ => None,
        })
    }

    fn mark(&self) -> Mark {
        // Counted first: reading /proc takes a while.
        let (sent, at) = (self.board.read().sent, Instant::now());
        let usage = self.process.as_ref().map(|process| Usage::of(process.id()));
        let machine = Reading::now(own_cpu_s() + usage.map_or(0.0, |usage| usage.cpu_s()));
        Mark { usage, machine, at, sent }
    }

    fn progress(&self, phase: Phase, last: &mut (Instant, u64)) -> Progress {
        let numbers = self.board.read();
        let now = Instant::now();
        let (since, before) = std::mem::replace(last, (now, numbers.sent));
        #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
        let (sent, p99_ns) = ((numbers.sent - before) as f64, numbers.p99_ns as f64);
        Progress {
            phase,
            elapsed: Duration::from_nanos(numbers.elapsed_ns),
            total: self.total,
            sent: numbers.sent,
            rate: sent / now.duration_since(since).as_secs_f64().max(1e-9),
            alerts: numbers.alerts,
            p99_us: (numbers.p99_ns > 0).then_some(p99_ns / 1e3),
            failures: numbers.failures,
            faults: self.conductor.as_ref().map_or(0, Conductor::made),
        }
    }
}

/// Makes the result of what was found.
fn outcome(
    settings: &RunSettings,
    report: Report,
    seen: &Seen,
    startup: Option<Duration>,
) -> Outcome {
    #[expect(clippy::cast_precision_loss, reason = "all are far below 2^53")]
    let number = |count: u64| count as f64;
    let meter = report.meter;
    let measured_ns = number(meter.measured_ns.end - meter.measured_ns.start).max(1.0);
    let per_second = |count: u64| number(count) * 1e9 / measured_ns;
    let asked = match settings.pace {
        Pace::Open { rate, .. } => Some(rate),
        Pace::Closed => None,
    };
    let rates = Rates {
        asked,
        achieved: per_second(meter.sent),
        alerts: per_second(meter.alerts),
        sent_bytes: per_second(meter.sent_bytes),
    };
    let held_back_share = number(meter.held_back_ns) / measured_ns;
    // What was due, which chance makes more or less than was asked. At the end of a run that was
    // held back, nothing but its own messages is unsent.
    let due = asked.map(|_| per_second(meter.due + report.counts.unsent));
    let (latency, lag, series) = meter.recorder.finish();
    let own_cpu_share = number(meter.own_cpu_ns) / measured_ns;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut verdict = judge(Evidence {
        counts: &report.counts,
        own_cpu_share,
        program_cores: seen.cost.map(|cost| cost.cpu_share * number(cores as u64)),
        rate: due.map(|due| (due, rates.achieved)),
        latency: latency.as_ref(),
        lag: lag.as_ref(),
        held_back_share,
        others: seen.others,
    });
    if report.ended_early {
        verdict.reasons.push("ended early".to_owned());
    }
    verdict.reasons.extend(seen.odd_end.clone());
    Outcome {
        settings: settings.clone(),
        traffic: report.feeder.traffic().facts(),
        counts: report.counts,
        rates,
        latency,
        lag,
        series,
        cost: seen.cost,
        startup_ms: startup.map(|time| time.as_secs_f64() * 1e3),
        own_cpu_share,
        held_back_share,
        others: seen.others,
        verdict,
    }
}

fn internal(error: std::io::Error) -> LoadError {
    LoadError::Internal(error.to_string())
}
