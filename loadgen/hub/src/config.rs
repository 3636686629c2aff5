//! What a hub is started with, and every bound it keeps.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use super::fault::HubFault;
use super::manifest::Manifest;
use super::provisioning::ProvisioningConfig;

/// Bytes asked of the socket at once.
pub(super) const READ_BYTES: usize = 64 * 1024;

/// Bytes waiting to be written above which no further input is delivered to that connection.
pub(super) const DELIVERY_BYTES_HIGH: usize = 256 * 1024;

/// Bytes waiting to be written above which the connection is not read any more: a peer that
/// sends but never reads its answers stops here.
pub(super) const WRITE_BYTES_MAX: usize = 1024 * 1024;

/// Filters one session may hold; SUBSCRIBE answers 0x80 for more.
pub(super) const SUBSCRIPTIONS_MAX: usize = 64;

/// Twin answers, patches and method calls queued or unacknowledged per connection; at the bound
/// the connection is closed, for such a client has stopped answering.
pub(super) const CONTROL_MAX: usize = 1024;

/// Direct method calls waiting for an answer over the whole hub; a further one is refused.
pub(super) const METHOD_CALLS_MAX: usize = 256;

/// Callers of `publish_as` and `deliver` waiting for room; a further one is refused.
pub(super) const INJECTIONS_MAX: usize = 64;

/// Commands queued from handles; further callers wait for their turn.
pub(super) const COMMANDS_MAX: usize = 64;

/// PUBACKs of a connection that may wait for the disk: a client that needs more uses packet ids
/// again, and is closed.
pub(super) const OWED_MAX: usize = 65_535;

/// Longest keep-alive the hub grants, whatever the client asks (edgeHub: 10 minutes; also used
/// when the client asks for none).
pub(super) const KEEP_ALIVE_MAX: Duration = Duration::from_secs(600);

/// Longest pause between two deliveries of a message nobody acknowledges.
pub(super) const BACKOFF_MAX: Duration = Duration::from_secs(60);

/// How long a refused connection may take to read its CONNACK.
pub(super) const REFUSAL_WAIT: Duration = Duration::from_secs(5);

/// How long a handle waits for the hub's thread to answer before it calls it unresponsive.
pub(super) const ANSWER_WAIT: Duration = Duration::from_secs(10);

/// Everything a hub is started with. `HubConfig::default()` is the hub of `loadgen hub`, but for
/// `durable`.
#[derive(Debug, Clone)]
pub struct HubConfig {
    /// Address to listen on. SDKs can be told no other port than 8883; tests use port 0.
    pub listen: SocketAddr,
    /// Where MQTT over WebSocket is served, if anywhere. SDKs can be told no other port than 443.
    pub listen_websocket: Option<SocketAddr>,
    /// Where the workload API is served over TCP, for every module; on unix sockets it always is.
    pub workload_http: Option<SocketAddr>,
    /// Who may register with the provisioning service, and what it tells them.
    pub provisioning: ProvisioningConfig,
    /// Folder of the development CA, keys, twins and sessions; created when absent.
    pub state_dir: PathBuf,
    /// Modules, devices, routes and desired properties.
    pub manifest: Manifest,
    /// The gateway's name: clients dial it, so the server certificate carries it.
    pub host_name: String,
    /// Input messages in flight per module, 1 to 65,535. edgeHub's value is 1.
    pub window: usize,
    /// Time an input message may stay unacknowledged before it, and all after it, go out again.
    pub ack_timeout: Duration,
    /// Pause before the first such redelivery; doubles with each further one up to 60 s.
    pub retry_backoff: Duration,
    /// Time from TCP accept to a complete CONNECT.
    pub connect_timeout: Duration,
    /// How long past its expiry a token is still accepted (edgeHub: 5 minutes).
    pub token_skew: Duration,
    /// Whether a connection is closed when its token, skew included, expires.
    pub close_on_token_expiry: bool,
    /// Messages stored per module, in flight included. When full, publishers are not read.
    pub inputs_messages_max: usize,
    /// Bytes (topic and body) stored per module. When full, publishers are not read.
    pub inputs_bytes_max: usize,
    /// Messages waiting for a reader of [`HubHandle::upstream`](super::HubHandle::upstream).
    pub upstream_messages_max: usize,
    /// Whether messages are on disk before their PUBACK, until they are delivered: those that one
    /// hub took, the next one in this folder delivers.
    pub durable: bool,
    /// When the upstream queue is full: `true` stops reading publishers (nothing is lost),
    /// `false` drops the oldest message and counts it.
    pub lossless: bool,
    /// How long `publish_as` and `deliver` wait for room.
    pub publish_timeout: Duration,
    /// Publishes kept for [`HubHandle::transcript`](super::HubHandle::transcript), the first ones.
    pub transcript_max: usize,
    /// Sockets open at once on the MQTT ports. A further one takes the place of the one that has
    /// waited longest for its CONNECT; when all have sent theirs, it is closed.
    pub connections_max: u64,
    /// What the hub does wrong on purpose.
    pub fault: Option<HubFault>,
}

impl Default for HubConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8883)),
            listen_websocket: None,
            workload_http: None,
            provisioning: ProvisioningConfig::default(),
            state_dir: PathBuf::from("target/hub"),
            manifest: Manifest::built_in(),
            host_name: "localhost".to_owned(),
            window: 1,
            ack_timeout: Duration::from_secs(30),
            retry_backoff: Duration::from_secs(1),
            connect_timeout: Duration::from_secs(60),
            token_skew: Duration::from_secs(300),
            close_on_token_expiry: true,
            inputs_messages_max: 100_000,
            inputs_bytes_max: 64 * 1024 * 1024,
            upstream_messages_max: 65_536,
            durable: false,
            lossless: false,
            publish_timeout: Duration::from_secs(60),
            transcript_max: 0,
            connections_max: 1024,
            fault: None,
        }
    }
}
