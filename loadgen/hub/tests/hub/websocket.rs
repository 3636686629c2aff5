//! MQTT over WebSocket: the handshake, frames of every shape, and the same session as over TLS.

use bytes::{Buf, BytesMut};
use loadgen_hub::HubHandle;
use rumqttc::mqttbytes::v4::{ConnectReturnCode, Packet, PubAck, Publish, Subscribe};
use rumqttc::mqttbytes::{self, QoS};
use serde_json::json;
use tokio_tungstenite::tungstenite::client::ClientRequestBuilder;
use tokio_tungstenite::tungstenite::handshake::HandshakeError;
use tokio_tungstenite::tungstenite::{Error, Message, WebSocket, client};

use crate::client::{Client, Credentials, PATIENCE, TlsStream, open_tls};
use crate::support::{TestHub, numbered, start, start_logged, start_with, wait};

const PATH: &str = "/$iothub/websocket";
const TELEMETRY: &str = "devices/edge1/modules/filter/messages/events/";

fn start_with_websocket() -> TestHub {
    start_with(|config| config.listen_websocket = Some(([127, 0, 0, 1], 0).into()))
}

/// A WebSocket that was agreed to, or the status of the refusal.
fn open(
    hub: &HubHandle,
    path: &str,
    subprotocols: &[&str],
) -> Result<(WebSocket<TlsStream>, Option<String>), u16> {
    let address = hub.websocket_address().unwrap();
    let tls = open_tls(hub, address, "localhost", rustls::ALL_VERSIONS).unwrap();
    let uri = format!("wss://localhost:{}{path}", address.port()).parse().unwrap();
    let mut request = ClientRequestBuilder::new(uri);
    for name in subprotocols {
        request = request.with_sub_protocol(*name);
    }
    match client(request, tls) {
        Ok((socket, response)) => {
            let agreed = response.headers().get("Sec-WebSocket-Protocol");
            Ok((socket, agreed.map(|value| value.to_str().unwrap().to_owned())))
        }
        Err(HandshakeError::Failure(Error::Http(response))) => Err(response.status().as_u16()),
        Err(error) => panic!("{error}"),
    }
}

/// An MQTT client in frames of a size of its own.
struct Framed {
    socket: WebSocket<TlsStream>,
    input: BytesMut,
    frame_bytes: usize,
}

impl Framed {
    fn connect(hub: &HubHandle, credentials: &Credentials, frame_bytes: usize) -> (Self, bool) {
        let (socket, agreed) = open(hub, PATH, &["mqtt"]).unwrap();
        assert_eq!(agreed.as_deref(), Some("mqtt"));
        let mut client = Self { socket, input: BytesMut::new(), frame_bytes };
        client.send(&[credentials.packet()]);
        match client.receive() {
            Packet::ConnAck(ack) => {
                assert_eq!(ack.code, ConnectReturnCode::Success);
                (client, ack.session_present)
            }
            other => panic!("{other:?}"),
        }
    }

    /// Sends packets as one stretch of bytes, cut into frames.
    fn send(&mut self, packets: &[Packet]) {
        let mut out = BytesMut::new();
        for packet in packets {
            packet.write(&mut out, usize::MAX).unwrap();
        }
        while out.has_remaining() {
            let frame = out.split_to(out.len().min(self.frame_bytes));
            self.socket.send(Message::Binary(frame.freeze())).unwrap();
        }
    }

