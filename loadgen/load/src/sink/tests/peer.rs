//! The hub's side of a connection.

use std::net::TcpStream;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tempfile::NamedTempFile;

use super::*;

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) type Ended = (SinkCounts, Result<(), SinkError>);

trait Stream: Read + Write + Send {}

impl<S: Read + Write + Send> Stream for S {}

pub(super) struct Peer {
    stream: Box<dyn Stream>,
    read: Vec<u8>,
    /// Whether pings are packets too.
    pub(super) sees_pings: bool,
}

impl Peer {
    pub(super) fn new(socket: TcpStream) -> Self {
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_nodelay(true).unwrap();
        Self { stream: Box::new(socket), read: Vec::new(), sees_pings: false }
    }

    /// The next packet, as its first byte and the rest.
    pub(super) fn packet(&mut self) -> (u8, Vec<u8>) {
        loop {
            if let Some(Frame { first, rest, whole }) = wire::frame(&self.read).unwrap() {
                if first == PINGREQ[0] && !self.sees_pings {
                    self.read.drain(..2);
                    continue;
                }
                let (packet, length) = ((first, rest.to_vec()), whole.len());
                self.read.drain(..length);
                return packet;
            }
            let mut chunk = [0; 65_536];
            let count = self.stream.read(&mut chunk).unwrap();
            assert!(count > 0, "the sink has gone");
            self.read.extend_from_slice(&chunk[..count]);
        }
    }

    pub(super) fn expect_ack(&mut self, id: u16) {
        assert_eq!(self.packet(), (wire::PUBACK, id.to_be_bytes().to_vec()));
    }

    pub(super) fn expect_alert(&mut self, id: u16, temperature: u32) {
        let mut expected = b"\0\x10alerts/sensors/1".to_vec();
        expected.extend_from_slice(&id.to_be_bytes());
        expected.extend_from_slice(format!(r#"{{"temperature":{temperature}}}"#).as_bytes());
        assert_eq!(self.packet(), (0x32, expected));
    }

    pub(super) fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
        self.stream.flush().unwrap();
    }

    fn shake_hands(&mut self) {
        let (first, connect) = self.packet();
        // User name, password, clean session; a keep alive of one second.
        assert_eq!((first, &connect[..10]), (0x10, &b"\0\x04MQTT\x04\xc2\0\x01"[..]));
        self.send(&[0x20, 2, 0, 0]);
        assert_eq!(self.packet(), (0x82, b"\0\x01\0\x09sensors/#\x01".to_vec()));
        self.send(&[0x90, 3, 0, 1, 1]);
    }
}

pub(super) fn settings(listener: &TcpListener, faults: Faults) -> SinkSettings {
    SinkSettings {
        host: "127.0.0.1".to_owned(),
        port: listener.local_addr().unwrap().port(),
        ca_file: None,
        client_id: "sink".to_owned(),
        username: "somebody".to_owned(),
        password: "secret".to_owned(),
        subscribe: "sensors/#".to_owned(),
        publish: "alerts/{topic}".to_owned(),
        threshold: 25.0,
        keep_alive: Duration::from_secs(1),
        faults,
    }
}

/// A sink over plain TCP, which has subscribed.
pub(super) fn start(faults: Faults) -> (Peer, Arc<Stop>, JoinHandle<Ended>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (stop, sink) = spawn(settings(&listener, faults));
    let mut peer = Peer::new(listener.accept().unwrap().0);
    peer.shake_hands();
    (peer, stop, sink)
}

/// The same over TLS.
pub(super) fn start_tls(faults: Faults) -> (Peer, Arc<Stop>, JoinHandle<Ended>) {
    let (ca, server) = certificate();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let ca_file = Some(ca.path().to_owned());
    let (stop, sink) = spawn(SinkSettings { ca_file, ..settings(&listener, faults) });
    let socket = listener.accept().unwrap().0;
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let stream = StreamOwned::new(ServerConnection::new(server).unwrap(), socket);
    let mut peer = Peer { stream: Box::new(stream), read: Vec::new(), sees_pings: false };
    peer.shake_hands();
    (peer, stop, sink)
}

fn spawn(settings: SinkSettings) -> (Arc<Stop>, JoinHandle<Ended>) {
    let stop = Arc::new(Stop::default());
    let stopper = Arc::clone(&stop);
    (stop, std::thread::spawn(move || run(&settings, &stopper)))
}

/// A certificate for loopback, which is its own authority: its file, and a server that has it.
pub(super) fn certificate() -> (NamedTempFile, Arc<ServerConfig>) {
    let names = vec!["127.0.0.1".to_owned()];
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).unwrap();
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(cert.pem().as_bytes()).unwrap();
    let key = PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    (file, Arc::new(config))
}

/// Input `number` at QoS 1.
pub(super) fn input(number: u16, temperature: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let body = format!(r#"{{"temperature":{temperature}}}"#);
    wire::write_publish(&mut bytes, b"sensors/1", Some(number), body.as_bytes());
    bytes
}
