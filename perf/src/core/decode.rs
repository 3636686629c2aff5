//! Publishes out of bytes: the one place that knows whose codec it is.

use bytes::BytesMut;
use rumqttc::QoS;
use rumqttc::mqttbytes::Error;
use rumqttc::mqttbytes::v4::Packet;
use sluicegate::mqtt::connection::PACKET_BYTES_MAX;

/// Decodes with rumqttc's codec, which takes its bytes out of a buffer of its own.
#[derive(Default)]
pub(super) struct Decoder {
    bytes: BytesMut,
}

impl Decoder {
    /// Gives topic, packet id (0 at QoS 0) and body of each whole publish at the start of `input` to
    /// `each`, and passes over other packets. Returns how many bytes were used.
    ///
    /// # Errors
    /// When `input` is not MQTT.
    pub(super) fn each_publish(
        &mut self,
        input: &[u8],
        mut each: impl FnMut(&str, u16, &[u8]),
    ) -> Result<usize, Error> {
        self.bytes.clear();
        self.bytes.extend_from_slice(input);
        loop {
            match Packet::read(&mut self.bytes, PACKET_BYTES_MAX) {
                Ok(Packet::Publish(publish)) => {
                    let packet_id = if publish.qos == QoS::AtMostOnce { 0 } else { publish.pkid };
                    each(&publish.topic, packet_id, &publish.payload);
                }
                Ok(_) => {}
                Err(Error::InsufficientBytes(_)) => return Ok(input.len() - self.bytes.len()),
                Err(error) => return Err(error),
            }
        }
    }
}
