//! One client's subscriptions, and what edgeHub reads from the text of each filter.
//!
//! A session with clean session 0 outlives its connection and the hub: SDKs never subscribe
//! again after a reconnect.

use rumqttc::mqttbytes;
use serde::{Deserialize, Serialize};

use super::config::SUBSCRIPTIONS_MAX;
use super::inputs::Delivery;

/// Filter that turns twin answers on; no other one does.
pub(super) const TWIN_RESPONSES: &str = "$iothub/twin/res/#";
/// A filter that starts so turns desired patches on.
pub(super) const DESIRED_PATCHES: &str = "$iothub/twin/PATCH/properties/desired/";
/// A filter that starts so turns direct methods on.
pub(super) const METHODS: &str = "$iothub/methods/POST/";

/// One accepted filter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Subscription {
    /// Filter as subscribed.
    pub(super) filter: String,
    /// Granted QoS, 0 or 1.
    pub(super) qos: u8,
}

/// Subscriptions of one client.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Session {
    subscriptions: Vec<Subscription>,
}

impl Session {
    /// Adds or replaces a filter and gives the QoS granted, which is never above 1; `None` when
    /// the filter is empty or the session is full.
    pub(super) fn subscribe(&mut self, filter: &str, qos: u8) -> Option<u8> {
        let qos = qos.min(1);
        if let Some(held) = self.subscriptions.iter_mut().find(|s| s.filter == filter) {
            held.qos = qos;
            return Some(qos);
        }
        if filter.is_empty() || self.subscriptions.len() >= SUBSCRIPTIONS_MAX {
            return None;
        }
        self.subscriptions.push(Subscription { filter: filter.to_owned(), qos });
        Some(qos)
    }

    /// Whether a filter is held at this QoS.
    pub(super) fn holds(&self, filter: &str, qos: u8) -> bool {
        self.subscriptions.iter().any(|s| s.filter == filter && s.qos == qos)
    }

    /// Removes a filter, if it is there.
    pub(super) fn unsubscribe(&mut self, filter: &str) {
        self.subscriptions.retain(|s| s.filter != filter);
    }

    /// The filters, in the order of their first subscription.
    pub(super) fn filters(&self) -> impl Iterator<Item = &str> {
        self.subscriptions.iter().map(|s| s.filter.as_str())
    }

    /// What the subscriptions mean for the module with these ids.
    pub(super) fn interest(&self, inputs_prefix: &str) -> Interest {
        let qos_where = |wanted: &dyn Fn(&str) -> bool| {
            self.subscriptions.iter().filter(|s| wanted(&s.filter)).map(|s| s.qos).max()
        };
        let inputs = if qos_where(&asks_for_inputs).is_none() {
            InputInterest::None
        } else if let Some(qos) = qos_where(&|filter| covers_all(filter, inputs_prefix)) {
            InputInterest::All(delivery(qos))
        } else {
            InputInterest::Some(self.subscriptions.clone())
        };
        Interest {
            inputs,
            twin_responses: qos_where(&|filter| filter == TWIN_RESPONSES),
            desired: qos_where(&|filter| filter.starts_with(DESIRED_PATCHES)),
            methods: qos_where(&|filter| filter.starts_with(METHODS)),
        }
    }
}

/// What a client is sent, with the QoS of each kind; `None` when it is not sent at all.
#[derive(Debug, Clone, Default)]
pub(super) struct Interest {
    /// Input messages.
    pub(super) inputs: InputInterest,
    /// Answers to twin requests.
    pub(super) twin_responses: Option<u8>,
    /// Desired property patches.
    pub(super) desired: Option<u8>,
    /// Direct method requests.
    pub(super) methods: Option<u8>,
}

/// Which input messages a client is sent.
#[derive(Debug, Clone, Default)]
pub(super) enum InputInterest {
    /// None: they stay stored.
    #[default]
    None,
    /// Every input, without a look at its topic.
    All(Delivery),
    /// Those that a filter matches; the others are dropped for good.
    Some(Vec<Subscription>),
}

