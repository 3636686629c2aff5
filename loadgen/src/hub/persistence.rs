//! What of the hub outlives its process: keys, sessions and twins, one JSON file each.
//!
//! A file is replaced in one step, before the answer that announces the change goes out.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sluicegate::azure::{Identity, Key};

use super::config::HubConfig;
use super::inputs::InputLimits;
use super::session::Session;
use super::state::{HubState, Peer};
use super::twin_document::TwinDocument;
use super::{HubError, files};

/// Shared access keys by client id; readable by the owner only.
const KEYS_FILE: &str = "keys.json";
/// Sessions by client id.
const SESSIONS_FILE: &str = "sessions.json";
/// Twins by client id.
const TWINS_FILE: &str = "twins.json";

/// The state folder of a running hub.
pub(super) struct StateFolder {
    dir: PathBuf,
    /// Twins of peers that this manifest does not have.
    strangers: BTreeMap<String, StoredTwin>,
    pub(super) sessions_changed: bool,
    pub(super) twins_changed: bool,
    /// Held, and with it the folder's lock, as long as the hub runs.
    _lock: File,
}

/// A twin, and the desired properties that a manifest last gave it.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct StoredTwin {
    deployed: Value,
    twin: TwinDocument,
}

impl StateFolder {
    /// Opens the folder and makes the peers of the manifest from it.
    pub(super) fn open(config: &HubConfig) -> Result<(Self, Vec<Peer>), HubError> {
        let dir = config.state_dir.clone();
        let lock = files::lock_folder(&dir)?;
        let mut keys: BTreeMap<String, String> = files::read_json(&dir.join(KEYS_FILE))?;
        let mut sessions: BTreeMap<String, Session> = files::read_json(&dir.join(SESSIONS_FILE))?;
        let mut twins: BTreeMap<String, StoredTwin> = files::read_json(&dir.join(TWINS_FILE))?;
        let mut peers = Vec::new();
        for (identity, deployed) in identities(config) {
            let client_id = identity.client_id();
            let key = key_of(&mut keys, &client_id, &dir.join(KEYS_FILE))?;
            let twin = twin_of(twins.remove(&client_id), deployed, &client_id)?;
            let name = identity.module.clone().unwrap_or_else(|| identity.device.clone());
            let mut peer = Peer::new(name, identity, key, twin, limits(config));
            peer.session = sessions.remove(&client_id);
            peer.refresh_interest();
            peers.push(peer);
        }
        files::replace_secret_json(&dir.join(KEYS_FILE), &keys)?;
        let folder = Self {
            dir,
            strangers: twins,
            sessions_changed: true,
            twins_changed: true,
            _lock: lock,
        };
        Ok((folder, peers))
    }
}

impl HubState {
    /// Writes what has changed since the last call. A failure is logged, and tried again with
    /// the next change: a full disk must not stop the messages.
    pub(super) fn save(&mut self) {
        if let Err(error) = self.try_save() {
            tracing::error!(%error, "state not saved");
        }
    }

    /// As [`HubState::save`], and tells the failure.
    pub(super) fn try_save(&mut self) -> Result<(), HubError> {
        if std::mem::take(&mut self.folder.sessions_changed) {
            let sessions: BTreeMap<String, &Session> = self
                .peers
                .iter()
                .filter(|peer| !peer.link.as_ref().is_some_and(|link| link.clean_session))
                .filter_map(|peer| Some((peer.identity.client_id(), peer.session.as_ref()?)))
                .collect();
            files::replace_json(&self.folder.dir.join(SESSIONS_FILE), &sessions)?;
        }
        if std::mem::take(&mut self.folder.twins_changed) {
            let mut twins = self.folder.strangers.clone();
            let deployed = identities(&self.config);
            for (peer, (identity, deployed)) in self.peers.iter().zip(deployed) {
                let stored = StoredTwin { deployed, twin: peer.twin.clone() };
                twins.insert(identity.client_id(), stored);
            }
            files::replace_json(&self.folder.dir.join(TWINS_FILE), &twins)?;
        }
        Ok(())
    }
}

/// Everyone the manifest declares, with the desired properties it gives them.
fn identities(config: &HubConfig) -> Vec<(Identity, Value)> {
    let manifest = &config.manifest;
    let identity = |device: &str, module: Option<&str>| Identity {
        hub: manifest.hub.clone(),
        gateway: config.host_name.clone(),
        device: device.to_owned(),
        module: module.map(str::to_owned),
    };
    let modules = manifest
        .modules
        .iter()
        .map(|(name, module)| (identity(&manifest.device, Some(name)), module.desired.clone()));
    let devices =
        manifest.devices.iter().map(|(name, desired)| (identity(name, None), desired.clone()));
    modules.chain(devices).collect()
}

fn limits(config: &HubConfig) -> InputLimits {
    InputLimits {
        messages_max: config.inputs_messages_max.max(1),
        bytes_max: config.inputs_bytes_max,
        window: config.window.clamp(1, usize::from(u16::MAX)),
        ack_timeout: config.ack_timeout,
        retry_backoff: config.retry_backoff,
    }
}

/// The stored key of a client, or a new random one.
fn key_of(
    keys: &mut BTreeMap<String, String>,
    client_id: &str,
    file: &Path,
) -> Result<Key, HubError> {
    if let Some(text) = keys.get(client_id) {
        return Key::from_base64(text).map_err(|_| {
            HubError::state(
                file,
                format!("holds no valid key for {client_id}: repair or remove it"),
            )
        });
    }
    let key = random_key(client_id)?;
    keys.insert(client_id.to_owned(), key.to_base64());
    Ok(key)
}

/// 32 bytes from the operating system's generator.
fn random_key(client_id: &str) -> Result<Key, HubError> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut random = [0_u8; 64];
    rustls::crypto::ring::default_provider()
        .secure_random
        .fill(&mut random)
        .map_err(|_| HubError::Certificate("the system gives no random numbers".to_owned()))?;
    // Base64 digits of 48 random bytes, made a key of the usual length by one HMAC.
    let digits: String = random.iter().map(|b| char::from(DIGITS[usize::from(b & 63)])).collect();
    let seed =
        Key::from_base64(&digits).map_err(|error| HubError::Certificate(error.to_string()))?;
    Ok(seed.derive(client_id))
}

/// The twin to start with. A manifest's desired properties count once: what was set since then
/// stays, until the manifest itself changes.
fn twin_of(
    stored: Option<StoredTwin>,
    deployed: Value,
    client_id: &str,
) -> Result<TwinDocument, HubError> {
    let refused = |error| HubError::DesiredProperties { client_id: client_id.to_owned(), error };
    match stored {
        None => TwinDocument::new(&deployed).map_err(refused),
        Some(stored) if stored.deployed == deployed => Ok(stored.twin),
        Some(mut stored) => {
            stored.twin.patch_desired(&deployed).map_err(refused)?;
            Ok(stored.twin)
        }
    }
}
