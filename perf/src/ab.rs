//! `perf ab`: a commit and the work tree, compared by the CPU time of the pipeline.
//!
//! ```text
//! commits --> base (builds both) --> pairs (A B, B A) of measure (a run) --> paired --> judge
//! ```
//!
//! For what counted instructions cannot see: system calls, caches, contention. First A against
//! itself, which tells whether this machine can give an answer now; then A against B, in sets of
//! pairs until the answer is sure. Wall time, and single runs, decide nothing. [`mod@pairs`],
//! [`paired`] and [`judge`] are pure. One run goes at a time; runs, repetitions and sets are
//! bounded, and every program that was started is ended, by its id, whatever happens.

use std::io::{self, Write};
use std::path::Path;

mod args;
mod base;
mod commits;
pub mod judge;
mod measure;
pub mod pairs;
mod report;

pub use args::AbArgs;
use base::Workshop;
use commits::States;
use judge::PairsVerdict;
use measure::PairsBench;
use paired::{FLIPS, Summary};
use pairs::{Pair, Side, pairs, ratios};
use report::Report;

use crate::failure::Failure;
use crate::stop::Stop;

/// Compares, and prints what was found; the exit code.
///
/// # Errors
/// There is no answer, because something could not be built, measured or written.
pub fn run(args: &AbArgs) -> Result<u8, Failure> {
    let stop = Stop::on_signals().map_err(Failure::internal)?;
    let here = std::env::current_dir().map_err(Failure::internal)?;
    // The one that runs us, when one does.
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    compare(args, &commits::root(&here)?, Path::new(&cargo), &stop, &mut io::stdout())
}

fn compare(
    args: &AbArgs,
    root: &Path,
    cargo: &Path,
    stop: &Stop,
    out: &mut impl Write,
) -> Result<u8, Failure> {
    let states = commits::states(root, args.base.as_deref())?;
    let workshop = Workshop::open(root, cargo.to_owned(), stop.clone())?;
    let folder = tempfile::Builder::new().prefix("run-").tempdir_in(workshop.folder());
    let folder = folder.map_err(Failure::internal)?;
    let (mut bench, identical) = prepare(args, &workshop, &states, folder.path(), stop)?;
    say(out, &report::heading(&states, identical, args));
    let mut report = Report::new(states, identical, args);
    let verdict = decide(args, &mut bench, &mut report, out)?;
    say(out, &report::verdict(verdict, &report));
    report.verdict = Some(verdict);
    if let Some(file) = &args.json {
        let text = serde_json::to_string_pretty(&report).map_err(Failure::internal)?;
        std::fs::write(file, text + "\n")
            .map_err(|error| Failure::internal(format!("{}: {error}", file.display())))?;
    }
    Ok(verdict.exit_code())
}

/// Builds the programs, and puts them where nobody changes them while they run, on paths of one
/// length: that is a part of what a program finds on its stack. Whether both are the same.
fn prepare(
    args: &AbArgs,
    workshop: &Workshop,
    states: &States,
    folder: &Path,
    stop: &Stop,
) -> Result<(PairsBench, bool), Failure> {
    eprintln!("building {} and the work tree", report::short(&states.base));
    let built = [
        (workshop.build_commit(&states.base)?, "a"),
        (workshop.build_work_tree("sluicegate")?, "b"),
        (workshop.build_work_tree("loadgen")?, "loadgen"),
    ];
    let mut kept = Vec::with_capacity(built.len());
    for (program, name) in built {
        let place = folder.join(name);
        std::fs::copy(&program, &place).map_err(Failure::internal)?;
        kept.push(place);
    }
    let [a, b, loadgen] = kept.try_into().map_err(|_| Failure::internal("three programs"))?;
    let identical = workshop.are_alike(&a, &b);
    Ok((PairsBench::new(loadgen, [a, b], args.time, folder, stop.clone()), identical))
}

/// Measures until there is a verdict.
fn decide(
    args: &AbArgs,
    bench: &mut PairsBench,
    report: &mut Report,
    out: &mut impl Write,
) -> Result<PairsVerdict, Failure> {
    let itself = pairs(args.pairs, &mut |_| bench.measure(Side::A))?;
    let summary = summary(&itself, args.seed)?;
    say(out, &report::look("A against A", &summary, &itself));
    report.a_against_a = Some(report::Look { summary, pairs: itself });
    if judge::noise(&summary).is_some() {
        return Ok(PairsVerdict::TooNoisy);
    }
    let mut all: Vec<Pair> = Vec::new();
    let mut looks = Vec::new();
    loop {
        let set = pairs(args.pairs, &mut |side| bench.measure(side))?;
        all.extend(&set);
        let summary = self::summary(&all, args.seed)?;
        say(out, &report::look("A against B", &summary, &all));
        report.a_against_b.push(report::Look { summary, pairs: set });
        looks.push(summary);
        if let Some(verdict) = judge::verdict(&looks) {
            return Ok(verdict);
        }
    }
}

fn summary(pairs: &[Pair], seed: u64) -> Result<Summary, Failure> {
    Summary::of(&ratios(pairs), FLIPS, seed).ok_or_else(|| Failure::no_answer("no ratios"))
}

/// Who reads no further still gets the exit code.
fn say(out: &mut impl Write, text: &str) {
    let _ = writeln!(out, "{text}");
    let _ = out.flush();
}

#[cfg(test)]
mod tests;
