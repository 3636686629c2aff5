//! One row as it runs: what it may ask for, and what it has found.

use std::panic::resume_unwind;
use std::time::Duration;

use fastrand::Rng;
use loadgen_load::outcome::Counts;
use test_support::{Process, kernel};

use crate::fault::Must;

/// Lines of a log that are shown where one is missing.
const WARNINGS_SHOWN: usize = 20;

/// How much is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// The whole suite in two minutes.
    Short,
    /// As often and as long as the promise says.
    Long,
}

/// What a row has found.
#[derive(Debug, Clone, Default)]
pub(crate) struct Found {
    pub(crate) injections: u64,
    pub(crate) sent: u64,
    pub(crate) alerts: u64,
    pub(crate) lost: u64,
    pub(crate) duplicates: u64,
    pub(crate) worst_recovery: Option<Duration>,
    pub(crate) memory_bytes: u64,
}

/// One row as it runs.
pub(crate) struct Trial {
    pub(crate) form: Form,
    /// Of this row alone: it does not hang on which others run.
    pub(crate) random: Rng,
    pub(crate) must: Must,
    pub(crate) found: Found,
    log: Vec<String>,
}

impl Trial {
    pub(crate) fn new(form: Form, random: Rng, must: Must) -> Self {
        Self { form, random, must, found: Found::default(), log: Vec::new() }
    }

    /// The first in the short form, the second in the long one.
    pub(crate) fn either<T>(&self, short: T, long: T) -> T {
        if self.form == Form::Short { short } else { long }
    }

    /// A random time below `most`.
    pub(crate) fn moment(&mut self, most: Duration) -> Duration {
        most.mul_f64(self.random.f64())
    }

    /// Notes an injection, and how long behind its end all was back.
    #[track_caller]
    pub(crate) fn recovered(&mut self, recovery: Duration) {
        self.found.injections += 1;
        self.found.worst_recovery = self.found.worst_recovery.max(Some(recovery));
        let most = self.must.recover_within;
        assert!(recovery <= most, "all was back only after {recovery:?}, not within {most:?}");
    }

    /// Does several things at once, each with a trial of its own, and gathers what they found.
    pub(crate) fn at_once<T: Sync>(&mut self, cases: &[T], run: impl Fn(&T, &mut Trial) + Sync) {
        let mut trials: Vec<Trial> =
            cases.iter().map(|_| Trial::new(self.form, self.random.fork(), self.must)).collect();
        let run = &run;
        std::thread::scope(|scope| {
            let cases = cases.iter().zip(&mut trials);
            let threads: Vec<_> =
                cases.map(|(case, trial)| scope.spawn(move || run(case, trial))).collect();
            let outcomes: Vec<_> = threads.into_iter().map(|thread| thread.join()).collect();
            // What the first one says is what the row says.
            outcomes
                .into_iter()
                .for_each(|outcome| outcome.unwrap_or_else(|panic| resume_unwind(panic)));
        });
        for trial in trials {
            let found = trial.found;
            self.found.injections += found.injections;
            self.found.sent += found.sent;
            self.found.alerts += found.alerts;
            self.found.lost += found.lost;
            self.found.duplicates += found.duplicates;
            self.found.worst_recovery = self.found.worst_recovery.max(found.worst_recovery);
            self.found.memory_bytes = self.found.memory_bytes.max(found.memory_bytes);
            self.log.extend(trial.log);
        }
    }

    /// Notes the memory and the log of a module: to be called before it ends, or is ended.
    pub(crate) fn observe(&mut self, module: &Process) {
        if module.is_running() {
            self.observe_memory(module.id());
        }
        self.log.extend(module.lines());
    }

    /// Notes the memory of a process.
    pub(crate) fn observe_memory(&mut self, id: u32) {
        let own = kernel::resident_peak(id).saturating_sub(kernel::resident_of_files(id));
        self.found.memory_bytes = self.found.memory_bytes.max(own);
    }

    /// Closes the books.
    #[track_caller]
    pub(crate) fn close(&mut self, counts: &Counts) {
        self.found.sent += counts.sent;
        self.found.alerts += counts.alerts_expected;
        self.found.lost += counts.missing;
        self.found.duplicates += counts.duplicated_after_fault;
        assert!(counts.is_clean(), "{counts:?}");
        assert!(counts.alerts_expected > 0, "{counts:?}");
        assert_eq!(counts.alerts_correct, counts.alerts_expected, "{counts:?}");
    }

    /// What must hold of all of it.
    #[track_caller]
    pub(crate) fn check(&self) {
        if let Some(most) = self.must.memory_bytes {
            let memory = self.found.memory_bytes;
            assert!(memory > 0, "the row has observed no module");
            assert!(memory <= most, "{memory} bytes were resident, not {most} at most");
        }
        for text in self.must.log {
            let is_there = self.log.iter().any(|line| line.contains(text));
            let warnings = || -> Vec<_> {
                let has_level =
                    |line: &&String| ["[WRN]", "[ERR]"].iter().any(|l| line.contains(l));
                self.log.iter().filter(has_level).take(WARNINGS_SHOWN).collect()
            };
            assert!(is_there, "no line of the log has {text:?}: {:#?}", warnings());
        }
    }
}
