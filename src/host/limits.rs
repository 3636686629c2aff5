//! Every bound of the log. docs/bounds.md says what happens at each.

use std::time::Duration;

/// Log lines about bad messages: at most this many in [`LOG_WINDOW`]; the rest is counted.
pub const LOG_LINES_MAX: u32 = 10;
/// See [`LOG_LINES_MAX`].
pub const LOG_WINDOW: Duration = Duration::from_secs(10);
/// Most characters of the name that stands in each log line.
pub const LOG_NAME_CHARS_MAX: usize = 64;
/// Most bytes of log lines that wait for a reader; some thousand lines. Beyond it lines are
/// counted.
pub const LOG_QUEUE_BYTES_MAX: usize = 256 * 1024;
/// How long the end may wait for a reader of the last log lines.
pub const LOG_FLUSH_MAX: Duration = Duration::from_millis(500);
