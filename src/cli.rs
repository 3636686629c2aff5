//! The command line: `sluicegate run`, `sluicegate check`, `sluicegate sensor`.
//!
//! Exit codes: 0 after a clean stop, [`EXIT_USAGE`] for wrong arguments or settings (all problems
//! are printed), [`EXIT_START`] when the system refuses what the module needs to start,
//! [`EXIT_NEVER_CONNECTED`] when the sensor was stopped before it had ever connected.

mod help;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use tracing::{error, info, warn};

use crate::broker::TopicFilter;
use crate::broker::settings::{BrokerSettings, Standalone};
use crate::host::logging;
use crate::module::settings::{HubSettings, Proof, Settings, broker_warnings};
use crate::pipeline::metrics::Summary;
use crate::settings::{KnownNames, PREFIX, SettingsError, Spec};
use crate::start::StartError;
use crate::{module, sensor};

/// Wrong arguments or settings (`EX_USAGE` of sysexits.h).
pub const EXIT_USAGE: u8 = 64;
/// The system refused a thread, a descriptor or a signal handler (`EX_OSERR`).
pub const EXIT_START: u8 = 71;
/// The sensor was stopped and had never connected to a hub (`EX_UNAVAILABLE`).
pub const EXIT_NEVER_CONNECTED: u8 = 69;

/// Runs the command that `args` (program name first) ask for, and returns its exit code. `version`
/// is what `--version` tells behind the name.
pub fn main_from(version: &'static str, args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let matches = match help::command().version(version).try_get_matches_from(args) {
        Ok(matches) => matches,
        Err(refused) => {
            // Help and version are not errors; printing fails only where nobody reads.
            let _ = refused.print();
            return if refused.use_stderr() { EXIT_USAGE.into() } else { ExitCode::SUCCESS };
        }
    };
    let env = |name: &str| std::env::var_os(name);
    let (module, sensor): (&[_], &[_]) = (&module::settings::TABLE, &sensor::settings::TABLE);
    let strays = |table: &[_], others: &[_]| strays(table, others, std::env::vars_os());
    match matches.subcommand() {
        Some(("run", matches)) => {
            with(Settings::resolve(matches, env), strays(module, sensor), run)
        }
        Some(("check", matches)) => {
            with(Settings::resolve(matches, env), strays(module, sensor), check)
        }
        Some(("sensor", matches)) => {
            let settings = sensor::settings::SensorSettings::resolve(matches, env);
            with(settings, strays(sensor, module), sense)
        }
        _ => unreachable!("clap requires one of the subcommands"),
    }
}

/// A line for each of `variables` that looks like one of the settings in `table` and is none; those
/// of the other command, in `others`, are known.
fn strays(
    table: &[Spec],
    others: &[Spec],
    variables: impl Iterator<Item = (OsString, OsString)>,
) -> Vec<String> {
    let others = others.iter().map(|spec| spec.env);
    KnownNames::of(PREFIX, table).beside(others).strays(variables)
}

/// Runs `then` with the settings and `strays`, or shows what is wrong with them.
fn with<T>(
    settings: Result<T, SettingsError>,
    strays: Vec<String>,
    then: impl FnOnce(T, Vec<String>) -> ExitCode,
) -> ExitCode {
    match settings {
        Ok(settings) => then(settings, strays),
        Err(problems) => {
            // As for `check`: nobody may be there to read.
            let _ = write!(io::stderr(), "sluicegate: {problems}");
            for line in strays {
                let _ = writeln!(io::stderr(), "warning: {line}");
            }
            EXIT_USAGE.into()
        }
    }
}

fn check(settings: Settings, strays: Vec<String>) -> ExitCode {
    // The exit code is the verdict: a reader that has gone changes nothing about it.
    let _ = writeln!(io::stdout(), "{}", effective(&settings));
    for line in strays.iter().chain(&warnings(&settings)) {
        let _ = writeln!(io::stdout(), "warning: {line}");
    }
    ExitCode::SUCCESS
}

fn run(settings: Settings, strays: Vec<String>) -> ExitCode {
    let _log = match logging::start(settings.log_level, &settings.name()) {
        Ok(log) => log,
        Err(refused) => return no_log(refused),
    };
    info!("sluicegate {} starts: {}", env!("CARGO_PKG_VERSION"), effective(&settings));
    strays.iter().chain(&warnings(&settings)).for_each(|line| warn!("{line}"));
    let has_hub = settings.hub.is_some();
    match module::run(settings) {
        Ok(summary) => {
            info!("{}", summary_line(&summary, has_hub));
            ExitCode::SUCCESS
        }
        Err(refused) => {
            error!("cannot start: {refused}");
            EXIT_START.into()
        }
    }
}

