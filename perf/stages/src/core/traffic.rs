//! What `perf core` is fed with.

use bytes::BytesMut;
use rumqttc::QoS;
use rumqttc::mqttbytes::v4::Publish;
use sluicegate::azure::{Identity, Properties, topics};

/// `count` publishes to `input1` of `edge1/filter`, one in `alert_every` with a temperature above 25.
pub fn traffic(count: u32, alert_every: u32) -> BytesMut {
    let mut bytes = BytesMut::new();
    for index in 0..count {
        let temperature =
            if index % alert_every == 0 { "101.52791830163853" } else { "21.52791830163853" };
        let body = format!(
            "{{\"machine\":{{\"temperature\":{temperature},\"pressure\":1.0601425913965917}},\
             \"ambient\":{{\"temperature\":21.100215847328126,\"humidity\":25}},\
             \"timeCreated\":\"2020-06-01T12:00:00.1234567Z\"}}"
        );
        let topic = format!(
            "{}input1/sequenceNumber={index}&%24.cdid=edge1&%24.cmid=sensor",
            topics::inputs_prefix(&identity())
        );
        let mut publish = Publish::new(topic, QoS::AtLeastOnce, body);
        publish.pkid = u16::try_from(index % 65_535 + 1).unwrap_or(1);
        publish.write(&mut bytes).expect("a valid publish into growing memory");
    }
    bytes
}

/// What the topics of the alerts of `edge1/filter` begin with.
pub fn alerts_prefix() -> String {
    topics::output(&identity(), "output1", &Properties::new())
}

fn identity() -> Identity {
    Identity {
        hub: "local.azure-devices.net".to_owned(),
        gateway: "localhost".to_owned(),
        device: "edge1".to_owned(),
        module: Some("filter".to_owned()),
    }
}
