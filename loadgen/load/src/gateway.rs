//! The hub's side of the edge protocol, as far as a program under test needs it while it is
//! measured: CONNECT with a token, subscriptions, the twin, pings.
//!
//! Packets that are not messages at rate go in, answers are appended to the connection's buffer.
//! One identity is served. Several connections may share it under different client ids (a bridge
//! has two); inputs go to the one that subscribed to them last. A session outlives its connection
//! when the program asks for that, as SDKs do, which subscribe only once. The threshold in the twin
//! may change; each connection remembers which version its client was told. Bounded:
//! [`SESSIONS_MAX`].

use std::borrow::Cow;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::BytesMut;
use loadgen_hub::authentication::{
    Clock, NO_USERNAME, Refusal, Username, require_password, verify_token,
};
use loadgen_hub::certificates::Certificates;
use loadgen_hub::{HubError, random_key};
use rumqttc::QoS;
use rumqttc::mqttbytes::v4::{
    ConnAck, Connect, ConnectReturnCode, Packet, PingResp, PubAck, Publish, SubAck, Subscribe,
    SubscribeReasonCode, UnsubAck,
};
use rustls::ServerConfig;
use serde_json::{Value, json};
use sluicegate::azure::topics::{self, Sent};
use sluicegate::azure::{Identity, Key, sign_token};
use tempfile::TempDir;

use super::error::LoadError;
use super::socket::Socket;
use super::wire::{self, Frame, WireError, append};

/// The identity of the program under test.
const HUB: &str = "loadgen.azure-devices.net";
const DEVICE: &str = "edge";
const MODULE: &str = "filter";
/// Life of the token that is given to programs without an SDK.
const TOKEN_LIFE: Duration = Duration::from_secs(24 * 3600);
/// How long past its expiry a token is accepted (edgeHub: 5 minutes).
const TOKEN_SKEW_S: u64 = 300;
/// Client ids whose sessions are kept.
const SESSIONS_MAX: usize = 16;

/// The hub's side.
#[derive(Debug)]
pub(super) struct Gateway {
    /// `None` while nobody is let in.
    listener: Option<TcpListener>,
    address: SocketAddr,
    tls: Option<Arc<ServerConfig>>,
    ca_file: PathBuf,
    identity: Identity,
    key: Key,
    threshold: f64,
    inputs_filter: String,
    /// What the topic of every alert begins with.
    alerts_prefix: Vec<u8>,
    sessions: Vec<Session>,
    desired_version: u64,
    reported_version: u64,
    /// The CA and its key; gone with the gateway.
    _folder: TempDir,
}

/// What is kept of a client between connections.
#[derive(Debug)]
struct Session {
    client_id: String,
    /// QoS at which inputs were subscribed.
    inputs: Option<u8>,
    /// Whether it is told of changes of the twin.
    patches: bool,
}

/// What one connection's client said of itself.
#[derive(Debug, Default)]
pub(super) struct Guest {
    /// Once it has connected.
    pub(super) client_id: Option<String>,
    /// Clean session 0 keeps its subscriptions.
    persistent: bool,
    /// Version of the desired properties that it was sent on this connection; 0 for none.
    sent_version: u64,
}

/// What a control packet leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// Nothing more than its answer.
    None,
    /// Inputs go to this connection from now on, at this QoS.
    Inputs(u8),
    /// Inputs go to this connection no more.
    NoInputs,
    /// This client id has connected: an older connection of it is to be closed.
    Connected,
    /// The client says goodbye.
    Disconnected,
}

