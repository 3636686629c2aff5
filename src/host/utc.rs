//! The time of the world, to be written down; nothing waits by it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Now, as the system's clock has it, and never before 1970: no text can be made of that.
pub fn now() -> SystemTime {
    SystemTime::now().max(SystemTime::UNIX_EPOCH)
}

/// When a token ends that is good from now on for at least `lifetime`, in whole seconds.
pub(crate) fn expiry_unix_s(lifetime: Duration) -> u64 {
    let end = unix_now().saturating_add(lifetime);
    end.as_secs() + u64::from(end.subsec_nanos() > 0)
}

/// The time since 1970.
pub(crate) fn unix_now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
