//! What the link does with a connection: what it begins with, and turn after turn.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};
use tracing::{info, warn};

use super::login::{Renewal, TokenPassword};
use super::{End, HUB, HubLink};
use crate::azure::topics;
use crate::hub::limits::{OVERRUN_DRAIN_MAX, RENEWAL_DRAIN_MAX};
use crate::mqtt::linger::Linger;
use crate::mqtt::packet::{Packet, Publish};
use crate::mqtt::session::{
    self, Ask, Cause, Client, Connected, FailedAttempt, Leaving, Serve, Session, Step, Wait,
};
use crate::mqtt::wire::Incoming;
use crate::mqtt::{ByteStream, QoS, Stream};
use crate::pipeline::Pipeline;
use crate::twin::limits::FIRST_TWIN_WAIT;

/// Why a connection is left in good order.
pub(crate) enum HubLeave {
    /// Told to stop.
    Stop,
    /// The token is renewed: connect again with this one, at once.
    Renew(TokenPassword),
    /// The hub sent more than may be held: connect again for it to deliver the rest.
    Overrun,
}

impl Client for HubLink {
    type Stream = Stream;

    fn client_id(&self) -> &str {
        &self.client_id
    }

    fn stop(&self) -> &watch::Receiver<bool> {
        &self.stop
    }

    fn files(&self) -> Vec<PathBuf> {
        self.settings.trust.paths().to_vec()
    }

    async fn connect(&mut self) -> Result<Connected, FailedAttempt> {
        self.log_in().await.map_err(|error| error.failure())
    }

    fn left(&mut self, why: HubLeave) -> bool {
        self.renewal = None;
        match why {
            HubLeave::Stop => return false,
            HubLeave::Renew(fresh) => self.password = Some(fresh),
            HubLeave::Overrun => {}
        }
        true
    }

    fn lost(&mut self, end: &End) -> Cause {
        self.renewal = None;
        let pipeline = &mut *self.pipeline.lock();
        pipeline.counters.puback_timeouts += u64::from(matches!(end, End::NoPubAck(_)));
        if !(end.is_hang_up() || matches!(end, End::NoPubAck(_))) {
            return Cause::Unknown;
        }
        let outcome = self.outbound.hung_up(session::now(), pipeline);
        pipeline.wake_others(&self.wake);
        match outcome.is_explained {
            true => Cause::Refused,
            false if pipeline.is_shared(HUB) => Cause::Shared,
            false => Cause::Unknown,
        }
    }
}

impl Serve for HubLink {
    type Leave = HubLeave;

    fn wake(&self) -> &Arc<Notify> {
        &self.wake
    }

    fn puback_timeout(&self) -> Duration {
        self.settings.puback_timeout
    }

    /// Nothing of the last connection is acknowledged on this one, everything unacknowledged will
    /// be sent again, and the subscriptions are made, whatever the hub says that it has kept.
    fn open(&mut self, session_present: bool, now: Instant) -> Result<Ask, End> {
        self.leaving = None;
        self.hold_until = now + FIRST_TWIN_WAIT;
        self.linger = Linger::new(self.settings.linger);
        self.renewal = Some(Renewal::start(&self.settings, self.renew_at, &self.wake));
        self.pipeline.lock().connected(HUB, session_present, self.outbound.alerts());
        let filters = vec![
            topics::TWIN_RESPONSES.to_owned(),
            topics::DESIRED_PATCHES.to_owned(),
            topics::METHODS.to_owned(),
            topics::inputs_filter(&self.settings.identity),
        ];
        let packet_id = self.outbound.reconnected().ok_or(End::NoPacketId)?;
        Ok(Ask { packet_id, filters })
    }

    fn turn<S: ByteStream>(
        &mut self,
        session: &mut Session<S>,
        now: Instant,
    ) -> Result<Step<HubLeave>, End> {
        let shared = self.pipeline.clone();
        let pipeline = &mut *shared.lock();
        let received = pipeline.counters.received;
        self.receive(session, pipeline, now)?;
        self.look_for_a_reason_to_leave(pipeline, now);
        self.pump(session, pipeline, now)?;
        let messages = pipeline.counters.received - received;
        if self.is_over(pipeline, now)
            && let Some(leaving) = self.leaving.take()
        {
            return Ok(Step::Leave(leaving.why));
        }
        Ok(Step::Wait(Wait {
            read: may_read(pipeline),
            pause: self.linger.pause(now, messages).filter(|_| self.leaving.is_none()),
            until: self.leaving.as_ref().map(Leaving::until),
            oldest: self.outbound.oldest(),
        }))
    }
}

