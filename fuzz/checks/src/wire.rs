//! The module's decoder of MQTT, and rumqttc's: the same packets, the same faults, at the same
//! places, of any bytes.

use bytes::BytesMut;
use rumqttc::mqttbytes::v4::{Packet, PubAck};
use sluicegate::mqtt::wire::{Incoming, Outgoing, decode, oversized};

/// Small, so that a short input reaches it.
const PACKET_BYTES_MAX: usize = 300;

/// `data` is what a peer sends.
pub fn check(data: &[u8]) {
    let mut incoming = Vec::new();
    let decoded = decode(data, &mut incoming, usize::MAX, PACKET_BYTES_MAX);
    let mut rest = BytesMut::from(data);
    let mut left = data.len();
    for packet in incoming {
        let theirs = Packet::read(&mut rest, PACKET_BYTES_MAX);
        let theirs = theirs.expect("what the module reads, the codec reads");
        let ours = match packet {
            Incoming::Publish(publish) => {
                let publish = publish.to_publish(data);
                write_again(&publish.topic, &publish);
                Packet::Publish(publish)
            }
            Incoming::PubAck(id) => Packet::PubAck(PubAck::new(id)),
            Incoming::TooLarge { .. } => panic!("only a connection makes these"),
            Incoming::Other(packet) => *packet,
        };
        assert_eq!(ours, theirs);
        left = rest.len();
    }
    assert_eq!(decoded.consumed, data.len() - left, "where it ends");
    let theirs = Packet::read(&mut rest, PACKET_BYTES_MAX).expect_err("the module reads no more");
    let (ours, theirs) = (format!("{:?}", decoded.end), format!("{theirs:?}"));
    assert_eq!(ours, theirs);
    // Whatever it says of these, it must say something.
    let _ = oversized(&data[decoded.consumed..]);
}

/// What the module writes of a publish is what the codec writes of it.
fn write_again(topic: &str, publish: &rumqttc::mqttbytes::v4::Publish) {
    if publish.qos == rumqttc::mqttbytes::QoS::ExactlyOnce {
        return;
    }
    let packet_id = (publish.pkid != 0).then_some(publish.pkid);
    let (mut ours, mut theirs) = (Vec::new(), BytesMut::new());
    let (dup, retain, body) = (publish.dup, publish.retain, &publish.payload);
    let outgoing = Outgoing { topic, packet_id, dup, retain, body };
    outgoing.write(&mut ours).expect("it is as short as it came");
    publish.write(&mut theirs).expect("it is as short as it came");
    assert_eq!(ours, theirs);
}
