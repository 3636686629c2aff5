//! `cargo perf gate`: counts what repeats exactly, and fails when it grew.
//!
//! ```text
//! tools --> build --> count (children, two at a time) --> rows --> judge <-- baseline, budgets
//!                                                                    |
//!                                                      table, advice, exit code; or --bless
//! ```
//!
//! In: the programs of package `stages` and the stripped module. Out: a table for each
//! architecture, and an exit code. Bounded: every child has its time, its output and its end. All
//! that is judged is judged in [`judge`], which is pure.

use std::io::{self, Write};
use std::path::PathBuf;

mod args;
pub mod baseline;
mod count;
mod facts;
pub mod judge;
mod measure;
mod places;
mod prepare;
mod session;
mod table;
mod tools;

pub use args::GateArgs;
use args::is_asked;
pub use measure::Subject;
use places::Places;
use session::Session;

use crate::arch::Arch;
use crate::budgets::{PROGRAM, counted_limit};
use crate::failure::Failure;
use crate::stop::Stop;

/// Counts, compares and prints; the exit code.
///
/// # Errors
/// Nothing could be compared.
pub fn run(args: &GateArgs) -> Result<u8, Failure> {
    let root = PathBuf::from(".");
    if !root.join("perf/stages/Cargo.toml").is_file() {
        return Err(Failure::usage("run this in the root folder of the workspace".to_owned()));
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or("target".into(), PathBuf::from);
    let stop = Stop::on_signals().map_err(Failure::internal)?;
    let archs = archs(args, std::env::consts::ARCH)?;
    let tools = tools::find(&archs, &std::env::var_os("PATH").unwrap_or_default())
        .map_err(Failure::unavailable)?;
    let places = Places { root, target };
    let subjects = select(&args.only)?;
    let mut out = io::stdout();
    let mut codes = Vec::new();
    for arch in archs {
        let counter = prepare::counter(arch, &tools, &places, args.no_build, &stop)?;
        let facts = facts::gather(arch, &counter, &tools[arch.counter()]);
        let program = tools[arch.strip()].clone();
        let session = Session {
            args,
            places: &places,
            subjects: &subjects,
            counter,
            facts,
            budget: &counted_limit,
        };
        let size = || prepare::stripped_size(arch, &program, &places, &stop);
        let is_stopped = || stop.is_asked();
        codes.push(session.run(&size, &is_stopped, &mut out)?);
        let _ = out.flush();
    }
    Ok(judge::worst(&codes))
}

/// Runs every stage over a few messages in this process; each verifies its own answers.
///
/// # Errors
/// The first stage whose answer is wrong.
pub fn smoke() -> Result<(), String> {
    const MESSAGES: u32 = 10;
    for stage in stages::STAGES {
        let mut runner = (stage.prepare)();
        for _ in 0..2 {
            runner(MESSAGES).map_err(|why| format!("{}: {why}", stage.name))?;
        }
    }
    Ok(())
}

/// What is asked for, as far as this host can count it.
fn archs(args: &GateArgs, host: &str) -> Result<Vec<Arch>, Failure> {
    let asked = if args.arch.is_empty() { &Arch::ALL[..] } else { &args.arch };
    let mut archs: Vec<Arch> = Vec::new();
    for arch in asked {
        if arch.counts_on(host) {
            if !archs.contains(arch) {
                archs.push(*arch);
            }
            continue;
        }
        let why = format!("{} is counted on its own kind alone, and this is {host}", arch.name());
        if !args.arch.is_empty() {
            return Err(Failure::unavailable(why));
        }
        eprintln!("perf gate: {why}: left out");
    }
    Ok(archs)
}

/// The stages with these names, in their order; all of them when none is named.
fn select(names: &[String]) -> Result<Vec<Subject>, Failure> {
    let all =
        stages::STAGES.iter().map(|stage| Subject { stage: stage.name, messages: stage.messages });
    let all: Vec<Subject> = all.collect();
    let is_known = |name: &str| name == PROGRAM || all.iter().any(|known| known.stage == name);
    if let Some(unknown) = names.iter().find(|name| !is_known(name)) {
        let known: Vec<&str> = all.iter().map(|subject| subject.stage).collect();
        return Err(Failure::usage(format!(
            "no stage '{unknown}'; stages: {} {PROGRAM}",
            known.join(" ")
        )));
    }
    let is_asked = |subject: &Subject| is_asked(names, subject.stage);
    Ok(all.into_iter().filter(is_asked).collect())
}

#[cfg(test)]
mod tests;
