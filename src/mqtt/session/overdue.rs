//! How long the oldest publish has been without PUBACK, at a peer that is known to have it.
//!
//! Acknowledgements are in order, so one that never comes stops everything behind it, while the
//! connection is alive and every PINGREQ is answered.

use std::time::{Duration, Instant};

use crate::mqtt::limits::UNACKNOWLEDGED_MAX;

/// What becomes of the oldest publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// There is none, or it is young.
    Fine,
    /// It has waited for [`UNACKNOWLEDGED_MAX`]; said once for each publish.
    Slow,
    /// It has waited too long.
    None,
}

#[derive(Debug)]
pub(super) struct Overdue {
    oldest: Option<u16>,
    /// Time that counts since it became the oldest, until `checked`.
    waited: Duration,
    checked: Instant,
    is_slow: bool,
}

impl Overdue {
    pub(super) fn new(now: Instant) -> Self {
        Self { oldest: None, waited: Duration::ZERO, checked: now, is_slow: false }
    }

    /// Only time counts in which the connection `was_read` since the last call: unread the PUBACK
    /// may well have come. Nor does the time count in which a PINGREQ behind the publish has no
    /// answer yet, for the publish may be on its way: that wait has a bound of its own.
    #[inline]
    pub(super) fn check(
        &mut self,
        now: Instant,
        was_read: bool,
        is_asking: impl FnOnce() -> bool,
        oldest: Option<u16>,
        longest: Duration,
    ) -> Progress {
        let passed = now.saturating_duration_since(self.checked);
        self.checked = now;
        if oldest.is_none() || oldest != self.oldest {
            (self.oldest, self.waited, self.is_slow) = (oldest, Duration::ZERO, false);
            return Progress::Fine;
        }
        if was_read && !(self.is_slow && is_asking()) {
            self.waited += passed;
        }
        if self.waited >= longest {
            return Progress::None;
        }
        if self.waited >= UNACKNOWLEDGED_MAX && !self.is_slow {
            self.is_slow = true;
            return Progress::Slow;
        }
        Progress::Fine
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The clock belongs to one publish, runs only while the connection is read and no PINGREQ is
    /// without answer, and tells `Slow` once.
    #[test]
    fn the_oldest_publish_is_timed_while_the_connection_is_read() {
        let mut now = Instant::now();
        let mut overdue = Overdue::new(now);
        let steps = [
            // seconds, read, asking, oldest, expected
            (100, true, false, None, Progress::Fine),
            (100, true, false, Some(1), Progress::Fine),
            (2, true, false, Some(1), Progress::Fine),
            (50, false, false, Some(1), Progress::Fine),
            (1, true, false, Some(1), Progress::Slow),
            (1, true, false, Some(1), Progress::Fine),
            (8, true, false, Some(2), Progress::Fine),
            (3, true, false, Some(2), Progress::Slow),
            (50, true, true, Some(2), Progress::Fine),
            (6, true, false, Some(2), Progress::Fine),
            (1, true, false, Some(2), Progress::None),
            (1, true, false, None, Progress::Fine),
            (60, true, false, Some(2), Progress::Fine),
        ];
        for (seconds, was_read, is_asking, oldest, expected) in steps {
            now += Duration::from_secs(seconds);
            let longest = Duration::from_secs(10);
            let progress = overdue.check(now, was_read, || is_asking, oldest, longest);
            assert_eq!(progress, expected, "{seconds} s, {oldest:?}");
        }
    }
}
