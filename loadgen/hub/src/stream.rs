//! The bytes of one client: TLS, or TLS with MQTT in WebSocket frames (MQTT 3.1.1 §6).
//!
//! Bounded: one frame of at most [`FRAME_BYTES_MAX`] waits to be written, one of at most
//! [`FRAME_READ_BYTES_MAX`] to be read. An MQTT packet may span frames and a frame hold many
//! packets, in both directions.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use futures_util::{Sink, Stream as _};
use sluicegate::azure::size::PACKET_BYTES_MAX;
use tokio::io::{AsyncRead, AsyncWrite, BufReader, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode, header};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async_with_config};

use super::strict::{Violation, violation};

/// Largest frame that is sent.
const FRAME_BYTES_MAX: usize = 64 * 1024;
/// Largest frame that is taken: a whole packet with its header.
const FRAME_READ_BYTES_MAX: usize = PACKET_BYTES_MAX + 16;
/// Path of IoT Hub, edgeHub and the provisioning service (IoT Hub MQTT: port 443).
const PATH: &str = "/$iothub/websocket";
/// The subprotocol that a client must offer (MQTT 3.1.1 §6.0).
const SUBPROTOCOL: &str = "mqtt";

/// The TLS stream over a socket read in large pieces: rustls itself asks for 4 KiB at a time.
pub(super) type Tls = TlsStream<BufReader<TcpStream>>;

/// What a client is served over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Door {
    /// MQTT over TLS.
    Mqtt,
    /// MQTT over WebSocket over TLS.
    WebSocket,
}

/// A client's bytes, whatever its door.
pub(super) enum Stream {
    Tls(Box<Tls>),
    WebSocket(Box<WebSocket>),
}

/// Bytes in binary frames.
pub(super) struct WebSocket {
    socket: WebSocketStream<Tls>,
    /// What the reader has not taken of the last frame.
    rest: Bytes,
}

impl Stream {
    /// Opens what the door asks for.
    ///
    /// # Errors
    /// The client's WebSocket handshake is none, or asks for another path or subprotocol.
    pub(super) async fn open(tls: Tls, door: Door) -> Result<Self, Error> {
        match door {
            Door::Mqtt => Ok(Self::Tls(Box::new(tls))),
            Door::WebSocket => {
                let config = WebSocketConfig::default()
                    .read_buffer_size(FRAME_BYTES_MAX)
                    .write_buffer_size(0)
                    .max_write_buffer_size(4 * FRAME_BYTES_MAX)
                    .max_message_size(Some(FRAME_READ_BYTES_MAX))
                    .max_frame_size(Some(FRAME_READ_BYTES_MAX));
                let socket = accept_hdr_async_with_config(tls, agree, Some(config)).await?;
                Ok(Self::WebSocket(Box::new(WebSocket { socket, rest: Bytes::new() })))
            }
        }
    }
}

/// Agrees to MQTT on the hub's path, and to nothing else.
#[expect(clippy::result_large_err, reason = "the library's signature")]
fn agree(request: &Request, mut response: Response) -> Result<Response, ErrorResponse> {
    let refuse = |status: StatusCode, why: &str| {
        tracing::warn!(status = status.as_u16(), "WebSocket refused: {why}");
        let mut refusal = ErrorResponse::new(None);
        *refusal.status_mut() = status;
        Err(refusal)
    };
    if request.uri().path() != PATH {
        return refuse(StatusCode::NOT_FOUND, "the path must be /$iothub/websocket");
    }
    let offered = request.headers().get_all(header::SEC_WEBSOCKET_PROTOCOL);
    let mut offered = offered.iter().filter_map(|value| value.to_str().ok());
    if !offered.any(|list| list.split(',').any(|name| name.trim() == SUBPROTOCOL)) {
        let why = "the client must offer the subprotocol `mqtt` [MQTT-6.0.0-3]";
        return refuse(StatusCode::BAD_REQUEST, why);
    }
    let agreed = HeaderValue::from_static(SUBPROTOCOL);
    response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, agreed);
    Ok(response)
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tls(tls) => Pin::new(tls).poll_read(cx, buffer),
            Self::WebSocket(socket) => socket.poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tls(tls) => Pin::new(tls).poll_write(cx, bytes),
            Self::WebSocket(socket) => socket.poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tls(tls) => Pin::new(tls).poll_flush(cx),
            Self::WebSocket(socket) => {
                Pin::new(&mut socket.socket).poll_flush(cx).map_err(io_error)
            }
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
            Self::WebSocket(socket) => {
                Pin::new(&mut socket.socket).poll_close(cx).map_err(io_error)
            }
        }
    }
}

impl WebSocket {
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.rest.is_empty() {
            match ready!(Pin::new(&mut self.socket).poll_next(cx)) {
                Some(Ok(Message::Binary(bytes))) => self.rest = bytes,
                // Answered by the library.
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Ok(Message::Text(_))) => {
                    let problem = violation("a text frame", &["MQTT-6.0.0-1"]);
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, problem)));
                }
                Some(Ok(Message::Close(_))) | None => return Poll::Ready(Ok(())),
                Some(Err(error)) => return Poll::Ready(Err(io_error(error))),
            }
        }
        let count = self.rest.len().min(buffer.remaining());
        buffer.put_slice(&self.rest[..count]);
        self.rest.advance(count);
        Poll::Ready(Ok(()))
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut socket = Pin::new(&mut self.socket);
        ready!(socket.as_mut().poll_ready(cx)).map_err(io_error)?;
        let frame = &bytes[..bytes.len().min(FRAME_BYTES_MAX)];
        let message = Message::Binary(Bytes::copy_from_slice(frame));
        socket.start_send(message).map_err(io_error)?;
        Poll::Ready(Ok(frame.len()))
    }
}

fn io_error(error: Error) -> io::Error {
    match error {
        Error::Io(error) => error,
        Error::ConnectionClosed | Error::AlreadyClosed => io::ErrorKind::UnexpectedEof.into(),
        other => {
            let problem = violation(format!("the WebSocket failed: {other}"), &[]);
            io::Error::new(io::ErrorKind::InvalidData, problem)
        }
    }
}

/// What the client did wrong, if that is why the stream cannot be read.
pub(super) fn violation_of(error: &io::Error) -> Option<Violation> {
    error.get_ref()?.downcast_ref::<Violation>().cloned()
}
