//! The way into a running hub from other threads.
//!
//! Each call is one command over a bounded channel and waits a bounded time for its answer.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path as FilePath, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};
use serde_json::Value;
use tokio::sync::Notify;

use super::HubError;
use super::config::ANSWER_WAIT;
use super::counters::HubCounters;
use super::methods::{MethodCall, MethodError};
use super::peer::Peer;
use super::service::{Command, Injection, Path};
use super::session::InputInterest;
use super::state::HubState;
use super::telemetry::{HubMessage, UpstreamMessage};
use super::transcript::Exchange;
use super::twin_document::TwinDocument;

mod identities;

/// A running hub. Dropping it stops the hub, as [`HubHandle::stop`] does.
pub struct HubHandle {
    pub(super) address: SocketAddr,
    pub(super) state_dir: PathBuf,
    pub(super) ca_file: PathBuf,
    pub(super) publish_timeout: Duration,
    pub(super) websocket_address: Option<SocketAddr>,
    pub(super) workload_http_address: Option<SocketAddr>,
    pub(super) commands: Sender<Command>,
    pub(super) wake: Arc<Notify>,
    pub(super) upstream: Receiver<UpstreamMessage>,
    /// Messages upstream below this number were read; `None` when nobody keeps them.
    pub(super) released: Option<Arc<AtomicU64>>,
    pub(super) thread: Mutex<Option<JoinHandle<Result<(), HubError>>>>,
}

impl fmt::Debug for HubHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HubHandle").field("address", &self.address).finish_non_exhaustive()
    }
}

impl HubHandle {
    /// Where the hub listens, with the port that the system chose for port 0.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where the hub serves MQTT over WebSocket, if the configuration asked for that.
    pub fn websocket_address(&self) -> Option<SocketAddr> {
        self.websocket_address
    }

    /// The state folder.
    pub fn state_dir(&self) -> &FilePath {
        &self.state_dir
    }

    /// The development CA's certificate in PEM, for clients to trust.
    pub fn ca_file(&self) -> &FilePath {
        &self.ca_file
    }

    /// Names of the modules and devices of the manifest, and of the devices that registered.
    ///
    /// # Errors
    /// The hub has stopped.
    pub fn names(&self) -> Result<Vec<String>, HubError> {
        self.ask(|hub| {
            hub.peers.iter().filter(|p| !p.is_forgotten).map(|p| p.name.clone()).collect()
        })
    }

    /// Sends messages through the routes, exactly as if `source_module` had sent them to
    /// `output`. Waits while stores are full, at most the configuration's `publish_timeout`.
    ///
    /// # Errors
    /// `Full` when that time is over, `Message` when one is not acceptable (it and those after
    /// it are not sent), `Busy`, `Stopped`.
    pub fn publish_as(
        &self,
        source_module: &str,
        output: &str,
        messages: Vec<HubMessage>,
    ) -> Result<(), HubError> {
        self.inject(source_module, Path::Output(output.to_owned()), messages)
    }

    /// Puts messages into a module's input, past all routes, as if the module itself had sent
    /// them. Waits as [`HubHandle::publish_as`] does.
    ///
    /// # Errors
    /// As [`HubHandle::publish_as`]; also when the module is not in the manifest.
    pub fn deliver(
        &self,
        module: &str,
        input: &str,
        messages: Vec<HubMessage>,
    ) -> Result<(), HubError> {
        self.inject(module, Path::Input(module.to_owned(), input.to_owned()), messages)
    }

    fn inject(&self, source: &str, path: Path, messages: Vec<HubMessage>) -> Result<(), HubError> {
        let deadline = Instant::now() + self.publish_timeout;
        let (reply, answer) = bounded(1);
        self.command(Command::Inject(Injection {
            source: source.to_owned(),
            path,
            messages: messages.into_iter(),
            held: None,
            accepted: 0,
            deadline,
            reply,
        }))?;
        answer.recv_timeout(self.publish_timeout + ANSWER_WAIT).map_err(|_| HubError::Stopped)?
    }