    fn receive(&mut self) -> Packet {
        loop {
            match Packet::read(&mut self.input, usize::MAX) {
                Ok(packet) => return packet,
                Err(mqttbytes::Error::InsufficientBytes(_)) => {}
                Err(error) => panic!("{error}"),
            }
            match self.socket.read().unwrap() {
                Message::Binary(bytes) => self.input.extend_from_slice(&bytes),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    fn assert_closed(&mut self) {
        let end = loop {
            match self.socket.read() {
                Ok(_) => {}
                Err(error) => break error,
            }
        };
        // A time-out is an I/O error of these kinds.
        if let Error::Io(error) = end {
            use std::io::ErrorKind::{TimedOut, WouldBlock};
            assert!(![TimedOut, WouldBlock].contains(&error.kind()), "still open");
        }
    }
}

fn publish(id: u16, body: &[u8]) -> Packet {
    let mut publish = Publish::new(TELEMETRY, QoS::AtLeastOnce, body);
    publish.pkid = id;
    Packet::Publish(publish)
}

#[test]
fn only_mqtt_on_the_hubs_path_is_agreed_to() {
    let hub = start_with_websocket();
    let agreed = |path: &str, names: &[&str]| open(&hub, path, names).map(|(_, name)| name);
    assert_eq!(agreed(PATH, &["mqtt"]), Ok(Some("mqtt".to_owned())));
    // The Node SDK's query, and a client that offers more.
    let query = format!("{PATH}?iothub-no-client-cert=true");
    assert_eq!(agreed(&query, &["amqp", "mqtt"]), Ok(Some("mqtt".to_owned())));
    assert_eq!(agreed("/", &["mqtt"]), Err(404));
    assert_eq!(agreed(PATH, &["mqttv3.1"]), Err(400));
    assert_eq!(agreed(PATH, &[]), Err(400));
    assert_eq!(start().websocket_address(), None);
}

/// Packets cut into frames of any size, or many in one frame, are the same packets.
#[test]
fn frames_and_packets_have_nothing_to_do_with_each_other() {
    let hub = start_with_websocket();
    let upstream = hub.upstream();
    for frame_bytes in [1, 7, 64 * 1024, usize::MAX] {
        let (mut client, _) = Framed::connect(&hub, &Credentials::of(&hub, "filter"), frame_bytes);
        client.send(&[publish(1, b"one"), publish(2, b"two"), Packet::PingReq]);
        assert_eq!(client.receive(), Packet::PubAck(PubAck::new(1)));
        assert_eq!(client.receive(), Packet::PubAck(PubAck::new(2)));
        assert_eq!(client.receive(), Packet::PingResp);
        for body in [&b"one"[..], b"two"] {
            assert_eq!(&upstream.recv_timeout(PATIENCE).unwrap().body[..], body);
        }
    }
    // The largest message there can be, in one frame and answered in many.
    let (mut client, _) = Framed::connect(&hub, &Credentials::of(&hub, "filter"), usize::MAX);
    let filter = "devices/edge1/modules/filter/inputs/#";
    let mut subscribe = Subscribe::new(filter, QoS::AtLeastOnce);
    subscribe.pkid = 1;
    client.send(&[Packet::Subscribe(subscribe)]);
    assert!(matches!(client.receive(), Packet::SubAck(_)));
    let large = vec![b'x'; 261_900];
    client.send(&[publish(2, &large)]);
    assert_eq!(client.receive(), Packet::PubAck(PubAck::new(2)));
    assert_eq!(upstream.recv_timeout(PATIENCE).unwrap().body.len(), large.len());
    let message = loadgen_hub::HubMessage { body: large.into(), ..Default::default() };
    hub.deliver("filter", "in", vec![message]).unwrap();
    match client.receive() {
        Packet::Publish(publish) => assert_eq!(publish.payload.len(), 261_900),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_session_is_the_one_of_the_identity() {
    let hub = start_with_websocket();
    Client::listen(&hub, "filter").disconnect();
    let (mut client, present) = Framed::connect(&hub, &Credentials::of(&hub, "filter"), usize::MAX);
    assert!(present);
    hub.deliver("filter", "in", numbered(1)).unwrap();
    assert!(matches!(client.receive(), Packet::Publish(publish) if publish.payload == "0"));
    // A ping of the WebSocket's own is answered, and is no packet.
    client.socket.send(Message::Ping("x".into())).unwrap();
    assert_eq!(client.socket.read().unwrap(), Message::Pong("x".into()));
    // A newer connection through the other door evicts this one.
    Client::connect(&hub, "filter").ping_past_publishes();
    client.assert_closed();
}

#[test]
fn registrations_come_this_way_too() {
    let hub = start_with_websocket();
    let enrollment = hub.enrollment("dev-1").unwrap();
    let resource = format!("{}/registrations/dev-1", enrollment.id_scope);
    let mut credentials = Credentials::of(&hub, "filter");
    credentials.client_id = "dev-1".to_owned();
    credentials.username = format!("{resource}/api-version=2019-03-31");
    let expiry = crate::client::unix_now() + 60;
    credentials.password =
        sluicegate::azure::sign_token(&enrollment.key, &resource, expiry, Some("registration"));
    let (mut client, _) = Framed::connect(&hub, &credentials, usize::MAX);
    let mut subscribe = Subscribe::new("$dps/registrations/res/#", QoS::AtMostOnce);
    subscribe.pkid = 1;
    let body = json!({"registrationId": "dev-1"}).to_string();
    let topic = "$dps/registrations/PUT/iotdps-register/?$rid=1";
    let register = Publish::new(topic, QoS::AtMostOnce, body);
    client.send(&[Packet::Subscribe(subscribe), Packet::Publish(register)]);
    assert!(matches!(client.receive(), Packet::SubAck(_)));
    assert!(matches!(client.receive(), Packet::Publish(answer) if answer.topic.contains("/202/")));
}

/// The same strictness as through the other door, packets cut anyhow.
#[test]
fn what_breaks_a_statement_is_closed_with_its_number() {
    let websocket = Some(([127, 0, 0, 1], 0).into());
    let (hub, device) = start_logged(|config| config.listen_websocket = websocket);
    let client = format!("client={device}/filter");
    for frame_bytes in [1, usize::MAX] {
        for (bytes, statement) in crate::strict::BROKEN {
            let credentials = Credentials::of(&hub, "filter");
            let (mut framed, _) = Framed::connect(&hub, &credentials, frame_bytes);
            for frame in bytes.chunks(frame_bytes) {
                // The hub may close before all of it is written.
                let _ = framed.socket.send(Message::Binary(frame.to_vec().into()));
            }
            framed.assert_closed();
            crate::log::expect(&[&client, &format!("[{statement}]")]);
        }
    }
    let (mut framed, _) = Framed::connect(&hub, &Credentials::of(&hub, "filter"), usize::MAX);
    framed.socket.send(Message::text("hello")).unwrap();
    framed.assert_closed();
    crate::log::expect(&[&client, "[MQTT-6.0.0-1]"]);
    let rows = 2 * crate::strict::BROKEN.len() as u64 + 1;
    hub.until(|counters| counters.protocol_errors == rows);
    // MQTT 5 is answered in the form of 3.1.1.
    let (mut socket, _) = open(&hub, PATH, &["mqtt"]).unwrap();
    socket.send(Message::Binary(crate::strict::CONNECT_5.to_vec().into())).unwrap();
    assert_eq!(socket.read().unwrap(), Message::Binary(vec![0x20, 2, 0, 1].into()));
}

#[test]
fn what_is_no_websocket_or_no_mqtt_is_closed() {
    use std::io::{Read, Write};
    let hub = start_with_websocket();
    let (mut client, _) = Framed::connect(&hub, &Credentials::of(&hub, "filter"), usize::MAX);
    client.socket.send(Message::text("hello")).unwrap();
    client.assert_closed();
    let (mut client, _) = Framed::connect(&hub, &Credentials::of(&hub, "filter"), usize::MAX);
    let too_large = vec![0x32; 300_000];
    // The hub may close before all of it is written.
    let _ = client.socket.send(Message::Binary(too_large.into()));
    client.assert_closed();
    // A farewell of the WebSocket is the end of the connection.
    let (mut client, _) = Framed::connect(&hub, &Credentials::of(&hub, "filter"), usize::MAX);
    client.socket.close(None).unwrap();
    client.assert_closed();
    wait(|| !hub.is_connected("filter"));
    let address = hub.websocket_address().unwrap();
    let mut plain = open_tls(&hub, address, "localhost", rustls::ALL_VERSIONS).unwrap();
    plain.write_all(b"\x10\x00 no HTTP\r\n\r\n").unwrap();
    let mut rest = Vec::new();
    // Closed with or without a TLS farewell.
    let _ = plain.read_to_end(&mut rest);
    hub.until(|counters| counters.connect_failures == 1);
}
