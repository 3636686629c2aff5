//! How modules that live inside the hub's process get at their inputs and reported properties.
//!
//! Such a module has no connection, so nothing delivers to it: it comes and takes. What it takes
//! is gone from the store, delivered and acknowledged in one step, and publishers that waited for
//! room are woken. Bounded by what the store holds and by the caller's `messages_max`. A module
//! that is connected owns its identity: its namesake in the process gets an error and changes
//! nothing. A stored session alone does not count as connected.

use bytes::Bytes;
use serde_json::Value;
use sluicegate::azure::topics::{Received, parse_received};
use sluicegate::azure::{Identity, Properties};

use super::HubError;
use super::handle::HubHandle;
use super::state::HubState;
use super::telemetry::HubMessage;

impl HubHandle {
    /// Takes the oldest input messages of a module out of its store, at most `messages_max`, each
    /// with the name of its input. An empty answer means that nothing is stored.
    ///
    /// # Errors
    /// `UnknownModule`, `Connected` when a client is connected as this module, `Stopped`.
    pub fn drain_inputs(
        &self,
        module: &str,
        messages_max: usize,
    ) -> Result<Vec<(String, HubMessage)>, HubError> {
        let name = module.to_owned();
        let (identity, taken) = self.ask(move |hub| {
            let peer = hub.resident(&name)?;
            Ok((hub.peers[peer].identity.clone(), hub.drain_inputs(peer, messages_max)))
        })??;
        // Taken apart here, not on the hub's thread.
        Ok(taken.into_iter().filter_map(|(topic, body)| read(&identity, &topic, body)).collect())
    }

    /// Merges a patch into a module's reported properties, as if the module had sent it, and gives
    /// the new version.
    ///
    /// # Errors
    /// `UnknownModule`, `Connected` when a client is connected as this module, `Twin` when the
    /// patch is not acceptable, `NotSaved` when it cannot be kept, `Stopped`.
    pub fn report(&self, module: &str, patch: Value) -> Result<u64, HubError> {
        let name = module.to_owned();
        self.ask(move |hub| {
            let peer = hub.resident(&name)?;
            hub.merge_reported(peer, Some(&patch))
        })?
    }
}

impl HubState {
    /// The peer that is this module, unless somebody is connected as it.
    fn resident(&self, module: &str) -> Result<usize, HubError> {
        let peer = self
            .peer_of_module(module)
            .ok_or_else(|| HubError::UnknownModule(module.to_owned()))?;
        match self.peers[peer].link {
            Some(_) => Err(HubError::Connected(module.to_owned())),
            None => Ok(peer),
        }
    }

    /// Topics and bodies of the oldest stored inputs of a peer without a connection.
    fn drain_inputs(&mut self, peer: usize, messages_max: usize) -> Vec<(String, Bytes)> {
        let inputs = &mut self.peers[peer].inputs;
        let mut taken = Vec::with_capacity(messages_max.min(inputs.len()));
        while taken.len() < messages_max {
            let Some(input) = inputs.pop_oldest() else { break };
            let written = if input.sent_before {
                &mut self.counters.inputs_redelivered
            } else {
                &mut self.counters.inputs_delivered
            };
            *written += 1;
            self.counters.inputs_acked += 1;
            taken.push((input.topic, input.body));
        }
        if !taken.is_empty() {
            self.note_done(peer);
            self.announce_room_of(peer);
        }
        taken
    }
}

/// `None` never happens: the hub itself wrote the topic.
fn read(identity: &Identity, topic: &str, body: Bytes) -> Option<(String, HubMessage)> {
    let Received::Input { input, bag } = parse_received(identity, topic) else { return None };
    Some((input.into_owned(), HubMessage { body, properties: Properties::decode(bag) }))
}
