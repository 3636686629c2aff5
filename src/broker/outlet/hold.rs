//! How long the first judgement waits for what the control topic holds.

use std::time::Instant;

use tracing::warn;

use crate::pipeline::Pipeline;
use crate::twin::limits::FIRST_TWIN_WAIT;

/// The wait for what the control topic holds. It outlives connections: a broker that ends each of
/// them early does not prolong it.
#[derive(Debug, Default)]
pub(super) struct Hold {
    /// None before the first connection.
    until: Option<Instant>,
    is_known: bool,
}

impl Hold {
    /// A connection was made; the first one starts the clock.
    pub(super) fn connected(&mut self, now: Instant) {
        self.until.get_or_insert(now + FIRST_TWIN_WAIT);
    }

    /// The control topic's value is known, or there is none: nothing more is waited for.
    pub(super) fn known(&mut self) {
        self.is_known = true;
    }

    /// The latest end of the wait.
    pub(super) fn until(&self) -> Option<Instant> {
        self.until
    }

    /// Ends the pipeline's hold once the topic's value is known, or the time is over.
    pub(super) fn end_when_due(&self, pipeline: &mut Pipeline, now: Instant) {
        let is_over = self.until.is_some_and(|until| now >= until);
        if !pipeline.is_holding() || !(self.is_known || is_over) {
            return;
        }
        pipeline.read_threshold();
        if !self.is_known {
            let threshold = pipeline.cell().load().threshold;
            warn!("no word from the control topic in {FIRST_TWIN_WAIT:?}: {threshold} judges");
        }
        pipeline.release_hold();
    }
}
