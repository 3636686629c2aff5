//! Decode, judge, acknowledge and encode on one thread, from one buffer into another.
//!
//! In: a stream of encoded publishes. Out: the bytes that the module would write, and how many
//! messages were alerts. No I/O, no clock. Memory: the parser's scratch, the decoder's, and what
//! the caller gives.

use rumqttc::mqttbytes::Error;
use sluicegate::azure::alert_topic;
use sluicegate::pipeline::parse::{JsonPath, Parser, Verdict};
use sluicegate::pipeline::threshold::Threshold;

mod decode;

pub use crate::traffic::{alerts_prefix, traffic};

use decode::Decoder;

/// First bytes of the packets written (MQTT 3.1.1 §3.3 and §3.4); the publish is at QoS 1.
const PUBACK: u8 = 0x40;
const PUBLISH_QOS1: u8 = 0x32;

/// What a run found; a measurement whose tally is wrong measured something else.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Publishes decoded.
    pub messages: u64,
    /// Of these, alerts encoded.
    pub alerts: u64,
}

/// The one-thread pipeline.
pub struct Core {
    decoder: Decoder,
    rest: Rest,
}

/// What happens to a message once it is decoded.
struct Rest {
    parser: Parser,
    threshold: Threshold,
    /// What the topic of every alert begins with.
    prefix: String,
    topic: String,
    tally: Tally,
    /// Of the last alert.
    packet_id: u16,
}

impl Core {
    /// A core whose alerts go to topics that begin with `prefix`, as `topics::output` gives it.
    pub fn new(threshold: Threshold, prefix: String) -> Self {
        let rest = Rest {
            parser: Parser::new(JsonPath::default()),
            threshold,
            prefix,
            topic: String::new(),
            tally: Tally::default(),
            packet_id: 0,
        };
        Self { decoder: Decoder::default(), rest }
    }

    /// Takes every whole packet from the start of `input`, and appends PUBACKs and alerts to
    /// `output`. Other packets than publishes are passed over. Returns how many bytes were used.
    ///
    /// # Errors
    /// When `input` is not MQTT.
    pub fn run(&mut self, input: &[u8], output: &mut Vec<u8>) -> Result<usize, Error> {
        let rest = &mut self.rest;
        self.decoder.each_publish(input, |topic, packet_id, body| {
            rest.message(topic, packet_id, body, output);
        })
    }

    /// What was found since the start.
    pub fn tally(&self) -> Tally {
        self.rest.tally
    }
}

impl Rest {
    /// `packet_id` is 0 at QoS 0.
    #[inline]
    fn message(&mut self, topic: &str, packet_id: u16, body: &[u8], output: &mut Vec<u8>) {
        self.tally.messages += 1;
        if let Verdict::Alert(_) = self.parser.judge(body, self.threshold) {
            self.forward(topic, body, output);
        }
        if packet_id != 0 {
            let [high, low] = packet_id.to_be_bytes();
            output.extend_from_slice(&[PUBACK, 2, high, low]);
        }
    }

    /// An alert with a topic that is too long for MQTT is left out, as by the module.
    fn forward(&mut self, input_topic: &str, body: &[u8], output: &mut Vec<u8>) {
        let bag = input_topic.rsplit_once('/').map_or("", |(_, bag)| bag);
        self.topic.clear();
        alert_topic(&mut self.topic, &self.prefix, bag);
        let Ok(topic_len) = u16::try_from(self.topic.len()) else { return };
        self.tally.alerts += 1;
        self.packet_id = self.packet_id.checked_add(1).unwrap_or(1);
        output.push(PUBLISH_QOS1);
        write_length(output, 2 + self.topic.len() + 2 + body.len());
        output.extend_from_slice(&topic_len.to_be_bytes());
        output.extend_from_slice(self.topic.as_bytes());
        output.extend_from_slice(&self.packet_id.to_be_bytes());
        output.extend_from_slice(body);
    }
}

/// The remaining length (MQTT 3.1.1 §2.2.3): seven bits a byte, the lowest first.
fn write_length(output: &mut Vec<u8>, mut length: usize) {
    loop {
        let bits = u8::try_from(length % 128).unwrap_or_default();
        length /= 128;
        output.push(if length > 0 { bits | 0x80 } else { bits });
        if length == 0 {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use rumqttc::mqttbytes::v4::Packet;
    use sluicegate::mqtt::connection::PACKET_BYTES_MAX;

    use super::*;

    fn read_all(output: &[u8]) -> Vec<Packet> {
        let mut bytes = BytesMut::from(output);
        let packets =
            std::iter::from_fn(|| Packet::read(&mut bytes, PACKET_BYTES_MAX).ok()).collect();
        assert!(bytes.is_empty(), "{} bytes are no packet", bytes.len());
        packets
    }

    /// Whatever the length of its pieces, the core finds what the traffic holds, and writes one
    /// PUBACK a message with its id, and one publish an alert with the body unchanged.
    #[test]
    fn the_core_finds_what_the_traffic_holds() {
        let stream = traffic(1000, 10);
        for piece in [300, 4096, stream.len()] {
            let mut core = Core::new(Threshold::DEFAULT, alerts_prefix());
            let (mut output, mut at) = (Vec::new(), 0);
            while at < stream.len() {
                let end = stream.len().min(at + piece);
                let used = core.run(&stream[at..end], &mut output).expect("valid traffic");
                assert!(used > 0, "no packet in {piece} bytes");
                at += used;
            }
            assert_eq!(core.tally(), Tally { messages: 1000, alerts: 100 });
            let (mut acks, mut alerts) = (0, 0);
            for packet in read_all(&output) {
                match packet {
                    Packet::PubAck(ack) => {
                        acks += 1;
                        assert_eq!(ack.pkid, acks);
                    }
                    Packet::Publish(alert) => {
                        alerts += 1;
                        assert_eq!(alert.pkid, alerts);
                        assert!(alert.topic.starts_with(&alerts_prefix()), "{}", alert.topic);
                        assert!(alert.topic.ends_with("&MessageType=Alert"), "{}", alert.topic);
                        assert!(alert.payload.starts_with(b"{\"machine\":{\"temperature\":"));
                        assert_eq!(alert.payload.len(), 140);
                    }
                    other => panic!("{other:?}"),
                }
            }
            assert_eq!((acks, alerts), (1000, 100));
        }
    }

    /// At QoS 0 there is nothing to acknowledge, and other packets ask for no answer.
    #[test]
    fn nothing_is_acknowledged_that_asks_for_nothing() {
        let qos0 = b"\x30\x07\x00\x01tbody\xd0\x00\x40\x02\x00\x01";
        let mut core = Core::new(Threshold::DEFAULT, alerts_prefix());
        let mut output = Vec::new();
        assert_eq!(core.run(qos0, &mut output).expect("valid packets"), qos0.len());
        assert_eq!(core.tally(), Tally { messages: 1, alerts: 0 });
        assert!(output.is_empty(), "{output:?}");
    }

    /// Every remaining length that MQTT has is written as the codec reads it.
    #[test]
    fn lengths_are_written_as_they_are_read() {
        for (length, bytes) in [
            (0, &[0][..]),
            (127, &[127]),
            (128, &[0x80, 1]),
            (16_383, &[0xff, 0x7f]),
            (16_384, &[0x80, 0x80, 1]),
            (268_435_455, &[0xff, 0xff, 0xff, 0x7f]),
        ] {
            let mut output = Vec::new();
            write_length(&mut output, length);
            assert_eq!(output, bytes, "{length}");
        }
    }
}
