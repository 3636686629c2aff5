//! Topic filters, topic names and the template of alert topics (MQTT 3.1.1 §4.7), whether what is
//! published could come back through a subscription, and whether two of them overlap.

use crate::mqtt::text::is_refused;

mod alerts;
mod filter;
mod overlap;
mod returning;

pub use alerts::{AlertsTopic, PLACEHOLDER};
pub use filter::TopicFilter;
pub use overlap::overlap;
pub use returning::returning;

/// Most bytes of a topic or filter (MQTT 3.1.1 §1.5.3).
pub const TOPIC_BYTES_MAX: usize = 65_535;

/// What is wrong with a topic or filter, and what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TopicProblem {
    /// No character at all.
    #[error("it is empty: write at least one character")]
    Empty,
    /// More than [`TOPIC_BYTES_MAX`].
    #[error("it is longer than {TOPIC_BYTES_MAX} bytes, the most that MQTT has room for")]
    TooLong,
    /// U+0000, a control character, or a code point that is no character (MQTT 3.1.1 §1.5.3).
    #[error(
        "it holds a control character, or one that Unicode has not, at which brokers hang up: take \
         it out"
    )]
    Character,
    /// `#` before the end, or not alone in its level.
    #[error("'#' stands alone in the last level, as in sensors/#")]
    Hash,
    /// `+` with something beside it in its level.
    #[error("'+' stands alone in its level, as in sensors/+/temperature")]
    Plus,
    /// `$share/` without group or filter.
    #[error("a shared subscription is $share/GROUP/FILTER, with a group without '+' and '#'")]
    Share,
    /// `+` or `#` in a topic that is published to.
    #[error("'+' and '#' are for subscriptions: a topic to publish on has none")]
    Wildcard,
    /// `{topic}` more than once.
    #[error("it holds {PLACEHOLDER} more than once: keep one")]
    Repeated,
}

/// Whether messages can be published on `topic`.
///
/// # Errors
/// The first problem that it has.
pub fn check_topic(topic: &str) -> Result<(), TopicProblem> {
    check_text(topic)?;
    if topic.contains(['+', '#']) { Err(TopicProblem::Wildcard) } else { Ok(()) }
}

fn check_text(text: &str) -> Result<(), TopicProblem> {
    if text.is_empty() {
        return Err(TopicProblem::Empty);
    }
    if text.len() > TOPIC_BYTES_MAX {
        return Err(TopicProblem::TooLong);
    }
    if text.contains(is_refused) { Err(TopicProblem::Character) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
