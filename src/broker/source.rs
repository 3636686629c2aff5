//! The connection that sensor messages come on.
//!
//! - In: publishes of the subscribed topics. Out: PUBACKs, in order of receipt, each once its
//!   message is settled in the [`pipeline`](crate::pipeline).
//! - Nothing else comes on it that anybody waits for, so at the bound it is simply not read: the
//!   broker holds back what is QoS 1, and does with QoS 0 what its own policy says.
//! - The subscriptions are made on every connection, whatever the broker says that it has kept: one
//!   that is lost would go unnoticed for ever. So retained messages come again on every connection,
//!   and are judged again: which of them are new only the broker knows.
//! - What comes by subscriptions of an earlier run, which a kept session still has, is acknowledged
//!   and not judged (`filters`).
//! - While its oldest message stays unsettled for seconds, the broker is asked whether it hears.
//! - On the ingest thread, beside the connection that alerts leave by.

mod filters;
mod silence;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rumqttc::mqttbytes::v4::Packet;
use tokio::sync::{Notify, watch};
use tracing::{debug, info, warn};

use super::{Context, Login, TopicFilter};
use crate::host::logging::{LineLimit, excerpt};
use crate::mqtt::linger::Linger;
use crate::mqtt::session::{
    self, Ask, Cause, Client, Connected, End, FailedAttempt, Leaving, Serve, Session, Step, Wait,
};
use crate::mqtt::wire::{Incoming, PublishAt};
use crate::mqtt::{ByteStream, Connection, Stream};
use crate::pipeline::Pipeline;
use crate::pipeline::message::{Message, SourceId, Span};
use crate::pipeline::origin::Origin;
use filters::Filters;
use silence::Silence;

const BROKER: SourceId = SourceId::Broker;
/// The only packet id that a source needs.
const SUBSCRIBE_ID: u16 = 1;

/// The source, with what outlives a connection.
pub struct Source {
    login: Login,
    filters: Filters,
    silence: Silence,
    foreign_lines: LineLimit,
    context: Context,
    wake: Arc<Notify>,
    longest_pause: Duration,
    linger: Linger,
    /// Told to stop: nothing more is taken.
    leaving: Option<Leaving<()>>,
    /// Not read, as too much is held.
    is_paused: bool,
    /// The log has what is subscribed to.
    has_logged_filters: bool,
}

impl Source {
    /// The source [`SourceId::Broker`] of a pipeline, not connected yet. `wake` is its own there;
    /// pauses last `linger` at most.
    pub fn new(
        login: &Login,
        filters: &[TopicFilter],
        context: Context,
        wake: Arc<Notify>,
        linger: Duration,
    ) -> Self {
        Self {
            login: login.clone(),
            filters: Filters::new(filters),
            silence: Silence::new(filters),
            foreign_lines: LineLimit::default(),
            context,
            wake,
            longest_pause: linger,
            linger: Linger::new(linger),
            leaving: None,
            is_paused: false,
            has_logged_filters: false,
        }
    }

    /// Connects, serves, and connects again until told to stop.
    pub async fn run(mut self) {
        session::run(&mut self).await;
    }
}

impl Client for Source {
    type Stream = Stream;

    fn client_id(&self) -> &str {
        self.login.client_id()
    }

    fn stop(&self) -> &watch::Receiver<bool> {
        &self.context.stop
    }

    fn files(&self) -> Vec<PathBuf> {
        self.login.files()
    }

    async fn connect(&mut self) -> Result<Connected, FailedAttempt> {
        self.login.read_again()?;
        self.login.connect(self.login.source(), &self.context.pipeline).await
    }

    fn left(&mut self, (): ()) -> bool {
        false
    }

    fn lost(&mut self, _end: &End) -> Cause {
        let is_shared = self.context.pipeline.lock().is_shared(BROKER);
        if is_shared { Cause::Shared } else { Cause::Unknown }
    }
}

impl Serve for Source {
    type Leave = ();

    fn wake(&self) -> &Arc<Notify> {
        &self.wake
    }

    fn puback_timeout(&self) -> Duration {
        // It publishes nothing. Its oldest message may wait for others for as long as they take.
        Duration::MAX
    }

