//! A security daemon by script: the workload API on a unix socket, which may be dead, slow, or
//! something else.
//!
//! What it signs is no signature: it is for peers that look at none.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Between two looks at whether it is over.
const TICK: Duration = Duration::from_millis(10);
/// Base64 of 32 bytes.
const DIGEST: &str = "rYnHTu7tuIFaVfU1KshsoR+phimGXmC25QV3qARXRcY=";

/// What it does with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// Answers.
    Good,
    /// Answers, so much later.
    Slow(Duration),
    /// Takes it, and says nothing.
    Silent,
    /// Nobody listens: the socket is gone.
    Gone,
    /// Closes the connection without an answer.
    Close,
    /// Says this, and closes.
    Says(&'static [u8]),
    /// Half of a good answer, and closes.
    Half,
}

#[derive(Debug)]
struct DaemonState {
    mood: Mutex<Mood>,
    requests: AtomicUsize,
    is_over: AtomicBool,
}

/// A daemon on a socket of its own. Ends when dropped.
#[derive(Debug)]
pub struct Daemon {
    folder: TempDir,
    shared: Arc<DaemonState>,
    thread: Option<JoinHandle<()>>,
}

impl Daemon {
    /// One that does all well.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let shared = Arc::new(DaemonState {
            mood: Mutex::new(Mood::Good),
            requests: AtomicUsize::new(0),
            is_over: AtomicBool::new(false),
        });
        let (socket, serving) = (folder.path().join("w.sock"), Arc::clone(&shared));
        let listener = listen(&socket);
        let thread = std::thread::spawn(move || serve(&socket, listener, &serving));
        Self { folder, shared, thread: Some(thread) }
    }

    /// The variables of a module whose gateway is 127.0.0.1.
    pub fn variables(&self) -> Vec<(String, String)> {
        let socket = self.folder.path().join("w.sock");
        [
            ("IOTEDGE_WORKLOADURI", format!("unix://{}", socket.display())),
            ("IOTEDGE_AUTHSCHEME", "sasToken".to_owned()),
            ("IOTEDGE_MODULEGENERATIONID", "637".to_owned()),
            ("IOTEDGE_IOTHUBHOSTNAME", "h.net".to_owned()),
            ("IOTEDGE_GATEWAYHOSTNAME", "127.0.0.1".to_owned()),
            ("IOTEDGE_DEVICEID", "edge1".to_owned()),
            ("IOTEDGE_MODULEID", "filter".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    /// From now on it is so, for what is asked from now on.
    pub fn is(&self, mood: Mood) {
        *self.shared.mood.lock().unwrap_or_else(PoisonError::into_inner) = mood;
    }

    /// Requests that came.
    pub fn requests(&self) -> usize {
        self.shared.requests.load(Ordering::Relaxed)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic there is told already.
            let _ = thread.join();
        }
    }
}

fn listen(socket: &PathBuf) -> Option<UnixListener> {
    let listener = UnixListener::bind(socket).unwrap();
    listener.set_nonblocking(true).unwrap();
    Some(listener)
}

fn serve(socket: &PathBuf, mut listener: Option<UnixListener>, shared: &Arc<DaemonState>) {
    let mut threads = Vec::new();
    while !shared.is_over.load(Ordering::Relaxed) {
        let mood = *shared.mood.lock().unwrap_or_else(PoisonError::into_inner);
        if mood == Mood::Gone {
            if listener.take().is_some() {
                fs::remove_file(socket).unwrap();
            }
        } else if listener.is_none() {
            listener = listen(socket);
        }
        match listener.as_ref().map(UnixListener::accept) {
            Some(Ok((stream, _))) => {
                let shared = Arc::clone(shared);
                // A client that gives up is the test's to judge.
                threads.push(std::thread::spawn(move || drop(answer(stream, mood, &shared))));
            }
            _ => std::thread::sleep(TICK),
        }
    }
    for thread in threads {
        let _ = thread.join();
    }
}

fn answer(mut stream: UnixStream, mood: Mood, shared: &DaemonState) -> std::io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    // Head and body come in one write, and are short.
    let mut request = [0; 8192];
    let count = stream.read(&mut request)?;
    shared.requests.fetch_add(1, Ordering::Relaxed);
    let is_sign = request[..count].starts_with(b"POST");
    let body = if is_sign {
        format!(r#"{{"digest":"{DIGEST}"}}"#)
    } else {
        r#"{"certificate":""}"#.to_owned()
    };
    let whole = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let (wait, says) = match mood {
        Mood::Good | Mood::Gone => (Duration::ZERO, whole.as_bytes()),
        Mood::Slow(wait) => (wait, whole.as_bytes()),
        Mood::Silent => (Duration::MAX, &[][..]),
        Mood::Close => (Duration::ZERO, &[][..]),
        Mood::Says(bytes) => (Duration::ZERO, bytes),
        Mood::Half => (Duration::ZERO, &whole.as_bytes()[..whole.len() - body.len() / 2]),
    };
    let begun = Instant::now();
    while begun.elapsed() < wait && !shared.is_over.load(Ordering::Relaxed) {
        std::thread::sleep(TICK);
    }
    stream.write_all(says)
}
