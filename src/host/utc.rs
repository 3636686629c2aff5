//! The time of the world, to be written down; nothing waits by it.

use std::time::SystemTime;

/// Now, as the system's clock has it, and never before 1970: no text can be made of that.
pub fn now() -> SystemTime {
    SystemTime::now().max(SystemTime::UNIX_EPOCH)
}
