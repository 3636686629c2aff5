//! A module or device, and its connection as the rest of the hub sees it.

use std::collections::VecDeque;
use std::task::Waker;

use bytes::Bytes;
use serde_json::Value;
use sluicegate::azure::{Identity, Key};

use super::config::CONTROL_MAX;
use super::inputs::{InputLimits, InputStore};
use super::packet_ids::PacketIds;
use super::session::{Interest, Session};
use super::twin_document::TwinDocument;

/// A module or device that may connect.
pub(super) struct Peer {
    /// Module id, or device id of a device.
    pub(super) name: String,
    pub(super) identity: Identity,
    pub(super) key: Key,
    /// `devices/{d}/modules/{m}/inputs/`; never matches for a device.
    pub(super) inputs_prefix: String,
    /// Stored or live session; `None` when there is none to resume.
    pub(super) session: Option<Session>,
    pub(super) interest: Interest,
    pub(super) inputs: InputStore,
    /// Inputs written so far, redeliveries included.
    pub(super) inputs_written: u64,
    pub(super) twin: TwinDocument,
    /// The manifest's desired properties of this peer.
    pub(super) deployed: Value,
    /// A registration made this device: what it sends goes upstream, past the routes, for it is no
    /// part of the edge device.
    pub(super) is_provisioned: bool,
    /// Deleted: it is nobody until a registration makes it anew.
    pub(super) is_forgotten: bool,
    /// Desired patches written: version and inputs written before it.
    pub(super) patches_written: VecDeque<(u64, u64)>,
    pub(super) link: Option<Link>,
}

/// A peer's connection, as the rest of the hub sees it.
pub(super) struct Link {
    /// Tells this connection from an older one of the same peer.
    pub(super) generation: u64,
    pub(super) clean_session: bool,
    pub(super) ids: PacketIds,
    /// PUBACKs that wait for the disk: ticket and packet id. At most one for each packet id.
    pub(super) owed: VecDeque<(u64, u16)>,
    /// Twin answers, patches and method calls not yet written.
    pub(super) control: VecDeque<Control>,
    /// More than [`CONTROL_MAX`] of them: the connection closes.
    pub(super) overrun: bool,
    pub(super) waker: Option<Waker>,
}

/// A publish of the hub itself.
#[derive(Debug, Clone)]
pub(super) struct Control {
    pub(super) topic: String,
    pub(super) body: Bytes,
    pub(super) qos: u8,
    /// Version of the desired patch that this is.
    pub(super) patch: Option<u64>,
}

/// Which connection of which peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seat {
    pub(super) peer: usize,
    pub(super) generation: u64,
}

impl Peer {
    /// A peer that has never connected.
    pub(super) fn new(
        identity: Identity,
        key: Key,
        twin: TwinDocument,
        limits: InputLimits,
    ) -> Self {
        let name = identity.module.clone().unwrap_or_else(|| identity.device.clone());
        let module = identity.module.as_deref().unwrap_or_default();
        let inputs_prefix = format!("devices/{}/modules/{module}/inputs/", identity.device);
        Self {
            name,
            identity,
            key,
            inputs_prefix,
            session: None,
            interest: Interest::default(),
            inputs: InputStore::new(limits),
            inputs_written: 0,
            twin,
            deployed: Value::Object(serde_json::Map::new()),
            is_provisioned: false,
            is_forgotten: false,
            patches_written: VecDeque::new(),
            link: None,
        }
    }

    /// A number that changes when the identity is made anew, and tells nothing of its key.
    pub(super) fn generation_id(&self) -> String {
        let [a, b, c, d, e, f, g, ..] = self.key.sign(b"generation id");
        u64::from_be_bytes([0, a, b, c, d, e, f, g]).to_string()
    }

    /// Makes the connection's task look at the peer again.
    pub(super) fn wake(&mut self) {
        if let Some(waker) = self.link.as_mut().and_then(|link| link.waker.take()) {
            waker.wake();
        }
    }

    /// Reads the session's filters anew.
    pub(super) fn refresh_interest(&mut self) {
        self.interest = match &self.session {
            Some(session) => session.interest(&self.inputs_prefix),
            None => Interest::default(),
        };
    }

    /// Queues a publish for the connection; `false` when there is none.
    pub(super) fn send(&mut self, control: Control) -> bool {
        let Some(link) = &mut self.link else { return false };
        if link.control.len() < CONTROL_MAX {
            link.control.push_back(control);
        } else {
            link.overrun = true;
        }
        self.wake();
        true
    }
}
