//! Alerts on their way out by one connection, until their PUBACK.
//!
//! - In: alerts from the pipeline, PUBACKs. Out: QoS 1 publishes into the connection's next write.
//! - The table outlives connections: what has no PUBACK is sent again, in its order, under its id,
//!   with DUP, before anything new.
//! - Bounded: packet ids ([`Inflight`]), and the connection's high-water mark; beyond either, alerts
//!   stay in the pipeline, where they are counted as held.

use std::collections::VecDeque;

use bytes::Bytes;
use tracing::error;

use crate::forward::Naming;
use crate::logging::excerpt;
use crate::message::{Alert, SourceId};
use crate::mqtt::wire::Outgoing;
use crate::mqtt::{ByteStream, Connection, ConnectionError, Inflight};
use crate::pipeline::Pipeline;
use suspicion::{ENDS, Suspicion};

mod suspicion;

/// What waits for a PUBACK.
#[derive(Debug)]
enum Sent {
    Alert(Alert),
    Report { topic: String, body: Bytes },
}

const _: () = {
    let places = size_of::<Alert>() + Inflight::<Sent>::SLOT_BYTES;
    assert!(2 * places <= crate::limits::ALERT_TABLES_BYTES);
};

/// What a PUBACK was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acknowledged {
    /// An alert.
    Alert,
    /// A report.
    Report,
    /// Nothing that waits.
    Nothing,
}

/// The publishes of one connection.
#[derive(Debug)]
pub struct Outbound<N> {
    naming: N,
    inflight: Inflight<Sent>,
    /// Packet ids to send again before anything new.
    resend: VecDeque<u16>,
    /// Where a peer may refuse a publish by hanging up.
    suspicion: Option<Suspicion>,
}

impl<N: Naming> Outbound<N> {
    /// Nothing is on its way yet; `naming` finds the topics.
    pub fn new(naming: N) -> Self {
        let (inflight, resend) = (Inflight::default(), VecDeque::new());
        Self { naming, inflight, resend, suspicion: None }
    }

    /// The same for a peer that may refuse a publish by hanging up: such a publish is found, and
    /// given up by [`hung_up`](Self::hung_up).
    #[must_use]
    pub fn suspicious(self) -> Self {
        Self { suspicion: Some(Suspicion::default()), ..self }
    }

    /// A new connection: everything without PUBACK is due again. Returns a packet id for its
    /// SUBSCRIBE, to be given back by [`subscribed`](Self::subscribed); one is always left.
    pub fn reconnected(&mut self) -> Option<u16> {
        self.resend = self.inflight.resend();
        let waiting = self.waiting();
        if let Some(suspicion) = &mut self.suspicion {
            suspicion.reconnected(waiting);
        }
        self.inflight.reserve()
    }

    /// The peer has answered a PINGREQ on this connection.
    pub fn answered(&mut self) {
        if let Some(suspicion) = &mut self.suspicion {
            suspicion.answered();
        }
    }

    /// The peer hung up. What it was about, if it is now certain that this one publish was to blame:
    /// it is given up.
    pub fn hung_up(&mut self, pipeline: &mut Pipeline) -> Acknowledged {
        let culprit = self.suspicion.as_mut().and_then(Suspicion::hung_up);
        let Some(sent) = culprit.and_then(|id| self.inflight.complete(id)) else {
            return Acknowledged::Nothing;
        };
        let (what, topic, bytes, acknowledged) = match &sent {
            Sent::Alert(alert) => {
                pipeline.refused(alert);
                let topic = self.naming.topic(alert).unwrap_or_default();
                ("an alert", topic, alert.body().len(), Acknowledged::Alert)
            }
            Sent::Report { topic, body } => {
                ("a report", topic.as_str(), body.len(), Acknowledged::Report)
            }
        };
        error!(
            "{what} is given up, its topic \"{}\", its body of {bytes} bytes: the broker hung up \
             {ENDS} times when it got nothing else; let it take larger packets, or allow this topic",
            excerpt(topic.as_bytes())
        );
        acknowledged
    }

    /// The SUBACK for `packet_id` came.
    pub fn subscribed(&mut self, packet_id: u16) {
        self.inflight.complete(packet_id);
    }

