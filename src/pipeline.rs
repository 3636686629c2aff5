//! Everything between the connections: what was received, is judged, has to leave, may be
//! acknowledged.
//!
//! - In: messages from one or two sources, as their connections read them; PUBACKs of alerts. Out:
//!   alerts for the one connection that they leave by; packet ids to acknowledge, by source.
//! - All connections live on one thread and share the pipeline there: none ever waits for it. A
//!   connection that has made work for another one wakes it ([`Pipeline::wake_others`]).
//! - Bounded: what one source may have in here is [`HELD_MESSAGES_MAX`] messages and the setting
//!   `held-bytes`; the connections look at [`Pipeline::is_over_bound`] before they read.

pub mod arena;
pub mod ingest;
pub mod ledger;
pub mod limits;
pub mod message;
pub mod metrics;
pub mod number;
pub mod order;
pub mod origin;
pub mod parse;
pub mod place;
pub mod pool;
mod shared;
mod source;
pub mod threshold;
pub mod unsent;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use tokio::sync::Notify;
use tracing::{error, warn};

use crate::host::logging::{LineLimit, excerpt};
use crate::mqtt::connection::PACKET_BYTES_MAX;
use crate::pipeline::arena::Arena;
use crate::pipeline::ingest::Ingest;
use crate::pipeline::ledger::{Content, Ledger, Redelivery, Rule};
use crate::pipeline::limits::{
    HELD_MESSAGES_MAX, HELD_OVERDRAFT, HELD_RESERVE_SHARE, JUDGED_AT_ONCE_BYTES,
};
use crate::pipeline::message::{Alert, Batch, Message, SourceId};
use crate::pipeline::metrics::{Counters, Summary};
use crate::pipeline::order::Order;
use crate::pipeline::origin::Origin;
use crate::pipeline::parse::{JsonPath, Parser};
use crate::pipeline::pool::{Pool, SourceWakes, judge};
use crate::pipeline::source::SourceState;
use crate::pipeline::threshold::{Threshold, ThresholdCell};
use crate::pipeline::unsent::Unsent;

pub use shared::SharedPipeline;
pub use source::Held;

/// An empty outbox that has room for more alerts gives its memory back.
const OUTBOX_KEPT_MAX: usize = 16_384;

/// The stages between the connections.
pub struct Pipeline {
    sources: [SourceState; SourceId::ALL.len()],
    /// The connection that alerts leave by.
    outlet: Arc<Notify>,
    path: JsonPath,
    parser: Parser,
    pool: Pool,
    /// Where the twin, or the control topic, puts the threshold.
    cell: Arc<ThresholdCell>,
    /// Judges what comes now: read from the cell once a turn.
    threshold: Threshold,
    /// Until the threshold is known messages are gathered and not judged.
    holding: bool,
    /// Whose alert is next, where both have some.
    turn: SourceId,
    /// At the first level of a hub, and at the last one.
    held_bytes_max: [usize; 2],
    bad_lines: LineLimit,
    /// On own alerts that a route brings back.
    route_lines: LineLimit,
    /// Everything counted.
    pub counters: Counters,
}

