//! All connections of a run: who is connected, to whom inputs go, and what a lost connection leaves
//! behind.
//!
//! Bounded by [`LANES_MAX`].

use std::time::Duration;

use super::broker::Broker;
use super::error::LoadError;
use super::inflight::Inflight;
use super::lane::{Lane, LaneError};
use super::side::Side;

/// Connections at once; a further one is closed.
const LANES_MAX: usize = 1024;

/// The connections.
#[derive(Debug)]
pub(super) struct Lanes {
    pub(super) side: Side,
    pub(super) all: Vec<Lane>,
    /// The lane that inputs go to, when this is the hub.
    pub(super) inputs: Option<usize>,
    /// Times that inputs were given to a lane.
    pub(super) handed: u64,
    /// What was in flight when that lane was lost.
    orphans: Option<Inflight>,
    window: u32,
    /// Why the last connection ended, for people.
    last_loss: Option<String>,
}

impl Lanes {
    /// None yet, each to have this window.
    pub(super) fn new(side: Side, window: u32) -> Self {
        Self {
            side,
            all: Vec::new(),
            inputs: None,
            handed: 0,
            orphans: None,
            window,
            last_loss: None,
        }
    }

    /// Makes those that are ours to make.
    ///
    /// # Errors
    /// The broker cannot be reached.
    pub(super) fn open(&mut self) -> Result<(), LoadError> {
        self.all = self.side.open_lanes(self.window)?;
        Ok(())
    }

    /// Takes one that waits.
    ///
    /// # Errors
    /// The system has none to give.
    pub(super) fn accept(&mut self) -> Result<(), LoadError> {
        let Side::Hub(gateway) = &self.side else { return Ok(()) };
        let accepted = gateway
            .accept()
            .map_err(|error| LoadError::Internal(format!("cannot accept a connection: {error}")))?;
        if let Some(socket) = accepted.filter(|_| self.all.len() < LANES_MAX) {
            self.all.push(Lane::new(socket, self.window));
        }
        Ok(())
    }

    /// Whether messages can be sent and alerts received, which takes `wait` at most.
    ///
    /// # Errors
    /// It took longer, or the broker gives messages that are not of this run.
    pub(super) fn are_ready(&mut self, now_ns: u64, wait: Duration) -> Result<bool, LoadError> {
        match &mut self.side {
            Side::Hub(_) if self.inputs.is_none() && Duration::from_nanos(now_ns) > wait => {
                let why = self.last_loss.as_deref().unwrap_or_default();
                let text = format!("nobody subscribed to the inputs within {wait:?}{why}");
                Err(LoadError::Unavailable(text))
            }
            Side::Hub(_) => Ok(self.inputs.is_some()),
            Side::Broker { broker, .. } => broker.is_ready(&self.all, now_ns, wait),
        }
    }

    /// The run begins: what comes from now on is of this run.
    pub(super) fn begin(&mut self) {
        if let Side::Broker { broker, .. } = &mut self.side {
            broker.begin();
        }
    }

    /// Keeps those that are ours alive; to be called every now and then.
    ///
    /// # Errors
    /// The broker does not answer.
    pub(super) fn keep_alive(&mut self, now_ns: u64) -> Result<(), LoadError> {
        match &mut self.side {
            Side::Hub(_) => Ok(()),
            Side::Broker { broker, .. } => broker.ping(&mut self.all, now_ns),
        }
    }

    /// The run is over: closes those that are ours in order.
    pub(super) fn leave(&mut self) {
        if matches!(self.side, Side::Broker { .. }) {
            Broker::leave(&mut self.all);
        }
    }

    /// Whether everything sent is acknowledged and every answer written.
    pub(super) fn are_settled(&self) -> bool {
        let settled = |lane: &Lane| lane.inflight.is_empty() && lane.socket.is_flushed();
        self.orphans.is_none() && self.all.iter().all(settled)
    }

    /// Messages sent and not acknowledged.
    pub(super) fn unacknowledged(&self) -> u64 {
        let open: u64 = self.all.iter().map(|lane| lane.inflight.len()).sum();
        open + self.orphans.as_ref().map_or(0, Inflight::len)
    }

    /// Place of the oldest message in flight.
    pub(super) fn oldest_in_flight(&self) -> Option<u64> {
        let open = self.all.iter().map(|lane| &lane.inflight).chain(&self.orphans);
        open.filter_map(Inflight::oldest).min()
    }

    /// This lane wants no more inputs: they wait for another.
    pub(super) fn orphan_inputs(&mut self, index: usize) {
        if self.inputs == Some(index) {
            self.inputs = None;
            let empty = Inflight::new(self.window);
            self.orphans = Some(std::mem::replace(&mut self.all[index].inflight, empty));
        }
    }

    /// An older connection with the client id of this one, which is to be closed (MQTT 3.1.1
    /// §3.1.4).
    pub(super) fn older_of(&self, index: usize) -> Option<usize> {
        let client_id = &self.all[index].guest.client_id;
        self.all[..index].iter().position(|lane| lane.guest.client_id == *client_id)
    }

    /// Inputs go to this lane from now on, first those that the former one has not acknowledged.
    pub(super) fn give_inputs(&mut self, index: usize) {
        let left = match self.inputs {
            Some(former) if former != index => {
                let empty = Inflight::new(self.window);
                Some(std::mem::replace(&mut self.all[former].inflight, empty))
            }
            Some(_) => None,
            None => self.orphans.take(),
        };
        if let Some(mut left) = left {
            left.restart();
            self.all[index].inflight = left;
        }
        self.inputs = Some(index);
        self.handed += 1;
    }

    /// A connection is over. Whether it had been one, to the program under test.
    ///
    /// # Errors
    /// It was ours, to the broker.
    pub(super) fn lose(&mut self, index: usize, why: &LaneError) -> Result<bool, LoadError> {
        let lane = self.all.remove(index);
        let gateway = match &mut self.side {
            Side::Hub(gateway) => gateway,
            Side::Broker { broker, .. } => return Err(broker.lost(lane.link, why)),
        };
        gateway.left(&lane.guest);
        match self.inputs {
            Some(inputs) if inputs == index => {
                self.inputs = None;
                self.orphans = Some(lane.inflight);
            }
            Some(inputs) if inputs > index => self.inputs = Some(inputs - 1),
            _ => {}
        }
        let connected = lane.guest.client_id.is_some();
        self.last_loss = Some(format!("; the last connection ended: {why}"));
        Ok(connected)
    }
}
