//! Where an alert goes, given where its input came from.

/// System properties, which belong to one hop, begin with this in a topic.
const SYSTEM: &[u8] = b"%24.";
/// The output that alerts leave by.
const OUTPUT: &[u8] = b"%24.on=output1";
/// The property that marks an alert.
const MARK: &[u8] = b"MessageType=Alert";
/// Its name, with what follows.
const MARK_NAME: &[u8] = b"MessageType=";
/// What stands for the input's topic in a topic to publish to.
const TOPIC: &str = "{topic}";

/// How topics of inputs become topics of alerts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route {
    /// An edge hub's: properties stand in the topic.
    Edge {
        /// What an input's topic begins with; the input's name, a slash and the properties follow.
        inputs: Vec<u8>,
        /// The topic of alerts, up to the properties.
        events: Vec<u8>,
    },
    /// Any broker's: topics only.
    Broker {
        /// What comes before the input's topic.
        before: Vec<u8>,
        /// What comes after it; `None`: the input's topic has no part in it.
        after: Option<Vec<u8>>,
    },
}

impl Route {
    /// From the filter subscribed to and the topic to publish to, in which `{topic}` stands for the
    /// input's; an edge hub's when the filter begins with `devices/`.
    pub(super) fn new(subscribe: &str, publish: &str) -> Self {
        if subscribe.starts_with("devices/") {
            let inputs = subscribe.trim_end_matches('#').into();
            return Self::Edge { inputs, events: publish.into() };
        }
        match publish.split_once(TOPIC) {
            Some((before, after)) => {
                Self::Broker { before: before.into(), after: Some(after.into()) }
            }
            None => Self::Broker { before: publish.into(), after: None },
        }
    }

    /// Whether a message on `topic` is an input.
    #[inline]
    pub(super) fn is_input(&self, topic: &[u8]) -> bool {
        match self {
            Self::Edge { inputs, .. } => topic.starts_with(inputs),
            Self::Broker { .. } => true,
        }
    }

    /// Whether alerts have properties.
    pub(super) fn has_properties(&self) -> bool {
        matches!(self, Self::Edge { .. })
    }

    /// Writes the topic of the alert for an input on `topic` over `out`. Properties are copied as
    /// they are, less the system ones; `mark` adds the one that says it is an alert.
    pub(super) fn write_topic(&self, out: &mut Vec<u8>, topic: &[u8], mark: bool) {
        out.clear();
        match self {
            Self::Edge { inputs, events } => {
                out.extend_from_slice(events);
                out.extend_from_slice(OUTPUT);
                let input = topic.strip_prefix(inputs.as_slice()).unwrap_or_default();
                let bag = input.splitn(2, |byte| *byte == b'/').nth(1).unwrap_or_default();
                for property in bag.split(|byte| *byte == b'&') {
                    let replaced = mark && property.starts_with(MARK_NAME);
                    if !property.is_empty() && !property.starts_with(SYSTEM) && !replaced {
                        out.push(b'&');
                        out.extend_from_slice(property);
                    }
                }
                if mark {
                    out.push(b'&');
                    out.extend_from_slice(MARK);
                }
            }
            Self::Broker { before, after } => {
                out.extend_from_slice(before);
                if let Some(after) = after {
                    out.extend_from_slice(topic);
                    out.extend_from_slice(after);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENTS: &str = "devices/edge/modules/filter/messages/events/";

    fn alert_topic(route: &Route, topic: &str, mark: bool) -> String {
        let mut out = b"what was there before".to_vec();
        assert!(route.is_input(topic.as_bytes()), "{topic}");
        route.write_topic(&mut out, topic.as_bytes(), mark);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn properties_are_copied_and_system_ones_are_not() {
        let route = Route::new("devices/edge/modules/filter/inputs/#", EVENTS);
        let table = [
            (
                "input1/%24.cdid=edge&%24.cmid=sensor&sequenceNumber=0001234",
                "&sequenceNumber=0001234",
            ),
            ("input1/b%20key=v%26%3D&%24.mid=x&a=&n", "&b%20key=v%26%3D&a=&n"),
            ("input1/a=b/c", "&a=b/c"),
            ("input1/MessageType=Old&a=1", "&a=1"),
            ("input1/", ""),
            ("input1", ""),
            ("", ""),
        ];
        for (input, properties) in table {
            let topic = format!("devices/edge/modules/filter/inputs/{input}");
            let expected = format!("{EVENTS}%24.on=output1{properties}&MessageType=Alert");
            assert_eq!(alert_topic(&route, &topic, true), expected);
        }
        let topic = "devices/edge/modules/filter/inputs/input1/a=1";
        assert_eq!(alert_topic(&route, topic, false), format!("{EVENTS}%24.on=output1&a=1"));
        assert!(!route.is_input(b"$iothub/twin/res/200/?$rid=1"));
    }

    #[test]
    fn brokers_have_topics_only() {
        let route = Route::new("sensors/#", "alerts/{topic}/out");
        assert_eq!(alert_topic(&route, "sensors/1", true), "alerts/sensors/1/out");
        let route = Route::new("sensors/+", "alerts");
        assert_eq!(alert_topic(&route, "sensors/1", true), "alerts");
    }
}
