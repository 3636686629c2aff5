//! The queue of messages that took a route into `$upstream`, between the hub's thread and
//! whoever reads them.
//!
//! Bounded by count. When full, a lossless hub stops reading publishers; otherwise the oldest
//! message goes, counted.

use crossbeam_channel::{Receiver, Sender, TrySendError};

use super::telemetry::UpstreamMessage;

/// Writing end. It keeps a reading end as well, to drop the oldest.
pub(super) struct Upstream {
    sender: Sender<UpstreamMessage>,
    oldest: Receiver<UpstreamMessage>,
    lossless: bool,
}

impl Upstream {
    /// A queue of `messages_max` messages, at least one.
    pub(super) fn new(messages_max: usize, lossless: bool) -> Self {
        let (sender, oldest) = crossbeam_channel::bounded(messages_max.max(1));
        Self { sender, oldest, lossless }
    }

    /// A reading end; several share the messages.
    pub(super) fn receiver(&self) -> Receiver<UpstreamMessage> {
        self.oldest.clone()
    }

    /// Whether another message may be pushed now.
    pub(super) fn has_room(&self) -> bool {
        !(self.lossless && self.sender.is_full())
    }

    /// Appends a message and gives the old ones that were dropped for it. Only the hub's thread
    /// pushes, so after [`Upstream::has_room`] a lossless queue drops none.
    pub(super) fn push(&self, message: UpstreamMessage) -> Vec<UpstreamMessage> {
        let mut dropped = Vec::new();
        let mut message = message;
        while let Err(TrySendError::Full(back)) = self.sender.try_send(message) {
            message = back;
            dropped.extend(self.oldest.try_recv());
        }
        dropped
    }
}
