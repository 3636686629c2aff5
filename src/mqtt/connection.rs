//! The socket side of MQTT: batched reads, one write per turn, keep-alive.
//!
//! A turn writes what waits, reads what is there (at most [`READ_BYTES`]), decodes it whole and
//! hands the packets over as one batch. Reading never waits for writing nor writing for reading,
//! so a peer that is slow in one direction cannot block the other.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use rumqttc::mqttbytes::v4::{Packet, PubAck, Publish};
use rumqttc::mqttbytes::{self, QoS};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::sync::Notify;
use tokio::time::{Instant, Interval, MissedTickBehavior};
use tokio_util::io::poll_read_buf;

/// Most bytes decoded in one turn; also the size of a read buffer chunk.
pub const READ_BYTES: usize = 64 * 1024;
/// A caller stops adding publishes while this many bytes wait to be written.
pub const WRITE_HIGH_WATER_BYTES: usize = 256 * 1024;
/// Largest packet taken from the peer: the 256 KiB that IoT Edge allows, and headers.
pub const PACKET_BYTES_MAX: usize = 256 * 1024 + 64 * 1024 + 16;
/// How often a turn returns without any traffic, so that its caller can look at its clocks.
pub const TICK: Duration = Duration::from_millis(500);
/// A fresh chunk is taken once less than this is left of the current one.
const READ_BYTES_MIN: usize = 8 * 1024;

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    /// The peer closed the connection without a word.
    #[error("the peer closed the connection")]
    Closed,
    /// The socket failed.
    #[error("socket: {0}")]
    Io(#[from] std::io::Error),
    /// The peer sent bytes that are not MQTT 3.1.1, or a packet over [`PACKET_BYTES_MAX`].
    #[error("not valid MQTT 3.1.1 from the peer: {0}")]
    Protocol(#[from] mqttbytes::Error),
    /// No answer to a PINGREQ (MQTT 3.1.1 §3.1.2.10).
    #[error("no answer to PINGREQ within {0:?}")]
    KeepAlive(Duration),
}

/// What a connection runs on: a socket, TLS over one, or memory in tests.
pub trait ByteStream: AsyncRead + AsyncWrite + Unpin {}

impl<S: AsyncRead + AsyncWrite + Unpin> ByteStream for S {}

/// A connected MQTT byte stream.
pub struct Connection<S> {
    stream: S,
    read_buffer: BytesMut,
    write_buffer: BytesMut,
    needs_flush: bool,
    keep_alive: Duration,
    tick: Interval,
    last_sent: Instant,
    last_heard: Instant,
    ping_sent: Option<Instant>,
}

impl<S: ByteStream> Connection<S> {
    /// Wraps a stream on which nothing has been sent yet. `keep_alive` is the value announced in
    /// CONNECT; zero switches PINGREQ off.
    pub fn new(stream: S, keep_alive: Duration) -> Self {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            stream,
            read_buffer: BytesMut::new(),
            write_buffer: BytesMut::with_capacity(4096),
            needs_flush: false,
            keep_alive,
            tick,
            last_sent: Instant::now(),
            last_heard: Instant::now(),
            ping_sent: None,
        }
    }

    /// Adds any packet to the next write.
    ///
    /// # Errors
    /// When the packet cannot be encoded; nothing is added then.
    pub fn send(&mut self, packet: &Packet) -> Result<(), ConnectionError> {
        packet.write(&mut self.write_buffer, PACKET_BYTES_MAX)?;
        Ok(())
    }

    /// Adds a publish to the next write.
    ///
    /// # Errors
    /// When the publish cannot be encoded (a QoS 1 publish without packet id).
    pub fn publish(&mut self, publish: &Publish) -> Result<(), ConnectionError> {
        publish.write(&mut self.write_buffer)?;
        Ok(())
    }

    /// Adds a PUBACK to the next write.
    ///
    /// # Errors
    /// Never for a valid packet id; the codec's own signature says so.
    pub fn acknowledge(&mut self, packet_id: u16) -> Result<(), ConnectionError> {
        PubAck::new(packet_id).write(&mut self.write_buffer)?;
        Ok(())
    }

    /// Whether there is room for more publishes before the socket takes what waits.
    pub fn is_writable(&self) -> bool {
        self.write_buffer.len() < WRITE_HIGH_WATER_BYTES
    }

    /// One turn: returns once packets arrived (appended to `inbox`), `wake` was notified, waiting
    /// bytes fell below the high-water mark, or [`TICK`] passed. With `read` false nothing is read.
    ///
    /// # Errors
    /// When the connection is over; what `inbox` got before that is valid.
    pub async fn turn(
        &mut self,
        inbox: &mut Vec<Packet>,
        wake: &Notify,
        read: bool,
    ) -> Result<(), ConnectionError> {
        let notified = wake.notified();
        tokio::pin!(notified);
        poll_fn(|cx| {
            let was_full = !self.is_writable();
            self.poll_write(cx)?;
            let mut done = was_full && self.is_writable();
            done |= read && self.poll_read(cx, inbox)?;
            done |= notified.as_mut().poll(cx).is_ready();
            if self.tick.poll_tick(cx).is_ready() {
                // Polled again so that the timer knows this task before it sleeps.
                let _ = self.tick.poll_tick(cx);
                self.keep_alive(read)?;
                self.poll_write(cx)?;
                done = true;
            }
            if done { Poll::Ready(Ok(())) } else { Poll::Pending }
        })
        .await
    }

    /// Writes everything that waits, reading nothing. Bound it with a time-out.
    ///
    /// # Errors
    /// When the socket fails.
    pub async fn flush(&mut self) -> Result<(), ConnectionError> {
        poll_fn(|cx| {
            self.poll_write(cx)?;
            let empty = self.write_buffer.is_empty() && !self.needs_flush;
            if empty { Poll::Ready(Ok(())) } else { Poll::Pending }
        })
        .await
    }

    /// Sends DISCONNECT (MQTT 3.1.1 §3.14), closes the stream, and reads it to its end: a socket
    /// that is closed with unread bytes is reset, and the peer may lose what we wrote last. Bound
    /// it with a time-out.
    ///
    /// # Errors
    /// When the socket fails before DISCONNECT has left.
    pub async fn disconnect(mut self) -> Result<(), ConnectionError> {
        self.send(&Packet::Disconnect)?;
        self.flush().await?;
        poll_fn(|cx| Pin::new(&mut self.stream).poll_shutdown(cx)).await?;
        self.read_buffer.clear();
        while let Ok(1..) = self.stream.read_buf(&mut self.read_buffer).await {
            self.read_buffer.clear();
        }
        Ok(())
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Result<(), ConnectionError> {
        while !self.write_buffer.is_empty() {
            match Pin::new(&mut self.stream).poll_write(cx, &self.write_buffer) {
                Poll::Ready(Ok(0)) => return Err(ConnectionError::Closed),
                Poll::Ready(Ok(count)) => {
                    self.write_buffer.advance(count);
                    self.last_sent = Instant::now();
                    self.needs_flush = true;
                }
                Poll::Ready(Err(error)) => return Err(error.into()),
                Poll::Pending => return Ok(()),
            }
        }
        if self.needs_flush {
            match Pin::new(&mut self.stream).poll_flush(cx) {
                Poll::Ready(result) => {
                    result?;
                    self.needs_flush = false;
                }
                Poll::Pending => {}
            }
        }
        Ok(())
    }

    /// Reads until the socket is empty or the turn's share is full. True when packets arrived.
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        inbox: &mut Vec<Packet>,
    ) -> Result<bool, ConnectionError> {
        let before = inbox.len();
        let mut bytes = 0;
        while bytes < READ_BYTES {
            if self.read_buffer.capacity() - self.read_buffer.len() < READ_BYTES_MIN {
                self.read_buffer.reserve(READ_BYTES);
            }
            match poll_read_buf(Pin::new(&mut self.stream), cx, &mut self.read_buffer) {
                // The end comes again at the next read; first what came before it, such as the
                // CONNACK of a peer that refuses and hangs up.
                Poll::Ready(Ok(0) | Err(_)) if inbox.len() > before => return Ok(true),
                Poll::Ready(Ok(0)) => return Err(ConnectionError::Closed),
                Poll::Ready(Ok(count)) => {
                    bytes += count;
                    self.ping_sent = None;
                    self.last_heard = Instant::now();
                    self.decode(inbox)?;
                }
                Poll::Ready(Err(error)) => return Err(error.into()),
                Poll::Pending => return Ok(inbox.len() > before),
            }
        }
        // The share is used up with bytes left in the socket: if no packet was complete the task
        // must still be polled again, as no new readiness event is due.
        if inbox.len() == before {
            cx.waker().wake_by_ref();
        }
        Ok(inbox.len() > before)
    }

    fn decode(&mut self, inbox: &mut Vec<Packet>) -> Result<(), ConnectionError> {
        loop {
            match Packet::read(&mut self.read_buffer, PACKET_BYTES_MAX) {
                Ok(packet) => inbox.push(packet),
                Err(mqttbytes::Error::InsufficientBytes(missing)) => {
                    self.read_buffer.reserve(missing);
                    return Ok(());
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// A peer is asked for a sign of life when nothing was sent for half the keep-alive, which the
    /// protocol wants, and when nothing was heard for so long: what is sent into a dead connection
    /// proves nothing. While the caller does not read on purpose, nor does a missing PINGRESP.
    fn keep_alive(&mut self, reading: bool) -> Result<(), ConnectionError> {
        if self.keep_alive.is_zero() {
            return Ok(());
        }
        let now = Instant::now();
        if !reading {
            self.last_heard = now;
        }
        match self.ping_sent {
            Some(sent) if !reading => self.ping_sent = Some(sent.max(now - TICK)),
            Some(sent) if now - sent > self.keep_alive / 2 => {
                return Err(ConnectionError::KeepAlive(self.keep_alive / 2));
            }
            Some(_) => {}
            None if now - self.last_sent.min(self.last_heard) >= self.keep_alive / 2 => {
                self.send(&Packet::PingReq)?;
                self.ping_sent = Some(now);
            }
            None => {}
        }
        Ok(())
    }
}

/// A QoS 1 publish ready for [`Inflight`](super::Inflight); the packet id is set there.
pub fn publish_at_least_once(topic: String, payload: bytes::Bytes) -> Publish {
    Publish::from_bytes(topic, QoS::AtLeastOnce, payload)
}

#[cfg(test)]
mod tests;
