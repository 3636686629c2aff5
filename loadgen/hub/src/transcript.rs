//! What clients and the hub have published to each other, for those who compare conversations.
//!
//! Off unless the configuration gives it room: [`HubConfig::transcript_max`](super::HubConfig).
//! Bounded by that; when full, the newest are left out, so that what it holds has no gaps. Messages
//! that come by a route are not part of it: whoever sent them put them there.

use bytes::Bytes;

/// One publish, in either direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// MQTT client id; at the provisioning service that is the registration id.
    pub client: String,
    /// Whether the client sent it; otherwise the hub did.
    pub from_client: bool,
    /// Topic, as it stood in the packet.
    pub topic: String,
    /// Payload.
    pub body: Bytes,
}

impl Exchange {
    /// What a client sent.
    pub(super) fn sent(client: String, topic: &str, body: &Bytes) -> Self {
        // A copy of the body: a slice would keep the whole read buffer.
        let body = Bytes::copy_from_slice(body);
        Self { client, from_client: true, topic: topic.to_owned(), body }
    }

    /// What a client is sent.
    pub(super) fn answered(client: String, topic: &str, body: &Bytes) -> Self {
        Self { from_client: false, ..Self::sent(client, topic, body) }
    }
}

/// All of them, in the order in which the hub read and wrote them.
#[derive(Default)]
pub(super) struct Transcript {
    exchanges: Vec<Exchange>,
    exchanges_max: usize,
}

impl Transcript {
    /// A transcript with room for so many; with none, nothing is ever kept.
    pub(super) fn new(exchanges_max: usize) -> Self {
        Self { exchanges: Vec::new(), exchanges_max }
    }

    /// What there is so far.
    pub(super) fn exchanges(&self) -> &[Exchange] {
        &self.exchanges
    }

    /// Appends one, if there is room.
    pub(super) fn add(&mut self, exchange: impl FnOnce() -> Exchange) {
        if self.exchanges.len() < self.exchanges_max {
            self.exchanges.push(exchange());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_are_left_out_when_it_is_full() {
        for room in 0..3 {
            let mut transcript = Transcript::new(room);
            for n in 0..3 {
                transcript.add(|| Exchange::sent("c".to_owned(), &n.to_string(), &Bytes::new()));
            }
            let topics: Vec<_> = transcript.exchanges().iter().map(|e| e.topic.as_str()).collect();
            assert_eq!(topics, ["0", "1", "2"][..room]);
        }
    }
}
