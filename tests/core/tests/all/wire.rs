//! rumqttc's codec is the oracle: the same packets, the same faults, at the same places.

mod damaged;

use bytes::BytesMut;
use proptest::prelude::*;
use rumqttc::mqttbytes::v4::{
    ConnAck, Connect, ConnectReturnCode, Packet, PubAck, PubComp, PubRec, PubRel, Publish, SubAck,
    Subscribe, SubscribeReasonCode, UnsubAck,
};
use rumqttc::mqttbytes::{self, QoS};
use sluicegate::mqtt::wire::{Incoming, Outgoing, decode, write_puback};

use crate::properties;

const PACKET_BYTES_MAX: usize = 5000;

/// What the oracle makes of `bytes`: whole packets, and why it stops.
fn by_codec(bytes: &[u8]) -> (Vec<Packet>, usize, String) {
    let mut rest = BytesMut::from(bytes);
    let mut packets = Vec::new();
    loop {
        let before = rest.len();
        match Packet::read(&mut rest, PACKET_BYTES_MAX) {
            Ok(packet) => packets.push(packet),
            // A faulty packet is taken out of its buffer before it is found out.
            Err(error) => return (packets, bytes.len() - before, format!("{error:?}")),
        }
    }
}

fn by_places(bytes: &[u8]) -> (Vec<Packet>, usize, String) {
    let mut incoming = Vec::new();
    let decoded = decode(bytes, &mut incoming, usize::MAX, PACKET_BYTES_MAX);
    let packets = incoming.into_iter().map(|packet| match packet {
        Incoming::Publish(publish) => Packet::Publish(publish.to_publish(bytes)),
        Incoming::PubAck(id) => Packet::PubAck(PubAck::new(id)),
        Incoming::TooLarge { .. } => unreachable!("only a connection makes these"),
        Incoming::Other(packet) => *packet,
    });
    (packets.collect(), decoded.consumed, format!("{:?}", decoded.end))
}

fn a_publish() -> impl Strategy<Value = Packet> {
    let body = prop::collection::vec(any::<u8>(), 0..300);
    (".{0,90}", 0u8..3, any::<bool>(), any::<bool>(), 1..=u16::MAX, body).prop_map(
        |(topic, qos, dup, retain, id, body)| {
            let qos = mqttbytes::qos(qos).expect("0 to 2");
            let mut publish = Publish::new(topic, qos, body);
            (publish.dup, publish.retain) = (dup, retain);
            publish.pkid = if qos == QoS::AtMostOnce { 0 } else { id };
            Packet::Publish(publish)
        },
    )
}

fn a_packet() -> impl Strategy<Value = Packet> {
    let suback = SubAck::new(7, vec![SubscribeReasonCode::Failure]);
    prop_oneof![
        5 => a_publish(),
        3 => any::<u16>().prop_map(|id| Packet::PubAck(PubAck::new(id))),
        1 => Just(Packet::PingResp),
        1 => Just(Packet::SubAck(suback)),
    ]
}

fn encode(packets: &[Packet]) -> BytesMut {
    let mut bytes = BytesMut::new();
    for packet in packets {
        packet.write(&mut bytes, usize::MAX).unwrap();
    }
    bytes
}

