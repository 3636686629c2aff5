//! Whether shared subscriptions bring anything.
//!
//! A broker that knows none (RabbitMQ 3.10, Aedes, amqtt) takes `$share/GROUP/FILTER` for an
//! ordinary filter: it grants it, and no topic ever matches it. Nothing on the wire tells; so the
//! first [`SHARED_SILENCE`] on a connection in which no shared filter brings anything makes one
//! warning, with what it may mean. What comes by ordinary filters beside them is no sign of life,
//! unless a shared filter lets its topic in as well.
//!
//! Pure. Looked at until the first such message or the warning, then never again.

use std::time::Instant;

use crate::broker::TopicFilter;
use crate::broker::limits::SHARED_SILENCE;
use crate::host::logging::excerpt;

#[derive(Debug)]
pub(super) struct Silence {
    /// Those that are shared, or served in another way of the broker's own.
    filters: Vec<TopicFilter>,
    /// When to tell; `None` without a subscription.
    until: Option<Instant>,
    /// Something came, or the warning was logged.
    is_over: bool,
}

impl Silence {
    pub(super) fn new(filters: &[TopicFilter]) -> Self {
        let filters: Vec<_> = filters.iter().filter(|f| f.is_special()).cloned().collect();
        Self { is_over: filters.is_empty(), filters, until: None }
    }

    /// A new connection, without subscriptions yet.
    pub(super) fn connected(&mut self) {
        self.until = None;
    }

    /// The subscriptions were granted.
    pub(super) fn subscribed(&mut self, now: Instant) {
        self.until = (!self.is_over).then(|| now + SHARED_SILENCE);
    }

    /// Whether it is still to be looked at.
    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    /// When [`warning`](Self::warning) has something to say, if nothing comes before.
    pub(super) fn until(&self) -> Option<Instant> {
        self.until
    }

    /// Messages came on these topics, perhaps together with the answer to the SUBSCRIBE.
    #[cold]
    pub(super) fn heard<'a>(&mut self, mut topics: impl Iterator<Item = &'a [u8]>) {
        let is_asked_for = |topic: &[u8]| {
            let topic = std::str::from_utf8(topic).unwrap_or_default();
            self.filters.iter().any(|filter| filter.matches(topic))
        };
        if topics.any(is_asked_for) {
            self.end();
        }
    }

    /// What to tell, once.
    #[cold]
    pub(super) fn warning(&mut self, now: Instant) -> Option<String> {
        self.until.filter(|until| now >= *until)?;
        self.end();
        let first = self.filters.first()?;
        let others = match self.filters.len() - 1 {
            0 => String::new(),
            others => format!(" (and {others} more such filters)"),
        };
        Some(format!(
            "nothing came by {}{others} in {} s: if readings are published meanwhile, this broker \
             takes it for an ordinary filter, as RabbitMQ 3.10, Aedes and amqtt do, and will never \
             bring any; then subscribe to {} in one process alone, or take a broker that shares \
             subscriptions",
            excerpt(first.as_str().as_bytes()),
            SHARED_SILENCE.as_secs(),
            excerpt(first.pattern().as_bytes()),
        ))
    }

    fn end(&mut self) {
        (self.is_over, self.until) = (true, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn silence(filters: &[&str]) -> Silence {
        let filters: Vec<_> = filters.iter().map(|text| text.parse().unwrap()).collect();
        Silence::new(&filters)
    }

    /// For all filters, and whatever comes by them: which are warned of.
    #[test]
    fn only_shared_filters_that_bring_nothing_are_warned_of() {
        const SHARED: &str = "$share/g/sensors/#";
        let cases: &[(&[&str], &[&str], bool)] = &[
            (&[SHARED], &[], true),
            (&[SHARED], &["sensors/a"], false),
            (&["$share/a/x/+", "$share/b/y/+"], &["y/1"], false),
            (&["$share/a/x/+", "$share/b/y/+"], &[], true),
            (&["$queue/sensors/#"], &[], true),
            (&["$exclusive/sensors/#"], &[], true),
            (&["$queue/sensors/#"], &["sensors/7"], false),
            (&["sensors/#"], &[], false),
            (&["sensors/#", "+/x"], &["sensors/a"], false),
            // Beside an ordinary one: what it brings says nothing of the shared one.
            (&["other/#", SHARED], &[], true),
            (&["other/#", SHARED], &["other/a", "other/b"], true),
            (&["other/#", SHARED], &["other/a", "sensors/a"], false),
        ];
        let now = Instant::now();
        for (filters, topics, is_warned) in cases {
            let mut silence = silence(filters);
            silence.connected();
            silence.subscribed(now);
            silence.heard(topics.iter().map(|topic| topic.as_bytes()));
            assert_eq!(silence.warning(now + SHARED_SILENCE - Duration::from_millis(1)), None);
            assert_eq!(silence.until().is_some(), *is_warned, "{filters:?} {topics:?}");
            let shown = silence.warning(now + SHARED_SILENCE);
            assert_eq!(shown.is_some(), *is_warned, "{filters:?} {topics:?}");
            silence.connected();
            silence.subscribed(now);
            assert_eq!(silence.until(), None, "once");
        }
    }

    /// The time counts for each connection alone.
    #[test]
    fn a_connection_that_ended_before_is_no_sign() {
        let mut silence = silence(&["$share/g/a/#", "$share/g/b/#"]);
        let now = Instant::now();
        silence.subscribed(now);
        silence.connected();
        assert_eq!(silence.warning(now + 2 * SHARED_SILENCE), None, "no subscription yet");
        silence.subscribed(now + SHARED_SILENCE);
        assert_eq!(silence.warning(now + SHARED_SILENCE), None);
        let shown = silence.warning(now + 2 * SHARED_SILENCE).expect("a warning");
        for part in ["$share/g/a/#", "(and 1 more", "30 s", "RabbitMQ", "subscribe to a/#"] {
            assert!(shown.contains(part), "{shown}");
        }
    }
}
