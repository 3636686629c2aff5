//! Every change of one byte and every truncation of twenty packets, before and behind another one:
//! the same packets as by rumqttc's codec, the same fault, at the same place.

use super::*;

/// Of each kind that a server sends, and of each kind that it does not, with every flag.
fn packets() -> [Packet; 20] {
    let publish = |topic: &str, qos: u8, id: u16, body: &str| {
        let qos = mqttbytes::qos(qos).expect("0 to 2");
        let mut publish = Publish::new(topic, qos, body);
        publish.pkid = id;
        publish
    };
    let once = publish("devices/d/modules/m/inputs/input1/a=1", 1, 1, r#"{"machine":{}}"#);
    let again = Publish { dup: true, ..once.clone() };
    let retained = Publish { retain: true, ..publish("t", 1, 300, "30") };
    let mut connect = Connect::new("d/m");
    connect.set_login("user", "password");
    let granted = |codes: &[SubscribeReasonCode]| Packet::SubAck(SubAck::new(7, codes.to_vec()));
    let code = |code, session| Packet::ConnAck(ConnAck::new(code, session));
    [
        Packet::Publish(once),
        Packet::Publish(again),
        Packet::Publish(retained),
        Packet::Publish(publish("$iothub/twin/res/200/?$rid=1", 0, 0, r#"{"desired":{}}"#)),
        Packet::Publish(publish("é€😀", 2, 65_535, "")),
        Packet::Publish(publish("t", 0, 0, &"x".repeat(130))),
        Packet::PubAck(PubAck::new(1)),
        Packet::PubRec(PubRec::new(2)),
        Packet::PubRel(PubRel::new(3)),
        Packet::PubComp(PubComp::new(65_535)),
        granted(&[SubscribeReasonCode::Success(QoS::AtLeastOnce)]),
        granted(&[SubscribeReasonCode::Failure, SubscribeReasonCode::Success(QoS::AtMostOnce)]),
        Packet::UnsubAck(UnsubAck::new(9)),
        Packet::PingResp,
        Packet::PingReq,
        Packet::Disconnect,
        code(ConnectReturnCode::Success, true),
        code(ConnectReturnCode::NotAuthorized, false),
        Packet::Connect(connect),
        Packet::Subscribe(Subscribe::new("sensors/#", QoS::AtLeastOnce)),
    ]
}

/// Calls `look` with each packet, changed by `change`, and something whole behind it.
fn each(change: impl Fn(&[u8], &mut dyn FnMut(&[u8]))) {
    let behind = encode(&[Packet::PubAck(PubAck::new(4)), Packet::PingResp]);
    for packet in packets() {
        let whole = encode(&[packet]);
        change(&whole, &mut |changed| {
            for bytes in
                [changed.to_vec(), [changed, &behind].concat(), [&behind, changed].concat()]
            {
                assert_eq!(by_places(&bytes), by_codec(&bytes), "{bytes:02x?}");
            }
        });
    }
}

#[test]
fn no_truncation_confuses() {
    each(|whole, look| (0..=whole.len()).for_each(|end| look(&whole[..end])));
}

#[test]
fn no_changed_byte_confuses() {
    each(|whole, look| {
        for place in 0..whole.len() {
            for byte in 0..=u8::MAX {
                let mut changed = whole.to_vec();
                changed[place] = byte;
                look(&changed);
            }
        }
    });
}
