//! Whether an alert could come back as a message: a loop that would never end.
//!
//! With the levels of the alerts' topic cut at its placeholder,
//!
//! ```text
//! before:  f1 / … / fk / p{topic}s / t1 / … / tm  :after
//! ```
//! the alert of a message with n levels has k + n + m of them: the message's own, the first with
//! `p` before it and the last with `s` behind it. Filters admit a level for what it says or for
//! being there, so that one topic a number of levels decides: fixed levels as they are, free ones
//! as the filter wants them back. Of a source that ends in `#` two numbers are enough: its fixed
//! levels alone, of which the last has `s` behind it, or so many that only free ones are in reach.

use super::{AlertsTopic, TopicFilter};

/// What stands for a level that may be any.
const ANY: &str = "x";

/// The topic of a message that comes through one of `sources`, and whose alert comes through
/// `back`. `None` when there is none, whatever the messages' topics.
pub fn returning(
    sources: &[TopicFilter],
    template: &AlertsTopic,
    back: &TopicFilter,
) -> Option<String> {
    match template.parts() {
        (topic, None) if back.matches(topic) => sources.first().map(some_topic),
        (_, None) => None,
        (before, Some(after)) => {
            let back = Back::new(back, before, after)?;
            sources.iter().find_map(|source| back.through(source, template))
        }
    }
}

/// Any topic that comes through `filter`.
fn some_topic(filter: &TopicFilter) -> String {
    let level = |level| if matches!(level, "+" | "#") { ANY } else { level };
    filter.pattern().split('/').map(level).collect::<Vec<_>>().join("/")
}

/// A filter, and where the message's own levels are held against it.
struct Back<'a> {
    filter: &'a TopicFilter,
    /// Its levels without `#`.
    levels: Vec<&'a str>,
    is_open: bool,
    /// Levels before those of the message.
    front: usize,
    /// Levels before and behind.
    around: usize,
    prefix: &'a str,
    suffix: &'a str,
}

impl<'a> Back<'a> {
    /// `None` when already the levels before the message's keep alerts out.
    fn new(filter: &'a TopicFilter, before: &'a str, after: &'a str) -> Option<Self> {
        let (levels, is_open) = levels(filter);
        let (front, prefix) = before.rsplit_once('/').map_or((None, before), |(f, p)| (Some(f), p));
        let (suffix, tail) = after.split_once('/').map_or((after, None), |(s, t)| (s, Some(t)));
        let front: Vec<_> = front.into_iter().flat_map(|front| front.split('/')).collect();
        let tail = tail.map_or(0, |tail| tail.split('/').count());
        let admits = |(wanted, level): (&&str, &&str)| *wanted == "+" || wanted == level;
        if !levels.iter().zip(&front).all(admits) {
            return None;
        }
        let (front, around) = (front.len(), front.len() + tail);
        Some(Self { filter, levels, is_open, front, around, prefix, suffix })
    }

    /// The topic of such a message of this source.
    fn through(&self, source: &TopicFilter, template: &AlertsTopic) -> Option<String> {
        let (fixed, is_endless) = levels(source);
        let counts = match (is_endless, self.is_open) {
            (false, _) => [Some(fixed.len()), None],
            (true, false) => [self.levels.len().checked_sub(self.around), None],
            (true, true) => [Some(fixed.len()), Some(fixed.len().max(self.levels.len()) + 1)],
        };
        counts.into_iter().flatten().find_map(|count| {
            let topic = self.topic(&fixed, count);
            let mut alert = String::new();
            template.write(&mut alert, &topic);
            let returns = source.matches(&topic) && self.filter.matches(&alert);
            (returns && !topic.is_empty()).then_some(topic)
        })
    }

    /// The topic with `count` levels whose alert this filter is most likely to admit.
    fn topic(&self, fixed: &[&str], count: usize) -> String {
        let level = |index: usize| match fixed.get(index) {
            Some(level) if *level != "+" => *level,
            _ => self.wanted(index, index == 0, index + 1 == count).unwrap_or(ANY),
        };
        (0..count).map(level).collect::<Vec<_>>().join("/")
    }

    /// What a level of the message must say where this filter says something.
    fn wanted(&self, index: usize, is_first: bool, is_last: bool) -> Option<&'a str> {
        let wanted = self.levels.get(self.front + index).filter(|level| **level != "+")?;
        let wanted = wanted.strip_prefix(if is_first { self.prefix } else { "" })?;
        wanted.strip_suffix(if is_last { self.suffix } else { "" })
    }
}

/// The levels of a filter without a `#` at its end, and whether there is one.
fn levels(filter: &TopicFilter) -> (Vec<&str>, bool) {
    let mut levels: Vec<_> = filter.pattern().split('/').collect();
    let is_open = levels.pop_if(|level| *level == "#").is_some();
    (levels, is_open)
}
