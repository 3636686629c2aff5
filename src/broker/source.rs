//! The connection that sensor messages come on.
//!
//! - In: publishes of the subscribed topics. Out: PUBACKs, in order of receipt, each once its message
//!   is settled in the [`pipeline`](crate::pipeline).
//! - Nothing else comes on it that anybody waits for, so at the bound it is simply not read: the
//!   broker holds back what is QoS 1, and does with QoS 0 what its own policy says.
//! - The subscriptions are made on every connection, whatever the broker says that it has kept: one
//!   that is lost would go unnoticed for ever. So retained messages come again on every connection,
//!   and are judged again: which of them are new only the broker knows.
//! - What comes by subscriptions of an earlier run, which a kept session still has, is acknowledged
//!   and not judged (`filters`).
//! - On the ingest thread, beside the connection that alerts leave by.

mod filters;

use std::sync::Arc;
use std::time::{Duration, Instant};

use rumqttc::mqttbytes::v4::Packet;
use tokio::sync::Notify;
use tokio::time::timeout_at;
use tracing::{debug, info, warn};

use super::dial::{Dial, End, now};
use super::subscription::Subscription;
use super::{Context, Login, TopicFilter};
use crate::linger::{self, Linger};
use crate::logging::{LineLimit, excerpt};
use crate::message::{Message, SourceId, Span};
use crate::mqtt::wire::{Incoming, PublishAt};
use crate::mqtt::{ByteStream, Connection, Inbox};
use crate::pipeline::{Pipeline, SharedPipeline};
use crate::threshold::ThresholdCell;
use filters::Filters;

const BROKER: SourceId = SourceId::Broker;
/// The only packet id that a source needs.
const SUBSCRIBE_ID: u16 = 1;

/// The source, with what outlives a connection.
pub struct Source {
    dial: Dial,
    filters: Filters,
    foreign_lines: LineLimit,
    pipeline: SharedPipeline,
    wake: Arc<Notify>,
    cell: Arc<ThresholdCell>,
    drain_timeout: Duration,
    linger: Duration,
    /// Not read, as too much is held.
    is_paused: bool,
}

impl Source {
    /// The source [`SourceId::Broker`] of a pipeline, not connected yet. `wake` is its own there.
    pub fn new(
        login: &Login,
        filters: &[TopicFilter],
        context: Context,
        wake: Arc<Notify>,
        linger: Duration,
    ) -> Self {
        let Context { pipeline, stop, cell, drain_timeout } = context;
        let (endpoint, hello) = (login.endpoint().clone(), login.source());
        Self {
            dial: Dial::new(endpoint, hello, stop, pipeline.clone()),
            filters: Filters::new(filters),
            foreign_lines: LineLimit::default(),
            pipeline,
            wake,
            cell,
            drain_timeout,
            linger,
            is_paused: false,
        }
    }

    /// Connects, serves, and connects again until told to stop.
    pub async fn run(mut self) {
        while let Some((connection, acknowledged)) = self.dial.connect().await {
            match self.serve(connection, acknowledged.session_present).await {
                Ok(()) => return,
                Err(end) => self.dial.lost(&end),
            }
        }
    }

    /// Serves until told to stop and what was taken is settled, or until the connection ends.
    async fn serve(
        &mut self,
        mut connection: Connection<impl ByteStream>,
        session_present: bool,
    ) -> Result<(), End> {
        let shared = self.pipeline.clone();
        shared.lock().connected(BROKER, session_present, std::iter::empty());
        self.filters.connected(session_present);
        let filters = self.filters.texts();
        let mut subscription = Subscription::ask(&mut connection, SUBSCRIBE_ID, filters)?;
        let mut inbox = Inbox::default();
        let mut until = None;
        let mut linger = Linger::new(self.linger);
        let mut read = false;
        loop {
            let now = now();
            let pause = linger.pause(now, inbox.len() as u64);
            let is_stopping = self.dial.is_stopping();
            let is_over = {
                let pipeline = &mut *shared.lock();
                self.take(&mut inbox, &mut subscription, is_stopping, pipeline, now)?;
                subscription.check(now, read)?;
                pipeline.advance(now);
                pipeline.release(BROKER, |id| connection.acknowledge(id));
                if pipeline.is_mistaken(BROKER) {
                    return Err(End::Mistaken);
                }
                pipeline.wake_others(&self.wake);
                let held = pipeline.held(BROKER).messages;
                if is_stopping && until.is_none() {
                    info!("stopping: waiting for {held} messages of the broker");
                    until = Some(now + self.drain_timeout);
                }
                // Messages that wait for the threshold at a stop stay unacknowledged. Others are
                // waited for even when alerts have no connection to leave by: nothing tells here.
                let is_settled = held == 0 || pipeline.is_holding();
                read = self.may_read(&connection, pipeline) && !is_stopping;
                until.is_some_and(|until| now >= until || is_settled)
            };
            if is_over {
                connection.close().await;
                return Ok(());
            }
            if let Some(pause) = pause.filter(|_| read) {
                connection.write_now().await?;
                linger::pause(pause).await;
            }
            let turn = connection.turn(&mut inbox, &self.wake, read);
            match until {
                Some(until) => timeout_at(until.into(), turn).await.unwrap_or(Ok(()))?,
                None => turn.await?,
            }
        }
    }

