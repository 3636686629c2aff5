//! The demo while it runs: reads what comes back, follows the plan, prints a line a second.
//!
//! One thread, the process's first. It waits on the upstream queue with a deadline, so that every
//! step happens within [`TURN`] of its time.

use std::fmt::Display;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use hdrhistogram::Histogram;

use super::plan::{self, Plan, Step};
use super::report::{HEAD, Line, ModuleEnd, Outcome, Silence};
use super::silence::SilenceWatch;
use super::stage::{Change, Stage};
use crate::cli::CommandError;
use crate::cli::output::print;
use loadgen_hub::UpstreamMessage;
use loadgen_load::process::Process;

/// Longest wait before the plan and the signals are looked at again.
const TURN: Duration = Duration::from_millis(5);
/// Messages taken from the upstream queue in one turn.
const TURN_MESSAGES_MAX: usize = 1024;
/// How long the module may take to report a change of its threshold.
const CHANGE_WAIT: Duration = Duration::from_secs(5);
/// How long the last messages may take at the end.
const SETTLE_WAIT: Duration = Duration::from_secs(5);
/// Latencies are kept from 1 µs to 60 s with three digits.
const LATENCY_US_MAX: u64 = 60_000_000;

/// A running demo.
pub(super) struct Show {
    plan: Plan,
    stage: Stage,
    module: Process,
    stop: Receiver<()>,
    queue: Receiver<UpstreamMessage>,
    started: Instant,
    round_started: Instant,
    next_step: Step,
    change: Option<Change>,
    changes: (u64, u64),
    watch: SilenceWatch,
    latency: Latency,
    line_due: Instant,
    line_alerts: u64,
    line_at: Instant,
    reader_gone: bool,
}

/// Latencies in µs: of the whole run and since the last line.
struct Latency {
    total: Histogram<u64>,
    line: Histogram<u64>,
}

impl Latency {
    fn new() -> Self {
        let empty = Histogram::new_with_bounds(1, LATENCY_US_MAX, 3)
            .expect("1 to LATENCY_US_MAX with three digits is a legal range");
        Self { total: empty.clone(), line: empty }
    }

    fn record(&mut self, latency: Duration) {
        let us = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.total.saturating_record(us);
        self.line.saturating_record(us);
    }
}

impl Show {
    /// A show on this stage; `stop` gets a value when the user has seen enough.
    pub(super) fn new(plan: Plan, stage: Stage, module: Process, stop: Receiver<()>) -> Self {
        let now = Instant::now();
        Self {
            queue: stage.hub().upstream(),
            line_due: now + plan.line_interval(),
            plan,
            stage,
            module,
            stop,
            started: now,
            round_started: now,
            next_step: Step::Raise,
            change: None,
            changes: (0, 0),
            watch: SilenceWatch::default(),
            latency: Latency::new(),
            line_alerts: 0,
            line_at: now,
            reader_gone: false,
        }
    }

    /// Runs to the end and gives what is to be judged.
    ///
    /// # Errors
    /// The module or the hub ended on its own; nothing is left behind even then.
    pub(super) fn run(mut self) -> Result<Outcome, CommandError> {
        self.say(HEAD)?;
        let mut interrupted = false;
        loop {
            self.read_turn();
            let now = Instant::now();
            self.look_at_change(now)?;
            if now >= self.line_due {
                self.print_line(now)?;
            }
            if let Some(status) = self.module.ended() {
                let tail = self.module.log_tail();
                let text = format!("the module ended in the middle of the demo: {status}{tail}");
                return Err(CommandError::refused(text));
            }
            if self.reader_gone || self.stop.try_recv().is_ok() {
                self.say("  -- stopping")?;
                interrupted = true;
                break;
            }
            if now.duration_since(self.round_started) >= self.next_step.due(self.plan.round)
                && self.take_step(now)?
            {
                break;
            }
        }
        self.finish(interrupted)
    }

    /// Reads what has come back, waiting at most [`TURN`] for the first.
    fn read_turn(&mut self) {
        let mut next = self.queue.recv_timeout(TURN);
        for _ in 0..TURN_MESSAGES_MAX {
            match next {
                Ok(message) => self.receive(&message),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return,
            }
            next = self.queue.try_recv().map_err(|_| RecvTimeoutError::Timeout);
        }
    }

    fn receive(&mut self, message: &UpstreamMessage) {
        if let Some(published_at) = self.stage.arrive(message) {
            let latency = message.received_at.saturating_duration_since(published_at);
            self.latency.record(latency);
            self.watch.alert(published_at, message.received_at);
        }
    }

    fn look_at_change(&mut self, now: Instant) -> Result<(), CommandError> {
        let Some(change) = self.change else { return Ok(()) };
        if self.stage.confirm(change) {
            self.changes.1 += 1;
            self.change = None;
            self.watch.confirm(change.ordered_at, now);
        } else if now.duration_since(change.ordered_at) > CHANGE_WAIT {
            self.change = None;
            let text = "  -- the module did not report the threshold in";
            self.say(format_args!("{text} {CHANGE_WAIT:?}"))?;
        }
        Ok(())
    }

