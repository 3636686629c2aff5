//! What a received publish is, and where it goes.

use std::time::Instant;

use bytes::Bytes;
use serde_json::json;
use tracing::{debug, info, warn};

use super::serve::{HubLeave, waits_for_hub};
use super::{End, HUB, HubLink};
use crate::azure::topics::{self, Received};
use crate::host::logging::excerpt;
use crate::mqtt::limits::TOPIC_BYTES_MAX;
use crate::mqtt::packet::Publish;
use crate::mqtt::session;
use crate::mqtt::wire::PublishAt;
use crate::mqtt::{ByteStream, Connection, QoS};
use crate::pipeline::Pipeline;
use crate::pipeline::limits::HELD_OVERDRAFT;
use crate::pipeline::message::{Message, Span};
use crate::pipeline::origin::Origin;
use crate::twin::Outcome;
use crate::twin::desired::PROPERTY;
use crate::twin::misplaced::{warn_of_document, warn_of_patch};

/// The one input that is filtered.
const INPUT: &str = "input1";

impl HubLink {
    /// Sorts one publish, in order of arrival.
    pub(super) fn received(
        &mut self,
        publish: PublishAt,
        block: &Bytes,
        is_stopping: bool,
        pipeline: &mut Pipeline,
        connection: &mut Connection<impl ByteStream>,
    ) -> Result<(), End> {
        if publish.packet_id().is_some() && pipeline.is_over_bound(HUB, HELD_OVERDRAFT) {
            self.overrun(pipeline);
        }
        // The hot path: `devices/{d}/modules/{m}/inputs/input1/{bag}`, as every hub writes it.
        let topic = publish.topic(block);
        if let Some(rest) = topic.strip_prefix(self.inputs_prefix.as_bytes())
            && let Some(bag) = rest.strip_prefix(INPUT.as_bytes())
            && (bag.is_empty() || bag.starts_with(b"/"))
        {
            if !is_stopping {
                self.input(publish, bag.len().saturating_sub(1), block, pipeline);
            }
            return Ok(());
        }
        let whole = publish.to_publish(block);
        self.received_other(&whole, publish, block, is_stopping, pipeline, connection)
    }

    /// Any publish that is not at once seen to be a message for `input1`.
    #[cold]
    fn received_other(
        &mut self,
        publish: &Publish,
        place: PublishAt,
        block: &Bytes,
        is_stopping: bool,
        pipeline: &mut Pipeline,
        connection: &mut Connection<impl ByteStream>,
    ) -> Result<(), End> {
        match topics::parse_received(&self.settings.identity, &publish.topic) {
            Received::Input { input, .. } if input == INPUT => {
                // Percent-encoded where nothing needs it, so its length is unknown.
                let rest = &publish.topic[self.inputs_prefix.len()..];
                let bag_len = rest.find('/').map_or(0, |end| rest.len() - end - 1);
                if !is_stopping {
                    self.input(place, bag_len, block, pipeline);
                }
                return Ok(());
            }
            Received::Input { input, .. } => {
                pipeline.counters.other_inputs += 1;
                debug!("message for input {input:?} ignored");
            }
            Received::DesiredPatch { version } => self.patch(version, &publish.payload, pipeline),
            Received::TwinResponse { status, rid, .. } => {
                let now = session::now();
                let outcome = self.twin.response(status, &rid, &publish.payload, now);
                pipeline.read_threshold();
                self.log_twin(&outcome, &publish.payload, pipeline);
                warn_of_document(status, &publish.payload, &[PROPERTY]);
                self.end_hold_when_due(pipeline, now);
            }
            Received::Method { name, rid } => self.method(&name, &rid, pipeline, connection)?,
            Received::Other => {
                pipeline.counters.unexpected += 1;
                debug!("publish on an unexpected topic ignored: {:?}", publish.topic);
            }
        }
        // Behind all that was received before it; a leaving link did not take all of that.
        if self.leaving.is_none() {
            pipeline.receive_settled(HUB, place.packet_id());
        }
        Ok(())
    }

    /// A publish came that was passed over. What is of the twin is no loss: it can be asked for.
    #[cold]
    pub(super) fn received_too_large(
        &mut self,
        topic: &[u8],
        packet_id: Option<u16>,
        bytes: usize,
        pipeline: &mut Pipeline,
        now: Instant,
    ) {
        let topic = String::from_utf8_lossy(topic);
        let received = topics::parse_received(&self.settings.identity, &topic);
        match &received {
            Received::DesiredPatch { .. } => pipeline.counters.twin_callbacks += 1,
            Received::TwinResponse { .. } => {}
            other => {
                let origin = match other {
                    Received::Input { bag, .. } => Origin::Bag(bag),
                    _ => Origin::Topic(topic.as_bytes()),
                };
                return pipeline.receive_too_large(HUB, origin, packet_id, bytes, now);
            }
        }
        pipeline.counters.oversized += 1;
        let outcome = self.twin.too_large(&received, bytes, now);
        self.log_twin(&outcome, topic.as_bytes(), pipeline);
        pipeline.receive_settled(HUB, packet_id);
    }

