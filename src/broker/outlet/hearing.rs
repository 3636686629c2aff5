//! What the outlet hears of the control topic: whether it may, a patch, or that there is none.

use std::time::Instant;

use rumqttc::mqttbytes::v4::SubAck;
use tracing::{error, info, warn};

use super::Outlet;
use crate::logging::excerpt;
use crate::mqtt::session::{End, Subscription};
use crate::pipeline::Pipeline;
use crate::twin::Outcome;

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
                let threshold = self.context.cell.load().threshold;
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
    pub(super) fn told(&mut self, payload: &[u8], pipeline: &mut Pipeline, now: Instant) {
        pipeline.counters.twin_callbacks += 1;
        let outcome = self.control.told(payload);
        match &outcome {
            Outcome::Applied(_) => self.hold.known(),
            Outcome::Refused(_) => pipeline.counters.twin_refused += 1,
            _ => {}
        }
        let Some(suppressed) = self.patch_lines.allow(now, 1) else { return };
        let (number, text) = (pipeline.counters.twin_callbacks, excerpt(payload));
        info!("control topic, patch {number}: \"{text}\" (and {suppressed} more before it)");
        match outcome {
            Outcome::Applied(threshold) => info!("threshold in force: {threshold}"),
            Outcome::Refused(problem) => {
                let kept = self.context.cell.load().threshold;
                warn!("control patch refused: {problem}; the threshold stays {kept}");
            }
            _ => {}
        }
    }

    /// The broker has told what it had retained.
    pub(super) fn told_all(&mut self) {
        if let Some(Outcome::Applied(threshold)) = self.control.told_all() {
            info!("control topic: cleared while there was no connection; in force: {threshold}");
        }
    }
}
