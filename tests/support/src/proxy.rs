//! An HTTP proxy by script: it opens the way by CONNECT, or does something else.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Between two looks at whether it is over.
const TICK: Duration = Duration::from_millis(10);

/// What it does with a CONNECT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyManner {
    /// Opens the way.
    Opens,
    /// Opens it, so much later.
    Late(Duration),
    /// Takes the request, and says nothing.
    Silent,
    /// Says this, and closes.
    Says(&'static [u8]),
}

#[derive(Debug)]
struct ProxyState {
    manner: Mutex<ProxyManner>,
    sockets: Mutex<Vec<TcpStream>>,
    is_over: AtomicBool,
}

/// A proxy that leads to one server, whatever is asked for. Ends when dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<ProxyState>,
    thread: Option<JoinHandle<()>>,
}

impl Proxy {
    /// A proxy before `port` of this machine.
    pub fn before(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(ProxyState {
            manner: Mutex::new(ProxyManner::Opens),
            sockets: Mutex::default(),
            is_over: AtomicBool::new(false),
        });
        let serving = Arc::clone(&shared);
        let thread = std::thread::spawn(move || listen(&listener, port, &serving));
        Self { address, shared, thread: Some(thread) }
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on it is so for new connections; those that there are end.
    pub fn is(&self, manner: ProxyManner) {
        *self.shared.manner.lock().unwrap_or_else(PoisonError::into_inner) = manner;
        let mut sockets = self.shared.sockets.lock().unwrap_or_else(PoisonError::into_inner);
        for socket in sockets.drain(..) {
            // One that has ended by itself is as good.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        // Wakes the listener; when it has ended already there is nobody to wake.
        let _ = TcpStream::connect(self.address);
        self.is(ProxyManner::Silent);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn listen(listener: &TcpListener, port: u16, shared: &Arc<ProxyState>) {
    let mut threads = Vec::new();
    for client in listener.incoming().map_while(Result::ok) {
        if shared.is_over.load(Ordering::Relaxed) {
            break;
        }
        let shared = Arc::clone(shared);
        // A client that gives up is the test's to judge.
        threads.push(std::thread::spawn(move || drop(serve(client, port, &shared))));
    }
    for thread in threads {
        let _ = thread.join();
    }
}

/// CONNECT, then bytes in both directions until either side ends.
fn serve(mut client: TcpStream, port: u16, shared: &ProxyState) -> io::Result<()> {
    let manner = *shared.manner.lock().unwrap_or_else(PoisonError::into_inner);
    let keep = |socket: &TcpStream| -> io::Result<()> {
        let mut sockets = shared.sockets.lock().unwrap_or_else(PoisonError::into_inner);
        sockets.push(socket.try_clone()?);
        Ok(())
    };
    keep(&client)?;
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        client.read_exact(&mut byte)?;
        head.extend(byte);
    }
    let wait = match manner {
        ProxyManner::Opens => Duration::ZERO,
        ProxyManner::Late(wait) => wait,
        ProxyManner::Silent => Duration::MAX,
        ProxyManner::Says(bytes) => {
            client.write_all(bytes)?;
            return client.shutdown(Shutdown::Both);
        }
    };
    let begun = Instant::now();
    while begun.elapsed() < wait {
        let still = *shared.manner.lock().unwrap_or_else(PoisonError::into_inner) == manner;
        if !still || shared.is_over.load(Ordering::Relaxed) {
            return client.shutdown(Shutdown::Both);
        }
        std::thread::sleep(TICK);
    }
    client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
    let server = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    keep(&server)?;
    let (from, to) = (server.try_clone()?, client.try_clone()?);
    let back = std::thread::spawn(move || pump(from, to));
    pump(client, server);
    let _ = back.join();
    Ok(())
}

fn pump(mut from: TcpStream, mut to: TcpStream) {
    let _ = io::copy(&mut from, &mut to);
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
