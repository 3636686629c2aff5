//! Where alerts are received, and whether one came on the topic that it must.

/// What stands for the topic of the message in the topic of its alert.
const TOPIC: &str = "{topic}";
/// What stands for the name of a sensor in the topic of its messages.
const SENSOR: &str = "{sensor}";

/// The topics of alerts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AlertsTopic {
    /// What is subscribed to.
    filter: String,
    before: String,
    /// What follows the topic of the message; `None` when that has no part in it.
    after: Option<String>,
}

impl AlertsTopic {
    /// Reads the topic of alerts, given that of messages; both with what stands for something else.
    ///
    /// # Errors
    /// Messages would come back by themselves.
    pub(super) fn new(text: &str, messages: &str) -> Result<Self, String> {
        let (before, after) = match text.split_once(TOPIC) {
            Some((before, after)) => (before, Some(after)),
            None => (text, None),
        };
        // Wide, where only alerts can be there: so that those on a wrong topic are seen.
        let is_wide = after.is_some() && before.ends_with('/') && !messages.starts_with(before);
        let filter = if is_wide {
            format!("{before}#")
        } else {
            let level = |level: &str| if level.contains(SENSOR) { "+" } else { level }.to_owned();
            let topic =
                format!("{before}{}", after.map_or_else(String::new, |_| messages.to_owned()));
            let topic = topic + after.unwrap_or_default();
            topic.split('/').map(level).collect::<Vec<_>>().join("/")
        };
        let read = Self { filter, before: before.to_owned(), after: after.map(str::to_owned) };
        if read.is_of(messages.as_bytes(), messages.as_bytes()) {
            return Err(format!("alerts and messages have the same topic, {messages}"));
        }
        Ok(read)
    }

    /// What is subscribed to.
    pub(super) fn filter(&self) -> &str {
        &self.filter
    }

    /// Whether an alert whose message had `topic` came on the topic that it must.
    #[inline]
    pub(super) fn is_of(&self, received: &[u8], topic: &[u8]) -> bool {
        match &self.after {
            Some(after) => received
                .strip_prefix(self.before.as_bytes())
                .and_then(|rest| rest.strip_suffix(after.as_bytes()))
                .is_some_and(|rest| rest == topic),
            None => received == self.before.as_bytes(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_as_wide_as_only_alerts_come() {
        let table = [
            ("alerts/{topic}", "sensors/{sensor}", "alerts/#"),
            ("a/{topic}/out", "sensors/{sensor}", "a/#"),
            ("{topic}/alerts", "sensors/{sensor}", "sensors/+/alerts"),
            ("plant/{topic}", "plant/s-{sensor}/t", "plant/plant/+/t"),
            ("hot-{topic}", "s/{sensor}", "hot-s/+"),
            ("alarm", "s/{sensor}", "alarm"),
            ("alarm", "s", "alarm"),
        ];
        for (alerts, messages, filter) in table {
            assert_eq!(AlertsTopic::new(alerts, messages).unwrap().filter(), filter, "{alerts}");
        }
        for (alerts, messages) in [("{topic}", "s/{sensor}"), ("s", "s")] {
            assert!(AlertsTopic::new(alerts, messages).is_err(), "{alerts}");
        }
    }

    #[test]
    fn each_alert_has_its_own_topic() {
        let topic = AlertsTopic::new("a/{topic}", "sensors/{sensor}").unwrap();
        assert!(topic.is_of(b"a/sensors/1", b"sensors/1"));
        assert!(!topic.is_of(b"a/sensors/2", b"sensors/1"));
        assert!(!topic.is_of(b"sensors/1", b"sensors/1"));
        let fixed = AlertsTopic::new("alarm", "sensors/{sensor}").unwrap();
        assert!(fixed.is_of(b"alarm", b"sensors/1") && !fixed.is_of(b"alarms", b"sensors/1"));
    }
}
