//! Devices that registrations made: they live with the manifest's, and longer than the hub.

use sluicegate::azure::{Identity, Key};

use super::super::state::{HubState, Peer};
use super::super::twin_document::TwinDocument;

impl HubState {
    /// Gives a registration its device, new or known, with this key; `false` when there are too
    /// many. The device is on disk when this returns, unless the disk refuses it.
    pub(super) fn assign_device(&mut self, registration: &str, key: Key) -> bool {
        let device_of = |peer: &Peer| peer.identity.module.is_none().then(|| peer.name.clone());
        let known = self.peers.iter().position(|p| device_of(p).as_deref() == Some(registration));
        let made = self.peers.iter().filter(|p| p.is_provisioned).count();
        let limit = self.config.provisioning.devices_max;
        let index = match known {
            Some(index) => index,
            None if made >= limit => {
                tracing::warn!(limit, "registration failed: too many devices");
                return false;
            }
            None => {
                let identity = Identity {
                    hub: self.config.manifest.hub.clone(),
                    gateway: self.config.host_name.clone(),
                    device: registration.to_owned(),
                    module: None,
                };
                let (twin, limits) = (TwinDocument::default(), self.config.input_limits());
                self.peers.push(Peer::new(identity, key.clone(), twin, limits));
                self.peers.len() - 1
            }
        };
        let peer = &mut self.peers[index];
        peer.key = key;
        peer.is_provisioned = true;
        peer.is_forgotten = false;
        let client_id = peer.identity.client_id();
        self.set_client(client_id, Some(index));
        tracing::info!(device = %registration, "device assigned");
        self.folder.devices_changed = true;
        self.folder.twins_changed = true;
        self.save();
        true
    }

    /// Deletes a device that a registration made, its twin and session, and closes its
    /// connection; `false` when there is none of that name. It may register again.
    pub(in crate::hub) fn forget_device(&mut self, device: &str) -> bool {
        let found = self
            .peers
            .iter()
            .position(|p| p.is_provisioned && !p.is_forgotten && p.identity.device == device);
        let Some(index) = found else { return false };
        self.unseat(index);
        let peer = &mut self.peers[index];
        peer.is_forgotten = true;
        peer.session = None;
        peer.refresh_interest();
        peer.twin = TwinDocument::default();
        let client_id = peer.identity.client_id();
        self.set_client(client_id, None);
        tracing::info!(%device, "device forgotten");
        self.folder.devices_changed = true;
        self.folder.twins_changed = true;
        self.folder.sessions_changed = true;
        self.save();
        true
    }
}
