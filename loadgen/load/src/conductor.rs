//! What the calling thread does in a soak: makes faults and patches when they are due, and looks
//! once a second at what the program holds.
//!
//! The plan enters, orders to the engine and signals to the program leave. A fault waits until the
//! one before it is recovered from. Bounded: the plan, and a sample a second of [`SECONDS_MAX`].

use std::collections::VecDeque;
use std::io;
use std::process::Command;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::board::Numbers;
use super::cost::sample;
use super::fault::{FaultKind, Order};
use super::outcome::Sample;
use super::plan::{self, Planned};
use super::recorder::SECONDS_MAX;
use super::settings::{Disturbances, RunSettings};
use crate::process::Process;

/// Orders under way: the engine takes them each millisecond, and one fault comes at a time.
const ORDERS_MAX: usize = 64;

/// How the program under test is started, and started again.
#[derive(Debug, Clone)]
pub(super) struct Launcher {
    program: String,
    arguments: Vec<String>,
    environment: Vec<(&'static str, String)>,
}

impl Launcher {
    pub(super) fn new(
        program: &str,
        arguments: &[String],
        environment: Vec<(&'static str, String)>,
    ) -> Self {
        Self { program: program.to_owned(), arguments: arguments.to_vec(), environment }
    }

    /// Adds a variable.
    pub(super) fn with(mut self, variable: Option<(&'static str, String)>) -> Self {
        self.environment.extend(variable);
        self
    }

    pub(super) fn start(&self) -> io::Result<Process> {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments);
        Process::start_quietly(command, self.environment.iter().map(|(name, value)| (name, value)))
    }
}

/// The calling thread's part of a soak.
#[derive(Debug)]
pub(super) struct Conductor {
    launcher: Launcher,
    orders: Sender<Order>,
    faults: VecDeque<Planned>,
    /// Nothing is killed from here on, so that one process is compared with itself.
    last_kill: Duration,
    patch_every: Option<Duration>,
    next_patch: Duration,
    /// When the program that was stopped goes on.
    stopped_until: Option<Duration>,
    begin: Duration,
    end: Duration,
    made: u64,
    next_sample: Duration,
    samples: Vec<Sample>,
}

impl Conductor {
    /// For a run of these settings, with the engine's end of the orders.
    pub(super) fn new(
        settings: &RunSettings,
        asked: &Disturbances,
        launcher: Launcher,
    ) -> (Self, Receiver<Order>) {
        let (orders, receiver) = bounded(ORDERS_MAX);
        let faults = plan::faults(asked, settings.duration, settings.traffic.seed);
        let conductor = Self {
            launcher,
            orders,
            faults: faults.into(),
            last_kill: plan::last_kill(settings.duration),
            patch_every: asked.patch_every,
            next_patch: asked.patch_every.unwrap_or(Duration::MAX),
            stopped_until: None,
            begin: settings.warm_up,
            end: settings.warm_up + settings.duration,
            made: 0,
            next_sample: Duration::ZERO,
            samples: Vec::new(),
        };
        (conductor, receiver)
    }

    /// Faults made.
    pub(super) fn made(&self) -> u64 {
        self.made
    }

    /// What was seen.
    pub(super) fn into_samples(self) -> Vec<Sample> {
        self.samples
    }

    /// Goes on; `true` when the program is a new process.
    ///
    /// # Errors
    /// The program cannot be started again, or the system refuses a signal.
    pub(super) fn turn(&mut self, numbers: Numbers, process: &mut Process) -> io::Result<bool> {
        let elapsed = Duration::from_nanos(numbers.elapsed_ns);
        if elapsed >= self.next_sample && elapsed > Duration::ZERO {
            self.sample(elapsed, process.id());
        }
        if self.stopped_until.is_some_and(|until| elapsed >= until) {
            self.resume(process)?;
        }
        let Some(now) = elapsed.checked_sub(self.begin).filter(|_| elapsed < self.end) else {
            return Ok(false);
        };
        if let Some(every) = self.patch_every.filter(|_| now >= self.next_patch) {
            self.next_patch = (self.next_patch + every).max(now);
            self.order(Order::Patch);
        }
        let is_due = self.faults.front().is_some_and(|fault| now >= fault.at);
        if !is_due || numbers.recovered < self.made {
            return Ok(false);
        }
        match self.faults.pop_front() {
            Some(Planned { kind: FaultKind::Kill, .. }) if now > self.last_kill => Ok(false),
            Some(fault) => self.make(fault, elapsed, process),
            None => Ok(false),
        }
    }

    /// Lets a stopped program go on: it is to be ended, or its time is over.
    ///
    /// # Errors
    /// It has ended.
    pub(super) fn resume(&mut self, process: &Process) -> io::Result<()> {
        if self.stopped_until.take().is_some() {
            process.resume()?;
            self.order(Order::Over);
        }
        Ok(())
    }

    fn make(
        &mut self,
        fault: Planned,
        elapsed: Duration,
        process: &mut Process,
    ) -> io::Result<bool> {
        self.made += 1;
        match fault.kind {
            FaultKind::Stop => {
                self.order(Order::Begun(fault.kind));
                process.stop()?;
                self.stopped_until = Some(elapsed + fault.length);
            }
            FaultKind::Kill => {
                self.order(Order::Begun(fault.kind));
                process.kill()?;
                *process = self.launcher.start()?;
                self.order(Order::Over);
                return Ok(true);
            }
            kind => self.order(Order::Fault(kind, fault.length)),
        }
        Ok(false)
    }

    /// The channel holds all orders of a second; where the engine has ended, nobody needs them.
    fn order(&self, order: Order) {
        let _ = self.orders.try_send(order);
    }

    fn sample(&mut self, elapsed: Duration, id: u32) {
        self.next_sample = (self.next_sample + Duration::from_secs(1)).max(elapsed);
        if self.samples.len() < SECONDS_MAX {
            self.samples.push(sample(id, elapsed.as_secs_f64() - self.begin.as_secs_f64()));
        }
    }
}
