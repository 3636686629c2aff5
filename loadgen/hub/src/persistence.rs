//! What of the hub outlives its process: keys, sessions and twins, one JSON file each.
//!
//! A file is replaced in one step, before the answer that announces the change goes out. What
//! cannot be written is undone, and the client or command is told; what nobody waits for, such as
//! the end of a session, is tried again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sluicegate::azure::{Identity, Key};

use super::config::HubConfig;
use super::files::FolderLock;
use super::inputs::InputLimits;
use super::peer::Peer;
use super::provisioning::{GroupKey, Provisioning};
use super::session::Session;
use super::twin_document::TwinDocument;
use super::{HubError, files};

/// Shared access keys by client id; readable by the owner only.
const KEYS_FILE: &str = "keys.json";
/// Sessions by client id.
const SESSIONS_FILE: &str = "sessions.json";
/// Keys of the devices that registrations made, by device id; readable by the owner only.
const DEVICES_FILE: &str = "devices.json";
/// Key of the enrollment group; readable by the owner only.
const ENROLLMENTS_FILE: &str = "enrollments.json";
/// Member of [`ENROLLMENTS_FILE`], and what its key is derived for.
const GROUP: &str = "group";
/// Twins by client id.
const TWINS_FILE: &str = "twins.json";

/// The state folder of a running hub.
pub(super) struct StateFolder {
    dir: PathBuf,
    /// Twins of peers that this manifest does not have.
    strangers: BTreeMap<String, StoredTwin>,
    pub(super) sessions_changed: bool,
    pub(super) twins_changed: bool,
    pub(super) devices_changed: bool,
    /// Until then, what could not be written is not tried again by itself.
    pub(super) retry_at: Option<Instant>,
    /// Held as long as the hub runs.
    _lock: FolderLock,
}

/// A twin, and the desired properties that a manifest last gave it.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct StoredTwin {
    deployed: Value,
    twin: TwinDocument,
}

impl StateFolder {
    /// Opens the folder and makes the peers of the manifest from it, those that registered, and
    /// the provisioning service.
    pub(super) fn open(config: &HubConfig) -> Result<(Self, Vec<Peer>, Provisioning), HubError> {
        let dir = config.state_dir.clone();
        let lock = files::lock_folder(&dir)?;
        let mut keys: BTreeMap<String, String> = files::read_json(&dir.join(KEYS_FILE))?;
        let mut sessions: BTreeMap<String, Session> = files::read_json(&dir.join(SESSIONS_FILE))?;
        let mut twins: BTreeMap<String, StoredTwin> = files::read_json(&dir.join(TWINS_FILE))?;
        let mut peers = Vec::new();
        for (identity, deployed) in identities(config) {
            let client_id = identity.client_id();
            let key = key_of(&mut keys, &client_id, &dir.join(KEYS_FILE))?;
            let twin = twin_of(twins.remove(&client_id), &deployed, &client_id)?;
            let mut peer = Peer::new(identity, key, twin, InputLimits::of(config));
            peer.deployed = deployed;
            peer.session = sessions.remove(&client_id);
            peer.refresh_interest();
            peers.push(peer);
        }
        let devices: BTreeMap<String, String> = files::read_json(&dir.join(DEVICES_FILE))?;
        for (device, key) in devices {
            let key = parse_key(&key, &device, &dir.join(DEVICES_FILE))?;
            let peer = match peers.iter_mut().find(|p| p.identity.client_id() == device) {
                Some(peer) => peer,
                None => {
                    let twin = twins.remove(&device).map(|stored| stored.twin).unwrap_or_default();
                    let identity = identity(config, &device, None);
                    let limits = InputLimits::of(config);
                    let mut peer = Peer::new(identity, key.clone(), twin, limits);
                    peer.session = sessions.remove(&device);
                    peer.refresh_interest();
                    peers.push(peer);
                    peers.last_mut().expect("pushed just now")
                }
            };
            peer.key = key;
            peer.is_provisioned = true;
        }
        files::replace_secret_json(&dir.join(KEYS_FILE), &keys)?;
        let folder = Self {
            dir,
            strangers: twins,
            sessions_changed: true,
            twins_changed: true,
            devices_changed: false,
            retry_at: None,
            _lock: lock,
        };
        let provisioning = Provisioning::new(config.provisioning.clone(), group_key(config)?);
        Ok((folder, peers, provisioning))
    }
}

/// What of the state is a file of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StateFile {
    Sessions,
    Twins,
    Devices,
}

impl StateFile {
    pub(super) const ALL: [Self; 3] = [Self::Sessions, Self::Twins, Self::Devices];
}

impl StateFolder {
    /// Whether a file is behind what is in memory.
    pub(super) fn changed(&mut self, file: StateFile) -> &mut bool {
        match file {
            StateFile::Sessions => &mut self.sessions_changed,
            StateFile::Twins => &mut self.twins_changed,
            StateFile::Devices => &mut self.devices_changed,
        }
    }

    pub(super) fn any_changed(&self) -> bool {
        self.sessions_changed || self.twins_changed || self.devices_changed
    }
}