impl HubLink {
    /// Sorts what a turn brought, in order of arrival.
    fn receive<S: ByteStream>(
        &mut self,
        session: &mut Session<S>,
        pipeline: &mut Pipeline,
        now: Instant,
    ) -> Result<(), End> {
        // Stop and threshold are looked at once a turn, before its packets: one threshold judges
        // them until a patch among them changes it.
        let is_stopping = self.is_stopping();
        pipeline.read_threshold();
        let Session { connection, inbox, subscription, .. } = session;
        let mut has_worked = false;
        let (block, packets) = inbox.drain();
        for packet in packets {
            match packet {
                Incoming::Publish(publish) => {
                    self.received(publish, &block, is_stopping, pipeline, connection)?
                }
                Incoming::PubAck(id) => {
                    self.outbound.acknowledged(id, pipeline);
                    has_worked = true;
                }
                // Not taken by a connection that is left, like all that comes on it.
                Incoming::TooLarge { .. } if self.leaving.is_some() => {}
                Incoming::TooLarge { packet_id, bytes, topic } => {
                    self.received_too_large(&topic, packet_id, bytes, pipeline, now);
                }
                Incoming::Other(packet) => match *packet {
                    Packet::SubAck(ack) if subscription.acknowledged(&ack)? => {
                        self.outbound.subscribed(ack.pkid);
                        self.twin.connected();
                    }
                    Packet::PingResp => self.outbound.answered(),
                    _ => pipeline.counters.unexpected += 1,
                },
            }
        }
        if has_worked {
            session.worked();
        }
        Ok(())
    }

    /// From a reason to leave on nothing new is acknowledged, so the hub delivers it on the next
    /// connection, and what is in flight has some time to be acknowledged in both directions.
    /// Nothing is then sent twice.
    fn look_for_a_reason_to_leave(&mut self, pipeline: &mut Pipeline, now: Instant) {
        let held = pipeline.held(HUB).messages;
        let is_leaving_to_stop =
            self.leaving.as_ref().is_some_and(|leaving| matches!(leaving.why, HubLeave::Stop));
        if self.is_stopping() && !is_leaving_to_stop {
            info!("stopping: waiting for {held} messages in flight");
            self.leaving = Some(Leaving::within(self.settings.drain_timeout, now, HubLeave::Stop));
        }
        if self.leaving.is_some() {
            return;
        }
        let Some(password) = self.renewal.as_mut().and_then(Renewal::ready) else { return };
        pipeline.counters.renewals += 1;
        info!("token renewed: {held} messages in flight");
        self.leaving = Some(Leaving::within(RENEWAL_DRAIN_MAX, now, HubLeave::Renew(password)));
    }

    /// The hub sent more than may be held, and goes on: nothing more is taken, what is held is
    /// finished, then a new connection brings the rest.
    pub(super) fn overrun(&mut self, pipeline: &Pipeline) {
        if self.leaving.is_some() {
            return;
        }
        let held = pipeline.held(HUB);
        warn!(
            "{} messages ({} bytes) wait for the hub, which goes on sending: once they are done, a \
             new connection lets it deliver the rest",
            held.messages, held.bytes
        );
        let now = session::now();
        self.leaving = Some(Leaving::within(OVERRUN_DRAIN_MAX, now, HubLeave::Overrun));
    }

    /// Moves everything that can move without waiting.
    fn pump<S: ByteStream>(
        &mut self,
        session: &mut Session<S>,
        pipeline: &mut Pipeline,
        now: Instant,
    ) -> Result<(), End> {
        self.end_hold_when_due(pipeline, now);
        pipeline.advance(now);
        let connection = &mut session.connection;
        while let Some(request) = self.twin.next_request(now) {
            connection.publish(&Publish::new(request.topic, QoS::AtMostOnce, request.body))?;
        }
        // A connection that is left finishes what came on it, and begins nothing else.
        let only = (self.leaving.is_some() && !self.is_stopping()).then_some(HUB);
        if self.outbound.wants_ping(now, self.leaving.is_none(), pipeline) {
            connection.send(&Packet::PingReq)?;
        }
        self.outbound.send(connection, pipeline, only)?;
        if pipeline.release(HUB, |id| connection.acknowledge(id)) > 0 {
            session.worked();
        }
        pipeline.wake_others(&self.wake);
        Ok(())
    }

    /// Messages wait for the first twin document, but not for ever.
    pub(super) fn end_hold_when_due(&mut self, pipeline: &mut Pipeline, now: Instant) {
        if !pipeline.is_holding() {
            return;
        }
        let known = self.twin.is_known();
        if !known && now < self.hold_until {
            return;
        }
        if !known {
            let threshold = pipeline.cell().load().threshold;
            warn!("no twin after {FIRST_TWIN_WAIT:?}: the default threshold {threshold} judges");
        }
        pipeline.release_hold();
    }

    /// Whether the connection is being left and can go.
    fn is_over(&self, pipeline: &Pipeline, now: Instant) -> bool {
        let Some(leaving) = &self.leaving else { return false };
        let judged = match leaving.why {
            // Messages that wait for the twin stay unacknowledged; a renewal is no reason.
            HubLeave::Stop => pipeline.is_holding() || pipeline.is_drained(),
            HubLeave::Renew(_) | HubLeave::Overrun => pipeline.is_drained_of(HUB),
        };
        leaving.is_over(now, judged && self.outbound.is_drained())
    }
}

/// Whether to read on. At the bound reading stops while the parsers can free something.
fn may_read(pipeline: &Pipeline) -> bool {
    !pipeline.is_over_bound(HUB, 1) || waits_for_hub(pipeline)
}

/// Whether all that is held waits for something that stands behind inputs in the same stream
/// (PUBACKs of alerts, or the first twin document), so that only reading can free anything.
pub(super) fn waits_for_hub(pipeline: &Pipeline) -> bool {
    pipeline.is_idle(HUB) || pipeline.is_holding()
}
