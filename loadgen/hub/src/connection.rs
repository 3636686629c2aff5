//! One client's connection, from CONNACK to close; one task on the hub's thread.
//!
//! Bytes enter in reads of up to 64 KiB; every packet of a read is handled before one write takes
//! all answers and deliveries. Reading and writing go on independently, so a client that does not
//! read is still heard, until its write buffer is full. Bounded: the write buffer, the queue of
//! control packets, one held publish. While a store is full, the socket is not read.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use rumqttc::mqttbytes::v4::{ConnAck, Connect, ConnectReturnCode, LastWill, Publish};
use tokio::io::{AsyncReadExt, AsyncWrite};
use tokio::time::{Sleep, sleep_until};

use super::close::CloseReason;
use super::config::{KEEP_ALIVE_MAX, READ_BYTES, WRITE_BYTES_MAX};
use super::dispatch::Step;
use super::keep_alive::patience;
use super::peer::Seat;
use super::state::HubState;
use super::stream::Stream;
use super::strict;

/// Rounds of reading and writing before other connections get their turn.
const TURNS_MAX: usize = 16;

/// A connection's place in the hub, and when its token ends.
pub(super) struct Admission {
    pub(super) seat: Seat,
    /// A stored session is resumed.
    pub(super) session_present: bool,
    pub(super) token_deadline: Option<Instant>,
}

/// Serves an admitted client until its connection ends.
pub(super) async fn run(
    hub: Rc<RefCell<HubState>>,
    stream: Stream,
    input: BytesMut,
    connect: Connect,
    admission: Admission,
) {
    let Admission { seat, session_present, token_deadline } = admission;
    let mut out = BytesMut::with_capacity(READ_BYTES);
    let accepted = ConnAck::new(ConnectReturnCode::Success, session_present).write(&mut out);
    debug_assert!(accepted.is_ok(), "a CONNACK of four bytes always fits");
    tracing::info!(client = %connect.client_id, session_present, "connected");
    let now = Instant::now();
    let mut connection = Connection {
        hub: Rc::clone(&hub),
        seat,
        stream,
        input,
        out,
        unflushed: true,
        held: None,
        patience: patience(connect.keep_alive),
        last_heard: now,
        token_deadline,
        timer: Box::pin(sleep_until((now + KEEP_ALIVE_MAX).into())),
    };
    let reason = poll_fn(|cx| connection.poll(cx)).await;
    reason.log(&connect.client_id);
    let mut state = hub.borrow_mut();
    match &reason {
        CloseReason::Protocol(_) => state.counters.protocol_errors += 1,
        CloseReason::KeepAlive => state.counters.keep_alive_timeouts += 1,
        _ => {}
    }
    state.detach(seat);
    if let Some(will) = will_of(connect, &reason) {
        state.on_will(seat, will, Instant::now());
    }
    state.save();
}

/// The will is for connections that broke.
fn will_of(connect: Connect, reason: &CloseReason) -> Option<LastWill> {
    connect.last_will.filter(|_| *reason != CloseReason::Disconnect)
}

struct Connection {
    hub: Rc<RefCell<HubState>>,
    seat: Seat,
    stream: Stream,
    /// Read, not yet handled.
    input: BytesMut,
    /// To be written.
    out: BytesMut,
    /// The TLS layer may hold bytes that the socket has not taken.
    unflushed: bool,
    /// A publish that found a store full. Nothing is read while there is one.
    held: Option<Publish>,
    /// How long the client may be silent.
    patience: Duration,
    last_heard: Instant,
    token_deadline: Option<Instant>,
    /// Fires no later than the next deadline.
    timer: Pin<Box<Sleep>>,
}

