//! A hub or a broker by script, to try the module against a peer that does what none should.
//!
//! - In: a [`Script`], which may change at any moment, and messages, patches and calls to pass on.
//! - Out: a [`Tally`] of all messages: what came, what came again, what was lost, and what must
//!   never be, as an acknowledgement before that of the alert.
//! - One thread serves all connections over plain TCP, on loopback. It ends with its [`Peer`].
//! - It shares no line with what it tries: it has a codec of its own.

mod codec;
mod ledger;
mod link;
mod role;
mod script;
mod state;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

pub use ledger::Tally;
pub use role::Role;
pub use script::{OnAlert, OnConnect, OnSubscribe, OnTwinGet, Script};
pub use state::Stream;

use link::Link;
use state::State;

/// Between two looks at what is due.
const TICK: Timespec = Timespec { tv_sec: 0, tv_nsec: 2_000_000 };

/// A peer at a port of loopback.
#[derive(Debug)]
pub struct Peer {
    address: SocketAddr,
    role: Role,
    state: Arc<Mutex<State>>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Peer {
    /// A peer that does all well, until its script says otherwise.
    pub fn start(role: Role) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State::new(role)));
        let is_over = Arc::<AtomicBool>::default();
        let (serving, ended) = (Arc::clone(&state), Arc::clone(&is_over));
        let thread = std::thread::spawn(move || serve(&listener, &serving, &ended));
        Self { address, role, state, is_over, thread: Some(thread) }
    }

    /// Where it listens, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Arguments and environment for a module of this peer.
    pub fn settings(&self) -> (Vec<String>, Vec<(String, String)>) {
        self.role.settings(self.port())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the script, from now on.
    pub fn play(&self, change: impl FnOnce(&mut Script)) {
        change(&mut self.state().script);
    }

    /// Back to a peer that does all well.
    pub fn play_well(&self) {
        self.play(|script| *script = Script { window: script.window, ..Script::default() });
    }

    /// Messages to deliver, by their temperatures.
    pub fn send(&self, temperatures: impl IntoIterator<Item = f64>) {
        let mut state = self.state();
        temperatures.into_iter().for_each(|value| state.ledger.push(value, 0));
    }

    /// From now on messages come by themselves, in place of those before.
    pub fn stream(&self, stream: Stream) {
        self.state().stream(stream, Instant::now());
    }

    /// Changes the threshold in the twin, or on the control topic.
    pub fn patch(&self, threshold: f64) {
        self.state().patch(threshold);
    }

    /// The threshold of the last patch that was sent, and its version.
    pub fn desired(&self) -> (f64, u64) {
        self.state().desired
    }

    /// What the module reported last.
    pub fn report(&self) -> Option<String> {
        self.state().report.clone()
    }

    /// Calls a direct method; its answer is [`Peer::answer`].
    pub fn call(&self, method: &str) {
        let mut state = self.state();
        state.answer = None;
        state.calls.push_back(method.to_owned());
    }

    /// The answer to the last call, with status 200.
    pub fn answer(&self) -> Option<Vec<u8>> {
        self.state().answer.clone()
    }

    /// CONNECTs that came.
    pub fn connects(&self) -> usize {
        self.state().connects.len()
    }

    /// Requests for the twin's document that came.
    pub fn twin_gets(&self) -> usize {
        self.state().twin_gets
    }

    /// Whether a connection takes messages, and one takes patches.
    pub fn is_subscribed(&self) -> bool {
        self.takes_messages() && self.takes(self.role.control())
    }

    /// Whether a connection takes messages.
    pub fn takes_messages(&self) -> bool {
        self.takes(self.role.input())
    }

    fn takes(&self, topic: &str) -> bool {
        self.state().links.iter().any(|link| link.takes(topic))
    }

    /// Messages without acknowledgement, delivered or not.
    pub fn backlog(&self) -> usize {
        self.state().ledger.unacknowledged()
    }

    /// Messages that were made malformed.
    pub fn malformed(&self) -> u64 {
        self.state().ledger.malformed()
    }

    /// Cuts every connection.
    pub fn cut(&self) {
        self.state().links.iter_mut().for_each(|link| link.is_over = true);
    }

    /// What has become of all messages.
    pub fn tally(&self) -> Tally {
        self.state().ledger.tally()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic there is told already.
            let _ = thread.join();
        }
    }
}

fn serve(listener: &TcpListener, state: &Mutex<State>, is_over: &AtomicBool) {
    while !is_over.load(Ordering::Relaxed) {
        wait(listener, state);
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        while let Ok((socket, _)) = listener.accept() {
            // One that is gone again is none.
            state.links.extend(Link::new(socket));
        }
        state.turn(Instant::now());
    }
}

/// Until something comes, or a tick has passed.
fn wait(listener: &TcpListener, state: &Mutex<State>) {
    let sockets: Vec<_> = {
        let state = state.lock().unwrap_or_else(PoisonError::into_inner);
        let (reads, links) = (state.script.reads, &state.links);
        let open = links.iter().filter(|_| reads);
        open.filter_map(|link| Some((link.socket.try_clone().ok()?, link.output.is_empty())))
            .collect()
    };
    let mut polled = vec![PollFd::from_borrowed_fd(listener.as_fd(), PollFlags::IN)];
    for (socket, is_silent) in &sockets {
        let flags = if *is_silent { PollFlags::IN } else { PollFlags::IN | PollFlags::OUT };
        polled.push(PollFd::from_borrowed_fd(socket.as_fd(), flags));
    }
    // A signal ends the wait early, which is no harm.
    let _ = poll(&mut polled, Some(&TICK));
}
