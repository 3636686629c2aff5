//! The workload API of the edge runtime, one unix socket per module (edgelet: workload API).
//!
//! ```text
//! {state}/workload/{module}.sock --HTTP/1.1--> sign with the module's key | trust bundle
//! http://127.0.0.1:port (tests)  --HTTP/1.1--> the same, for every module
//! ```
//! Runs on the hub's thread, one task per connection. Bounded: [`REQUESTS_MAX`] connections per
//! listener (a further one is closed without an answer, as the daemon does), [`REQUEST_WAIT`] for
//! a request, [`BODY_BYTES_MAX`] for its body. A signature is never logged.

use std::cell::RefCell;
use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::config::HubConfig;
use super::lobby;
use super::state::HubState;
use super::workload_answer::WorkloadAnswer;
use super::{HubError, listen};
use requests::Scope;
use socket::{ModuleSocket, SocketFile};

use super::workload_fault::WorkloadFault;
pub(super) use socket::socket_path;

mod requests;
mod socket;

/// Connections served at once per listener (edgelet: ten concurrent requests per socket).
pub(super) const REQUESTS_MAX: usize = 10;
/// Longest time for a request's head, and again for its body; also for the next request on a kept
/// connection.
const REQUEST_WAIT: Duration = Duration::from_secs(30);
/// Largest body of a request.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// The listeners, open and not served yet.
pub(super) struct Workload {
    sockets: Vec<ModuleSocket>,
    http: Option<std::net::TcpListener>,
    /// Where `http` listens.
    pub(super) http_address: Option<SocketAddr>,
}

impl Workload {
    /// Makes a socket for every module of the manifest. One whose path is too long for a socket is
    /// left out with a warning: only who asks for it needs it.
    ///
    /// # Errors
    /// A socket or the address cannot be made.
    pub(super) fn open(config: &HubConfig) -> Result<Self, HubError> {
        let sockets = socket::open_all(&config.state_dir, config.manifest.modules.keys())?;
        let (http, http_address) = match config.workload_http.map(listen).transpose()? {
            Some((listener, address)) => (Some(listener), Some(address)),
            None => (None, None),
        };
        Ok(Self { sockets, http, http_address })
    }

    /// Serves until the local set ends; the socket files go with it.
    ///
    /// # Errors
    /// The listeners do not fit this runtime.
    pub(super) fn spawn(self, hub: &Rc<RefCell<HubState>>) -> io::Result<()> {
        for ModuleSocket { module, listener, file } in self.sockets {
            let listener = UnixListener::from_std(listener)?;
            let hub = Rc::clone(hub);
            tokio::task::spawn_local(serve_unix(hub, listener, file, Scope::Module(module)));
        }
        if let Some(listener) = self.http {
            let listener = TcpListener::from_std(listener)?;
            tokio::task::spawn_local(serve_http(Rc::clone(hub), listener));
        }
        Ok(())
    }
}

async fn serve_unix(
    hub: Rc<RefCell<HubState>>,
    listener: UnixListener,
    file: SocketFile,
    scope: Scope,
) {
    // Removed when this task ends.
    let _file = file;
    let places = Places::new(hub, scope);
    loop {
        places.admit(listener.accept().await.map(|(stream, _)| stream)).await;
    }
}

async fn serve_http(hub: Rc<RefCell<HubState>>, listener: TcpListener) {
    let places = Places::new(hub, Scope::Every);
    loop {
        places.admit(listener.accept().await.map(|(stream, _)| stream)).await;
    }
}

/// The places of one listener.
struct Places {
    hub: Rc<RefCell<HubState>>,
    scope: Rc<Scope>,
    free: Arc<Semaphore>,
}

impl Places {
    fn new(hub: Rc<RefCell<HubState>>, scope: Scope) -> Self {
        Self { hub, scope: Rc::new(scope), free: Arc::new(Semaphore::new(REQUESTS_MAX)) }
    }

    /// Serves a connection in a task of its own, or closes it when every place is taken.
    async fn admit<S>(&self, accepted: io::Result<S>)
    where
        S: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let stream = match accepted {
            Ok(stream) => stream,
            Err(error) => {
                return lobby::recover(&error, || self.hub.borrow_mut().shed_oldest()).await;
            }
        };
        let Ok(place) = Arc::clone(&self.free).try_acquire_owned() else {
            self.hub.borrow_mut().counters.workload_dropped += 1;
            tracing::warn!(limit = REQUESTS_MAX, "workload: too many requests: one dropped");
            return;
        };
        let (hub, scope) = (Rc::clone(&self.hub), Rc::clone(&self.scope));
        tokio::task::spawn_local(async move {
            serve_connection(hub, scope, stream).await;
            drop(place);
        });
    }
}

async fn serve_connection<S>(hub: Rc<RefCell<HubState>>, scope: Rc<Scope>, mut stream: S)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    if hub.borrow().workload_fault == Some(WorkloadFault::NotHttp) {
        // The client may be gone before it has read this.
        let _ = timeout(REQUEST_WAIT, talk_nonsense(&mut stream)).await;
        return;
    }
    let service = service_fn(|request| answer(&hub, &scope, request));
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(REQUEST_WAIT)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "workload: connection ended");
    }
}

/// What no HTTP client understands.
async fn talk_nonsense<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S) -> io::Result<()> {
    let mut request = [0; 1024];
    let _ = stream.read(&mut request).await?;
    stream.write_all(b"\x16\x03\x01 this is no HTTP\r\n\r\n").await?;
    stream.shutdown().await
}

/// The connection is to be closed without an answer.
#[derive(Debug, Error)]
#[error("closed without an answer, as it was asked to")]
struct Close;

async fn answer(
    hub: &RefCell<HubState>,
    scope: &Scope,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Close> {
    hub.borrow_mut().counters.workload_requests += 1;
    let fault = hub.borrow().workload_fault.clone();
    match &fault {
        Some(WorkloadFault::Hang) => match pending::<Infallible>().await {},
        Some(WorkloadFault::Close) => return Err(Close),
        _ => {}
    }
    let (head, body) = request.into_parts();
    let target = head.uri.path_and_query().map_or("", |target| target.as_str());
    let answer = match timeout(REQUEST_WAIT, Limited::new(body, BODY_BYTES_MAX).collect()).await {
        Err(_) => WorkloadAnswer::error(StatusCode::BAD_REQUEST, "the body did not come in time"),
        Ok(Err(_)) => {
            WorkloadAnswer::error(StatusCode::BAD_REQUEST, "the body is cut off or too large")
        }
        Ok(Ok(body)) => {
            let answer =
                hub.borrow_mut().workload_answer(scope, &head.method, target, &body.to_bytes());
            fault.map_or(answer.clone(), |fault| fault.spoil(answer, target))
        }
    };
    if answer.status != StatusCode::OK {
        tracing::warn!(
            status = answer.status.as_u16(),
            target,
            message = answer.message(),
            "workload: refused"
        );
    }
    let mut response = Response::new(Full::new(Bytes::from(answer.body)));
    *response.status_mut() = answer.status;
    response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(JSON));
    Ok(response)
}

const JSON: &str = "application/json";

/// The absolute path of a module's socket, if it can be one.
///
/// # Errors
/// `Socket` when it is too long for a unix socket.
pub(super) fn checked_socket_path(
    state_dir: &Path,
    module: &str,
) -> Result<std::path::PathBuf, HubError> {
    let path = socket_path(state_dir, module);
    socket::check_length(&path)?;
    Ok(path)
}

#[cfg(test)]
mod tests;
