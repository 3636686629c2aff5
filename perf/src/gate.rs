//! `cargo perf gate`: counts what repeats exactly, and fails when it grew.
//!
//! ```text
//! tools --> build --> count (children, two at a time) --> rows --> judge <-- perf/baseline, budgets
//!                                                                    |
//!                                                      table, advice, exit code; or --bless
//! ```
//!
//! In: the programs of package `stages` and the stripped module. Out: a table for each architecture,
//! and an exit code. Bounded: every child has its time, its output and its end. All that is judged is
//! judged in [`judge`], which is pure.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;

pub mod arch;
pub mod baseline;
mod count;
mod facts;
pub mod judge;
mod measure;
mod prepare;
mod session;
mod table;
mod tools;

use arch::Arch;
pub use measure::Subject;
use session::Session;

use crate::budgets::counted_limit;
use crate::failure::Failure;
use crate::stop::Stop;

/// What the rows of the whole program are filed under.
pub const PROGRAM: &str = "sluicegate";
/// Measurements behind one blessing: their spread is the noise.
const BLESS_TIMES: usize = 3;
/// Least characters that can be a reason.
const REASON_MIN: usize = 8;
const AFTER_HELP: &str = "Instructions are those of a run over twice a stage's messages less those of \
    a run over them once. A row fails past 0.5 % or, if that is more, three times the largest noise \
    that any blessing found in it, and past 3 % in any case.\n\n\
    Exit codes: 0 nothing became worse; 1 a row is past its threshold or its budget; 2 a stage could \
    not be counted or compared; 64 wrong usage; 69 a tool is missing, or a \
    program is not of this tree; 70 stopped or an internal error";

/// What to count.
#[derive(Debug, Clone, Default, Args)]
#[command(after_help = AFTER_HELP)]
pub struct GateArgs {
    /// This architecture only; may be repeated [default: both]
    #[arg(long, value_name = "ARCH", value_enum)]
    arch: Vec<Arch>,
    /// These stages only, separated by commas; 'sluicegate' is the program's size
    #[arg(long, value_name = "STAGE,...", value_delimiter = ',')]
    only: Vec<String>,
    /// Count three times, and make that the new baseline, for this reason
    #[arg(long, value_name = "REASON", value_parser = parse_reason)]
    bless: Option<String>,
    /// Count the programs that are there
    #[arg(long)]
    no_build: bool,
}

/// Something could not be counted, or compared.
fn uncounted(text: impl ToString) -> Failure {
    Failure { code: 2, text: text.to_string() }
}

/// Where things are.
#[derive(Debug, Clone)]
struct Places {
    /// Root of the workspace.
    root: PathBuf,
    /// Cargo's folder for what it builds.
    target: PathBuf,
}

impl Places {
    fn baselines(&self) -> PathBuf {
        self.root.join("perf/baseline")
    }

    /// Folder for what the gate itself makes.
    fn own(&self) -> PathBuf {
        self.root.join(&self.target).join("gate")
    }
}

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

fn is_asked(names: &[String], stage: &str) -> bool {
    names.is_empty() || names.iter().any(|name| name == stage)
}

fn parse_reason(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.chars().count() < REASON_MIN {
        return Err("say in a few words why the cost is meant".to_owned());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests;
