//! The commands that talk to a running hub: `twin`, `method`, `monitor`, `env` and `enrol`.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use sluicegate::azure::members;

use super::control::client::{ask, listen};
use super::control::{Answer, METHOD_TIMEOUT_S_MAX, Request};
use super::output::{note, print};
use super::text::parse_duration;
use super::{CommandError, shell};
use loadgen_hub::manifest::desired_inside;

/// How long the hub may take for anything that needs no module.
const HUB_WAIT: Duration = Duration::from_secs(15);

/// Where the hub is.
#[derive(Debug, Args)]
pub(crate) struct StateArgs {
    /// State folder of the running hub
    #[arg(long, value_name = "DIR", default_value = super::STATE_DEFAULT)]
    state: PathBuf,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TwinCommand {
    /// Print the twin of a module
    Get {
        /// Module of the manifest
        module: String,
        #[command(flatten)]
        hub: StateArgs,
    },
    /// Merge a patch into the desired properties: null deletes, objects merge
    Set {
        /// Module of the manifest
        module: String,
        /// The patch, as {"TemperatureThreshold": 30}
        #[arg(value_name = "JSON", value_parser = parse_json)]
        patch: Value,
        #[command(flatten)]
        hub: StateArgs,
    },
}

#[derive(Debug, Args)]
pub(crate) struct MethodArgs {
    /// Module of the manifest
    module: String,
    /// Name of the direct method
    name: String,
    /// Payload of the call
    #[arg(value_name = "JSON", value_parser = parse_json, default_value = "null")]
    payload: Value,
    /// How long to wait for the module's answer, 1s to 5m
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = parse_timeout)]
    timeout: u64,
    #[command(flatten)]
    hub: StateArgs,
}

#[derive(Debug, Args)]
pub(crate) struct MonitorArgs {
    /// End after this many messages
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// Print each message as one JSON object
    #[arg(long)]
    json: bool,
    /// Pass over, for good, what no monitor has shown yet
    #[arg(long)]
    only_new: bool,
    #[command(flatten)]
    hub: StateArgs,
}

#[derive(Debug, Args)]
pub(crate) struct EnvArgs {
    /// Module of the manifest
    module: String,
    /// The IOTEDGE_* variables of the edge runtime instead of a connection string
    #[arg(long)]
    runtime: bool,
    #[command(flatten)]
    hub: StateArgs,
}

#[derive(Debug, Args)]
pub(crate) struct EnrolArgs {
    /// Registration id: lower-case letters, digits and - . _ :
    registration: String,
    #[command(flatten)]
    hub: StateArgs,
}

/// Reads whole seconds, which are all that a direct method knows.
fn parse_timeout(text: &str) -> Result<u64, String> {
    let time = parse_duration(text)?;
    let is_whole = time.subsec_nanos() == 0 && (1..=METHOD_TIMEOUT_S_MAX).contains(&time.as_secs());
    if is_whole { Ok(time.as_secs()) } else { Err("whole seconds, from 1s to 5m".to_owned()) }
}

fn parse_json(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("it {}", members::problem(&error)))
}

pub(crate) fn twin(command: TwinCommand) -> Result<(), CommandError> {
    match command {
        TwinCommand::Get { module, hub } => {
            match ask(&hub.state, &Request::TwinGet { module }, HUB_WAIT)? {
                Answer::Twin { document } => print(format_args!("{document:#}")),
                other => Err(unexpected(other)),
            }
        }
        TwinCommand::Set { module, patch, hub } => {
            if let Some((inner, text)) = patch.as_object().and_then(desired_inside) {
                note(format_args!("loadgen: warning: {inner}: {text}"));
            }
            let request = Request::TwinSet { module: module.clone(), patch };
            match ask(&hub.state, &request, HUB_WAIT)? {
                Answer::Version { version } => {
                    print(format_args!("desired properties of {module}: version {version}"))
                }
                other => Err(unexpected(other)),
            }
        }
    }
}

pub(crate) fn method(args: MethodArgs) -> Result<(), CommandError> {
    let MethodArgs { module, name, payload, timeout: timeout_s, hub } = args;
    let wait = Duration::from_secs(timeout_s) + HUB_WAIT;
    match ask(&hub.state, &Request::Method { module, name, payload, timeout_s }, wait)? {
        Answer::Method { status, payload } => {
            print(format_args!("{:#}", json!({ "status": status, "payload": payload })))?;
            if status < 400 {
                Ok(())
            } else {
                Err(CommandError::refused(format!("the module answered with status {status}")))
            }
        }
        other => Err(unexpected(other)),
    }
}

pub(crate) fn env(args: EnvArgs) -> Result<(), CommandError> {
    let request = Request::Environment { module: args.module, runtime: args.runtime };
    print_variables(&args.hub, &request)
}

pub(crate) fn enrol(args: EnrolArgs) -> Result<(), CommandError> {
    print_variables(&args.hub, &Request::Enrollment { registration: args.registration })
}

fn print_variables(hub: &StateArgs, request: &Request) -> Result<(), CommandError> {
    match ask(&hub.state, request, HUB_WAIT)? {
        Answer::Environment { variables, left_out } => {
            // Standard output is for the shell alone.
            for text in left_out {
                note(format_args!("loadgen: left out: {text}"));
            }
            let lines = variables.iter().map(|(name, value)| shell::export_line(name, value));
            print(lines.collect::<Vec<_>>().join("\n"))
        }
        other => Err(unexpected(other)),
    }
}

pub(crate) fn monitor(args: &MonitorArgs) -> Result<(), CommandError> {
    let mut left = args.count.unwrap_or(u64::MAX);
    let mut outcome = Ok(());
    listen(&args.hub.state, &Request::Monitor { only_new: args.only_new }, None, |answer| {
        outcome = show(answer, args, &mut left);
        if outcome.is_ok() && left > 0 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    if outcome.is_ok() && left > 0 {
        note("the hub has stopped");
    }
    outcome
}

fn show(answer: Answer, args: &MonitorArgs, left: &mut u64) -> Result<(), CommandError> {
    match answer {
        Answer::Listening { unread } => {
            let first = match unread {
                0 => String::new(),
                unread => format!(", {unread} that no monitor has shown yet first"),
            };
            note(format_args!(
                "monitoring the hub of {}: every message that goes upstream is shown{first}; \
                 Ctrl-C ends",
                args.hub.state.display()
            ));
            Ok(())
        }
        Answer::Message(message) => {
            *left = left.saturating_sub(1);
            if args.json {
                print(serde_json::to_string(&message).map_err(|e| CommandError::internal(&e))?)
            } else {
                print(message)
            }
        }
        Answer::Lost { count } => {
            note(format_args!(
                "{count} messages are not shown: they came faster than they were read"
            ));
            Ok(())
        }
        other => Err(unexpected(other)),
    }
}

fn unexpected(answer: Answer) -> CommandError {
    match answer {
        Answer::Error { status, text } => CommandError::refused(format!("{text} ({status})")),
        // Not shown: it may hold a key.
        _ => CommandError::internal(&"the hub gave an answer to another question"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_waits_for_whole_seconds() {
        for (text, seconds) in [("1", 1), ("30", 30), ("30s", 30), ("5m", 300), ("300", 300)] {
            assert_eq!(parse_timeout(text), Ok(seconds), "{text}");
        }
        for text in ["0", "301", "1.5", "500ms", "6m", "", "s"] {
            assert!(parse_timeout(text).is_err(), "{text}");
        }
    }
}
