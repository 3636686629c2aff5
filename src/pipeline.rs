//! Everything between the connections: what was received, is judged, has to leave, may be
//! acknowledged.
//!
//! - In: messages from one or two sources, as their connections read them; PUBACKs of alerts. Out:
//!   alerts for the one connection that they leave by; packet ids to acknowledge, by source.
//! - All connections live on one thread and share the pipeline there: none ever waits for it. A
//!   connection that has made work for another one wakes it ([`Pipeline::wake_others`]).
//! - Bounded: what one source may have in here is [`HELD_MESSAGES_MAX`] messages and the setting
//!   `held-bytes`; the connections look at [`Pipeline::is_over_bound`] before they read.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use tokio::sync::Notify;
use tracing::{debug, error, warn};

use crate::ack::{Held, Ledger};
use crate::forward::{Order, TooLarge};
use crate::ingest::Ingest;
use crate::limits::{HELD_MESSAGES_MAX, JUDGED_AT_ONCE_BYTES};
use crate::logging::{LineLimit, excerpt};
use crate::message::{Alert, Batch, Message, SourceId};
use crate::metrics::{Counters, Summary};
use crate::mqtt::connection::PACKET_BYTES_MAX;
use crate::parse::{JsonPath, Parser};
use crate::pool::{Pool, Wakes, judge};
use crate::threshold::Threshold;

/// What is open of one source.
struct Source {
    ledger: Ledger,
    ingest: Ingest,
    order: Order,
    /// Alerts that wait to be sent.
    outbox: VecDeque<Alert>,
    wake: Arc<Notify>,
    /// Something was settled since its connection looked.
    is_due: bool,
}

/// The stages between the connections.
pub struct Pipeline {
    sources: [Source; SourceId::ALL.len()],
    /// The connection that alerts leave by.
    outlet: Arc<Notify>,
    path: JsonPath,
    parser: Parser,
    pool: Pool,
    /// Until the threshold is known messages are gathered and not judged.
    holding: bool,
    /// Whose alert is next, where both have some.
    turn: SourceId,
    held_bytes_max: usize,
    bad_lines: LineLimit,
    /// Everything counted.
    pub counters: Counters,
}

/// The pipeline as its connections share it.
#[derive(Clone)]
pub struct SharedPipeline(Arc<Mutex<Pipeline>>);

impl SharedPipeline {
    /// Shares `pipeline`.
    pub fn new(pipeline: Pipeline) -> Self {
        Self(Arc::new(Mutex::new(pipeline)))
    }

    /// The pipeline, for as long as one turn works with it. Never waits: its users take turns on
    /// one thread.
    pub fn lock(&self) -> MutexGuard<'_, Pipeline> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pipeline {
    /// A pipeline for sources whose connections are woken by `wakes`, and for alerts that leave by
    /// the connection that `outlet` wakes. It begins with a hold, see
    /// [`release_hold`](Self::release_hold).
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn start(
        wakes: &Wakes,
        outlet: &Arc<Notify>,
        workers: usize,
        path: &JsonPath,
        held_bytes_max: usize,
    ) -> std::io::Result<Self> {
        let source = |id: SourceId| Source {
            ledger: Ledger::default(),
            ingest: Ingest::new(id),
            order: Order::default(),
            outbox: VecDeque::new(),
            wake: Arc::clone(&wakes[id as usize]),
            is_due: false,
        };
        Ok(Self {
            sources: SourceId::ALL.map(source),
            outlet: Arc::clone(outlet),
            path: path.clone(),
            parser: Parser::new(path.clone()),
            pool: Pool::start(workers, path, wakes)?,
            holding: true,
            turn: SourceId::Hub,
            held_bytes_max,
            bad_lines: LineLimit::default(),
            counters: Counters::default(),
        })
    }

    /// Takes a message in that arrived while `threshold` was in force. `packet_id` is `None` for
    /// one that needs no acknowledgement.
    #[inline]
    pub fn receive(
        &mut self,
        source: SourceId,
        block: &Bytes,
        message: Message,
        packet_id: Option<u16>,
        threshold: Threshold,
    ) {
        self.counters.received += 1;
        self.counters.received_bytes += message.body.len() as u64;
        let Source { ledger, ingest, .. } = &mut self.sources[source as usize];
        let bytes = message.origin.len() + message.body.len();
        let receipt = ledger.receive(packet_id.unwrap_or(0), bytes);
        ingest.push(block, message, receipt, threshold);
    }

