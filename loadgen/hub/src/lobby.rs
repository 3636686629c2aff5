//! The sockets that have not sent a CONNECT yet, and room for others at their cost.
//!
//! Bounded: no more sockets than [`HubConfig::connections_max`](super::HubConfig::connections_max)
//! and the process's descriptors allow. At the bound, and when an accept fails for want of a
//! descriptor, the socket that has waited longest here is closed, counted (`sockets_shed`).

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};
use tokio::sync::oneshot;

use super::counters::HubCounters;
use super::tally::worth_a_line;

/// Descriptors left to everything but clients on the MQTT ports: listeners, workload and control
/// sockets, files of the state.
const DESCRIPTORS_SPARED: u64 = 128;

/// Pause after a failed accept when nobody can be sent away, before the next.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);

/// Who waits, by order of arrival.
pub(super) struct Lobby {
    /// Sockets open at once.
    sockets_max: u64,
    arrivals: u64,
    /// Dropping one tells its socket's task to end.
    waiting: BTreeMap<u64, oneshot::Sender<()>>,
}

/// A socket's place in the lobby; given up when this is dropped.
pub(super) struct Place {
    lobby: Rc<RefCell<Lobby>>,
    number: u64,
    shed: oneshot::Receiver<()>,
}

impl Place {
    /// The last place.
    pub(super) fn take(lobby: &Rc<RefCell<Lobby>>) -> Self {
        let (sender, shed) = oneshot::channel();
        let mut waiting = lobby.borrow_mut();
        waiting.arrivals += 1;
        let number = waiting.arrivals;
        waiting.waiting.insert(number, sender);
        Self { lobby: Rc::clone(lobby), number, shed }
    }

    /// Ends when the socket is to be closed for another.
    pub(super) async fn shed(&mut self) {
        // Nothing is ever sent: the sender is dropped.
        let _ = (&mut self.shed).await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.lobby.borrow_mut().waiting.remove(&self.number);
    }
}

impl Lobby {
    /// A lobby for as many sockets as the process has descriptors for, and `asked` at most.
    pub(super) fn new(asked: u64) -> Self {
        let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let sockets_max = (limit - DESCRIPTORS_SPARED.min(limit / 2)).min(asked).max(1);
        Self { sockets_max, arrivals: 0, waiting: BTreeMap::new() }
    }

    /// Whether one more socket may be served; one that waits for its CONNECT may have to go.
    pub(super) fn has_room(&mut self, counters: &mut HubCounters) -> bool {
        if counters.sockets < self.sockets_max || self.shed_oldest(counters) {
            return true;
        }
        counters.connect_failures += 1;
        if worth_a_line(counters.connect_failures) {
            tracing::warn!(limit = self.sockets_max, "too many connections: one refused");
        }
        false
    }

    /// Has the socket closed that has waited longest for its CONNECT, if any does.
    pub(super) fn shed_oldest(&mut self, counters: &mut HubCounters) -> bool {
        let is_shed = self.waiting.pop_first().is_some();
        if is_shed {
            counters.sockets_shed += 1;
            let total = counters.sockets_shed;
            if worth_a_line(total) {
                tracing::warn!(total, "closed for another: a socket without CONNECT");
            }
        }
        is_shed
    }
}

/// After a failed accept: makes room by `shed_oldest` if descriptors run short, else waits a
/// moment.
pub(super) async fn recover(error: &io::Error, shed_oldest: impl FnOnce() -> bool) {
    let is_shortage = matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE));
    if is_shortage && shed_oldest() {
        // That socket's task closes it.
        tokio::task::yield_now().await;
    } else {
        tracing::warn!(%error, "accept failed");
        tokio::time::sleep(ACCEPT_RETRY).await;
    }
}