/// Why a connection is closed.
#[derive(Debug, thiserror::Error)]
pub(super) enum GuestError {
    /// The bytes are no MQTT.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The codec does not take them.
    #[error("a packet that is no MQTT 3.1.1: {0}")]
    Codec(String),
    /// CONNECT is refused. The text has no secret.
    #[error("refused the connection: {0}")]
    Refused(Cow<'static, str>),
    /// A packet that a client may not send, or not now.
    #[error("an unexpected packet with the first byte {0:#04x}")]
    Unexpected(u8),
}

impl Gateway {
    /// Listens, with a CA and a key of its own.
    ///
    /// # Errors
    /// The address is taken or cannot be had, or is not of loopback though `plain`.
    pub(super) fn open(
        address: SocketAddr,
        plain: bool,
        threshold: f64,
    ) -> Result<Self, LoadError> {
        if plain && !address.ip().is_loopback() {
            return Err(LoadError::Setting(format!(
                "--plain on {address}: without TLS the hub listens on loopback only, as 127.0.0.1:0"
            )));
        }
        let internal = |error: &dyn std::fmt::Display| LoadError::Internal(error.to_string());
        let folder = tempfile::tempdir().map_err(|error| internal(&error))?;
        let listener = listen(address).map_err(|error| {
            LoadError::Unavailable(format!("cannot listen on {address}: {error}"))
        })?;
        let address = listener.local_addr().map_err(|error| internal(&error))?;
        let host = address.ip().to_string();
        let certificates = Certificates::open(folder.path(), &host, &[])
            .map_err(|error: HubError| internal(&error))?;
        let identity = Identity {
            hub: HUB.to_owned(),
            gateway: host,
            device: DEVICE.to_owned(),
            module: Some(MODULE.to_owned()),
        };
        let key = random_key(MODULE).map_err(|error| internal(&error))?;
        Ok(Self {
            inputs_filter: topics::inputs_filter(&identity),
            alerts_prefix: format!("devices/{DEVICE}/modules/{MODULE}/messages/events/").into(),
            listener: Some(listener),
            address,
            tls: (!plain).then_some(certificates.server),
            ca_file: certificates.ca_file,
            key,
            identity,
            threshold,
            sessions: Vec::new(),
            desired_version: 1,
            reported_version: 1,
            _folder: folder,
        })
    }

    /// Who the program under test is.
    pub(super) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// What the topic of every alert begins with; its properties follow.
    pub(super) fn alerts_prefix(&self) -> &[u8] {
        &self.alerts_prefix
    }

    /// The listening socket, to wait on, while there is one.
    pub(super) fn listener(&self) -> Option<&TcpListener> {
        self.listener.as_ref()
    }

    /// From now on connections are refused.
    pub(super) fn close(&mut self) {
        self.listener = None;
    }

    /// Listens again, at the address as before.
    ///
    /// # Errors
    /// The address is taken, or the system has no socket to give.
    pub(super) fn reopen(&mut self) -> io::Result<()> {
        self.listener = Some(listen(self.address)?);
        Ok(())
    }

    /// Changes the threshold in the twin, and tells the client of a connection, if there is one
    /// that wants to know; gives whether there was.
    pub(super) fn patch(&mut self, threshold: f64, to: Option<(&mut Guest, &mut Vec<u8>)>) -> bool {
        self.threshold = threshold;
        self.desired_version += 1;
        let Some((guest, out)) = to else { return false };
        if !self.session(guest).is_some_and(|session| session.patches) {
            return false;
        }
        let version = self.desired_version;
        let body = json!({ "TemperatureThreshold": threshold, "$version": version });
        let topic = topics::desired_patch(version);
        wire::write_publish(out, topic.as_bytes(), None, body.to_string().as_bytes());
        guest.sent_version = version;
        true
    }

    /// Whether everything that is sent to this client from now on is judged by the threshold in
    /// the twin: it was sent that on the same connection, before.
    pub(super) fn knows_desired(&self, guest: &Guest) -> bool {
        guest.sent_version == self.desired_version
    }

    /// The variables that the program under test is started with; they hold its key.
    pub(super) fn environment(&self) -> Vec<(&'static str, String)> {
        let Identity { hub, gateway, .. } = &self.identity;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let expiry = (now + TOKEN_LIFE).as_secs();
        let mut variables = vec![
            (
                "EdgeHubConnectionString",
                format!(
                    "HostName={hub};GatewayHostName={gateway};DeviceId={DEVICE};\
                     ModuleId={MODULE};SharedAccessKey={}",
                    self.key.to_base64()
                ),
            ),
            ("SLUICEGATE_GATEWAY_PORT", self.address.port().to_string()),
            ("LOADGEN_HOST", gateway.clone()),
            ("LOADGEN_PORT", self.address.port().to_string()),
            ("LOADGEN_CLIENT_ID", self.identity.client_id()),
            ("LOADGEN_USERNAME", self.identity.username("", None)),
            ("LOADGEN_PASSWORD", sign_token(&self.key, &self.identity.resource(), expiry, None)),
            ("LOADGEN_SUBSCRIBE", self.inputs_filter.clone()),
            ("LOADGEN_PUBLISH", String::from_utf8_lossy(&self.alerts_prefix).into_owned()),
            ("LOADGEN_THRESHOLD", self.threshold.to_string()),
        ];
        if self.tls.is_some() {
            let ca_file = self.ca_file.display().to_string();
            variables.push(("EdgeModuleCACertificateFile", ca_file.clone()));
            variables.push(("LOADGEN_CA_FILE", ca_file));
        } else {
            variables.push(("SLUICEGATE_PLAIN", "1".to_owned()));
        }
        variables
    }

