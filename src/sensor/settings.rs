//! Every setting of `sluicegate sensor`: one table, read from flags, environment and defaults.
//!
//! Exactly one of four settings holds the key. Its flags exist, but what stands on a command line
//! is visible to every process of the device: give it by variable or by file.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{ArgMatches, Command};
use tracing_subscriber::filter::LevelFilter;

use crate::azure::Key;
use crate::azure::dps::Enrollment;
use crate::host::files;
use crate::host::files::reread::Reread;
use crate::mqtt::tls::pem;
use crate::mqtt::tls::{CaSource, TlsFiles, TlsSettings, client_config, flaw};
use crate::mqtt::{Names, Peer};
use crate::settings::layers::{self, Layers};
use crate::settings::{SettingsError, Spec, log_level, row, values};

const ID_SCOPE: Spec = row(
    "id-scope",
    "SLUICEGATE_ID_SCOPE",
    "",
    "such as 0ne00ABCDEF",
    "id scope of the provisioning service",
);
const REGISTRATION_ID: Spec = row(
    "registration-id",
    "SLUICEGATE_REGISTRATION_ID",
    "",
    "lower-case letters, digits, - . _ :",
    "registration id of the device",
);
const KEY: Spec = row(
    "key",
    "SLUICEGATE_KEY",
    "",
    "base64",
    "key of the device; as a flag it is visible to other processes",
);
const KEY_FILE: Spec =
    row("key-file", "SLUICEGATE_KEY_FILE", "", "path", "file that holds the key of the device");
const GROUP_KEY: Spec = row(
    "group-key",
    "SLUICEGATE_GROUP_KEY",
    "",
    "base64",
    "key of the enrollment group, from which the device's is derived; as a flag it is visible to \
     other processes",
);
const GROUP_KEY_FILE: Spec = row(
    "group-key-file",
    "SLUICEGATE_GROUP_KEY_FILE",
    "",
    "path",
    "file that holds the key of the enrollment group",
);
const PROVISIONING_HOST: Spec = row(
    "provisioning-host",
    "SLUICEGATE_PROVISIONING_HOST",
    "global.azure-devices-provisioning.net",
    "host name",
    "where to register",
);
const PROVISIONING_PORT: Spec = row(
    "provisioning-port",
    "SLUICEGATE_PROVISIONING_PORT",
    "8883",
    "TCP port, 1 to 65535",
    "port of the provisioning service's MQTT listener",
);
const HUB_PORT: Spec = row(
    "hub-port",
    "SLUICEGATE_HUB_PORT",
    "8883",
    "TCP port, 1 to 65535",
    "port of the assigned hub's MQTT listener",
);
const CA_FILE: Spec = row(
    "ca-file",
    "SLUICEGATE_CA_FILE",
    "",
    "path of a PEM file",
    "the only root certificates that are trusted, instead of the system's",
);
const INTERVAL: Spec = row(
    "interval",
    "SLUICEGATE_INTERVAL",
    "2s",
    "duration, 10ms to 1day",
    "time from one telemetry message to the next",
);
const MODEL_ID: Spec = row(
    "model-id",
    "SLUICEGATE_MODEL_ID",
    "",
    "dtmi:...;1",
    "DTDL model that is announced to the service and to the hub",
);
const TOKEN_LIFETIME: Spec = row(
    "token-lifetime",
    "SLUICEGATE_TOKEN_LIFETIME",
    "1h",
    "duration, 1s to 30days",
    "life of a SAS token; it is renewed after four fifths of it",
);
const LOG_LEVEL: Spec = row(
    "log-level",
    "RuntimeLogLevel",
    "info",
    "fatal, error, warning, info (or information), debug, verbose",
    "debug shows every message; as edgeHub does, an unknown level counts as info, with a warning",
);

/// What the settings of the provisioning service are called.
pub const PROVISIONING_NAMES: Names = Names {
    peer: Peer::Provisioning,
    host: "SLUICEGATE_PROVISIONING_HOST",
    port: "SLUICEGATE_PROVISIONING_PORT",
    way: "",
    identity: "SLUICEGATE_ID_SCOPE, SLUICEGATE_REGISTRATION_ID, SLUICEGATE_KEY, \
               SLUICEGATE_GROUP_KEY",
    client_id: "SLUICEGATE_REGISTRATION_ID",
    keep_alive: "",
    roots: "SLUICEGATE_CA_FILE",
    certificate: "",
    proxy: "",
};
/// What the settings of the assigned hub are called.
pub const HUB_NAMES: Names = Names {
    peer: Peer::Hub,
    host: "SLUICEGATE_PROVISIONING_HOST",
    port: "SLUICEGATE_HUB_PORT",
    ..PROVISIONING_NAMES
};

