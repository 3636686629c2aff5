//! `loadgen soak`: a long run with faults, judged by how flat it stays.

use std::time::Duration;

use clap::Args;

use super::document::{Beginning, JsonArg};
use super::engine::{Engine, check_programs};
use super::load_args::{LoadArgs, Rate, parse_rate, parse_time};
use super::look::Look;
use super::output::print;
use super::show::{Live, capacity_text, probe_line, rate, soak_text};
use super::text::parse_duration;
use super::{CommandError, EXIT_CODES_LOAD, others};
use loadgen_load::LoadError;
use loadgen_load::capacity::{self, CapacityPlan};
use loadgen_load::fault::FaultKind;
use loadgen_load::outcome::{Finding, Objective};
use loadgen_load::settings::{Disturbances, RunSettings};
use loadgen_load::soak;

/// The capacity is searched by this objective: a rate above it is one at which queues grow.
const P99_US: f64 = 10_000.0;
/// Its first and lowest rate, and the highest.
const RATES: [f64; 2] = [10_000.0, 10e6];
/// Length of each run of the search.
const SEARCH_TIME: Duration = Duration::from_secs(3);

const AFTER_HELP: &str = "Without --rate the capacity is searched first, as by `loadgen capacity \
    --p99 10ms --start 10k --for 3s`, and half of it is the rate. Nothing may be lost. Behind each \
    fault full rate must be back within 10 s. From the second third to the last, resident memory \
    may change by 5 %, descriptors and threads may grow by 10 %, and the median latency by 50 %; \
    seconds of faults do not count. Kills come in the first quarter alone, so that one process is \
    compared with itself.\n\n\
    Exit codes: 0 passed; 1 something was lost, did not recover or did not stay flat, or there \
    is no capacity; 2 invalid: the instrument was the bottleneck, or too few seconds were \
    undisturbed; 3 saturated: the program did not take the rate; ";

#[derive(Debug, Args)]
#[command(after_help = format!("{AFTER_HELP}{EXIT_CODES_LOAD}"))]
pub(crate) struct SoakArgs {
    /// Messages a second over all sensors, as 200000, 200k or 1.5M [default: half of the capacity]
    #[arg(long, value_name = "N", value_parser = parse_rate)]
    rate: Option<f64>,
    /// Length of the measured part
    #[arg(long = "for", value_name = "TIME", default_value = "30min", value_parser = parse_time)]
    time: Duration,
    /// From one fault to the next
    #[arg(long, value_name = "TIME", default_value = "20s", value_parser = parse_time)]
    fault_every: Duration,
    /// Kinds of faults, in an order that the seed decides; none: no faults
    #[arg(long, value_name = "KIND,...", value_delimiter = ',', value_parser = parse_fault,
        default_value = "cut,reset,stall,restart,stop,kill")]
    faults: Vec<Fault>,
    /// Change the threshold in the twin so often, and verify by it; 0: never
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = parse_duration)]
    patch_every: Duration,
    /// Have the program renew its token so often, by SLUICEGATE_TOKEN_LIFETIME; 0: leave it out
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = parse_duration)]
    renew_every: Duration,
    #[command(flatten)]
    json: JsonArg,
    #[command(flatten)]
    load: LoadArgs,
    /// The program that is measured, and its arguments
    #[arg(last = true, value_name = "COMMAND", help_heading = "Arguments", required = true)]
    command: Vec<String>,
}

/// One word of `--faults`.
#[derive(Debug, Clone, Copy)]
enum Fault {
    None,
    Kind(FaultKind),
}

fn parse_fault(text: &str) -> Result<Fault, String> {
    if text == "none" {
        return Ok(Fault::None);
    }
    let kind = FaultKind::ALL.into_iter().find(|kind| kind.name() == text);
    let names = FaultKind::ALL.map(FaultKind::name).join(", ");
    kind.map(Fault::Kind).ok_or_else(|| format!("choose from {names}, or none"))
}

pub(crate) fn run(args: SoakArgs) -> Result<(), CommandError> {
    let asked = disturbances(&args);
    let rate = Rate::PerSecond(args.rate.unwrap_or(RATES[0]));
    let mut settings = args.load.settings(rate, args.time, args.command, None)?;
    soak::check(&settings, &asked)?;
    let beginning = Beginning::now(args.json.file("soak"))?;
    check_programs(settings.target.command())?;
    let look = Look::of_stdout();
    let engine = Engine::new()?;
    others::warn();
    let capacity = match args.rate {
        Some(_) => None,
        None => Some(search(&mut settings, &engine, look)?),
    };
    let soaked = engine
        .watch(Live::new("", true), &mut |watch| soak::soak(&settings, &asked, capacity, watch))?;
    let written = beginning.write(Finding::Soak(Box::new(soaked.clone())));
    // Whoever reads no further still gets the status.
    match print(soak_text(&soaked, look)) {
        Err(error) if error != CommandError::silent() => return Err(error),
        _ => {}
    }
    written?;
    CommandError::ended_with(soaked.verdict.standing.exit_code())
}

fn disturbances(args: &SoakArgs) -> Disturbances {
    let unless_zero = |time: Duration| (!time.is_zero()).then_some(time);
    let kinds = args.faults.iter().filter_map(|fault| match fault {
        Fault::Kind(kind) => Some(*kind),
        Fault::None => None,
    });
    Disturbances {
        fault_every: args.fault_every,
        faults: kinds.collect(),
        patch_every: unless_zero(args.patch_every),
        renew_every: unless_zero(args.renew_every),
    }
}

/// Finds the capacity, sets the rate to half of it, and gives it.
///
/// # Errors
/// None was found, or the search was interrupted.
fn search(settings: &mut RunSettings, engine: &Engine, look: Look) -> Result<f64, CommandError> {
    let [start, max] = RATES;
    let plan = CapacityPlan {
        settings: RunSettings { duration: SEARCH_TIME, ..settings.clone() },
        objective: Objective { p99_us: P99_US, loss: 0.0 },
        start,
        max,
    };
    let mut measure =
        |settings: &RunSettings| engine.run_whole(settings, Live::new("capacity", false));
    let found =
        capacity::find(&plan, &mut measure, &mut |probe| engine.tell(probe_line(probe, look)))?;
    if engine.is_interrupted() {
        return Err(LoadError::Interrupted.into());
    }
    let Some(capacity) = found.rate else {
        print(format_args!("\n{}", capacity_text(&found, look)))?;
        CommandError::ended_with(found.standing().exit_code())?;
        return Err(LoadError::Internal("a capacity without a rate".to_owned()).into());
    };
    engine.tell(format_args!(
        "capacity {}: soaking at {}\n",
        rate(capacity),
        rate(soak::half(capacity))
    ));
    settings.set_rate(soak::half(capacity));
    Ok(capacity)
}
