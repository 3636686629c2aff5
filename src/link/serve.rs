//! One connection from its CONNACK to its end: turn after turn.

use std::time::Instant;

use tokio::time::timeout_at;
use tracing::{info, warn};

use super::login::{Password, Renewal};
use super::{End, HUB, Link, now};
use crate::azure::topics;
use crate::limits::{FIRST_TWIN_WAIT, RENEWAL_DRAIN_MAX, SUBACK_WAIT};
use crate::linger::{self, Linger};
use crate::mqtt::packet::{
    Packet, Publish, SubAck, Subscribe, SubscribeFilter, SubscribeReasonCode,
};
use crate::mqtt::wire::Incoming;
use crate::mqtt::{ByteStream, Connection, Inbox, QoS};
use crate::pipeline::Pipeline;

/// Why a connection is left in good order.
pub(super) enum Leave {
    /// Told to stop.
    Stop,
    /// The token is renewed: connect again with this one, at once.
    Renew(Password),
    /// The hub sent more than may be held: connect again for it to deliver the rest.
    Overrun,
}

/// A connection that is being left: what is in flight is waited for.
struct Leaving {
    why: Leave,
    /// `None`: however long it takes.
    until: Option<Instant>,
}

/// The subscriptions of a connection: made on every connect, whatever session-present says, as a
/// hub may have lost them.
struct Subscription {
    packet_id: u16,
    filters: [String; 4],
    /// `None` once acknowledged.
    deadline: Option<Instant>,
}

impl Link {
    /// Serves until there is a reason to leave and work in flight is done, or until the connection
    /// ends.
    pub(super) async fn serve(
        &mut self,
        mut connection: Connection<impl ByteStream>,
    ) -> Result<Leave, End> {
        let shared = self.pipeline.clone();
        let mut subscription = self.open(&mut connection, &mut shared.lock())?;
        let mut renewal = Renewal::start(&self.settings, self.renew_at, &self.wake);
        let mut leaving: Option<Leaving> = None;
        let mut inbox = Inbox::default();
        let mut linger = Linger::new(self.settings.linger);
        loop {
            let now = now();
            let (read, over, messages) = {
                let pipeline = &mut *shared.lock();
                let received = pipeline.counters.received;
                self.take(&mut inbox, &mut subscription, pipeline, &mut connection, now)?;
                if subscription.deadline.is_some_and(|deadline| now > deadline) {
                    return Err(End::NoSubAck);
                }
                leaving = self.reason_to_leave(leaving, &mut renewal, pipeline, now);
                self.pump(&mut connection, pipeline, now)?;
                let over = leaving.take_if(|leaving| self.is_over(leaving, pipeline, now));
                (may_read(pipeline), over, pipeline.counters.received - received)
            };
            let pause = linger.pause(now, messages);
            if let Some(Leaving { why, .. }) = over {
                connection.close().await;
                return Ok(why);
            }
            if let Some(pause) = pause.filter(|_| read && leaving.is_none()) {
                connection.write_now().await?;
                linger::pause(pause).await;
            }
            let turn = connection.turn(&mut inbox, &self.wake, read);
            match &leaving {
                Some(Leaving { until: Some(until), .. }) => {
                    // Past the deadline, the next round closes.
                    timeout_at((*until).into(), turn).await.unwrap_or(Ok(()))?;
                }
                _ => turn.await?,
            }
        }
    }

    /// Sorts what a turn brought, in order of arrival.
    fn take(
        &mut self,
        inbox: &mut Inbox,
        subscription: &mut Subscription,
        pipeline: &mut Pipeline,
        connection: &mut Connection<impl ByteStream>,
        now: Instant,
    ) -> Result<(), End> {
        // Both are looked at once a turn: the one is news to this thread alone, the other changes
        // by what is taken here.
        let is_stopping = self.is_stopping();
        self.threshold = self.cell.load().threshold;
        let (block, packets) = inbox.drain();
        for packet in packets {
            match packet {
                Incoming::Publish(publish) => {
                    self.received(publish, &block, is_stopping, pipeline, connection)?
                }
                Incoming::PubAck(id) => {
                    self.outbound.acknowledged(id, pipeline);
                }
                // Not taken by a connection that is left, like all that comes on it.
                Incoming::TooLarge { .. } if self.leaving => {}
                Incoming::TooLarge { packet_id, bytes } => {
                    pipeline.receive_too_large(HUB, packet_id, bytes, now);
                }
                Incoming::Other(packet) => match *packet {
                    Packet::SubAck(ack) => self.subscribed(subscription, &ack, pipeline)?,
                    Packet::PingResp => self.outbound.answered(),
                    _ => pipeline.counters.unexpected += 1,
                },
            }
        }
        Ok(())
    }