/// The settings table.
pub const TABLE: [Spec; 14] = [
    ID_SCOPE,
    REGISTRATION_ID,
    KEY,
    KEY_FILE,
    GROUP_KEY,
    GROUP_KEY_FILE,
    PROVISIONING_HOST,
    PROVISIONING_PORT,
    HUB_PORT,
    CA_FILE,
    INTERVAL,
    MODEL_ID,
    TOKEN_LIFETIME,
    LOG_LEVEL,
];

/// Under which heading the rows stand that begin with this one.
const HEADINGS: [(&str, &str); 4] = [
    (ID_SCOPE.name, "Device"),
    (PROVISIONING_HOST.name, "Where it registers"),
    (INTERVAL.name, "What it does"),
    (LOG_LEVEL.name, "Running"),
];
/// The settings that may hold the key.
const KEYS: [Spec; 4] = [KEY, KEY_FILE, GROUP_KEY, GROUP_KEY_FILE];
/// Longest file that can be one key.
const KEY_FILE_BYTES_MAX: u64 = 4096;
/// Longest model id (DTDL v2: Digital Twin Model Identifier).
const MODEL_ID_LEN_MAX: usize = 128;

/// Checked settings.
#[derive(Clone)]
pub struct SensorSettings {
    /// Who registers.
    pub enrollment: Enrollment,
    /// Key of the device; derived where a group's was given.
    pub key: Reread<Key>,
    /// Where to register.
    pub provisioning_host: String,
    /// Port there.
    pub provisioning_port: u16,
    /// Port of the assigned hub.
    pub hub_port: u16,
    /// Trusted roots.
    pub tls: Reread<TlsSettings>,
    /// Time between telemetry messages.
    pub interval: Duration,
    /// Announced DTDL model.
    pub model_id: Option<String>,
    /// Life of a token.
    pub token_lifetime: Duration,
    /// Log level.
    pub log_level: LevelFilter,
    /// What is worth a word although it is allowed, one line each.
    pub warnings: Vec<String>,
}

/// Adds a flag for each row of the table.
pub fn add_flags(command: Command) -> Command {
    layers::add_flags(command, &TABLE, &HEADINGS)
}

