//! `loadgen capacity`: the highest rate that holds an objective.

use std::time::Duration;

use clap::Args;

use super::document::{Beginning, JsonArg};
use super::engine::{Engine, check_programs};
use super::load_args::{BrokerArgs, LoadArgs, Rate, parse_rate, parse_share, parse_time};
use super::look::Look;
use super::output::print;
use super::show::{Live, capacity_text, probe_line, rate};
use super::{CommandError, EXIT_CODES_LOAD, others};
use loadgen_load::capacity::{self, CapacityPlan, RUNS_MAX};
use loadgen_load::outcome::{Finding, Objective};
use loadgen_load::settings::{Pace, RunSettings};

const AFTER_HELP: &str = "A rate holds when p99 and the share of missing alerts keep to the \
    objective, nothing else is wrong, and 99 % of it was sent. The rate doubles until it does not \
    hold; bisection narrows it to 5 %; the rate found must hold three times more and 1.15 times it \
    must not, or the search goes on. A rate that does not hold while the instrument is the \
    bottleneck is measured again, three times in all. ";

#[derive(Debug, Args)]
#[command(after_help = format!("{AFTER_HELP}At most {RUNS_MAX} runs.\n\n\
    Exit codes: 0 a rate was found; 1 none was; 2 invalid: none was, and at the lowest rate the \
    instrument was the bottleneck; {EXIT_CODES_LOAD}"))]
pub(crate) struct CapacityArgs {
    /// Objective: the 99th percentile of latency is at most this
    #[arg(long, value_name = "TIME", default_value = "1ms", value_parser = parse_objective)]
    p99: Duration,
    /// Objective: share of alerts that may be missing, 0 to 1
    #[arg(long, value_name = "SHARE", default_value = "0", value_parser = parse_share)]
    loss: f64,
    /// Length of the measured part of each run
    #[arg(long = "for", value_name = "TIME", default_value = "5s", value_parser = parse_time)]
    time: Duration,
    /// The first and lowest rate
    #[arg(long, value_name = "N", default_value = "1000", value_parser = parse_rate)]
    start: f64,
    /// The highest rate that is tried
    #[arg(long, value_name = "N", default_value = "10M", value_parser = parse_rate)]
    max: f64,
    #[command(flatten)]
    json: JsonArg,
    #[command(flatten)]
    load: LoadArgs,
    #[command(flatten)]
    broker: BrokerArgs,
    /// The program that is measured, and its arguments
    #[arg(
        last = true,
        value_name = "COMMAND",
        help_heading = "Arguments",
        required_unless_present = "broker"
    )]
    command: Vec<String>,
}

/// Reads the longest latency that an objective allows.
fn parse_objective(text: &str) -> Result<Duration, String> {
    let time = super::text::parse_duration(text)?;
    if time.is_zero() { Err("above 0".to_owned()) } else { Ok(time) }
}

pub(crate) fn run(args: CapacityArgs) -> Result<(), CommandError> {
    if args.start > args.max {
        let text = format!("--start {} is above --max {}", rate(args.start), rate(args.max));
        return Err(CommandError::usage(text));
    }
    let start = Rate::PerSecond(args.start);
    let plan = CapacityPlan {
        settings: args.load.settings(start, args.time, args.command, Some(&args.broker))?,
        objective: Objective { p99_us: args.p99.as_secs_f64() * 1e6, loss: args.loss },
        start: args.start,
        max: args.max,
    };
    plan.check()?;
    let beginning = Beginning::now(args.json.file("capacity"))?;
    check_programs(plan.settings.target.command())?;
    let look = Look::of_stdout();
    let engine = Engine::new()?;
    others::warn();
    let mut measure =
        |settings: &RunSettings| engine.run_whole(settings, Live::new(&label(settings), false));
    let capacity =
        capacity::find(&plan, &mut measure, &mut |probe| engine.tell(probe_line(probe, look)))?;
    let written = beginning.write(Finding::Capacity(Box::new(capacity.clone())));
    let shown = print(format_args!("\n{}", capacity_text(&capacity, look)));
    written?;
    // Whoever reads no further still gets the status.
    match shown {
        Err(error) if error != CommandError::silent() => Err(error),
        _ => CommandError::ended_with(capacity.standing().exit_code()),
    }
}

/// The rate of a probe, which is what sets it apart.
fn label(settings: &RunSettings) -> String {
    match settings.pace {
        Pace::Open { rate: asked, .. } => rate(asked),
        Pace::Closed => String::new(),
    }
}
