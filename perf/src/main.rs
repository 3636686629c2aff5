//! `perf`: the yardsticks and the record.
#![forbid(unsafe_code)]

use std::error::Error;
use std::process::ExitCode;
use std::time::Instant;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use mimalloc::MiMalloc;
use perf::ab::{self, AbArgs};
use perf::bare::{self, BareSettings};
use perf::budgets;
use perf::failure::Failure;
use perf::gate::{self, GateArgs};
use perf::record::{self, RecordArgs};
use perf::trend::{self, TrendArgs};
use perf::verify::{self, VerifyArgs};
use sluicegate::pipeline::threshold::Threshold;
use stages::core::{Core, Tally, alerts_prefix, traffic};

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

const CORE_MESSAGES: u32 = 100_000;
const CORE_ROUNDS: usize = 15;
/// What one read of the module brings at most.
const CORE_PIECE_BYTES: usize = 64 * 1024;
/// Wrong arguments or settings (`EX_USAGE` of sysexits.h).
const EXIT_USAGE: u8 = 64;

/// Performance measurements of sluicegate.
#[derive(Debug, Parser)]
#[command(name = "perf")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the time a message takes to decode, judge, acknowledge and encode, without sockets
    Core,
    /// Be the bare loop, as the program of 'loadgen run --plain -- perf bare'
    Bare,
    /// Measure every figure that is promised, append it to perf/record, and print the table
    Record(RecordArgs),
    /// Count instructions, allocations, writes and sizes; fail when they grew
    Gate(GateArgs),
    /// Print the table of budgets
    Budgets(BudgetArgs),
    /// Compare the work tree with a commit by the CPU time of the pipeline, in interleaved pairs
    Ab(AbArgs),
    /// Draw the history of every recorded figure as one HTML page
    Trend(TrendArgs),
    /// Verify that programs were built from this tree
    Verify(VerifyArgs),
}

/// What to do with the table.
#[derive(Debug, Args)]
struct BudgetArgs {
    /// Write it into docs/budgets.md, in place of the one there
    #[arg(long)]
    write: bool,
}

fn main() -> ExitCode {
    let version = build_info_macro::version!().trim_end();
    let matches = Arguments::command().version(version).try_get_matches();
    let arguments = match matches.and_then(|matches| Arguments::from_arg_matches(&matches)) {
        Ok(arguments) => arguments,
        Err(refused) => {
            // Help is not an error; printing fails only where nobody reads.
            let _ = refused.print();
            return if refused.use_stderr() { EXIT_USAGE.into() } else { ExitCode::SUCCESS };
        }
    };
    let result = match arguments.command {
        Command::Core => core(),
        Command::Bare => bare(),
        Command::Gate(args) => return exit_code("gate", gate::run(&args)),
        Command::Budgets(args) => budgets(&args),
        Command::Record(args) => return exit_code("record", record::run(&args)),
        Command::Ab(args) => return exit_code("ab", ab::run(&args)),
        Command::Verify(args) => return exit_code("verify", verify::run(&args)),
        Command::Trend(args) => return exit_code("trend", trend::run(&args)),
    };
    match result {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("perf: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// The exit code of a command, which has said everything else, unless it failed.
fn exit_code(command: &str, ended: Result<u8, Failure>) -> ExitCode {
    match ended {
        Ok(code) => code.into(),
        Err(failure) => {
            eprintln!("perf {command}: {failure}");
            failure.code.into()
        }
    }
}

fn budgets(args: &BudgetArgs) -> Result<ExitCode, Box<dyn Error>> {
    let table = budgets::markdown();
    if args.write {
        let text = std::fs::read_to_string(budgets::PAGE)?;
        let text = budgets::replace(&text, &table).ok_or("the page has no place for budgets")?;
        std::fs::write(budgets::PAGE, text)?;
    } else {
        print!("{table}");
    }
    Ok(ExitCode::SUCCESS)
}

fn bare() -> Result<ExitCode, Box<dyn Error>> {
    match BareSettings::read(|name| std::env::var(name).ok()) {
        Ok(settings) => bare::run(&settings)?,
        Err(problem) => {
            eprintln!("perf bare: {problem}");
            return Ok(EXIT_USAGE.into());
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn core() -> Result<ExitCode, Box<dyn Error>> {
    let stream = traffic(CORE_MESSAGES, 10);
    let alerts = u64::from(CORE_MESSAGES.div_ceil(10));
    let expected = Tally { messages: u64::from(CORE_MESSAGES), alerts };
    let mut output = Vec::with_capacity(stream.len());
    let mut nanoseconds = Vec::with_capacity(CORE_ROUNDS);
    for _ in 0..CORE_ROUNDS {
        let mut core = Core::new(Threshold::DEFAULT, alerts_prefix());
        output.clear();
        let mut at = 0;
        let start = Instant::now();
        while at < stream.len() {
            let end = stream.len().min(at + CORE_PIECE_BYTES);
            at += core.run(&stream[at..end], &mut output)?;
        }
        let elapsed = start.elapsed();
        let tally = core.tally();
        if tally != expected {
            return Err(format!("wrong result: {tally:?}, expected {expected:?}").into());
        }
        nanoseconds.push(elapsed.as_nanos() / u128::from(CORE_MESSAGES));
    }
    nanoseconds.sort_unstable();
    let (least, median, most) =
        (nanoseconds[0], nanoseconds[CORE_ROUNDS / 2], nanoseconds[CORE_ROUNDS - 1]);
    println!(
        "bare core, QoS 1, 10 % alerts: {median} ns a message \
         (median of {CORE_ROUNDS}; {least} to {most})"
    );
    Ok(ExitCode::SUCCESS)
}
