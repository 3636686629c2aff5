//! A wire between the module and its broker that writes down what passes, and is cut or held on
//! demand.
//!
//! Of each connection it knows every message that was delivered and whether it was acknowledged,
//! so that a test can tell a duplicate that may be from one that may not. It never resets the
//! broker's end: what the module had sent before it died arrives there.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use rumqttc::mqttbytes::v4::Packet;

use crate::harness::{Mosquitto, wait_until};
use course::Course;

mod course;

const PACKET_BYTES_MAX: usize = 1 << 20;
/// What the client ids of connections for alerts end with.
const OUT: &str = "-out";
/// How often a wire that is held looks whether its end has come.
const HELD_TICK: Duration = Duration::from_millis(20);
/// When nothing passed for so long, nothing will until something else happens.
const STALL: Duration = Duration::from_millis(500);

/// What waits of what the broker sends to connections for alerts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Hold {
    #[default]
    Nothing,
    /// From the next acknowledgement of an alert on.
    Acknowledgements,
    /// Its answer to CONNECT, and so everything.
    Everything,
}

#[derive(Default)]
struct State {
    courses: Vec<Course>,
    /// Both ends of each connection.
    sockets: Vec<[TcpStream; 2]>,
    hold: Hold,
    is_over: bool,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    released: Condvar,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Listens where a module is told that its broker is.
pub(super) struct Tap {
    address: SocketAddr,
    shared: Arc<Shared>,
    listener: Option<JoinHandle<()>>,
}

impl Tap {
    /// A wire to the plain listener of `mosquitto`.
    pub(super) fn on(mosquitto: &Mosquitto) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let (serving, port) = (Arc::clone(&shared), mosquitto.port());
        let listener = std::thread::spawn(move || listen(&listener, port, &serving));
        Self { address, shared, listener: Some(listener) }
    }

    /// What to tell the module.
    pub(super) fn url(&self) -> String {
        format!("mqtt://{}", self.address)
    }

    /// What waits from now on; what waited and need not passes.
    pub(super) fn hold(&self, hold: Hold) {
        self.shared.state().hold = hold;
        self.shared.released.notify_all();
    }

    /// Waits until a module has tried to connect for its alerts, and is not let.
    pub(super) fn wait_for_a_held_module(&self) {
        let started = Instant::now();
        wait_until("a module knocks", || {
            let state = self.shared.state();
            state.courses.iter().any(|course| course.client_id.ends_with(OUT))
                && started.elapsed() > STALL
        });
    }

    /// Cuts every connection.
    pub(super) fn cut(&self) {
        for [module, _] in &self.shared.state().sockets {
            // One that has ended by itself is as good.
            let _ = module.shutdown(Shutdown::Both);
        }
    }

    /// Cuts the connections of clients of this id.
    pub(super) fn cut_off(&self, client_id: &str) {
        let state = self.shared.state();
        for (course, [module, _]) in state.courses.iter().zip(&state.sockets) {
            if course.client_id == client_id {
                let _ = module.shutdown(Shutdown::Both);
            }
        }
    }

    /// How many messages were on their way to clients of this id, and how many of them came back
    /// acknowledged.
    pub(super) fn passed(&self, client_id: &str) -> (usize, usize) {
        let state = self.shared.state();
        let courses = state.courses.iter().filter(|course| course.client_id == client_id);
        courses.map(Course::passed).fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
    }

    /// Waits until nothing moves any more on connections of this id, though more than `least`
    /// messages went out; gives what [`passed`](Self::passed).
    pub(super) fn wait_for_the_stall(&self, client_id: &str, least: usize) -> (usize, usize) {
        let mut last = ((0, 0), Instant::now());
        wait_until("nothing moves any more", || {
            let passed = self.passed(client_id);
            if passed != last.0 {
                last = (passed, Instant::now());
            }
            passed.0 > least && last.1.elapsed() > STALL
        });
        last.0
    }

    /// The numbers of the messages that were on their way to clients of this id, in that order.
    pub(super) fn delivered(&self, client_id: &str) -> Vec<usize> {
        let state = self.shared.state();
        let courses = state.courses.iter().filter(|course| course.client_id == client_id);
        courses.flat_map(Course::numbers).collect()
    }

    /// How many connections of clients of this id have ended.
    pub(super) fn ends(&self, client_id: &str) -> usize {
        let state = self.shared.state();
        let ended = |course: &&Course| course.client_id == client_id && course.has_ended;
        state.courses.iter().filter(ended).count()
    }

    /// Waits until so many connections of clients of this id have ended.
    pub(super) fn wait_for_ends(&self, client_id: &str, count: usize) {
        let what = format!("{count} connections of {client_id} have ended");
        wait_until(&what, || self.ends(client_id) >= count);
    }

