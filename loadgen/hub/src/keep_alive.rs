//! How long a client may be silent.

use std::time::Duration;

use super::config::KEEP_ALIVE_MAX;

/// 1.5 times the client's keep-alive, at most ten minutes.
pub(super) fn patience(keep_alive_s: u16) -> Duration {
    match keep_alive_s {
        0 => KEEP_ALIVE_MAX,
        seconds => (Duration::from_secs(seconds.into()) * 3 / 2).min(KEEP_ALIVE_MAX),
    }
}