    /// Every message that takes a route into `$upstream`, from a bounded queue. When nobody reads,
    /// the oldest are dropped and counted, or, in a lossless hub, publishers wait. Several
    /// receivers share the messages between them.
    ///
    /// In a durable hub they stay on disk until [`HubHandle::release_upstream`].
    pub fn upstream(&self) -> Receiver<UpstreamMessage> {
        self.upstream.clone()
    }

    /// Tells that every message upstream up to this [number](UpstreamMessage::number) has arrived
    /// where it belongs: a durable hub keeps them no longer.
    pub fn release_upstream(&self, number: u64) {
        if let Some(released) = &self.released
            && released.fetch_max(number + 1, Ordering::AcqRel) <= number
        {
            self.wake.notify_one();
        }
    }

    /// Whether messages that were not delivered outlive the hub.
    pub fn is_durable(&self) -> bool {
        self.released.is_some()
    }

    /// Merges a patch into a twin's desired properties, sends it to the module if that listens,
    /// and gives the new version.
    ///
    /// # Errors
    /// `UnknownModule`, `Twin` when the patch is not acceptable, `NotSaved` when it cannot be kept,
    /// `Stopped`. The twin is unchanged then.
    pub fn set_desired(&self, name: &str, patch: Value) -> Result<u64, HubError> {
        let unknown = HubError::UnknownModule(name.to_owned());
        let name = name.to_owned();
        self.ask(move |hub| match hub.peer_of_name(&name) {
            Some(peer) => hub.set_desired(peer, &patch),
            None => Err(unknown),
        })?
    }

    /// Deletes a twin and makes it anew with these desired properties, which have come to
    /// `version`. Nobody is told: whoever is connected learns of it by the next patch or GET.
    ///
    /// # Errors
    /// As [`HubHandle::set_desired`].
    pub fn remake_twin(&self, name: &str, desired: Value, version: u64) -> Result<(), HubError> {
        let twin = TwinDocument::at_version(&desired, version).map_err(HubError::Twin)?;
        let unknown = HubError::UnknownModule(name.to_owned());
        let name = name.to_owned();
        self.ask(move |hub| {
            let peer = hub.peer_of_name(&name).ok_or(unknown)?;
            hub.keep_twin(peer, twin)
        })?
    }

    /// A whole twin: `{"desired":{...,"$version":n},"reported":{...,"$version":m}}`.
    ///
    /// # Errors
    /// `UnknownModule`, `Stopped`.
    pub fn twin(&self, name: &str) -> Result<Value, HubError> {
        self.ask_peer(name, |peer| peer.twin.document())
    }

    /// Desired patches written to the module: version, and how many inputs (redeliveries
    /// included) were written before it since the hub's start. The last 1,024 are remembered.
    ///
    /// # Errors
    /// `UnknownModule`, `Stopped`.
    pub fn patches_written(&self, name: &str) -> Result<Vec<(u64, u64)>, HubError> {
        self.ask_peer(name, |peer| peer.patches_written.iter().copied().collect())
    }

    /// Calls a direct method and waits for status and payload of the answer.
    ///
    /// # Errors
    /// [`MethodError`], with the status that the service would give.
    pub fn call_method(
        &self,
        module: &str,
        name: &str,
        payload: Value,
        timeout: Duration,
    ) -> Result<(u32, Value), MethodError> {
        let (reply, answer) = bounded(1);
        self.command(Command::Call(MethodCall {
            peer: module.to_owned(),
            name: name.to_owned(),
            payload,
            deadline: Instant::now() + timeout,
            reply,
        }))
        .map_err(|_| MethodError::Stopped)?;
        answer.recv_timeout(timeout + ANSWER_WAIT).map_err(|_| MethodError::Stopped)?
    }

    /// Whether a module or device is connected; `false` also for an unknown name.
    pub fn is_connected(&self, name: &str) -> bool {
        self.ask_peer(name, |peer| peer.link.is_some()).unwrap_or(false)
    }