impl StateFolder {
    /// Replaces a file by what is in memory.
    pub(super) fn write(&mut self, file: StateFile, peers: &[Peer]) -> Result<(), HubError> {
        match file {
            StateFile::Sessions => self.write_sessions(peers)?,
            StateFile::Twins => self.write_twins(peers)?,
            StateFile::Devices => self.write_devices(peers)?,
        }
        *self.changed(file) = false;
        Ok(())
    }

    fn write_sessions(&self, peers: &[Peer]) -> Result<(), HubError> {
        let sessions: BTreeMap<String, &Session> = peers
            .iter()
            .filter(|peer| !peer.link.as_ref().is_some_and(|link| link.clean_session))
            .filter_map(|peer| Some((peer.identity.client_id(), peer.session.as_ref()?)))
            .collect();
        files::replace_json(&self.dir.join(SESSIONS_FILE), &sessions)
    }

    fn write_twins(&self, peers: &[Peer]) -> Result<(), HubError> {
        let mut twins = self.strangers.clone();
        for peer in peers.iter().filter(|peer| !peer.is_forgotten) {
            let deployed = peer.deployed.clone();
            let stored = StoredTwin { deployed, twin: peer.twin.clone() };
            twins.insert(peer.identity.client_id(), stored);
        }
        files::replace_json(&self.dir.join(TWINS_FILE), &twins)
    }

    fn write_devices(&self, peers: &[Peer]) -> Result<(), HubError> {
        let devices: BTreeMap<&str, String> = peers
            .iter()
            .filter(|peer| peer.is_provisioned && !peer.is_forgotten)
            .map(|peer| (peer.name.as_str(), peer.key.to_base64()))
            .collect();
        files::replace_secret_json(&self.dir.join(DEVICES_FILE), &devices)
    }
}

/// Everyone the manifest declares, with the desired properties it gives them.
fn identities(config: &HubConfig) -> Vec<(Identity, Value)> {
    let manifest = &config.manifest;
    let modules = manifest.modules.iter().map(|(name, module)| {
        (identity(config, &manifest.device, Some(name)), module.desired.clone())
    });
    let devices = manifest
        .devices
        .iter()
        .map(|(name, desired)| (identity(config, name, None), desired.clone()));
    modules.chain(devices).collect()
}

fn identity(config: &HubConfig, device: &str, module: Option<&str>) -> Identity {
    Identity {
        hub: config.manifest.hub.clone(),
        gateway: config.host_name.clone(),
        device: device.to_owned(),
        module: module.map(str::to_owned),
    }
}

/// The stored key of a client, or a new random one.
fn key_of(
    keys: &mut BTreeMap<String, String>,
    client_id: &str,
    file: &Path,
) -> Result<Key, HubError> {
    if let Some(text) = keys.get(client_id) {
        return parse_key(text, client_id, file);
    }
    let key = random_key(client_id)?;
    keys.insert(client_id.to_owned(), key.to_base64());
    Ok(key)
}

fn parse_key(text: &str, owner: &str, file: &Path) -> Result<Key, HubError> {
    Key::from_base64(text).map_err(|_| {
        HubError::state(file, format!("holds no valid key for {owner}: repair or remove it"))
    })
}

/// The key of the enrollment group: the given one, or the state folder's, made when there is none.
fn group_key(config: &HubConfig) -> Result<Option<Key>, HubError> {
    match &config.provisioning.group_key {
        GroupKey::None => Ok(None),
        GroupKey::Given(key) => Ok(Some(key.clone())),
        GroupKey::StateFolder => {
            let file = config.state_dir.join(ENROLLMENTS_FILE);
            let mut keys: BTreeMap<String, String> = files::read_json(&file)?;
            let key = key_of(&mut keys, GROUP, &file)?;
            files::replace_secret_json(&file, &keys)?;
            Ok(Some(key))
        }
    }
}

/// 32 bytes from the operating system's generator.
///
/// # Errors
/// It gives none.
pub fn random_key(client_id: &str) -> Result<Key, HubError> {
    let mut random = [0_u8; 48];
    rustls::crypto::ring::default_provider()
        .secure_random
        .fill(&mut random)
        .map_err(|_| HubError::Certificate("the system gives no random numbers".to_owned()))?;
    // Made a key of the usual length by one HMAC.
    let seed = Key::from_base64(&BASE64_STANDARD.encode(random))
        .map_err(|error| HubError::Certificate(error.to_string()))?;
    Ok(seed.derive(client_id))
}

/// The twin to start with. A manifest's desired properties count once: what was set since then
/// stays, until the manifest itself changes.
fn twin_of(
    stored: Option<StoredTwin>,
    deployed: &Value,
    client_id: &str,
) -> Result<TwinDocument, HubError> {
    let refused = |error| HubError::DesiredProperties { client_id: client_id.to_owned(), error };
    match stored {
        None => TwinDocument::new(deployed).map_err(refused),
        Some(stored) if stored.deployed == *deployed => Ok(stored.twin),
        Some(mut stored) => {
            stored.twin.patch_desired(deployed).map_err(refused)?;
            Ok(stored.twin)
        }
    }
}
