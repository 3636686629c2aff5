use super::error::refusal;
use super::*;
use rumqttc::mqttbytes::v4::ConnectReturnCode;

mod dial;
mod network;

/// CONNACK must be the first packet, and publishes right behind it are kept for the caller.
#[tokio::test]
async fn greet_keeps_what_follows_connack() {
    let (ours, theirs) = tokio::io::duplex(4096);
    let mut client = Connection::new(ours, Duration::from_secs(60));
    let mut server = Connection::new(theirs, Duration::ZERO);
    let publish = rumqttc::mqttbytes::v4::Publish::new(
        "a/b",
        rumqttc::mqttbytes::QoS::AtMostOnce,
        b"x".to_vec(),
    );
    server.send(&Packet::ConnAck(ConnAck::new(ConnectReturnCode::Success, true))).unwrap();
    server.publish(&publish).unwrap();
    server.flush().await.unwrap();
    let connack = greet(&mut client, Connect::new("d/m")).await.unwrap();
    assert!(connack.session_present);
    let mut inbox = Vec::new();
    while inbox.is_empty() {
        client.turn_packets(&mut inbox, &tokio::sync::Notify::new(), true).await.unwrap();
    }
    assert_eq!(inbox, [Packet::Publish(publish)]);
}

#[tokio::test]
async fn another_first_packet_is_a_protocol_error() {
    let (ours, theirs) = tokio::io::duplex(4096);
    let mut client = Connection::new(ours, Duration::from_secs(60));
    let mut server = Connection::new(theirs, Duration::ZERO);
    server.send(&Packet::PingResp).unwrap();
    server.flush().await.unwrap();
    let result = greet(&mut client, Connect::new("d/m")).await;
    assert!(matches!(result, Err(ConnectionError::Protocol(_))), "{result:?}");
}

#[test]
fn every_refusal_says_what_it_means() {
    use ConnectReturnCode::*;
    assert_eq!(refusal(Success), None);
    let codes = [
        RefusedProtocolVersion,
        BadClientId,
        ServiceUnavailable,
        BadUserNamePassword,
        NotAuthorized,
    ];
    for (number, code) in (1u8..).zip(codes) {
        assert_eq!(refusal(code).expect("a refusal").0, number);
    }
}
