//! Decode, judge, acknowledge and encode on one thread, from one buffer into another.
//!
//! In: a stream of encoded publishes. Out: the bytes that the module would write, and how many
//! messages were alerts. No I/O, no clock. Memory: the two buffers and the parser's scratch.

use bytes::BytesMut;
use rumqttc::mqttbytes::v4::{Packet, PubAck, Publish};
use rumqttc::mqttbytes::{Error, QoS};
use sluicegate::azure::{Identity, Properties, alert_topic, topics};
use sluicegate::mqtt::connection::PACKET_BYTES_MAX;
use sluicegate::parse::{JsonPath, Parser, Verdict};
use sluicegate::threshold::Threshold;

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
    parser: Parser,
    threshold: Threshold,
    prefix: String,
    topic: String,
}

impl Core {
    /// A core for the module `edge1/filter`.
    pub fn new(threshold: Threshold) -> Self {
        let prefix = topics::output(&identity(), "output1", &Properties::new());
        let parser = Parser::new(JsonPath::default());
        Self { parser, threshold, prefix, topic: String::new() }
    }

    /// Takes every whole packet from `input`; appends PUBACKs and alerts to `output`.
    ///
    /// # Errors
    /// When `input` is not MQTT.
    pub fn run(&mut self, input: &mut BytesMut, output: &mut BytesMut) -> Result<Tally, Error> {
        let mut tally = Tally::default();
        loop {
            let publish = match Packet::read(input, PACKET_BYTES_MAX) {
                Ok(Packet::Publish(publish)) => publish,
                Ok(_) => continue,
                Err(Error::InsufficientBytes(_)) => return Ok(tally),
                Err(error) => return Err(error),
            };
            tally.messages += 1;
            if let Verdict::Alert(_) = self.parser.judge(&publish.payload, self.threshold) {
                tally.alerts += 1;
                self.forward(&publish, tally.alerts, output)?;
            }
            PubAck::new(publish.pkid).write(output)?;
        }
    }

    fn forward(&mut self, input: &Publish, count: u64, output: &mut BytesMut) -> Result<(), Error> {
        let bag = input.topic.rsplit_once('/').map_or("", |(_, bag)| bag);
        self.topic.clear();
        alert_topic(&mut self.topic, &self.prefix, bag);
        let body = input.payload.clone();
        let mut alert = Publish::from_bytes(self.topic.clone(), QoS::AtLeastOnce, body);
        alert.pkid = u16::try_from(count % 65_535 + 1).unwrap_or(1);
        alert.write(output).map(|_| ())
    }
}

/// `count` publishes to `input1`, one in `alert_every` with a temperature above 25.
pub fn traffic(count: u32, alert_every: u32) -> BytesMut {
    let mut bytes = BytesMut::new();
    for index in 0..count {
        let temperature =
            if index % alert_every == 0 { "101.52791830163853" } else { "21.52791830163853" };
        let body = format!(
            "{{\"machine\":{{\"temperature\":{temperature},\"pressure\":1.0601425913965917}},\
             \"ambient\":{{\"temperature\":21.100215847328126,\"humidity\":25}},\
             \"timeCreated\":\"2020-06-01T12:00:00.1234567Z\"}}"
        );
        let topic = format!(
            "{}input1/sequenceNumber={index}&%24.cdid=edge1&%24.cmid=sensor",
            topics::inputs_prefix(&identity())
        );
        let mut publish = Publish::new(topic, QoS::AtLeastOnce, body);
        publish.pkid = u16::try_from(index % 65_535 + 1).unwrap_or(1);
        publish.write(&mut bytes).expect("a valid publish into growing memory");
    }
    bytes
}

fn identity() -> Identity {
    Identity {
        hub: "local.azure-devices.net".to_owned(),
        gateway: "localhost".to_owned(),
        device: "edge1".to_owned(),
        module: Some("filter".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bare core finds what the traffic holds, and writes one PUBACK a message, one publish an
    /// alert.
    #[test]
    fn the_core_finds_what_the_traffic_holds() {
        let mut core = Core::new(Threshold::DEFAULT);
        let mut output = BytesMut::new();
        let tally = core.run(&mut traffic(1000, 10), &mut output).expect("valid traffic");
        assert_eq!(tally, Tally { messages: 1000, alerts: 100 });
        let (mut acks, mut alerts) = (0, 0);
        while let Ok(packet) = Packet::read(&mut output, PACKET_BYTES_MAX) {
            match packet {
                Packet::PubAck(_) => acks += 1,
                Packet::Publish(publish) => {
                    assert!(publish.topic.ends_with("&MessageType=Alert"), "{}", publish.topic);
                    alerts += 1;
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!((acks, alerts), (1000, 100));
    }
}
