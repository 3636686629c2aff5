//! `perf record`: every figure that is promised, measured and written down.
//!
//! ```text
//! scenario (table) --> measure (child processes, rounds interleaved) --JSON--> reading --> row
//!                                                                       line, table <-------'
//! ```
//!
//! In: the release programs. Out: one line of JSON for each scenario, appended to
//! `perf/record/{arch}.jsonl`, and a table. All that is judged is judged in [`scenario`],
//! [`reading`] and [`row`], which are pure. One run goes at a time; each is bounded in time, and
//! every program that was started is ended, by its id, whatever happens.

use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

mod facts;
mod measure;
mod mosquitto;
pub mod reading;
pub mod row;
pub mod scenario;

pub(crate) use facts::commit;
use measure::RecordBench;
use reading::Attempt;
use row::{RecordRow, number};
use scenario::{Run, Scenario};

use crate::cargo;
use crate::failure::Failure;
use crate::job;
use crate::provenance::Sources;
use crate::stop::Stop;

/// Every run is made once more when nothing can be read from it.
const TRIES_MAX: usize = 2;
/// Programs that are measured or measure.
const PROGRAMS: [&str; 3] = ["loadgen", "perf", "sluicegate"];
const BUILD: [&str; 9] =
    ["build", "-q", "--release", "-p", "sluicegate", "-p", "loadgen", "-p", "perf"];
const BUILD_MAX: Duration = Duration::from_secs(3600);
/// Longest `--for`.
const TIME_MAX: Duration = Duration::from_secs(3600);
const FOOT: &str = "Ratios to the Python SDK, rumqttc's EventLoop and rumqttc-v4-next are not \
    taken here: perf/peers/run --only python_sdk,rumqttc_eventloop,rumqttc_next";
const AFTER_HELP: &str = "Each scenario is run --times times, all scenarios once before any of \
    them again; medians count. A run that gives no figure is made once more.\n\n\
    Exit codes: 0 every floor holds; 1 a floor was missed; 2 a run gave no figure; 64 wrong usage; \
    69 a program is missing, cannot be built or is not of this tree; 70 stopped or an internal \
    error: nothing is recorded";

/// What to record.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct RecordArgs {
    /// Length of the measured part of each run [default: 5s, rss_1m 10s]
    #[arg(long = "for", value_name = "TIME", value_parser = parse_time)]
    time: Option<Duration>,
    /// Runs of each scenario
    #[arg(long, value_name = "N", default_value_t = 3,
        value_parser = clap::value_parser!(u32).range(1..=99))]
    times: u32,
    /// These scenarios only, separated by commas
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    only: Vec<String>,
    /// Build the programs first
    #[arg(long, conflicts_with = "bin_dir")]
    build: bool,
    /// Folder of the release programs
    #[arg(long, value_name = "DIR", default_value = "target/release")]
    bin_dir: PathBuf,
    /// Folder of the records; created when absent
    #[arg(long, value_name = "DIR", default_value = "perf/record")]
    record_dir: PathBuf,
}

/// Records, and prints the table; the exit code.
///
/// # Errors
/// Nothing could be measured or written.
pub fn run(args: &RecordArgs) -> Result<u8, Failure> {
    let stop = Stop::on_signals().map_err(Failure::internal)?;
    record(args, Path::new("."), &stop, &mut io::stdout())
}

