//! `loadgen run`: one measurement, shown, judged and written.

use std::time::Duration;

use clap::Args;

use super::document::{Beginning, JsonArg};
use super::engine::{Engine, check_programs};
use super::load_args::{BrokerArgs, LoadArgs, Rate, parse_rate_or_max, parse_time};
use super::look::Look;
use super::output::print;
use super::show::{Live, outcome_text};
use super::{CommandError, EXIT_CODES_LOAD, others};
use loadgen_load::outcome::Finding;

const AFTER_HELP: &str = "The program gets the hub's address and its identity in the environment: \
    EdgeHubConnectionString, EdgeModuleCACertificateFile (not with --plain) and \
    SLUICEGATE_GATEWAY_PORT, and for plain MQTT programs LOADGEN_HOST, _PORT, _CA_FILE, \
    _CLIENT_ID, _USERNAME, _PASSWORD, _SUBSCRIBE, _PUBLISH and _THRESHOLD. SIGTERM ends it.\n\n\
    Exit codes: 0 passed; 1 something was lost, made up, mixed up or changed; 2 invalid: the \
    instrument was the bottleneck, or other programs took the cores; 3 saturated: the program did \
    not take the rate; ";

#[derive(Debug, Args)]
#[command(after_help = format!("{AFTER_HELP}{EXIT_CODES_LOAD}"))]
pub(crate) struct RunArgs {
    /// Messages a second over all sensors, as 200000, 200k or 1.5M; max: as fast as --window allows
    #[arg(long, value_name = "N|max", value_parser = parse_rate_or_max)]
    rate: Rate,
    /// Length of the measured part
    #[arg(long = "for", value_name = "TIME", default_value = "10s", value_parser = parse_time)]
    time: Duration,
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

pub(crate) fn run(args: RunArgs) -> Result<(), CommandError> {
    let settings = args.load.settings(args.rate, args.time, args.command, Some(&args.broker))?;
    let beginning = Beginning::now(args.json.file("run"))?;
    check_programs(settings.target.command())?;
    let engine = Engine::new()?;
    others::warn();
    let outcome = engine.run(&settings, Live::new("", true))?;
    let written = beginning.write(Finding::Run(Box::new(outcome.clone())));
    // Whoever reads no further still gets the status.
    match print(outcome_text(&outcome, Look::of_stdout())) {
        Err(error) if error != CommandError::silent() => return Err(error),
        _ => {}
    }
    written?;
    CommandError::ended_with(outcome.verdict.standing.exit_code())
}
