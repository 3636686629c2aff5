//! A bare MQTT client, of a hub over TLS or of a broker without, either of which may be killed at
//! any moment: whatever fails then is an error, and no test fails by it.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use rumqttc::mqttbytes::v4::{Connect, Packet, PubAck, Publish, Subscribe};
use rumqttc::mqttbytes::{self, QoS};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::patience;

/// TLS for a client that trusts this file of one root and nothing else.
pub fn tls_trusting(ca: &Path) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(ca).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(tls)
}

trait Socket: Read + Write {
    fn tcp(&self) -> &TcpStream;
}

impl Socket for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Socket for StreamOwned<ClientConnection, TcpStream> {
    fn tcp(&self) -> &TcpStream {
        &self.sock
    }
}

/// One connection.
pub struct Client {
    socket: Box<dyn Socket + Send>,
    input: BytesMut,
    id: u16,
    /// Came before the answer that was waited for.
    early: VecDeque<Packet>,
}

impl Client {
    /// A connection past CONNACK to this port of this machine.
    ///
    /// # Errors
    /// There is none, or none any more.
    pub fn connect(
        port: u16,
        tls: Option<&Arc<ClientConfig>>,
        connect: Connect,
    ) -> io::Result<Self> {
        let tcp = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        tcp.set_nodelay(true)?;
        tcp.set_write_timeout(Some(patience()))?;
        let socket: Box<dyn Socket + Send> = match tls {
            None => Box::new(tcp),
            Some(tls) => {
                let name = ServerName::try_from("localhost").unwrap();
                let session = ClientConnection::new(Arc::clone(tls), name).unwrap();
                Box::new(StreamOwned::new(session, tcp))
            }
        };
        let mut client = Self { socket, input: BytesMut::new(), id: 0, early: VecDeque::new() };
        client.send(&[Packet::Connect(connect)])?;
        match client.receive(patience())? {
            Some(Packet::ConnAck(_)) => Ok(client),
            other => panic!("no CONNACK: {other:?}"),
        }
    }

    /// Subscribes at QoS 1.
    ///
    /// # Errors
    /// The connection has ended.
    pub fn subscribe(&mut self, filter: &str) -> io::Result<()> {
        let mut subscribe = Subscribe::new(filter, QoS::AtLeastOnce);
        subscribe.pkid = self.next_id();
        self.send(&[Packet::Subscribe(subscribe)])?;
        // A session that was kept has messages come before the SUBACK.
        let mut early = VecDeque::new();
        loop {
            match self.receive(patience())? {
                Some(Packet::SubAck(_)) => break,
                Some(packet) => early.push_back(packet),
                None => panic!("no SUBACK"),
            }
        }
        self.early = early;
        Ok(())
    }

    /// Publishes at QoS 1 and gives the packet id.
    ///
    /// # Errors
    /// The connection has ended.
    pub fn post(&mut self, topic: &str, body: &[u8]) -> io::Result<u16> {
        let publish = self.publish(topic, body);
        let id = publish.pkid;
        self.send(&[Packet::Publish(publish)])?;
        Ok(id)
    }

    /// Publishes many at QoS 1, in one write, and gives their packet ids.
    ///
    /// # Errors
    /// The connection has ended.
    pub fn post_all<'a>(
        &mut self,
        messages: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    ) -> io::Result<Vec<u16>> {
        let publishes: Vec<Publish> =
            messages.into_iter().map(|(topic, body)| self.publish(topic, body)).collect();
        let ids = publishes.iter().map(|publish| publish.pkid).collect();
        let packets: Vec<Packet> = publishes.into_iter().map(Packet::Publish).collect();
        self.send(&packets)?;
        Ok(ids)
    }

    /// Sends a PUBACK.
    ///
    /// # Errors
    /// The connection has ended.
    pub fn acknowledge(&mut self, id: u16) -> io::Result<()> {
        self.send(&[Packet::PubAck(PubAck::new(id))])
    }

    /// The next packet that comes in time.
    ///
    /// # Errors
    /// The connection has ended.
    pub fn receive(&mut self, patience: Duration) -> io::Result<Option<Packet>> {
        if let Some(packet) = self.early.pop_front() {
            return Ok(Some(packet));
        }
        let deadline = Instant::now() + patience;
        loop {
            match Packet::read(&mut self.input, usize::MAX) {
                Ok(packet) => return Ok(Some(packet)),
                Err(mqttbytes::Error::InsufficientBytes(_)) => {}
                Err(error) => panic!("the peer sent {error}"),
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            self.socket.tcp().set_read_timeout(Some(left))?;
            let mut chunk = [0; 16 * 1024];
            match self.socket.read(&mut chunk) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(n) => self.input.extend_from_slice(&chunk[..n]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn publish(&mut self, topic: &str, body: &[u8]) -> Publish {
        let body = Bytes::copy_from_slice(body);
        let mut publish = Publish::from_bytes(topic, QoS::AtLeastOnce, body);
        publish.pkid = self.next_id();
        publish
    }

    fn next_id(&mut self) -> u16 {
        self.id = self.id.checked_add(1).unwrap_or(1);
        self.id
    }

    fn send(&mut self, packets: &[Packet]) -> io::Result<()> {
        let mut out = BytesMut::new();
        for packet in packets {
            packet.write(&mut out, usize::MAX).unwrap();
        }
        self.socket.write_all(&out)?;
        self.socket.flush()
    }
}
