//! Folds what fails again and again into few lines: pure; its caller says what failed and when.
//!
//! ```text
//!   a reason for the first time          in full
//!   the same one                         with its count at the 3rd, 6th, 12th, 24th ... time, and
//!                                        once in 10 minutes
//!   a cut of what had worked             in full for the first 10 times
//!   the end of it                        how long it took
//! ```
//! Two reasons that differ in times and addresses alone are one. Bounded: [`REASONS_MAX`] reasons
//! are remembered; of more, the one that came longest ago is new again.

use std::fmt;
use std::time::{Duration, Instant};

/// Most reasons that are known at a time.
pub const REASONS_MAX: usize = 8;
/// A reason that lasts has a line once in this time at least.
pub const NOTICE_INTERVAL: Duration = Duration::from_secs(600);
/// So many cuts of connections that had worked have a line each.
pub const CUTS_IN_FULL: u64 = 10;
/// A connection that lasted for so long ends the outage: the next failure has a full line again.
pub const STEADY_AFTER: Duration = Duration::from_secs(60);

/// What the log has to say of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// The whole of it.
    Full,
    /// That it goes on.
    Still(Away),
    /// Nothing.
    Nothing,
}

/// How often something failed in a row, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Away {
    /// Failures.
    pub failures: u64,
    /// Since the first of them.
    pub time: Duration,
}

impl fmt::Display for Away {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.failures == 1 { "" } else { "s" };
        write!(f, "{} failure{plural} in {}", self.failures, Lasting(self.time))
    }
}

/// A reason that has had a line.
#[derive(Debug)]
struct Reason {
    /// The text without what changes from one time to the next.
    key: String,
    times: u64,
    /// The count at which it has its next line.
    next: u64,
    logged_at: Instant,
}

/// Failures of one thing that is tried again and again.
#[derive(Debug, Default)]
pub struct Outage {
    /// The one that came last stands last.
    reasons: Vec<Reason>,
    /// Since it last worked, and since it last did so steadily.
    away: Option<FailureSeries>,
    series: Option<FailureSeries>,
}

#[derive(Debug, Clone, Copy)]
struct FailureSeries {
    since: Instant,
    failures: u64,
}

impl FailureSeries {
    fn failed(series: &mut Option<Self>, now: Instant) {
        series.get_or_insert(Self { since: now, failures: 0 }).failures += 1;
    }

    fn away(self, now: Instant) -> Away {
        Away { failures: self.failures, time: now.saturating_duration_since(self.since) }
    }
}

impl Outage {
    /// It failed because of `reason`.
    pub fn failed(&mut self, reason: &str, now: Instant) -> Notice {
        self.failed_for(reason, now, 1)
    }

    /// It had worked before it failed: that is worth more lines.
    pub fn cut(&mut self, reason: &str, now: Instant) -> Notice {
        self.failed_for(reason, now, CUTS_IN_FULL)
    }

    fn failed_for(&mut self, reason: &str, now: Instant, lines_in_full: u64) -> Notice {
        FailureSeries::failed(&mut self.away, now);
        FailureSeries::failed(&mut self.series, now);
        let so_far = self.so_far(now);
        let reason = self.reason(key(reason), now);
        reason.times += 1;
        let is_due = now.saturating_duration_since(reason.logged_at) >= NOTICE_INTERVAL;
        let is_full = reason.times <= lines_in_full;
        let is_logged = is_full || reason.times >= reason.next || is_due;
        while reason.next <= reason.times {
            reason.next *= 2;
        }
        if !is_logged {
            return Notice::Nothing;
        }
        reason.logged_at = now;
        match so_far {
            Some(away) if !is_full => Notice::Still(away),
            _ => Notice::Full,
        }
    }

    /// It works, perhaps not for long. How long it had not; `None` if it had not failed since.
    pub fn works(&mut self, now: Instant) -> Option<Away> {
        self.away.take().map(|away| away.away(now))
    }

    /// How long it has failed, on and off.
    pub fn so_far(&self, now: Instant) -> Option<Away> {
        self.series.map(|series| series.away(now))
    }

    /// It has worked for [`STEADY_AFTER`], or ended as it should: the next failure has a full line.
    pub fn forget(&mut self) {
        *self = Self::default();
    }

    fn reason(&mut self, key: String, now: Instant) -> &mut Reason {
        const FIRST_FOLD: u64 = 3;
        let known = self.reasons.iter().position(|reason| reason.key == key);
        let reason = match known {
            Some(at) => self.reasons.remove(at),
            None => Reason { key, times: 0, next: FIRST_FOLD, logged_at: now },
        };
        if self.reasons.len() == REASONS_MAX {
            self.reasons.remove(0);
        }
        self.reasons.push(reason);
        let last = self.reasons.len() - 1;
        &mut self.reasons[last]
    }
}

/// `reason` without the numbers of its times, dates, addresses and ports.
fn key(reason: &str) -> String {
    const UNITS: [&str; 6] = ["s", "ms", "min", "h", "d", "bytes"];
    let words: Vec<_> = reason.split(' ').collect();
    let mut key = String::with_capacity(reason.len());
    for (at, word) in words.iter().enumerate() {
        let next = words.get(at + 1).map_or("", |next| next.trim_end_matches([',', ';', ':', ')']));
        let is_fickle = word.contains([':', '.', '-']) || UNITS.contains(&next);
        key.extend(word.chars().filter(|char| !(is_fickle && char.is_ascii_digit())));
        key.push(' ');
    }
    key
}

/// A time as people tell it: `850 ms`, `12 s`, `3 min`, `5 h`, `4 d`.
pub struct Lasting(pub Duration);

impl fmt::Display for Lasting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_secs() {
            0 => write!(f, "{} ms", self.0.as_millis()),
            s @ ..120 => write!(f, "{s} s"),
            s @ ..7_200 => write!(f, "{} min", s / 60),
            s @ ..172_800 => write!(f, "{} h", s / 3_600),
            s => write!(f, "{} d", s / 86_400),
        }
    }
}

#[cfg(test)]
mod tests;
