//! What a broker can do to the control topic and to alerts.

use super::*;
use crate::broker::peer::{HOT, Peer, World, login, pair, world};
use crate::limits::FIRST_TWIN_WAIT;
use crate::message::{Message, SourceId, Span};
use crate::mqtt::{ConnectionError, QoS};
use bytes::Bytes;
use rumqttc::mqttbytes::v4::{Publish, SubscribeReasonCode as Code};
use serde_json::Value;
use tokio::task::JoinHandle;

fn outlet(world: &World) -> Outlet {
    let (login, settings) = login();
    let topics = settings.standalone.expect("topics");
    Outlet::new(&login, &topics, world.context.clone(), Arc::clone(&world.outlet_wake))
}

/// A connection that is served; gives the outlet back once it has ended.
type Served = JoinHandle<(Outlet, Result<(), End>)>;

fn serve(mut outlet: Outlet) -> (Peer, Served) {
    let (connection, peer) = pair();
    let served = tokio::spawn(async move {
        let end = outlet.serve(connection).await;
        (outlet, end)
    });
    (peer, served)
}

/// The broker hangs up.
async fn hang_up(peer: Peer, served: Served) -> Outlet {
    drop(peer);
    let (mut outlet, end) = served.await.unwrap();
    let end = end.expect_err("the connection has ended");
    assert!(matches!(end, End::Connection(ConnectionError::Closed | ConnectionError::Io(_))));
    outlet.lost(&end);
    outlet
}

/// A hot message from `topic` arrives.
fn receive(world: &World, topic: &str) {
    let block = Bytes::from(format!("{topic}{HOT}"));
    let (middle, end) = (topic.len(), block.len());
    let message = Message { origin: Span::new(0..middle), body: Span::new(middle..end) };
    let threshold = world.context.cell.load().threshold;
    world.context.pipeline.lock().receive(SourceId::Broker, &block, message, Some(1), threshold);
    world.outlet_wake.notify_one();
}

fn is_holding(world: &World) -> bool {
    world.context.pipeline.lock().is_holding()
}

fn threshold(world: &World) -> f64 {
    world.context.cell.load().threshold.value()
}

fn reported(publish: &Publish) -> f64 {
    assert_eq!((publish.topic.as_str(), publish.retain), ("reported", true));
    let report: Value = serde_json::from_slice(&publish.payload).unwrap();
    report["TemperatureThreshold"]["value"].as_f64().unwrap()
}

/// Without leave to subscribe to the control topic nothing is waited for, and alerts leave on the
/// connection, which goes on.
#[tokio::test(start_paused = true)]
async fn alerts_leave_without_control() {
    let world = world(1 << 20);
    let (mut peer, served) = serve(outlet(&world));
    receive(&world, "sensors/a");
    let subscribe = peer.subscribe().await;
    peer.answer(&subscribe, Code::Failure).await;
    for topic in ["alerts/sensors/a", "alerts/sensors/b"] {
        let alert = peer.publish().await;
        assert_eq!(alert.topic, topic);
        peer.acknowledge(&alert).await;
        receive(&world, "sensors/b");
    }
    assert!(!served.is_finished());
    served.abort();
}

/// However early each connection ends, the hold does when its time from the first one is over.
#[tokio::test(start_paused = true)]
async fn short_connections_do_not_prolong_the_hold() {
    let world = world(1 << 20);
    let mut outlet = outlet(&world);
    for round in 1..=3 {
        let (mut peer, served) = serve(outlet);
        peer.subscribe().await;
        tokio::time::sleep(FIRST_TWIN_WAIT * 2 / 5).await;
        assert_eq!(is_holding(&world), round < 3);
        outlet = hang_up(peer, served).await;
    }
}

/// Nor does the time between two connections.
#[tokio::test(start_paused = true)]
async fn the_hold_ends_without_a_connection() {
    let world = world(1 << 20);
    let (mut peer, served) = serve(outlet(&world));
    peer.subscribe().await;
    let mut outlet = hang_up(peer, served).await;
    // No attempt comes before the hold's end.
    outlet.dial.pause(FIRST_TWIN_WAIT * 2);
    let connecting = tokio::spawn(async move { outlet.connect().await.is_some() });
    tokio::time::sleep(FIRST_TWIN_WAIT / 2).await;
    assert!(is_holding(&world));
    tokio::time::sleep(FIRST_TWIN_WAIT).await;
    assert!(!is_holding(&world) && !connecting.is_finished());
    world.stop.send(true).unwrap();
    assert!(!connecting.await.unwrap());
}