    /// The numbers of the messages that were unacknowledged when their connection ended; of each,
    /// in how many connections.
    pub(super) fn unacknowledged(&self) -> BTreeMap<usize, usize> {
        let mut numbers = BTreeMap::new();
        for course in self.shared.state().courses.iter().filter(|course| course.has_ended) {
            for number in course.unacknowledged() {
                *numbers.entry(number).or_default() += 1;
            }
        }
        numbers
    }

    /// Fails unless on every connection acknowledgements came in the order of receipt, without a
    /// gap: of QoS 1 messages, the first so many.
    pub(super) fn assert_acknowledged_in_order(&self) {
        for course in &self.shared.state().courses {
            course.assert_acknowledged_in_order();
        }
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.shared.state().is_over = true;
        self.hold(Hold::Nothing);
        for [module, broker] in &self.shared.state().sockets {
            let _ = module.shutdown(Shutdown::Both);
            let _ = broker.shutdown(Shutdown::Both);
        }
        // Wakes the listener; when it has ended already there is nobody to wake.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.listener.take() {
            let _ = thread.join();
        }
    }
}

fn listen(listener: &TcpListener, broker_port: u16, shared: &Arc<Shared>) {
    let mut threads = Vec::new();
    for module in listener.incoming().map_while(Result::ok) {
        if shared.state().is_over {
            break;
        }
        // While the broker is away the module is hung up on, as by the broker's machine.
        let Ok(broker) = TcpStream::connect((Ipv4Addr::LOCALHOST, broker_port)) else { continue };
        let place = {
            let mut state = shared.state();
            state.sockets.push([module.try_clone().unwrap(), broker.try_clone().unwrap()]);
            state.courses.push(Course::default());
            state.courses.len() - 1
        };
        let (from_module, from_broker) = (module.try_clone().unwrap(), broker.try_clone().unwrap());
        let up = Pump { from: from_module, to: broker, place, shared: Arc::clone(shared) };
        let down = Pump { from: from_broker, to: module, place, shared: Arc::clone(shared) };
        threads.push(std::thread::spawn(move || up.upstream()));
        threads.push(std::thread::spawn(move || down.downstream()));
    }
    for thread in threads {
        let _ = thread.join();
    }
}

/// One direction of one connection.
struct Pump {
    from: TcpStream,
    to: TcpStream,
    /// Of the connection's course.
    place: usize,
    shared: Arc<Shared>,
}

impl Pump {
    fn upstream(mut self) {
        let mut buffer = BytesMut::new();
        while self.read(&mut buffer) {
            while let Some((packet, bytes)) = next_packet(&mut buffer) {
                self.shared.state().courses[self.place].sent(packet);
                if self.to.write_all(&bytes).is_err() {
                    break;
                }
            }
        }
        self.shared.state().courses[self.place].has_ended = true;
        let _ = self.to.shutdown(Shutdown::Write);
    }

    fn downstream(mut self) {
        let mut buffer = BytesMut::new();
        let mut is_open = true;
        while self.read(&mut buffer) {
            while let Some((packet, bytes)) = next_packet(&mut buffer) {
                self.wait_while_held(&packet);
                // Once the module is gone the rest is read and forgotten: see the file's head.
                if is_open {
                    self.shared.state().courses[self.place].received(&packet);
                    is_open = self.to.write_all(&bytes).is_ok();
                }
            }
        }
        let _ = self.to.shutdown(Shutdown::Both);
    }

    /// What could be read; `false` at the end.
    fn read(&mut self, buffer: &mut BytesMut) -> bool {
        let mut bytes = [0; 64 * 1024];
        let count = self.from.read(&mut bytes).unwrap_or(0);
        buffer.extend_from_slice(&bytes[..count]);
        count > 0
    }

    /// What follows on the connection waits as well.
    fn wait_while_held(&self, packet: &Packet) {
        let mut state = self.shared.state();
        if !state.courses[self.place].client_id.ends_with(OUT) {
            return;
        }
        let is_held = |state: &State| match state.hold {
            Hold::Nothing => false,
            Hold::Acknowledgements => matches!(packet, Packet::PubAck(_)),
            Hold::Everything => true,
        };
        while is_held(&state) && !state.is_over && !state.courses[self.place].has_ended {
            let waited = self.shared.released.wait_timeout(state, HELD_TICK);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// The first packet in `buffer`, and its bytes; `None` when it is not whole yet.
fn next_packet(buffer: &mut BytesMut) -> Option<(Packet, Bytes)> {
    let mut length = 0;
    let mut digits = buffer.iter().skip(1).take(4).zip(0..);
    let header = digits.find_map(|(digit, place)| {
        length |= usize::from(digit & 0x7f) << (7 * place);
        (digit & 0x80 == 0).then_some(2 + place)
    })?;
    if buffer.len() < header + length {
        return None;
    }
    let whole = buffer.split_to(header + length);
    let packet = Packet::read(&mut whole.clone(), PACKET_BYTES_MAX).expect("both speak MQTT");
    Some((packet, whole.freeze()))
}