    /// From a reason to leave on nothing new is acknowledged, so the hub delivers it on the next
    /// connection, and what is in flight has some time to be acknowledged in both directions.
    /// Nothing is then sent twice.
    fn reason_to_leave(
        &mut self,
        leaving: Option<Leaving>,
        renewal: &mut Renewal,
        pipeline: &mut Pipeline,
        now: Instant,
    ) -> Option<Leaving> {
        let held = pipeline.held(HUB);
        let stopping = matches!(leaving, Some(Leaving { why: Leave::Stop, .. }));
        if self.is_stopping() && !stopping {
            info!("stopping: waiting for {} messages in flight", held.messages);
            self.leaving = true;
            let until = now + self.settings.drain_timeout;
            return Some(Leaving { why: Leave::Stop, until: Some(until) });
        }
        if leaving.is_some() {
            return leaving;
        }
        if self.overrun {
            warn!(
                "{} messages ({} bytes) wait for the hub, which goes on sending: once they are \
                 done, a new connection lets it deliver the rest",
                held.messages, held.bytes
            );
            return Some(Leaving { why: Leave::Overrun, until: None });
        }
        let password = renewal.ready()?;
        pipeline.counters.renewals += 1;
        info!("token renewed: {} messages in flight", held.messages);
        self.leaving = true;
        let until = Some(now + RENEWAL_DRAIN_MAX);
        Some(Leaving { why: Leave::Renew(password), until })
    }

    /// What every connection begins with: nothing of the last one is acknowledged on it, everything
    /// unacknowledged is due again, and the subscriptions are made.
    fn open(
        &mut self,
        connection: &mut Connection<impl ByteStream>,
        pipeline: &mut Pipeline,
    ) -> Result<Subscription, End> {
        self.leaving = false;
        self.overrun = false;
        self.hold_until = now() + FIRST_TWIN_WAIT;
        pipeline.forget_packet_ids(HUB);
        let filters = [
            topics::TWIN_RESPONSES.to_owned(),
            topics::DESIRED_PATCHES.to_owned(),
            topics::METHODS.to_owned(),
            topics::inputs_filter(&self.settings.identity),
        ];
        let Some(packet_id) = self.outbound.reconnected() else {
            return Err(End::NoPacketId);
        };
        let wanted = |path: &String| SubscribeFilter::new(path.clone(), QoS::AtLeastOnce);
        let mut subscribe = Subscribe::new_many(filters.iter().map(wanted));
        subscribe.pkid = packet_id;
        connection.send(&Packet::Subscribe(subscribe))?;
        Ok(Subscription { packet_id, filters, deadline: Some(now() + SUBACK_WAIT) })
    }

    fn subscribed(
        &mut self,
        subscription: &mut Subscription,
        ack: &SubAck,
        pipeline: &mut Pipeline,
    ) -> Result<(), End> {
        if ack.pkid != subscription.packet_id || subscription.deadline.take().is_none() {
            pipeline.counters.unexpected += 1;
            return Ok(());
        }
        self.outbound.subscribed(ack.pkid);
        for (filter, code) in subscription.filters.iter().zip(&ack.return_codes) {
            if *code == SubscribeReasonCode::Failure {
                return Err(End::SubscriptionRefused(filter.clone()));
            }
        }
        self.twin.connected();
        Ok(())
    }

    /// Moves everything that can move without waiting.
    fn pump(
        &mut self,
        connection: &mut Connection<impl ByteStream>,
        pipeline: &mut Pipeline,
        now: Instant,
    ) -> Result<(), End> {
        self.end_hold_when_due(pipeline, now);
        pipeline.advance(now);
        while let Some(request) = self.twin.next_request(now) {
            connection.publish(&Publish::new(request.topic, QoS::AtMostOnce, request.body))?;
        }
        // A connection that is left finishes what came on it, and begins nothing else.
        let only = (self.leaving && !self.is_stopping()).then_some(HUB);
        if self.outbound.wants_ping(now, !self.leaving && !self.is_stopping(), pipeline) {
            connection.send(&Packet::PingReq)?;
        }
        self.outbound.send(connection, pipeline, only)?;
        pipeline.release(HUB, |id| connection.acknowledge(id));
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
        let threshold = self.cell.load().threshold;
        if !known {
            warn!("no twin after {FIRST_TWIN_WAIT:?}: the default threshold {threshold} judges");
        }
        pipeline.release_hold(threshold);
    }

    /// Whether a connection that is being left can go.
    fn is_over(&self, leaving: &Leaving, pipeline: &Pipeline, now: Instant) -> bool {
        // Messages that wait for the twin at a stop stay unacknowledged; a renewal is no reason.
        let given_up = self.is_stopping() && pipeline.is_holding();
        let judged = match leaving.why {
            Leave::Stop => given_up || pipeline.is_drained(),
            Leave::Renew(_) | Leave::Overrun => pipeline.is_drained_of(HUB),
        };
        let drained = judged && self.outbound.is_drained();
        drained || leaving.until.is_some_and(|until| now >= until)
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
