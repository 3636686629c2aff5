//! The hub's side of connections without sockets, for the fuzzers: bytes in, bytes out.
//!
//! The same state, reader and handlers as behind a socket; what `connection` adds is reading,
//! writing and waiting. Files are read and never written.

use std::path::Path;
use std::time::Instant;

use bytes::BytesMut;

use super::close::CloseReason;
use super::dispatch::Step;
use super::peer::Seat;
use super::persistence::StateFolder;
use super::state::HubState;
use super::strict::{self, First};
use super::upstream::Upstream;
use super::{HubConfig, HubError};

/// Inputs that a module's store takes here: so few that bytes can fill it.
const INPUTS_MESSAGES_MAX: usize = 8;

/// A hub without listeners, and whoever is connected.
pub struct BareHub {
    state: HubState,
    clients: Vec<Client>,
}

struct Client {
    seat: Seat,
    /// Received, not yet handled.
    input: BytesMut,
    is_over: bool,
}

/// What the hub makes of a client's first bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admitted {
    /// They are no whole packet yet.
    Incomplete,
    /// It is let in.
    Seated,
    /// Its CONNECT is answered by a refusal.
    Refused,
    /// The connection is closed without a word.
    Closed(String),
}

impl BareHub {
    /// The built-in deployment, with the keys in `state_dir`; nobody is connected.
    ///
    /// # Errors
    /// The folder is in use, or cannot be written.
    pub fn open(state_dir: &Path) -> Result<Self, HubError> {
        let config = HubConfig {
            state_dir: state_dir.to_owned(),
            inputs_messages_max: INPUTS_MESSAGES_MAX,
            ..HubConfig::default()
        };
        let (folder, peers, provisioning) = StateFolder::open(&config)?;
        let upstream = Upstream::new(INPUTS_MESSAGES_MAX, config.lossless);
        let state = HubState::new(config, peers, folder, upstream, String::new(), provisioning);
        Ok(Self { state, clients: Vec::new() })
    }

    /// Connects a module past its CONNECT, and gives its number: they count from 0.
    ///
    /// # Panics
    /// When the deployment has no such module.
    pub fn connect(&mut self, module: &str) -> usize {
        let peer = self.state.peer_of_module(module).expect("a module of the deployment");
        let (seat, _) = self.state.attach(peer, true);
        self.clients.push(Client { seat, input: BytesMut::new(), is_over: false });
        self.clients.len() - 1
    }

    /// Receives the first bytes of a connection.
    pub fn first(&mut self, bytes: &[u8]) -> Admitted {
        match strict::first(&mut BytesMut::from(bytes)) {
            Ok(None) => Admitted::Incomplete,
            Ok(Some(First::Unwelcome(unwelcome))) => {
                assert!(!unwelcome.to_string().is_empty());
                Admitted::Refused
            }
            Err(violation) => Admitted::Closed(violation.to_string()),
            Ok(Some(First::Connect(connect))) => match self.state.admit(&connect) {
                Ok(admission) => {
                    self.state.detach(admission.seat);
                    Admitted::Seated
                }
                Err(_) => Admitted::Refused,
            },
        }
    }

    /// Receives `bytes` from a client, and gives what the hub answers and delivers to it, and why
    /// its connection ends, if it does.
    pub fn feed(&mut self, client: usize, bytes: &[u8]) -> (Vec<u8>, Option<String>) {
        let Client { seat, input, is_over } = &mut self.clients[client];
        if *is_over {
            return (Vec::new(), None);
        }
        input.extend_from_slice(bytes);
        let (mut out, now) = (BytesMut::new(), Instant::now());
        let mut end = handle(&mut self.state, *seat, input, &mut out, now);
        if end.is_none() {
            end = self.state.fill(*seat, &mut out, now);
        }
        if end.is_some() {
            *is_over = true;
            self.state.detach(*seat);
        }
        (out.to_vec(), end.map(|reason| reason.to_string()))
    }
}

/// Handles what was read, up to a publish that finds a store full.
fn handle(
    state: &mut HubState,
    seat: Seat,
    input: &mut BytesMut,
    out: &mut BytesMut,
    now: Instant,
) -> Option<CloseReason> {
    loop {
        let packet = match strict::next(input) {
            Ok(Some(packet)) => packet,
            Ok(None) => return None,
            Err(violation) => return Some(CloseReason::Protocol(violation.to_string())),
        };
        match state.handle(seat, packet, out, now) {
            Step::Continue => {}
            Step::Blocked(_) => return None,
            Step::Close(reason) => return Some(reason),
        }
    }
}
