//! The outlet against a scripted broker: what goes over the wire, in which order.

use super::*;
use crate::mqtt::packet::{PubAck, Publish};
use crate::mqtt::session::Client;
use crate::mqtt::{ConnectionError, QoS};
use crate::testing::broker::{CONTROL, DRAIN, HOT, Peer, REPORTED, Rig, until};
use crate::testing::capture::capture;
use crate::twin::limits::FIRST_TWIN_WAIT;
use tokio::task::JoinHandle;
use tokio::time::Instant as Clock;

type Served = JoinHandle<(Outlet, Result<(), End>)>;

const AT_50: &str = r#"{"machine":{"temperature":50}}"#;

/// Starts to serve one connection.
fn serve(mut outlet: Outlet) -> (Served, Peer) {
    let (ours, peer) = Peer::connect(1 << 16);
    let served = tokio::spawn(async move {
        let end = session::serve(&mut outlet, ours, false).await.end;
        (outlet, end)
    });
    (served, peer)
}

/// Grants the subscription and answers the PINGREQ behind it.
async fn open(peer: &mut Peer) {
    peer.grant(None).await;
    assert_eq!(peer.next().await, Packet::PingReq);
    peer.send(Packet::PingResp).await;
}

/// The connection ends without a word.
async fn cut(served: Served, peer: Peer) -> Outlet {
    drop(peer);
    let (outlet, end) = served.await.unwrap();
    assert!(matches!(end, Err(End::Connection(ConnectionError::Closed))), "{end:?}");
    outlet
}

fn value(report: &Publish) -> f64 {
    assert_eq!((report.topic.as_str(), report.retain), (REPORTED, true));
    assert_eq!(report.qos, QoS::AtLeastOnce);
    let report: serde_json::Value = serde_json::from_slice(&report.payload).unwrap();
    report["TemperatureThreshold"]["value"].as_f64().expect("a value")
}

