//! Publishes out of bytes, by the module's own decoder: the bare loop has no other work than it.

use sluicegate::mqtt::connection::PACKET_BYTES_MAX;
use sluicegate::mqtt::mqttbytes::Error;
use sluicegate::mqtt::wire::{Incoming, decode};

/// Decodes where the bytes are.
#[derive(Default)]
pub(super) struct Decoder {
    packets: Vec<Incoming>,
}

impl Decoder {
    /// Gives topic, packet id (0 at QoS 0) and body of each whole publish at the start of `input`
    /// to `each`, and passes over other packets. Returns how many bytes were used.
    ///
    /// # Errors
    /// When `input` is not MQTT.
    pub(super) fn each_publish(
        &mut self,
        input: &[u8],
        mut each: impl FnMut(&str, u16, &[u8]),
    ) -> Result<usize, Error> {
        let decoded = decode(input, &mut self.packets, usize::MAX, PACKET_BYTES_MAX);
        for packet in self.packets.drain(..) {
            if let Incoming::Publish(publish) = packet {
                let topic = std::str::from_utf8(publish.topic(input)).unwrap_or_default();
                each(topic, publish.packet_id().unwrap_or(0), &input[publish.body()]);
            }
        }
        match decoded.end {
            Error::InsufficientBytes(_) => Ok(decoded.consumed),
            fault => Err(fault),
        }
    }
}
