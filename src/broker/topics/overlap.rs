//! Whether an alert could come back as a message: a loop that would never end.
//!
//! `{topic}` is taken for any topic at all, not only for those that the filters let in: a template
//! is safe or not whatever else is subscribed to. For that the answer is exact. With the
//! levels of the template cut at its placeholder,
//!
//! ```text
//! before:  p1 / … / pk{topic}s1 / … / sm  :after
//! ```
//! the topic that stands there has one level or more. One level makes one of `pk`, itself and `s1`;
//! two or more make one that begins with `pk`, any number of free ones, and one that ends in `s1`.

use super::{AlertsTopic, TopicFilter};

/// Whether some topic that `template` can make comes through `filter`, whatever `{topic}` stands for.
pub fn could_match(filter: &TopicFilter, template: &AlertsTopic) -> bool {
    match template.parts() {
        (topic, None) => filter.matches(topic),
        (before, Some(after)) => could_match_parts(filter.pattern(), before, after),
    }
}

/// Whether some topic comes through both filters, so that a broker may deliver its messages once for
/// each (MQTT 3.1.1 §3.3.5). Shared subscriptions are told apart by their groups; each has its copy.
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

fn could_match_parts(filter: &str, before: &str, after: &str) -> bool {
    if before.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let before: Vec<&str> = before.split('/').collect();
    let after: Vec<&str> = after.split('/').collect();
    // A split yields one item at least.
    let (Some((prefix, before)), Some((suffix, after))) =
        (before.split_last(), after.split_first())
    else {
        return true;
    };
    let levels: Vec<&str> = filter.split('/').collect();
    if let Some((&"#", levels)) = levels.split_last() {
        // A longer `{topic}` moves what is behind it out of reach, so only the front counts.
        let mut levels = levels.iter();
        let front = before
            .iter()
            .zip(levels.by_ref())
            .all(|(&level, &wanted)| wanted == "+" || wanted == level);
        return front && levels.next().is_none_or(|wanted| begins(wanted, prefix));
    }
    let Some(middle) = levels.len().checked_sub(before.len() + after.len()) else { return false };
    let fixed = before.iter().chain(after);
    let held_against = levels[..before.len()].iter().chain(&levels[before.len() + middle..]);
    if !fixed.zip(held_against).all(|(&level, &wanted)| wanted == "+" || wanted == level) {
        return false;
    }
    match levels[before.len()..before.len() + middle] {
        [] => false,
        [only] => {
            only == "+"
                || (only.len() > prefix.len() + suffix.len()
                    && only.starts_with(prefix)
                    && only.ends_with(suffix))
        }
        [first, .., last] => begins(first, prefix) && (last == "+" || last.ends_with(suffix)),
    }
}

/// Whether a level that begins with `prefix` and is free behind it can be the `wanted` one.
fn begins(wanted: &str, prefix: &str) -> bool {
    wanted == "+" || wanted.starts_with(prefix)
}