impl InputInterest {
    /// What becomes of a message with this topic.
    pub(super) fn decide(&self, topic: &str) -> Delivery {
        match self {
            Self::None => Delivery::Reject,
            Self::All(delivery) => *delivery,
            Self::Some(subscriptions) => subscriptions
                .iter()
                .filter(|s| mqttbytes::matches(topic, &s.filter))
                .map(|s| s.qos)
                .max()
                .map_or(Delivery::Reject, delivery),
        }
    }
}

fn delivery(qos: u8) -> Delivery {
    if qos == 0 { Delivery::AtMostOnce } else { Delivery::AtLeastOnce }
}

/// edgeHub's pattern `^devices/.+/modules/.+/#$`.
pub(super) fn asks_for_inputs(filter: &str) -> bool {
    const MODULES: &str = "/modules/";
    let Some(ids) = filter.strip_prefix("devices/").and_then(|f| f.strip_suffix("/#")) else {
        return false;
    };
    ids.match_indices(MODULES).any(|(at, _)| at > 0 && at + MODULES.len() < ids.len())
}

/// Whether a filter matches every input topic of the module whose topics start with
/// `devices/{d}/modules/{m}/inputs/`.
fn covers_all(filter: &str, inputs_prefix: &str) -> bool {
    filter.strip_suffix('#').is_some_and(|start| {
        start == inputs_prefix || inputs_prefix.strip_suffix("inputs/") == Some(start)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PREFIX: &str = "devices/edge1/modules/mod1/inputs/";

    fn session(filters: &[(&str, u8)]) -> Session {
        let mut session = Session::default();
        for (filter, qos) in filters {
            session.subscribe(filter, *qos).unwrap();
        }
        session
    }

    fn decide(filters: &[(&str, u8)], input: &str) -> Option<Delivery> {
        let interest = session(filters).interest(PREFIX);
        match interest.inputs {
            InputInterest::None => None,
            inputs => Some(inputs.decide(&format!("{PREFIX}{input}/%24.cdid=edge1"))),
        }
    }

    #[test]
    fn input_filters_by_their_text() {
        use Delivery::{AtLeastOnce, AtMostOnce, Reject};
        let cases: [(&str, u8, &str, Option<Delivery>); 9] = [
            ("devices/edge1/modules/mod1/inputs/#", 1, "a", Some(AtLeastOnce)),
            ("devices/edge1/modules/mod1/inputs/#", 0, "a", Some(AtMostOnce)),
            ("devices/edge1/modules/mod1/#", 2, "a", Some(AtLeastOnce)),
            ("devices/edge1/modules/mod1/inputs/a/#", 1, "a", Some(AtLeastOnce)),
            ("devices/edge1/modules/mod1/inputs/a/#", 1, "b", Some(Reject)),
            ("devices/edge1/modules/mod1/inputs/a", 1, "a", None),
            ("devices/edge1/modules/mod1/inputs/+/x", 1, "a", None),
            ("devices/other/modules/mod1/inputs/#", 1, "a", Some(Reject)),
            ("#", 1, "a", None),
        ];
        for (filter, qos, input, expected) in cases {
            assert_eq!(decide(&[(filter, qos)], input), expected, "{filter} {qos} {input}");
        }
    }

    #[test]
    fn twin_and_method_filters_by_their_text() {
        let all = session(&[
            ("$iothub/twin/res/#", 0),
            ("$iothub/twin/PATCH/properties/desired/#", 1),
            ("$iothub/methods/POST/#", 2),
        ]);
        let interest = all.interest(PREFIX);
        assert_eq!(
            (interest.twin_responses, interest.desired, interest.methods),
            (Some(0), Some(1), Some(1))
        );
        let none = session(&[("$iothub/twin/res/+", 1), ("$iothub/twin/#", 1), ("#", 1)]);
        let interest = none.interest(PREFIX);
        assert_eq!(
            (interest.twin_responses, interest.desired, interest.methods),
            (None, None, None)
        );
    }

    #[test]
    fn session_is_bounded() {
        let mut session = Session::default();
        for n in 0..SUBSCRIPTIONS_MAX {
            assert_eq!(session.subscribe(&format!("f{n}"), 1), Some(1));
        }
        assert_eq!(session.subscribe("one more", 1), None);
        assert_eq!(session.subscribe("f0", 0), Some(0));
        session.unsubscribe("f0");
        assert_eq!(session.subscribe("one more", 2), Some(1));
    }
}