    /// A message for `input1`, unless the module stops: then it is not acknowledged, so that the
    /// hub delivers it to the next instance. Its topic ends with a bag of `bag_len` bytes.
    fn input(
        &mut self,
        publish: PublishAt,
        bag_len: usize,
        block: &Bytes,
        pipeline: &mut Pipeline,
    ) {
        let packet_id = publish.packet_id();
        let at_most_once = packet_id.is_none();
        if self.leaving.is_some() && !at_most_once {
            // Not acknowledged: the hub delivers it on the next connection.
            return;
        }
        let must_not_grow = || waits_for_hub(pipeline) && pipeline.is_over_bound(HUB, 1);
        if at_most_once && (self.is_overrun() || must_not_grow()) {
            pipeline.counters.dropped_at_most_once += 1;
            return;
        }
        let topic_end = publish.topic_end();
        let origin = Span::new(topic_end - bag_len..topic_end);
        let message = Message { origin, body: Span::new(publish.body()) };
        if pipeline.is_expecting(HUB)
            && let Some(id) = packet_id
            && pipeline.redelivered(HUB, id, false, [origin, message.body].map(|at| at.of(block)))
        {
            return;
        }
        debug!(
            "message {}: {} bytes, data \"{}\", properties \"{}\"",
            pipeline.counters.received + 1,
            message.body.len(),
            excerpt(message.body.of(block)),
            origin.of(block).escape_ascii(),
        );
        pipeline.receive(HUB, block, message, packet_id);
    }

    fn is_overrun(&self) -> bool {
        self.leaving.as_ref().is_some_and(|leaving| matches!(leaving.why, HubLeave::Overrun))
    }

    fn patch(&mut self, version: Option<u64>, body: &[u8], pipeline: &mut Pipeline) {
        pipeline.counters.twin_callbacks += 1;
        let outcome = self.twin.patch(version, body);
        if matches!(outcome, Outcome::Applied(_)) {
            // A patch that overtakes the first document ends the wait for it: what came before the
            // patch is judged by what was in force before it.
            pipeline.release_hold();
        }
        pipeline.read_threshold();
        info!(
            "desired patch, twin callback {}: \"{}\"",
            pipeline.counters.twin_callbacks,
            excerpt(body)
        );
        self.log_twin(&outcome, body, pipeline);
        warn_of_patch(body, &[PROPERTY]);
    }

    fn log_twin(&mut self, outcome: &Outcome, body: &[u8], pipeline: &mut Pipeline) {
        match outcome {
            Outcome::Applied(threshold) => info!("threshold in force: {threshold}"),
            Outcome::Refused(problem) => {
                pipeline.counters.twin_refused += 1;
                let kept = pipeline.cell().load().threshold;
                warn!("desired properties refused: {problem}; the threshold stays {kept}");
            }
            Outcome::RequestFailed(problem) => warn!("{problem}: \"{}\"", excerpt(body)),
            Outcome::Unrelated | Outcome::Stale | Outcome::Ignored => {}
        }
    }

    /// Answers a direct method. QoS 0: an answer that is lost with the connection is of no use to
    /// a caller who was told 504 meanwhile.
    fn method(
        &mut self,
        name: &str,
        rid: &str,
        pipeline: &mut Pipeline,
        connection: &mut Connection<impl ByteStream>,
    ) -> Result<(), End> {
        pipeline.counters.methods += 1;
        let (status, body) = match name {
            "stats" => (200, self.stats(pipeline)),
            _ => (404, json!({ "error": format!("unknown method {name:?}; there is: stats") })),
        };
        let topic = topics::method_response(status, rid);
        // A hub that does not read its answers, or whose request id is too long for a topic, gets
        // no answer, and its caller a time-out.
        if topic.len() > TOPIC_BYTES_MAX || !connection.is_writable() {
            pipeline.counters.unexpected += 1;
            return Ok(());
        }
        connection.publish(&Publish::new(topic, QoS::AtMostOnce, body.to_string()))?;
        Ok(())
    }

    fn stats(&self, pipeline: &Pipeline) -> serde_json::Value {
        let setting = pipeline.cell().load();
        let held = pipeline.held_in_all();
        json!({
            "threshold": setting.threshold.value(),
            "threshold_version": setting.version,
            "uptime_s": session::now().duration_since(self.started).as_secs(),
            "held_messages": held.messages,
            "held_bytes": held.bytes,
            "alerts_unacknowledged": self.outbound.waiting(),
            "alerts_parked": self.outbound.parked(),
            "counters": pipeline.counters,
        })
    }
}
