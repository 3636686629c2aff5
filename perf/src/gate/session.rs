//! One architecture from its counters to its exit code.

use std::io::Write;
use std::time::Instant;

use super::args::{GateArgs, is_asked};
use super::baseline::{self, Baseline, Entry, Facts, Row};
use super::judge::{self, Expected, Judged};
use super::measure::{self, CHILD_MAX, Counter, Subject, Uncounted};
use super::places::Places;
use super::{facts, table};
use crate::arch::Arch;
use crate::budgets::{PROGRAM, Unit};
use crate::child::Bounds;
use crate::failure::Failure;

/// Measurements behind one blessing: their spread is the noise.
const BLESS_TIMES: usize = 3;

/// What is to be counted, how, and what for.
pub(super) struct Session<'a> {
    pub(super) args: &'a GateArgs,
    pub(super) places: &'a Places,
    pub(super) subjects: &'a [Subject],
    pub(super) counter: Counter,
    pub(super) facts: Facts,
    /// Of a row, in counted values.
    pub(super) budget: &'a dyn Fn(Arch, &str, Unit) -> Option<u64>,
}

/// What was counted.
struct Found {
    rows: Vec<Row>,
    failures: Vec<Uncounted>,
    seconds: f64,
}

const OTHER_TOOLS: &str = "Other tools count differently: first of all count with the baseline's, \
    or bless an unchanged tree with these.";

/// The size of the stripped program.
type Size<'a> = &'a dyn Fn() -> Result<u64, String>;

impl Session<'_> {
    /// Counts, and compares or blesses; the exit code.
    ///
    /// # Errors
    /// The baseline cannot be read or written, or we were asked to stop.
    pub(super) fn run(
        &self,
        size: Size<'_>,
        is_stopped: &(dyn Fn() -> bool + Sync),
        out: &mut impl Write,
    ) -> Result<u8, Failure> {
        let folder = self.places.baselines();
        let old = Baseline::read(&folder, self.counter.arch).map_err(Failure::no_answer)?;
        let history = baseline::read_history(&folder).map_err(Failure::no_answer)?;
        let start = Instant::now();
        let bounds = Bounds { time: CHILD_MAX, is_stopped };
        let times = if self.args.bless.is_some() { BLESS_TIMES } else { 1 };
        let (rows, failures) = self.measure(times, size, bounds);
        if is_stopped() {
            return Err(Failure::internal("stopped: nothing was compared".to_owned()));
        }
        let found = Found { rows, failures, seconds: start.elapsed().as_secs_f64() };
        let new = match &self.args.bless {
            Some(reason) if found.failures.is_empty() => {
                self.bless(&old, found.rows.clone(), reason)?
            }
            _ => old.clone(),
        };
        let (text, code) = self.tell(&old, &new, &history, &found);
        // Who reads no further still gets the exit code.
        let _ = out.write_all(text.as_bytes());
        Ok(code)
    }

    /// Every row asked for, several times over, and what failed.
    fn measure(
        &self,
        times: usize,
        size: Size<'_>,
        bounds: Bounds<'_>,
    ) -> (Vec<Row>, Vec<Uncounted>) {
        let mut measured = Vec::new();
        for _ in 0..times {
            let (mut rows, mut failures) = self.counter.measure(self.subjects, bounds);
            if is_asked(&self.args.only, PROGRAM) {
                match size() {
                    Ok(value) => rows.push(Row {
                        stage: PROGRAM.to_owned(),
                        unit: Unit::BinaryBytes,
                        value,
                        noise: 0,
                    }),
                    Err(why) => failures.push(Uncounted { stage: PROGRAM, why }),
                }
            }
            measured.push(rows);
            if !failures.is_empty() {
                return (measure::merge(&measured), failures);
            }
        }
        (measure::merge(&measured), Vec::new())
    }

    fn bless(&self, old: &Baseline, rows: Vec<Row>, reason: &str) -> Result<Baseline, Failure> {
        let folder = self.places.baselines();
        let is_other = !old.rows.is_empty() && !self.facts.differences(&old.facts).is_empty();
        if is_other && !self.args.only.is_empty() {
            let text = "counted with other tools than the rest of the baseline: bless all of it, \
                without --only";
            return Err(Failure::usage(text.to_owned()));
        }
        let order: Vec<&str> =
            stages::STAGES.iter().map(|stage| stage.name).chain([PROGRAM]).collect();
        let asked = |stage: &str| is_asked(&self.args.only, stage);
        let new = old.blessed(rows, self.facts.clone(), &order, asked);
        let (time, commit) = facts::stamp();
        let entry = |row: &Row| Entry {
            time: time.clone(),
            commit: commit.clone(),
            arch: self.counter.arch,
            stage: row.stage.clone(),
            unit: row.unit,
            value: row.value,
            noise: row.noise,
            reason: reason.to_owned(),
        };
        let entries: Vec<Entry> = new.changed_since(old).map(entry).collect();
        new.write(&folder, self.counter.arch).map_err(Failure::internal)?;
        baseline::append_history(&folder, &entries).map_err(Failure::internal)?;
        Ok(new)
    }

    /// Everything there is to say, and the exit code. A blessing shows the change against what was
    /// there, and judges by what is there now: over its budget a row fails all the same.
    fn tell(
        &self,
        old: &Baseline,
        new: &Baseline,
        history: &[Entry],
        found: &Found,
    ) -> (String, u8) {
        let name = self.counter.arch.name();
        let shown = self.judge(old, history, found);
        let judged = self.judge(new, history, found);
        let code = judge::exit_code(&judged, found.failures.len());
        let is_first = old.rows.is_empty();
        let notices = if is_first { Vec::new() } else { self.facts.differences(&old.facts) };
        let Facts { rustc, counter, libc, .. } = &self.facts;
        let mut lines =
            vec![String::new(), format!("{name}: rustc {rustc}, {counter}, libc {libc}")];
        for notice in &notices {
            lines.push(format!("NOTICE: not counted as the baseline was. {notice}"));
        }
        lines.push(table::table(&shown));
        for failure in &found.failures {
            lines.push(format!("{}: could not be counted: {}", failure.stage, failure.why));
        }
        lines.extend(table::advice(&judged));
        if code != 0 && !notices.is_empty() {
            lines.push(OTHER_TOOLS.to_owned());
        }
        if self.args.bless.is_some() {
            let done = if found.failures.is_empty() { "blessed" } else { "NOT blessed" };
            lines.push(format!("{done}: perf/baseline/{name}.csv"));
        }
        lines.push(format!("{name}: {} in {:.1} s", table::summary(&judged), found.seconds));
        (lines.join("\n") + "\n", code)
    }

    fn judge(&self, baseline: &Baseline, history: &[Entry], found: &Found) -> Vec<Judged> {
        // A stage that failed has its own line; its rows are not gone.
        let has_failed = |stage: &str| found.failures.iter().any(|failed| failed.stage == stage);
        let arch = self.counter.arch;
        Expected { arch, baseline, history, budget: self.budget }
            .judge(&found.rows, |stage| is_asked(&self.args.only, stage) && !has_failed(stage))
    }
}
