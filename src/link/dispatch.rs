//! What a received publish is, and where it goes.

use std::time::Instant;

use serde_json::json;
use tracing::{debug, info, warn};

use super::{End, Link};
use crate::azure::topics::{self, Received};
use crate::limits::{HELD_OVERDRAFT, TOPIC_BYTES_MAX};
use crate::logging::excerpt;
use crate::message::Message;
use crate::mqtt::packet::Publish;
use crate::mqtt::{ByteStream, Connection, QoS};
use crate::twin::Outcome;

/// The one input that is filtered.
const INPUT: &str = "input1";

impl Link {
    /// Sorts one publish, in order of arrival.
    pub(super) fn received(
        &mut self,
        publish: Publish,
        connection: &mut Connection<impl ByteStream>,
    ) -> Result<(), End> {
        if publish.qos != QoS::AtMostOnce && self.is_over_bound(HELD_OVERDRAFT) {
            // Nothing more is taken; what is held is finished, then a new connection brings the
            // rest (see `serve`).
            self.overrun = true;
            self.leaving = true;
        }
        // The hot path: `devices/{d}/modules/{m}/inputs/input1/{bag}`, as every hub writes it.
        if let Some(rest) = publish.topic.strip_prefix(&self.inputs_prefix)
            && let Some(bag) = rest.strip_prefix(INPUT)
            && (bag.is_empty() || bag.starts_with('/'))
        {
            let bag_start = publish.topic.len() - bag.len().saturating_sub(1);
            self.input(publish, bag_start);
            return Ok(());
        }
        match topics::parse_received(&self.settings.identity, &publish.topic) {
            Received::Input { input, .. } if input == INPUT => {
                // Percent-encoded where nothing needs it, so its length is unknown.
                let name_end = publish.topic[self.inputs_prefix.len()..].find('/');
                let bag_start =
                    name_end.map_or(publish.topic.len(), |end| self.inputs_prefix.len() + end + 1);
                self.input(publish, bag_start);
                return Ok(());
            }
            Received::Input { input, .. } => {
                self.counters.other_inputs += 1;
                debug!("message for input {input:?} ignored");
            }
            Received::DesiredPatch { version } => self.patch(version, &publish.payload),
            Received::TwinResponse { status, rid, .. } => {
                let outcome = self.twin.response(status, &rid, &publish.payload, Instant::now());
                self.log_twin(&outcome, &publish.payload);
                self.end_hold_when_due();
            }
            Received::Method { name, rid } => self.method(&name, &rid, connection)?,
            Received::Other => {
                self.counters.unexpected += 1;
                debug!("publish on an unexpected topic ignored: {:?}", publish.topic);
            }
        }
        // Behind all that was received before it (MQTT 3.1.1 §4.6); a leaving link did not take
        // all of that.
        if publish.qos != QoS::AtMostOnce && !self.leaving {
            let receipt = self.ledger.receive(publish.pkid, 0);
            self.ledger.settle(receipt);
        }
        Ok(())
    }

    /// A message for `input1`.
    fn input(&mut self, publish: Publish, bag_start: usize) {
        let at_most_once = publish.qos == QoS::AtMostOnce;
        if self.is_stopping() || (self.leaving && !at_most_once) {
            // Not acknowledged: the hub delivers it to the next instance, or on the next connection.
            return;
        }
        if at_most_once && self.waits_for_hub() && self.is_over_bound(1) {
            self.counters.dropped_at_most_once += 1;
            return;
        }
        let Publish { topic, payload: body, pkid, .. } = publish;
        self.counters.received += 1;
        self.counters.received_bytes += body.len() as u64;
        debug!(
            "message {}: {} bytes, data \"{}\", properties \"{}\"",
            self.counters.received,
            body.len(),
            excerpt(&body),
            &topic[bag_start..],
        );
        let id = if at_most_once { 0 } else { pkid };
        let receipt = self.ledger.receive(id, topic.len() + body.len());
        let message = Message { receipt, topic, bag_start, body };
        self.ingest.push(message, self.cell.load().threshold);
    }

    fn patch(&mut self, version: Option<u64>, body: &[u8]) {
        self.counters.twin_callbacks += 1;
        let before = self.cell.load().threshold;
        let outcome = self.twin.patch(version, body);
        if matches!(outcome, Outcome::Applied(_)) {
            // A patch that overtakes the first document ends the wait for it: what came before the
            // patch is judged by what was in force before it.
            self.ingest.release(before);
        }
        info!(
            "desired patch, twin callback {}: \"{}\"",
            self.counters.twin_callbacks,
            excerpt(body)
        );
        self.log_twin(&outcome, body);
    }

    fn log_twin(&mut self, outcome: &Outcome, body: &[u8]) {
        match outcome {
            Outcome::Applied(threshold) => info!("threshold in force: {threshold}"),
            Outcome::Refused(problem) => {
                self.counters.twin_refused += 1;
                let kept = self.cell.load().threshold;
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
        connection: &mut Connection<impl ByteStream>,
    ) -> Result<(), End> {
        self.counters.methods += 1;
        let (status, body) = match name {
            "stats" => (200, self.stats()),
            _ => (404, json!({ "error": format!("unknown method {name:?}; there is: stats") })),
        };
        let topic = topics::method_response(status, rid);
        // A hub that does not read its answers, or asks with a name for each of its atoms, is told
        // nothing; its caller gets a time-out.
        if topic.len() > TOPIC_BYTES_MAX || !connection.is_writable() {
            self.counters.unexpected += 1;
            return Ok(());
        }
        connection.publish(&Publish::new(topic, QoS::AtMostOnce, body.to_string()))?;
        Ok(())
    }

    fn stats(&self) -> serde_json::Value {
        let setting = self.cell.load();
        let held = self.ledger.held();
        json!({
            "threshold": setting.threshold.value(),
            "threshold_version": setting.version,
            "uptime_s": self.started.elapsed().as_secs(),
            "held_messages": held.messages,
            "held_bytes": held.bytes,
            "alerts_unacknowledged": self.inflight.waiting(),
            "counters": self.counters,
        })
    }
}
