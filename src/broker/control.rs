//! The control plane without a hub: a retained patch on the control topic becomes the threshold in
//! force, by the same rules as a desired patch of the [`twin`](crate::twin).
//!
//! - In: payloads of the control topic, in the order of arrival. Out: the threshold cell, and
//!   reports for the reported topic, to be published retained at QoS 1.
//! - What the broker has retained is to a control topic what the document is to a twin: it is in
//!   force on every new connection, whatever its `$version`. There is nothing else to ask, so a
//!   version that was too high by mistake counts until the topic is cleared.
//! - Bounded: one report without PUBACK, and the newest one behind it; older ones are replaced.

use std::sync::Arc;

use bytes::Bytes;

use crate::pipeline::threshold::{Threshold, ThresholdCell};
use crate::twin::desired::{Change, Desired, PROPERTY, too_large};
use crate::twin::requests::report_body;
use crate::twin::{Outcome, put_in_force};

/// What was asked for on the control topic, and what is to be said about it.
#[derive(Debug)]
pub struct Control {
    cell: Arc<ThresholdCell>,
    default: Threshold,
    /// The `$version` of what is in force; none after the topic was cleared.
    version: Option<u64>,
    /// The topic holds something, by what came last.
    is_set: bool,
    /// Something came on this connection.
    has_come: bool,
    waiting: Option<Bytes>,
    under_way: Option<Bytes>,
}

impl Control {
    /// `default` is in force while the topic holds no threshold.
    pub fn new(cell: Arc<ThresholdCell>, default: Threshold) -> Self {
        let (version, is_set, has_come) = (None, false, false);
        Self { cell, default, version, is_set, has_come, waiting: None, under_way: None }
    }

    /// The threshold in force.
    pub fn threshold(&self) -> Threshold {
        self.cell.load().threshold
    }

    /// A new connection: the broker is going to send again what the topic holds.
    pub fn connected(&mut self) {
        self.has_come = false;
    }

    /// The broker has sent what it had retained. If that is nothing, although the topic held
    /// something before, it was cleared in between: as if it were now.
    pub fn on_retained_delivered(&mut self) -> Option<Outcome> {
        (self.is_set && !self.has_come).then(|| self.on_patch(b"", false))
    }

    /// A payload came on the control topic; it counts for all messages that are read after it.
    ///
    /// An empty one, by which a retained message is cleared, brings the default back and ends the
    /// count of versions. A `$version` must be newer than that of the last patch that was applied,
    /// where it had one, unless the broker had the patch retained; a patch without always counts,
    /// and is acknowledged as version 0.
    pub fn on_patch(&mut self, payload: &[u8], is_retained: bool) -> Outcome {
        self.has_come = true;
        self.is_set = !payload.is_empty();
        if payload.is_empty() {
            self.version = None;
            return self.apply(Change::Removed, None);
        }
        let Desired { mut change, version, version_problem } = Desired::from_patch(payload, None);
        if let Some(problem) = version_problem {
            change = Change::Bad(problem);
        }
        if let (Some(known), Some(new)) = (self.version, version) {
            let is_in_force = || change == Change::Set(self.threshold());
            if if is_retained { new == known && is_in_force() } else { new <= known } {
                return Outcome::Stale;
            }
        }
        let outcome = self.apply(change, version);
        if matches!(outcome, Outcome::Applied(_)) {
            self.version = if is_retained { version } else { version.or(self.version) };
        }
        outcome
    }

    /// A payload came on the control topic that was not read, as it is larger than is taken.
    pub fn on_too_large_patch(&mut self, bytes: usize) -> Outcome {
        (self.has_come, self.is_set) = (true, true);
        self.apply(Desired::bad(&too_large(bytes), None).change, None)
    }

    /// The body to publish now, if there is one. The next comes only once this one is
    /// [`acknowledged`](Self::acknowledged); until then it is sent again on every connection.
    pub fn next_report(&mut self) -> Option<Bytes> {
        if self.under_way.is_some() {
            return None;
        }
        self.under_way = self.waiting.take();
        self.under_way.clone()
    }

    /// The PUBACK of the report came, or nobody takes it.
    pub fn acknowledged(&mut self) {
        self.under_way = None;
    }

    fn apply(&mut self, change: Change, version: Option<u64>) -> Outcome {
        let answer = put_in_force(change, &self.cell, self.default, version);
        let Some((outcome, report)) = answer else { return Outcome::Unrelated };
        self.waiting = Some(report_body(PROPERTY, &report).into());
        outcome
    }
}

#[cfg(test)]
mod tests;
