//! Every setting of `sluicegate run`, by the layers of [`settings`](crate::settings).

mod broker;
mod hub;
mod identity;
mod pipeline;
mod table;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgMatches, Command};
use tracing_subscriber::filter::LevelFilter;

use crate::broker::settings::BrokerSettings;
use crate::pipeline::limits::{HELD_BYTES_MAX, HELD_BYTES_MIN};
use crate::pipeline::parse::JsonPath;
use crate::pipeline::threshold::Threshold;
use crate::settings::layers::{self, Layers};
use crate::settings::{SettingsError, log_level, values};
use table::{
    ALIASES, CONFIG, DRAIN_TIMEOUT, HEADINGS, HELD_BYTES, KEEP_ALIVE, LINGER, LOG_LEVEL, PATH,
    PUBACK_TIMEOUT, REFUSED_DIR, THRESHOLD, WORKERS,
};

pub(crate) use broker::warnings as broker_warnings;
pub use hub::HubSettings;
pub use identity::Proof;
pub use table::TABLE;

/// Longest wait for messages to come together: about what ten wake-ups of a thread cost.
const LINGER_MAX: Duration = Duration::from_micros(200);

/// Checked settings; there is a hub, a broker, or both.
#[derive(Clone)]
pub struct Settings {
    /// The hub, where the module has an identity.
    pub hub: Option<HubSettings>,
    /// A plain broker as source.
    pub broker: Option<BrokerSettings>,
    /// The member of a message that is compared.
    pub path: JsonPath,
    /// Longest wait for messages to come together.
    pub linger: Duration,
    /// Threshold until another one is set from outside.
    pub threshold: Threshold,
    /// Parser threads; none: the ingest thread parses.
    pub workers: usize,
    /// MQTT keep-alive.
    pub keep_alive: Duration,
    /// Longest wait for the PUBACK of an alert, on a connection that is alive.
    pub puback_timeout: Duration,
    /// Longest drain.
    pub drain_timeout: Duration,
    /// Most bytes held.
    pub held_bytes: usize,
    /// Where alerts are kept that their receiver does not take.
    pub refused_dir: PathBuf,
    /// Log level.
    pub log_level: LevelFilter,
    /// What is worth a word although it is allowed, one line each.
    pub warnings: Vec<String>,
}

/// Adds a flag for each row of the table that may have one.
pub fn add_flags(command: Command) -> Command {
    layers::add_flags(command, &TABLE, &HEADINGS)
}

/// The rows without a flag, for the help.
pub(crate) fn variables_help() -> String {
    layers::variables_help(&TABLE)
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
        let mut layers = Layers::read(&TABLE, &ALIASES, Some(&CONFIG), matches, env);
        let hub = hub::resolve(&mut layers);
        let broker = broker::resolve(&mut layers);
        let path = layers.required(&PATH, |text| text.parse().map_err(values::text));
        let linger = layers
            .required(&LINGER, |text| values::duration_within(text, Duration::ZERO, LINGER_MAX));
        let threshold = layers.required(&THRESHOLD, pipeline::threshold);
        let workers = layers.required(&WORKERS, pipeline::workers);
        let keep_alive = layers.required(&KEEP_ALIVE, |text| values::duration(text, 5..=1177));
        let puback_timeout =
            layers.required(&PUBACK_TIMEOUT, |text| values::duration(text, 5..=3600));
        let drain_timeout = layers.required(&DRAIN_TIMEOUT, |text| values::duration(text, 0..=60));
        let held_bytes = layers
            .required(&HELD_BYTES, |text| values::number(text, HELD_BYTES_MIN..=HELD_BYTES_MAX));
        let refused_dir = layers.required(&REFUSED_DIR, |text| Ok(PathBuf::from(text)));
        let log_level = log_level::resolve(&mut layers, &LOG_LEVEL);
        layers.finish(|warnings| {
            Some(Self {
                hub,
                broker,
                path: path?,
                linger: linger?,
                threshold: threshold?,
                workers: workers?,
                keep_alive: keep_alive?,
                puback_timeout: puback_timeout?,
                drain_timeout: drain_timeout?,
                held_bytes: held_bytes?,
                refused_dir: refused_dir?,
                log_level: log_level?,
                warnings,
            })
        })
    }
}

impl Settings {
    /// What the process is called in its log: the module's identity, or else the client id.
    pub fn name(&self) -> String {
        let hub = self.hub.as_ref().map(|hub| hub.identity.client_id());
        let broker = || Some(self.broker.as_ref()?.client_id().to_owned());
        hub.or_else(broker).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
