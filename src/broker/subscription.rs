//! The subscriptions of one connection, from SUBSCRIBE to SUBACK (MQTT 3.1.1 §3.8, §3.9).

use std::time::Instant;

use rumqttc::mqttbytes::v4::{
    Packet, SubAck, Subscribe, SubscribeFilter, SubscribeReasonCode as Code,
};

use super::dial::{End, now};
use crate::limits::SUBACK_WAIT;
use crate::mqtt::{ByteStream, Connection, QoS};

pub(super) struct Subscription {
    packet_id: u16,
    filters: Vec<String>,
    /// `None` once acknowledged.
    deadline: Option<Instant>,
}

impl Subscription {
    /// Asks for `filters` at QoS 1.
    pub(super) fn ask<S: ByteStream>(
        connection: &mut Connection<S>,
        packet_id: u16,
        filters: Vec<String>,
    ) -> Result<Self, End> {
        let wanted = |filter: &String| SubscribeFilter::new(filter.clone(), QoS::AtLeastOnce);
        let mut subscribe = Subscribe::new_many(filters.iter().map(wanted));
        subscribe.pkid = packet_id;
        connection.send(&Packet::Subscribe(subscribe))?;
        Ok(Self { packet_id, filters, deadline: Some(now() + SUBACK_WAIT) })
    }

    /// A SUBACK came; true when it was the one that is waited for.
    pub(super) fn acknowledged(&mut self, ack: &SubAck) -> Result<bool, End> {
        if ack.pkid != self.packet_id || self.deadline.take().is_none() {
            return Ok(false);
        }
        let refused = |(_, code): &(&String, &Code)| **code == Code::Failure;
        match self.filters.iter().zip(&ack.return_codes).find(refused) {
            Some((filter, _)) => Err(End::SubscriptionRefused(filter.clone())),
            None => Ok(true),
        }
    }

    /// Whether the SUBACK is late.
    pub(super) fn check(&self, now: Instant) -> Result<(), End> {
        if self.deadline.is_some_and(|deadline| now > deadline) {
            return Err(End::NoSubAck);
        }
        Ok(())
    }

    pub(super) fn packet_id(&self) -> u16 {
        self.packet_id
    }
}
