//! One connection of the wire, on a thread of its own.

use std::io;
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::sockopt::set_socket_linger;

use super::lane::Lane;
use super::{End, Manner, Shared, Way};

/// How often a connection on which nothing happens looks for what it is told.
const TICK: Duration = Duration::from_millis(5);
/// The two directions, as places of arrays; also the sockets that they come from.
const UP: usize = 0;
const DOWN: usize = 1;

pub(super) struct Connection {
    /// The program's, and its peer's.
    sockets: [TcpStream; 2],
    lanes: [Lane; 2],
    number: u64,
    /// Bytes that have passed, in both directions.
    passed: u64,
    shared: Arc<Shared>,
}

/// What the wire says at one moment.
struct Orders {
    manner: Manner,
    swallows: [bool; 2],
    end: Option<End>,
    is_over: bool,
}

impl Connection {
    pub(super) fn new(
        near: TcpStream,
        far: TcpStream,
        number: u64,
        shared: Arc<Shared>,
    ) -> io::Result<Self> {
        for socket in [&near, &far] {
            socket.set_nonblocking(true)?;
            socket.set_nodelay(true)?;
        }
        Ok(Self {
            sockets: [near, far],
            lanes: [Lane::new(), Lane::new()],
            number,
            passed: 0,
            shared,
        })
    }

    pub(super) fn run(mut self) {
        while self.turn() {}
        self.shared.state().open -= 1;
    }

    fn orders(&self) -> Orders {
        let state = self.shared.state();
        let end = state.ends.iter().find(|(below, _)| self.number < *below);
        Orders {
            manner: state.manner,
            swallows: [state.swallows_up, state.swallows_down],
            end: end.map(|(_, end)| *end),
            is_over: state.is_over,
        }
    }

    /// Whether it goes on.
    fn turn(&mut self) -> bool {
        let readable = self.wait();
        // Looked at behind the wait: what came since an order was given is subject to it.
        let orders = self.orders();
        if orders.is_over {
            return false;
        }
        match orders.end {
            Some(End::Close) => return self.close(),
            Some(End::Reset) => return self.reset(),
            Some(End::Inside(_)) | None => {}
        }
        for way in [UP, DOWN] {
            if readable[way] && self.lanes[way].wants_to_read() {
                let jitter = orders.manner.jitter;
                self.lanes[way].read(&mut self.sockets[way], orders.swallows[way], jitter);
            }
            let inside = matches!(orders.end, Some(End::Inside(one)) if has(one, way));
            if self.write(way, orders.manner, inside) {
                return self.close();
            }
        }
        self.pass_ends()
    }

    /// Writes what is due one way; tells whether that was the part of a packet that was asked for.
    fn write(&mut self, way: usize, manner: Manner, inside: bool) -> bool {
        let left = manner.bytes_in_all.map(|all| all.saturating_sub(self.passed));
        let left = left.map_or(usize::MAX, |left| usize::try_from(left).expect("few bytes"));
        let (shared, number) = (&self.shared, self.number);
        let mut passed = 0;
        let mut tell = |bytes: &[u8]| {
            passed += bytes.len() as u64;
            if let Some(observer) = &shared.observer {
                observer(number, way == UP, bytes);
            }
        };
        let to = &mut self.sockets[1 - way];
        let written = self.lanes[way].write(to, manner, left, inside, &mut tell);
        self.passed += passed;
        let mut state = self.shared.state();
        state.passed += passed;
        match written {
            Ok(is_inside) => {
                state.cut_inside += u64::from(is_inside);
                is_inside
            }
            Err(_) => {
                // What comes from the receiver still passes, and its end as well.
                self.lanes[way] = Lane::ended();
                false
            }
        }
    }

    /// Waits until there is something to do; tells which sockets have something to read.
    fn wait(&self) -> [bool; 2] {
        let now = Instant::now();
        let mut wait = TICK;
        let mut flags = [PollFlags::empty(); 2];
        for way in [UP, DOWN] {
            if self.lanes[way].wants_to_read() {
                flags[way] |= PollFlags::IN;
            }
            match self.lanes[way].due() {
                Some(due) if due <= now => flags[1 - way] |= PollFlags::OUT,
                Some(due) => wait = wait.min(due - now),
                None => {}
            }
        }
        let mut fds = [
            PollFd::new(&self.sockets[UP], flags[UP]),
            PollFd::new(&self.sockets[DOWN], flags[DOWN]),
        ];
        if flags.iter().all(|flags| flags.is_empty()) {
            std::thread::sleep(wait);
            return [false, false];
        }
        let timeout = Timespec::try_from(wait).expect("a few milliseconds");
        if poll(&mut fds, Some(&timeout)).is_err() {
            return [false, false];
        }
        [0, 1].map(|end| !(fds[end].revents() - PollFlags::OUT).is_empty())
    }

    /// What one end has said its last, the other hears once it has had the rest.
    fn pass_ends(&mut self) -> bool {
        for way in [UP, DOWN] {
            let lane = &mut self.lanes[way];
            if lane.has_ended && lane.is_empty() && !lane.is_shut && !lane.has_lost {
                lane.is_shut = true;
                // One that has ended by itself is as good.
                let _ = self.sockets[1 - way].shutdown(Shutdown::Write);
            }
        }
        !self.lanes.iter().all(|lane| lane.has_ended && lane.is_empty())
    }

    fn close(&self) -> bool {
        for socket in &self.sockets {
            let _ = socket.shutdown(Shutdown::Both);
        }
        false
    }

    fn reset(&self) -> bool {
        for socket in &self.sockets {
            // A socket that is closed with this resets its connection.
            let _ = set_socket_linger(socket, Some(Duration::ZERO));
        }
        false
    }
}

fn has(one: Way, way: usize) -> bool {
    if way == UP { one.is_up() } else { one.is_down() }
}
