//! A connection that its client is going to leave: what is in flight has some time to be
//! acknowledged.

use std::time::{Duration, Instant};

/// Why it is left, and until when that may take.
#[derive(Debug)]
pub(crate) struct Leaving<W> {
    /// Why.
    pub(crate) why: W,
    until: Instant,
}

impl<W> Leaving<W> {
    /// Leaves from `now` on, within `wait` at the latest.
    pub(crate) fn within(wait: Duration, now: Instant, why: W) -> Self {
        Self { why, until: now + wait }
    }

    /// The latest end.
    pub(crate) fn until(&self) -> Instant {
        self.until
    }

    /// Whether the connection can go now.
    pub(crate) fn is_over(&self, now: Instant, is_drained: bool) -> bool {
        is_drained || now >= self.until
    }
}
