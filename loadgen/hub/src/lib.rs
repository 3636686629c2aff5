//! The local development hub: the server side of an edge hub, in one process, that unmodified
//! Azure IoT SDKs connect to.
//!
//! ```text
//!            one thread, one task per connection, state without locks
//!  clients --TLS--> admission -> connection -> dispatch --> routing --> inputs (one per module)
//!                                    ^            |             \-----> upstream (to a reader)
//!                                    |            v                        |
//!                                delivery <- inputs, twins, methods        v
//!  HubHandle --bounded commands--> service ----------------------------> HubHandle::upstream
//!      \--- modules inside this process: resident
//!  modules --HTTP on a unix socket--> workload (signatures, trust bundle)
//! ```
//!
//! Everything is bounded, by the names in `config`. A full store, and in a lossless hub a full
//! upstream queue, stops the reading of the publishers that would fill it, so no acknowledged
//! message is lost while the hub lives. Without `lossless`, a full upstream queue drops its oldest
//! message, counted. Keys, sessions, twins and the development CA survive the hub, in the state
//! folder. So do messages, in a hub that is `durable`.
//!
//! It differs from an edge hub in these points. Inputs:
//! - their packet ids increase, where an edge hub's is always 1; DUP is set by neither;
//! - as many as [`HubConfig::window`] are in flight; an edge hub has one, which is the default;
//! - after a reconnect they go out at once, not up to a minute later;
//! - unless the hub is [`durable`](HubConfig::durable) they are in memory alone and lost with it;
//! - they never expire: the times to live of routes and of `storeAndForwardConfiguration` are read
//!   and checked, not applied;
//! - all messages of a module wait in one queue: the priorities of routes are not applied either;
//! - the store is bounded, and full it holds its publishers back; an edge hub fills the disk.
//!
//! Routes: a condition (`WHERE`) is refused; `/twinChangeNotifications` is accepted as a source,
//! and nothing ever comes from it.
//!
//! Twins and credentials:
//! - 204 names the version of the reported properties, as IoT Hub does and an edge hub does not;
//! - there is no cloud behind it: what goes upstream goes to a reader in this process, reported
//!   properties go nowhere, a desired patch holds one change, never a difference of versions, and
//!   filters for cloud-to-device messages have no effect;
//! - a connection ends when its token and [`HubConfig::token_skew`] do, not at the next look every
//!   five minutes;
//! - a publish in another identity's name ends the connection; the code of an edge hub takes the
//!   sender from the topic and shows no such check;
//! - SAS tokens alone prove an identity, not certificates of clients;
//! - an `api-version` must be a date that IoT Hub may have had, where an edge hub takes any text;
//! - whatever breaks MQTT 3.1.1 ends the connection, with the statement's number in the log;
//! - a change that cannot be written to the state folder is refused: a twin's with status 500, a
//!   registration's too, a subscription's with 0x80;
//! - clients have neither AMQP nor HTTP, so no module calls another's methods;
//! - it is the provisioning service and the runtime's workload API too, which are other programs
//!   in production.
#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::fmt::Display;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use crossbeam_channel::{Receiver, Sender};
use thiserror::Error;
use tokio::runtime::Runtime;
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;

mod admission;
pub mod authentication;
pub mod certificates;
mod close;
mod config;
mod connection;
mod counters;
mod delivery;
mod dispatch;
mod durable;
mod fault;
mod files;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod handle;
mod host_name;
mod inputs;
mod keep_alive;
mod lobby;
pub mod manifest;
mod methods;
mod packet_ids;
mod peer;
mod persistence;
mod provisioning;
mod recorder;
mod registration;
mod resident;
mod restore;
pub mod route;
mod routing;
mod saving;
mod sender;
mod service;
mod session;
pub mod simulator;
mod state;
mod stream;
mod strict;
mod subscriptions;
mod tally;
mod targets;
mod telemetry;
mod transcript;
pub mod twin_document;
mod twins;
mod unserved;
mod upstream;
mod workload;
mod workload_answer;
mod workload_fault;