proptest! {
    #![proptest_config(properties())]

    /// Valid streams, cut anywhere.
    #[test]
    fn valid_streams_decode_alike(
        packets in prop::collection::vec(a_packet(), 0..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let bytes = encode(&packets);
        let cut = cut.index(bytes.len() + 1);
        prop_assert_eq!(by_places(&bytes[..cut]), by_codec(&bytes[..cut]));
        prop_assert_eq!(by_places(&bytes).0, packets);
    }

    /// Valid streams with some bytes replaced, which reach every fault.
    #[test]
    fn damaged_streams_decode_alike(
        packets in prop::collection::vec(a_packet(), 1..5),
        damages in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = encode(&packets);
        for (place, byte) in damages {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        prop_assert_eq!(by_places(&bytes), by_codec(&bytes));
    }

    /// Any bytes at all; small ones at the front make headers and short lengths likely.
    #[test]
    fn any_bytes_decode_alike(
        first in prop::sample::select(
            vec![0x30u8, 0x32, 0x34, 0x36, 0x3b, 0x40, 0x90, 0xd0, 0x00],
        ),
        length in 0u8..24,
        rest in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let mut bytes = vec![first, length, 0, length / 2];
        bytes.extend(rest);
        prop_assert_eq!(by_places(&bytes), by_codec(&bytes));
    }

    /// What is written is what the codec writes.
    #[test]
    fn written_publishes_are_the_codecs(
        topic in ".{0,90}",
        id in any::<u16>(),
        dup: bool,
        retain: bool,
        length in prop_oneof![
            20 => 0..300_usize,
            10 => 16_000..16_500_usize,
            1 => Just(2_097_152),
        ],
        byte: u8,
    ) {
        let body = vec![byte; length];
        let packet_id = (id != 0).then_some(id);
        let mut ours = b"before".to_vec();
        Outgoing { topic: &topic, packet_id, dup, retain, body: &body }.write(&mut ours).unwrap();
        let qos = if id == 0 { QoS::AtMostOnce } else { QoS::AtLeastOnce };
        let mut publish = Publish::new(topic, qos, body);
        (publish.dup, publish.retain, publish.pkid) = (dup, retain, id);
        let mut theirs = BytesMut::from(&b"before"[..]);
        publish.write(&mut theirs).unwrap();
        prop_assert_eq!(&ours[..], &theirs[..]);
    }

    #[test]
    fn written_pubacks_are_the_codecs(id in any::<u16>()) {
        let (mut ours, mut theirs) = (Vec::new(), BytesMut::new());
        write_puback(&mut ours, id);
        PubAck::new(id).write(&mut theirs).unwrap();
        prop_assert_eq!(&ours[..], &theirs[..]);
    }
}

/// A packet that is longer than is taken ends the stream as soon as its length is known.
#[test]
fn a_packet_that_is_too_long_is_refused_by_its_length() {
    let packet = Packet::Publish(Publish::new("t", QoS::AtMostOnce, vec![0; PACKET_BYTES_MAX]));
    let bytes = encode(&[packet]);
    assert_eq!(by_places(&bytes[..10]), by_codec(&bytes[..10]));
    assert!(by_places(&bytes[..10]).2.starts_with("PayloadSizeLimitExceeded"));
}

#[test]
fn a_limit_leaves_the_rest_in_place() {
    let bytes = encode(&[Packet::PingResp, Packet::PubAck(PubAck::new(1))]);
    let mut packets = Vec::new();
    let decoded = decode(&bytes, &mut packets, 1, PACKET_BYTES_MAX);
    assert_eq!((decoded.consumed, packets.len()), (2, 1));
}

#[test]
fn a_topic_that_mqtt_cannot_tell_is_refused_whole() {
    let topic = "t".repeat(65_536);
    let mut out = Vec::new();
    let outgoing =
        Outgoing { topic: &topic, packet_id: None, dup: false, retain: false, body: b"" };
    assert!(outgoing.write(&mut out).is_err());
    assert!(out.is_empty());
}

/// No kind of packet is taken for another, with whichever id.
#[test]
fn each_kind_is_distinguished_from_the_others() {
    for id in [1, 255, 256, u16::MAX] {
        let kinds = [
            Packet::UnsubAck(UnsubAck::new(id)),
            Packet::PubRec(PubRec::new(id)),
            Packet::PubRel(PubRel::new(id)),
            Packet::PubComp(PubComp::new(id)),
            Packet::PubAck(PubAck::new(id)),
            Packet::PingResp,
        ];
        for kind in kinds {
            let bytes = encode(std::slice::from_ref(&kind));
            assert_eq!(by_places(&bytes).0, [kind]);
            assert_eq!(by_places(&bytes), by_codec(&bytes));
        }
    }
}

/// The bound counts for a packet that is there to its last byte, too.
#[test]
fn a_whole_packet_is_refused_by_its_length() {
    for (length, is_taken) in [(PACKET_BYTES_MAX, true), (PACKET_BYTES_MAX + 1, false)] {
        let body = vec![b'x'; length - 3];
        let publish = Packet::Publish(Publish::new("t", QoS::AtMostOnce, body));
        let mut bytes = BytesMut::new();
        publish.write(&mut bytes, usize::MAX).expect("it has no bound");
        let (packets, _, end) = by_places(&bytes);
        assert_eq!(packets.len(), usize::from(is_taken), "{length}");
        assert_eq!(end.contains("PayloadSizeLimitExceeded"), !is_taken, "{end}");
    }
}
