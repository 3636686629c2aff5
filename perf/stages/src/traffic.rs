//! What the stages are fed with: publishes as the hub sends them to the module.

use bytes::BytesMut;
use rumqttc::QoS;
use rumqttc::mqttbytes::v4::Publish;
use sluicegate::azure::{Identity, Properties, topics};

use crate::body;

/// Publishes one behind the other, which are gone through again and again.
pub(crate) struct Ring {
    /// Encoded.
    pub(crate) bytes: Vec<u8>,
    pub(crate) messages: Vec<Sent>,
}

/// One of them.
pub(crate) struct Sent {
    /// Where it ends.
    pub(crate) end: usize,
    pub(crate) is_alert: bool,
    pub(crate) publish: Publish,
}

impl Ring {
    /// `count` bodies of 140 bytes, of which every `alert_every`-th is an alert.
    pub(crate) fn new(count: u32, alert_every: u32) -> Self {
        let (mut bytes, mut messages) = (BytesMut::new(), Vec::new());
        let inputs = topics::inputs_prefix(&identity());
        for index in 0..count {
            let is_alert = index % alert_every == 0;
            let publish = publish(&inputs, index, is_alert);
            publish.write(&mut bytes).expect("a valid publish into growing memory");
            messages.push(Sent { end: bytes.len(), is_alert, publish });
        }
        Self { bytes: bytes.to_vec(), messages }
    }
}

/// `count` publishes to `input1` of `edge1/filter`, one in `alert_every` with a temperature above
/// 25.
pub fn traffic(count: u32, alert_every: u32) -> BytesMut {
    let mut bytes = BytesMut::new();
    let inputs = topics::inputs_prefix(&identity());
    for index in 0..count {
        let publish = publish(&inputs, index, index % alert_every == 0);
        publish.write(&mut bytes).expect("a valid publish into growing memory");
    }
    bytes
}

/// The message of that index.
fn publish(inputs: &str, index: u32, is_alert: bool) -> Publish {
    let readings = if is_alert { body::HOT } else { body::COLD };
    let reading = readings[(index / 3 % 8) as usize];
    let topic = format!("{inputs}input1/sequenceNumber={index}&%24.cdid=edge1&%24.cmid=sensor");
    let body = body::sensor(body::SIZES[0], reading);
    let mut publish = Publish::new(topic, QoS::AtLeastOnce, body);
    publish.pkid = u16::try_from(index % 65_535 + 1).unwrap_or(1);
    publish
}

/// What the topics of the alerts of `edge1/filter` begin with.
pub fn alerts_prefix() -> String {
    topics::output(&identity(), "output1", &Properties::new())
}

/// The topic of the alert that the message of that index raises, from [`alerts_prefix`].
pub(crate) fn alert_topic(prefix: &str, index: usize) -> String {
    format!("{prefix}&sequenceNumber={index}&MessageType=Alert")
}

/// The module that all of them are for.
pub(crate) fn identity() -> Identity {
    Identity {
        hub: "local.azure-devices.net".to_owned(),
        gateway: "localhost".to_owned(),
        device: "edge1".to_owned(),
        module: Some("filter".to_owned()),
    }
}
