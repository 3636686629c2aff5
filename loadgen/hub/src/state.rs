//! Everything the hub knows, owned by its thread: peers, routes, counters, calls.
//!
//! Connections and commands borrow it for one batch at a time; nothing in it waits.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::task::Waker;

use tokio::sync::Notify;

use super::config::HubConfig;
use super::counters::HubCounters;
use super::durable::Durable;
use super::lobby::Lobby;
use super::methods::{Calls, MethodCall};
use super::packet_ids::PacketIds;
use super::peer::{Link, Peer, Seat};
use super::persistence::StateFolder;
use super::provisioning::Provisioning;
use super::route::Route;
use super::session::Session;
use super::tally::Tally;
use super::targets::{RouteCache, Scratch};
use super::transcript::Transcript;
use super::upstream::Upstream;
use super::workload_fault::WorkloadFault;

/// The hub's state.
pub(super) struct HubState {
    pub(super) config: HubConfig,
    pub(super) peers: Vec<Peer>,
    by_client_id: HashMap<String, usize>,
    pub(super) routes: Vec<Route>,
    pub(super) route_cache: RouteCache,
    pub(super) scratch: Scratch,
    pub(super) upstream: Upstream,
    /// A message could not go upstream: the service task looks when it can again.
    pub(super) upstream_blocked: bool,
    pub(super) counters: HubCounters,
    pub(super) lobby: Rc<RefCell<Lobby>>,
    pub(super) calls: Calls,
    pub(super) folder: StateFolder,
    /// What was taken and not delivered, on disk; `None` keeps it in memory alone.
    pub(super) durable: Option<Durable>,
    /// PEM certificates that modules are told to trust.
    pub(super) trust_bundle: String,
    pub(super) workload_fault: Option<WorkloadFault>,
    pub(super) provisioning: Provisioning,
    pub(super) transcript: Transcript,
    /// Sources of messages that no route took.
    pub(super) unrouted: Tally,
    /// Clients and filters that nothing will come by.
    pub(super) unserved: Tally,
    generations: u64,
    waiting: Vec<Waker>,
    /// Wakes the task that serves handles, when it waits for room.
    pub(super) service: Rc<Notify>,
    pub(super) service_waits: bool,
}

impl HubState {
    /// A hub with these peers, nobody connected.
    pub(super) fn new(
        config: HubConfig,
        peers: Vec<Peer>,
        folder: StateFolder,
        upstream: Upstream,
        trust_bundle: String,
        provisioning: Provisioning,
    ) -> Self {
        let by_client_id =
            peers.iter().enumerate().map(|(n, peer)| (peer.identity.client_id(), n)).collect();
        Self {
            routes: config.manifest.routes.clone(),
            transcript: Transcript::new(config.transcript_max),
            lobby: Rc::new(RefCell::new(Lobby::new(config.connections_max))),
            config,
            peers,
            by_client_id,
            route_cache: RouteCache::default(),
            scratch: Scratch::default(),
            upstream,
            upstream_blocked: false,
            counters: HubCounters::default(),
            calls: Calls::default(),
            folder,
            durable: None,
            trust_bundle,
            workload_fault: None,
            provisioning,
            unrouted: Tally::default(),
            unserved: Tally::default(),
            generations: 0,
            waiting: Vec::new(),
            service: Rc::new(Notify::new()),
            service_waits: false,
        }
    }

    /// The peer with exactly this MQTT client id.
    pub(super) fn peer_of_client(&self, client_id: &str) -> Option<usize> {
        self.by_client_id.get(client_id).copied()
    }

    /// Says which peer a client id is; `None` makes it nobody's.
    pub(super) fn set_client(&mut self, client_id: String, peer: Option<usize>) {
        match peer {
            Some(peer) => self.by_client_id.insert(client_id, peer),
            None => self.by_client_id.remove(&client_id),
        };
    }

    /// The peer with this name: a module before a device.
    pub(super) fn peer_of_name(&self, name: &str) -> Option<usize> {
        let known = |p: &Peer| p.name == name && !p.is_forgotten;
        self.peer_of_module(name).or_else(|| self.peers.iter().position(known))
    }

