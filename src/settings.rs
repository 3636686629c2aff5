//! Every setting of `sluicegate run`: one table, four layers, all errors at once.
//!
//! A setting is looked for in the flags, then in the environment (empty counts as unset), then in
//! the TOML file, then it has its default. Everything is read and checked before anything starts,
//! and every problem is reported, not only the first.

pub(crate) mod layers;
pub(crate) mod values;

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgMatches, Command};
use rustls::pki_types::CertificateDer;
use tracing_subscriber::filter::LevelFilter;

use crate::azure::ConnectionString;
use crate::threshold::Threshold;
use layers::Layers;

/// One row of the settings table.
#[derive(Debug, Clone, Copy)]
pub struct Spec {
    /// Flag without its dashes; `_` for `-` gives the key in the TOML file. A secret has neither.
    pub name: &'static str,
    /// Environment variable.
    pub env: &'static str,
    /// Value when nothing is given; empty where there is none.
    pub default: &'static str,
    /// What values look like, with their unit.
    pub value: &'static str,
    /// What it does.
    pub help: &'static str,
    /// Taken from the environment alone: arguments are visible to every process of the device.
    pub is_secret: bool,
}

/// A row that is no secret.
pub(crate) const fn row(
    name: &'static str,
    env: &'static str,
    default: &'static str,
    value: &'static str,
    help: &'static str,
) -> Spec {
    Spec { name, env, default, value, help, is_secret: false }
}

const CONNECTION_STRING: Spec = Spec {
    name: "connection-string",
    env: "EdgeHubConnectionString",
    default: "",
    value: "HostName=...;GatewayHostName=...;DeviceId=...;ModuleId=...;SharedAccessKey=...",
    help: "identity of the module and its key",
    is_secret: true,
};
const CA_FILE: Spec = row(
    "ca-file",
    "EdgeModuleCACertificateFile",
    "",
    "path of a PEM file",
    "the only root certificates that are trusted",
);
const GATEWAY_PORT: Spec = row(
    "gateway-port",
    "SLUICEGATE_GATEWAY_PORT",
    "8883",
    "TCP port, 1 to 65535",
    "port of the gateway's MQTT listener",
);
const THRESHOLD: Spec = row(
    "threshold",
    "SLUICEGATE_THRESHOLD",
    "25",
    "number, in the sensors' unit",
    "threshold while the twin has no `TemperatureThreshold`",
);
const WORKERS: Spec = row(
    "workers",
    "SLUICEGATE_WORKERS",
    "auto",
    "threads, 1 to 64, or auto",
    "parser threads; auto is one per core",
);
const KEEP_ALIVE: Spec = row(
    "keep-alive",
    "SLUICEGATE_KEEP_ALIVE",
    "60s",
    "duration, 5s to 1177s",
    "MQTT keep-alive; half of it without an answer ends the connection",
);
const TOKEN_LIFETIME: Spec = row(
    "token-lifetime",
    "SLUICEGATE_TOKEN_LIFETIME",
    "1h",
    "duration, 1m to 30days",
    "life of the SAS token that a connection begins with",
);
const DRAIN_TIMEOUT: Spec = row(
    "drain-timeout",
    "SLUICEGATE_DRAIN_TIMEOUT",
    "5s",
    "duration, 0s to 60s",
    "longest wait for outstanding acknowledgements at SIGTERM or SIGINT",
);
const HELD_BYTES: Spec = row(
    "held-bytes",
    "SLUICEGATE_HELD_BYTES",
    "67108864",
    "bytes, 1048576 or more",
    "messages received and not yet acknowledged may take this much",
);
const LOG_LEVEL: Spec = row(
    "log-level",
    "RuntimeLogLevel",
    "info",
    "fatal, error, warning, info, debug, verbose",
    "debug shows every message",
);
const CONFIG: Spec = row(
    "config",
    "SLUICEGATE_CONFIG",
    "",
    "path of a TOML file",
    "settings by the flags' names with `_` for `-`",
);

/// The settings table: README shows it, and a test keeps the two equal.
pub const TABLE: [Spec; 11] = [
    CONNECTION_STRING,
    CA_FILE,
    GATEWAY_PORT,
    THRESHOLD,
    WORKERS,
    KEEP_ALIVE,
    TOKEN_LIFETIME,
    DRAIN_TIMEOUT,
    HELD_BYTES,
    LOG_LEVEL,
    CONFIG,
];

/// Checked settings.
#[derive(Clone)]
pub struct Settings {
    /// Identity and key.
    pub connection: ConnectionString,
    /// Trusted roots.
    pub roots: Vec<CertificateDer<'static>>,
    /// Port of the gateway.
    pub gateway_port: u16,
    /// Threshold without a twin.
    pub threshold: Threshold,
    /// Parser threads.
    pub workers: usize,
    /// MQTT keep-alive.
    pub keep_alive: Duration,
    /// Life of a token.
    pub token_lifetime: Duration,
    /// Longest drain.
    pub drain_timeout: Duration,
    /// Most bytes held.
    pub held_bytes: usize,
    /// Log level.
    pub log_level: LevelFilter,
}

/// Everything that is wrong with the settings; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsError(pub Vec<String>);

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} problem(s) with the settings:", self.0.len())?;
        self.0.iter().try_for_each(|problem| writeln!(f, "- {problem}"))
    }
}

impl std::error::Error for SettingsError {}

/// Adds a flag for each row of the table that may have one.
pub fn add_flags(command: Command) -> Command {
    layers::add_flags(command, &TABLE)
}

impl Settings {
    /// Reads all layers: flags from `matches` (made by [`add_flags`]), variables by `env`, the file
    /// that one of them names.
    ///
    /// # Errors
    /// Every problem there is.
    pub fn resolve(
        matches: &ArgMatches,
        env: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, SettingsError> {
        let mut layers = Layers::read(&TABLE, Some(&CONFIG), matches, env);
        let connection = layers.required(&CONNECTION_STRING, |text| {
            let connection: ConnectionString = text.parse().map_err(values::text)?;
            if connection.identity.module.is_none() {
                return Err("ModuleId is missing: a filter is a module of an edge device".into());
            }
            Ok(connection)
        });
        let roots = layers.required(&CA_FILE, |path| values::certificates(&PathBuf::from(path)));
        let gateway_port = layers.required(&GATEWAY_PORT, |text| values::number(text, 1..=65_535));
        let threshold = layers.required(&THRESHOLD, values::threshold);
        let workers = layers.required(&WORKERS, values::workers);
        let keep_alive = layers.required(&KEEP_ALIVE, |text| values::duration(text, 5..=1177));
        let token_lifetime =
            layers.required(&TOKEN_LIFETIME, |text| values::duration(text, 60..=2_592_000));
        let drain_timeout = layers.required(&DRAIN_TIMEOUT, |text| values::duration(text, 0..=60));
        let held_bytes =
            layers.required(&HELD_BYTES, |text| values::number(text, 1_048_576..=usize::MAX));
        let log_level = layers.required(&LOG_LEVEL, values::log_level);
        let all = || {
            Some(Self {
                connection: connection?,
                roots: roots?,
                gateway_port: gateway_port?,
                threshold: threshold?,
                workers: workers?,
                keep_alive: keep_alive?,
                token_lifetime: token_lifetime?,
                drain_timeout: drain_timeout?,
                held_bytes: held_bytes?,
                log_level: log_level?,
            })
        };
        layers.finish(all())
    }
}

#[cfg(test)]
mod tests;
