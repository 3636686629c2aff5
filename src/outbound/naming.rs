//! What the topics of alerts are called, on a hub's output and on a broker.
//!
//! - In: an alert. Out: the topic of its QoS 1 publish: on a hub's output with the properties of
//!   the input and `MessageType=Alert`; on a broker by a template. The body is the input's, in its
//!   place.
//! - Runs on the ingest thread, which owns the connection that the alerts leave by. Pure.
//! - Bounded: one topic's scratch a connection.

use crate::azure::alert::{ALERT, alert_topic, is_message_type};
use crate::azure::percent_encode;
use crate::azure::size::{MESSAGE_BYTES_MAX, PACKET_BYTES_MAX, message_bytes};
use crate::azure::{Identity, Properties, topics};
use crate::mqtt::limits::TOPIC_BYTES_MAX;
use crate::mqtt::topics::AlertsTopic;
use crate::pipeline::message::{Alert, SourceId};
use crate::pipeline::unsent::Unsent;

/// Names the topics of alerts.
pub trait Naming {
    /// The topic of an alert.
    ///
    /// # Errors
    /// When no receiver takes the alert, or it must not be sent.
    fn topic(&mut self, alert: &Alert) -> Result<&str, Unsent>;

    /// Name and value of each property that such a topic carries.
    fn properties(&self, topic: &str) -> Vec<(String, Option<String>)>;
}

/// Names the topics of alerts on a hub's output: a message from the hub keeps its properties, the
/// topic of one from a broker becomes the property `topic`.
#[derive(Debug)]
pub struct HubOutput {
    /// Topic and first property of every alert.
    prefix: String,
    /// Where the property bag begins in `prefix`.
    bag_start: usize,
    /// Length of the module's own ids, which the hub adds to what it counts.
    ids_bytes: usize,
    device: String,
    module: String,
    /// Whether alerts of this very module are alerts again.
    judges_own: bool,
    topic: String,
    /// Scratch for the bag of a message that had none.
    bag: String,
}

impl HubOutput {
    /// For the alerts of `identity` that leave by `output`.
    pub fn new(identity: &Identity, output: &str) -> Self {
        let prefix = topics::output(identity, output, &Properties::new());
        let bag_start = prefix.rfind('/').map_or(0, |slash| slash + 1);
        let (device, module) = (identity.device.clone(), identity.module.clone());
        let module = module.unwrap_or_default();
        Self {
            bag_start,
            ids_bytes: device.len() + module.len(),
            device,
            module,
            judges_own: false,
            prefix,
            topic: String::new(),
            bag: String::new(),
        }
    }

    /// The same that takes alerts of this very module, brought back by a route, for alerts again.
    #[must_use]
    pub fn judging_own_alerts(self, judges_own: bool) -> Self {
        Self { judges_own, ..self }
    }

    /// Whether this was an alert of this very module already, and is none again.
    #[cold]
    fn is_own(&self, alert: &Alert) -> bool {
        if self.judges_own {
            return false;
        }
        // The bag ends at a raw `/`, as for the official SDKs.
        let bag = alert.origin().split('/').next().unwrap_or_default();
        let properties = Properties::decode(bag);
        let is = |name: &str, wanted: &str| properties.get(name).flatten() == Some(wanted);
        let mut types = properties.iter().filter(|(name, _)| is_message_type(name.as_bytes()));
        // A hub names both; one that leaves the device out can mean no other module.
        let is_of_device = properties.get("$.cdid").is_none() || is("$.cdid", &self.device);
        is("$.cmid", &self.module) && is_of_device && types.any(|(_, value)| value == Some(ALERT))
    }

    /// Whether an edgeHub takes this message: it closes the connection on a larger one.
    fn is_sendable(&self, body_bytes: usize) -> bool {
        /// Lengths of topic and packet id stand before the body (MQTT 3.1.1 §3.3.2).
        const HEADER_BYTES: usize = 4;
        let topic = &self.topic;
        if topic.len() > TOPIC_BYTES_MAX
            || HEADER_BYTES + topic.len() + body_bytes > PACKET_BYTES_MAX
        {
            return false;
        }
        // Decoding never lengthens a bag, so far from the limit it need not be done.
        let bag = &topic[self.bag_start..];
        let at_most = message_bytes(&Properties::new(), body_bytes + bag.len(), self.ids_bytes);
        at_most <= MESSAGE_BYTES_MAX
            || message_bytes(&Properties::decode(bag), body_bytes, self.ids_bytes)
                <= MESSAGE_BYTES_MAX
    }
}

impl Naming for HubOutput {
    fn topic(&mut self, alert: &Alert) -> Result<&str, Unsent> {
        self.topic.clear();
        match alert.source {
            SourceId::Hub => {
                let had_type = alert_topic(&mut self.topic, &self.prefix, alert.origin());
                if had_type && self.is_own(alert) {
                    return Err(Unsent::Own);
                }
            }
            SourceId::Broker => {
                self.bag.clear();
                self.bag.push_str("topic=");
                percent_encode(alert.origin(), &mut self.bag);
                alert_topic(&mut self.topic, &self.prefix, &self.bag);
            }
        }
        let body_bytes = alert.body().len();
        if self.is_sendable(body_bytes) {
            return Ok(&self.topic);
        }
        Err(Unsent::TooLarge { topic_bytes: self.topic.len(), body_bytes })
    }

    fn properties(&self, topic: &str) -> Vec<(String, Option<String>)> {
        let properties = Properties::decode(topic.get(self.bag_start..).unwrap_or_default());
        let owned =
            |(name, value): (&str, Option<&str>)| (name.to_owned(), value.map(str::to_owned));
        properties.iter().map(owned).collect()
    }
}

/// Names the topics of alerts on a broker by a template.
#[derive(Debug)]
pub struct BrokerOutput {
    template: AlertsTopic,
    topic: String,
}

impl BrokerOutput {
    /// For alerts that leave by topics of `template`.
    pub fn new(template: AlertsTopic) -> Self {
        Self { template, topic: String::new() }
    }
}

impl Naming for BrokerOutput {
    fn topic(&mut self, alert: &Alert) -> Result<&str, Unsent> {
        self.topic.clear();
        self.template.write(&mut self.topic, alert.origin());
        if self.topic.len() <= TOPIC_BYTES_MAX {
            return Ok(&self.topic);
        }
        Err(Unsent::TopicTooLong(self.topic.len()))
    }

    fn properties(&self, _: &str) -> Vec<(String, Option<String>)> {
        Vec::new()
    }
}
