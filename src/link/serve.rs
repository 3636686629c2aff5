//! One connection from its CONNACK to its end: turn after turn.

use std::time::Instant;

use tokio::time::timeout_at;
use tracing::{debug, error, info, warn};

use super::login::{Password, Renewal};
use super::{End, Link};
use crate::azure::topics;
use crate::forward::Outgoing;
use crate::limits::{
    DISCONNECT_WAIT, FIRST_TWIN_WAIT, HELD_MESSAGES_MAX, PIPELINE_BATCHES_MAX, RENEWAL_DRAIN_MAX,
    SUBACK_WAIT,
};
use crate::logging::excerpt;
use crate::message::Judged;
use crate::mqtt::connection::publish_at_least_once;
use crate::mqtt::packet::{
    Packet, Publish, SubAck, Subscribe, SubscribeFilter, SubscribeReasonCode,
};
use crate::mqtt::{ByteStream, Connection, QoS};

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

impl Leaving {
    fn is_over(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| now >= until)
    }
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
        inbox: &mut Vec<Packet>,
    ) -> Result<Leave, End> {
        let mut subscription = self.open(&mut connection)?;
        let mut renewal = Renewal::start(&self.settings, self.renew_at, &self.wake);
        let mut leaving: Option<Leaving> = None;
        loop {
            for packet in inbox.drain(..) {
                match packet {
                    Packet::Publish(publish) => self.received(publish, &mut connection)?,
                    Packet::PubAck(ack) => self.acknowledged(ack.pkid),
                    Packet::SubAck(ack) => self.subscribed(&mut subscription, &ack)?,
                    Packet::PingResp => {}
                    _ => self.counters.unexpected += 1,
                }
            }
            let now = Instant::now();
            if subscription.deadline.is_some_and(|deadline| now > deadline) {
                return Err(End::NoSubAck);
            }
            leaving = self.reason_to_leave(leaving, &mut renewal, now);
            self.pump(&mut connection, now)?;
            if let Some(Leaving { why, .. }) =
                leaving.take_if(|leaving| self.is_drained() || leaving.is_over(now))
            {
                close(connection).await;
                return Ok(why);
            }
            let read = self.may_read();
            let turn = connection.turn(inbox, &self.wake, read);
            match &leaving {
                Some(Leaving { until: Some(until), .. }) => {
                    // Past the deadline, the next round closes.
                    timeout_at((*until).into(), turn).await.unwrap_or(Ok(()))?;
                }
                _ => turn.await?,
            }
        }
    }

    /// From a reason to leave on nothing new is acknowledged, so the hub delivers it on the next
    /// connection, and what is in flight has some time to be acknowledged in both directions.
    /// Nothing is then sent twice.
    fn reason_to_leave(
        &mut self,
        leaving: Option<Leaving>,
        renewal: &mut Renewal,
        now: Instant,
    ) -> Option<Leaving> {
        let stopping = matches!(leaving, Some(Leaving { why: Leave::Stop, .. }));
        if self.is_stopping() && !stopping {
            info!("stopping: waiting for {} messages in flight", self.ledger.held().messages);
            self.leaving = true;
            let until = now + self.settings.drain_timeout;
            return Some(Leaving { why: Leave::Stop, until: Some(until) });
        }
        if leaving.is_some() {
            return leaving;
        }
        if self.overrun {
            let held = self.ledger.held();
            warn!(
                "{} messages ({} bytes) wait for the hub, which goes on sending: once they are \
                 done, a new connection lets it deliver the rest",
                held.messages, held.bytes
            );
            return Some(Leaving { why: Leave::Overrun, until: None });
        }
        let password = renewal.ready()?;
        self.counters.renewals += 1;
        info!("token renewed: {} messages in flight", self.ledger.held().messages);
        self.leaving = true;
        let until = Some(now + RENEWAL_DRAIN_MAX);
        Some(Leaving { why: Leave::Renew(password), until })
    }

    /// What every connection begins with: nothing of the last one is acknowledged on it, everything
    /// unacknowledged is due again, and the subscriptions are made.
    fn open(&mut self, connection: &mut Connection<impl ByteStream>) -> Result<Subscription, End> {
        self.leaving = false;
        self.overrun = false;
        self.hold_until = Instant::now() + FIRST_TWIN_WAIT;
        self.ledger.forget_packet_ids();
        self.resend = self.inflight.resend();
        let filters = [
            topics::TWIN_RESPONSES.to_owned(),
            topics::DESIRED_PATCHES.to_owned(),
            topics::METHODS.to_owned(),
            topics::inputs_filter(&self.settings.identity),
        ];
        // Alerts leave one packet id free for this (see `send_alerts`).
        let Some(packet_id) = self.inflight.reserve() else {
            return Err(End::NoPacketId);
        };
        let wanted = |path: &String| SubscribeFilter::new(path.clone(), QoS::AtLeastOnce);
        let mut subscribe = Subscribe::new_many(filters.iter().map(wanted));
        subscribe.pkid = packet_id;
        connection.send(&Packet::Subscribe(subscribe))?;
        Ok(Subscription { packet_id, filters, deadline: Some(Instant::now() + SUBACK_WAIT) })
    }

    fn subscribed(&mut self, subscription: &mut Subscription, ack: &SubAck) -> Result<(), End> {
        if ack.pkid != subscription.packet_id || subscription.deadline.take().is_none() {
            self.counters.unexpected += 1;
            return Ok(());
        }
        self.inflight.complete(ack.pkid);
        for (filter, code) in subscription.filters.iter().zip(&ack.return_codes) {
            if *code == SubscribeReasonCode::Failure {
                return Err(End::SubscriptionRefused(filter.clone()));
            }
        }
        self.twin.connected();
        Ok(())
    }

    /// A PUBACK: the alert is the hub's now, and its input is settled.
    fn acknowledged(&mut self, packet_id: u16) {
        match self.inflight.complete(packet_id) {
            Some(receipt) => {
                self.counters.forwarded += 1;
                self.ledger.settle(receipt);
            }
            None => self.counters.unexpected += 1,
        }
    }

    /// Moves everything that can move without waiting.
    fn pump(
        &mut self,
        connection: &mut Connection<impl ByteStream>,
        now: Instant,
    ) -> Result<(), End> {
        self.end_hold_when_due();
        while let Ok(judged) = self.pool.judged.try_recv() {
            self.ingest.returned();
            self.accept(judged, now);
        }
        while let Some(batch) = self.ingest.next_batch() {
            let sent = self.pool.batches.try_send(batch);
            assert!(sent.is_ok(), "the pool's queue holds {PIPELINE_BATCHES_MAX} batches");
        }
        self.send_alerts(connection)?;
        self.counters.settled += self.ledger.release(|id| connection.acknowledge(id))?;
        while let Some(request) = self.twin.next_request(now) {
            connection.publish(&Publish::new(request.topic, QoS::AtMostOnce, request.body))?;
        }
        Ok(())
    }

    fn accept(&mut self, judged: Judged, now: Instant) {
        let Self { forwarder, ledger, counters, malformed_lines, .. } = self;
        forwarder.accept(judged, |batch| {
            let alerts = batch.alerts.iter().map(|alert| alert.message.receipt);
            ledger.settle_range(batch.receipts.clone(), alerts);
            counters.add(batch);
            for alert in &batch.alerts {
                let (temperature, threshold) = (alert.temperature, batch.threshold);
                debug!("alert: machine.temperature {temperature} exceeds {threshold}");
            }
            let Some(sample) = &batch.sample else { return };
            let count = batch.malformed.iter().copied().map(u64::from).sum();
            if let Some(suppressed) = malformed_lines.allow(now, count) {
                let (reason, text) = (sample.reason, excerpt(&sample.body));
                warn!("message ignored: {reason}: \"{text}\" (and {suppressed} more bad messages)");
            }
        });
    }

    /// Resends first, then new alerts, while the socket takes them and packet ids last. One packet
    /// id stays free for the SUBSCRIBE of the next connection.
    fn send_alerts(&mut self, connection: &mut Connection<impl ByteStream>) -> Result<(), End> {
        while connection.is_writable() {
            let Some(id) = self.resend.pop_front() else { break };
            if let Some(publish) = self.inflight.publish(id) {
                connection.publish(publish)?;
                self.counters.resent += 1;
            }
        }
        while connection.is_writable() && self.resend.is_empty() && self.inflight.room() > 1 {
            match self.forwarder.next_alert() {
                None => break,
                Some(Outgoing::Publish { receipt, topic, body }) => {
                    let publish = publish_at_least_once(topic, body);
                    match self.inflight.push(publish, receipt) {
                        Ok(publish) => connection.publish(publish)?,
                        Err(_) => unreachable!("there was room"),
                    }
                }
                Some(Outgoing::TooLarge { receipt, topic_bytes, body_bytes }) => {
                    self.counters.too_large += 1;
                    self.ledger.settle(receipt);
                    error!(
                        "alert lost: as an alert the message is too large for any hub (topic with \
                         properties {topic_bytes} bytes of 65535, with the body of {body_bytes} \
                         about 262144 are the limit); have the sensor send less"
                    );
                }
            }
        }
        Ok(())
    }

    /// Whether to read on. At the bound reading stops while the parsers can free something.
    fn may_read(&self) -> bool {
        !self.is_over_bound(1) || self.waits_for_hub()
    }

    /// Whether all that is held waits for something that stands behind inputs in the same stream
    /// (PUBACKs of alerts, or the first twin document), so that only reading can free anything.
    pub(super) fn waits_for_hub(&self) -> bool {
        self.ingest.is_idle() || self.ingest.is_holding()
    }

    pub(super) fn is_over_bound(&self, times: usize) -> bool {
        let held = self.ledger.held();
        held.messages >= HELD_MESSAGES_MAX * times
            || held.bytes >= self.settings.held_bytes_max.saturating_mul(times)
    }

    fn is_drained(&self) -> bool {
        // Messages that wait for the twin at a stop stay unacknowledged; a renewal is no reason.
        let given_up = self.is_stopping() && self.ingest.is_holding();
        let judged = given_up || self.ingest.is_idle();
        judged && self.forwarder.waiting() == 0 && self.inflight.waiting() == 0
    }
}

async fn close(connection: Connection<impl ByteStream>) {
    let deadline = Instant::now() + DISCONNECT_WAIT;
    match timeout_at(deadline.into(), connection.disconnect()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => debug!("DISCONNECT: {error}"),
        Err(_) => debug!("the hub did not close within {DISCONNECT_WAIT:?} of DISCONNECT"),
    }
}
