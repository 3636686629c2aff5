//! Judged batches become publishes to `output1`, in the order in which the messages arrived.
//!
//! - In: judged batches in any order. Out: one QoS 1 publish per alert: the body as received, the
//!   properties of the input, `MessageType=Alert`.
//! - Runs on the ingest thread, which owns the connection that the alerts leave by.
//! - Bounded: everything here was counted as held when it was received
//!   ([`limits`](crate::limits)); alerts wait here while the connection's write buffer is full.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use crate::azure::alert::alert_topic;
use crate::azure::size::{MESSAGE_BYTES_MAX, PACKET_BYTES_MAX, message_bytes};
use crate::azure::{Identity, Properties, topics};
use crate::limits::TOPIC_BYTES_MAX;
use crate::message::{Alert, Judged};

/// Restores order and names the topics.
#[derive(Debug)]
pub struct Forwarder {
    /// Topic and first property of every alert.
    prefix: String,
    /// Where the property bag begins in `prefix`.
    bag_start: usize,
    /// Length of the module's own ids, which the hub adds to what it counts.
    ids_bytes: usize,
    next_sequence: u64,
    early: BTreeMap<u64, Judged>,
    ready: VecDeque<Alert>,
    scratch: String,
}

/// The next alert, ready to be published.
#[derive(Debug, PartialEq, Eq)]
pub enum Outgoing {
    /// To be published at QoS 1; `receipt` is settled by its PUBACK.
    Publish {
        /// Receipt of the input message.
        receipt: u64,
        /// Topic on `output1` with all properties.
        topic: String,
        /// The body as received.
        body: Bytes,
    },
    /// No hub takes it: `MessageType=Alert`, or properties encoded anew, make it larger than its
    /// input was. Sent all the same, it would end every connection.
    TooLarge {
        /// Receipt of the input message.
        receipt: u64,
        /// Bytes of the topic that it would need.
        topic_bytes: usize,
        /// Bytes of the body.
        body_bytes: usize,
    },
}

impl Forwarder {
    /// A forwarder for the alerts of `identity` that leave by `output`.
    pub fn new(identity: &Identity, output: &str) -> Self {
        let prefix = topics::output(identity, output, &Properties::new());
        let bag_start = prefix.rfind('/').map_or(0, |slash| slash + 1);
        let module_bytes = identity.module.as_ref().map_or(0, String::len);
        Self {
            bag_start,
            ids_bytes: identity.device.len() + module_bytes,
            prefix,
            next_sequence: 0,
            early: BTreeMap::new(),
            ready: VecDeque::new(),
            scratch: String::new(),
        }
    }

    /// Takes a judged batch in; `settled` is called for it and for every batch that waited for it,
    /// in order.
    pub fn accept(&mut self, judged: Judged, mut settled: impl FnMut(&Judged)) {
        self.early.insert(judged.sequence, judged);
        while let Some(judged) = self.early.remove(&self.next_sequence) {
            self.next_sequence += 1;
            settled(&judged);
            self.ready.extend(judged.alerts);
        }
    }

    /// The next alert in order, if there is one.
    pub fn next_alert(&mut self) -> Option<Outgoing> {
        let Alert { message, .. } = self.ready.pop_front()?;
        self.scratch.clear();
        alert_topic(&mut self.scratch, &self.prefix, message.bag());
        let receipt = message.receipt;
        let (topic_bytes, body_bytes) = (self.scratch.len(), message.body.len());
        if !self.is_sendable(&self.scratch, body_bytes) {
            return Some(Outgoing::TooLarge { receipt, topic_bytes, body_bytes });
        }
        Some(Outgoing::Publish { receipt, topic: self.scratch.clone(), body: message.body })
    }

