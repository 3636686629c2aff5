//! A wire between two programs, with every fault that a wire can have, on demand.
//!
//! Bytes enter from either end and leave at the other, at once, until a test says otherwise: late,
//! slow, in pieces, not at all, or cut. It knows nothing of what it carries but where packets of
//! MQTT and records of TLS begin, so that it can be cut inside one. One thread for each connection,
//! which alone holds both sockets; at most [`PENDING_BYTES_MAX`] are under way in each direction,
//! and then the sender waits.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use connection::Connection;

mod connection;
mod framing;
mod lane;

/// Bytes under way in one direction of a connection.
const PENDING_BYTES_MAX: usize = 64 * 1024;

/// One or both directions, as the program under test sees them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// What it sends.
    Up,
    /// What it should hear.
    Down,
    /// Both of them.
    Both,
}

impl Way {
    fn is_up(self) -> bool {
        self != Self::Down
    }

    fn is_down(self) -> bool {
        self != Self::Up
    }
}

/// How bytes pass in both directions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Manner {
    /// Most bytes of one write; each is a segment of its own. `None`: as they come.
    pub write_bytes: Option<usize>,
    /// Each read is late by a random time up to this. Order is kept.
    pub jitter: Duration,
    /// Bytes a second in each direction. `None`: as fast as they come.
    pub bytes_a_second: Option<u32>,
    /// Each connection passes so many bytes, both directions together, and then nothing, while both
    /// ends stay connected. `None`: all.
    pub bytes_in_all: Option<u64>,
}

/// Is told what leaves the wire: the number of the connection, whether it is on its way
/// [up](Way::Up), and the bytes.
pub type Observer = Box<dyn Fn(u64, bool, &[u8]) + Send + Sync>;

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// FIN to both ends.
    Close,
    /// RST to both ends.
    Reset,
    /// FIN to both ends once a part of a packet, and not all of it, has passed this way.
    Inside(Way),
}

#[derive(Debug, Default)]
struct WireState {
    /// Where it leads to.
    port: u16,
    manner: Manner,
    swallows_up: bool,
    swallows_down: bool,
    /// New connections are hung up on.
    refuses: bool,
    /// Connections of a number below this end so.
    ends: Vec<(u64, End)>,
    /// Connections that were made, which is the next one's number.
    made: u64,
    open: usize,
    /// Those that were cut inside of a packet.
    cut_inside: u64,
    /// Bytes that left at the other end.
    passed: u64,
    is_over: bool,
}

/// What the wire and its threads share.
struct Shared {
    state: Mutex<WireState>,
    observer: Option<Observer>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, WireState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Listens where the program under test is told that its peer is.
pub struct Wire {
    address: SocketAddr,
    shared: Arc<Shared>,
    listener: Option<JoinHandle<()>>,
}

impl Wire {
    /// A wire to `port` of this machine, on which everything passes.
    pub fn before(port: u16) -> Self {
        Self::start(port, None)
    }

    /// The same, which tells what passes.
    pub fn observed(port: u16, observer: Observer) -> Self {
        Self::start(port, Some(observer))
    }

    fn start(port: u16, observer: Option<Observer>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let state = Mutex::new(WireState { port, ..WireState::default() });
        let shared = Arc::new(Shared { state, observer });
        let serving = Arc::clone(&shared);
        let listener = std::thread::spawn(move || listen(&listener, &serving));
        Self { address, shared, listener: Some(listener) }
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// New connections lead to this port.
    pub fn lead_to(&self, port: u16) {
        self.shared.state().port = port;
    }

    /// From now on bytes vanish. A connection that lost some never has the others either.
    pub fn swallow(&self, way: Way) {
        let mut state = self.shared.state();
        (state.swallows_up, state.swallows_down) = (way.is_up(), way.is_down());
    }

    /// From now on bytes pass in this manner.
    pub fn pass_by(&self, manner: Manner) {
        self.shared.state().manner = manner;
    }

    /// Everything passes again, at once: what was not swallowed, and on new connections all.
    pub fn pass(&self) {
        let mut state = self.shared.state();
        (state.swallows_up, state.swallows_down, state.refuses) = (false, false, false);
        state.manner = Manner::default();
    }

    /// Cuts every connection: FIN.
    pub fn cut(&self) {
        self.end(End::Close);
    }

    /// Resets every connection: RST.
    pub fn reset(&self) {
        self.end(End::Reset);
    }

    /// Cuts every connection as soon as a part of a packet, and not all of it, has passed this way.
    pub fn cut_inside(&self, way: Way) {
        self.end(End::Inside(way));
    }

    /// Cuts every connection, and hangs up on those that come until [`pass`](Self::pass).
    pub fn refuse(&self) {
        self.shared.state().refuses = true;
        self.cut();
    }

    /// Connections that were made up to now.
    pub fn connections(&self) -> u64 {
        self.shared.state().made
    }

    /// Connections that are open.
    pub fn open(&self) -> usize {
        self.shared.state().open
    }

    /// Connections that were cut inside of a packet up to now.
    pub fn cuts_inside(&self) -> u64 {
        self.shared.state().cut_inside
    }

    /// Bytes that have passed up to now, on all connections in both directions.
    pub fn passed_bytes(&self) -> u64 {
        self.shared.state().passed
    }

    fn end(&self, end: End) {
        let mut state = self.shared.state();
        let below = state.made;
        state.ends.push((below, end));
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.shared.state().is_over = true;
        // Wakes the listener; when it has ended already there is nobody to wake.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.listener.take() {
            let _ = thread.join();
        }
    }
}

fn listen(listener: &TcpListener, shared: &Arc<Shared>) {
    let mut threads: Vec<JoinHandle<()>> = Vec::new();
    for near in listener.incoming().map_while(Result::ok) {
        threads.retain(|thread| !thread.is_finished());
        let (number, port) = {
            let mut state = shared.state();
            if state.is_over {
                break;
            }
            if state.refuses {
                continue;
            }
            state.made += 1;
            (state.made - 1, state.port)
        };
        // While the far end is away the near one is hung up on, as by its machine.
        let Ok(far) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else { continue };
        let Ok(connection) = Connection::new(near, far, number, Arc::clone(shared)) else {
            continue;
        };
        shared.state().open += 1;
        threads.push(std::thread::spawn(move || connection.run()));
    }
    for thread in threads {
        let _ = thread.join();
    }
}

#[cfg(test)]
mod tests;
