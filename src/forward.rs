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
use crate::limits::TOPIC_BYTES_MAX;
use crate::message::{Alert, Judged};
use crate::mqtt::connection::PACKET_BYTES_MAX;

/// Restores order and names the topics.
#[derive(Debug)]
pub struct Forwarder {
    /// Topic and first property of every alert.
    prefix: String,
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
    /// No MQTT packet can carry it, as the properties grew past the topic's or packet's limit.
    TooLarge {
        /// Receipt of the input message.
        receipt: u64,
        /// Bytes of the topic that would be needed.
        topic_bytes: usize,
    },
}

impl Forwarder {
    /// `prefix` is the topic up to and with the property `$.on` (see [`alert_topic`]).
    pub fn new(prefix: String) -> Self {
        Self {
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
        let topic_bytes = self.scratch.len();
        let receipt = message.receipt;
        if topic_bytes > TOPIC_BYTES_MAX || topic_bytes + message.body.len() > PACKET_BYTES_MAX {
            return Some(Outgoing::TooLarge { receipt, topic_bytes });
        }
        Some(Outgoing::Publish { receipt, topic: self.scratch.clone(), body: message.body })
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
            let mut forwarder = Forwarder::new(PREFIX.to_owned());
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
        let mut forwarder = Forwarder::new(PREFIX.to_owned());
        forwarder.accept(judged(0, 0..1, "k=v&messagetype=x&%24.mid=7&%24.cdid=d"), |_| {});
        let topic = match forwarder.next_alert() {
            Some(Outgoing::Publish { topic, .. }) => topic,
            other => panic!("{other:?}"),
        };
        assert_eq!(topic, format!("{PREFIX}&k=v&%24.mid=7&MessageType=Alert"));
    }

    #[test]
    fn a_topic_that_outgrows_mqtt_is_refused_not_truncated() {
        let mut forwarder = Forwarder::new(PREFIX.to_owned());
        let bag = format!("k={}", "%".repeat(30_000));
        forwarder.accept(judged(0, 5..6, &bag), |_| {});
        let refused = forwarder.next_alert();
        assert!(matches!(refused, Some(Outgoing::TooLarge { receipt: 5, .. })), "{refused:?}");
    }
}
