//! `loadgen calibrate`: what the instrument itself can do here.

use std::ops::ControlFlow;
use std::time::Duration;

use clap::Args;

use super::document::{Beginning, JsonArg};
use super::load_args::parse_time;
use super::look::Look;
use super::output::print;
use super::show::calibration_text;
use super::signals::stop_channel;
use super::{CommandError, EXIT_CODES_LOAD, others};
use loadgen_load::calibrate;
use loadgen_load::outcome::Finding;

#[derive(Debug, Args)]
#[command(after_help = format!("Exit codes: 0 done; 1 ended early; {EXIT_CODES_LOAD}"))]
pub(crate) struct CalibrateArgs {
    /// Length of each of its four parts
    #[arg(long = "for", value_name = "TIME", default_value = "3s", value_parser = parse_time)]
    time: Duration,
    #[command(flatten)]
    json: JsonArg,
}

pub(crate) fn run(args: CalibrateArgs) -> Result<(), CommandError> {
    let beginning = Beginning::now(args.json.file("calibrate"))?;
    let stop = stop_channel().map_err(CommandError::no_start)?;
    others::warn();
    let program = std::env::current_exe().map_err(|error| CommandError::internal(&error))?;
    let sink = [program.to_string_lossy().into_owned(), "sink".to_owned()];
    let mut interrupted = false;
    let calibration = calibrate(&sink, args.time, &mut |_| {
        interrupted |= stop.try_recv().is_ok();
        if interrupted { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    if interrupted {
        return Err(CommandError::refused(
            "ended early: half a calibration says nothing".to_owned(),
        ));
    }
    let written = beginning.write(Finding::Calibrate(Box::new(calibration.clone())));
    print(calibration_text(&calibration, Look::of_stdout().width))?;
    written
}