    /// Whether an edgeHub takes this message: it closes the connection on a larger one.
    fn is_sendable(&self, topic: &str, body_bytes: usize) -> bool {
        /// Lengths of topic and packet id stand before the body (MQTT 3.1.1 §3.3.2).
        const HEADER_BYTES: usize = 4;
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

    /// Alerts that wait to be written, those of batches out of order included.
    pub fn waiting(&self) -> usize {
        self.ready.len() + self.early.values().map(|judged| judged.alerts.len()).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Message;
    use crate::parse::Malformed;
    use crate::threshold::Threshold;
    use proptest::prelude::*;

    const PREFIX: &str = "devices/d/modules/m/messages/events/%24.on=output1";

    fn forwarder() -> Forwarder {
        let identity = Identity {
            hub: "h".to_owned(),
            gateway: "g".to_owned(),
            device: "d".to_owned(),
            module: Some("m".to_owned()),
        };
        Forwarder::new(&identity, "output1")
    }

    fn judged(sequence: u64, receipts: std::ops::Range<u64>, bag: &str) -> Judged {
        let alert = |receipt| Alert {
            message: Message {
                receipt,
                topic: format!("devices/d/modules/m/inputs/input1/{bag}"),
                bag_start: 34,
                body: Bytes::from(receipt.to_string()),
            },
            temperature: 30.0,
        };
        Judged {
            sequence,
            threshold: Threshold::new(25.0).expect("finite"),
            receipts: receipts.clone(),
            messages: 3,
            alerts: receipts.map(alert).collect(),
            malformed: [0; Malformed::ALL.len()],
            sample: None,
        }
    }

    proptest! {
        /// In whatever order the pool returns batches, alerts leave in order of receipt.
        #[test]
        fn order_of_receipt_is_restored(order in Just((0u64..40).collect::<Vec<_>>()).prop_shuffle()) {
            let mut forwarder = forwarder();
            let mut settled = Vec::new();
            let mut left = Vec::new();
            for sequence in order {
                forwarder.accept(judged(sequence, sequence * 3..sequence * 3 + 3, ""), |batch| settled.push(batch.sequence));
                while let Some(Outgoing::Publish { receipt, body, .. }) = forwarder.next_alert() {
                    prop_assert_eq!(body, receipt.to_string());
                    left.push(receipt);
                }
            }
            prop_assert_eq!(settled, (0..40).collect::<Vec<_>>());
            prop_assert_eq!(left, (0..120).collect::<Vec<_>>());
            prop_assert_eq!(forwarder.waiting(), 0);
        }
    }

    #[test]
    fn properties_stay_and_the_alert_is_added() {
        let mut forwarder = forwarder();
        forwarder.accept(judged(0, 0..1, "k=v&messagetype=x&%24.mid=7&%24.cdid=d"), |_| {});
        let topic = match forwarder.next_alert() {
            Some(Outgoing::Publish { topic, .. }) => topic,
            other => panic!("{other:?}"),
        };
        assert_eq!(topic, format!("{PREFIX}&k=v&%24.mid=7&MessageType=Alert"));
    }

    #[test]
    fn a_topic_that_outgrows_mqtt_is_refused_not_truncated() {
        let mut forwarder = forwarder();
        let bag = format!("k={}", "%".repeat(30_000));
        forwarder.accept(judged(0, 5..6, &bag), |_| {});
        let refused = forwarder.next_alert();
        assert!(matches!(refused, Some(Outgoing::TooLarge { receipt: 5, .. })), "{refused:?}");
    }

    /// The largest alert that a hub takes is sent, one byte more is not: counted as edgeHub
    /// counts, with the decoded properties and its own.
    #[test]
    fn the_largest_alert_is_sent_and_one_byte_more_is_not() {
        let bag = "k=%C3%A9%C3%A9";
        let properties = Properties::decode(&format!("%24.on=output1&{bag}&MessageType=Alert"));
        let room = MESSAGE_BYTES_MAX - message_bytes(&properties, 0, 2);
        for (size, is_sent) in [(room, true), (room + 1, false)] {
            let mut forwarder = forwarder();
            let mut batch = judged(0, 0..1, bag);
            batch.alerts[0].message.body = Bytes::from(vec![b' '; size]);
            forwarder.accept(batch, |_| {});
            let sent = matches!(forwarder.next_alert(), Some(Outgoing::Publish { .. }));
            assert_eq!(sent, is_sent, "{size}");
        }
    }
}
