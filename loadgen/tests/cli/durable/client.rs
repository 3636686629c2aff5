//! A raw MQTT client of a hub in another process, which may be killed at any moment.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Result, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::{Bytes, BytesMut};
use rumqttc::mqttbytes::v4::{Connect, Login, Packet, PubAck, Publish, Subscribe};
use rumqttc::mqttbytes::{self, QoS};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use sluicegate::azure::{ConnectionString, sign_token};

use crate::support::{PATIENCE, RunningHub};

/// A module of a running hub: who it is and whom it trusts.
#[derive(Clone)]
pub(super) struct Module {
    identity: ConnectionString,
    tls: Arc<ClientConfig>,
    port: u16,
}

impl Module {
    pub(super) fn of(hub: &RunningHub, name: &str) -> Self {
        let (code, out, err) = hub.run(&["env", name]);
        assert_eq!(code, 0, "{err}");
        let text = out.split("EdgeHubConnectionString='").nth(1).unwrap();
        let identity = text.split('\'').next().unwrap().parse().unwrap();
        let mut roots = RootCertStore::empty();
        let ca = std::path::Path::new(hub.state()).join("ca.pem");
        roots.add(CertificateDer::from_pem_file(ca).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self { identity, tls: Arc::new(tls), port: hub.port }
    }

    /// Topic of what the module sends to an output.
    pub(super) fn output(&self, output: &str) -> String {
        let identity = &self.identity.identity;
        let module = identity.module.as_deref().unwrap();
        format!("devices/{}/modules/{module}/messages/events/%24.on={output}", identity.device)
    }

    /// A connection with a kept session, past CONNACK.
    pub(super) fn connect(&self) -> Result<Client> {
        let socket = TcpStream::connect(("127.0.0.1", self.port))?;
        socket.set_nodelay(true)?;
        let name = ServerName::try_from("localhost").unwrap();
        let tls = ClientConnection::new(Arc::clone(&self.tls), name).unwrap();
        let stream = StreamOwned::new(tls, socket);
        let mut client = Client { stream, input: BytesMut::new(), id: 0, early: VecDeque::new() };
        let ConnectionString { identity, key, .. } = &self.identity;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let mut connect = Connect::new(identity.client_id());
        connect.clean_session = false;
        connect.keep_alive = 120;
        let password = sign_token(key, &identity.resource(), now + 3600, None);
        connect.login = Some(Login::new(identity.username("test", None), password));
        client.send(&Packet::Connect(connect))?;
        match client.receive(PATIENCE)? {
            Some(Packet::ConnAck(_)) => Ok(client),
            other => panic!("no CONNACK: {other:?}"),
        }
    }

    /// As [`Module::connect`], subscribed to all inputs.
    pub(super) fn listen(&self) -> Result<Client> {
        let mut client = self.connect()?;
        let identity = &self.identity.identity;
        let module = identity.module.as_deref().unwrap();
        let filter = format!("devices/{}/modules/{module}/inputs/#", identity.device);
        let mut subscribe = Subscribe::new(filter, QoS::AtLeastOnce);
        subscribe.pkid = 1;
        client.send(&Packet::Subscribe(subscribe))?;
        // A session that was kept has inputs come before the SUBACK.
        let mut early = VecDeque::new();
        loop {
            match client.receive(PATIENCE)? {
                Some(Packet::SubAck(_)) => break,
                Some(packet) => early.push_back(packet),
                None => panic!("no SUBACK"),
            }
        }
        client.early = early;
        Ok(client)
    }
}

/// One connection.
pub(super) struct Client {
    stream: StreamOwned<ClientConnection, TcpStream>,
    input: BytesMut,
    id: u16,
    /// Came before the answer that was waited for.
    early: VecDeque<Packet>,
}

impl Client {
    fn send(&mut self, packet: &Packet) -> Result<()> {
        let mut out = BytesMut::new();
        packet.write(&mut out, usize::MAX).unwrap();
        self.stream.write_all(&out)?;
        self.stream.flush()
    }

    /// Publishes at QoS 1 and gives the packet id.
    pub(super) fn post(&mut self, topic: &str, body: &str) -> Result<u16> {
        self.id = self.id.checked_add(1).unwrap_or(1);
        let body = Bytes::copy_from_slice(body.as_bytes());
        let mut publish = Publish::from_bytes(topic, QoS::AtLeastOnce, body);
        publish.pkid = self.id;
        self.send(&Packet::Publish(publish))?;
        Ok(self.id)
    }

    pub(super) fn acknowledge(&mut self, id: u16) -> Result<()> {
        self.send(&Packet::PubAck(PubAck::new(id)))
    }

    /// The next packet that comes in time.
    pub(super) fn receive(&mut self, patience: Duration) -> Result<Option<Packet>> {
        if let Some(packet) = self.early.pop_front() {
            return Ok(Some(packet));
        }
        let deadline = Instant::now() + patience;
        loop {
            match Packet::read(&mut self.input, usize::MAX) {
                Ok(packet) => return Ok(Some(packet)),
                Err(mqttbytes::Error::InsufficientBytes(_)) => {}
                Err(error) => panic!("the hub sent {error}"),
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            self.stream.sock.set_read_timeout(Some(left))?;
            let mut chunk = [0; 16 * 1024];
            match self.stream.read(&mut chunk) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(n) => self.input.extend_from_slice(&chunk[..n]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }
}
