//! A raw MQTT client: it does exactly what a test says, right or wrong.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::{Bytes, BytesMut};
use loadgen_hub::{Enrollment, HubHandle};
use rumqttc::mqttbytes::v4::{
    ConnAck, Connect, ConnectReturnCode, LastWill, Login, Packet, PubAck, Publish, Subscribe,
    SubscribeReasonCode, Unsubscribe,
};
use rumqttc::mqttbytes::{self, QoS};
use rustls::pki_types::ServerName;
use rustls::pki_types::pem::PemObject;
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion,
};
use sluicegate::azure::{ConnectionString, sign_token};

/// How long a test waits for something that must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// How long a test waits to see that something does not happen.
pub(crate) const CALM: Duration = Duration::from_millis(200);

/// A blocking TLS connection.
pub(crate) type TlsStream = StreamOwned<ClientConnection, TcpStream>;

/// One connection.
pub(crate) struct Client {
    stream: TlsStream,
    input: BytesMut,
    /// Packet id of the last packet that needed one.
    id: u16,
}

/// What a CONNECT says.
#[derive(Clone)]
pub(crate) struct Credentials {
    pub(crate) client_id: String,
    pub(crate) username: String,
    pub(crate) password: String,
    pub(crate) clean_session: bool,
    pub(crate) keep_alive_s: u16,
    pub(crate) will: Option<LastWill>,
}

pub(crate) fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

impl Credentials {
    /// Those of a module or device, with a token for an hour.
    pub(crate) fn of(hub: &HubHandle, name: &str) -> Self {
        Self::expiring(hub, name, unix_now() + 3600)
    }

    /// With a token that ends at the given time.
    pub(crate) fn expiring(hub: &HubHandle, name: &str, expiry_unix_s: u64) -> Self {
        let text = hub.connection_string(name).unwrap();
        let ConnectionString { identity, key, .. } = text.parse().unwrap();
        Self {
            client_id: identity.client_id(),
            username: identity.username("test", None),
            password: sign_token(&key, &identity.resource(), expiry_unix_s, None),
            clean_session: false,
            keep_alive_s: 60,
            will: None,
        }
    }

    /// Those of a registration, with a token for a minute and a clean session.
    pub(crate) fn enrolled(enrollment: &Enrollment) -> Self {
        let Enrollment { id_scope, registration_id, key } = enrollment;
        let resource = format!("{id_scope}/registrations/{registration_id}");
        Self {
            client_id: registration_id.clone(),
            username: format!("{resource}/api-version=2019-03-31&ClientVersion=t%2F1"),
            password: sign_token(key, &resource, unix_now() + 60, Some("registration")),
            clean_session: true,
            keep_alive_s: 60,
            will: None,
        }
    }

    /// When the token ends.
    pub(crate) fn expiry_unix_s(&self) -> u64 {
        sluicegate::azure::Token::parse(&self.password).unwrap().expiry_unix_s()
    }

    pub(crate) fn packet(&self) -> Packet {
        let mut connect = Connect::new(&self.client_id);
        connect.clean_session = self.clean_session;
        connect.keep_alive = self.keep_alive_s;
        connect.last_will = self.will.clone();
        connect.login = Some(Login::new(&self.username, &self.password));
        Packet::Connect(connect)
    }
}

/// A TLS stream to one of the hub's addresses.
pub(crate) fn open_tls(
    hub: &HubHandle,
    address: SocketAddr,
    name: &str,
    versions: &[&'static SupportedProtocolVersion],
) -> std::io::Result<TlsStream> {
    let mut stream = dial(address, name, tls_config(hub, versions));
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock)?;
    }
    Ok(stream)
}

