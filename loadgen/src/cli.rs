//! The command line of `loadgen`.
//!
//! Arguments go in, an exit code comes out; errors are one line on standard error.

use std::ffi::OsString;
use std::fmt;
use std::process::ExitCode;

use clap::{FromArgMatches, Parser, Subcommand};
use sluicegate::settings::KnownNames;

mod calibrate;
mod capacity;
mod compare;
mod control;
mod demo;
mod descriptors;
mod document;
mod engine;
mod help;
mod hub;
mod load_args;
mod look;
mod others;
mod output;
mod report;
mod requests;
mod run;
mod sensors;
mod shell;
mod show;
mod signals;
mod sink;
mod soak;
mod text;

use control::client::ClientError;

use loadgen_load::error::LoadError;

/// State folder of a hub whose flags name none.
const STATE_DEFAULT: &str = "target/hub";

/// The command ran and the answer is no: a failed check, a refused patch, an error status.
const EXIT_REFUSED: u8 = 1;
/// The command line is wrong.
const EXIT_USAGE: u8 = 64;
/// A file is not what it should be: a deployment manifest, a result to report on.
const EXIT_BAD_DATA: u8 = 65;
/// The hub is not running, or cannot start.
const EXIT_UNAVAILABLE: u8 = 69;
/// Something that cannot happen did.
const EXIT_INTERNAL: u8 = 70;

const EXIT_CODES: &str = "Exit codes: 0 done; 1 a check failed or the hub or module refused; \
    64 wrong usage; 65 bad deployment manifest or result file; 69 no hub is running, or it cannot \
    start; 70 internal error. Those of measurements are in their own help";

/// The exit codes that all measurements share.
const EXIT_CODES_LOAD: &str = "64 wrong usage; 69 the program or the broker did not start, answer \
    or stay, or the address is taken; 70 internal error";

/// Local development hub, simulated sensors and demo for sluicegate
#[derive(Debug, Parser)]
#[command(name = "loadgen", after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Watch the filter module work: hub, sensors and module, started and ended by one command
    Demo(demo::DemoArgs),
    /// Measure a program: rate, latency, cost, and every message that comes back verified
    Run(Box<run::RunArgs>),
    /// Measure the instrument itself: clock, punctuality, and how fast it drives a null sink
    Calibrate(calibrate::CalibrateArgs),
    /// Find the highest rate at which a program holds an objective
    Capacity(Box<capacity::CapacityArgs>),
    /// Compare programs: the same traffic to each, in turns
    Compare(Box<compare::CompareArgs>),
    /// Run for long with faults: nothing lost, each recovered from, memory and latency flat
    Soak(Box<soak::SoakArgs>),
    /// Run the development hub with its simulated sensors until Ctrl-C
    Hub(hub::HubArgs),
    /// Read or change the twin of a module of the running hub
    #[command(subcommand)]
    Twin(requests::TwinCommand),
    /// Call a direct method of a module of the running hub
    Method(requests::MethodArgs),
    /// Print every message that goes upstream from the running hub
    Monitor(requests::MonitorArgs),
    /// Print the environment of a module, ready to be sourced: eval "$(loadgen env filter)"
    Env(requests::EnvArgs),
    /// Print what a device registers with, ready to be sourced: eval "$(loadgen enrol sensor1)"
    Enrol(requests::EnrolArgs),
    /// Be a program under test that does next to nothing, with faults on demand
    Sink(sink::SinkArgs),
    /// Show results in one HTML file: plots, tables, settings
    Report(report::ReportArgs),
    /// Be the filter module: what the demo starts as its child
    #[command(hide = true)]
    Module {
        /// Arguments of sluicegate
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
}

