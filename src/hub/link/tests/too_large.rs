//! What the hub sends about the twin that is larger than is taken.

use super::*;
use crate::mqtt::connection::PACKET_BYTES_MAX;

impl Hub {
    /// Sends a publish that is too large, at QoS 1 where it has an id.
    async fn too_large(&mut self, topic: &str, id: u16) {
        let qos = if id == 0 { QoS::AtMostOnce } else { QoS::AtLeastOnce };
        let mut publish = Publish::new(topic, qos, vec![b' '; PACKET_BYTES_MAX]);
        publish.pkid = id;
        self.connection.publish(&publish).unwrap();
        timeout(PATIENCE, self.connection.flush()).await.expect("room in time").unwrap();
    }
}

/// The patch is refused, reported and acknowledged, and the document asked for; the threshold stays
/// when that is too large as well, and nothing behind it is held up.
#[tokio::test]
async fn a_patch_and_a_document_that_are_too_large_hold_nothing_up() {
    let (link, _stop, _wake) = link(1 << 20);
    let pipeline = link.pipeline.clone();
    let cell = Arc::clone(link.pipeline.lock().cell());
    let in_force = || cell.load().threshold.value();
    let (_served, mut hub) = serve(link, 1 << 20);
    hub.start(60, 4).await;
    hub.answer_report().await;
    hub.too_large("$iothub/twin/PATCH/properties/desired/?$version=5", 3).await;
    let get = hub.next_publish().await;
    assert!(get.topic.starts_with("$iothub/twin/GET/"), "{}", get.topic);
    let report: serde_json::Value =
        serde_json::from_slice(&hub.answer_report().await.payload).unwrap();
    let report = &report["TemperatureThreshold"];
    assert_eq!(
        (&report["value"], &report["ac"], &report["av"]),
        (&60.into(), &400.into(), &5.into())
    );
    assert_eq!(hub.next().await, Packet::PubAck(PubAck::new(3)));

    let rid = get.topic.split_once("$rid=").unwrap().1;
    hub.too_large(&format!("$iothub/twin/res/200/?$rid={rid}"), 0).await;
    hub.too_large("devices/d/modules/m/inputs/input1/", 4).await;
    assert_eq!(hub.next().await, Packet::PubAck(PubAck::new(4)));
    assert_eq!(in_force(), 60.0);
    let patch = r#"{"TemperatureThreshold":70,"$version":6}"#;
    let topic = "$iothub/twin/PATCH/properties/desired/?$version=6";
    hub.send(Packet::Publish(Publish::new(topic, QoS::AtMostOnce, patch))).await;
    hub.answer_report().await;
    assert_eq!(in_force(), 70.0);
    let pipeline = pipeline.lock();
    assert_eq!((pipeline.counters.oversized, pipeline.counters.twin_refused), (3, 1));
    assert_eq!(pipeline.counters.twin_callbacks, 2, "the one that is too large is one of them");
}
