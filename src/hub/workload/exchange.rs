//! One request on one connection: HTTP/1.1 by hyper, each part bounded.

use std::error::Error;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use super::WorkloadAddress;
use crate::azure::workload::Call;
use crate::mqtt::ByteStream;

/// Longest time from the connection to the last byte of the answer.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(6);
/// Largest answer: a trust bundle of some hundred certificates.
pub const ANSWER_BYTES_MAX: usize = 1024 * 1024;
/// Largest status line with headers.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Fault {
    Connect(io::Error),
    /// The daemon closed before its answer was whole.
    Closed,
    Timeout,
    TooLarge,
    NotHttp(String),
}

/// Sends `call` and returns the answer with its body, whatever its status.
pub(super) async fn exchange(
    address: &WorkloadAddress,
    call: &Call,
    api_version: &str,
    body: String,
) -> Result<(StatusCode, Bytes), Fault> {
    let exchange = async {
        match address {
            WorkloadAddress::Unix(path) => {
                let socket = UnixStream::connect(path).await.map_err(Fault::Connect)?;
                converse(socket, request(address, call, api_version, body)?).await
            }
            WorkloadAddress::Http { host, port } => {
                let socket = TcpStream::connect((host.as_str(), *port)).await;
                let socket = socket.map_err(Fault::Connect)?;
                converse(socket, request(address, call, api_version, body)?).await
            }
        }
    };
    timeout(REQUEST_TIMEOUT, exchange).await.unwrap_or(Err(Fault::Timeout))
}

fn request(
    address: &WorkloadAddress,
    call: &Call,
    api_version: &str,
    body: String,
) -> Result<Request<Full<Bytes>>, Fault> {
    let request = Request::builder()
        .method(call.method())
        .uri(call.target(api_version))
        .header(HOST, address.authority());
    let request = match call {
        Call::TrustBundle => request,
        Call::Sign { .. } => request.header(CONTENT_TYPE, "application/json"),
    };
    request.body(Full::from(body)).map_err(|error| Fault::NotHttp(error.to_string()))
}

async fn converse(
    socket: impl ByteStream + Send + 'static,
    request: Request<Full<Bytes>>,
) -> Result<(StatusCode, Bytes), Fault> {
    let mut builder = http1::Builder::new();
    builder.max_buf_size(HEAD_BYTES_MAX);
    let (mut sender, connection) = builder.handshake(TokioIo::new(socket)).await.map_err(fault)?;
    let answer = async {
        let response = sender.send_request(request).await.map_err(fault)?;
        let status = response.status();
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
        // The limit adds one error to those of the body: its own.
        let body = body.map_err(|error| {
            error.downcast::<hyper::Error>().map_or(Fault::TooLarge, |error| fault(*error))
        })?;
        Ok((status, body.to_bytes()))
    };
    // The connection moves the bytes; its own end shows in the answer too.
    let connection = async {
        let _ = connection.await;
        std::future::pending().await
    };
    tokio::select! {
        biased;
        answer = answer => answer,
        never = connection => never,
    }
}

fn fault(error: hyper::Error) -> Fault {
    let socket = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    let is_gone = socket.is_some_and(|error| {
        use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
        matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
    });
    if is_gone || error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
        return Fault::Closed;
    }
    let cause = error.source().map(|source| format!(": {source}")).unwrap_or_default();
    Fault::NotHttp(format!("{error}{cause}"))
}