fn no_log(refused: io::Error) -> ExitCode {
    let refused = StartError::from(refused);
    let _ = writeln!(io::stderr(), "sluicegate: cannot start: {refused}");
    EXIT_START.into()
}

/// What the settings allow and is worth a word all the same.
fn warnings(settings: &Settings) -> Vec<String> {
    let broker = settings.broker.as_ref().map_or_else(Vec::new, broker_warnings);
    settings.warnings.iter().cloned().chain(broker).collect()
}

/// One line, without secrets.
fn effective(settings: &Settings) -> String {
    let peers = settings.hub.iter().map(hub).chain(settings.broker.iter().map(broker));
    format!(
        "{}; number at {}, default threshold {}, {} worker(s), linger {:?}, keep-alive {:?}, drain \
         timeout {:?}, held bytes {}, refused alerts to {}",
        peers.collect::<Vec<_>>().join("; "),
        settings.path,
        settings.threshold,
        settings.workers,
        settings.linger,
        settings.keep_alive,
        settings.drain_timeout,
        settings.held_bytes,
        settings.refused_dir.display(),
    )
}

fn hub(hub: &HubSettings) -> String {
    let HubSettings { identity, proof, gateway_port, route, token_lifetime, judge_own_alerts } =
        hub;
    let proof = match proof {
        Proof::Key { roots, .. } => format!("by its own key, {} root(s)", roots.len()),
        Proof::Runtime(workload) => format!("by the edge runtime at {}", workload.address),
    };
    format!(
        "{} at {}:{gateway_port} over {route} (hub {}), {proof}, token lifetime \
         {token_lifetime:?}{}",
        identity.client_id(),
        identity.gateway,
        identity.hub,
        if *judge_own_alerts { ", own alerts judged" } else { "" },
    )
}

fn broker(broker: &BrokerSettings) -> String {
    let BrokerSettings { host, port, route, client_id, filters, standalone, .. } = broker;
    let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
    let client_id = match client_id {
        Some(client_id) => format!("client id {client_id}, session kept"),
        None => "random client id, session not kept".to_owned(),
    };
    let filters: Vec<_> = filters.iter().map(TopicFilter::as_str).collect();
    let mut line =
        format!("broker {host}:{port} over {route}, {client_id}, from {}", filters.join(", "));
    if let Some(Standalone { alerts, control, reported }) = standalone {
        line += &format!(", alerts to {alerts}, control by {control}, reports to {reported}");
    }
    line
}

fn summary_line(summary: &Summary, has_hub: bool) -> String {
    let (receiver, patches) =
        if has_hub { ("hub", "twin callbacks") } else { ("broker", "control patches") };
    let counters = &summary.counters;
    let malformed = counters.not_utf8 + counters.not_json + counters.temperature_not_a_number;
    format!(
        "stopped: {} messages received, {} alerts, {} acknowledged by the {receiver}, {} no alert, \
         {malformed} malformed, {} for other inputs, {} {patches}, {} connection(s), \
         {} renewal(s), {} refused and kept; \
         {} not acknowledged to the source, which delivers them again",
        counters.received,
        counters.alerts,
        counters.forwarded,
        counters.not_alerts,
        counters.other_inputs,
        counters.twin_callbacks,
        counters.connections,
        counters.renewals,
        counters.refused,
        summary.unacknowledged,
    )
}

fn sense(settings: sensor::settings::SensorSettings, strays: Vec<String>) -> ExitCode {
    let name = &settings.enrollment.registration_id;
    let _log = match logging::start(settings.log_level, name) {
        Ok(log) => log,
        Err(refused) => return no_log(refused),
    };
    info!(
        "sluicegate {} sensor starts: {} at {}:{}, telemetry every {:?}, token lifetime {:?}",
        env!("CARGO_PKG_VERSION"),
        settings.enrollment.resource(),
        settings.provisioning_host,
        settings.provisioning_port,
        settings.interval,
        settings.token_lifetime,
    );
    strays.iter().chain(&settings.warnings).for_each(|line| warn!("{line}"));
    let summary = match sensor::run(settings) {
        Ok(summary) => summary,
        Err(refused) => {
            error!("cannot start: {refused}");
            return EXIT_START.into();
        }
    };
    let counters = &summary.counters;
    info!(
        "stopped: {} telemetry messages acknowledged, {} waiting, {} dropped, {} commands, \
         {} property changes, {} registration(s), {} connection(s)",
        counters.telemetry_acknowledged,
        summary.telemetry_waiting,
        counters.telemetry_dropped,
        counters.commands,
        counters.changes,
        counters.registrations,
        counters.connections,
    );
    if counters.connections > 0 {
        return ExitCode::SUCCESS;
    }
    let cause = summary.failure.as_deref().unwrap_or("it was stopped before");
    error!("the device could not connect: {cause}");
    EXIT_NEVER_CONNECTED.into()
}

#[cfg(test)]
mod tests;
