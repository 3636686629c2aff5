//! The command line: `sluicegate run`, `sluicegate check`, `sluicegate sensor`.
//!
//! Exit codes: 0 after a clean stop, [`EXIT_USAGE`] for wrong arguments or settings (all problems
//! are printed), [`EXIT_START`] when the system refuses what the module needs to start,
//! [`EXIT_NEVER_CONNECTED`] when the sensor was stopped before it had ever connected.

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{ArgMatches, Command};
use tracing::{error, info, warn};

use crate::broker::TopicFilter;
use crate::metrics::Summary;
use crate::settings::{
    self, BrokerSettings, HubSettings, Proof, Settings, SettingsError, Standalone,
};
use crate::{logging, module, sensor};

/// Wrong arguments or settings (`EX_USAGE` of sysexits.h).
pub const EXIT_USAGE: u8 = 64;
/// The system refused a thread, a descriptor or a signal handler (`EX_OSERR`).
pub const EXIT_START: u8 = 71;
/// The sensor was stopped and had never connected to a hub (`EX_UNAVAILABLE`).
pub const EXIT_NEVER_CONNECTED: u8 = 69;

/// Runs the command that `args` (program name first) ask for, and returns its exit code. `version` is
/// what `--version` tells behind the name.
pub fn main_from(version: &'static str, args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let matches = match command().version(version).try_get_matches_from(args) {
        Ok(matches) => matches,
        Err(refused) => {
            // Help and version are not errors; printing fails only where nobody reads.
            let _ = refused.print();
            return if refused.use_stderr() { EXIT_USAGE.into() } else { ExitCode::SUCCESS };
        }
    };
    match matches.subcommand() {
        Some(("run", matches)) => with(module_settings(matches), run),
        Some(("check", matches)) => with(module_settings(matches), |settings| {
            // The exit code is the verdict: a reader that has gone changes nothing about it.
            let _ = writeln!(io::stdout(), "{}", effective(&settings));
            for line in warnings(&settings) {
                let _ = writeln!(io::stdout(), "warning: {line}");
            }
            ExitCode::SUCCESS
        }),
        Some(("sensor", matches)) => {
            with(sensor::settings::Settings::resolve(matches, |name| std::env::var_os(name)), sense)
        }
        _ => unreachable!("clap requires one of the subcommands"),
    }
}

fn command() -> Command {
    let run = Command::new("run").about("Run the filter module until SIGTERM, SIGINT or SIGHUP");
    let check = Command::new("check").about("Check the settings, show them, and exit");
    let sensor = Command::new("sensor")
        .about("Run the IoT Central environmental sensor until q and Enter or a signal to stop");
    Command::new("sluicegate")
        .about("Forwards only the sensor messages that exceed a live threshold")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(settings::add_flags(run))
        .subcommand(settings::add_flags(check))
        .subcommand(sensor::settings::add_flags(sensor))
}

fn module_settings(matches: &ArgMatches) -> Result<Settings, SettingsError> {
    Settings::resolve(matches, |name| std::env::var_os(name))
}

fn with<T>(settings: Result<T, SettingsError>, then: impl FnOnce(T) -> ExitCode) -> ExitCode {
    match settings {
        Ok(settings) => then(settings),
        Err(problems) => {
            // As for `check`: nobody may be there to read.
            let _ = write!(io::stderr(), "sluicegate: {problems}");
            EXIT_USAGE.into()
        }
    }
}

fn run(settings: Settings) -> ExitCode {
    let _log = match logging::start(settings.log_level, &settings.name()) {
        Ok(log) => log,
        Err(refused) => return no_log(refused),
    };
    info!("sluicegate {} starts: {}", env!("CARGO_PKG_VERSION"), effective(&settings));
    warnings(&settings).iter().for_each(|line| warn!("{line}"));
    match module::run(settings) {
        Ok(summary) => {
            info!("{}", summary_line(&summary));
            ExitCode::SUCCESS
        }
        Err(refused) => {
            error!("cannot start: {refused}");
            EXIT_START.into()
        }
    }
}

fn no_log(refused: io::Error) -> ExitCode {
    let refused = module::StartError::from(refused);
    let _ = writeln!(io::stderr(), "sluicegate: cannot start: {refused}");
    EXIT_START.into()
}

