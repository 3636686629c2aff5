//! What a broker can do to the control topic and to alerts.

use super::*;
use crate::mqtt::ConnectionError;
use crate::mqtt::packet::{Publish, SubscribeReasonCode as Code};
use crate::testing::broker::{CONTROL, HOT, Peer, REPORTED, Rig};
use crate::twin::limits::FIRST_TWIN_WAIT;
use serde_json::Value;
use tokio::task::JoinHandle;

/// A connection that is served; gives the outlet back once it has ended.
type Served = JoinHandle<(Outlet, Result<(), End>)>;

fn serve(mut outlet: Outlet) -> (Peer, Served) {
    let (connection, peer) = Peer::connect(1 << 16);
    let served = tokio::spawn(async move {
        let end = session::serve(&mut outlet, connection, false).await.end;
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

fn is_holding(rig: &Rig) -> bool {
    rig.pipeline.lock().is_holding()
}

/// A hot message from `topic` arrives.
fn receive(rig: &Rig, topic: &str) {
    rig.message(topic, HOT);
    rig.outlet_wake.notify_one();
}

/// Refuses the subscription.
async fn refuse(peer: &mut Peer) {
    peer.grant(Some(vec![Code::Failure])).await;
}

/// Answers the PINGREQ that comes.
async fn pong(peer: &mut Peer) {
    assert_eq!(peer.next().await, Packet::PingReq);
    peer.send(Packet::PingResp).await;
}

/// The next publish; a PINGREQ before it is answered.
async fn published(peer: &mut Peer) -> Publish {
    loop {
        match peer.next().await {
            Packet::Publish(publish) => return publish,
            Packet::PingReq => peer.send(Packet::PingResp).await,
            other => panic!("expected a publish, got {other:?}"),
        }
    }
}

fn reported(publish: &Publish) -> f64 {
    assert_eq!((publish.topic.as_str(), publish.retain), (REPORTED, true));
    let report: Value = serde_json::from_slice(&publish.payload).unwrap();
    report["TemperatureThreshold"]["value"].as_f64().unwrap()
}

/// Without leave to subscribe to the control topic nothing is waited for, and alerts leave on the
/// connection, which goes on.
#[tokio::test(start_paused = true)]
async fn alerts_leave_without_control() {
    let rig = Rig::holding(1 << 20);
    let (mut peer, served) = serve(rig.outlet());
    receive(&rig, "sensors/a");
    refuse(&mut peer).await;
    for topic in ["alerts/sensors/a", "alerts/sensors/b"] {
        let alert = published(&mut peer).await;
        assert_eq!(alert.topic, topic);
        peer.puback(alert.pkid).await;
        receive(&rig, "sensors/b");
    }
    assert!(!served.is_finished());
    served.abort();
}

/// However early each connection ends, the hold does when its time from the first one is over.
#[tokio::test(start_paused = true)]
async fn short_connections_do_not_prolong_the_hold() {
    let rig = Rig::holding(1 << 20);
    let mut outlet = rig.outlet();
    for round in 1..=3 {
        let (mut peer, served) = serve(outlet);
        peer.subscribe().await;
        tokio::time::sleep(FIRST_TWIN_WAIT * 2 / 5).await;
        assert_eq!(is_holding(&rig), round < 3);
        outlet = hang_up(peer, served).await;
    }
}

/// Nor does the time between two connections.
#[tokio::test(start_paused = true)]
async fn the_hold_ends_without_a_connection() {
    let rig = Rig::holding(1 << 20);
    let (mut peer, served) = serve(rig.outlet());
    peer.subscribe().await;
    let mut outlet = hang_up(peer, served).await;
    // No attempt comes before the hold's end.
    let wait = tokio::time::sleep(FIRST_TWIN_WAIT * 2);
    let waiting = tokio::spawn(async move { outlet.idle(wait).await });
    tokio::time::sleep(FIRST_TWIN_WAIT / 2).await;
    assert!(is_holding(&rig));
    tokio::time::sleep(FIRST_TWIN_WAIT).await;
    assert!(!is_holding(&rig) && !waiting.is_finished());
    waiting.await.unwrap();
}

/// Only a PINGRESP behind the SUBACK tells that nothing was retained.
#[tokio::test(start_paused = true)]
async fn an_early_pingresp_does_not_end_the_hold() {
    let rig = Rig::holding(1 << 20);
    let (mut peer, served) = serve(rig.outlet());
    peer.send(Packet::PingResp).await;
    tokio::time::sleep(FIRST_TWIN_WAIT / 2).await;
    assert!(is_holding(&rig));
    peer.grant(None).await;
    pong(&mut peer).await;
    tokio::time::sleep(FIRST_TWIN_WAIT / 4).await;
    assert!(!is_holding(&rig));
    served.abort();
}

/// A patch that is not retained any more on the next connection was cleared; one that comes late
/// was not, nor one that may not be heard.
#[tokio::test(start_paused = true)]
async fn a_patch_that_was_cleared_meanwhile_is_gone() {
    let patch = r#"{"TemperatureThreshold":60}"#;
    let rig = Rig::holding(1 << 20);
    let (mut peer, served) = serve(rig.outlet());
    peer.grant(None).await;
    peer.publish(CONTROL, 0, patch, true).await;
    let report = published(&mut peer).await;
    assert_eq!(reported(&report), 60.0);
    peer.puback(report.pkid).await;
    let outlet = hang_up(peer, served).await;

    let (mut peer, served) = serve(outlet);
    refuse(&mut peer).await;
    pong(&mut peer).await;
    tokio::time::sleep(RETAINED_WAIT * 2).await;
    assert_eq!(rig.threshold().value(), 60.0);
    let outlet = hang_up(peer, served).await;

    let (mut peer, served) = serve(outlet);
    peer.grant(None).await;
    pong(&mut peer).await;
    tokio::time::sleep(RETAINED_WAIT / 2).await;
    peer.publish(CONTROL, 0, patch, true).await;
    let report = published(&mut peer).await;
    peer.puback(report.pkid).await;
    tokio::time::sleep(RETAINED_WAIT).await;
    assert_eq!(rig.threshold().value(), 60.0);
    let outlet = hang_up(peer, served).await;

    let (mut peer, served) = serve(outlet);
    peer.grant(None).await;
    let granted = tokio::time::Instant::now();
    let report = published(&mut peer).await;
    assert_eq!((reported(&report), rig.threshold().value()), (25.0, 25.0));
    let waited = granted.elapsed();
    let latest = RETAINED_WAIT + Duration::from_secs(1);
    assert!((RETAINED_WAIT..latest).contains(&waited), "{waited:?}");
    served.abort();
}

/// A retained patch that is larger than is taken clears nothing: it is refused and reported, on
/// each connection, and the old value stays.
#[tokio::test(start_paused = true)]
async fn a_retained_patch_that_is_too_large_is_refused() {
    let rig = Rig::holding(1 << 20);
    let (mut peer, served) = serve(rig.outlet());
    peer.grant(None).await;
    peer.publish(CONTROL, 0, r#"{"TemperatureThreshold":60}"#, true).await;
    let report = published(&mut peer).await;
    peer.puback(report.pkid).await;
    let mut outlet = hang_up(peer, served).await;
    for _ in 0..2 {
        let (mut peer, served) = serve(outlet);
        peer.grant(None).await;
        peer.publish_too_large(CONTROL, 7, true).await;
        peer.publish_too_large("other", 8, false).await;
        let (mut acknowledged, mut reports) = (Vec::new(), Vec::new());
        while acknowledged.len() < 2 || reports.is_empty() {
            match peer.next().await {
                Packet::PubAck(ack) => acknowledged.push(ack.pkid),
                Packet::Publish(report) => reports.push(report),
                Packet::PingReq => peer.send(Packet::PingResp).await,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!((&*acknowledged, reports.len()), (&[7, 8][..], 1));
        let report = &reports[0];
        let body: Value = serde_json::from_slice(&report.payload).unwrap();
        assert_eq!((reported(report), &body["TemperatureThreshold"]["ac"]), (60.0, &400.into()));
        peer.puback(report.pkid).await;
        tokio::time::sleep(RETAINED_WAIT * 2).await;
        assert_eq!(rig.threshold().value(), 60.0);
        outlet = hang_up(peer, served).await;
    }
    let counters = rig.pipeline.lock().counters.clone();
    assert_eq!((counters.twin_refused, counters.unexpected), (2, 2));
}

/// While it waits for the next attempt it looks at the files that it logs in with.
#[test]
fn the_files_are_those_of_the_login() {
    let path = std::path::Path::new("password");
    assert_eq!(Rig::new(1 << 20).with_password_in(path).outlet().files(), [path]);
}

/// Where another client of the name has taken what the source had not acknowledged, a hang-up says
/// that the name is shared; else it says nothing.
#[tokio::test]
async fn a_hang_up_under_a_shared_name_is_known_as_one() {
    let hang_up = End::Connection(ConnectionError::Closed);
    let rig = Rig::new(1 << 20);
    let mut outlet = rig.outlet();
    assert_eq!(outlet.lost(&hang_up), Cause::Unknown);
    rig.message("a", HOT);
    {
        let pipeline = &mut *rig.pipeline.lock();
        pipeline.connected(SourceId::Broker, true, std::iter::empty());
        pipeline.redelivered(SourceId::Broker, 1, false, [b"new", b"{}"]);
        assert!(pipeline.is_shared(SourceId::Broker));
    }
    assert_eq!(outlet.lost(&hang_up), Cause::Shared);
}

/// A report waits for its own PUBACK: until then the next one does not leave.
#[tokio::test(start_paused = true)]
async fn only_its_puback_lets_the_next_report_leave() {
    let rig = Rig::new(1 << 20);
    let (mut peer, _served) = serve(rig.outlet());
    // It answers a keep-alive, as nothing is subscribed to yet, and is nothing unexpected.
    peer.send(Packet::PingResp).await;
    peer.grant(None).await;
    assert_eq!(peer.next().await, Packet::PingReq);
    peer.publish(CONTROL, 0, r#"{"TemperatureThreshold":30}"#, false).await;
    let report = peer.next_publish().await;
    assert_eq!(report.topic, REPORTED);
    receive(&rig, "a");
    let alert = peer.next_publish().await;
    peer.puback(alert.pkid).await;
    peer.publish(CONTROL, 0, r#"{"TemperatureThreshold":31}"#, false).await;
    receive(&rig, "b");
    assert_eq!(peer.next_publish().await.topic, "alerts/b", "and no report before it");
    peer.puback(report.pkid).await;
    assert_eq!(peer.next_publish().await.topic, REPORTED);
    assert_eq!(rig.pipeline.lock().counters.unexpected, 0);
}

/// The log calls a connection by what it calls itself in CONNECT.
#[test]
fn its_name_in_the_log_is_its_client_id() {
    assert_eq!(Rig::new(1 << 20).outlet().client_id(), "gate-out");
}
