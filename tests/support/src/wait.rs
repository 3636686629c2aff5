//! Waiting on conditions, with an end.

use std::time::{Duration, Instant};

/// How often a condition is looked at.
const POLL: Duration = Duration::from_millis(5);

/// How long a test waits for a condition before it fails.
pub fn patience() -> Duration {
    let seconds = std::env::var("SLUICEGATE_TEST_PATIENCE_S");
    Duration::from_secs(seconds.ok().and_then(|s| s.parse().ok()).unwrap_or(30))
}

/// Polls `condition` until it holds.
///
/// # Panics
/// Patience ends before; it says `what` was waited for.
#[track_caller]
pub fn wait_until(what: &str, condition: impl FnMut() -> bool) {
    wait_until_for(patience(), what, condition);
}

/// As [`wait_until`], with a patience of the caller's.
///
/// # Panics
/// As [`wait_until`].
#[track_caller]
pub fn wait_until_for(patience: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + patience;
    while !condition() {
        assert!(Instant::now() < deadline, "waited {patience:?} in vain until {what}");
        std::thread::sleep(POLL);
    }
}
