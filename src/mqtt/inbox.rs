//! What one turn of a connection brought: a block of bytes and the packets in it.

use bytes::Bytes;
use rumqttc::mqttbytes::v4::{Packet, PubAck};

use super::wire::Incoming;

/// The packets of one turn, in order of arrival.
#[derive(Debug, Default)]
pub struct Inbox {
    /// The bytes that the packets were read from.
    pub(super) block: Bytes,
    pub(super) incoming: Vec<Incoming>,
}

impl Inbox {
    /// Whether nothing is left in it.
    pub fn is_empty(&self) -> bool {
        self.incoming.is_empty()
    }

    /// How many packets are in it.
    pub fn len(&self) -> usize {
        self.incoming.len()
    }

    /// Whether a packet is among them that answers one of ours.
    pub(super) fn has_answer(&self) -> bool {
        self.incoming.iter().any(|packet| match packet {
            Incoming::PubAck(_) => true,
            Incoming::Other(packet) => matches!(**packet, Packet::PingResp | Packet::SubAck(_)),
            Incoming::Publish(_) | Incoming::TooLarge { .. } => false,
        })
    }

    /// The topics of the publishes in it, those that were too large included.
    pub fn topics(&self) -> impl Iterator<Item = &[u8]> {
        self.incoming.iter().filter_map(|packet| match packet {
            Incoming::Publish(publish) => Some(publish.topic(&self.block)),
            Incoming::TooLarge { topic, .. } => Some(topic.as_ref().as_ref()),
            Incoming::PubAck(_) | Incoming::Other(_) => None,
        })
    }

    /// Takes everything out: the block, and the packets with their places in it.
    pub fn drain(&mut self) -> (Bytes, impl Iterator<Item = Incoming>) {
        (std::mem::take(&mut self.block), self.incoming.drain(..))
    }

    /// Takes everything out as packets of their own, for those who are in no hurry. What was too
    /// large is left out.
    pub fn packets(&mut self) -> impl Iterator<Item = Packet> {
        let (block, incoming) = self.drain();
        incoming.filter_map(move |packet| match packet {
            Incoming::Publish(publish) => Some(Packet::Publish(publish.to_publish(&block))),
            Incoming::PubAck(id) => Some(Packet::PubAck(PubAck::new(id))),
            Incoming::TooLarge { .. } => None,
            Incoming::Other(packet) => Some(*packet),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// It says how many packets it holds: pauses are made by that.
    #[test]
    fn its_packets_are_counted() {
        for count in [0, 1, 2, 7] {
            let incoming = (0..count).map(Incoming::PubAck).collect();
            let mut inbox = Inbox { block: Bytes::new(), incoming };
            assert_eq!((inbox.len(), inbox.is_empty()), (usize::from(count), count == 0));
            assert_eq!(inbox.packets().count(), usize::from(count));
            assert!(inbox.is_empty());
        }
    }
}
