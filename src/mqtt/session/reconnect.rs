//! How long to wait before the next attempt to connect: pure; its caller says what happened.
//!
//! ```text
//!   what happened last                         wait, doubled each time it happens in a row
//!   nobody answered (DNS, TCP)                 0.1 s to  2 s
//!   the peer would not go on                   0.1 s to  5 s
//!   it refused the identity or a filter          3 s to  5 s
//!   a connection that had worked was lost      0.1 s to  2 s
//!   it is there, and a PUBACK did not come     0.1 s to  2 s
//!   the peer hung up at what it refuses        0.1 s, and to  5 s where it takes nothing else
//!   the connection was left in good order      none
//! ```
//! What happened last decides on the bounds. A connection that got something acknowledged ends the
//! series of failures: whoever cuts links that work must not be helped by long waits. Half of each
//! wait is jitter.

use std::time::Duration;

use super::Cause;
use crate::mqtt::Answer;
use crate::mqtt::backoff::{AUTHENTICATION, Backoff, Bounds, CUT, TRANSIENT, UNREACHABLE};
use crate::mqtt::limits::{ANSWER_WAIT, ANSWER_WAIT_MAX, HEALTHY_AFTER};

/// A connection that ends so soon after its CONNACK may have been thrown out by another client of
/// the same name.
const SHORT: Duration = Duration::from_secs(5);
/// The same once another client is suspected: the other waits as long as we do before it comes
/// back, so that each connection lives as long as the other's wait.
const SHORT_OF_SUSPECTED: Duration = Duration::from_secs(10);
/// After so many short connections in a row the log names the second client.
pub(super) const THROWN_OUT: u32 = 3;

/// So many times in a row a peer may hang up at what it refuses, and acknowledge nothing, before
/// the waits grow: it takes that many to tell a few bad alerts from a peer that takes none.
const REFUSALS_AT_ONCE: u32 = 32;

/// How a connection was lost.
#[derive(Debug, Clone, Copy)]
pub(super) struct Loss {
    /// Since its CONNACK.
    pub(super) lived: Duration,
    /// Something was acknowledged on it.
    pub(super) has_worked: bool,
    /// What its client knows.
    pub(super) cause: Cause,
    /// A subscription was refused.
    pub(super) is_refusal: bool,
    /// It was given up, as a PINGREQ got no answer.
    pub(super) is_unanswered: bool,
    /// It was left, as a PUBACK or SUBACK did not come from a peer that answers.
    pub(super) is_unacknowledged: bool,
    /// The peer hung up behind its SUBACK.
    pub(super) is_hang_up: bool,
}

/// The waits of one client, over all its connections.
#[derive(Debug)]
pub(super) struct Reconnect {
    /// Attempts that failed, and connections that were lost before they had worked.
    failures: Backoff,
    /// Connections that were lost although they had worked.
    cuts: Backoff,
    /// Connections at whose end the peer refused something, since it last acknowledged anything.
    refusals: Backoff,
    refusals_count: u32,
    /// The series that the next wait is of.
    next: Option<(Series, Bounds)>,
    /// Short connections in a row at whose end the peer hung up.
    thrown_out: u32,
    /// Whether one of these connections showed that another client of the name is there.
    is_shared: bool,
    answer_wait: Duration,
}

#[derive(Debug, Clone, Copy)]
enum Series {
    Failures,
    Cuts,
    Refusals,
    /// None: the wait never grows.
    Explained,
}

impl Default for Reconnect {
    fn default() -> Self {
        let (failures, cuts) = (Backoff::default(), Backoff::default());
        Self {
            failures,
            cuts,
            refusals: Backoff::default(),
            refusals_count: 0,
            next: None,
            thrown_out: 0,
            is_shared: false,
            answer_wait: ANSWER_WAIT,
        }
    }
}

impl Reconnect {
    /// The wait before the next attempt, once; `jitter` is uniform in 0..1.
    pub(super) fn wait(&mut self, jitter: f64) -> Option<Duration> {
        let (series, bounds) = self.next.take()?;
        let mut fresh = Backoff::default();
        let backoff = match series {
            Series::Failures => &mut self.failures,
            Series::Cuts => &mut self.cuts,
            Series::Refusals => &mut self.refusals,
            Series::Explained => &mut fresh,
        };
        Some(backoff.next(bounds, jitter))
    }

    /// How long the next connection waits for the answer to a PINGREQ that asks about a publish
    /// without PUBACK: longer, where that wait was too short.
    pub(super) fn answer_wait(&self) -> Duration {
        self.answer_wait
    }

    /// There is no connection; without an answer the next attempt comes at once.
    pub(super) fn failed(&mut self, answer: Option<Answer>) {
        let bounds = answer.map(|answer| match answer {
            Answer::Nothing => UNREACHABLE,
            Answer::Refusal => TRANSIENT,
            Answer::Identity => AUTHENTICATION,
        });
        self.next = bounds.map(|bounds| (Series::Failures, bounds));
    }

    /// A connection was left in good order.
    pub(super) fn left(&mut self) {
        *self = Self::default();
    }

    /// A connection was lost; true when it is time to say that another client of this name may be
    /// there.
    pub(super) fn lost(&mut self, loss: &Loss) -> bool {
        let is_suspected = self.thrown_out >= THROWN_OUT;
        let short = if is_suspected { SHORT_OF_SUSPECTED } else { SHORT };
        let is_explained = loss.cause == Cause::Refused;
        let is_short = loss.is_hang_up && loss.lived < short && !is_explained;
        self.is_shared = is_short && (self.is_shared || loss.cause == Cause::Shared);
        // Work proves nothing where another client of the name does it, too.
        let is_taken_over = is_suspected && self.is_shared;
        if loss.lived >= HEALTHY_AFTER {
            self.cuts.reset();
            if !(is_suspected && is_short) {
                self.failures.reset();
            }
        }
        if loss.has_worked {
            self.refusals.reset();
            self.refusals_count = 0;
        } else if is_explained {
            self.refusals_count = self.refusals_count.saturating_add(1);
        }
        self.next = Some(if loss.is_refusal {
            (Series::Failures, AUTHENTICATION)
        } else if is_explained && self.refusals_count > REFUSALS_AT_ONCE {
            (Series::Refusals, TRANSIENT)
        } else if is_explained {
            (Series::Explained, CUT)
        } else if loss.has_worked && !is_taken_over {
            self.failures.reset();
            (Series::Cuts, CUT)
        } else if loss.is_unacknowledged {
            // The wait for it was long enough, and the peer is there.
            (Series::Cuts, CUT)
        } else {
            (Series::Failures, TRANSIENT)
        });
        // Where something was acknowledged answers come in time: the link has died since.
        self.answer_wait = if loss.is_unanswered && !loss.has_worked {
            (self.answer_wait * 2).min(ANSWER_WAIT_MAX)
        } else {
            ANSWER_WAIT
        };
        self.thrown_out = if is_short { self.thrown_out.saturating_add(1) } else { 0 };
        self.thrown_out == THROWN_OUT
    }
}

#[cfg(test)]
mod tests;