/// What the settings allow and is worth a word all the same.
fn warnings(settings: &Settings) -> Vec<String> {
    settings.broker.as_ref().map_or_else(Vec::new, BrokerSettings::warnings)
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

fn summary_line(summary: &Summary) -> String {
    let counters = &summary.counters;
    let malformed = counters.not_utf8 + counters.not_json + counters.temperature_not_a_number;
    format!(
        "stopped: {} messages received, {} alerts, {} acknowledged by the hub, {} no alert, \
         {malformed} malformed, {} for other inputs, {} twin callbacks, {} connection(s), \
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

fn sense(settings: sensor::settings::Settings) -> ExitCode {
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
mod tests {
    use super::*;

    fn shown(variables: &[(&str, &str)]) -> String {
        effective(&resolved(variables))
    }

    fn resolved(variables: &[(&str, &str)]) -> Settings {
        let matches = command().try_get_matches_from(["sluicegate", "check"]).unwrap();
        let (_, matches) = matches.subcommand().expect("a subcommand");
        let settings = Settings::resolve(matches, |name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into())
        });
        settings.unwrap_or_else(|problems| panic!("{problems}"))
    }

    /// Each part is shown, and neither user nor password.
    #[test]
    fn a_broker_is_shown_without_its_login() {
        let line = shown(&[
            ("SLUICEGATE_BROKER", "mqtt://jane:hunter2@[::1]:5"),
            ("SLUICEGATE_CLIENT_ID", "gate"),
            ("SLUICEGATE_SUBSCRIBE", "a/#,$share/g/b"),
            ("SLUICEGATE_PATH", "p.q"),
            ("SLUICEGATE_LINGER", "50us"),
            ("SLUICEGATE_WORKERS", "0"),
        ]);
        let parts = [
            "broker [::1]:5 over TCP without TLS, client id gate, session kept, from a/#, $share/g/b",
            "alerts to alerts/{topic}, control by sluicegate/desired, reports to sluicegate/reported;",
            "number at p.q, default threshold 25, 0 worker(s), linger 50µs",
        ];
        for part in parts {
            assert!(line.contains(part), "{part}: {line}");
        }
        assert!(!line.contains("jane") && !line.contains("hunter2"), "{line}");
        assert!(!line.contains('\n'), "{line}");
    }

    /// An overlap of filters is told at the start and by `check`, by one line that names both.
    #[test]
    fn an_overlap_of_filters_is_told_once() {
        let told = |filters: &str| {
            let variables = [("SLUICEGATE_BROKER", "mqtt://h"), ("SLUICEGATE_SUBSCRIBE", filters)];
            warnings(&resolved(&variables))
        };
        assert_eq!(told("a/#,b/#,$SYS/#,a/#"), [""; 0]);
        for filters in ["a/#,b/1,a/+", "$share/g/a/+,x,a/1", "$share/g/a,$share/h/a"] {
            let lines = told(filters);
            let [line] = lines.as_slice() else { panic!("{lines:?}") };
            let ends = [filters.split(',').next(), filters.rsplit(',').next()];
            for filter in ends.into_iter().flatten() {
                assert!(line.contains(&format!("{filter:?}")), "{filter}: {line}");
            }
            for part in ["--subscribe", "overlap", "once for each", "3.3.5", "forwarded"] {
                assert!(line.contains(part), "{part}: {line}");
            }
        }
        let many: Vec<_> = (0..8).map(|n| format!("a/{}#", "+/".repeat(n))).collect();
        let lines = told(&many.join(","));
        assert_eq!(lines.len(), 11);
        assert!(lines[10].contains("18 more pairs"), "{}", lines[10]);
    }

    #[test]
    fn a_hub_and_a_broker_are_shown_together() {
        let hub = [
            ("IOTEDGE_WORKLOADURI", "unix:///run/w.sock"),
            ("IOTEDGE_AUTHSCHEME", "sasToken"),
            ("IOTEDGE_MODULEGENERATIONID", "1"),
            ("IOTEDGE_IOTHUBHOSTNAME", "h.net"),
            ("IOTEDGE_GATEWAYHOSTNAME", "edge"),
            ("IOTEDGE_DEVICEID", "d"),
            ("IOTEDGE_MODULEID", "m"),
        ];
        let expected = "d/m at edge:8883 over TLS (hub h.net), by the edge runtime at \
                        unix:///run/w.sock, token lifetime 3600s; number at machine.temperature, ";
        assert!(shown(&hub).starts_with(expected), "{}", shown(&hub));
        let both = [&hub[..], &[("SLUICEGATE_BROKER", "mqtt://b")]].concat();
        let expected = "; broker b:1883 over TCP without TLS, random client id, session not kept, \
                        from sensors/#; number";
        assert!(shown(&both).contains(expected), "{}", shown(&both));
    }
}