    /// Takes a publish in that is no message to be judged: it is acknowledged behind all that was
    /// received before it (MQTT 3.1.1 §4.6). Its `bytes` count as held until then, as they may be in
    /// one block with an alert.
    pub fn receive_settled(&mut self, source: SourceId, packet_id: Option<u16>, bytes: usize) {
        let ledger = &mut self.sources[source as usize].ledger;
        let receipt = ledger.receive(packet_id.unwrap_or(0), bytes);
        ledger.settle(receipt);
    }

    /// A message came that is larger than is taken, and was passed over. It is acknowledged: its
    /// source would deliver it for ever.
    pub fn receive_too_large(
        &mut self,
        source: SourceId,
        packet_id: Option<u16>,
        bytes: usize,
        now: Instant,
    ) {
        self.counters.oversized += 1;
        if let Some(suppressed) = self.bad_lines.allow(now, 1) {
            error!(
                "message lost: {bytes} bytes, and at most {PACKET_BYTES_MAX} are taken; have the \
                 sensor send less (and {suppressed} more bad messages)"
            );
        }
        self.receive_settled(source, packet_id, 0);
    }

    /// Judges what can be judged, here or in the pool, and settles what was.
    pub fn advance(&mut self, now: Instant) {
        while let Some(batch) = self.pool.next_judged() {
            self.settle_batch(batch, now);
        }
        if self.holding {
            return;
        }
        for source in SourceId::ALL {
            while let Some(batch) = self.sources[source as usize].ingest.next_batch() {
                if let Some(mut batch) = self.delegate(batch) {
                    judge(&mut self.parser, &mut batch);
                    self.settle_batch(batch, now);
                }
            }
        }
    }

    /// Hands a batch to the pool; gives it back when it is better judged here.
    fn delegate(&mut self, batch: Batch) -> Option<Batch> {
        if self.pool.is_empty() || batch.block.len() <= JUDGED_AT_ONCE_BYTES {
            return Some(batch);
        }
        self.pool.submit(batch).err()
    }

    fn settle_batch(&mut self, batch: Batch, now: Instant) {
        let Self { sources, counters, bad_lines, path, .. } = self;
        let Source { order, ledger, ingest, outbox, is_due, .. } =
            &mut sources[batch.source as usize];
        *is_due = true;
        order.accept(batch, |batch| {
            let alerts = &batch.findings.alerts;
            let receipt = |index: u32| batch.first_receipt + u64::from(index);
            ledger.settle_range(batch.receipts(), alerts.iter().map(|alert| receipt(alert.index)));
            counters.add(&batch);
            for (message, found) in alerts.iter().filter_map(|alert| {
                Some((*batch.messages.get(usize::try_from(alert.index).ok()?)?, alert))
            }) {
                let (temperature, threshold) = (found.temperature, batch.threshold);
                debug!("alert: {path} {temperature} exceeds {threshold}");
                let (source, receipt) = (batch.source, receipt(found.index));
                outbox.push_back(Alert::new(source, receipt, batch.block.clone(), message));
            }
            if let Some((reason, body)) = &batch.findings.sample {
                let count = batch.findings.malformed.iter().copied().map(u64::from).sum();
                if let Some(suppressed) = bad_lines.allow(now, count) {
                    let text = excerpt(body.of(&batch.block));
                    warn!(
                        "message ignored: {reason}: \"{text}\" (and {suppressed} more bad messages)"
                    );
                }
            }
            ingest.recycle(batch);
        });
    }

    /// The next alert: in order of arrival for each source, in turns between them.
    pub fn next_alert(&mut self) -> Option<Alert> {
        let (first, second) = match self.turn {
            SourceId::Hub => (SourceId::Hub, SourceId::Broker),
            SourceId::Broker => (SourceId::Broker, SourceId::Hub),
        };
        self.turn = second;
        self.next_alert_of(first).or_else(|| self.next_alert_of(second))
    }

    /// The next alert of one source.
    pub fn next_alert_of(&mut self, source: SourceId) -> Option<Alert> {
        self.sources[source as usize].outbox.pop_front()
    }

