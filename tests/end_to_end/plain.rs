//! Plain TCP: the module works without TLS on loopback, and sends not one byte anywhere else.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::Command;

use bytes::{Bytes, BytesMut};
use rumqttc::mqttbytes::v4::{
    ConnAck, Connect, ConnectReturnCode, Packet, PubAck, Publish, SubAck, SubscribeReasonCode,
};
use rumqttc::mqttbytes::{Error, QoS};
use sluicegate::azure::{Key, Token};

use crate::harness::{MODULE, Process, patience, reading, sluicegate, wait_until};

/// The exit code for settings that cannot work.
const EX_USAGE: i32 = 64;
const KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
const PACKET_BYTES_MAX: usize = 1 << 20;

/// `sluicegate` with `arguments`, for a module that connects to `gateway`; there is no CA file.
fn command(arguments: &[&str], gateway: &str) -> Command {
    let identity = format!(
        "HostName=h.net;GatewayHostName={gateway};DeviceId=edge1;ModuleId={MODULE};\
         SharedAccessKey={KEY}"
    );
    let mut command = sluicegate();
    command.args(arguments).env("EdgeHubConnectionString", identity);
    command
}

fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// The next connection, which must come in time.
#[track_caller]
fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    let mut accepted = None;
    listener.set_nonblocking(true).unwrap();
    wait_until("somebody connects", || {
        accepted = listener.accept().ok();
        accepted.is_some()
    });
    let (socket, from) = accepted.expect("the wait ended with it");
    socket.set_nonblocking(false).unwrap();
    socket.set_read_timeout(Some(patience())).unwrap();
    (socket, from)
}

/// The hub's end of a connection without TLS.
struct Hub {
    socket: TcpStream,
    buffer: BytesMut,
}

impl Hub {
    /// Takes the next connection up to its subscriptions; also gives its CONNECT.
    fn accept(listener: &TcpListener) -> (Self, Connect) {
        let mut hub = Self { socket: accept(listener).0, buffer: BytesMut::new() };
        let Packet::Connect(connect) = hub.next() else { panic!("CONNECT comes first") };
        hub.send(&Packet::ConnAck(ConnAck::new(ConnectReturnCode::Success, false)));
        let Packet::Subscribe(subscribe) = hub.next() else { panic!("SUBSCRIBE comes next") };
        let codes = vec![SubscribeReasonCode::Success(QoS::AtLeastOnce); subscribe.filters.len()];
        hub.send(&Packet::SubAck(SubAck::new(subscribe.pkid, codes)));
        (hub, connect)
    }

    fn next(&mut self) -> Packet {
        loop {
            match Packet::read(&mut self.buffer, PACKET_BYTES_MAX) {
                Ok(packet) => return packet,
                Err(Error::InsufficientBytes(_)) => {}
                Err(error) => panic!("no MQTT in clear: {error}"),
            }
            let mut bytes = [0; 4096];
            let count = self.socket.read(&mut bytes).expect("a packet in time");
            assert!(count > 0, "the module hung up");
            self.buffer.extend_from_slice(&bytes[..count]);
        }
    }

    /// The next publish on a topic that begins with `prefix`; others are left out.
    fn publish_on(&mut self, prefix: &str) -> Publish {
        loop {
            match self.next() {
                Packet::Publish(publish) if publish.topic.starts_with(prefix) => return publish,
                Packet::Publish(_) => {}
                other => panic!("a publish on {prefix} must come before {other:?}"),
            }
        }
    }

    fn puback(&mut self) -> u16 {
        loop {
            match self.next() {
                Packet::PubAck(ack) => return ack.pkid,
                Packet::Publish(publish) if publish.topic.starts_with("$iothub/twin/") => {}
                other => panic!("a PUBACK must come before {other:?}"),
            }
        }
    }

    fn send(&mut self, packet: &Packet) {
        let mut bytes = BytesMut::new();
        packet.write(&mut bytes, PACKET_BYTES_MAX).unwrap();
        self.socket.write_all(&bytes).unwrap();
    }

    fn input(&mut self, id: u16, body: &str) {
        let topic = format!("devices/edge1/modules/{MODULE}/inputs/input1/n={id}");
        let mut publish = Publish::new(topic, QoS::AtLeastOnce, body);
        publish.pkid = id;
        self.send(&Packet::Publish(publish));
    }
}

