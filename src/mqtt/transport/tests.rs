use super::error::refusal;
use super::*;
use rumqttc::mqttbytes::v4::ConnectReturnCode;

mod dial;
mod early;
mod late;
mod lookup;
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

/// What the peer answered decides how long is waited, and each failure is one of three answers.
#[test]
fn every_failure_is_told_by_what_the_peer_answered() {
    use rustls::AlertDescription as Alert;
    let (host, port) = ("h".to_owned(), 1);
    let io = |kind: io::ErrorKind| io::Error::from(kind);
    let alert = |alert| io::Error::other(rustls::Error::AlertReceived(alert));
    let tls = |source| ConnectError::Tls { host: "h".to_owned(), port, source };
    let broken = |source| ConnectError::Broken { host: "h".to_owned(), port, source };
    let refused = |code| ConnectError::Refused {
        host: "h".to_owned(),
        port,
        client_id: "c".to_owned(),
        code,
        meaning: "",
    };
    let cases = [
        (
            ConnectError::Dns { host: host.clone(), source: io(io::ErrorKind::NotFound) },
            Answer::Nothing,
        ),
        (
            ConnectError::Tcp { host: host.clone(), port, source: io(io::ErrorKind::TimedOut) },
            Answer::Nothing,
        ),
        (ConnectError::Timeout { step: "CONNACK", host, port }, Answer::Refusal),
        (tls(io(io::ErrorKind::UnexpectedEof)), Answer::Refusal),
        (tls(alert(Alert::InternalError)), Answer::Refusal),
        (tls(alert(Alert::UnknownCA)), Answer::Identity),
        (broken(ConnectionError::Closed), Answer::Refusal),
        (broken(alert(Alert::CertificateRequired).into()), Answer::Identity),
        (refused(1), Answer::Refusal),
        (refused(2), Answer::Identity),
        (refused(3), Answer::Refusal),
        (refused(4), Answer::Identity),
        (refused(5), Answer::Identity),
    ];
    for (failure, expected) in cases {
        assert_eq!(failure.answer(), expected, "{failure}");
    }
}
