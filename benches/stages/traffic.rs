//! What the stages are fed with: as much as one read of 64 KiB brings.

use bytes::BytesMut;
use criterion::Throughput;
use sluicegate::mqtt::connection::PACKET_BYTES_MAX;
use sluicegate::mqtt::packet::Packet;

/// Publishes in a stream.
pub(crate) const MESSAGES: u16 = 250;
/// One in so many is an alert.
pub(crate) const ALERT_EVERY: u16 = 10;

/// [`MESSAGES`] publishes of the sensor, as they stand on the wire.
pub(crate) fn stream() -> Vec<u8> {
    stages::core::traffic(MESSAGES.into(), ALERT_EVERY.into()).to_vec()
}

/// So many messages, and the bytes that they are in.
pub(crate) fn per_message(bytes: &[u8]) -> Throughput {
    Throughput::ElementsAndBytes { elements: MESSAGES.into(), bytes: bytes.len() as u64 }
}

/// Takes every packet out of `bytes` by rumqttc's codec.
pub(crate) fn read_all(bytes: &mut BytesMut, mut each: impl FnMut(Packet)) {
    while let Ok(packet) = Packet::read(bytes, PACKET_BYTES_MAX) {
        each(packet);
    }
}
