//! A security daemon for tests: a unix socket, the module's key, and a script of moods.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::HOST;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinHandle;

use crate::azure::Key;
use crate::azure::workload::{Call, parse_sign_request, sign_response, trust_bundle_response};
use crate::hub::workload::{Workload, WorkloadAddress};

pub(crate) const KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

/// How the daemon treats one connection.
#[derive(Debug, Clone)]
pub(crate) enum Mood {
    /// As specified.
    Good,
    /// Takes the request and says nothing.
    Hang,
    /// Closes without reading.
    Close,
    /// Answers with these bytes, which need not be HTTP, and closes.
    Raw(Vec<u8>),
    /// Answers with this status and body.
    Answer(u16, String),
    /// Sends a byte of an endless answer each second.
    Drip,
}

#[derive(Debug)]
struct State {
    moods: VecDeque<Mood>,
    bundle: String,
    /// `METHOD target host` of each request that was read.
    requests: Vec<String>,
    connections: usize,
}

/// A running daemon; ends when dropped.
pub(crate) struct Daemon {
    state: Arc<Mutex<State>>,
    directory: TempDir,
    task: JoinHandle<()>,
}

impl Daemon {
    /// A daemon whose trust bundle is `bundle`.
    pub(crate) fn start(bundle: impl Into<String>) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let listener = UnixListener::bind(directory.path().join("w.sock")).expect("a socket");
        let state = Arc::new(Mutex::new(State {
            moods: VecDeque::new(),
            bundle: bundle.into(),
            requests: Vec::new(),
            connections: 0,
        }));
        let task = tokio::spawn(listen(listener, Arc::clone(&state)));
        Self { state, directory, task }
    }

    /// A client of this daemon.
    pub(crate) fn client(&self) -> Workload {
        Workload {
            address: WorkloadAddress::Unix(self.directory.path().join("w.sock")),
            api_version: "2022-08-03".into(),
            module: "m 1".into(),
            generation: "637".into(),
        }
    }

    /// The moods of the next connections, one each; good ones after them.
    pub(crate) fn moods(&self, moods: impl IntoIterator<Item = Mood>) {
        self.state().moods = moods.into_iter().collect();
    }

    pub(crate) fn set_bundle(&self, bundle: impl Into<String>) {
        self.state().bundle = bundle.into();
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.state().requests.clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.state().connections
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder panics")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn listen(listener: UnixListener, state: Arc<Mutex<State>>) {
    while let Ok((socket, _)) = listener.accept().await {
        let mood = {
            let mut state = state.lock().expect("no holder panics");
            state.connections += 1;
            state.moods.pop_front().unwrap_or(Mood::Good)
        };
        tokio::spawn(converse(socket, mood, Arc::clone(&state)));
    }
}

async fn converse(mut socket: UnixStream, mood: Mood, state: Arc<Mutex<State>>) {
    match mood {
        Mood::Close => {}
        Mood::Hang => while socket.read_u8().await.is_ok() {},
        Mood::Raw(bytes) => {
            let mut request = [0; 1024];
            let _ = socket.read(&mut request).await;
            let _ = socket.write_all(&bytes).await;
        }
        Mood::Drip => {
            let _ = socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n").await;
            while socket.write_all(b" ").await.is_ok() {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
        Mood::Good | Mood::Answer(..) => {
            let service = service_fn(|request| answer(request, mood.clone(), Arc::clone(&state)));
            let server = hyper::server::conn::http1::Builder::new();
            let _ = server.serve_connection(TokioIo::new(socket), service).await;
        }
    }
}

async fn answer(
    request: Request<Incoming>,
    mood: Mood,
    state: Arc<Mutex<State>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (method, target) = (request.method().to_string(), request.uri().to_string());
    let host = request.headers()[HOST].to_str().expect("text").to_owned();
    let body = request.into_body().collect().await.expect("a whole request").to_bytes();
    let bundle = {
        let mut state = state.lock().expect("no holder panics");
        state.requests.push(format!("{method} {target} {host}"));
        state.bundle.clone()
    };
    let (status, body) = match (mood, Call::parse(&method, &target)) {
        (Mood::Answer(status, body), _) => (status, body),
        (_, Some((Call::TrustBundle, _))) => (200, trust_bundle_response(&bundle)),
        (_, Some((Call::Sign { .. }, _))) => {
            let data = parse_sign_request(&body).expect("a good request");
            (200, sign_response(&Key::from_base64(KEY).expect("base64").sign(&data)))
        }
        (_, None) => (404, "{}".to_owned()),
    };
    Ok(Response::builder().status(status).body(Full::from(body)).expect("a valid answer"))
}
