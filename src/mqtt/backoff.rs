//! How long to wait before the next attempt: exponential, bounded, with jitter.
//!
//! No wait is longer than 5 s: whatever was wrong with the peer, full rate is back within 10 s of
//! its end, what has gathered is worked off by then, and nobody can tell the module when it ends.

use std::time::Duration;

/// Bounds of one retry series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Wait after the first failure.
    pub first: Duration,
    /// Longest wait.
    pub longest: Duration,
}

/// Nobody answers: the network or the peer may be back at any moment. The wait for an answer comes
/// on top of this.
pub const UNREACHABLE: Bounds =
    Bounds { first: Duration::from_millis(100), longest: Duration::from_secs(2) };
/// A connection that had worked was cut: it will work again.
pub const CUT: Bounds =
    Bounds { first: Duration::from_millis(100), longest: Duration::from_secs(2) };
/// The peer answers, and does not go on.
pub const TRANSIENT: Bounds =
    Bounds { first: Duration::from_millis(100), longest: Duration::from_secs(5) };
/// A refused identity: a person has to mend it, so the first waits are longer.
pub const AUTHENTICATION: Bounds =
    Bounds { first: Duration::from_secs(3), longest: Duration::from_secs(5) };

/// Counts consecutive failures.
#[derive(Debug, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Forgets the failures: call once a connection has proved itself.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// The wait before the next attempt: `first` doubled per failure, at most `longest`, of which
    /// a share between one half and the whole is taken. `jitter` is uniform in 0..1; modules that
    /// lost the same gateway must not all return in the same instant.
    pub fn next(&mut self, bounds: Bounds, jitter: f64) -> Duration {
        let doubled = bounds.first.saturating_mul(1 << self.failures.min(20));
        self.failures = self.failures.saturating_add(1);
        doubled.min(bounds.longest).mul_f64(0.5 + 0.5 * jitter.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_to_the_bound_and_starts_over_after_reset() {
        let mut backoff = Backoff::default();
        let waits: Vec<_> = (0..10).map(|_| backoff.next(TRANSIENT, 1.0).as_millis()).collect();
        assert_eq!(waits[..4], [100, 200, 400, 800]);
        assert_eq!(waits[9], 5_000);
        backoff.reset();
        assert_eq!(backoff.next(TRANSIENT, 0.0).as_millis(), 50);
    }

    #[test]
    fn never_overflows() {
        let mut backoff = Backoff { failures: u32::MAX };
        assert_eq!(backoff.next(AUTHENTICATION, 1.0), AUTHENTICATION.longest);
    }
}
