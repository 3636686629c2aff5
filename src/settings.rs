//! Every setting of `sluicegate run`: one table, four layers, all errors at once.
//!
//! A setting is looked for in the flags, then in the environment (empty counts as unset), then in
//! the TOML file, then it has its default. Everything is read and checked before anything starts,
//! and every problem is reported, not only the first.

mod identity;
pub(crate) mod layers;
mod table;
pub(crate) mod values;

use std::ffi::OsString;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use clap::{ArgMatches, Command};
use tracing_subscriber::filter::LevelFilter;

use crate::azure::Identity;
use crate::mqtt::{Proxy, Route};
use crate::threshold::Threshold;
use layers::Layers;
use table::{
    ALIASES, CONFIG, DRAIN_TIMEOUT, GATEWAY_PORT, HELD_BYTES, KEEP_ALIVE, LOG_LEVEL, NO_PROXY,
    PLAIN, PROXY, THRESHOLD, TOKEN_LIFETIME, WEBSOCKET, WORKERS,
};

pub use identity::Proof;
pub(crate) use table::row;
pub use table::{Spec, TABLE};

/// Port of MQTT over WebSocket, unless another is given.
const WEBSOCKET_PORT: u16 = 443;
/// Port of MQTT without TLS, unless another is given.
const PLAIN_PORT: u16 = 1883;
/// Shortest life of a token: for tests of its renewal. Tokens end on whole seconds.
const TOKEN_LIFETIME_MIN: Duration = Duration::from_millis(500);
/// Longest life of a token.
const TOKEN_LIFETIME_MAX: Duration = Duration::from_secs(30 * 24 * 3600);

/// Checked settings.
#[derive(Clone)]
pub struct Settings {
    /// Who the module is.
    pub identity: Identity,
    /// How it proves that, and whom it trusts.
    pub proof: Proof,
    /// Port of the gateway.
    pub gateway_port: u16,
    /// The way to it.
    pub route: Route,
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
        let mut layers =
            Layers::read(&TABLE, Some(&CONFIG), matches, |name| by_any_name(name, &env));
        let transport = transport(&mut layers);
        let identity = identity::resolve(&mut layers, transport == Some(Transport::Plain));
        let gateway_port = match (transport, layers.source(&GATEWAY_PORT)) {
            (Some(Transport::WebSocket), None) => Some(WEBSOCKET_PORT),
            (Some(Transport::Plain), None) => Some(PLAIN_PORT),
            _ => layers.required(&GATEWAY_PORT, |text| values::number(text, 1..=65_535)),
        };
        let route = match (transport, &identity) {
            (Some(transport), Some((identity, _))) => {
                route(&mut layers, transport, &identity.gateway)
            }
            _ => None,
        };
        let threshold = layers.required(&THRESHOLD, values::threshold);
        let workers = layers.required(&WORKERS, values::workers);
        let keep_alive = layers.required(&KEEP_ALIVE, |text| values::duration(text, 5..=1177));
        let token_lifetime = layers.required(&TOKEN_LIFETIME, |text| {
            values::duration_within(text, TOKEN_LIFETIME_MIN, TOKEN_LIFETIME_MAX)
        });
        let drain_timeout = layers.required(&DRAIN_TIMEOUT, |text| values::duration(text, 0..=60));
        let held_bytes =
            layers.required(&HELD_BYTES, |text| values::number(text, 1_048_576..=usize::MAX));
        let log_level = layers.required(&LOG_LEVEL, values::log_level);
        let all = || {
            let (identity, proof) = identity?;
            Some(Self {
                identity,
                proof,
                gateway_port: gateway_port?,
                route: route?,
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

/// The variable, or what other programs call it; the first that is not empty.
fn by_any_name(name: &str, env: impl Fn(&str) -> Option<OsString>) -> Option<OsString> {
    let aliases = ALIASES.iter().find(|(known, _)| *known == name).map_or(&[][..], |(_, a)| a);
    let names = std::iter::once(name).chain(aliases.iter().copied());
    names.filter_map(env).find(|value| !value.is_empty())
}

/// What carries MQTT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Transport {
    Tls,
    WebSocket,
    Plain,
}

fn transport(layers: &mut Layers) -> Option<Transport> {
    let websocket = layers.required(&WEBSOCKET, values::switch);
    let plain = layers.required(&PLAIN, values::switch);
    match (websocket?, plain?) {
        (false, false) => Some(Transport::Tls),
        (true, false) => Some(Transport::WebSocket),
        (false, true) => Some(Transport::Plain),
        (true, true) => {
            let sources = [&PLAIN, &WEBSOCKET].map(|spec| layers.source(spec).unwrap_or(spec.name));
            layers.problem(format!(
                "{}: WebSocket runs over TLS, which plain leaves out; set one of the two to false",
                sources.join(" and ")
            ));
            None
        }
    }
}

fn route(layers: &mut Layers, transport: Transport, host: &str) -> Option<Route> {
    match transport {
        Transport::Tls => Some(Route::Direct),
        Transport::WebSocket => websocket_route(layers, host),
        Transport::Plain => plain_route(layers, host),
    }
}

/// An address is judged here; a name is at each connect, by what it then resolves to.
fn plain_route(layers: &mut Layers, host: &str) -> Option<Route> {
    if host.parse().is_ok_and(|address: IpAddr| !address.is_loopback()) {
        let source = layers.source(&PLAIN).unwrap_or(PLAIN.name);
        layers.problem(format!(
            "{source}: the gateway {host} is no loopback address (127.0.0.0/8, ::1), and without \
             TLS the token would cross the network in clear; leave plain out"
        ));
        return None;
    }
    Some(Route::Plain)
}

fn websocket_route(layers: &mut Layers, host: &str) -> Option<Route> {
    let exceptions = layers.optional(&NO_PROXY, |text| Ok(text.to_owned())).unwrap_or_default();
    if layers.source(&PROXY).is_none() {
        return Some(Route::WebSocket { proxy: None });
    }
    let proxy = layers
        .optional(&PROXY, |url| Proxy::to(host, url.trim(), &exceptions).map_err(values::text))?;
    Some(Route::WebSocket { proxy })
}

#[cfg(test)]
mod tests;