    /// The peer that is this module.
    pub(super) fn peer_of_module(&self, module: &str) -> Option<usize> {
        self.peers.iter().position(|p| p.identity.module.as_deref() == Some(module))
    }

    /// Seats a new connection, which evicts an older one, and tells whether a stored session is
    /// resumed.
    pub(super) fn attach(&mut self, index: usize, clean_session: bool) -> (Seat, bool) {
        self.generations += 1;
        let generation = self.generations;
        let peer = &mut self.peers[index];
        if let Some(older) = &peer.link {
            self.counters.evictions += 1;
            self.counters.connections -= 1;
            if older.clean_session {
                peer.session = None;
            }
            peer.wake();
        }
        let session_present = !clean_session && peer.session.is_some();
        if !session_present {
            peer.session = Some(Session::default());
            self.folder.sessions_changed = true;
        }
        peer.refresh_interest();
        peer.inputs.resume();
        peer.link = Some(Link {
            generation,
            clean_session,
            ids: PacketIds::default(),
            owed: VecDeque::new(),
            control: VecDeque::new(),
            overrun: false,
            waker: None,
        });
        self.counters.connections += 1;
        self.counters.connects += 1;
        (Seat { peer: index, generation }, session_present)
    }

    /// Gives a seat up; nothing happens when a newer connection has taken it.
    pub(super) fn detach(&mut self, seat: Seat) {
        if self.link(seat).is_none() {
            return;
        }
        let peer = &mut self.peers[seat.peer];
        let clean_session = peer.link.take().is_some_and(|link| link.clean_session);
        if clean_session {
            peer.session = None;
            peer.refresh_interest();
            self.folder.sessions_changed = true;
        }
        peer.inputs.resume();
        self.counters.connections -= 1;
    }

    /// Takes the seat from whoever holds it: its task closes the connection.
    pub(super) fn unseat(&mut self, peer: usize) -> bool {
        let Some(generation) = self.peers[peer].link.as_ref().map(|link| link.generation) else {
            return false;
        };
        self.peers[peer].wake();
        self.detach(Seat { peer, generation });
        true
    }

    /// The link of a seat, unless it was evicted.
    pub(super) fn link(&mut self, seat: Seat) -> Option<&mut Link> {
        self.peers[seat.peer].link.as_mut().filter(|link| link.generation == seat.generation)
    }

    /// Has a method called, or tells at once why it cannot be.
    pub(super) fn start_call(&mut self, call: MethodCall) {
        let receiver = self.peer_of_name(&call.peer).map(|index| (index, &mut self.peers[index]));
        self.calls.start(call, receiver, &mut self.counters);
    }

    /// Whether one more socket may be served.
    pub(super) fn has_room_in_lobby(&mut self) -> bool {
        self.lobby.borrow_mut().has_room(&mut self.counters)
    }

    /// Has the socket closed that has waited longest for its CONNECT, if any does.
    pub(super) fn shed_oldest(&mut self) -> bool {
        self.lobby.borrow_mut().shed_oldest(&mut self.counters)
    }

    /// Has a publisher woken when some store has room again.
    pub(super) fn wait_for_room(&mut self, waker: &Waker) {
        if !self.waiting.iter().any(|known| known.will_wake(waker)) {
            self.waiting.push(waker.clone());
        }
    }

    /// Wakes everyone who waits for room.
    pub(super) fn announce_room(&mut self) {
        self.announce_upstream_room();
        self.service.notify_one();
    }

    /// Wakes the connections that wait for room upstream; the service task is awake.
    pub(super) fn announce_upstream_room(&mut self) {
        for waker in self.waiting.drain(..) {
            waker.wake();
        }
    }

    /// Inputs of this peer were delivered: they need not be on disk any more.
    pub(super) fn note_done(&mut self, peer: usize) {
        if let Some(durable) = &mut self.durable {
            durable.remove(self.peers[peer].inputs.drain_done());
        }
    }

    /// Wakes who waits for room, if enough has left the peer's store.
    pub(super) fn announce_room_of(&mut self, peer: usize) {
        let anyone = self.service_waits || !self.waiting.is_empty();
        if anyone && self.peers[peer].inputs.is_below_low_water() {
            self.announce_room();
        }
    }
}
