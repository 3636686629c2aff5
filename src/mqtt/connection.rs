//! The socket side of MQTT: batched reads, one write per turn, keep-alive.
//!
//! A turn writes what waits, reads what is there (at most [`READ_BYTES`]), decodes it whole and
//! hands the packets over as one batch, with the block of bytes that they are in. Reading never
//! waits for writing nor writing for reading, so a peer that is slow in one direction cannot block
//! the other.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use rumqttc::mqttbytes::v4::Packet;
use rumqttc::mqttbytes::{self, QoS};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::sync::Notify;
use tokio::time::{Interval, MissedTickBehavior};
use tokio_util::io::poll_read_buf;
use tracing::debug;

use super::inbox::Inbox;
use super::wire::{self, Incoming, Outgoing};
pub use chunks::CHUNK_BYTES_MAX;
use chunks::{CHUNK_BYTES, Chunks, READ_BYTES_MIN};
pub use error::ConnectionError;
use exactly_once::ExactlyOnce;
use keep_alive::KeepAlive;

mod chunks;
mod error;
mod exactly_once;
mod keep_alive;

/// Most bytes read in one turn.
pub const READ_BYTES: usize = 64 * 1024;
/// A caller stops adding publishes while this many bytes wait to be written.
pub const WRITE_HIGH_WATER_BYTES: usize = 256 * 1024;
/// Bytes that may wait to be written at all: a peer that sends, and takes not even the answers.
pub const WRITE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Largest packet taken from the peer: the 256 KiB that IoT Edge allows, and headers.
pub const PACKET_BYTES_MAX: usize = 256 * 1024 + 64 * 1024 + 16;
/// How often a turn returns without any traffic, so that its caller can look at its clocks.
pub const TICK: Duration = Duration::from_millis(500);
/// How long the peer may take to close after DISCONNECT, before we do.
pub const DISCONNECT_WAIT: Duration = Duration::from_secs(1);
/// Most packets that one turn hands over; the next one goes on behind them. Small packets alone
/// would make lists of many times their size.
pub const TURN_PACKETS_MAX: usize = 4096;
/// A write buffer that has room for more gives its memory back once it is written: for alerts up to
/// the high-water mark, one more packet, and acknowledgements.
const WRITE_BYTES_KEPT: usize = 4 * WRITE_HIGH_WATER_BYTES;

/// What a connection runs on: a socket, TLS over one, or memory in tests.
pub trait ByteStream: AsyncRead + AsyncWrite + Unpin {}

impl<S: AsyncRead + AsyncWrite + Unpin> ByteStream for S {}

/// A connected MQTT byte stream.
pub struct Connection<S> {
    stream: S,
    read_buffer: BytesMut,
    chunks: Chunks,
    /// The read buffer is larger than a chunk, for a large packet.
    is_large: bool,
    /// The read buffer may begin with a whole packet.
    undecoded: bool,
    /// Bytes still to come of a packet that is too large, and what its owner gets behind them.
    oversized: Option<(usize, QoS, Incoming)>,
    /// The end of the stream, until what came before it is taken.
    end: Option<ConnectionError>,
    exactly_once: ExactlyOnce,
    write_buffer: Vec<u8>,
    /// Bytes of `write_buffer` that the socket has taken.
    written: usize,
    needs_flush: bool,
    /// Scratch for the packets that rumqttc encodes.
    encoded: BytesMut,
    keep_alive: KeepAlive,
    tick: Interval,
    /// Whether something was sent, or heard, since the last tick. The clock is not read for either.
    sent: bool,
    heard: bool,
}

