//! The sink against a peer on loopback.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use super::*;
use crate::load::wire::{self, Frame};

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

type Ended = (Counts, Result<(), SinkError>);

/// The hub's side of one connection.
struct Peer {
    socket: TcpStream,
    read: Vec<u8>,
}

impl Peer {
    /// The next packet, as its first byte and the rest.
    fn packet(&mut self) -> (u8, Vec<u8>) {
        loop {
            if let Some(Frame { first, rest, whole }) = wire::frame(&self.read).unwrap() {
                let (packet, length) = ((first, rest.to_vec()), whole.len());
                self.read.drain(..length);
                return packet;
            }
            let mut chunk = [0; 65_536];
            let count = self.socket.read(&mut chunk).unwrap();
            assert!(count > 0, "the sink has gone");
            self.read.extend_from_slice(&chunk[..count]);
        }
    }

    fn send(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).unwrap();
    }

    fn shake_hands(&mut self) {
        let (first, connect) = self.packet();
        assert_eq!((first, &connect[..7]), (0x10, &b"\0\x04MQTT\x04"[..]));
        self.send(&[0x20, 2, 0, 0]);
        assert_eq!(self.packet(), (0x82, b"\0\x01\0\x09sensors/#\x01".to_vec()));
        self.send(&[0x90, 3, 0, 1, 1]);
    }
}

fn start() -> (Peer, Arc<Stop>, JoinHandle<Ended>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let settings = SinkSettings {
        host: "127.0.0.1".to_owned(),
        port: listener.local_addr().unwrap().port(),
        client_id: "sink".to_owned(),
        username: "somebody".to_owned(),
        password: "secret".to_owned(),
        subscribe: "sensors/#".to_owned(),
        publish: "alerts/{topic}".to_owned(),
        threshold: 25.0,
    };
    let stop = Arc::new(Stop::default());
    let stopper = Arc::clone(&stop);
    let sink = std::thread::spawn(move || run(&settings, &stopper));
    let (socket, _) = listener.accept().unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    (Peer { socket, read: Vec::new() }, stop, sink)
}

fn input(number: u16, temperature: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let body = format!(r#"{{"temperature":{temperature}}}"#);
    wire::write_publish(&mut bytes, b"sensors/1", Some(number), body.as_bytes());
    bytes
}

#[test]
fn alerts_come_back_until_it_is_stopped() {
    let (mut peer, stop, sink) = start();
    peer.shake_hands();
    peer.send(&[input(1, 20), input(2, 30)].concat());
    assert_eq!(peer.packet(), (wire::PUBACK, vec![0, 1]));
    assert_eq!(peer.packet(), (0x32, b"\0\x10alerts/sensors/1\0\x01{\"temperature\":30}".to_vec()));
    assert_eq!(peer.packet(), (wire::PUBACK, vec![0, 2]));
    stop.stop();
    let (counts, ended) = sink.join().unwrap();
    ended.unwrap();
    assert_eq!((counts.inputs, counts.alerts, counts.forwarded), (2, 1, 1));
}

#[test]
fn a_stop_before_the_connection_ends_it_as_well() {
    let (_peer, stop, sink) = start();
    stop.stop();
    sink.join().unwrap().1.unwrap();
}

#[test]
fn the_end_of_the_connection_is_an_error() {
    let (mut peer, _, sink) = start();
    peer.shake_hands();
    drop(peer);
    let (_, ended) = sink.join().unwrap();
    assert!(matches!(ended, Err(SinkError::Closed | SinkError::Io(_))), "{ended:?}");
}

#[test]
fn a_refusal_is_an_error() {
    let (mut peer, _, sink) = start();
    assert_eq!(peer.packet().0, 0x10);
    peer.send(&[0x20, 2, 0, 5]);
    let (_, ended) = sink.join().unwrap();
    assert!(matches!(ended, Err(SinkError::Refused(_))), "{ended:?}");
}
