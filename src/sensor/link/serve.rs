//! One connection to the hub from its CONNACK to its end: turn after turn.

use std::time::{Duration, Instant};

use tokio::time::timeout_at;
use tracing::{debug, info, warn};

use super::{LEAVE_WAIT, Link, TELEMETRY_INFLIGHT_MAX};
use crate::azure::topics::{self, Received};
use crate::azure::{Identity, Properties};
use crate::limits::{SUBACK_WAIT, TOPIC_BYTES_MAX};
use crate::logging::excerpt;
use crate::mqtt::packet::{
    Packet, Publish, SubAck, Subscribe, SubscribeFilter, SubscribeReasonCode,
};
use crate::mqtt::wire::Outgoing;
use crate::mqtt::{Connection, ConnectionError, Inbox, QoS, Stream};
use crate::sensor::twin::Wanted;

/// What a device listens to, on every connection anew, as a hub may have lost it.
const FILTERS: [&str; 3] = [topics::TWIN_RESPONSES, topics::DESIRED_PATCHES, topics::METHODS];

/// Why the device left on its own account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leave {
    /// It was told to stop.
    Stop,
    /// The token is to be renewed.
    Renewal,
}

/// Why a connection was lost.
#[derive(Debug, thiserror::Error)]
pub(super) enum Loss {
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    #[error("the hub did not acknowledge the subscriptions in time")]
    NoSubAck,
    #[error("the hub refused the subscription to {0}")]
    SubscriptionRefused(&'static str),
}

/// What belongs to one connection.
struct Session<'a> {
    connection: Connection<Stream>,
    identity: &'a Identity,
    telemetry_topic: String,
    subscription: u16,
    /// `None` once acknowledged.
    subscribed_by: Option<Instant>,
}

impl Link {
    /// Serves until it is time to leave and what was sent is answered, or until the connection is
    /// lost.
    pub(super) async fn serve(
        &mut self,
        connection: Connection<Stream>,
        identity: &Identity,
        renew_at: Instant,
    ) -> Result<Leave, Loss> {
        let mut session = self.open(connection, identity)?;
        // Set once there is a reason to leave: the end of the wait for what is under way.
        let mut leave_by = None;
        let mut inbox = Inbox::default();
        loop {
            for packet in inbox.packets() {
                match packet {
                    Packet::Publish(publish) => self.received(&mut session, &publish)?,
                    Packet::PubAck(ack) => {
                        let acknowledged = self.acknowledged(ack.pkid);
                        self.counters.telemetry_acknowledged += u64::from(acknowledged);
                    }
                    Packet::SubAck(ack) => self.subscribed(&mut session, &ack)?,
                    _ => {}
                }
            }
            let now = Instant::now();
            if session.subscribed_by.is_some_and(|deadline| now >= deadline) {
                return Err(Loss::NoSubAck);
            }
            self.tick();
            if leave_by.is_none() && (self.is_stopping() || now >= renew_at) {
                leave_by = Some(now + self.leave_wait());
            }
            self.send_again(&mut session)?;
            if leave_by.is_none() {
                self.send_new(&mut session, now)?;
            }
            if leave_by.is_some_and(|deadline| now >= deadline || self.is_settled()) {
                let leave = if self.is_stopping() { Leave::Stop } else { Leave::Renewal };
                session.connection.close().await;
                return Ok(leave);
            }
            let limit = leave_by.unwrap_or(renew_at);
            let due = self.device.deadline().map_or(limit, |due| due.min(limit));
            let read = session.connection.is_writable();
            let turn = session.connection.turn(&mut inbox, &self.wake, read);
            timeout_at(due.into(), turn).await.unwrap_or(Ok(()))?;
        }
    }

