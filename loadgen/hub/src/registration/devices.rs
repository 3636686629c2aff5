//! Devices that registrations made: they live with the manifest's, and longer than the hub.

use sluicegate::azure::{Identity, Key};

use super::super::inputs::InputLimits;
use super::super::peer::Peer;
use super::super::persistence::StateFile;
use super::super::state::HubState;
use super::super::twin_document::TwinDocument;

/// Why a registration gets no device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoDevice {
    /// As many as may be have been made.
    TooMany,
    /// It cannot be kept.
    NotSaved,
}

impl HubState {
    /// Gives a registration its device, new or known, with this key. It is on disk when this
    /// returns.
    ///
    /// # Errors
    /// There are too many, or the disk refuses it: then nothing has changed.
    pub(super) fn assign_device(&mut self, registration: &str, key: Key) -> Result<(), NoDevice> {
        let device_of = |peer: &Peer| peer.identity.module.is_none().then(|| peer.name.clone());
        let known = self.peers.iter().position(|p| device_of(p).as_deref() == Some(registration));
        let made = self.peers.iter().filter(|p| p.is_provisioned).count();
        let limit = self.config.provisioning.devices_max;
        if known.is_none() && made >= limit {
            tracing::warn!(limit, "registration failed: too many devices");
            return Err(NoDevice::TooMany);
        }
        let index = known.unwrap_or_else(|| self.push_device(registration, key.clone()));
        let peer = &mut self.peers[index];
        let before = (peer.key.clone(), peer.is_provisioned, peer.is_forgotten);
        (peer.key, peer.is_provisioned, peer.is_forgotten) = (key, true, false);
        let kept = self.commit(StateFile::Twins).and_then(|()| self.commit(StateFile::Devices));
        if let Err(error) = kept {
            tracing::error!(device = %registration, %error, "registration failed");
            let peer = &mut self.peers[index];
            (peer.key, peer.is_provisioned, peer.is_forgotten) = before;
            if known.is_none() {
                // Nobody has seen it yet.
                self.peers.truncate(index);
            }
            self.folder.twins_changed = true;
            return Err(NoDevice::NotSaved);
        }
        let client_id = self.peers[index].identity.client_id();
        self.set_client(client_id, Some(index));
        tracing::info!(device = %registration, "device assigned");
        Ok(())
    }

    /// A new peer that is not known by its client id yet.
    fn push_device(&mut self, registration: &str, key: Key) -> usize {
        let identity = Identity {
            hub: self.config.manifest.hub.clone(),
            gateway: self.config.host_name.clone(),
            device: registration.to_owned(),
            module: None,
        };
        let (twin, limits) = (TwinDocument::default(), InputLimits::of(&self.config));
        self.peers.push(Peer::new(identity, key, twin, limits));
        self.peers.len() - 1
    }

    /// Deletes a device that a registration made, its twin and session, and closes its
    /// connection; `false` when there is none of that name, or when that cannot be kept. It may
    /// register again.
    pub(crate) fn forget_device(&mut self, device: &str) -> bool {
        let found = self
            .peers
            .iter()
            .position(|p| p.is_provisioned && !p.is_forgotten && p.identity.device == device);
        let Some(index) = found else { return false };
        self.peers[index].is_forgotten = true;
        if let Err(error) = self.commit(StateFile::Devices) {
            tracing::error!(%device, %error, "device not forgotten");
            self.peers[index].is_forgotten = false;
            return false;
        }
        self.unseat(index);
        let peer = &mut self.peers[index];
        peer.session = None;
        peer.refresh_interest();
        peer.twin = TwinDocument::default();
        let client_id = peer.identity.client_id();
        self.set_client(client_id, None);
        tracing::info!(%device, "device forgotten");
        self.folder.twins_changed = true;
        self.folder.sessions_changed = true;
        self.save();
        true
    }
}
