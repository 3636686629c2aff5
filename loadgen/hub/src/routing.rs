//! From a message to the stores of its receivers.

use std::rc::Rc;
use std::time::Instant;

use sluicegate::azure::percent_encode;
use sluicegate::azure::size::MESSAGE_BYTES_MAX;
use sluicegate::azure::topics::TOPIC_LEN_MAX;

use super::route::Sink;
use super::state::HubState;
use super::targets::{InputTarget, Offer, Scratch, Targets};
use super::telemetry::{Telemetry, UpstreamMessage};

/// Sources whose targets are remembered; at the bound all are forgotten and found again.
const SOURCES_MAX: usize = 1024;

impl HubState {
    /// Hands a message to every receiver its routes name, or to none when one has no room.
    pub(super) fn route(&mut self, telemetry: &Telemetry<'_>, now: Instant) -> Offer {
        let mut scratch = std::mem::take(&mut self.scratch);
        telemetry.write_source(&mut scratch.source);
        let targets = self.targets(&scratch.source);
        if targets.inputs.is_empty() && !targets.upstream {
            self.note_unrouted(&scratch.source);
            self.scratch = scratch;
            return Offer::Taken;
        }
        telemetry.write_bag(&mut scratch.bag);
        let offer = self.store(telemetry, &targets, &mut scratch, now);
        self.scratch = scratch;
        offer
    }

    /// Counts a message that no route takes; the first from each source is told.
    fn note_unrouted(&mut self, source: &str) {
        self.counters.dropped_no_route += 1;
        if self.unrouted.is_first(source) {
            tracing::warn!(
                ?source,
                "message dropped, as an edge hub does: no route leads on from its source; add a \
                 route FROM it, or send to an output that has one"
            );
        }
    }

    /// As [`HubState::route`] for what a connection sent. A device that registered is no part of
    /// the edge device, so the routes are not about it: its messages go upstream.
    pub(super) fn route_from(
        &mut self,
        peer: usize,
        telemetry: &Telemetry<'_>,
        now: Instant,
    ) -> Offer {
        if !self.peers[peer].is_provisioned {
            return self.route(telemetry, now);
        }
        let targets = Targets { inputs: Vec::new(), upstream: true };
        let mut scratch = std::mem::take(&mut self.scratch);
        let offer = self.store(telemetry, &targets, &mut scratch, now);
        self.scratch = scratch;
        offer
    }

    /// Puts a message into one input's store, past all routes.
    pub(super) fn offer_to_input(
        &mut self,
        telemetry: &Telemetry<'_>,
        peer: usize,
        input: &str,
        now: Instant,
    ) -> Offer {
        let prefix = self.input_prefix(peer, input);
        let targets = Targets { inputs: vec![InputTarget { peer, prefix }], upstream: false };
        let mut scratch = std::mem::take(&mut self.scratch);
        telemetry.write_bag(&mut scratch.bag);
        let offer = self.store(telemetry, &targets, &mut scratch, now);
        self.scratch = scratch;
        offer
    }

    fn store(
        &mut self,
        telemetry: &Telemetry<'_>,
        targets: &Targets,
        scratch: &mut Scratch,
        now: Instant,
    ) -> Offer {
        let bytes =
            |target: &InputTarget| target.prefix.len() + scratch.bag.len() + telemetry.body.len();
        let has_room = targets.inputs.iter().all(|t| self.peers[t.peer].inputs.has_room(bytes(t)));
        if !has_room || !self.durable_has_room(targets, &bytes) {
            return Offer::NoRoom;
        }
        if targets.upstream && !self.upstream.has_room() {
            if !std::mem::replace(&mut self.upstream_blocked, true) {
                // Readers of the queue wake nobody here: the service task watches it.
                self.service.notify_one();
            }
            return Offer::NoRoom;
        }
        for target in &targets.inputs {
            scratch.topic.clear();
            scratch.topic.push_str(&target.prefix);
            scratch.topic.push_str(&scratch.bag);
            self.store_input(target.peer, &scratch.topic, &telemetry.body);
        }
        if targets.upstream {
            self.counters.upstream += 1;
            let mut message = telemetry.to_upstream(now);
            if let Some(durable) = &mut self.durable {
                durable.keep_upstream(&mut message);
            }
            self.push_upstream(message);
        }
        Offer::Taken
    }

    /// Whether the batch that waits for the disk takes a message for all its targets.
    fn durable_has_room(&self, targets: &Targets, bytes: &impl Fn(&InputTarget) -> usize) -> bool {
        self.durable.as_ref().is_none_or(|durable| {
            let upstream = if targets.upstream { MESSAGE_BYTES_MAX } else { 0 };
            durable.has_room(targets.inputs.iter().map(bytes).sum::<usize>() + upstream)
        })
    }

    fn store_input(&mut self, index: usize, topic: &str, body: &[u8]) {
        let peer = &mut self.peers[index];
        if topic.len() > TOPIC_LEN_MAX {
            // The hub's own properties made the topic too long for MQTT.
            self.counters.dropped_malformed += 1;
            return;
        }
        let number = self
            .durable
            .as_mut()
            .map_or(0, |durable| durable.keep_input(peer.identity.client_id(), topic, body));
        peer.inputs.push(topic, body, number);
        self.counters.inputs_stored += 1;
        peer.wake();
    }

    /// Hands a message to whoever reads `$upstream`.
    pub(super) fn push_upstream(&mut self, message: UpstreamMessage) {
        let dropped = self.upstream.push(message);
        self.counters.upstream_overwritten += dropped.len() as u64;
        if let Some(durable) = &mut self.durable {
            durable.remove(dropped.iter().map(|message| message.number));
        }
    }

    fn targets(&mut self, source: &str) -> Rc<Targets> {
        if let Some(targets) = self.route_cache.get(source) {
            return Rc::clone(targets);
        }
        let mut targets = Targets::default();
        for route in self.routes.iter().filter(|route| route.matches(source)) {
            match &route.sink {
                Sink::Upstream => targets.upstream = true,
                Sink::Input { module, input } => {
                    if let Some(peer) = self.peer_of_module(module) {
                        let prefix = self.input_prefix(peer, input);
                        // One message per receiver, however many routes lead there.
                        if !targets.inputs.iter().any(|t| t.peer == peer && t.prefix == prefix) {
                            targets.inputs.push(InputTarget { peer, prefix });
                        }
                    }
                }
            }
        }
        let targets = Rc::new(targets);
        if self.route_cache.len() >= SOURCES_MAX {
            self.route_cache.clear();
        }
        self.route_cache.insert(source.to_owned(), Rc::clone(&targets));
        targets
    }

    fn input_prefix(&self, peer: usize, input: &str) -> String {
        let mut prefix = self.peers[peer].inputs_prefix.clone();
        percent_encode(input, &mut prefix);
        prefix.push('/');
        prefix
    }
}