    /// What every connection begins with: telemetry without PUBACK is due again, and the
    /// subscriptions are made.
    fn open<'a>(
        &mut self,
        mut connection: Connection<Stream>,
        identity: &'a Identity,
    ) -> Result<Session<'a>, Loss> {
        self.resend = self.inflight.resend();
        let subscription = self.reserve_packet_id();
        let wanted = |path: &str| SubscribeFilter::new(path.to_owned(), QoS::AtLeastOnce);
        let mut subscribe = Subscribe::new_many(FILTERS.map(wanted));
        subscribe.pkid = subscription;
        connection.send(&Packet::Subscribe(subscribe))?;
        Ok(Session {
            connection,
            identity,
            // The tutorial's device sends no properties, not even a content type.
            telemetry_topic: topics::telemetry(identity, &Properties::new()),
            subscription,
            subscribed_by: Some(Instant::now() + SUBACK_WAIT),
        })
    }

    fn subscribed(&mut self, session: &mut Session<'_>, ack: &SubAck) -> Result<(), Loss> {
        if ack.pkid != session.subscription || session.subscribed_by.take().is_none() {
            return Ok(());
        }
        self.inflight.complete(ack.pkid);
        for (filter, code) in FILTERS.into_iter().zip(&ack.return_codes) {
            if *code == SubscribeReasonCode::Failure {
                return Err(Loss::SubscriptionRefused(filter));
            }
        }
        self.twin.connected();
        if std::mem::take(&mut self.is_new) {
            let action = self.device.start(Instant::now());
            self.act(action);
        }
        Ok(())
    }

    /// Sorts one publish, in order of arrival.
    fn received(&mut self, session: &mut Session<'_>, publish: &Publish) -> Result<(), Loss> {
        match topics::parse_received(session.identity, &publish.topic) {
            Received::Method { name, rid } => {
                self.command(session, &name, &rid, &publish.payload)?
            }
            Received::DesiredPatch { version } => {
                info!("desired properties: \"{}\"", excerpt(&publish.payload));
                let wanted = self.twin.patch(version, &publish.payload);
                self.take(wanted);
            }
            Received::TwinResponse { status, rid, .. } => {
                let wanted = self.twin.response(status, &rid, &publish.payload, Instant::now());
                self.take(wanted);
            }
            Received::Input { .. } | Received::Other => {
                debug!("publish on an unexpected topic ignored: {:?}", publish.topic);
            }
        }
        if publish.qos != QoS::AtMostOnce {
            session.connection.acknowledge(publish.pkid);
        }
        Ok(())
    }

    /// QoS 0: an answer that is lost with the connection is of no use to a caller who was told 504
    /// meanwhile.
    fn command(
        &mut self,
        session: &mut Session<'_>,
        name: &str,
        rid: &str,
        payload: &[u8],
    ) -> Result<(), Loss> {
        let response = self.device.command(name, payload, Instant::now());
        let topic = topics::method_response(response.status, rid);
        // No hub writes such a request id; its caller gets a time-out.
        if topic.len() > TOPIC_BYTES_MAX {
            warn!("command {name:?} not answered: no topic can carry its request id");
            return Ok(());
        }
        info!("command {name:?} \"{}\": {}", excerpt(payload), response.status);
        self.counters.commands += 1;
        let body = response.body.map_or_else(String::new, |body| body.to_string());
        session.connection.publish(&Publish::new(topic, QoS::AtMostOnce, body))?;
        Ok(())
    }

    fn take(&mut self, wanted: Result<Vec<Wanted>, String>) {
        match wanted {
            Err(problem) => warn!("{problem}"),
            Ok(wanted) => {
                for Wanted { property, raw, version } in wanted {
                    self.counters.changes += 1;
                    self.device.desired(property, &raw, version, Instant::now());
                }
            }
        }
    }

    /// Never so long that the token ends meanwhile.
    fn leave_wait(&self) -> Duration {
        LEAVE_WAIT.min(self.settings.token_lifetime / 10)
    }

    /// Whether everything that was sent is answered.
    fn is_settled(&self) -> bool {
        self.inflight.waiting() == 0 && !self.twin.is_waiting()
    }

    /// Whether a PUBACK is for telemetry that was sent on this connection, which has arrived then.
    pub(super) fn acknowledged(&mut self, packet_id: u16) -> bool {
        let is_unsent = |front: &u16| self.inflight.is_from(*front, packet_id);
        let is_early = self.resend.front().is_some_and(is_unsent);
        let is_sent = !is_early && self.inflight.get(packet_id).is_some();
        is_sent && self.inflight.complete(packet_id).is_some()
    }

    /// Sends what was sent on an earlier connection and has no PUBACK.
    fn send_again(&mut self, session: &mut Session<'_>) -> Result<(), Loss> {
        while session.connection.is_writable() {
            let Some(id) = self.resend.pop_front() else { break };
            if let Some(body) = self.inflight.get(id) {
                let topic = &session.telemetry_topic;
                session.connection.publish(telemetry(topic, id, true, body))?;
            }
        }
        Ok(())
    }

    /// Sends everything new that can leave without waiting.
    fn send_new(&mut self, session: &mut Session<'_>, now: Instant) -> Result<(), Loss> {
        let connection = &mut session.connection;
        while connection.is_writable()
            && self.resend.is_empty()
            && self.inflight.waiting() < TELEMETRY_INFLIGHT_MAX
            && self.inflight.room() > 0
        {
            let Some(body) = self.telemetry.pop_front() else { break };
            debug!("telemetry: {body}");
            let (id, topic) = (self.inflight.next_id(), &session.telemetry_topic);
            connection.publish(telemetry(topic, id, false, &body))?;
            self.inflight.push(body).expect("there was room");
        }
        if session.subscribed_by.is_none() {
            while let Some(request) = self.twin.next_request(now) {
                connection.publish(&Publish::new(request.topic, QoS::AtMostOnce, request.body))?;
            }
        }
        Ok(())
    }
}

fn telemetry<'a>(topic: &'a str, id: u16, dup: bool, body: &'a str) -> Outgoing<'a> {
    Outgoing { topic, packet_id: Some(id), dup, retain: false, body: body.as_bytes() }
}
