//! Every bound of a connection. docs/bounds.md says what happens at each.

use std::time::Duration;

/// Longest topic that MQTT can carry (MQTT 3.1.1 §1.5.3).
pub const TOPIC_BYTES_MAX: usize = 65_535;
/// How long SUBACK may take.
pub const SUBACK_WAIT: Duration = Duration::from_secs(6);
/// How long the oldest publish may be without PUBACK before a PINGREQ asks whether the peer is
/// still there; the same for anything that was sent, behind which nothing was heard.
pub const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(3);
/// How long the answer to that PINGREQ may take before the connection ends.
pub const ANSWER_WAIT: Duration = Duration::from_secs(5);
/// The same behind connections that ended so: doubled each time, as the link may be slow.
pub const ANSWER_WAIT_MAX: Duration = Duration::from_secs(60);
/// How long the oldest publish may be without PUBACK on a connection that is alive (default of the
/// setting `puback-timeout`). A PUBACK that is lost for good stops what is behind it: this and the
/// wait before the next connection are within the 10 s in which full rate is to be back.
pub const PUBACK_TIMEOUT_DEFAULT: Duration = Duration::from_secs(6);
/// A connection that lived this long has proved itself: the next failure starts at the first wait.
pub const HEALTHY_AFTER: Duration = Duration::from_secs(10);
