//! `loadgen demo`: the whole path in one command, with nothing to install and nothing left behind.
//!
//! ```text
//!  this process                                      child process
//!  sensors -> hub (TLS) ------ input1 ------------->  sluicegate
//!  ledger  <- hub upstream <-- output1 -------------
//! ```
//! The hub, the sensors and the judge live here; the module is this program again, as a process of
//! its own, over real TLS. The [`plan`] raises the threshold half way; the [`ledger`] knows for
//! every message whether it had to come back.

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use clap::Args;
use rustix::process::{Signal, set_parent_process_death_signal};
use serde_json::{Value, json};

use super::CommandError;
use super::hub::{is_address_in_use, start_hub};
use super::output::{note, print};
use super::signals::stop_channel;
use super::text::{parse_duration, thousands};
use loadgen_hub::manifest::{Manifest, Variables};
use loadgen_hub::{Hub, HubConfig, HubHandle};
use loadgen_load::process::Process;

mod ledger;
mod plan;
mod report;
mod show;
mod silence;
mod stage;

use plan::Plan;
use show::Show;
use stage::Stage;

/// Port that official SDKs know; taken when it is free.
const PORT: u16 = 8883;
/// Input messages in flight: a real edge hub has 1, which shows nothing at 1,000 a second.
const WINDOW: usize = 100;
/// How long the hub may keep the sensors waiting for room.
const PUBLISH_WAIT: Duration = Duration::from_secs(5);
/// How long the module may take until it listens.
const READY_WAIT: Duration = Duration::from_secs(10);
/// How often it is looked at meanwhile.
const READY_POLL: Duration = Duration::from_millis(2);
/// The filter's module id.
const FILTER: &str = "filter";

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// How long the demo runs; 0 until Ctrl-C
    #[arg(long = "for", value_name = "TIME", default_value = "20s", value_parser = parse_time)]
    time: Duration,
    /// Messages per second, over all sensors
    #[arg(long, value_name = "N", default_value_t = 1000,
        value_parser = clap::value_parser!(u32).range(50..=10_000))]
    rate: u32,
    /// Folder for certificates, keys and the module's log, which is kept [default: a temporary one]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
}

fn parse_time(text: &str) -> Result<Duration, String> {
    let time = parse_duration(text)?;
    if time.is_zero() || time >= plan::DURATION_MIN {
        Ok(time)
    } else {
        Err(format!("at least {:?}, or 0 for no end", plan::DURATION_MIN))
    }
}

/// Is the module that a demo started: runs the filter's own command line in this process.
pub(crate) fn be_module(version: &'static str, args: Vec<OsString>) -> ExitCode {
    // A demo that is killed takes its module with it.
    if let Err(error) = set_parent_process_death_signal(Some(Signal::TERM)) {
        note(format_args!("the module would outlive its demo: {error}"));
    }
    sluicegate::cli::main_from(version, std::iter::once(OsString::from("sluicegate")).chain(args))
}

pub(crate) fn run(args: &DemoArgs) -> Result<(), CommandError> {
    let internal = |error: std::io::Error| CommandError::internal(&error);
    let start = Instant::now();
    let plan = Plan::new(args.time, args.rate);
    // Before the first line: its reader may take nothing.
    let stop = stop_channel().map_err(CommandError::no_start)?;
    print(format_args!(
        "sluicegate demo: {} sensors, {} messages a second; hotter than the threshold is an alert",
        plan.sensors,
        thousands(args.rate.into())
    ))?;
    // Removed when it goes out of scope, whatever happens below.
    let temporary = match args.state {
        Some(_) => None,
        None => {
            Some(tempfile::Builder::new().prefix("sluicegate-demo-").tempdir().map_err(internal)?)
        }
    };
    let folder = match (&args.state, &temporary) {
        (Some(folder), _) => folder.as_path(),
        (None, Some(folder)) => folder.path(),
        (None, None) => Path::new(super::STATE_DEFAULT),
    };
    super::descriptors::raise_limit();
    let hub = open_hub(folder, &plan)?;
    let module = start_module(&hub, folder, start)?;
    let stage = Stage::open(hub, &plan).map_err(internal)?;
    let outcome = Show::new(plan, stage, module, stop).run()?;
    let printed = print(format_args!("\n{}", outcome.summary()));
    if outcome.holds() {
        printed
    } else {
        Err(CommandError::refused("the demo's own checks failed".to_owned()))
    }
}

