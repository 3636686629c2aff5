//! A wire on which bytes can vanish: both ends stay connected, and hear nothing.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

/// Which way the bytes vanish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Swallow {
    /// What the module sends.
    Up,
    /// What the module should hear.
    Down,
    Both,
}

#[derive(Default)]
struct Shared {
    up: AtomicBool,
    down: AtomicBool,
    is_over: AtomicBool,
    sockets: Mutex<Vec<TcpStream>>,
}

/// Listens where a module is told that its peer is.
pub(crate) struct Hole {
    address: SocketAddr,
    shared: Arc<Shared>,
    listener: Option<JoinHandle<()>>,
}

impl Hole {
    /// A wire to `port` of this machine, on which everything passes.
    pub(crate) fn before(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::<Shared>::default();
        let serving = Arc::clone(&shared);
        let listener = std::thread::spawn(move || listen(&listener, port, &serving));
        Self { address, shared, listener: Some(listener) }
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// From now on bytes vanish. A connection that lost some never has the others either.
    pub(crate) fn swallow(&self, way: Swallow) {
        self.shared.up.store(way != Swallow::Down, Ordering::Relaxed);
        self.shared.down.store(way != Swallow::Up, Ordering::Relaxed);
    }

    /// New connections are whole again.
    pub(crate) fn pass(&self) {
        self.shared.up.store(false, Ordering::Relaxed);
        self.shared.down.store(false, Ordering::Relaxed);
    }

    /// Cuts every connection.
    pub(crate) fn cut(&self) {
        let mut sockets = self.shared.sockets.lock().unwrap_or_else(PoisonError::into_inner);
        for socket in sockets.drain(..) {
            // One that has ended by itself is as good.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Hole {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        // Wakes the listener; when it has ended already there is nobody to wake.
        let _ = TcpStream::connect(self.address);
        self.cut();
        if let Some(thread) = self.listener.take() {
            let _ = thread.join();
        }
    }
}

fn listen(listener: &TcpListener, port: u16, shared: &Arc<Shared>) {
    let mut threads = Vec::new();
    for module in listener.incoming().map_while(Result::ok) {
        if shared.is_over.load(Ordering::Relaxed) {
            break;
        }
        let Ok(peer) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else { continue };
        for (from, to, is_up) in [(&module, &peer, true), (&peer, &module, false)] {
            let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
            let mut sockets = shared.sockets.lock().unwrap_or_else(PoisonError::into_inner);
            sockets.push(from.try_clone().unwrap());
            let shared = Arc::clone(shared);
            threads.push(std::thread::spawn(move || pump(from, to, is_up, &shared)));
        }
    }
    for thread in threads {
        let _ = thread.join();
    }
}

fn pump(mut from: TcpStream, mut to: TcpStream, is_up: bool, shared: &Shared) {
    let swallows = if is_up { &shared.up } else { &shared.down };
    let mut bytes = [0; 64 * 1024];
    let mut has_lost = false;
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        has_lost |= swallows.load(Ordering::Relaxed);
        if !has_lost && to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}
