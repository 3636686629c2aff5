//! What is subscribed to.

use std::fmt;
use std::str::FromStr;

use super::{TopicProblem, check_text};

/// What a shared subscription begins with (MQTT 5.0 §4.8.2, which brokers serve to 3.1.1 clients
/// too).
const SHARE: &str = "$share/";
/// What some brokers serve in a way of their own (EMQX: shared without a group, and for one client
/// alone); messages come on topics that the rest lets in.
const SPECIAL: [&str; 2] = ["$queue/", "$exclusive/"];

/// A checked topic filter, perhaps a shared one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TopicFilter {
    text: String,
    /// Where the filter proper begins: behind `$share/GROUP/` and its like.
    start: usize,
}

impl TopicFilter {
    /// The text to subscribe with, `$share/GROUP/` included.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The filter that topics are held against, without `$share/GROUP/` and its like.
    pub fn pattern(&self) -> &str {
        &self.text[self.start..]
    }

    /// Whether it is served in a way that not every broker knows: shared, for one.
    pub fn is_special(&self) -> bool {
        self.start > 0
    }

    /// Whether messages on `topic` come through this subscription (MQTT 3.1.1 §4.7).
    pub fn matches(&self, topic: &str) -> bool {
        if topic.starts_with('$') && self.pattern().starts_with(['+', '#']) {
            return false;
        }
        let mut levels = topic.split('/');
        for wanted in self.pattern().split('/') {
            if wanted == "#" {
                return true;
            }
            match levels.next() {
                Some(level) if wanted == "+" || wanted == level => {}
                _ => return false,
            }
        }
        levels.next().is_none()
    }
}

impl FromStr for TopicFilter {
    type Err = TopicProblem;

    fn from_str(text: &str) -> Result<Self, TopicProblem> {
        check_text(text)?;
        let start = match text.strip_prefix(SHARE) {
            None if text == "$share" => return Err(TopicProblem::Share),
            None => SPECIAL
                .iter()
                .find(|special| text.strip_prefix(**special).is_some_and(|rest| !rest.is_empty()))
                .map_or(0, |special| special.len()),
            Some(shared) => {
                let (group, filter) = shared.split_once('/').ok_or(TopicProblem::Share)?;
                if group.is_empty() || group.contains(['+', '#']) || filter.is_empty() {
                    return Err(TopicProblem::Share);
                }
                text.len() - filter.len()
            }
        };
        let mut levels = text[start..].split('/').peekable();
        while let Some(level) = levels.next() {
            if level.contains('#') && (level != "#" || levels.peek().is_some()) {
                return Err(TopicProblem::Hash);
            }
            if level.contains('+') && level != "+" {
                return Err(TopicProblem::Plus);
            }
        }
        Ok(Self { text: text.to_owned(), start })
    }
}

impl fmt::Display for TopicFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
