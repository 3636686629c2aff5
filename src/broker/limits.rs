//! Every bound of a broker's connections. docs/bounds.md says what happens at each.

use std::time::Duration;

/// How long after its answer to a PINGREQ a broker may still tell what it had retained, before a
/// control topic that was set is taken for cleared: some send retained messages at their leisure.
pub const RETAINED_WAIT: Duration = Duration::from_secs(2);
/// Shared subscriptions that bring nothing for so long make a warning.
pub const SHARED_SILENCE: Duration = Duration::from_secs(30);
