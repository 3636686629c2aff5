//! Where alerts go.

use std::fmt;
use std::str::FromStr;

use super::{TopicProblem, check_topic};

/// Stands for the topic of the message that is the alert.
pub const PLACEHOLDER: &str = "{topic}";

/// The topic of alerts: the same for all, or with the source topic in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertsTopic {
    before: String,
    /// What follows the source topic; `None` when the topic does not have it.
    after: Option<String>,
}

impl AlertsTopic {
    /// Appends the topic for an alert that came on `source_topic`. The caller sees to it that the
    /// whole is no longer than MQTT allows.
    pub fn write(&self, out: &mut String, source_topic: &str) {
        out.push_str(&self.before);
        if let Some(after) = &self.after {
            out.push_str(source_topic);
            out.push_str(after);
        }
    }

    /// The text before `{topic}`, or all of it; and the text behind, where there is a `{topic}`.
    pub(super) fn parts(&self) -> (&str, Option<&str>) {
        (&self.before, self.after.as_deref())
    }
}

impl FromStr for AlertsTopic {
    type Err = TopicProblem;

    fn from_str(text: &str) -> Result<Self, TopicProblem> {
        check_topic(text)?;
        let Some((before, after)) = text.split_once(PLACEHOLDER) else {
            return Ok(Self { before: text.to_owned(), after: None });
        };
        if after.contains(PLACEHOLDER) {
            return Err(TopicProblem::Repeated);
        }
        Ok(Self { before: before.to_owned(), after: Some(after.to_owned()) })
    }
}

impl fmt::Display for AlertsTopic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.before)?;
        match &self.after {
            Some(after) => write!(f, "{PLACEHOLDER}{after}"),
            None => Ok(()),
        }
    }
}