    /// The next connection that waits, if any.
    ///
    /// # Errors
    /// The system has no socket to give.
    pub(super) fn accept(&self) -> io::Result<Option<Socket>> {
        let Some(listener) = &self.listener else { return Ok(None) };
        match listener.accept() {
            Ok((tcp, _)) => match &self.tls {
                Some(tls) => Socket::server(tcp, tls).map(Some),
                None => Socket::plain(tcp).map(Some),
            },
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Handles a packet that is neither an alert nor an acknowledgement.
    ///
    /// # Errors
    /// The connection is to be closed, once what was appended to `out` is written.
    pub(super) fn control(
        &mut self,
        frame: Frame<'_>,
        guest: &mut Guest,
        out: &mut Vec<u8>,
    ) -> Result<Event, GuestError> {
        let mut bytes = BytesMut::from(frame.whole);
        let packet = Packet::read(&mut bytes, wire::PACKET_BYTES_MAX)
            .map_err(|error| GuestError::Codec(error.to_string()))?;
        match (packet, guest.client_id.is_some()) {
            (Packet::Connect(connect), false) => self.connect(connect, guest, out),
            (Packet::Subscribe(subscribe), true) => Ok(self.subscribe(&subscribe, guest, out)),
            (Packet::Unsubscribe(unsubscribe), true) => {
                let inputs = unsubscribe.topics.iter().any(|topic| self.is_of_inputs(topic));
                if let Some(session) = self.session(guest).filter(|_| inputs) {
                    session.inputs = None;
                }
                append(out, |buffer| UnsubAck::new(unsubscribe.pkid).write(buffer));
                Ok(if inputs { Event::NoInputs } else { Event::None })
            }
            (Packet::Publish(publish), true) => {
                self.publish(&publish, guest, out);
                Ok(Event::None)
            }
            (Packet::PingReq, true) => {
                append(out, |buffer| PingResp.write(buffer));
                Ok(Event::None)
            }
            // Acknowledgements of twin answers, which are sent at QoS 0.
            (Packet::PubAck(_), true) => Ok(Event::None),
            (Packet::Disconnect, true) => Ok(Event::Disconnected),
            _ => Err(GuestError::Unexpected(frame.first)),
        }
    }

    fn connect(
        &mut self,
        connect: Connect,
        guest: &mut Guest,
        out: &mut Vec<u8>,
    ) -> Result<Event, GuestError> {
        let refuse = |code, reason, out: &mut Vec<u8>| {
            append(out, |buffer| ConnAck::new(code, false).write(buffer));
            Err(GuestError::Refused(reason))
        };
        match self.admit(&connect) {
            Ok(()) => {}
            Err(Refusal::Unavailable(reason)) => {
                return refuse(ConnectReturnCode::ServiceUnavailable, reason, out);
            }
            Err(Refusal::NotAuthorized(reason)) => {
                return refuse(ConnectReturnCode::NotAuthorized, reason, out);
            }
        }
        guest.persistent = !connect.clean_session;
        let known = self.sessions.iter().position(|s| s.client_id == connect.client_id);
        let known = match known {
            Some(at) if connect.clean_session => {
                self.sessions.remove(at);
                None
            }
            known => known,
        };
        let inputs = known.and_then(|at| self.sessions[at].inputs);
        if known.is_none() {
            if self.sessions.len() == SESSIONS_MAX {
                self.sessions.remove(0);
            }
            let client_id = connect.client_id.clone();
            self.sessions.push(Session { client_id, inputs: None, patches: false });
        }
        guest.client_id = Some(connect.client_id);
        let accepted = ConnAck::new(ConnectReturnCode::Success, known.is_some());
        append(out, |buffer| accepted.write(buffer));
        Ok(inputs.map_or(Event::Connected, Event::Inputs))
    }

    fn admit(&self, connect: &Connect) -> Result<(), Refusal> {
        let login = connect.login.as_ref();
        let login = login.ok_or(Refusal::NotAuthorized(NO_USERNAME.into()))?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let clock = Clock { now_unix_s: now.as_secs(), skew_s: TOKEN_SKEW_S };
        let username = Username::parse(&login.username, clock)?;
        require_password(&login.password)?;
        let ours = Username {
            hub: HUB.to_owned(),
            device: DEVICE.to_owned(),
            module: Some(MODULE.to_owned()),
        };
        if username != ours {
            return Err(Refusal::NotAuthorized("the username names another identity".into()));
        }
        verify_token(&login.password, &self.identity, &self.key, clock).map(|_| ())
    }

    fn subscribe(&mut self, subscribe: &Subscribe, guest: &Guest, out: &mut Vec<u8>) -> Event {
        let mut event = Event::None;
        let mut codes = Vec::with_capacity(subscribe.filters.len());
        for filter in &subscribe.filters {
            let qos = if filter.qos == QoS::AtMostOnce { 0 } else { 1 };
            let granted = if qos == 0 { QoS::AtMostOnce } else { QoS::AtLeastOnce };
            codes.push(SubscribeReasonCode::Success(granted));
            if filter.path == topics::DESIRED_PATCHES
                && let Some(session) = self.session(guest)
            {
                session.patches = true;
            }
            if self.is_of_inputs(&filter.path) {
                event = Event::Inputs(qos);
                if let Some(session) = self.session(guest) {
                    session.inputs = Some(qos);
                }
            }
        }
        append(out, |buffer| SubAck::new(subscribe.pkid, codes).write(buffer));
        event
    }

    /// The whole of the module's inputs, as edgeHub reads it, or `input1` alone.
    fn is_of_inputs(&self, filter: &str) -> bool {
        let base = self.inputs_filter.trim_end_matches('#');
        filter == self.inputs_filter || filter.strip_prefix(base) == Some("input1/#")
    }

    fn session(&mut self, guest: &Guest) -> Option<&mut Session> {
        let client_id = guest.client_id.as_ref()?;
        self.sessions.iter_mut().find(|session| session.client_id == *client_id)
    }

    /// The twin; anything else is acknowledged and forgotten.
    fn publish(&mut self, publish: &Publish, guest: &mut Guest, out: &mut Vec<u8>) {
        if publish.qos != QoS::AtMostOnce {
            append(out, |buffer| PubAck::new(publish.pkid).write(buffer));
        }
        let (topic, body) = match topics::parse_sent(&publish.topic) {
            Sent::TwinGet { rid } => {
                guest.sent_version = self.desired_version;
                let document = json!({
                    "desired": {
                        "TemperatureThreshold": self.threshold,
                        "$version": self.desired_version,
                    },
                    "reported": { "$version": self.reported_version },
                });
                (topics::twin_response(200, &rid, None), document.to_string())
            }
            Sent::TwinReported { rid: Some(rid) } => {
                let accepted = serde_json::from_slice::<Value>(&publish.payload).is_ok();
                if !accepted {
                    let text = json!({ "errorCode": 400_000, "message": "not JSON" }).to_string();
                    (topics::twin_response(400, &rid, None), text)
                } else {
                    self.reported_version += 1;
                    let version = Some(self.reported_version);
                    (topics::twin_response(204, &rid, version), String::new())
                }
            }
            _ => return,
        };
        if topic.len() <= topics::TOPIC_LEN_MAX {
            wire::write_publish(out, topic.as_bytes(), None, body.as_bytes());
        }
    }

    /// A connection is over: forgets its session unless the client wanted it kept.
    pub(super) fn left(&mut self, guest: &Guest) {
        if !guest.persistent {
            self.sessions.retain(|session| guest.client_id.as_ref() != Some(&session.client_id));
        }
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}
