//! The subscriptions of one connection, from SUBSCRIBE to SUBACK (MQTT 3.1.1 §3.8, §3.9).

use std::time::{Duration, Instant};

use rumqttc::mqttbytes::v4::{
    Packet, SubAck, Subscribe, SubscribeFilter, SubscribeReasonCode as Code,
};
use tracing::warn;

use super::{End, now};
use crate::mqtt::limits::SUBACK_WAIT;
use crate::mqtt::{ByteStream, Connection, QoS};

/// What was asked for, and what came of it.
pub(crate) struct Subscription {
    packet_id: u16,
    filters: Vec<String>,
    is_answered: bool,
    is_granted: bool,
    /// Time spent reading without SUBACK, until `checked`.
    waited: Duration,
    checked: Instant,
}

impl Subscription {
    /// Asks for `filters` at QoS 1.
    pub(crate) fn ask<S: ByteStream>(
        connection: &mut Connection<S>,
        packet_id: u16,
        filters: Vec<String>,
    ) -> Result<Self, End> {
        let wanted = |filter: &String| SubscribeFilter::new(filter.clone(), QoS::AtLeastOnce);
        let mut subscribe = Subscribe::new_many(filters.iter().map(wanted));
        subscribe.pkid = packet_id;
        connection.send(&Packet::Subscribe(subscribe))?;
        let (waited, checked) = (Duration::ZERO, now());
        let (is_answered, is_granted) = (false, false);
        Ok(Self { packet_id, filters, is_answered, is_granted, waited, checked })
    }

    /// A SUBACK came; true when it was the one that is waited for. What the peer grants at QoS 0
    /// only is warned about.
    pub(crate) fn acknowledged(&mut self, ack: &SubAck) -> Result<bool, End> {
        if ack.pkid != self.packet_id || self.is_answered {
            return Ok(false);
        }
        self.is_answered = true;
        if ack.return_codes.len() != self.filters.len() {
            return Err(End::BadSubAck {
                codes: ack.return_codes.len(),
                filters: self.filters.len(),
            });
        }
        let answers = || self.filters.iter().zip(&ack.return_codes);
        if let Some((filter, _)) = answers().find(|(_, code)| **code == Code::Failure) {
            return Err(End::SubscriptionRefused(filter.clone()));
        }
        let mut weak =
            answers().filter(|(_, code)| **code == Code::Success(QoS::AtMostOnce)).peekable();
        if let Some((filter, _)) = weak.peek().copied() {
            warn!(
                "the peer delivers {filter} (and {} more filters) at most once (QoS 0), so \
                 messages may be lost: let it grant QoS 1",
                weak.count() - 1
            );
        }
        self.is_granted = true;
        Ok(true)
    }

    /// Whether the SUBACK is late. Only time counts in which the connection `was_read` since the
    /// last call: unread it may well have come.
    pub(crate) fn check(&mut self, now: Instant, was_read: bool) -> Result<(), End> {
        if was_read {
            self.waited += now.saturating_duration_since(self.checked);
        }
        self.checked = now;
        if !self.is_answered && self.waited > SUBACK_WAIT {
            return Err(End::NoSubAck);
        }
        Ok(())
    }

    /// Whether the SUBACK came.
    pub(crate) fn is_answered(&self) -> bool {
        self.is_answered
    }

    /// Whether it granted every subscription.
    pub(crate) fn is_granted(&self) -> bool {
        self.is_granted
    }

    pub(crate) fn packet_id(&self) -> u16 {
        self.packet_id
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{DuplexStream, duplex};

    fn asked(filters: &[&str]) -> Subscription {
        let mut connection: Connection<DuplexStream> =
            Connection::new(duplex(1024).0, Duration::ZERO);
        let filters = filters.iter().map(|filter| (*filter).to_owned()).collect();
        Subscription::ask(&mut connection, 7, filters).expect("they can be asked for")
    }

    const ONCE: Code = Code::Success(QoS::AtLeastOnce);

    #[tokio::test]
    async fn a_suback_is_held_against_what_was_asked_for() {
        let answer = |codes: &[Code]| {
            let mut subscription = asked(&["a", "b"]);
            let ignored = subscription.acknowledged(&SubAck::new(8, vec![ONCE; 2]));
            assert!(matches!(ignored, Ok(false)) && !subscription.is_answered());
            subscription.acknowledged(&SubAck::new(7, codes.to_vec()))
        };
        assert!(matches!(answer(&[ONCE, ONCE]), Ok(true)));
        assert!(matches!(answer(&[ONCE, Code::Success(QoS::AtMostOnce)]), Ok(true)));
        let refused = answer(&[ONCE, Code::Failure]);
        assert!(matches!(refused, Err(End::SubscriptionRefused(filter)) if filter == "b"));
        for codes in [&[][..], &[ONCE], &[ONCE; 3]] {
            assert!(matches!(answer(codes), Err(End::BadSubAck { .. })), "{codes:?}");
        }
    }

    /// Its packet id is the one that it was asked with, by which it is given back.
    #[tokio::test]
    async fn its_packet_id_is_kept() {
        assert_eq!(asked(&["a"]).packet_id(), 7);
    }

    /// The clock of the deadline runs exactly while the connection is read.
    #[tokio::test]
    async fn the_deadline_waits_while_nothing_is_read() {
        let mut subscription = asked(&["a"]);
        let mut now = subscription.checked;
        for (seconds, was_read, is_late) in
            [(3600, false, false), (5, true, false), (3600, false, false), (2, true, true)]
        {
            now += Duration::from_secs(seconds);
            assert_eq!(subscription.check(now, was_read).is_err(), is_late, "{seconds}");
        }
        subscription.acknowledged(&SubAck::new(7, vec![ONCE])).expect("granted");
        assert!(subscription.check(now + SUBACK_WAIT, true).is_ok());
    }
}
