//! Runs the counted programs, two at a time, and makes rows of what they say.
//!
//! In: programs of one architecture and a counter. Out: five rows for each stage, or why there are
//! none. Counts do not depend on the machine's load, only on what is run: the environment is
//! that of the architecture and nothing else, and the working folder is that of the programs.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::baseline::Row;
use super::count;
use crate::arch::Arch;
use crate::budgets::Unit;
use crate::child::{self, Bounds, Said};

/// Children at a time.
const CHILDREN: usize = 2;
/// Longest life of one; the slowest takes seconds.
pub(super) const CHILD_MAX: Duration = Duration::from_secs(120);

/// A stage to be counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subject {
    /// Its name.
    pub stage: &'static str,
    /// Counted is the difference between this many messages and twice as many.
    pub messages: u32,
}

/// How programs of one architecture are run and counted.
#[derive(Debug, Clone)]
pub(super) struct Counter {
    pub(super) arch: Arch,
    /// Folder of `stages` and `stages-heap`.
    pub(super) programs: PathBuf,
    /// What stands before a program to run it.
    pub(super) run: Vec<String>,
    /// What stands before a program to count it.
    pub(super) count: Vec<String>,
}

/// A stage that was not counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Uncounted {
    pub(super) stage: &'static str,
    pub(super) why: String,
}

/// A run of one program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CounterRun {
    /// Counted over this many times the messages.
    Count(u32),
    Heap,
}

const RUNS: [CounterRun; 3] = [CounterRun::Count(1), CounterRun::Count(2), CounterRun::Heap];

impl Counter {
    /// Counts every subject once. Rows are in the order of the subjects; of one that fails there
    /// are none.
    pub(super) fn measure(
        &self,
        subjects: &[Subject],
        bounds: Bounds<'_>,
    ) -> (Vec<Row>, Vec<Uncounted>) {
        let said = self.run_all(subjects, bounds);
        let (mut rows, mut failures) = (Vec::new(), Vec::new());
        for (subject, said) in subjects.iter().zip(said.chunks(RUNS.len())) {
            match self.rows(*subject, said) {
                Ok(found) => rows.extend(found),
                Err(why) => failures.push(Uncounted { stage: subject.stage, why }),
            }
        }
        (rows, failures)
    }

    /// What the runs of every subject said, in order.
    fn run_all(&self, subjects: &[Subject], bounds: Bounds<'_>) -> Vec<Result<Said, String>> {
        let runs: Vec<(Subject, CounterRun)> =
            subjects.iter().flat_map(|subject| RUNS.map(|run| (*subject, run))).collect();
        let next = AtomicUsize::new(0);
        let not_run = || Mutex::new(Err("was not run".to_owned()));
        let results: Vec<Mutex<Result<Said, String>>> = runs.iter().map(|_| not_run()).collect();
        let work = || {
            while let Some(index) = Some(next.fetch_add(1, Ordering::Relaxed))
                && let Some((subject, run)) = runs.get(index)
            {
                let said = child::run(self.command(*subject, *run), bounds);
                if let Ok(mut result) = results[index].lock() {
                    *result = said;
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..CHILDREN {
                scope.spawn(work);
            }
            work();
        });
        let unlocked = |result: Mutex<Result<Said, String>>| {
            result.into_inner().unwrap_or_else(|_| Err("its thread panicked".to_owned()))
        };
        results.into_iter().map(unlocked).collect()
    }

    fn command(&self, subject: Subject, run: CounterRun) -> Command {
        let (prefix, program, times) = match run {
            CounterRun::Count(times) => (&self.count, "./stages", times),
            CounterRun::Heap => (&self.run, "./stages-heap", 1),
        };
        let messages = subject.messages.saturating_mul(times).to_string();
        let words: Vec<&str> = prefix.iter().map(String::as_str).collect();
        let words = [&words[..], &[program, subject.stage, &messages]].concat();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).env_clear();
        command.envs(self.arch.environment().iter().copied()).current_dir(&self.programs);
        command
    }

    fn rows(&self, subject: Subject, said: &[Result<Said, String>]) -> Result<[Row; 5], String> {
        let [once, twice, heap] = said else { return Err("was not run".to_owned()) };
        let count = |said: &Result<Said, String>| -> Result<u64, String> {
            count::instructions(self.arch, &said.as_ref().map_err(Clone::clone)?.stderr)
        };
        let instructions = count::difference(count(once)?, count(twice)?, subject.messages)?;
        let heap = count::heap(&heap.as_ref().map_err(Clone::clone)?.stdout)?;
        let scaled = |count| count::per_thousand(count, subject.messages);
        Ok([
            (Unit::Instructions, instructions),
            (Unit::Allocations, scaled(heap.allocations)),
            (Unit::HeapBytes, scaled(heap.bytes)),
            (Unit::Writes, scaled(heap.writes)),
            (Unit::QueuedBytes, heap.queued_bytes),
        ]
        .map(|(unit, value)| Row {
            stage: subject.stage.to_owned(),
            unit,
            value,
            noise: 0,
        }))
    }
}

/// One row for each of several measurements' rows: the middle value, and how far they lie apart. A
/// row that is not in all of them is left out.
pub(super) fn merge(measured: &[Vec<Row>]) -> Vec<Row> {
    let Some(first) = measured.first() else { return Vec::new() };
    let merge_one = |row: &Row| {
        let of = |rows: &Vec<Row>| {
            let same = |other: &&Row| other.stage == row.stage && other.unit == row.unit;
            rows.iter().find(same).map(|row| row.value)
        };
        let mut values: Vec<u64> = measured.iter().map(of).collect::<Option<_>>()?;
        values.sort_unstable();
        let noise = values.last()? - values.first()?;
        Some(Row { value: values[values.len() / 2], noise, ..row.clone() })
    };
    first.iter().filter_map(merge_one).collect()
}

#[cfg(test)]
mod tests;
