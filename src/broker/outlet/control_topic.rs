//! What the outlet hears of the control topic: whether it may, a patch, or that there is none.

use std::time::Instant;

use rumqttc::mqttbytes::v4::SubAck;
use tracing::{error, info, warn};

use super::Outlet;
use crate::host::logging::excerpt;
use crate::mqtt::session::{End, Subscription};
use crate::pipeline::Pipeline;
use crate::twin::Outcome;
use crate::twin::desired::PROPERTY;
use crate::twin::misplaced::warn_of_patch;

impl Outlet {
    /// A SUBACK came; true when it was the one that is waited for. Refused, it is no reason to keep
    /// the alerts back: only the threshold cannot be set.
    pub(super) fn subscribed(
        &mut self,
        subscription: &mut Subscription,
        ack: &SubAck,
    ) -> Result<bool, End> {
        match subscription.acknowledged(ack) {
            Ok(false) => return Ok(false),
            Ok(true) => {}
            Err(End::SubscriptionRefused(topic)) => {
                let threshold = self.control.threshold();
                error!(
                    "the broker refused the subscription to the control topic {topic}: {threshold} \
                     judges, and nothing can change it; let the access list allow it, or name \
                     another --control-topic, and restart"
                );
                self.hold.known();
            }
            Err(end) => return Err(end),
        }
        self.outbound.subscribed(subscription.packet_id());
        Ok(true)
    }

    /// A payload came on the control topic.
    pub(super) fn on_patch(
        &mut self,
        payload: &[u8],
        is_retained: bool,
        pipeline: &mut Pipeline,
        now: Instant,
    ) {
        let outcome = self.control.on_patch(payload, is_retained);
        if self.note_outcome(outcome, &excerpt(payload), pipeline, now) {
            warn_of_patch(payload, &[PROPERTY]);
        }
    }

    /// A payload came on the control topic that is larger than is taken.
    pub(super) fn on_too_large_patch(
        &mut self,
        bytes: usize,
        pipeline: &mut Pipeline,
        now: Instant,
    ) {
        let outcome = self.control.on_too_large_patch(bytes);
        self.note_outcome(outcome, &format!("({bytes} bytes)"), pipeline, now);
    }

    /// Counts and logs what came of it; whether it was logged.
    fn note_outcome(
        &mut self,
        outcome: Outcome,
        text: &str,
        pipeline: &mut Pipeline,
        now: Instant,
    ) -> bool {
        pipeline.counters.twin_callbacks += 1;
        match &outcome {
            Outcome::Applied(_) => self.hold.known(),
            Outcome::Refused(_) => pipeline.counters.twin_refused += 1,
            _ => {}
        }
        let Some(suppressed) = self.patch_lines.allow(now, 1) else { return false };
        let number = pipeline.counters.twin_callbacks;
        let topic = excerpt(self.control_topic.as_bytes());
        info!("control topic, patch {number}: \"{text}\" (and {suppressed} more before it)");
        match outcome {
            Outcome::Applied(threshold) => info!("threshold in force: {threshold}"),
            Outcome::Refused(problem) => {
                let kept = self.control.threshold();
                warn!("control patch on {topic} refused: {problem}; the threshold stays {kept}");
            }
            Outcome::Stale => info!(
                "control patch passed over: its $version is not above that of the patch in force; \
                 clear the topic to count anew"
            ),
            _ => {}
        }
        true
    }

    /// The broker has sent what it had retained.
    pub(super) fn on_retained_delivered(&mut self) {
        if let Some(Outcome::Applied(threshold)) = self.control.on_retained_delivered() {
            info!("control topic: cleared while there was no connection; in force: {threshold}");
        }
    }
}
