//! What is subscribed to, and what comes by subscriptions of which nobody knows any more.
//!
//! A session that the broker keeps holds the filters of earlier runs too. What is published by this
//! run could come back through one of them and be judged, published and received again without end;
//! nothing that the settings can know excludes that. MQTT 3.1.1 has no way to ask for the filters
//! of a session, so topics are held against those of today, as long as the session may have others.

use crate::broker::TopicFilter;

#[derive(Debug)]
pub(super) struct Filters {
    filters: Vec<TopicFilter>,
    /// Whether the session may hold others; none before the first connection.
    is_mixed: Option<bool>,
}

impl Filters {
    pub(super) fn new(filters: &[TopicFilter]) -> Self {
        Self { filters: filters.to_vec(), is_mixed: None }
    }

    /// A connection was made. A session that is new to this process has all its filters from here,
    /// then and later.
    pub(super) fn connected(&mut self, session_present: bool) {
        self.is_mixed = Some(session_present && self.is_mixed.unwrap_or(true));
    }

    /// What to subscribe with.
    pub(super) fn texts(&self) -> Vec<String> {
        self.filters.iter().map(|filter| filter.as_str().to_owned()).collect()
    }

    /// Whether a message on `topic` was asked for by this run.
    #[inline]
    pub(super) fn let_in(&self, topic: &[u8]) -> bool {
        self.is_mixed != Some(true) || self.is_asked_for(topic)
    }

    fn is_asked_for(&self, topic: &[u8]) -> bool {
        // The decoder has checked that it is UTF-8.
        std::str::from_utf8(topic)
            .is_ok_and(|topic| self.filters.iter().any(|filter| filter.matches(topic)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Topics are looked at from a first connection with a session on, until the session is new.
    #[test]
    fn only_a_session_of_an_earlier_run_is_looked_into() {
        let texts = ["sensors/#", "$share/g/other/+"];
        let cases = [
            (&[][..], true),
            (&[false], true),
            (&[false, true, true], true),
            (&[true], false),
            (&[true, true], false),
            (&[true, false], true),
            (&[true, false, true], true),
        ];
        for (sessions, lets_in_others) in cases {
            let mut filters = Filters::new(&texts.map(|text| text.parse().unwrap()));
            assert_eq!(filters.texts(), texts);
            for session_present in sessions {
                filters.connected(*session_present);
            }
            for (topic, is_asked_for) in [
                ("sensors/a", true),
                ("sensors", true),
                ("other/a", true),
                ("other/a/b", false),
                ("hot/sensors/a", false),
            ] {
                let is_let_in = filters.let_in(topic.as_bytes());
                assert_eq!(is_let_in, is_asked_for || lets_in_others, "{sessions:?} {topic}");
            }
        }
    }
}