    /// Does the step that is due; `true` when the show is over.
    fn take_step(&mut self, now: Instant) -> Result<bool, CommandError> {
        let hottest = self.stage.hottest().unwrap_or(plan::THRESHOLD_START);
        match self.next_step {
            Step::Raise => {
                let threshold = plan::raised(hottest);
                self.say(format_args!(
                    "  -- twin: threshold {threshold:.0} °C, above the hottest sensor: \
                     alerts stop until the sensors get there"
                ))?;
                let ordered_at = self.order(threshold)?;
                self.watch.rise(ordered_at);
            }
            Step::Relieve if !self.watch.is_over() => {
                let threshold = plan::relieved(hottest);
                self.say(format_args!(
                    "  -- twin: threshold {threshold:.0} °C, below the hottest sensor: \
                     alerts come back"
                ))?;
                self.order(threshold)?;
            }
            Step::Relieve => {}
            Step::End if self.plan.endless => {
                self.say(format_args!(
                    "  -- next round: sensors cold, threshold {:.0} °C",
                    plan::THRESHOLD_START
                ))?;
                self.stage.reset_sensors();
                self.order(plan::THRESHOLD_START)?;
                self.round_started = now;
            }
            Step::End => return Ok(true),
        }
        self.next_step = self.next_step.next();
        Ok(false)
    }

    fn order(&mut self, threshold: f64) -> Result<Instant, CommandError> {
        let change = self.stage.order_threshold(threshold)?;
        self.changes.0 += 1;
        self.change = Some(change);
        Ok(change.ordered_at)
    }

    fn print_line(&mut self, now: Instant) -> Result<(), CommandError> {
        let alerts = self.stage.ledger(|ledger| ledger.tally().alerts);
        let seconds = now.duration_since(self.line_at).as_secs_f64().max(f64::EPSILON);
        let line = &self.latency.line;
        let latency_us =
            (!line.is_empty()).then(|| (line.value_at_quantile(0.5), line.value_at_quantile(0.99)));
        let line = Line {
            elapsed: now.duration_since(self.started),
            received: self.acknowledged(),
            alerts,
            alerts_per_s: (alerts - self.line_alerts) as f64 / seconds,
            threshold: self.stage.threshold(),
            hottest: self.stage.hottest(),
            latency_us,
        };
        self.say(line)?;
        self.latency.line.reset();
        (self.line_alerts, self.line_at) = (alerts, now);
        self.line_due = now + self.plan.line_interval();
        Ok(())
    }

    /// Prints a line. When nobody reads any more the show stops in order.
    fn say(&mut self, text: impl Display) -> Result<(), CommandError> {
        match print(text) {
            Err(error) if error == CommandError::silent() => {
                self.reader_gone = true;
                Ok(())
            }
            printed => printed,
        }
    }

    /// Messages that the module acknowledged.
    fn acknowledged(&self) -> u64 {
        self.stage.hub().counters().inputs_acked
    }

    /// Upstream first: no new messages, what is on its way arrives, then the module ends.
    fn finish(mut self, interrupted: bool) -> Result<Outcome, CommandError> {
        self.stage.stop_sensors();
        let deadline = Instant::now() + SETTLE_WAIT;
        while Instant::now() < deadline && !(self.stage.is_settled() && self.change.is_none()) {
            self.read_turn();
            self.look_at_change(Instant::now())?;
        }
        let now = Instant::now();
        self.print_line(now)?;
        let elapsed = now.duration_since(self.started);
        let received = self.acknowledged();
        let module_end = end_module(&mut self.module);
        // What the module sent last, were it a message too many.
        while let Ok(message) = self.queue.try_recv() {
            self.receive(&message);
        }
        let total = &self.latency.total;
        let latency_us = (!total.is_empty())
            .then(|| (total.value_at_quantile(0.5), total.value_at_quantile(0.99), total.max()));
        let silence = match self.watch.verdict(self.plan.silence_min()) {
            Silence::Missed if interrupted => Silence::NotShown,
            verdict => verdict,
        };
        Ok(Outcome {
            elapsed,
            sensors: self.plan.sensors,
            tally: self.stage.ledger(|ledger| ledger.final_tally()),
            unpublished: self.stage.unpublished(),
            received,
            changes: self.changes,
            silence,
            latency_us,
            module_end,
        })
    }
}

fn end_module(module: &mut Process) -> ModuleEnd {
    match module.terminate() {
        Ok(ended) => {
            let clean = ended.status.success() && !ended.killed;
            let how = if ended.killed { "killed, it did not end by itself" } else { "by SIGTERM" };
            let mut text = format!("{how}, {} after {} ms", ended.status, ended.took.as_millis());
            if !clean {
                text.push_str(&module.log_tail());
            }
            ModuleEnd { clean, text }
        }
        Err(error) => ModuleEnd { clean: false, text: error.to_string() },
    }
}