impl Connection {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<CloseReason> {
        for _ in 0..TURNS_MAX {
            let now = Instant::now();
            let heard = match self.poll_read(cx, now) {
                Poll::Ready(Ok(())) => true,
                Poll::Ready(Err(reason)) => return Poll::Ready(reason),
                Poll::Pending => false,
            };
            let was_held = self.held.is_some();
            if let Some(reason) = self.turn(now, cx) {
                return Poll::Ready(reason);
            }
            let released = was_held && self.held.is_none();
            let wrote = match self.poll_write(cx) {
                Ok(wrote) => wrote,
                Err(error) => return Poll::Ready(CloseReason::Io(error.kind())),
            };
            if !heard && !wrote && !released && self.poll_timer(cx).is_pending() {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Reads once, unless a store or the write buffer is full.
    fn poll_read(&mut self, cx: &mut Context<'_>, now: Instant) -> Poll<Result<(), CloseReason>> {
        if self.held.is_some() || self.out.len() >= WRITE_BYTES_MAX {
            return Poll::Pending;
        }
        self.input.reserve(READ_BYTES);
        let read = ready!(pin!(self.stream.read_buf(&mut self.input)).poll(cx));
        Poll::Ready(match read {
            Ok(0) => Err(CloseReason::PeerClosed),
            Ok(_) => {
                self.last_heard = now;
                Ok(())
            }
            Err(error) => Err(CloseReason::of_read(&error)),
        })
    }

    /// Handles what was read, then fills the write buffer. `Some` ends the connection.
    fn turn(&mut self, now: Instant, cx: &mut Context<'_>) -> Option<CloseReason> {
        let hub = Rc::clone(&self.hub);
        let mut hub = hub.borrow_mut();
        if hub.link(self.seat).is_none() {
            return Some(CloseReason::Evicted);
        }
        if let Some(reason) = self.handle_input(&mut hub, now) {
            hub.save();
            return Some(reason);
        }
        if let Some(reason) = self.check_deadlines(&mut hub, now) {
            return Some(reason);
        }
        if let Some(reason) = hub.fill(self.seat, &mut self.out, now) {
            return Some(reason);
        }
        hub.save();
        if self.held.is_some() {
            hub.wait_for_room(cx.waker());
        }
        if let Some(link) = hub.link(self.seat) {
            link.waker = Some(cx.waker().clone());
        }
        None
    }

    fn handle_input(&mut self, hub: &mut HubState, now: Instant) -> Option<CloseReason> {
        if let Some(publish) = self.held.take() {
            match hub.on_publish(self.seat, publish, &mut self.out, now) {
                Step::Continue => {
                    // The client's packets were waiting in the socket all the while.
                    self.last_heard = now;
                    hub.peers[self.seat.peer].inputs.restart_ack_time(now);
                }
                Step::Blocked(publish) => self.held = Some(publish),
                Step::Close(reason) => return Some(reason),
            }
        }
        while self.held.is_none() && self.out.len() < WRITE_BYTES_MAX {
            let packet = match strict::next(&mut self.input) {
                Ok(Some(packet)) => packet,
                Ok(None) => break,
                Err(violation) => return Some(CloseReason::Protocol(violation.to_string())),
            };
            match hub.handle(self.seat, packet, &mut self.out, now) {
                Step::Continue => {}
                Step::Blocked(publish) => self.held = Some(publish),
                Step::Close(reason) => return Some(reason),
            }
        }
        None
    }

    fn check_deadlines(&mut self, hub: &mut HubState, now: Instant) -> Option<CloseReason> {
        if self.token_deadline.is_some_and(|deadline| now >= deadline) {
            return Some(CloseReason::TokenExpired);
        }
        // While nothing is read, neither silence nor missing acknowledgements are the client's.
        if self.held.is_none() {
            if now.duration_since(self.last_heard) >= self.patience {
                return Some(CloseReason::KeepAlive);
            }
            if hub.peers[self.seat.peer].inputs.expire(now) {
                hub.counters.ack_timeouts += 1;
            }
        }
        None
    }

    /// Writes what the socket takes, and tells whether that was anything.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> std::io::Result<bool> {
        let mut wrote = false;
        while !self.out.is_empty() {
            match Pin::new(&mut self.stream).poll_write(cx, &self.out) {
                Poll::Ready(Ok(0)) => return Err(std::io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(written)) => {
                    self.out.advance(written);
                    self.unflushed = true;
                    wrote = true;
                }
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => return Ok(wrote),
            }
        }
        if self.unflushed {
            match Pin::new(&mut self.stream).poll_flush(cx) {
                Poll::Ready(Ok(())) => self.unflushed = false,
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => return Ok(wrote),
            }
        }
        Ok(wrote)
    }

    /// Sleeps until the next deadline; ready when one may have come.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut next = self.last_heard + self.patience;
        let hub = self.hub.borrow();
        let inputs = hub.peers[self.seat.peer].inputs.deadline();
        for deadline in [inputs, self.token_deadline].into_iter().flatten() {
            next = next.min(deadline);
        }
        if self.held.is_some() {
            // Only the token's deadline counts then, and that one is coarse.
            next = self.token_deadline.unwrap_or(Instant::now() + KEEP_ALIVE_MAX);
        }
        drop(hub);
        // Moving the timer costs more than an early wake-up now and then.
        if self.timer.is_elapsed() || next < self.timer.deadline().into_std() {
            self.timer.as_mut().reset(next.into());
        }
        self.timer.as_mut().poll(cx)
    }
}