/// What the broker had retained comes behind the SUBACK and before the answer to a PINGREQ that
/// was sent behind it: until then nothing is judged.
#[tokio::test]
async fn the_retained_patch_is_waited_for() {
    let rig = Rig::holding(1 << 20);
    rig.message("a", AT_50);
    let (_served, mut peer) = serve(rig.outlet());
    let subscribe = peer.grant(None).await;
    let filters: Vec<_> = subscribe.filters.iter().map(|filter| filter.path.as_str()).collect();
    assert_eq!(filters, [CONTROL]);
    assert_eq!(peer.next().await, Packet::PingReq);
    assert!(rig.pipeline.lock().is_holding());
    peer.publish(CONTROL, 9, r#"{"TemperatureThreshold":60}"#, true).await;
    peer.send(Packet::PingResp).await;
    let mut next = [peer.next().await, peer.next().await];
    next.sort_by_key(|packet| matches!(packet, Packet::PubAck(_)));
    let [Packet::Publish(report), ack] = next else { panic!("{next:?}") };
    assert_eq!((value(&report), ack), (60.0, Packet::PubAck(PubAck::new(9))));
    rig.message("b", AT_50);
    rig.message("c", HOT);
    assert_eq!(peer.next_publish().await.topic, "alerts/c", "60 judged what waited");
    assert_eq!(rig.pipeline.lock().counters.not_alerts, 2);
}

/// Nothing retained: the answer to the PINGREQ ends the wait, and the default judges.
#[tokio::test]
async fn without_a_retained_patch_the_default_judges() {
    let rig = Rig::holding(1 << 20);
    rig.message("a", AT_50);
    let (_served, mut peer) = serve(rig.outlet());
    peer.grant(None).await;
    assert_eq!(peer.next().await, Packet::PingReq);
    assert!(rig.pipeline.lock().is_holding());
    peer.send(Packet::PingResp).await;
    let alert = peer.next_publish().await;
    assert_eq!((alert.topic.as_str(), &alert.payload[..]), ("alerts/a", AT_50.as_bytes()));
    assert_eq!((alert.qos, alert.retain, alert.dup), (QoS::AtLeastOnce, false, false));
}

/// A broker that keeps silent is waited for, but not for ever.
#[tokio::test(start_paused = true)]
async fn the_wait_for_the_retained_patch_is_bounded() {
    let rig = Rig::holding(1 << 20);
    rig.message("a", AT_50);
    let start = Clock::now();
    let (_served, mut peer) = serve(rig.outlet());
    peer.grant(None).await;
    assert_eq!(peer.next().await, Packet::PingReq);
    let Packet::Publish(alert) = peer.next_but_pings().await else { panic!("an alert is due") };
    assert_eq!(alert.topic, "alerts/a");
    let waited = start.elapsed();
    let latest = FIRST_TWIN_WAIT + Duration::from_secs(1);
    assert!((FIRST_TWIN_WAIT..latest).contains(&waited), "{waited:?}");
}

/// Reports go one at a time, the newest last, and are sent again until they are acknowledged.
#[tokio::test]
async fn a_report_is_retained_and_sent_again_on_the_next_connection() {
    let rig = Rig::holding(1 << 20);
    let (served, mut peer) = serve(rig.outlet());
    open(&mut peer).await;
    peer.publish(CONTROL, 0, r#"{"TemperatureThreshold":60}"#, true).await;
    let report = peer.next_publish().await;
    assert_eq!((value(&report), report.dup), (60.0, false));
    for value in [61, 62] {
        let patch = format!(r#"{{"TemperatureThreshold":{value}}}"#);
        peer.publish(CONTROL, value, &patch, false).await;
        assert_eq!(peer.next().await, Packet::PubAck(PubAck::new(value)), "and no report yet");
    }
    let outlet = cut(served, peer).await;

    let (_served, mut peer) = serve(outlet);
    let subscribe = peer.grant(None).await;
    assert_ne!(subscribe.pkid, report.pkid);
    let again = peer.next_publish().await;
    assert_eq!((again.pkid, again.dup, value(&again)), (report.pkid, true, 60.0));
    assert_eq!(peer.next().await, Packet::PingReq);
    peer.puback(again.pkid).await;
    let newest = peer.next_publish().await;
    assert_eq!((newest.dup, value(&newest)), (false, 62.0));
    peer.puback(newest.pkid).await;
    rig.stop();
    assert_eq!(peer.next().await, Packet::Disconnect);
}

/// Alerts without PUBACK come again under their ids, in their order, before new ones.
#[tokio::test]
async fn alerts_are_sent_again_on_the_next_connection() {
    let rig = Rig::new(1 << 20);
    let (served, mut peer) = serve(rig.outlet());
    open(&mut peer).await;
    for topic in ["a", "b", "c"] {
        rig.message(topic, HOT);
    }
    let first = [peer.next_publish().await, peer.next_publish().await, peer.next_publish().await];
    peer.puback(first[1].pkid).await;
    until(|| rig.pipeline.lock().counters.forwarded == 1).await;
    let outlet = cut(served, peer).await;
    rig.message("d", HOT);

    let (_served, mut peer) = serve(outlet);
    let id = peer.subscribe().await.pkid;
    let mut again = Vec::new();
    for _ in 0..3 {
        again.push(peer.next_publish().await);
    }
    let shapes: Vec<_> =
        again.iter().map(|alert| (alert.pkid, alert.dup, alert.topic.as_str())).collect();
    let new = shapes[2].0;
    let expected = [(first[0].pkid, true, "alerts/a"), (first[2].pkid, true, "alerts/c")];
    assert_eq!((&shapes[..2], shapes[2]), (&expected[..], (new, false, "alerts/d")));
    assert!(again.iter().all(|alert| alert.pkid != id) && first.iter().all(|old| old.pkid != new));
    assert_eq!(rig.pipeline.lock().counters.resent, 2);
}

/// The PUBACK of an alert wakes the source at once, which has something to acknowledge.
#[tokio::test(start_paused = true)]
async fn a_puback_wakes_the_source() {
    let rig = Rig::new(1 << 20);
    let (_served, mut peer) = serve(rig.outlet());
    open(&mut peer).await;
    rig.message("a", HOT);
    rig.pipeline.lock().release(SourceId::Broker, |_| {});
    rig.outlet_wake.notify_one();
    let alert = peer.next_publish().await;
    let moment = Duration::from_millis(1);
    // What it was woken for before.
    while tokio::time::timeout(moment, rig.source_wake.notified()).await.is_ok() {}
    peer.puback(alert.pkid).await;
    let woken = tokio::time::timeout(moment, rig.source_wake.notified()).await;
    woken.expect("woken before the next tick");
}

/// At a stop the PUBACKs of alerts are waited for.
#[tokio::test]
async fn stopping_waits_for_alerts() {
    let rig = Rig::new(1 << 20);
    let (served, mut peer) = serve(rig.outlet());
    open(&mut peer).await;
    rig.message("a", HOT);
    let alert = peer.next_publish().await;
    rig.stop();
    rig.message("b", HOT);
    let behind = peer.next_publish().await;
    peer.puback(alert.pkid).await;
    peer.puback(behind.pkid).await;
    assert_eq!(peer.next().await, Packet::Disconnect);
    drop(peer);
    let (_, end) = served.await.unwrap();
    assert!(end.is_ok(), "{end:?}");
    assert_eq!(rig.pipeline.lock().counters.forwarded, 2);
}

/// A connection has worked once an alert was acknowledged on it.
#[tokio::test]
async fn a_connection_works_once_an_alert_is_acknowledged() {
    for is_acknowledged in [true, false] {
        let rig = Rig::new(1 << 20);
        let mut outlet = rig.outlet();
        let (connection, mut peer) = Peer::connect(1 << 16);
        let broker = async {
            open(&mut peer).await;
            rig.message("a", HOT);
            rig.outlet_wake.notify_one();
            let alert = peer.next_publish().await;
            if is_acknowledged {
                peer.puback(alert.pkid).await;
            }
            drop(peer);
        };
        let (served, ()) = tokio::join!(session::serve(&mut outlet, connection, false), broker);
        assert_eq!(served.has_worked, is_acknowledged);
    }
}

/// With nothing in flight a stop waits for nothing at all.
#[tokio::test(start_paused = true)]
async fn an_idle_outlet_stops_at_once() {
    let rig = Rig::new(1 << 20);
    let (_served, mut peer) = serve(rig.outlet());
    open(&mut peer).await;
    let start = Clock::now();
    rig.stop();
    assert_eq!(peer.next().await, Packet::Disconnect);
    assert_eq!(start.elapsed(), Duration::ZERO);
}

/// But not for ever.
#[tokio::test(start_paused = true)]
async fn a_drain_ends_with_its_time() {
    let rig = Rig::new(1 << 20);
    let (_served, mut peer) = serve(rig.outlet());
    open(&mut peer).await;
    rig.message("a", HOT);
    peer.next_publish().await;
    let start = Clock::now();
    rig.stop();
    assert_eq!(peer.next_but_pings().await, Packet::Disconnect);
    let waited = start.elapsed();
    assert!((DRAIN..DRAIN + Duration::from_secs(1)).contains(&waited), "{waited:?}");
}

/// What nobody subscribed to is acknowledged and counted.
#[tokio::test]
async fn other_topics_are_ignored() {
    let rig = Rig::new(1 << 20);
    let (_served, mut peer) = serve(rig.outlet());
    open(&mut peer).await;
    peer.publish("other", 4, r#"{"TemperatureThreshold":60}"#, false).await;
    assert_eq!(peer.next().await, Packet::PubAck(PubAck::new(4)));
    peer.puback(77).await;
    until(|| rig.pipeline.lock().counters.unexpected == 2).await;
    rig.message("a", AT_50);
    assert_eq!(peer.next_publish().await.topic, "alerts/a", "25 is in force");
}

/// A connection works once something was acknowledged on it; each one that ended as a publish had
/// no PUBACK in time is counted, and so is what nobody asked for.
#[tokio::test]
async fn what_comes_of_a_connection_is_noted() {
    let rig = Rig::new(1 << 20);
    let mut outlet = rig.outlet();
    for alerts in 0..2 {
        let (ours, mut peer) = Peer::connect(1 << 16);
        let served = tokio::spawn(async move {
            let has_worked = session::serve(&mut outlet, ours, false).await.has_worked;
            (outlet, has_worked)
        });
        open(&mut peer).await;
        peer.send(Packet::UnsubAck(crate::mqtt::packet::UnsubAck::new(7))).await;
        if alerts > 0 {
            rig.message("a", HOT);
            rig.outlet_wake.notify_one();
            let alert = peer.next_publish().await;
            peer.puback(alert.pkid).await;
        }
        drop(peer);
        let has_worked;
        (outlet, has_worked) = served.await.unwrap();
        assert_eq!(has_worked, alerts > 0);
        outlet.lost(&End::NoPubAck(DRAIN));
        outlet.lost(&End::Mistaken);
    }
    let counters = &rig.pipeline.lock().counters;
    assert_eq!((counters.puback_timeouts, counters.unexpected, counters.forwarded), (2, 2, 1));
}

/// Both outcomes of a patch are told, and each is counted; that there is no word, once it was
/// waited for in vain. An answer to a PINGREQ is nothing unexpected.
#[tokio::test(start_paused = true)]
async fn the_log_says_what_came_of_each_patch() {
    let log = capture();
    let rig = Rig::holding(1 << 20);
    let (_served, mut peer) = serve(rig.outlet());
    open(&mut peer).await;
    let shown = [
        (r#"{"TemperatureThreshold":60,"$version":5}"#, "threshold in force: 60"),
        (r#"{"TemperatureThreshold":"hot"}"#, "refused: "),
        (r#"{"TemperatureThreshold":61,"$version":4}"#, "patch passed over"),
    ];
    for (id, (patch, line)) in (1..).zip(shown) {
        assert_eq!(log.lines(line).len(), 0, "{line}");
        peer.publish(CONTROL, id, patch, false).await;
        while peer.next().await != Packet::PubAck(PubAck::new(id)) {}
        assert_eq!(log.lines(line).len(), 1, "{line}: {:?}", log.lines(""));
    }
    let counters = rig.pipeline.lock().counters.clone();
    assert_eq!((counters.twin_callbacks, counters.twin_refused, counters.unexpected), (3, 1, 0));
    assert_eq!(log.lines("no word from the control topic").len(), 0);

    let rig = Rig::holding(1 << 20);
    rig.message("a", AT_50);
    let (_served, mut peer) = serve(rig.outlet());
    peer.grant(None).await;
    let Packet::Publish(_) = peer.next_but_pings().await else { panic!("an alert is due") };
    assert_eq!(log.lines("no word from the control topic").len(), 1);
}

/// A patch on the control topic ends the wait for it, though the broker answers no PINGREQ; and who
/// notifies the outlet is heard at once, not at its next tick.
#[tokio::test(start_paused = true)]
async fn a_patch_and_an_alert_are_acted_on_at_once() {
    let rig = Rig::holding(1 << 20);
    let (_served, mut peer) = serve(rig.outlet());
    peer.grant(None).await;
    assert_eq!(peer.next().await, Packet::PingReq);
    let start = Clock::now();
    peer.publish(CONTROL, 9, r#"{"TemperatureThreshold":60}"#, true).await;
    while peer.next().await != Packet::PubAck(PubAck::new(9)) {}
    assert!(!rig.pipeline.lock().is_holding());
    rig.message("a", HOT);
    rig.outlet_wake.notify_one();
    while peer.next_publish().await.topic != "alerts/a" {}
    assert_eq!(start.elapsed(), Duration::ZERO);
}