/// From login to DISCONNECT without TLS and without a CA file: the alert comes, and only it.
#[test]
fn the_module_filters_over_plain_tcp() {
    let (listener, address) = listen();
    let mut command = command(&["run"], "127.0.0.1");
    command.env("SLUICEGATE_PLAIN", "1");
    command.env("SLUICEGATE_GATEWAY_PORT", address.port().to_string());
    let mut module = Process::spawn("sluicegate", &mut command);
    let (mut hub, connect) = Hub::accept(&listener);
    assert_eq!(connect.client_id, format!("edge1/{MODULE}"));
    let login = connect.login.expect("user name and password");
    assert!(Token::parse(&login.password).unwrap().verify(&Key::from_base64(KEY).unwrap()));
    module.wait_for_line(&["connected to", &format!("{address} over plain TCP")]);

    let get = hub.publish_on("$iothub/twin/GET/");
    let rid = get.topic.split_once("$rid=").expect("a request id").1;
    let topic = format!("$iothub/twin/res/200/?$rid={rid}");
    let twin = r#"{"desired":{"TemperatureThreshold":60,"$version":1}}"#;
    hub.send(&Packet::Publish(Publish::new(topic, QoS::AtMostOnce, twin)));
    let (cold, hot) = (reading(50), reading(70));
    hub.input(1, &cold);
    assert_eq!(hub.puback(), 1);
    hub.input(2, &hot);
    let alert = hub.publish_on("devices/");
    assert!(alert.topic.contains("n=2&MessageType=Alert"), "{}", alert.topic);
    assert_eq!(alert.payload, Bytes::from(hot));
    hub.send(&Packet::PubAck(PubAck::new(alert.pkid)));
    assert_eq!(hub.puback(), 2);

    module.signal("TERM");
    while hub.next() != Packet::Disconnect {}
    drop(hub);
    assert_eq!(module.wait_for_exit().code(), Some(0));
}

/// `0` resolves to 0.0.0.0, which is not loopback though it leads there. The module says so at each
/// attempt, and what listens there gets neither a token nor even a connection.
#[test]
fn nothing_is_sent_to_a_name_that_is_not_loopback() {
    let (listener, address) = listen();
    let ours = TcpStream::connect(("0", address.port())).expect("this name leads here");
    assert_eq!(accept(&listener).1, ours.local_addr().unwrap());
    let port = address.port().to_string();
    let mut command = command(&["run", "--plain", "--gateway-port", &port], "0");
    let module = Process::spawn("sluicegate", &mut command);
    let refusal = format!("plain TCP to 0:{port} refused: 0 is 0.0.0.0, no loopback address");
    module.wait_for_line(&[&refusal, &format!("edge1/{MODULE}"), "leave plain TCP out"]);
    wait_until("the module tries again", || module.count(&refusal) >= 2);
    assert!(module.is_running());
    // Connections come in order: the next one is the test's own, so there was none in between.
    let ours = TcpStream::connect(address).unwrap();
    assert_eq!(accept(&listener).1, ours.local_addr().unwrap());
}

fn run(command: &mut Command) -> (Option<i32>, String) {
    let mut process = Process::spawn("sluicegate", command);
    let status = process.wait_for_exit();
    (status.code(), process.lines().join("\n"))
}

#[test]
fn check_shows_plain_tcp() {
    let (code, output) = run(&mut command(&["check", "--plain"], "localhost"));
    assert_eq!(code, Some(0), "{output}");
    assert!(output.contains("at localhost:1883 over plain TCP"), "{output}");
}

/// What can be known at the start is refused there; the sensor has no such flag at all.
#[test]
fn what_cannot_be_plain_is_refused_at_the_start() {
    let cases: [(&[&str], &str, &str); 5] = [
        (&["run", "--plain"], "192.0.2.1", "flag --plain: the gateway 192.0.2.1 is no loopback"),
        (&["check", "--plain"], "0.0.0.0", "flag --plain: the gateway 0.0.0.0 is no loopback"),
        (&["run", "--plain"], "fe80::1", "flag --plain: the gateway fe80::1 is no loopback"),
        (&["run", "--plain", "--websocket"], "localhost", "set one of the two to false"),
        (&["sensor", "--plain"], "localhost", "unexpected argument '--plain'"),
    ];
    for (arguments, gateway, expected) in cases {
        let (code, output) = run(&mut command(arguments, gateway));
        assert_eq!(code, Some(EX_USAGE), "{arguments:?} {gateway}: {output}");
        assert!(output.contains(expected), "{arguments:?} {gateway}: {output}");
    }
}