impl SensorSettings {
    /// Reads all layers: flags from `matches` (made by [`add_flags`]), variables by `env`.
    ///
    /// # Errors
    /// Every problem there is; keys are in none of them.
    pub fn resolve(
        matches: &ArgMatches,
        env: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, SettingsError> {
        let mut layers = Layers::read(&TABLE, &[], None, matches, env);
        let id_scope = layers.required(&ID_SCOPE, id_scope);
        let registration_id = layers.required(&REGISTRATION_ID, registration_id);
        let key = key(&mut layers, registration_id.as_deref());
        let provisioning_host = layers.required(&PROVISIONING_HOST, host);
        let port = |text: &str| values::number(text, 1..=65_535);
        let provisioning_port = layers.required(&PROVISIONING_PORT, port);
        let hub_port = layers.required(&HUB_PORT, port);
        let tls = tls(&mut layers);
        let interval = layers.required(&INTERVAL, |text| {
            let (least, most) = (Duration::from_millis(10), Duration::from_secs(86_400));
            values::duration_within(text, least, most)
        });
        let model_id = layers.optional(&MODEL_ID, model_id);
        let token_lifetime =
            layers.required(&TOKEN_LIFETIME, |text| values::duration(text, 1..=2_592_000));
        let log_level = log_level::resolve(&mut layers, &LOG_LEVEL);
        layers.finish(|warnings| {
            Some(Self {
                enrollment: Enrollment { id_scope: id_scope?, registration_id: registration_id? },
                key: key?,
                provisioning_host: provisioning_host?,
                provisioning_port: provisioning_port?,
                hub_port: hub_port?,
                tls: tls?,
                interval: interval?,
                model_id,
                token_lifetime: token_lifetime?,
                log_level: log_level?,
                warnings,
            })
        })
    }
}

/// The key of the device, from the one setting that holds it.
fn key(layers: &mut Layers, registration_id: Option<&str>) -> Option<Reread<Key>> {
    let given: Vec<_> =
        KEYS.iter().filter_map(|spec| layers.source(spec).map(str::to_owned)).collect();
    if given.len() != 1 {
        let names = KEYS.map(|spec| spec.env).join(", ");
        layers.problem(match given.len() {
            0 => format!("the key is not set: give one of {names}"),
            _ => format!("the key is given more than once ({}): give one", given.join(", ")),
        });
        return None;
    }
    let key = layers.optional(&KEY, parse_key).map(Reread::from);
    let key = key.or_else(|| layers.optional(&KEY_FILE, |path| key_in_file(path, Key::clone)));
    // Whatever is given is checked even when the id could not be read.
    let id = registration_id.unwrap_or_default().to_owned();
    let group_key = layers.optional(&GROUP_KEY, parse_key).map(|key| key.derive(&id).into());
    key.or(group_key)
        .or_else(|| {
            layers.optional(&GROUP_KEY_FILE, |path| key_in_file(path, move |key| key.derive(&id)))
        })
        .filter(|_| registration_id.is_some())
}

/// What `made` makes of the key in a file, which is read again for each connection.
fn key_in_file(
    path: &str,
    made: impl Fn(&Key) -> Key + Send + Sync + 'static,
) -> Result<Reread<Key>, String> {
    let file = PathBuf::from(path);
    let read = {
        let path = path.to_owned();
        move || read_key(&path).map(|key| made(&key))
    };
    Ok(Reread::new(read()?, [file], move |_| read().map(Some)))
}

fn parse_key(text: &str) -> Result<Key, String> {
    Key::from_base64(text.trim()).map_err(values::text)
}

fn read_key(path: &str) -> Result<Key, String> {
    let text = files::read_text(Path::new(path), KEY_FILE_BYTES_MAX)
        .map_err(|problem| format!("cannot read the key from {path}: {problem}"))?;
    parse_key(&text).map_err(|problem| format!("{path}: {problem}"))
}

/// What the given file holds, or else what the system trusts.
fn tls(layers: &mut Layers) -> Option<Reread<TlsSettings>> {
    let mut ca = CaSource::System { instead: CA_FILE.env };
    let roots = if layers.source(&CA_FILE).is_some() {
        layers.optional(&CA_FILE, |path| {
            ca = CaSource::File(path.into());
            pem::roots(Path::new(path))
        })
    } else {
        pem::system_roots(CA_FILE.env).map_err(|problem| layers.problem(problem)).ok()
    };
    let config = client_config(roots?).map_err(|error| layers.problem(flaw::words_of(&error)));
    Some(TlsFiles { ca, own: None }.reread(config.ok()?))
}

fn id_scope(text: &str) -> Result<String, String> {
    let is_scope = text.len() <= 128
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    if is_scope { Ok(text.to_owned()) } else { Err(format!("{text:?} is not an id scope")) }
}

/// DPS: Registration ID. Upper case is allowed there, though not advised.
fn registration_id(text: &str) -> Result<String, String> {
    let is_id = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b':');
    let ends_well =
        text.bytes().last().is_some_and(|last| last.is_ascii_alphanumeric() || last == b'-');
    if text.len() <= 128 && text.bytes().all(is_id) && ends_well {
        return Ok(text.to_owned());
    }
    Err(format!(
        "{text:?} is not a registration id: up to 128 letters, digits, - . _ : and a letter, \
         digit or - at the end"
    ))
}

fn host(text: &str) -> Result<String, String> {
    rustls::pki_types::ServerName::try_from(text)
        .map(|_| text.to_owned())
        .map_err(|_| format!("{text:?} is not a host name"))
}

fn model_id(text: &str) -> Result<String, String> {
    let is_version = |version: &str| version.parse::<u32>().is_ok_and(|version| version > 0);
    let parts = text.strip_prefix("dtmi:").and_then(|rest| rest.split_once(';'));
    let is_path = |path: &str| {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b':' | b'_');
        !path.is_empty() && path.bytes().all(allowed)
    };
    let is_model = parts.is_some_and(|(path, version)| is_path(path) && is_version(version));
    if is_model && text.len() <= MODEL_ID_LEN_MAX {
        return Ok(text.to_owned());
    }
    Err(format!("{text:?} is not a model id such as dtmi:com:example:Sensor;1"))
}

#[cfg(test)]
mod tests;