impl<S: ByteStream> Connection<S> {
    /// Wraps a stream on which nothing has been sent yet. `keep_alive` is the value announced in
    /// CONNECT; zero switches PINGREQ off.
    pub fn new(stream: S, keep_alive: Duration) -> Self {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            stream,
            read_buffer: BytesMut::with_capacity(CHUNK_BYTES),
            chunks: Chunks::default(),
            is_large: false,
            undecoded: false,
            oversized: None,
            end: None,
            exactly_once: ExactlyOnce::default(),
            write_buffer: Vec::with_capacity(4096),
            written: 0,
            needs_flush: false,
            encoded: BytesMut::new(),
            keep_alive: KeepAlive::new(keep_alive),
            tick,
            sent: false,
            heard: false,
        }
    }

    /// Adds any packet to the next write.
    ///
    /// # Errors
    /// When the packet cannot be encoded; nothing is added then.
    pub fn send(&mut self, packet: &Packet) -> Result<(), ConnectionError> {
        self.encoded.clear();
        packet.write(&mut self.encoded, PACKET_BYTES_MAX)?;
        self.write_buffer.extend_from_slice(&self.encoded);
        Ok(())
    }

    /// Adds a publish to the next write.
    ///
    /// # Errors
    /// When the publish cannot be encoded: a topic over 65,535 bytes.
    #[inline]
    pub fn publish<'a>(&mut self, publish: impl Into<Outgoing<'a>>) -> Result<(), ConnectionError> {
        publish.into().write(&mut self.write_buffer)?;
        Ok(())
    }

    /// Adds the acknowledgement of a message to the next write: PUBACK, or PUBREC where it came at
    /// QoS 2. To be called in order of receipt (MQTT 3.1.1 §4.6).
    #[inline]
    pub fn acknowledge(&mut self, packet_id: u16) {
        if self.exactly_once.is_idle() {
            wire::write_puback(&mut self.write_buffer, packet_id);
        } else {
            self.exactly_once.acknowledge(packet_id, &mut self.write_buffer);
        }
    }

    /// The keep-alive that was announced.
    pub fn keep_alive_interval(&self) -> Duration {
        self.keep_alive.interval()
    }

    /// How long nothing was sent or heard, as exactly as to a [`TICK`].
    pub fn silence(&self) -> Duration {
        if self.sent || self.heard { Duration::ZERO } else { self.keep_alive.silence() }
    }

    /// Whether there is room for more publishes before the socket takes what waits.
    pub fn is_writable(&self) -> bool {
        self.write_buffer.len() - self.written < WRITE_HIGH_WATER_BYTES
    }

    /// One turn: returns once packets arrived (put into `inbox`), `wake` was notified, waiting
    /// bytes fell below the high-water mark, or [`TICK`] passed. With `read` false nothing is read.
    /// A turn whose `inbox` is not empty yet reads nothing either.
    ///
    /// # Errors
    /// When the connection is over; what `inbox` got before that is valid.
    pub async fn turn(
        &mut self,
        inbox: &mut Inbox,
        wake: &Notify,
        read: bool,
    ) -> Result<(), ConnectionError> {
        let notified = wake.notified();
        tokio::pin!(notified);
        poll_fn(|cx| {
            let was_full = !self.is_writable();
            let mut failure = self.poll_write(cx).err();
            let mut done = was_full && self.is_writable();
            // What the peer said before it hung up comes first, whichever way it shows.
            done |= read && self.poll_read(cx, inbox, TURN_PACKETS_MAX)?;
            done |= notified.as_mut().poll(cx).is_ready();
            if failure.is_none() && self.tick.poll_tick(cx).is_ready() {
                // Polled again so that the timer knows this task before it sleeps.
                let _ = self.tick.poll_tick(cx);
                failure = self.poll_keep_alive(cx, read).err();
                done = true;
            }
            match failure {
                Some(failure) if inbox.is_empty() => Poll::Ready(Err(failure)),
                Some(failure) => {
                    self.end.get_or_insert(failure);
                    Poll::Ready(Ok(()))
                }
                None if done => Poll::Ready(Ok(())),
                None => Poll::Pending,
            }
        })
        .await
    }

    /// Writes what the socket takes at once, and never waits: for a caller that is going to pause.
    ///
    /// # Errors
    /// When the socket fails.
    pub async fn write_now(&mut self) -> Result<(), ConnectionError> {
        poll_fn(|cx| Poll::Ready(self.poll_write(cx))).await
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

    /// [`disconnect`](Self::disconnect), for as long as [`DISCONNECT_WAIT`]. How it went is of no
    /// consequence: what the peer has not acknowledged is sent again.
    pub async fn close(self) {
        match tokio::time::timeout(DISCONNECT_WAIT, self.disconnect()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => debug!("DISCONNECT: {error}"),
            Err(_) => debug!("the peer did not close within {DISCONNECT_WAIT:?} of DISCONNECT"),
        }
    }

    fn poll_keep_alive(
        &mut self,
        cx: &mut Context<'_>,
        reading: bool,
    ) -> Result<(), ConnectionError> {
        let (sent, heard) = (std::mem::take(&mut self.sent), std::mem::take(&mut self.heard));
        if !self.keep_alive.tick(sent, heard, reading)? {
            return Ok(());
        }
        self.send(&Packet::PingReq)?;
        self.poll_write(cx)?;
        // A question is nothing that anybody would have to be asked about.
        self.sent = false;
        Ok(())
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Result<(), ConnectionError> {
        while self.written < self.write_buffer.len() {
            let waiting = &self.write_buffer[self.written..];
            match Pin::new(&mut self.stream).poll_write(cx, waiting) {
                Poll::Ready(Ok(0)) => return Err(ConnectionError::Closed),
                Poll::Ready(Ok(count)) => {
                    self.written += count;
                    self.sent = true;
                    self.needs_flush = true;
                }
                Poll::Ready(Err(error)) => return Err(error.into()),
                Poll::Pending => {
                    self.forget_written();
                    let waiting = self.write_buffer.len() - self.written;
                    let is_deaf = waiting > WRITE_BYTES_MAX;
                    return if is_deaf { Err(ConnectionError::Deaf(waiting)) } else { Ok(()) };
                }
            }
        }
        self.forget_written();
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

    /// Makes room at the front once that moves fewer bytes than it frees.
    fn forget_written(&mut self) {
        if self.written >= self.write_buffer.len() - self.written {
            self.write_buffer.drain(..self.written);
            self.written = 0;
            if self.write_buffer.is_empty() && self.write_buffer.capacity() > WRITE_BYTES_KEPT {
                self.write_buffer = Vec::new();
            }
        }
    }

    /// Reads until the socket is empty or the turn's share is full, and decodes at most `limit`
    /// packets. True when packets arrived, or `inbox` holds some from before, or when some were
    /// answered here and the answers are to be written.
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        inbox: &mut Inbox,
        limit: usize,
    ) -> Result<bool, ConnectionError> {
        if !inbox.is_empty() {
            return Ok(true);
        }
        let (mut bytes, mut is_drained) = (0, false);
        while !self.undecoded && self.end.is_none() && bytes < READ_BYTES {
            let room = self.read_buffer.capacity() - self.read_buffer.len();
            if room < READ_BYTES_MIN {
                if bytes > 0 {
                    break;
                }
                self.next_chunk();
            }
            match poll_read_buf(Pin::new(&mut self.stream), cx, &mut self.read_buffer) {
                Poll::Ready(Ok(0)) => self.end = Some(ConnectionError::Closed),
                Poll::Ready(Ok(count)) => bytes += count,
                Poll::Ready(Err(error)) => self.end = Some(error.into()),
                Poll::Pending if bytes == 0 => return Ok(false),
                Poll::Pending => {
                    is_drained = true;
                    break;
                }
            }
        }
        self.heard |= bytes > 0;
        let waiting = self.write_buffer.len();
        self.decode(inbox, limit);
        if !inbox.is_empty() {
            return Ok(true);
        }
        if let Some(end) = self.end.take() {
            return Err(end);
        }
        if self.write_buffer.len() > waiting {
            return Ok(true);
        }
        if !is_drained {
            // The turn's share is used up and no packet is whole yet: no new readiness event is
            // due, so the task must be polled again.
            cx.waker().wake_by_ref();
        }
        Ok(false)
    }

    /// Goes on reading into another chunk. Their sizes are multiples of [`READ_BYTES`].
    fn next_chunk(&mut self) {
        let incomplete = self.read_buffer.len();
        let is_large = incomplete > CHUNK_BYTES - READ_BYTES;
        // What is large lacks no more than one read, or it would have memory of its own.
        let next = if is_large {
            BytesMut::with_capacity(READ_BYTES + incomplete)
        } else {
            self.chunks.next()
        };
        self.go_on_in(next, is_large);
    }

    /// Goes on reading into `next`, with what is left of an incomplete packet at its front.
    fn go_on_in(&mut self, mut next: BytesMut, is_large: bool) {
        next.extend_from_slice(&self.read_buffer);
        let mut used = std::mem::replace(&mut self.read_buffer, next);
        used.clear();
        // One that was made for a large packet is not worth keeping.
        if !std::mem::replace(&mut self.is_large, is_large) {
            self.chunks.put(used);
        }
    }

    /// Takes at most `limit` whole packets out of the read buffer, together with their bytes. A
    /// fault behind them becomes the end of the stream.
    fn decode(&mut self, inbox: &mut Inbox, limit: usize) {
        if !self.skip_oversized(inbox) {
            return;
        }
        let decoded = wire::decode(&self.read_buffer, &mut inbox.incoming, limit, PACKET_BYTES_MAX);
        inbox.block = if decoded.consumed == 0 {
            Bytes::new()
        } else {
            self.read_buffer.split_to(decoded.consumed).freeze()
        };
        if self.keep_alive.wants_answer() && inbox.has_answer() {
            self.keep_alive.answered();
        }
        self.undecoded = false;
        if (decoded.has_exactly_once || !self.exactly_once.is_idle())
            && let Err(end) = self.exactly_once.sort(inbox, &mut self.write_buffer)
        {
            self.end.get_or_insert(end);
        }
        match decoded.end {
            mqttbytes::Error::InsufficientBytes(0) => self.undecoded = true,
            mqttbytes::Error::InsufficientBytes(missing) if missing > READ_BYTES => {
                // The packet gets a chunk hardly larger than itself, and what comes behind it
                // another.
                let packet = self.read_buffer.len() + missing;
                self.go_on_in(BytesMut::with_capacity(packet + READ_BYTES_MIN), true);
            }
            mqttbytes::Error::InsufficientBytes(_) => {}
            fault @ mqttbytes::Error::PayloadSizeLimitExceeded(_) => {
                match wire::oversized(&self.read_buffer) {
                    wire::Oversized::Publish { qos, packet_id, bytes, topic } => {
                        let too_large = Incoming::TooLarge { packet_id, bytes, topic };
                        self.oversized = Some((bytes, qos, too_large));
                        self.undecoded = true;
                    }
                    wire::Oversized::Incomplete => {}
                    wire::Oversized::Other => self.end = Some(fault.into()),
                }
            }
            fault => self.end = Some(fault.into()),
        }
    }

    /// Passes over a packet that is too large, and tells of it at its end: the peer would deliver
    /// it first on every connection, and nothing behind it would ever come. False while more of it
    /// is to come.
    fn skip_oversized(&mut self, inbox: &mut Inbox) -> bool {
        let Some((bytes, qos, too_large)) = self.oversized.take() else { return true };
        let skipped = bytes.min(self.read_buffer.len());
        self.read_buffer.advance(skipped);
        if skipped < bytes {
            self.oversized = Some((bytes - skipped, qos, too_large));
            self.undecoded = false;
            return false;
        }
        let is_new = match too_large {
            Incoming::TooLarge { packet_id: Some(id), .. } => {
                self.exactly_once.received(id, qos, &mut self.write_buffer)
            }
            _ => true,
        };
        if is_new {
            inbox.incoming.push(too_large);
        }
        true
    }
}

#[cfg(test)]
mod tests;
