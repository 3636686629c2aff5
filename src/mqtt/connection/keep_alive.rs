//! When to ask the peer for a sign of life, and when to stop waiting for it.
//!
//! - In: once a [`TICK`](super::TICK), whether something was sent or heard since the last one, and
//!   the time. Out: that its caller has to send PINGREQ, or that the connection is over. Pure.
//! - A peer is asked when nothing was sent for half the keep-alive, which the protocol wants, and
//!   when nothing was heard for so long: what is sent into a dead connection proves nothing.
//! - It is asked already after [`UNACKNOWLEDGED_MAX`] when nothing was heard behind what was sent
//!   last, and at once when its owner [asks](KeepAlive::ask), who waits for a PUBACK while other
//!   packets come. So a link on which work is under way is found dead within seconds; an idle one
//!   stays with the keep-alive.
//! - Any packet answers a PINGREQ, but for that of the owner: only a packet that answers one of
//!   ours does (PINGRESP, PUBACK), as a link may be dead in one direction alone.

use std::time::Duration;

use tokio::time::Instant;

use super::{ByteStream, Connection, ConnectionError};
use crate::mqtt::limits::{ANSWER_WAIT, UNACKNOWLEDGED_MAX};

impl<S: ByteStream> Connection<S> {
    /// Waits so long for the answer to a PINGREQ that comes before half the keep-alive.
    pub fn answers_within(&mut self, wait: Duration) {
        self.keep_alive.answers_within(wait);
    }

    /// Asks the peer for a sign of life, with the next [`TICK`](super::TICK), as a publish waits
    /// for its PUBACK.
    pub fn ask(&mut self) {
        self.keep_alive.ask();
    }

    /// Whether such a question has no answer yet.
    pub(crate) fn is_asking(&self) -> bool {
        self.keep_alive.wants_answer()
    }
}

#[derive(Debug)]
pub(super) struct KeepAlive {
    /// As announced in CONNECT; zero switches every PINGREQ off.
    interval: Duration,
    /// How long an answer may take to a PINGREQ that came early.
    answer_wait: Duration,
    last_sent: Instant,
    last_heard: Instant,
    /// When something was sent, behind which nothing was heard yet.
    unanswered_since: Option<Instant>,
    /// The PINGREQ that waits for any packet, and how long it may.
    ping: Option<(Instant, Duration)>,
    /// The owner wants to ask.
    is_wanted: bool,
    /// The owner's PINGREQ, which waits for an answer to anything of ours.
    asked: Option<Instant>,
}

impl KeepAlive {
    pub(super) fn new(interval: Duration) -> Self {
        let now = Instant::now();
        Self {
            interval,
            answer_wait: ANSWER_WAIT,
            last_sent: now,
            last_heard: now,
            unanswered_since: None,
            ping: None,
            is_wanted: false,
            asked: None,
        }
    }

    /// As announced in CONNECT.
    pub(super) fn interval(&self) -> Duration {
        self.interval
    }

    /// How long, until the last tick, nothing had been sent or heard.
    pub(super) fn silence(&self) -> Duration {
        self.last_sent.max(self.last_heard).elapsed()
    }

    /// Waits `wait` for the answers to PINGREQs that come early.
    pub(super) fn answers_within(&mut self, wait: Duration) {
        self.answer_wait = wait;
    }

    /// A publish waits for its PUBACK.
    pub(super) fn ask(&mut self) {
        self.is_wanted = true;
    }

    /// Whether nothing but an answer will do.
    #[inline]
    pub(super) fn wants_answer(&self) -> bool {
        self.asked.is_some()
    }

    /// A packet came that answers one of ours.
    pub(super) fn answered(&mut self) {
        self.asked = None;
    }

    /// A tick has passed in which something was `sent` or `heard`, or neither; without `reading`
    /// nothing could be heard. True when a PINGREQ is to be sent.
    pub(super) fn tick(
        &mut self,
        sent: bool,
        heard: bool,
        reading: bool,
    ) -> Result<bool, ConnectionError> {
        if self.interval.is_zero() {
            return Ok(false);
        }
        let now = Instant::now();
        if heard || !reading {
            // Unread, asking goes on, or the peer would take us for dead; but nothing is overdue.
            (self.last_heard, self.ping, self.unanswered_since) = (now, None, None);
        }
        if !reading && self.asked.is_some() {
            self.asked = Some(now);
        }
        if sent {
            self.last_sent = now;
            self.unanswered_since.get_or_insert(now);
        }
        self.check(now)?;
        let half = self.interval / 2;
        let is_silent = now - self.last_sent.min(self.last_heard) >= half;
        let is_unanswered =
            self.unanswered_since.is_some_and(|since| now - since >= UNACKNOWLEDGED_MAX);
        if std::mem::take(&mut self.is_wanted) && self.asked.is_none() {
            // A PINGREQ that is under way asks for both.
            self.asked = Some(self.ping.map_or(now, |(since, _)| since));
            if self.ping.is_some() {
                return Ok(false);
            }
        } else if self.ping.is_some() || self.asked.is_some() || !(is_silent || is_unanswered) {
            return Ok(false);
        } else {
            self.ping = Some((now, if is_silent { half } else { self.answer_wait.min(half) }));
        }
        self.last_sent = now;
        Ok(true)
    }

    fn check(&self, now: Instant) -> Result<(), ConnectionError> {
        if let Some((since, wait)) = self.ping
            && now - since > wait
        {
            return Err(if wait < self.interval / 2 {
                ConnectionError::Unanswered(wait)
            } else {
                ConnectionError::KeepAlive(wait)
            });
        }
        if let Some(since) = self.asked
            && now - since > self.answer_wait
        {
            return Err(ConnectionError::Unanswered(self.answer_wait));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
