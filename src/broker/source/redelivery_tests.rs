//! What a broker delivers again while the first delivery is still open.

use super::*;
use crate::mqtt::QoS;
use crate::mqtt::packet::{PubAck, PubRec, Publish};
use crate::testing::broker::{COLD, HOT, Peer, Rig, until};
use tokio::task::JoinHandle;

type Served = JoinHandle<(Source, Result<(), End>)>;

/// As long as [`HOT`].
const OTHER: &str = r#"{"machine":{"temperature":98}}"#;
const CUTS: u64 = 8;

/// Serves a connection whose subscriptions are granted.
async fn serve(mut source: Source, session_present: bool) -> (Served, Peer) {
    let (ours, mut peer) = Peer::connect(1 << 16);
    let served = tokio::spawn(async move {
        let end = session::serve(&mut source, ours, session_present).await.end;
        (source, end)
    });
    peer.grant(None).await;
    (served, peer)
}

async fn cut(served: Served, peer: Peer) -> Source {
    drop(peer);
    served.await.unwrap().0
}

async fn deliver(peer: &mut Peer, qos: QoS, id: u16, body: &str, dup: bool) {
    let mut publish = Publish::new("sensors/7", qos, body);
    (publish.pkid, publish.dup) = (id, dup);
    peer.send(Packet::Publish(publish)).await;
}

fn puback(id: u16) -> Packet {
    Packet::PubAck(PubAck::new(id))
}

/// However often the connection is cut, an alert is made once, and its message acknowledged in the
/// end, in its order; at QoS 2 as well.
#[tokio::test]
async fn cuts_make_no_copies_of_an_open_alert() {
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let rig = Rig::new(1 << 20);
        let counters = || rig.pipeline.lock().counters.clone();
        let (mut served, mut peer) = serve(rig.source(), false).await;
        for (id, body) in [(1, HOT), (2, COLD), (3, HOT)] {
            deliver(&mut peer, qos, id, body, false).await;
        }
        let alerts = [rig.alert().await, rig.alert().await];
        for cuts in 1..=CUTS {
            let source = cut(served, peer).await;
            (served, peer) = serve(source, true).await;
            for (id, body) in [(1, HOT), (2, COLD), (3, HOT)] {
                deliver(&mut peer, qos, id, body, true).await;
            }
            // The cold one is settled: to judge it again makes nothing.
            until(|| (counters().redelivered, counters().not_alerts) == (2 * cuts, 1 + cuts)).await;
        }
        deliver(&mut peer, QoS::AtLeastOnce, 4, COLD, false).await;
        alerts.iter().rev().for_each(|alert| rig.forwarded(alert));
        for id in 1..=3 {
            let recorded = Packet::PubRec(PubRec::new(id));
            let expected = if qos == QoS::AtLeastOnce { puback(id) } else { recorded };
            assert_eq!(peer.next().await, expected);
        }
        assert_eq!(peer.next().await, puback(4));
        assert_eq!((counters().alerts, rig.pipeline.lock().held(BROKER).messages), (2, 0));
        cut(served, peer).await;
    }
}

/// A connection that is cut before everything came again forgets nothing.
#[tokio::test]
async fn a_connection_without_redelivery_forgets_nothing() {
    let rig = Rig::new(1 << 20);
    let (served, mut peer) = serve(rig.source(), false).await;
    deliver(&mut peer, QoS::AtLeastOnce, 1, HOT, false).await;
    let alert = rig.alert().await;
    let source = cut(served, peer).await;
    let (served, peer) = serve(source, true).await;
    let source = cut(served, peer).await;
    let (_served, mut peer) = serve(source, true).await;
    deliver(&mut peer, QoS::AtLeastOnce, 1, HOT, true).await;
    until(|| rig.pipeline.lock().counters.redelivered == 1).await;
    rig.forwarded(&alert);
    assert_eq!(peer.next().await, puback(1));
}

