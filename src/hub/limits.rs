//! Every bound of the hub's link. docs/bounds.md says what happens at each.

use std::time::Duration;

/// How long a connection that was overrun may take to finish what is held.
pub const OVERRUN_DRAIN_MAX: Duration = Duration::from_secs(60);
/// A trust bundle is not fetched again within this time, however often its roots fail.
pub const TRUST_BUNDLE_AGE_MIN: Duration = Duration::from_secs(30);
/// Share of a token's life after which it is renewed.
pub const RENEWAL_SHARE: f64 = 0.8;
/// Jitter of the renewal, as a share of the token's life, to either side.
pub const RENEWAL_JITTER: f64 = 0.05;
/// Before the renewal's DISCONNECT, work in flight may take this long to be acknowledged.
pub const RENEWAL_DRAIN_MAX: Duration = Duration::from_secs(1);
