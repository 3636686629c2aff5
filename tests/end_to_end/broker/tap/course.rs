//! What passed on one connection of a module.

use std::collections::HashMap;

use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v4::Packet;

use crate::broker::number;

/// One connection of a module, as it passed.
#[derive(Debug, Default)]
pub(super) struct Course {
    pub(super) client_id: String,
    deliveries: Vec<Delivery>,
    /// By packet id: the place in `deliveries` of the message that last had it.
    by_id: HashMap<u16, usize>,
    /// Places in `deliveries`, in the order of the acknowledgements.
    acknowledgements: Vec<usize>,
    pub(super) has_ended: bool,
}

/// A message on its way to the module.
#[derive(Debug)]
struct Delivery {
    number: Option<usize>,
    /// Or needs not be.
    is_acknowledged: bool,
    qos: QoS,
}

impl Course {
    /// Notes what the module sends.
    pub(super) fn sent(&mut self, packet: Packet) {
        match packet {
            Packet::Connect(connect) => self.client_id = connect.client_id,
            Packet::PubAck(ack) => self.acknowledged(ack.pkid, QoS::AtLeastOnce),
            Packet::PubRec(ack) => self.acknowledged(ack.pkid, QoS::ExactlyOnce),
            _ => {}
        }
    }

    /// Another packet than the one that belongs to the message acknowledges nothing.
    fn acknowledged(&mut self, id: u16, qos: QoS) {
        if let Some(place) = self.by_id.remove(&id)
            && self.deliveries[place].qos == qos
        {
            self.deliveries[place].is_acknowledged = true;
            self.acknowledgements.push(place);
        }
    }

    /// Notes what the module is about to receive.
    pub(super) fn received(&mut self, packet: &Packet) {
        let Packet::Publish(publish) = packet else { return };
        if publish.qos != QoS::AtMostOnce {
            self.by_id.insert(publish.pkid, self.deliveries.len());
        }
        let is_acknowledged = publish.qos == QoS::AtMostOnce;
        let number = number(&publish.payload);
        self.deliveries.push(Delivery { number, is_acknowledged, qos: publish.qos });
    }

    /// Messages that went to the module, and acknowledgements that came.
    pub(super) fn passed(&self) -> (usize, usize) {
        (self.deliveries.len(), self.acknowledgements.len())
    }

    /// The numbers of the messages, in the order of delivery.
    pub(super) fn numbers(&self) -> impl Iterator<Item = usize> {
        self.deliveries.iter().filter_map(|delivery| delivery.number)
    }

    /// The numbers of the messages that are not acknowledged.
    pub(super) fn unacknowledged(&self) -> impl Iterator<Item = usize> {
        let open = self.deliveries.iter().filter(|delivery| !delivery.is_acknowledged);
        open.filter_map(|delivery| delivery.number)
    }

    /// Fails unless the acknowledged messages are the first of those at QoS 1 and 2, in their
    /// order.
    pub(super) fn assert_acknowledged_in_order(&self) {
        let acknowledgeable = (0..self.deliveries.len())
            .filter(|place| self.deliveries[*place].qos != QoS::AtMostOnce);
        let first: Vec<usize> = acknowledgeable.take(self.acknowledgements.len()).collect();
        assert_eq!(self.acknowledgements, first, "{}", self.client_id);
    }
}