/// What a client of this hub trusts; sessions are resumed by those who share it.
pub(crate) fn tls_config(
    hub: &HubHandle,
    versions: &[&'static SupportedProtocolVersion],
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let ca = rustls::pki_types::CertificateDer::from_pem_file(hub.ca_file()).unwrap();
    roots.add(ca).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

/// TCP alone, TLS to be spoken.
fn dial(address: SocketAddr, name: &str, config: Arc<ClientConfig>) -> TlsStream {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let tls = ClientConnection::new(config, name).unwrap();
    let socket = TcpStream::connect(address).unwrap();
    socket.set_nodelay(true).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.set_write_timeout(Some(PATIENCE)).unwrap();
    StreamOwned::new(tls, socket)
}

/// Writes all records that wait, in one write to the socket.
fn write_at_once(stream: &mut TlsStream) {
    let mut records = Vec::new();
    while stream.conn.wants_write() {
        stream.conn.write_tls(&mut records).unwrap();
    }
    stream.sock.write_all(&records).unwrap();
}

impl Client {
    /// TLS only.
    pub(crate) fn open(hub: &HubHandle) -> Self {
        Self::open_with(hub, "localhost", rustls::ALL_VERSIONS).unwrap()
    }

    /// TLS only, to a name, with some protocol versions.
    pub(crate) fn open_with(
        hub: &HubHandle,
        name: &str,
        versions: &[&'static SupportedProtocolVersion],
    ) -> std::io::Result<Self> {
        let stream = open_tls(hub, hub.address(), name, versions)?;
        Ok(Self { stream, input: BytesMut::new(), id: 0 })
    }

    /// TLS whose last flight carries `early` in the same write.
    pub(crate) fn open_early(hub: &HubHandle, config: &Arc<ClientConfig>, early: &Packet) -> Self {
        let mut stream = dial(hub.address(), "localhost", Arc::clone(config));
        while stream.conn.is_handshaking() {
            write_at_once(&mut stream);
            stream.conn.read_tls(&mut stream.sock).unwrap();
            stream.conn.process_new_packets().unwrap();
        }
        let mut packet = BytesMut::new();
        early.write(&mut packet, usize::MAX).unwrap();
        stream.conn.writer().write_all(&packet).unwrap();
        write_at_once(&mut stream);
        Self { stream, input: BytesMut::new(), id: 0 }
    }

    /// The client's end, which the hub's log names while there is no client id.
    pub(crate) fn address(&self) -> SocketAddr {
        self.stream.sock.local_addr().unwrap()
    }

    /// All bytes that come until the hub closes.
    pub(crate) fn read_to_close(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self.stream.read_to_end(&mut bytes) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => panic!("still open"),
            // Closed with or without a TLS farewell.
            _ => bytes,
        }
    }

    /// Whether the TLS session was resumed.
    pub(crate) fn handshake_kind(&self) -> Option<rustls::HandshakeKind> {
        self.stream.conn.handshake_kind()
    }

    /// Waits for the server's first record after the handshake, a session ticket in TLS 1.3.
    pub(crate) fn await_record(&mut self) {
        self.stream.conn.read_tls(&mut self.stream.sock).unwrap();
        self.stream.conn.process_new_packets().unwrap();
    }

    /// Connects and is accepted; tells whether the session was present.
    pub(crate) fn connect_with(hub: &HubHandle, credentials: &Credentials) -> (Self, bool) {
        let mut client = Self::open(hub);
        let answer = client.login(credentials);
        assert_eq!(answer.code, ConnectReturnCode::Success);
        (client, answer.session_present)
    }

    /// Connects as a module or device, clean session 0.
    pub(crate) fn connect(hub: &HubHandle, name: &str) -> Self {
        Self::connect_with(hub, &Credentials::of(hub, name)).0
    }

    /// Connects as a module that listens to all its inputs.
    pub(crate) fn listen(hub: &HubHandle, name: &str) -> Self {
        let mut client = Self::connect(hub, name);
        client.subscribe(&format!("devices/edge1/modules/{name}/inputs/#"), QoS::AtLeastOnce);
        client
    }

    pub(crate) fn login(&mut self, credentials: &Credentials) -> ConnAck {
        self.send(&credentials.packet());
        match self.receive() {
            Packet::ConnAck(ack) => ack,
            other => panic!("no CONNACK: {other:?}"),
        }
    }

    pub(crate) fn send(&mut self, packet: &Packet) {
        let mut out = BytesMut::new();
        packet.write(&mut out, usize::MAX).unwrap();
        self.send_bytes(&out);
    }

    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) {
        self.try_send_bytes(bytes).unwrap();
    }

    /// For a connection that may not be read, or be closed.
    pub(crate) fn try_send_bytes(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(bytes)?;
        self.stream.flush()
    }

    pub(crate) fn set_write_timeout(&mut self, patience: Duration) {
        self.stream.sock.set_write_timeout(Some(patience)).unwrap();
    }

    /// The next packet, or why there is none: `TimedOut` or the connection's end.
    pub(crate) fn try_receive(&mut self, patience: Duration) -> std::io::Result<Packet> {
        let deadline = Instant::now() + patience;
        loop {
            match Packet::read(&mut self.input, usize::MAX) {
                Ok(packet) => return Ok(packet),
                Err(mqttbytes::Error::InsufficientBytes(_)) => {}
                Err(error) => panic!("the hub sent {error}"),
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(ErrorKind::TimedOut.into());
            }
            self.stream.sock.set_read_timeout(Some(left)).unwrap();
            let mut chunk = [0; 16 * 1024];
            match self.stream.read(&mut chunk) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(n) => self.input.extend_from_slice(&chunk[..n]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }

    pub(crate) fn receive(&mut self) -> Packet {
        self.try_receive(PATIENCE).unwrap()
    }

    pub(crate) fn receive_publish(&mut self) -> Publish {
        match self.receive() {
            Packet::Publish(publish) => publish,
            other => panic!("no PUBLISH: {other:?}"),
        }
    }

    /// The next publish, acknowledged if need be.
    pub(crate) fn take_publish(&mut self) -> Publish {
        let publish = self.receive_publish();
        if publish.qos == QoS::AtLeastOnce {
            self.acknowledge(publish.pkid);
        }
        publish
    }

    pub(crate) fn acknowledge(&mut self, id: u16) {
        self.send(&Packet::PubAck(PubAck::new(id)));
    }

    /// The hub has nothing to say. In a turn it answers what it has read, and then adds what is
    /// due: so all that is due by now stands before its answer to a second ping.
    pub(crate) fn assert_quiet(&mut self) {
        self.ping();
        self.ping();
    }

    /// The same for a client that is not read at present, so that its pings are not answered: the
    /// hub has one thread, and `other` is served on it. What is due to us is in our socket once the
    /// hub has answered others twice, or it is not due.
    pub(crate) fn assert_quiet_beside(&mut self, other: &mut Self) {
        other.assert_quiet();
        assert!(self.input.is_empty());
        self.stream.sock.set_nonblocking(true).unwrap();
        let read = self.stream.read(&mut [0; 1024]);
        self.stream.sock.set_nonblocking(false).unwrap();
        match read {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            other => panic!("expected nothing, got {other:?}"),
        }
    }

    /// The hub closes the connection, whatever it sends before.
    pub(crate) fn assert_closed(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.try_receive(deadline.saturating_duration_since(Instant::now())) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::TimedOut => panic!("still open"),
                Err(_) => return,
            }
        }
    }

    /// The hub closes the connection, and says nothing more.
    pub(crate) fn assert_closed_without_answer(&mut self) {
        match self.try_receive(PATIENCE) {
            Ok(packet) => panic!("answered: {packet:?}"),
            Err(error) => assert_ne!(error.kind(), ErrorKind::TimedOut, "still open"),
        }
    }

    /// A PINGREQ is answered: the connection is alive, and all sent before has been handled.
    pub(crate) fn ping(&mut self) {
        self.send(&Packet::PingReq);
        let answer = self.receive();
        assert_eq!(answer, Packet::PingResp);
    }

    /// As [`Client::ping`], past publishes that arrive in between.
    pub(crate) fn ping_past_publishes(&mut self) {
        self.send(&Packet::PingReq);
        while self.receive() != Packet::PingResp {}
    }

    pub(crate) fn subscribe(&mut self, filter: &str, qos: QoS) -> SubscribeReasonCode {
        self.id += 1;
        let mut subscribe = Subscribe::new(filter, qos);
        subscribe.pkid = self.id;
        self.send(&Packet::Subscribe(subscribe));
        match self.receive() {
            Packet::SubAck(ack) => {
                assert_eq!(ack.pkid, self.id);
                ack.return_codes[0]
            }
            other => panic!("no SUBACK: {other:?}"),
        }
    }

    pub(crate) fn unsubscribe(&mut self, filter: &str) {
        self.id += 1;
        let unsubscribe = Unsubscribe { pkid: self.id, topics: vec![filter.to_owned()] };
        self.send(&Packet::Unsubscribe(unsubscribe));
        assert!(matches!(self.receive(), Packet::UnsubAck(ack) if ack.pkid == self.id));
    }

    pub(crate) fn publish_packet(&mut self, topic: &str, qos: QoS, body: &[u8]) -> Publish {
        let mut publish = Publish::from_bytes(topic, qos, Bytes::copy_from_slice(body));
        if qos != QoS::AtMostOnce {
            self.id += 1;
            publish.pkid = self.id;
        }
        publish
    }

    /// Publishes at QoS 1 without waiting, and gives the packet id.
    pub(crate) fn post(&mut self, topic: &str, body: &[u8]) -> u16 {
        let publish = self.publish_packet(topic, QoS::AtLeastOnce, body);
        let id = publish.pkid;
        self.send(&Packet::Publish(publish));
        id
    }

    /// Publishes at QoS 1 and waits for the PUBACK, which must come before anything else.
    pub(crate) fn publish(&mut self, topic: &str, body: &[u8]) {
        let id = self.post(topic, body);
        assert_eq!(self.receive(), Packet::PubAck(PubAck::new(id)));
    }

    /// Publishes and waits for the two packets that answer it, in either order: the PUBACK and a
    /// publish, which is acknowledged.
    pub(crate) fn request(&mut self, topic: &str, body: &[u8]) -> Publish {
        let id = self.post(topic, body);
        let mut answer = None;
        let mut acknowledged = false;
        while answer.is_none() || !acknowledged {
            match self.receive() {
                Packet::PubAck(ack) if ack.pkid == id => acknowledged = true,
                Packet::Publish(publish) => {
                    if publish.qos == QoS::AtLeastOnce {
                        self.acknowledge(publish.pkid);
                    }
                    answer = Some(publish);
                }
                other => panic!("unexpected {other:?}"),
            }
        }
        answer.unwrap()
    }

    pub(crate) fn disconnect(mut self) {
        self.send(&Packet::Disconnect);
        self.assert_closed();
    }
}