    /// The alert is the receiver's now: its message is settled.
    pub fn forwarded(&mut self, alert: &Alert) {
        self.counters.forwarded += 1;
        self.settle(alert);
    }

    /// Nobody takes the alert: its message is settled all the same, or it would come for ever.
    pub fn lost(&mut self, alert: &Alert, too_large: TooLarge) {
        self.counters.too_large += 1;
        self.settle(alert);
        if let Some(suppressed) = self.bad_lines.allow(Instant::now(), 1) {
            error!("alert lost: {too_large} (and {suppressed} more bad messages)");
        }
    }

    /// The alert is in a file, from which it is tried again: its message is settled.
    pub fn parked(&mut self, alert: &Alert) {
        self.counters.parked += 1;
        self.settle(alert);
    }

    /// Whether alerts wait to be sent.
    pub fn has_alerts(&self) -> bool {
        self.sources.iter().any(|source| !source.outbox.is_empty())
    }

    fn settle(&mut self, alert: &Alert) {
        let source = &mut self.sources[alert.source as usize];
        source.ledger.settle(alert.receipt);
        source.is_due = true;
    }

    /// Hands `acknowledge` the packet ids that may be acknowledged, in order of receipt.
    pub fn release(&mut self, source: SourceId, acknowledge: impl FnMut(u16)) {
        let source = &mut self.sources[source as usize];
        source.is_due = false;
        self.counters.settled += source.ledger.release(acknowledge);
    }

    /// Wakes the connections that have something to do now, but for the one that `own` wakes.
    pub fn wake_others(&mut self, own: &Arc<Notify>) {
        let is_other = |wake: &Arc<Notify>| !Arc::ptr_eq(wake, own);
        for source in &mut self.sources {
            if is_other(&source.wake) && std::mem::take(&mut source.is_due) {
                source.wake.notify_one();
            }
        }
        if self.has_alerts() && is_other(&self.outlet) {
            self.outlet.notify_one();
        }
    }

    /// Whether messages wait for the threshold to be known.
    pub fn is_holding(&self) -> bool {
        self.holding
    }

    /// Ends the hold: what was gathered is judged by `threshold`.
    pub fn release_hold(&mut self, threshold: Threshold) {
        if std::mem::take(&mut self.holding) {
            for source in &mut self.sources {
                source.ingest.judge_by(threshold);
                source.is_due = true;
            }
        }
    }

    /// What is held of one source.
    pub fn held(&self, source: SourceId) -> Held {
        self.sources[source as usize].ledger.held()
    }

    /// What is held of all of them.
    pub fn held_in_all(&self) -> Held {
        self.sources.iter().fold(Held::default(), |sum, source| {
            let held = source.ledger.held();
            Held { messages: sum.messages + held.messages, bytes: sum.bytes + held.bytes }
        })
    }

    /// Whether a source has `times` as much in here as it may.
    pub fn is_over_bound(&self, source: SourceId, times: usize) -> bool {
        let held = self.held(source);
        held.messages >= HELD_MESSAGES_MAX * times
            || held.bytes >= self.held_bytes_max.saturating_mul(times)
    }

    /// Whether every message of a source was judged.
    pub fn is_idle(&self, source: SourceId) -> bool {
        let Source { ingest, order, .. } = &self.sources[source as usize];
        order.next_sequence() == ingest.next_sequence()
    }

    /// Whether everything that was received is judged and has left.
    pub fn is_drained(&self) -> bool {
        SourceId::ALL.into_iter().all(|source| self.is_drained_of(source))
    }

    /// Whether everything that one source has sent is judged and has left.
    pub fn is_drained_of(&self, source: SourceId) -> bool {
        self.is_idle(source) && self.sources[source as usize].outbox.is_empty()
    }

    /// A source's connection is gone: its packet ids mean nothing on the next one.
    pub fn forget_packet_ids(&mut self, source: SourceId) {
        self.sources[source as usize].ledger.forget_packet_ids();
    }

    /// Ends the pool, and tells what was done.
    pub fn stop(&mut self) -> Summary {
        self.pool.stop();
        let unacknowledged = self.held_in_all().messages;
        Summary { counters: self.counters.clone(), unacknowledged }
    }
}

#[cfg(test)]
mod tests;
