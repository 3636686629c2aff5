//! What the hub sends that is larger than is taken.

use super::*;
use crate::mqtt::connection::PACKET_BYTES_MAX;

/// Whatever it is, it is acknowledged; a patch makes the sensor ask for the twin.
#[test]
fn what_is_too_large_is_acknowledged_and_a_patch_asked_for() {
    run(async {
        let world = World::start(HOUR).await;
        world.assign("dev-1").await;
        let mut hub = world.serve("dev-1", &empty_twin()).await;
        let topics = [topics::method_request("blink", "7f"), topics::desired_patch(2)];
        for (topic, id) in topics.into_iter().zip(8..) {
            let mut publish = Publish::new(topic, QoS::AtLeastOnce, vec![b' '; PACKET_BYTES_MAX]);
            publish.pkid = id;
            hub.connection.publish(&publish).unwrap();
            hub.connection.flush().await.unwrap();
            let ack = Packet::PubAck(PubAck::new(id));
            hub.find("PUBACK", |packet| (*packet == ack).then_some(())).await;
        }
        let get = hub.publish_on("$iothub/twin/GET/").await;
        let twin = json!({"desired": {"name": "lamp", "$version": 2}, "reported": {}});
        hub.send(&topics::twin_response(200, &rid(&get.topic), None), &twin).await;
        while !hub.report().await["name"].is_object() {}
        world.quit(Some(hub)).await;
    });
}