    /// Whether a module is connected and its session asks for input messages; `false` also for
    /// an unknown name.
    pub fn is_subscribed(&self, name: &str) -> bool {
        self.ask_peer(name, |peer| {
            peer.link.is_some() && !matches!(peer.interest.inputs, InputInterest::None)
        })
        .unwrap_or(false)
    }

    /// Closes a module's or device's TCP connection without a word; `false` when there is none.
    pub fn drop_connection(&self, name: &str) -> bool {
        let name = name.to_owned();
        self.ask(move |hub| hub.peer_of_name(&name).is_some_and(|peer| hub.unseat(peer)))
            .unwrap_or(false)
    }

    /// Input messages stored for a module: not delivered, or not acknowledged; 0 also for an
    /// unknown name.
    pub fn stored(&self, name: &str) -> usize {
        self.ask_peer(name, |peer| peer.inputs.len()).unwrap_or(0)
    }

    /// Every publish between the hub and its clients so far, but for messages on inputs: the first
    /// [`HubConfig::transcript_max`](super::HubConfig::transcript_max) of them.
    ///
    /// # Errors
    /// The hub has stopped.
    pub fn transcript(&self) -> Result<Vec<Exchange>, HubError> {
        self.ask(|hub| hub.transcript.exchanges().to_vec())
    }

    /// What the hub has counted; zeros when it has stopped.
    pub fn counters(&self) -> HubCounters {
        self.ask(|hub| hub.counters).unwrap_or_default()
    }

    /// Closes every connection, writes the state and ends the hub's thread. A state that cannot
    /// be written is logged.
    pub fn stop(self) {
        drop(self);
    }

    /// As [`HubHandle::stop`], and tells whether all went well.
    ///
    /// # Errors
    /// `NotSaved` when the last state cannot be written.
    pub fn finish(self) -> Result<(), HubError> {
        self.shut_down()
    }

    /// Messages that no route took, by their source as a route would name it. At most 1,024 sources
    /// are told apart; [`HubCounters::dropped_no_route`] counts all.
    ///
    /// # Errors
    /// The hub has stopped.
    pub fn unrouted(&self) -> Result<Vec<(String, u64)>, HubError> {
        self.ask(|hub| hub.unrouted.counts())
    }

    fn shut_down(&self) -> Result<(), HubError> {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(thread) = thread else { return Ok(()) };
        // An error means that the thread has ended already.
        let _ = self.command(Command::Stop);
        thread.join().map_err(|_| HubError::Stopped)?
    }

    fn command(&self, command: Command) -> Result<(), HubError> {
        self.commands.send_timeout(command, ANSWER_WAIT).map_err(|_| HubError::Stopped)?;
        self.wake.notify_one();
        Ok(())
    }

    pub(super) fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut HubState) -> T + Send + 'static,
    ) -> Result<T, HubError> {
        let (reply, answer) = bounded(1);
        self.command(Command::Ask(Box::new(move |hub| {
            // What it changes and tells of has been kept by now, or is undone and told so.
            let answer = question(hub);
            hub.save();
            // The buffer holds the one answer; whether it is still wanted does not matter here.
            let _ = reply.try_send(answer);
        })))?;
        answer.recv_timeout(ANSWER_WAIT).map_err(|_| HubError::Stopped)
    }

    fn ask_peer<T: Send + 'static>(
        &self,
        name: &str,
        question: impl FnOnce(&Peer) -> T + Send + 'static,
    ) -> Result<T, HubError> {
        let unknown = HubError::UnknownModule(name.to_owned());
        let name = name.to_owned();
        let answer = self.ask(move |hub| {
            let peer = hub.peer_of_name(&name)?;
            Some(question(&hub.peers[peer]))
        })?;
        answer.ok_or(unknown)
    }
}

impl Drop for HubHandle {
    fn drop(&mut self) {
        if let Err(error) = self.shut_down() {
            tracing::error!(%error, "hub stopped with an error");
        }
    }
}