    fn open(&mut self, session_present: bool, _now: Instant) -> Result<Ask, End> {
        self.context.pipeline.lock().connected(BROKER, session_present, std::iter::empty());
        self.filters.connected(session_present);
        self.silence.connected();
        self.leaving = None;
        self.linger = Linger::new(self.longest_pause);
        Ok(Ask { packet_id: SUBSCRIBE_ID, filters: self.filters.texts() })
    }

    fn turn<S: ByteStream>(
        &mut self,
        session: &mut Session<S>,
        now: Instant,
    ) -> Result<Step<()>, End> {
        let pause = self.linger.pause(now, session.inbox.len() as u64);
        let is_stopping = self.context.is_stopping();
        let shared = self.context.pipeline.clone();
        let pipeline = &mut *shared.lock();
        if !self.silence.is_over() {
            self.listen(session, now);
        }
        self.receive(session, is_stopping, pipeline, now)?;
        pipeline.advance(now);
        let connection = &mut session.connection;
        if pipeline.release(BROKER, |id| connection.acknowledge(id)) > 0 {
            session.worked();
        }
        if pipeline.is_mistaken(BROKER) {
            return Err(End::Mistaken);
        }
        pipeline.wake_others(&self.wake);
        let held = pipeline.held(BROKER).messages;
        if is_stopping && self.leaving.is_none() {
            info!("stopping: waiting for {held} messages of the broker");
            self.leaving = Some(Leaving::within(self.context.drain_timeout, now, ()));
        }
        // Messages that wait for the threshold at a stop stay unacknowledged. Others are waited for
        // even when alerts have no connection to leave by: nothing tells here.
        let is_settled = held == 0 || pipeline.is_holding();
        if self.leaving.as_ref().is_some_and(|leaving| leaving.is_over(now, is_settled)) {
            return Ok(Step::Leave(()));
        }
        let read = self.may_read(&session.connection, pipeline) && !is_stopping;
        let until = self.leaving.as_ref().map(Leaving::until).or(self.silence.until());
        // A link may be dead the one way alone, and messages come though no PUBACK gets through.
        // The alerts' link is dead then as well, as a rule; both are to be found out together.
        let oldest = pipeline.oldest_held(BROKER);
        Ok(Step::Wait(Wait { read, pause, until, oldest }))
    }
}

impl Source {
    /// Sorts what a turn brought, in order of arrival.
    fn receive<S>(
        &mut self,
        session: &mut Session<S>,
        is_stopping: bool,
        pipeline: &mut Pipeline,
        now: Instant,
    ) -> Result<(), End> {
        pipeline.read_threshold();
        let Session { inbox, subscription, .. } = session;
        let (block, packets) = inbox.drain();
        for packet in packets {
            match packet {
                // Not acknowledged: the broker delivers it to the next instance.
                Incoming::Publish(_) | Incoming::TooLarge { .. } if is_stopping => {}
                Incoming::Publish(publish)
                    if pipeline.is_expecting(BROKER)
                        && is_redelivered(publish, &block, pipeline) => {}
                Incoming::Publish(publish) if !self.filters.let_in(publish.topic(&block)) => {
                    pipeline.receive_settled(BROKER, publish.packet_id());
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
                    pipeline.receive(BROKER, &block, message, publish.packet_id());
                }
                Incoming::Other(packet) => match *packet {
                    Packet::SubAck(ack) if subscription.acknowledged(&ack)? => {
                        let filters = self.filters.texts().join(", ");
                        // The same on each connection: once is enough.
                        if std::mem::replace(&mut self.has_logged_filters, true) {
                            debug!("subscribed to {filters}");
                        } else {
                            info!("subscribed to {filters}");
                        }
                        self.silence.subscribed(now);
                    }
                    Packet::PingResp => {}
                    _ => pipeline.counters.unexpected += 1,
                },
                Incoming::TooLarge { packet_id, bytes, topic } => {
                    let origin = Origin::Topic(&topic);
                    pipeline.receive_too_large(BROKER, origin, packet_id, bytes, now);
                }
                Incoming::PubAck(_) => pipeline.counters.unexpected += 1,
            }
        }
        Ok(())
    }

    /// Looks whether shared subscriptions bring anything, until that is known.
    #[cold]
    fn listen<S>(&mut self, session: &Session<S>, now: Instant) {
        self.silence.heard(session.inbox.topics());
        if let Some(warning) = self.silence.warning(now) {
            warn!("{warning}");
        }
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
mod silence_tests;
#[cfg(test)]
mod tests;