    /// Sorts what a turn brought, in order of arrival.
    fn take(
        &mut self,
        inbox: &mut Inbox,
        subscription: &mut Subscription,
        is_stopping: bool,
        pipeline: &mut Pipeline,
        now: Instant,
    ) -> Result<(), End> {
        let threshold = self.cell.load().threshold;
        let (block, packets) = inbox.drain();
        for packet in packets {
            match packet {
                // Not acknowledged: the broker delivers it to the next instance.
                Incoming::Publish(_) | Incoming::TooLarge { .. } if is_stopping => {}
                Incoming::Publish(publish)
                    if pipeline.is_expecting(BROKER)
                        && is_redelivered(publish, &block, pipeline) => {}
                Incoming::Publish(publish) if !self.filters.let_in(publish.topic(&block)) => {
                    pipeline.receive_settled(BROKER, publish.packet_id(), publish.len());
                    self.foreign(publish.topic(&block), pipeline, now);
                }
                Incoming::Publish(publish) => {
                    let origin = Span::new(publish.topic_at()..publish.topic_end());
                    let message = Message { origin, body: Span::new(publish.body()) };
                    debug!(
                        "message {}: {} bytes, data \"{}\", topic \"{}\"",
                        pipeline.counters.received + 1,
                        message.body.len(),
                        excerpt(message.body.of(&block)),
                        excerpt(origin.of(&block)),
                    );
                    pipeline.receive(BROKER, &block, message, publish.packet_id(), threshold);
                }
                Incoming::Other(packet) => match *packet {
                    Packet::SubAck(ack) if subscription.acknowledged(&ack)? => {
                        info!("subscribed to {}", self.filters.texts().join(", "));
                    }
                    Packet::PingResp => {}
                    _ => pipeline.counters.unexpected += 1,
                },
                Incoming::TooLarge { packet_id, bytes } => {
                    pipeline.receive_too_large(BROKER, packet_id, bytes, now);
                }
                Incoming::PubAck(_) => pipeline.counters.unexpected += 1,
            }
        }
        Ok(())
    }

    /// A message came that nobody asked for today.
    fn foreign(&mut self, topic: &[u8], pipeline: &mut Pipeline, now: Instant) {
        pipeline.counters.unexpected += 1;
        if let Some(suppressed) = self.foreign_lines.allow(now, 1) {
            warn!(
                "message not judged: no filter lets \"{}\" in, the session has it from an earlier \
                 run (and {suppressed} more such messages); take another --client-id, or let the \
                 broker forget the session",
                excerpt(topic)
            );
        }
    }

    /// At the bound nothing is read, nor while the broker does not take our acknowledgements.
    fn may_read<S: ByteStream>(
        &mut self,
        connection: &Connection<S>,
        pipeline: &mut Pipeline,
    ) -> bool {
        let must_pause = pipeline.is_over_bound(BROKER, 1) || !connection.is_writable();
        if must_pause && !self.is_paused {
            pipeline.counters.source_pauses += 1;
            debug!("the broker is not read: {:?}", pipeline.held(BROKER));
        }
        self.is_paused = must_pause;
        !must_pause
    }
}

/// Whether it came on an earlier connection and is still open.
#[cold]
fn is_redelivered(publish: PublishAt, block: &[u8], pipeline: &mut Pipeline) -> bool {
    let content = [publish.topic(block), &block[publish.body()]];
    let is_known = |id| pipeline.redelivered(BROKER, id, publish.is_dup(), content);
    publish.packet_id().is_some_and(is_known)
}

#[cfg(test)]
mod redelivery_tests;
#[cfg(test)]
mod session_tests;
#[cfg(test)]
mod tests;