/// Only a PINGRESP behind the SUBACK tells that nothing was retained.
#[tokio::test(start_paused = true)]
async fn an_early_pingresp_does_not_end_the_hold() {
    let world = world(1 << 20);
    let (mut peer, served) = serve(outlet(&world));
    let subscribe = peer.subscribe().await;
    peer.send(&Packet::PingResp).await;
    tokio::time::sleep(FIRST_TWIN_WAIT / 2).await;
    assert!(is_holding(&world));
    peer.answer(&subscribe, Code::Success(QoS::AtLeastOnce)).await;
    assert_eq!(peer.next().await, Packet::PingReq);
    peer.send(&Packet::PingResp).await;
    tokio::time::sleep(FIRST_TWIN_WAIT / 4).await;
    assert!(!is_holding(&world));
    served.abort();
}

/// A patch that is not retained any more on the next connection was cleared; one that comes late
/// was not, nor one that may not be heard.
#[tokio::test(start_paused = true)]
async fn a_patch_that_was_cleared_meanwhile_is_gone() {
    let patch = r#"{"TemperatureThreshold":60}"#;
    let world = world(1 << 20);
    let (mut peer, served) = serve(outlet(&world));
    peer.grant().await;
    peer.deliver("desired", patch, 0, true).await;
    let report = peer.publish().await;
    assert_eq!(reported(&report), 60.0);
    peer.acknowledge(&report).await;
    let outlet = hang_up(peer, served).await;

    let (mut peer, served) = serve(outlet);
    let subscribe = peer.subscribe().await;
    peer.answer(&subscribe, Code::Failure).await;
    assert_eq!(peer.next().await, Packet::PingReq);
    peer.send(&Packet::PingResp).await;
    tokio::time::sleep(RETAINED_WAIT * 2).await;
    assert_eq!(threshold(&world), 60.0);
    let outlet = hang_up(peer, served).await;

    let (mut peer, served) = serve(outlet);
    peer.grant().await;
    assert_eq!(peer.next().await, Packet::PingReq);
    peer.send(&Packet::PingResp).await;
    tokio::time::sleep(RETAINED_WAIT / 2).await;
    peer.deliver("desired", patch, 0, true).await;
    let report = peer.publish().await;
    peer.acknowledge(&report).await;
    tokio::time::sleep(RETAINED_WAIT).await;
    assert_eq!(threshold(&world), 60.0);
    let outlet = hang_up(peer, served).await;

    let (mut peer, served) = serve(outlet);
    peer.grant().await;
    let report = peer.publish().await;
    assert_eq!((reported(&report), threshold(&world)), (25.0, 25.0));
    served.abort();
}

/// An alert at which the broker hangs up, however it is sent, is given up and settled; those around
/// it arrive, in their order.
#[tokio::test(start_paused = true)]
async fn a_refused_alert_holds_no_other_back() {
    let world = world(1 << 20);
    let mut outlet = outlet(&world);
    for topic in ["a", "bad", "b", "c"] {
        receive(&world, topic);
    }
    let mut came = Vec::new();
    for connection in 1.. {
        assert!(connection < 10);
        let (mut peer, served) = serve(outlet);
        peer.grant().await;
        while came.len() < 3 {
            let alert = peer.publish().await;
            if alert.topic == "alerts/bad" {
                break;
            }
            came.push(alert.topic.clone());
            peer.acknowledge(&alert).await;
        }
        if came.len() == 3 {
            receive(&world, "d");
            assert_eq!(peer.publish().await.topic, "alerts/d");
            served.abort();
            break;
        }
        outlet = hang_up(peer, served).await;
    }
    assert_eq!(came, ["alerts/a", "alerts/b", "alerts/c"]);
    let pipeline = world.context.pipeline.lock();
    assert_eq!((pipeline.counters.refused, pipeline.counters.forwarded), (1, 3));
}