    /// A PUBACK came.
    pub fn acknowledged(&mut self, packet_id: u16, pipeline: &mut Pipeline) -> Acknowledged {
        let sent = self.inflight.complete(packet_id);
        if let (Some(suspicion), Some(_)) = (&mut self.suspicion, &sent) {
            suspicion.acknowledged(self.inflight.waiting());
        }
        match sent {
            Some(Sent::Alert(alert)) => {
                pipeline.forwarded(&alert);
                Acknowledged::Alert
            }
            Some(Sent::Report { .. }) => Acknowledged::Report,
            None => {
                pipeline.counters.unexpected += 1;
                Acknowledged::Nothing
            }
        }
    }

    /// Alerts without PUBACK.
    pub fn alerts(&self) -> impl Iterator<Item = &Alert> {
        self.inflight.iter().filter_map(|sent| match sent {
            Sent::Alert(alert) => Some(alert),
            Sent::Report { .. } => None,
        })
    }

    /// Publishes without PUBACK.
    pub fn waiting(&self) -> usize {
        self.inflight.waiting()
    }

    /// The packet id of the oldest publish without PUBACK.
    pub fn oldest(&self) -> Option<u16> {
        self.inflight.oldest()
    }

    /// Whether something new can be sent. One packet id stays free for the SUBSCRIBE of the next
    /// connection.
    pub fn has_room<S: ByteStream>(&self, connection: &Connection<S>) -> bool {
        connection.is_writable()
            && self.resend.is_empty()
            && self.inflight.room() > 1
            && self.may_send()
    }

    fn may_send(&self) -> bool {
        self.suspicion.as_ref().is_none_or(Suspicion::may_send)
    }

    fn note(&mut self, sent: u16) {
        if let Some(suspicion) = &mut self.suspicion {
            suspicion.sent(sent);
        }
    }

    /// Sends again what is due again, then new alerts, while the socket takes them and packet ids
    /// last. With `only`, new alerts of that source alone.
    ///
    /// # Errors
    /// Never for topics that `naming` lets through; the codec's own signature says so.
    pub fn send<S: ByteStream>(
        &mut self,
        connection: &mut Connection<S>,
        pipeline: &mut Pipeline,
        only: Option<SourceId>,
    ) -> Result<(), ConnectionError> {
        while connection.is_writable() && self.may_send() {
            let Some(id) = self.resend.pop_front() else { break };
            self.send_again(id, connection, pipeline)?;
            self.note(id);
        }
        while self.has_room(connection) {
            let next = match only {
                Some(source) => pipeline.next_alert_of(source),
                None => pipeline.next_alert(),
            };
            let Some(alert) = next else { break };
            match self.naming.topic(&alert) {
                Ok(topic) => {
                    let id = self.inflight.next_id();
                    connection.publish(outgoing(topic, id, alert.body()))?;
                    self.inflight.push(Sent::Alert(alert)).expect("there is room");
                    self.note(id);
                }
                Err(too_large) => pipeline.lost(&alert, too_large),
            }
        }
        Ok(())
    }

    /// Sends a report, which the broker keeps for later subscribers; only where there
    /// [is room](Self::has_room).
    ///
    /// # Errors
    /// When the topic is longer than MQTT can tell.
    pub fn report<S: ByteStream>(
        &mut self,
        topic: String,
        body: Bytes,
        connection: &mut Connection<S>,
    ) -> Result<(), ConnectionError> {
        let id = self.inflight.next_id();
        connection.publish(Outgoing { retain: true, ..outgoing(&topic, id, &body) })?;
        self.inflight.push(Sent::Report { topic, body }).expect("there is room");
        self.note(id);
        Ok(())
    }

    fn send_again<S: ByteStream>(
        &mut self,
        id: u16,
        connection: &mut Connection<S>,
        pipeline: &mut Pipeline,
    ) -> Result<(), ConnectionError> {
        match self.inflight.get(id) {
            Some(Sent::Alert(alert)) => {
                if let Ok(topic) = self.naming.topic(alert) {
                    let publish = outgoing(topic, id, alert.body());
                    connection.publish(Outgoing { dup: true, ..publish })?;
                    pipeline.counters.resent += 1;
                }
            }
            Some(Sent::Report { topic, body }) => {
                let publish = outgoing(topic, id, body);
                connection.publish(Outgoing { dup: true, retain: true, ..publish })?;
            }
            None => {}
        }
        Ok(())
    }
}

fn outgoing<'a>(topic: &'a str, id: u16, body: &'a [u8]) -> Outgoing<'a> {
    Outgoing { topic, packet_id: Some(id), dup: false, retain: false, body }
}

#[cfg(test)]
mod tests;
