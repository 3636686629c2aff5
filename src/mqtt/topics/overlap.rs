//! Whether two subscriptions have messages in common.

use super::TopicFilter;

/// Whether some topic comes through both filters, so that a broker may deliver its messages once
/// for each (MQTT 3.1.1 §3.3.5). Shared subscriptions differ by their groups; each has its copy.
pub fn overlap(one: &TopicFilter, other: &TopicFilter) -> bool {
    let is_kept_apart = |wild: &str, special: &str| {
        // Topics that begin with `$` come through no wildcard in the first level (§4.7.2).
        wild.starts_with(['+', '#']) && special.starts_with('$')
    };
    let (one, other) = (one.pattern(), other.pattern());
    if is_kept_apart(one, other) || is_kept_apart(other, one) {
        return false;
    }
    let (mut one, mut other) = (one.split('/'), other.split('/'));
    loop {
        match (one.next(), other.next()) {
            // Also the level above it, where the other ends.
            (Some("#"), _) | (_, Some("#")) | (None, None) => return true,
            (Some("+"), Some(_)) | (Some(_), Some("+")) => {}
            (Some(level), Some(wanted)) if level == wanted => {}
            _ => return false,
        }
    }
}