/// Runs the command line `args`, the program's name first, and gives the exit code to end with.
/// `version` is what `--version` tells behind the name.
pub fn main_from(version: &'static str, args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let matches = help::command().version(version).try_get_matches_from(args);
    let cli = match matches.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(error) => {
            // Nothing can be done about a closed terminal.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(EXIT_USAGE) } else { ExitCode::SUCCESS };
        }
    };
    if !matches!(cli.command, Command::Module { .. }) {
        for line in strays(std::env::vars_os()) {
            output::note(format_args!("warning: {line}"));
        }
    }
    let outcome = match cli.command {
        Command::Demo(args) => demo::run(&args),
        Command::Run(args) => run::run(*args),
        Command::Calibrate(args) => calibrate::run(args),
        Command::Capacity(args) => capacity::run(*args),
        Command::Compare(args) => compare::run(*args),
        Command::Soak(args) => soak::run(*args),
        Command::Hub(args) => hub::run(args),
        Command::Twin(command) => requests::twin(command),
        Command::Method(args) => requests::method(args),
        Command::Monitor(args) => requests::monitor(&args),
        Command::Env(args) => requests::env(args),
        Command::Enrol(args) => requests::enrol(args),
        Command::Sink(args) => sink::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Module { args } => return demo::be_module(version, args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if !error.text.is_empty() {
                output::note(format_args!("loadgen: {error}"));
            }
            ExitCode::from(error.code)
        }
    }
}

/// A line for each variable that looks like one of this program's and is none.
fn strays(variables: impl Iterator<Item = (OsString, OsString)>) -> Vec<String> {
    let sink = sink::VARIABLES.iter().copied();
    let names: Vec<_> = sink.chain([load_args::ENV_BROKER_PASSWORD]).collect();
    KnownNames::new("LOADGEN_", &names).strays(variables)
}

/// Why a command failed, and the exit code that says so.
#[derive(Debug, PartialEq, Eq)]
struct CommandError {
    code: u8,
    text: String,
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl CommandError {
    fn usage(text: String) -> Self {
        Self { code: EXIT_USAGE, text }
    }

    fn refused(text: String) -> Self {
        Self { code: EXIT_REFUSED, text }
    }

    fn unavailable(text: String) -> Self {
        Self { code: EXIT_UNAVAILABLE, text }
    }

    /// The system refused what a command cannot start without.
    fn no_start(error: std::io::Error) -> Self {
        Self::unavailable(format!(
            "cannot start: the system refused a thread, a descriptor or a signal handler: {error}"
        ))
    }

    fn internal(error: &dyn fmt::Display) -> Self {
        Self { code: EXIT_INTERNAL, text: error.to_string() }
    }

    /// An early end that is nobody's fault.
    fn silent() -> Self {
        Self { code: 0, text: String::new() }
    }

    /// The end of a command that has said everything already.
    fn ended_with(code: u8) -> Result<(), Self> {
        if code == 0 { Ok(()) } else { Err(Self { code, text: String::new() }) }
    }
}

impl From<LoadError> for CommandError {
    fn from(error: LoadError) -> Self {
        Self { code: error.exit_code(), text: error.to_string() }
    }
}

impl From<ClientError> for CommandError {
    fn from(error: ClientError) -> Self {
        Self::unavailable(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_variable_is_reported_with_the_nearest_name() {
        let cases = [
            ("LOADGEN_HOSTNAME", "LOADGEN_HOST"),
            ("LOADGEN_TRESHOLD", "LOADGEN_THRESHOLD"),
            ("LOADGEN_BROKER_PASSWD", "LOADGEN_BROKER_PASSWORD"),
            ("LOADGEN_USER_NAME", "LOADGEN_USERNAME"),
            ("LOADGEN_CAFILE", "LOADGEN_CA_FILE"),
            ("loadgen_port", "LOADGEN_PORT"),
            ("LOAD_GEN_PORT", "LOADGEN_PORT"),
        ];
        for (name, meant) in cases {
            let lines = strays([(name.into(), "hunter2".into())].into_iter());
            let [line] = lines.as_slice() else { panic!("{name}: {lines:?}") };
            assert!(line.contains(&format!("did you mean {meant}?")), "{line}");
            assert!(!line.contains("hunter2"), "{line}");
        }
        let known = sink::VARIABLES.iter().copied().chain(["LOADGEN_BROKER_PASSWORD", "HOME"]);
        assert_eq!(strays(known.map(|name| (name.into(), "1".into()))), [""; 0]);
    }
}
