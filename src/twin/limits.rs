//! Every bound of the control plane. docs/bounds.md says what happens at each.

use std::time::Duration;

/// How long inputs wait for the first twin document before the default threshold judges them.
pub const FIRST_TWIN_WAIT: Duration = Duration::from_secs(5);
/// How long a twin request may stay without answer before it is sent again for the first time.
pub const TWIN_ANSWER_WAIT: Duration = Duration::from_secs(10);
/// The longest such wait: each time it is twice the last one.
pub const TWIN_ANSWER_WAIT_MAX: Duration = Duration::from_secs(160);
/// Largest `$version` that is taken for one: a report repeats it, and a hub refuses a report with a
/// larger integer (IoT Hub: tags and properties format). Versions count changes, so none gets
/// there.
pub const VERSION_MAX: u64 = (1 << 52) - 1;
