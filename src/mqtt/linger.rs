//! When to wait a moment for more messages, instead of waking up for each.
//!
//! At edge rates, tens of thousands of messages a second one by one, a wake-up costs far more than
//! the message. A pause of some message intervals lets several messages share it:
//!
//! ```text
//! messages         |    |    |    |    |    |    |    |    |    |    |    |
//! without pauses   W    W    W    W    W    W    W    W    W    W    W    W     12 wake-ups
//! with pauses      W....................................W..................     2 wake-ups
//!                  '-- 8 intervals, at most `linger` --'
//! ```
//!
//! - In: once a turn, the time and how many messages the turn brought. Out: how long to pause
//!   before the next read, after everything was written. [`Linger`] is pure: its caller passes the
//!   time.
//! - Bounded by the setting `linger`, 200 µs at most.
//!
//! A pause costs latency, so it must be worth it. Three phases see to that:
//!
//! ```text
//!                     32 turns, and a pause pays
//!      ┌────────────┐ ──────────────────────────► ┌────────────┐
//!  ──► │  Looking   │                             │  Pausing   │
//!      │ no pauses, │ ◄────────────────────────── │ one a turn │
//!      │ rate known │   256 pauses that paid      └────────────┘
//!      └────────────┘                                    │
//!             ▲        ┌─────────────┐                   │ pauses bring less than half
//!             └─────── │   Resting   │ ◄─────────────────┘ of what the rate promised
//!         its turns    │  no pauses  │
//!         are over     └─────────────┘  256 turns, then 512, ... 65,536; 256 again
//!                                       after a row of pauses that paid
//! ```
//!
//! **Looking.** The rate is that of `LOOK_TURNS` turns without pauses. A pause pays where all of
//! these hold:
//!
//! - A turn of the last `APART_TURNS` brought more than one message. A sender that waits for each
//!   acknowledgement never has two under way, and a pause would only slow it down.
//! - `WORTHWHILE` messages come within the longest pause.
//! - Turns do not bring `ENOUGH` messages on their own.
//! - Messages are at least `INTERVAL_MIN` apart.
//!
//! **Pausing.** A pause is `WANTED` intervals long, within its bounds. Once `JUDGED_FROM` messages
//! should have come, the pauses are judged. Less than half of them says that the pauses slow down a
//! sender with a small window, or that the stream has ended.
//!
//! **Resting.** Each rest is twice as long as the last one, until a row of `PAUSES_IN_A_ROW` pauses
//! pays. So a sender that pauses always hurt meets them ever more rarely.

use std::time::{Duration, Instant};

/// Messages that a pause is made long enough for.
const WANTED: u32 = 8;
/// Fewer within the longest pause are not worth one.
const WORTHWHILE: u32 = 3;
/// Where messages come closer together a wake-up costs less, as the core hardly slept, and the
/// pause would cost more latency than it saves.
const INTERVAL_MIN: Duration = Duration::from_nanos(12_500);
/// Where turns bring as many on their own, messages do not come one by one.
const ENOUGH: u32 = 2;
/// No shorter pause: falling asleep and waking up take some of it.
const PAUSE_MIN: Duration = Duration::from_micros(20);
/// Turns without pauses by which the rate is known.
const LOOK_TURNS: u32 = 32;
/// Pauses until it looks again.
const PAUSES_IN_A_ROW: u32 = 256;
/// Messages that must have been expected before pauses are judged.
const JUDGED_FROM: u32 = 16;
/// After so many turns with one message at most nothing is known of a sender's window.
const APART_TURNS: u32 = 1024;
/// Turns without pauses after some that did not pay.
const REST_TURNS: u32 = 256;
/// Longest such rest.
const REST_TURNS_MAX: u32 = 65_536;

/// What some turns in a row brought.
#[derive(Debug, Clone, Copy, Default)]
struct Row {
    turns: u32,
    messages: u32,
    time: Duration,
}

impl Row {
    fn add(&mut self, elapsed: Duration, messages: u32) {
        self.turns += 1;
        self.messages = self.messages.saturating_add(messages);
        self.time += elapsed;
    }
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    /// Turns go without pauses, and are not looked at either.
    Resting(u32),
    /// Turns go without pauses, for the rate to be known.
    Looking(Row),
    /// Each turn begins with a pause; the messages come at this interval.
    Pausing(Row, Duration),
}

/// Decides on pauses for one source.
#[derive(Debug)]
pub struct Linger {
    longest: Duration,
    last_turn: Option<Instant>,
    phase: Phase,
    /// Turns since one brought more than one message.
    apart: u32,
    next_rest: u32,
}

impl Linger {
    /// Pauses of at most `longest`; zero switches them off.
    pub fn new(longest: Duration) -> Self {
        let phase = Phase::Looking(Row::default());
        Self { longest, last_turn: None, phase, apart: APART_TURNS, next_rest: REST_TURNS }
    }

    /// A turn has brought `messages`, and it is `now`: how long to pause before the next one.
    pub fn pause(&mut self, now: Instant, messages: u64) -> Option<Duration> {
        if self.longest.is_zero() {
            return None;
        }
        let last = self.last_turn.replace(now)?;
        let elapsed = now.saturating_duration_since(last);
        let messages = u32::try_from(messages).unwrap_or(u32::MAX);
        self.apart = if messages > 1 { 0 } else { self.apart.saturating_add(1) };
        self.phase = match self.phase {
            Phase::Resting(turns @ 1..) => Phase::Resting(turns - 1),
            Phase::Resting(0) => Phase::Looking(Row::default()),
            Phase::Looking(mut row) => {
                row.add(elapsed, messages);
                if row.turns < LOOK_TURNS { Phase::Looking(row) } else { self.looked(row) }
            }
            Phase::Pausing(mut row, interval) => {
                row.add(elapsed, messages);
                self.paused(row, interval)
            }
        };
        match self.phase {
            Phase::Pausing(_, interval) => {
                Some((interval * WANTED).max(PAUSE_MIN).min(self.longest))
            }
            Phase::Resting(_) | Phase::Looking(_) => None,
        }
    }

    /// The rate is known.
    fn looked(&self, row: Row) -> Phase {
        let is_enough = row.messages >= ENOUGH * row.turns;
        match row.time.checked_div(row.messages) {
            Some(interval)
                if self.apart < APART_TURNS
                    && !is_enough
                    && interval * WORTHWHILE <= self.longest
                    && interval >= INTERVAL_MIN =>
            {
                Phase::Pausing(Row::default(), interval)
            }
            _ => Phase::Looking(Row::default()),
        }
    }

    /// Whether the pauses pay.
    fn paused(&mut self, row: Row, interval: Duration) -> Phase {
        let is_known = row.time >= interval * JUDGED_FROM;
        if is_known && interval.saturating_mul(row.messages).saturating_mul(2) < row.time {
            let rest = self.next_rest;
            self.next_rest = (rest * 2).min(REST_TURNS_MAX);
            return Phase::Resting(rest);
        }
        if row.turns < PAUSES_IN_A_ROW {
            return Phase::Pausing(row, interval);
        }
        self.next_rest = REST_TURNS;
        Phase::Looking(Row::default())
    }
}

/// Pauses the thread: no timer of the runtime is as short. Others who have something to do on this
/// thread come first; what the connection had to say was written before.
pub async fn pause(pause: Duration) {
    tokio::task::yield_now().await;
    std::thread::sleep(pause);
}

/// Has this thread's sleeps end on time; by default the system adds 50 us to each, to wake up
/// several threads together. Where it cannot, pauses are as much longer.
pub fn sleep_exactly() {
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1000));
}

#[cfg(test)]
mod tests;
