//! What is open of one source: from the receipt of its messages to their acknowledgement.
//!
//! - In: batches as they are judged. Out: alerts, copied out of the blocks that they came in.
//! - Bounded by the pipeline, which looks at [`Held`] before more is read.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::Notify;
use tracing::debug;

use crate::pipeline::arena::Arena;
use crate::pipeline::ingest::Ingest;
use crate::pipeline::ledger::{Ledger, Redelivery};
use crate::pipeline::message::{Alert, Batch};
use crate::pipeline::order::Order;
use crate::pipeline::parse::JsonPath;

/// What one source has in here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Held {
    /// Messages received and not yet acknowledged.
    pub messages: usize,
    /// What is kept alive for them, at least: alerts with their tables, and what is not yet judged.
    /// What the last read brought comes on top until
    /// [`Pipeline::advance`](super::Pipeline::advance).
    pub bytes: usize,
}

/// What is open of one source.
pub(super) struct SourceState {
    pub(super) ledger: Ledger,
    pub(super) redelivery: Redelivery,
    pub(super) arena: Arena,
    /// What batches keep that wait for the threshold, or for a parser thread.
    pub(super) unsettled_bytes: usize,
    pub(super) ingest: Ingest,
    pub(super) order: Order,
    /// Alerts that wait to be sent.
    pub(super) outbox: VecDeque<Alert>,
    pub(super) wake: Arc<Notify>,
    /// Something was settled since its connection looked.
    pub(super) is_due: bool,
}

impl SourceState {
    pub(super) fn held(&self) -> Held {
        let bytes = self.arena.kept_bytes() + self.unsettled_bytes;
        Held { messages: self.ledger.messages(), bytes }
    }
}

/// Copies the alerts of a batch out of its block, all together where they are no more than a piece.
pub(super) fn push_alerts(
    batch: &Batch,
    path: &JsonPath,
    arena: &mut Arena,
    outbox: &mut VecDeque<Alert>,
) {
    let alerts = &batch.findings.alerts;
    let lengths = alerts.iter().map(|found| batch.message(found).whole().len());
    let together = if arena.is_piece(lengths.sum()) { alerts.len() } else { 1 };
    for alerts in alerts.chunks(together.max(1)) {
        let places = || alerts.iter().map(|found| batch.message(found));
        let bytes = places().map(|message| message.whole().len()).sum();
        let slices = places().map(|message| message.whole().of(&batch.block));
        let (mut kept, place) = arena.keep(bytes, slices);
        for (found, message) in alerts.iter().zip(places()) {
            let (temperature, threshold) = (found.temperature, batch.threshold);
            debug!("alert: {path} {temperature} exceeds {threshold}");
            let receipt = batch.first_receipt + u64::from(found.index);
            let whole = kept.split_to(message.whole().len());
            outbox.push_back(Alert::new(batch.source, receipt, place, whole, &message));
        }
    }
}

impl super::Pipeline {
    /// What tells the oldest message that is held of a source from those behind it, if any is.
    pub fn oldest_held(&self, source: super::SourceId) -> Option<u16> {
        let ledger = &self.sources[source as usize].ledger;
        #[expect(clippy::cast_possible_truncation, reason = "no more are held than these tell")]
        (ledger.messages() > 0).then(|| ledger.first_receipt() as u16)
    }
}