impl Pipeline {
    /// A pipeline for sources whose connections are woken by `wakes`, and for alerts that leave by
    /// the connection that `outlet` wakes, judged by what `cell` holds. It begins with a hold, see
    /// [`release_hold`](Self::release_hold).
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn start(
        wakes: &SourceWakes,
        outlet: &Arc<Notify>,
        workers: usize,
        path: &JsonPath,
        held_bytes_max: usize,
        cell: Arc<ThresholdCell>,
    ) -> std::io::Result<Self> {
        let source = |id: SourceId| SourceState {
            ledger: Ledger::default(),
            redelivery: Redelivery::new(match id {
                SourceId::Hub => Rule::Content,
                SourceId::Broker => Rule::PacketId,
            }),
            arena: Arena::new(held_bytes_max),
            unsettled_bytes: 0,
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
            threshold: cell.load().threshold,
            cell,
            holding: true,
            turn: SourceId::Hub,
            held_bytes_max: [held_bytes_max - held_bytes_max / HELD_RESERVE_SHARE, held_bytes_max],
            bad_lines: LineLimit::default(),
            route_lines: LineLimit::of(1),
            counters: Counters::default(),
        })
    }

    /// The cell that [`read_threshold`](Self::read_threshold) reads.
    pub fn cell(&self) -> &Arc<ThresholdCell> {
        &self.cell
    }

    /// What judges the messages that come from now on is what the cell holds now. Called once a
    /// turn, and behind each change that came in it.
    pub fn read_threshold(&mut self) {
        self.threshold = self.cell.load().threshold;
    }

    /// The same with a pool that a test has in its hands.
    #[cfg(test)]
    pub(crate) fn judging_by(self, pool: Pool) -> Self {
        Self { pool, ..self }
    }

    /// Takes a message in, to be judged by the threshold that was read last. `packet_id` is `None`
    /// for one that needs no acknowledgement.
    #[inline]
    pub fn receive(
        &mut self,
        source: SourceId,
        block: &Bytes,
        message: Message,
        packet_id: Option<u16>,
    ) {
        self.counters.received += 1;
        self.counters.received_bytes += message.body.len() as u64;
        let SourceState { ledger, ingest, .. } = &mut self.sources[source as usize];
        let receipt = ledger.receive(packet_id.unwrap_or(0));
        ingest.push(block, message, receipt, self.threshold);
    }

    /// Takes a publish in that is no message to be judged: it is acknowledged behind all that was
    /// received before it (MQTT 3.1.1 §4.6).
    pub fn receive_settled(&mut self, source: SourceId, packet_id: Option<u16>) {
        let ledger = &mut self.sources[source as usize].ledger;
        let receipt = ledger.receive(packet_id.unwrap_or(0));
        ledger.settle(receipt);
    }

    /// A message came that is larger than is taken, and was passed over. It is acknowledged: its
    /// source would deliver it for ever.
    pub fn receive_too_large(
        &mut self,
        source: SourceId,
        origin: Origin<'_>,
        packet_id: Option<u16>,
        bytes: usize,
        now: Instant,
    ) {
        self.counters.oversized += 1;
        if let Some(suppressed) = self.bad_lines.allow(now, 1) {
            error!(
                "message lost: {bytes} bytes, and at most {PACKET_BYTES_MAX} are taken, {origin}; \
                 have the sensor send less (and {suppressed} more bad messages)"
            );
        }
        self.receive_settled(source, packet_id);
    }

    /// Judges what can be judged, here or in the pool, and settles what was.
    pub fn advance(&mut self, now: Instant) {
        while let Some(batch) = self.pool.next_judged() {
            self.settle_batch(batch, now);
        }
        if self.holding {
            for source in &mut self.sources {
                source.unsettled_bytes += source.ingest.gather();
            }
            return;
        }
        for id in SourceId::ALL {
            let source = id as usize;
            while let Some(mut batch) = self.sources[source].ingest.next_batch() {
                if batch.kept_bytes == 0 {
                    batch.kept_bytes = batch.bytes_in_chunk();
                    self.sources[source].unsettled_bytes += batch.kept_bytes;
                }
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
        let SourceState {
            order,
            ledger,
            redelivery,
            ingest,
            outbox,
            arena,
            unsettled_bytes,
            is_due,
            ..
        } = &mut sources[batch.source as usize];
        *is_due = true;
        order.accept(batch, |batch| {
            if redelivery.has_claims() {
                redelivery.compare(batch.receipts(), |receipt| batch.content(receipt));
            }
            let alerts = &batch.findings.alerts;
            let receipt = |index: u32| batch.first_receipt + u64::from(index);
            ledger.settle_range(batch.receipts(), alerts.iter().map(|alert| receipt(alert.index)));
            counters.add(&batch);
            source::push_alerts(&batch, path, arena, outbox);
            *unsettled_bytes -= batch.kept_bytes;
            if let Some((reason, message)) = &batch.findings.sample {
                let count = batch.findings.malformed.iter().copied().map(u64::from).sum();
                if let Some(suppressed) = bad_lines.allow(now, count) {
                    let text = excerpt(message.body.of(&batch.block));
                    let origin = Origin::of(batch.source, message.origin.of(&batch.block));
                    warn!(
                        "message ignored: {reason}: \"{text}\", {origin} (and {suppressed} more \
                         bad messages)"
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
        let outbox = &mut self.sources[source as usize].outbox;
        let next = outbox.pop_front();
        if next.is_none() && outbox.capacity() > OUTBOX_KEPT_MAX {
            *outbox = VecDeque::new();
        }
        next
    }

    /// The alert is the receiver's now: its message is settled.
    pub fn forwarded(&mut self, alert: &Alert) {
        self.counters.forwarded += 1;
        self.settle(alert);
    }

    /// The alert is not sent, and its message is settled all the same, or it would come for ever.
    #[cold]
    pub fn unsent(&mut self, alert: &Alert, why: Unsent, now: Instant) {
        self.settle(alert);
        if why == Unsent::Own {
            // It was counted as one when it was judged.
            self.counters.alerts -= 1;
            self.counters.own_alerts += 1;
            if let Some(suppressed) = self.route_lines.allow(now, 1) {
                warn!("own alert ignored: {why} (and {suppressed} more)");
            }
            return;
        }
        self.counters.too_large += 1;
        if let Some(suppressed) = self.bad_lines.allow(now, 1) {
            let origin = Origin::of(alert.source, alert.origin().as_bytes());
            error!("alert lost, {origin}: {why} (and {suppressed} more bad messages)");
        }
    }

    /// The alert is in a file, from which it is tried again: its message is settled.
    pub fn parked(&mut self, alert: &Alert) {
        self.counters.parked += 1;
        self.sources[alert.source as usize].redelivery.parked(alert.content());
        self.settle(alert);
    }

    /// Whether alerts wait to be sent.
    pub fn has_alerts(&self) -> bool {
        self.sources.iter().any(|source| !source.outbox.is_empty())
    }

    fn settle(&mut self, alert: &Alert) {
        let source = &mut self.sources[alert.source as usize];
        if source.redelivery.has_claims() {
            let receipts = alert.receipt..alert.receipt + 1;
            source.redelivery.compare(receipts, |_| alert.content());
        }
        if source.ledger.settle(alert.receipt) {
            source.arena.back(alert.place, alert.bytes());
        }
        source.is_due = true;
    }

    /// Hands `acknowledge` the packet ids that may be acknowledged, in order of receipt. Returns
    /// how many messages were done with.
    pub fn release(&mut self, source: SourceId, acknowledge: impl FnMut(u16)) -> u64 {
        let SourceState { ledger, redelivery, is_due, .. } = &mut self.sources[source as usize];
        *is_due = false;
        redelivery.released();
        let settled = if redelivery.has_claims() {
            redelivery.release(ledger, acknowledge)
        } else {
            ledger.release(acknowledge)
        };
        self.counters.settled += settled;
        settled
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

    /// Ends the hold: what was gathered is judged by the threshold that was read last.
    pub fn release_hold(&mut self) {
        if std::mem::take(&mut self.holding) {
            for source in &mut self.sources {
                source.ingest.judge_by(self.threshold);
                source.is_due = true;
            }
        }
    }

    /// What is held of one source.
    pub fn held(&self, source: SourceId) -> Held {
        self.sources[source as usize].held()
    }

    /// What is held of all of them.
    pub fn held_in_all(&self) -> Held {
        self.sources.iter().fold(Held::default(), |sum, source| {
            let held = source.held();
            Held { messages: sum.messages + held.messages, bytes: sum.bytes + held.bytes }
        })
    }

    /// Whether a source has as much in here as it may: at the first level, or at the last one,
    /// which is [`HELD_OVERDRAFT`]. They are `times` the messages; the last one is all the bytes,
    /// and the first one of a hub leaves a share of these.
    #[inline]
    pub fn is_over_bound(&self, source: SourceId, times: usize) -> bool {
        let [first, last] = self.held_bytes_max;
        let bytes_max = match source {
            SourceId::Hub if times < HELD_OVERDRAFT => first,
            SourceId::Hub | SourceId::Broker => last,
        };
        let held = self.held(source);
        held.messages >= HELD_MESSAGES_MAX * times || held.bytes >= bytes_max
    }

    /// Whether every message of a source was judged.
    pub fn is_idle(&self, source: SourceId) -> bool {
        let SourceState { ingest, order, .. } = &self.sources[source as usize];
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

    /// A source has a new connection: the packet ids of the last one mean nothing on it. What is
    /// still open comes again, if the source has kept the session. The hub's is recognised where it
    /// is an alert that waits here or is among those `in_flight`.
    pub fn connected<'a>(
        &mut self,
        source: SourceId,
        session_present: bool,
        in_flight: impl Iterator<Item = &'a Alert>,
    ) {
        let SourceState { ledger, redelivery, ingest, outbox, .. } =
            &mut self.sources[source as usize];
        let content = |alert: &'a Alert| (alert.receipt, alert.content());
        let in_flight = in_flight.filter(|alert| alert.source == source).map(content);
        let here = outbox.iter().map(|alert| (alert.receipt, alert.content()));
        let open = in_flight.chain(here.chain(ingest.waiting()));
        redelivery.connected(ledger, session_present, open);
    }

    /// Whether a message of a source may be one that came on an earlier connection and is still
    /// open: then ask [`redelivered`](Self::redelivered).
    #[inline]
    pub fn is_expecting(&self, source: SourceId) -> bool {
        self.sources[source as usize].redelivery.is_expecting()
    }

    /// Whether a message that needs an acknowledgement came on an earlier connection and is still
    /// open. Then it is acknowledged once its first delivery is settled, and must not be received
    /// again.
    #[cold]
    pub fn redelivered(
        &mut self,
        source: SourceId,
        packet_id: u16,
        dup: bool,
        content: Content<'_>,
    ) -> bool {
        let SourceState { ledger, redelivery, .. } = &mut self.sources[source as usize];
        let is_known = redelivery.recognise(ledger, packet_id, dup, content);
        self.counters.redelivered += u64::from(is_known);
        is_known
    }

    /// Whether another client of our name has acknowledged messages of a source that this one has
    /// not.
    pub fn is_shared(&self, source: SourceId) -> bool {
        self.sources[source as usize].redelivery.is_shared()
    }

    /// Whether a message of a source was taken for another: its connection must end, so that the
    /// message comes again. (A hub's never is: its content is known.)
    pub fn is_mistaken(&self, source: SourceId) -> bool {
        self.sources[source as usize].redelivery.is_mistaken()
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