pub use config::HubConfig;
pub use counters::HubCounters;
pub use fault::HubFault;
pub use handle::HubHandle;
pub use host_name::{HostNameError, host_name};
pub use methods::MethodError;
pub use persistence::random_key;
pub use provisioning::{Enrollment, GroupKey, ProvisioningConfig, RegistrationFault};
pub use sluicegate::azure::size::{MESSAGE_BYTES_MAX, PACKET_BYTES_MAX};
pub use telemetry::{HubMessage, Unroutable, UpstreamMessage};
pub use transcript::Exchange;
pub use workload_fault::WorkloadFault;

use certificates::Certificates;
use durable::{Durable, Kept, MESSAGES_FILE};
use persistence::StateFolder;
use state::HubState;
use stream::Door;
use twin_document::TwinError;
use upstream::Upstream;
use workload::Workload;

/// Digest of what this library was built from: a program compares it with that of its own sources.
pub const SOURCES: u64 = build_info_macro::sources!();

/// Why a hub does not start, or does not do what a handle asked.
#[derive(Debug, Error)]
pub enum HubError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// The system's reason.
        error: std::io::Error,
    },
    /// A file or folder of the state is missing, damaged or in use.
    #[error("{} {reason}", file.display())]
    State {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A change is not kept, because its file cannot be written; the file is as it was.
    #[error("not saved: {} {reason}", file.display())]
    NotSaved {
        /// The file.
        file: PathBuf,
        /// Why it cannot be written, and what to do.
        reason: String,
    },
    /// A module's workload socket cannot be made or reached.
    #[error("workload socket {} {reason}", path.display())]
    Socket {
        /// The socket.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Certificates or keys cannot be made.
    #[error("no certificate: {0}")]
    Certificate(String),
    /// The manifest's desired properties for a module are not acceptable.
    #[error("desired properties of {client_id}: {error}")]
    DesiredProperties {
        /// Client id of the module or device.
        client_id: String,
        /// What is wrong with them.
        error: TwinError,
    },
    /// The hub's thread or its runtime cannot be started.
    #[error("the hub's thread cannot be started: {0}")]
    Thread(std::io::Error),
    /// Nobody with this name is in the manifest.
    #[error("`{0}` is not in the manifest")]
    UnknownModule(String),
    /// A client is connected as this module, so nobody else may act as it.
    #[error("`{0}` is connected")]
    Connected(String),
    /// Nobody enrolled this registration id, or it cannot be one.
    #[error("`{0}` is not enrolled, or is no registration id")]
    NotEnrolled(String),
    /// A twin patch is not acceptable.
    #[error(transparent)]
    Twin(TwinError),
    /// Stores stayed full.
    #[error("no room: only the first {accepted} messages were taken in time")]
    Full {
        /// Messages taken.
        accepted: usize,
    },
    /// A message is too large, or has two properties that differ only in letter case.
    #[error("message {accepted} is not acceptable: {problem}")]
    Message {
        /// Messages taken before it.
        accepted: usize,
        /// What is wrong with it.
        problem: Unroutable,
    },
    /// Too many callers wait for room.
    #[error("too many callers are waiting for room")]
    Busy,
    /// The hub has stopped, or does not answer.
    #[error("the hub has stopped")]
    Stopped,
}

impl HubError {
    fn state(file: &Path, reason: impl Into<String>) -> Self {
        Self::State { file: file.to_owned(), reason: reason.into() }
    }

    fn certificate(error: impl Display) -> Self {
        Self::Certificate(error.to_string())
    }
}

/// Starts hubs.
#[derive(Debug)]
pub struct Hub;

impl Hub {
    /// Starts a hub on a thread of its own. When this returns, it accepts connections.
    ///
    /// # Errors
    /// The address is taken, the state folder is damaged, in use or cannot be written to, or the
    /// manifest's desired properties are not acceptable.
    pub fn start(config: HubConfig) -> Result<HubHandle, HubError> {
        let (folder, peers, provisioning) = StateFolder::open(&config)?;
        let addresses = [Some(config.listen), config.listen_websocket];
        let addresses: Vec<_> = addresses.iter().flatten().map(SocketAddr::ip).collect();
        let certificates = Certificates::open(&config.state_dir, &config.host_name, &addresses)?;
        let (listener, address) = listen(config.listen)?;
        let websocket = config.listen_websocket.map(listen).transpose()?;
        let websocket_address = websocket.as_ref().map(|(_, address)| *address);
        let workload = Workload::open(&config)?;
        let workload_http_address = workload.http_address;
        let trust_bundle = files::read(&certificates.ca_file)?;
        let upstream = Upstream::new(config.upstream_messages_max, config.lossless);
        let receiver = upstream.receiver();
        let released = Arc::new(AtomicU64::new(0));
        let durable = open_messages(&config, &released)?;
        let is_durable = config.durable;
        let (commands, taken) = crossbeam_channel::bounded(config::COMMANDS_MAX);
        let (started, start) = crossbeam_channel::bounded(1);
        let wake = Arc::new(Notify::new());
        let woken = Arc::clone(&wake);
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime =
            sluicegate::host::signals::runtime(builder.enable_all()).map_err(HubError::Thread)?;
        let doors = [(listener, Door::Mqtt)].into_iter();
        let doors = doors.chain(websocket.map(|(listener, _)| (listener, Door::WebSocket)));
        let tls = TlsAcceptor::from(certificates.server);
        let listeners = service::Listeners { doors: doors.collect(), tls, workload };
        let (state_dir, publish_timeout) = (config.state_dir.clone(), config.publish_timeout);
        let thread = std::thread::Builder::new()
            .name("hub".to_owned())
            .spawn(move || {
                let mut state =
                    HubState::new(config, peers, folder, upstream, trust_bundle, provisioning);
                if let Some((durable, kept)) = durable {
                    state.restore(durable, kept);
                }
                live(&runtime, state, listeners, taken, woken, &started)
            })
            .map_err(HubError::Thread)?;
        start.recv().map_err(|_| HubError::Stopped)??;
        Ok(HubHandle {
            address,
            state_dir,
            ca_file: certificates.ca_file,
            publish_timeout,
            websocket_address,
            workload_http_address,
            commands,
            wake,
            upstream: receiver,
            released: is_durable.then_some(released),
            thread: Mutex::new(Some(thread)),
        })
    }
}

/// What is kept on disk, and what was found there; `None` when the hub is not durable.
fn open_messages(
    config: &HubConfig,
    released: &Arc<AtomicU64>,
) -> Result<Option<(Durable, Kept)>, HubError> {
    if config.durable {
        return Durable::open(&config.state_dir, Arc::clone(released)).map(Some);
    }
    let file = config.state_dir.join(MESSAGES_FILE);
    if file.exists() {
        let file = file.display();
        tracing::warn!(%file, "messages of an earlier hub stay there: this one is not durable");
    }
    Ok(None)
}

/// The life of a hub, on its thread: tells whether it could start, and ends when it is told to.
fn live(
    runtime: &Runtime,
    state: HubState,
    listeners: service::Listeners,
    commands: Receiver<service::Command>,
    wake: Arc<Notify>,
    started: &Sender<Result<(), HubError>>,
) -> Result<(), HubError> {
    let hub = Rc::new(RefCell::new(state));
    runtime.block_on(async {
        let saved = hub.borrow_mut().try_save();
        let has_started = saved.is_ok();
        // Whoever starts the hub waits for it.
        let _ = started.send(saved);
        if !has_started {
            return Ok(());
        }
        service::serve(Rc::clone(&hub), listeners, commands, wake).await?;
        hub.borrow_mut().try_save()
    })
}

fn listen(address: SocketAddr) -> Result<(std::net::TcpListener, SocketAddr), HubError> {
    let open = || {
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let bound = listener.local_addr()?;
        Ok((listener, bound))
    };
    open().map_err(|error| HubError::Listen { address, error })
}

#[cfg(test)]
mod tests;