/// A broker that has lost the session, or says that the message is new, has it judged; so does one
/// that delivers what was settled meanwhile.
#[tokio::test]
async fn what_may_be_new_is_judged() {
    for (session_present, dup, is_settled) in
        [(false, true, false), (true, false, false), (true, true, true)]
    {
        let rig = Rig::new(1 << 20);
        let (served, mut peer) = serve(rig.source(), false).await;
        deliver(&mut peer, QoS::AtLeastOnce, 1, HOT, false).await;
        let alert = rig.alert().await;
        let source = cut(served, peer).await;
        if is_settled {
            rig.forwarded(&alert);
        }
        let (_served, mut peer) = serve(source, session_present).await;
        deliver(&mut peer, QoS::AtLeastOnce, 1, HOT, dup).await;
        let again = rig.alert().await;
        if !is_settled {
            rig.forwarded(&alert);
        }
        rig.forwarded(&again);
        assert_eq!(peer.next().await, puback(1));
    }
}

/// Another program has taken the message under our client id, and its packet id serves for another
/// one of the same length: that one is not acknowledged for the first, but judged on the next
/// connection.
#[tokio::test]
async fn another_message_under_the_same_id_is_judged() {
    let rig = Rig::new(1 << 20);
    let (served, mut peer) = serve(rig.source(), false).await;
    deliver(&mut peer, QoS::AtLeastOnce, 1, HOT, false).await;
    let alert = rig.alert().await;
    let source = cut(served, peer).await;
    let (served, mut peer) = serve(source, true).await;
    deliver(&mut peer, QoS::AtLeastOnce, 1, OTHER, true).await;
    deliver(&mut peer, QoS::AtLeastOnce, 2, COLD, false).await;
    until(|| rig.pipeline.lock().counters.not_alerts == 1).await;
    rig.forwarded(&alert);
    let (source, end) = served.await.unwrap();
    assert!(matches!(end, Err(End::Mistaken)), "{end:?}");
    assert!(peer.connection.next_packet().await.is_err(), "something was acknowledged");

    let (_served, mut peer) = serve(source, true).await;
    deliver(&mut peer, QoS::AtLeastOnce, 1, OTHER, true).await;
    let other = rig.alert().await;
    assert_eq!(other.body(), OTHER.as_bytes());
    rig.forwarded(&other);
    assert_eq!(peer.next().await, puback(1));
}

/// Messages that still wait for the threshold are open too; what is compared then is the message.
#[tokio::test]
async fn what_waits_for_the_threshold_is_judged_once() {
    for (again, alerts) in [(HOT, 1), (OTHER, 2)] {
        let rig = Rig::holding(1 << 20);
        let (served, mut peer) = serve(rig.source(), false).await;
        deliver(&mut peer, QoS::AtLeastOnce, 1, HOT, false).await;
        until(|| rig.pipeline.lock().counters.received == 1).await;
        let source = cut(served, peer).await;
        let (served, mut peer) = serve(source, true).await;
        deliver(&mut peer, QoS::AtLeastOnce, 1, again, true).await;
        until(|| rig.pipeline.lock().counters.redelivered == 1).await;
        rig.pipeline.lock().release_hold();
        rig.source_wake.notify_one();
        let alert = rig.alert().await;
        assert_eq!(alert.body(), HOT.as_bytes());
        if alerts == 2 {
            let (source, end) = served.await.unwrap();
            assert!(matches!(end, Err(End::Mistaken)), "{end:?}");
            let (_served, mut peer) = serve(source, true).await;
            deliver(&mut peer, QoS::AtLeastOnce, 1, again, true).await;
            rig.forwarded(&alert);
            let other = rig.alert().await;
            rig.forwarded(&other);
            assert_eq!(peer.next().await, puback(1));
        } else {
            rig.forwarded(&alert);
            assert_eq!(peer.next().await, puback(1));
        }
        assert_eq!(rig.pipeline.lock().counters.alerts, alerts);
    }
}
