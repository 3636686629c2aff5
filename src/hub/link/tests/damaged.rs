//! Every change of one byte and every truncation of twenty packets, fed to a whole link: no panic,
//! and an end.

use bytes::BytesMut;
use tokio::io::AsyncWriteExt;

use super::*;
use crate::mqtt::limits::TOPIC_BYTES_MAX;
use crate::mqtt::mqttbytes::v4::{
    ConnAck, ConnectReturnCode, PubComp, PubRec, PubRel, UnsubAck, Unsubscribe,
};

const ONCE: QoS = QoS::AtLeastOnce;

fn publish(topic: &str, qos: QoS, id: u16, body: &str) -> Packet {
    let mut publish = Publish::new(topic, qos, body);
    publish.pkid = id;
    Packet::Publish(publish)
}

/// What a hub sends, and what it never does.
fn packets() -> [Packet; 20] {
    let granted = |id, codes| Packet::SubAck(SubAck::new(id, vec![codes; 4]));
    [
        publish("devices/d/modules/m/inputs/input1/%24.cdid=d", ONCE, 1, COLD),
        publish("devices/d/modules/m/inputs/input1", ONCE, 2, "{"),
        publish("devices/d/modules/m/inputs/input2/a=%20&b", ONCE, 3, COLD),
        publish("devices/d/modules/m/inputs/input%31/", ONCE, 4, COLD),
        publish("devices/d/modules/m/inputs/input1/x=y", QoS::AtMostOnce, 0, COLD),
        publish("devices/d/modules/m/inputs/input1/x=y", QoS::ExactlyOnce, 5, COLD),
        publish("$iothub/twin/res/200/?$rid=1", QoS::AtMostOnce, 0, r#"{"desired":{}}"#),
        publish("$iothub/twin/res/429/?$rid=2&$version=3", QoS::AtMostOnce, 0, ""),
        publish(
            "$iothub/twin/PATCH/properties/desired/?$version=7",
            ONCE,
            6,
            r#"{"TemperatureThreshold":30,"$version":7}"#,
        ),
        publish("$iothub/methods/POST/stats/?$rid=a1", QoS::AtMostOnce, 0, "null"),
        publish("somewhere/else", ONCE, 7, "x"),
        Packet::PubAck(PubAck::new(2)),
        Packet::PubRec(PubRec::new(3)),
        Packet::PubRel(PubRel::new(5)),
        Packet::PubComp(PubComp::new(6)),
        granted(1, SubscribeReasonCode::Success(ONCE)),
        granted(1, SubscribeReasonCode::Failure),
        Packet::UnsubAck(UnsubAck::new(8)),
        Packet::ConnAck(ConnAck::new(ConnectReturnCode::Success, false)),
        Packet::Unsubscribe(Unsubscribe::new("a")),
    ]
}

fn encode(packets: &[Packet]) -> BytesMut {
    let mut bytes = BytesMut::new();
    for packet in packets {
        packet.write(&mut bytes, TOPIC_BYTES_MAX).unwrap();
    }
    bytes
}

/// A link hears `bytes`, and then nothing more.
async fn hear(link: &mut HubLink, bytes: &[u8]) {
    let (ours, mut theirs) = duplex(1 << 16);
    theirs.write_all(bytes).await.unwrap();
    theirs.shutdown().await.unwrap();
    let serving = session::serve(link, Connection::new(ours, Duration::from_secs(60)), true);
    let served = timeout(PATIENCE, serving).await.unwrap_or_else(|_| panic!("no end: {bytes:?}"));
    assert!(served.end.is_err(), "{bytes:?}");
}

/// The packets from `first` on, every fourth; each one damaged in every way, and what is whole
/// behind it.
async fn hear_all_damages(first: usize) {
    let behind = encode(&[Packet::PingResp, packets()[0].clone()]);
    for packet in packets().into_iter().skip(first).step_by(4) {
        let (mut link, _stop, _wake) = link_with(0, 1 << 20);
        link.pipeline.lock().release_hold();
        let whole = encode(&[packet]);
        for end in 0..=whole.len() {
            hear(&mut link, &whole[..end]).await;
            hear(&mut link, &[&whole[..end], &behind].concat()).await;
        }
        for place in 0..whole.len() {
            for byte in 0..=u8::MAX {
                let mut bytes = [&whole[..], &behind].concat();
                bytes[place] = byte;
                hear(&mut link, &bytes).await;
            }
        }
    }
}

// Side by side, for there are 200,000.

#[tokio::test]
async fn no_damaged_packet_stops_a_link_1() {
    hear_all_damages(0).await;
}

#[tokio::test]
async fn no_damaged_packet_stops_a_link_2() {
    hear_all_damages(1).await;
}

#[tokio::test]
async fn no_damaged_packet_stops_a_link_3() {
    hear_all_damages(2).await;
}

#[tokio::test]
async fn no_damaged_packet_stops_a_link_4() {
    hear_all_damages(3).await;
}
