//! MQTT bytes in binary WebSocket frames (MQTT 3.1.1 §6).
//!
//! - Each write leaves as one frame of at most [`FRAME_BYTES_MAX`]; a packet may span frames and a
//!   frame may hold many packets, in both directions.
//! - Bounded: one frame waits to be written, one is taken apart by the reader.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use futures_util::{Sink, Stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::tungstenite::client::ClientRequestBuilder;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::error::is_closed;
use crate::mqtt::ByteStream;
use crate::mqtt::connection::PACKET_BYTES_MAX;

/// Path of IoT Hub and edgeHub for MQTT over WebSocket (IoT Hub MQTT: port 443).
const PATH: &str = "/$iothub/websocket";
/// The subprotocol that the peer must agree to (MQTT 3.1.1 §6.0).
const SUBPROTOCOL: &str = "mqtt";
/// Largest frame that is sent.
const FRAME_BYTES_MAX: usize = 64 * 1024;

/// A byte stream over a WebSocket.
#[derive(Debug)]
pub(super) struct WebSocket<S> {
    socket: WebSocketStream<S>,
    /// What the reader has not taken of the last frame.
    rest: Bytes,
}

impl<S: ByteStream> WebSocket<S> {
    /// Shakes hands over `stream`, which leads to `host` and `port`.
    pub(super) async fn open(stream: S, host: &str, port: u16) -> Result<Self, String> {
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        let uri = format!("wss://{host}:{port}{PATH}").parse();
        let uri = uri.map_err(|error| format!("{host:?} fits into no URI: {error}"))?;
        let request = ClientRequestBuilder::new(uri).with_sub_protocol(SUBPROTOCOL);
        let config = WebSocketConfig::default()
            .read_buffer_size(FRAME_BYTES_MAX)
            .write_buffer_size(0)
            .max_write_buffer_size(4 * FRAME_BYTES_MAX)
            .max_message_size(Some(PACKET_BYTES_MAX))
            .max_frame_size(Some(PACKET_BYTES_MAX));
        let (socket, _) = client_async_with_config(request, stream, Some(config))
            .await
            .map_err(|error| refusal(&error))?;
        Ok(Self { socket, rest: Bytes::new() })
    }

    fn sink(&mut self) -> Pin<&mut WebSocketStream<S>> {
        Pin::new(&mut self.socket)
    }
}

impl<S: ByteStream> AsyncRead for WebSocket<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.rest.is_empty() {
            match ready!(self.sink().poll_next(cx)) {
                Some(Ok(Message::Binary(bytes))) => self.rest = bytes,
                // Answered by the codec.
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Ok(Message::Text(_))) => {
                    let problem = "a text frame, which MQTT forbids";
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
}

impl<S: ByteStream> AsyncWrite for WebSocket<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.sink().poll_ready(cx)).map_err(io_error)?;
        let frame = &bytes[..bytes.len().min(FRAME_BYTES_MAX)];
        let message = Message::Binary(Bytes::copy_from_slice(frame));
        self.sink().start_send(message).map_err(io_error)?;
        Poll::Ready(Ok(frame.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.sink().poll_flush(cx).map_err(io_error)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.sink().poll_close(cx).map_err(io_error)
    }
}

/// Why there is no WebSocket. What the library says stands behind, in brackets.
fn refusal(error: &Error) -> String {
    let closed = "it closed the connection";
    match error {
        Error::Http(response) => format!("it answered {}", response.status()),
        Error::Protocol(ProtocolError::SecWebSocketSubProtocolError(_)) => {
            format!("it does not agree to the subprotocol {SUBPROTOCOL:?} ({error})")
        }
        Error::Protocol(ProtocolError::HandshakeIncomplete)
        | Error::ConnectionClosed
        | Error::AlreadyClosed => closed.to_owned(),
        Error::Io(source) if is_closed(source) => closed.to_owned(),
        Error::Io(source) => format!("the connection failed ({source})"),
        _ => format!("what it answered is no WebSocket handshake ({error})"),
    }
}

fn io_error(error: Error) -> io::Error {
    match error {
        Error::Io(error) => error,
        Error::ConnectionClosed | Error::AlreadyClosed => io::ErrorKind::NotConnected.into(),
        other => io::Error::new(io::ErrorKind::InvalidData, other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::StreamExt;
    use hyper::Response;
    use std::time::Duration;
    use tokio::io::{AsyncWriteExt, duplex};
    use tokio_tungstenite::tungstenite::error::SubProtocolError;
    use tokio_tungstenite::tungstenite::protocol::Role;

    /// What the socket does not take at once leaves with the flush, not with the next write.
    #[tokio::test(start_paused = true)]
    async fn a_flush_ends_with_the_last_byte() {
        let (ours, theirs) = duplex(64);
        let config = WebSocketConfig::default().write_buffer_size(0);
        let socket = WebSocketStream::from_raw_socket(ours, Role::Client, Some(config)).await;
        let mut socket = WebSocket { socket, rest: Bytes::new() };
        let mut peer = WebSocketStream::from_raw_socket(theirs, Role::Server, None).await;
        let sending = async {
            socket.write_all(&[7; 1000]).await?;
            socket.flush().await
        };
        let both = async { tokio::join!(sending, peer.next()) };
        let (sent, got) = tokio::time::timeout(Duration::from_secs(60), both).await.unwrap();
        sent.unwrap();
        assert_eq!(got.unwrap().unwrap(), Message::Binary(vec![7; 1000].into()));
    }
    /// Each way in which there is no WebSocket, word for word.
    #[test]
    fn refusals_say_what_the_peer_did() {
        let http = |status: u16| {
            let answer = Response::builder().status(status).body(None);
            Error::Http(Box::new(answer.unwrap()))
        };
        let io = |kind: io::ErrorKind| Error::Io(kind.into());
        let protocol = |error| Error::Protocol(error);
        let closed = "it closed the connection";
        let rows = [
            (http(404), "it answered 404 Not Found"),
            (http(200), "it answered 200 OK"),
            (
                protocol(ProtocolError::SecWebSocketSubProtocolError(
                    SubProtocolError::NoSubProtocol,
                )),
                "it does not agree to the subprotocol \"mqtt\" (WebSocket protocol error: \
                 SubProtocol error: Server sent no subprotocol)",
            ),
            (protocol(ProtocolError::HandshakeIncomplete), closed),
            (Error::ConnectionClosed, closed),
            (Error::AlreadyClosed, closed),
            (io(io::ErrorKind::ConnectionReset), closed),
            (io(io::ErrorKind::UnexpectedEof), closed),
            (io(io::ErrorKind::TimedOut), "the connection failed (timed out)"),
            (
                protocol(ProtocolError::WrongHttpVersion),
                "what it answered is no WebSocket handshake (WebSocket protocol error: HTTP \
                 version must be 1.1 or higher)",
            ),
        ];
        for (error, words) in rows {
            assert_eq!(refusal(&error), words, "{error:?}");
        }
    }

    /// The end of a WebSocket is told by the kind of the socket's own error, or as an end.
    #[test]
    fn the_end_of_a_websocket_keeps_its_kind() {
        for (error, kind) in [
            (Error::Io(io::ErrorKind::TimedOut.into()), io::ErrorKind::TimedOut),
            (Error::ConnectionClosed, io::ErrorKind::NotConnected),
            (Error::AlreadyClosed, io::ErrorKind::NotConnected),
            (Error::Protocol(ProtocolError::HandshakeIncomplete), io::ErrorKind::InvalidData),
        ] {
            let error = io_error(error);
            assert_eq!(error.kind(), kind, "{error}");
        }
    }
}