fn record(
    args: &RecordArgs,
    root: &Path,
    stop: &Stop,
    out: &mut impl Write,
) -> Result<u8, Failure> {
    let scenarios = scenario::select(&args.only).map_err(Failure::usage)?;
    prepare_folder(&args.record_dir)?;
    let sources: Vec<Sources> =
        PROGRAMS.iter().map(|name| Sources::of(root, name)).collect::<Result<_, _>>()?;
    if args.build {
        build(stop)?;
    }
    if let Some(lacking) = PROGRAMS.iter().find(|name| !args.bin_dir.join(name).is_file()) {
        return Err(Failure::unavailable(format!(
            "{} is missing: give --build, or run 'cargo {}'",
            args.bin_dir.join(lacking).display(),
            BUILD.join(" ")
        )));
    }
    for (name, sources) in PROGRAMS.iter().zip(&sources) {
        sources.verify(&args.bin_dir.join(name), &[], stop)?;
    }
    let facts = facts::gather(args.build);
    let bench = RecordBench::new(&args.bin_dir, stop.clone()).map_err(Failure::internal)?;
    let rounds = measure_all(args, &bench, &scenarios, stop)?;
    let rows: Vec<RecordRow> = scenarios
        .iter()
        .map(|scenario| RecordRow::new(*scenario, &rounds[&scenario.run]))
        .collect();
    let mut lines = String::new();
    for row in &rows {
        let seconds = time_of(args, row.scenario.run).as_secs_f64();
        let line = row::line(row, &facts, seconds);
        lines.push_str(&line.map_err(Failure::internal)?);
        lines.push('\n');
    }
    let file = args.record_dir.join(format!("{}.jsonl", facts.machine.architecture));
    append(&file, &lines)
        .map_err(|error| Failure::internal(format!("{}: {error}", file.display())))?;
    // Who reads no further still gets the exit code.
    let _ = writeln!(out, "{}\n{FOOT}\nrecorded in {}", row::table(&rows), file.display());
    Ok(row::exit_code(&rows))
}

/// Every run once, then again; of each round all tries.
fn measure_all(
    args: &RecordArgs,
    bench: &RecordBench,
    scenarios: &[Scenario],
    stop: &Stop,
) -> Result<HashMap<Run, Vec<Vec<Attempt>>>, Failure> {
    let runs = scenario::runs_of(scenarios);
    let mut rounds: HashMap<Run, Vec<Vec<Attempt>>> = HashMap::new();
    for round in 1..=args.times {
        for run in &runs {
            let mut tries: Vec<Attempt> = Vec::new();
            while tries.len() < TRIES_MAX && tries.last().is_none_or(|last| last.reading.is_err()) {
                let attempt = bench.measure(*run, time_of(args, *run));
                if stop.is_asked() {
                    return Err(Failure::internal("stopped: nothing is recorded".to_owned()));
                }
                eprintln!("{round}/{} {}", args.times, attempt_line(*run, &attempt, scenarios));
                tries.push(attempt);
            }
            rounds.entry(*run).or_default().push(tries);
        }
    }
    Ok(rounds)
}

/// A try in one line: the figures that are asked of it.
fn attempt_line(run: Run, attempt: &Attempt, scenarios: &[Scenario]) -> String {
    let rows = scenarios.iter().filter(|scenario| scenario.run == run);
    let cells: Vec<String> = match &attempt.reading {
        Ok(reading) => rows
            .map(|row| {
                let value = reading.figure(row.figure).map_or("-".to_owned(), number);
                format!("{} {value} {}", row.name, row.figure.unit())
            })
            .collect(),
        Err(why) => {
            rows.map(|row| row.name.to_owned()).chain([format!("no figure: {why}")]).collect()
        }
    };
    cells.join(", ")
}

fn time_of(args: &RecordArgs, run: Run) -> Duration {
    args.time.unwrap_or(Duration::from_secs(run.seconds()))
}

/// Found out before anything is measured.
fn prepare_folder(folder: &Path) -> Result<(), Failure> {
    match fs::create_dir(folder) {
        Err(error) if !folder.is_dir() => Err(Failure::usage(format!(
            "{}: {error}: run this in the root folder of the workspace, or give --record-dir",
            folder.display()
        ))),
        _ => Ok(()),
    }
}

fn build(stop: &Stop) -> Result<(), Failure> {
    eprintln!("cargo {}", BUILD.join(" "));
    let mut command = cargo::command("cargo");
    command.args(BUILD);
    job::succeed(command, BUILD_MAX, stop).map_err(Failure::unavailable)
}

fn append(file: &Path, lines: &str) -> io::Result<()> {
    OpenOptions::new().create(true).append(true).open(file)?.write_all(lines.as_bytes())
}

fn parse_time(text: &str) -> Result<Duration, String> {
    let time = sluicegate::host::duration::parse(text)?;
    let range = Duration::from_millis(10)..=TIME_MAX;
    range.contains(&time).then_some(time).ok_or_else(|| "from 10ms to 1h".to_owned())
}

#[cfg(test)]
mod tests;