/// A hub on the usual port, or on any other when that is taken.
fn open_hub(folder: &Path, plan: &Plan) -> Result<HubHandle, CommandError> {
    let config = |port| HubConfig {
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        state_dir: folder.to_owned(),
        manifest: manifest(plan.sensors),
        window: WINDOW,
        publish_timeout: PUBLISH_WAIT,
        lossless: true,
        ..HubConfig::default()
    };
    let hub = match Hub::start(config(PORT)) {
        Err(error) if is_address_in_use(&error) => {
            print(format_args!("port {PORT} is taken: the demo uses another"))?;
            start_hub(config(0))?
        }
        other => other.map_err(|error| CommandError::unavailable(error.to_string()))?,
    };
    // A kept folder may remember the end of the last demo.
    set_threshold(&hub, plan::THRESHOLD_START)?;
    Ok(hub)
}

/// Orders a threshold through the twin and gives the version of the desired properties.
fn set_threshold(hub: &HubHandle, threshold: f64) -> Result<u64, CommandError> {
    hub.set_desired(FILTER, json!({ "TemperatureThreshold": threshold }))
        .map_err(|error| CommandError::internal(&error))
}

/// Starts the module and waits until it receives.
fn start_module(hub: &HubHandle, folder: &Path, start: Instant) -> Result<Process, CommandError> {
    let environment = hub.environment(FILTER).map_err(|error| CommandError::internal(&error))?;
    let port = ("SLUICEGATE_GATEWAY_PORT".to_owned(), hub.address().port().to_string());
    let environment = environment.into_iter().chain([port]);
    let mut module = std::env::current_exe()
        .and_then(|program| {
            let mut command = Command::new(program);
            command.args(["module", "run"]);
            Process::start(command, environment, folder.join("module.log"))
        })
        .map_err(|error| CommandError::unavailable(format!("the module cannot start: {error}")))?;
    let deadline = Instant::now() + READY_WAIT;
    while !hub.is_subscribed(FILTER) {
        let problem = match module.ended() {
            Some(status) => format!("the module ended at once: {status}"),
            None if Instant::now() > deadline => {
                format!("the module did not connect in {READY_WAIT:?}")
            }
            None => {
                std::thread::sleep(READY_POLL);
                continue;
            }
        };
        return Err(CommandError::unavailable(format!("{problem}{}", module.log_tail())));
    }
    print(format_args!(
        "hub on {}, filter module in process {}, ready after {:.2} s\n",
        hub.address(),
        module.id(),
        start.elapsed().as_secs_f64()
    ))?;
    Ok(module)
}

/// The module id of a sensor.
fn sensor_name(number: usize) -> String {
    format!("SimulatedTemperatureSensor{number:03}")
}

/// A deployment with this many sensors, all routed to the filter.
fn manifest(sensors: usize) -> Manifest {
    let names = || (0..sensors).map(sensor_name);
    let filter = std::iter::once(FILTER.to_owned());
    let modules: serde_json::Map<String, Value> =
        names().chain(filter).map(|name| (name, json!({}))).collect();
    let mut routes: serde_json::Map<String, Value> = names()
        .map(|name| {
            let source =
                format!("/messages/modules/{name}/outputs/{}", loadgen_hub::simulator::OUTPUT);
            let sink = format!("BrokeredEndpoint(\"/modules/{FILTER}/inputs/input1\")");
            (name, format!("FROM {source} INTO {sink}").into())
        })
        .collect();
    let upstream = format!("FROM /messages/modules/{FILTER}/outputs/output1 INTO $upstream");
    routes.insert(FILTER.to_owned(), upstream.into());
    let text = json!({ "modulesContent": {
        "$edgeAgent": { "properties.desired": { "schemaVersion": "1.1", "modules": modules } },
        "$edgeHub": { "properties.desired": { "schemaVersion": "1.1", "routes": routes } },
        FILTER: { "properties.desired": { "TemperatureThreshold": plan::THRESHOLD_START } },
    }})
    .to_string();
    Manifest::parse(&text, &Variables::default()).expect("the text above is a valid manifest")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_routes_every_sensor_to_the_filter() {
        let manifest = manifest(3);
        assert_eq!((manifest.modules.len(), manifest.routes.len()), (4, 4));
        assert_eq!(manifest.warnings, []);
    }

    #[test]
    fn times_are_long_enough_or_endless() {
        assert_eq!(parse_time("0"), Ok(Duration::ZERO));
        assert_eq!(parse_time("2s"), Ok(Duration::from_secs(2)));
        assert!(parse_time("1s").unwrap_err().contains("at least 2s"));
        assert!(parse_time("x").is_err());
    }
}
