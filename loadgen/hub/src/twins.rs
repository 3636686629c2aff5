//! Twin requests of clients and desired patches of the back end (IoT Hub MQTT: retrieving and
//! updating device twin's properties).

use bytes::Bytes;
use serde_json::{Value, json};
use sluicegate::azure::topics;

use super::HubError;
use super::peer::{Control, Peer, Seat};
use super::state::HubState;
use super::tally::worth_a_line;
use super::twin_document::TwinError;

/// Positions of desired patches remembered per module; older ones are forgotten.
const PATCHES_REMEMBERED: usize = 1024;

impl HubState {
    /// Answers a request for the whole twin.
    pub(super) fn on_twin_get(&mut self, seat: Seat, rid: &str) {
        self.counters.twin_gets += 1;
        let document = self.peers[seat.peer].twin.document();
        self.answer(seat, topics::twin_response(200, rid, None), body_of(&document));
    }

    /// Merges reported properties, and answers when there is a request id to answer to: 400 for
    /// what is no document, 500 for what cannot be kept.
    pub(super) fn on_twin_reported(&mut self, seat: Seat, rid: Option<&str>, body: &[u8]) {
        let patch = serde_json::from_slice::<Value>(body).ok();
        let merged = self.merge_reported(seat.peer, patch.as_ref());
        let Some(rid) = rid else { return };
        match merged {
            Ok(version) => {
                let topic = topics::twin_response(204, rid, Some(version));
                self.answer(seat, topic, Bytes::new());
            }
            Err(error) => {
                let status = if matches!(error, HubError::Twin(_)) { 400 } else { 500 };
                let text = json!({ "errorCode": status * 1000, "message": error.to_string() });
                self.answer(seat, topics::twin_response(status, rid, None), body_of(&text));
            }
        }
    }

    /// Merges reported properties, keeps and counts them and gives the new version; `None` is no
    /// JSON at all.
    pub(super) fn merge_reported(
        &mut self,
        peer: usize,
        patch: Option<&Value>,
    ) -> Result<u64, HubError> {
        let mut twin = self.peers[peer].twin.clone();
        let merged = patch
            .ok_or(TwinError::NotAnObject)
            .and_then(|patch| twin.patch_reported(patch))
            .map_err(HubError::Twin)
            .and_then(|version| self.keep_twin(peer, twin).map(|()| version));
        match &merged {
            Ok(_) => self.counters.twin_reported += 1,
            Err(error) => {
                self.counters.twin_refused += 1;
                let client = &self.peers[peer].name;
                tracing::warn!(%client, %error, "reported properties refused");
            }
        }
        merged
    }

    /// Sends a twin answer to a session that asked to hear them; otherwise it is dropped. So is
    /// one whose topic no MQTT packet can carry: written, it would corrupt the stream.
    fn answer(&mut self, seat: Seat, topic: String, body: Bytes) {
        let peer = &mut self.peers[seat.peer];
        let Some(qos) = peer.interest.twin_responses else { return };
        if topic.len() > topics::TOPIC_LEN_MAX {
            self.counters.twin_unanswerable += 1;
            let total = self.counters.twin_unanswerable;
            if worth_a_line(total) {
                tracing::warn!(client = %peer.name, total, "request id too long for an answer");
            }
            return;
        }
        peer.send(Control { topic, body, qos, patch: None });
    }

    /// Merges desired properties, keeps them, tells the module if it listens, and gives the new
    /// version.
    pub(super) fn set_desired(&mut self, peer: usize, patch: &Value) -> Result<u64, HubError> {
        let mut twin = self.peers[peer].twin.clone();
        let body = twin.patch_desired(patch).map_err(HubError::Twin)?;
        let version = twin.desired_version();
        self.keep_twin(peer, twin)?;
        self.counters.twin_desired += 1;
        let peer = &mut self.peers[peer];
        if let Some(qos) = peer.interest.desired {
            let topic = topics::desired_patch(version);
            peer.send(Control { topic, body: body_of(&body), qos, patch: Some(version) });
        }
        Ok(version)
    }
}

impl Peer {
    /// Remembers where in the stream of inputs a desired patch was written.
    pub(super) fn note_patch(&mut self, version: u64) {
        if self.patches_written.len() >= PATCHES_REMEMBERED {
            self.patches_written.pop_front();
        }
        self.patches_written.push_back((version, self.inputs_written));
    }
}

fn body_of(value: &Value) -> Bytes {
    Bytes::from(value.to_string())
}
