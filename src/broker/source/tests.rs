//! The source against a scripted broker: what goes over the wire, in which order.

use super::*;
use crate::mqtt::connection::PACKET_BYTES_MAX;
use crate::mqtt::limits::SUBACK_WAIT;
use crate::mqtt::packet::{PubAck, Publish, SubscribeReasonCode};
use crate::mqtt::{ConnectionError, QoS};
use crate::testing::broker::{COLD, DRAIN, HOT, Peer, Rig, until};
use bytes::BytesMut;
use tokio::io::{AsyncWriteExt, duplex};
use tokio::task::JoinHandle;
use tokio::time::Instant as Clock;

type Served = JoinHandle<(Source, Result<(), End>)>;

const TOPIC: &str = "sensors/7";

/// Starts to serve one connection.
fn serve(mut source: Source, session_present: bool, buffer: usize) -> (Served, Peer) {
    let (ours, peer) = Peer::connect(buffer);
    let served = tokio::spawn(async move {
        let end = session::serve(&mut source, ours, session_present).await.end;
        (source, end)
    });
    (served, peer)
}

fn puback(id: u16) -> Packet {
    Packet::PubAck(PubAck::new(id))
}

/// For every connection, whether the broker kept the session or not.
#[tokio::test]
async fn subscriptions_are_made_anew() {
    let rig = Rig::new(1 << 20);
    let mut source = rig.source();
    for session_present in [false, true, true] {
        let (served, mut peer) = serve(source, session_present, 1 << 16);
        let filters: Vec<_> = peer
            .grant(None)
            .await
            .filters
            .into_iter()
            .map(|filter| (filter.path, filter.qos))
            .collect();
        let expected = ["sensors/#", "$share/g/machines/+"];
        assert_eq!(filters, expected.map(|text| (text.to_owned(), QoS::AtLeastOnce)));
        peer.publish(TOPIC, 3, COLD, false).await;
        assert_eq!(peer.next().await, puback(3));
        drop(peer);
        let end;
        (source, end) = served.await.unwrap();
        assert!(matches!(end, Err(End::Connection(ConnectionError::Closed))), "{end:?}");
    }
}

#[tokio::test]
async fn a_message_is_acknowledged_in_order_and_only_when_settled() {
    let rig = Rig::new(1 << 20);
    let (_served, mut peer) = serve(rig.source(), false, 1 << 16);
    peer.grant(None).await;
    peer.publish(TOPIC, 1, COLD, false).await;
    peer.publish(TOPIC, 2, HOT, false).await;
    peer.publish(TOPIC, 0, HOT, false).await;
    peer.publish(TOPIC, 3, COLD, false).await;
    assert_eq!(peer.next().await, puback(1));
    let (first, second) = (rig.alert().await, rig.alert().await);
    assert_eq!((first.origin(), first.body()), (TOPIC, HOT.as_bytes()));
    rig.forwarded(&second);
    rig.forwarded(&first);
    assert_eq!([peer.next().await, peer.next().await], [puback(2), puback(3)]);
}

/// An alert wakes the connection that it leaves by, at once; any other message does not.
#[tokio::test(start_paused = true)]
async fn an_alert_wakes_the_outlet() {
    let rig = Rig::new(1 << 20);
    let (_served, mut peer) = serve(rig.source(), false, 1 << 16);
    peer.grant(None).await;
    for (body, is_woken) in [(COLD, false), (HOT, true)] {
        peer.publish(TOPIC, 0, body, false).await;
        let woken = tokio::time::timeout(Duration::from_millis(1), rig.outlet_wake.notified());
        assert_eq!(woken.await.is_ok(), is_woken, "{body}");
    }
}

/// What came on a connection that is gone is acknowledged nowhere: the same id means another
/// message on the next one.
#[tokio::test]
async fn nothing_of_an_old_connection_is_acknowledged_on_a_new_one() {
    let rig = Rig::new(1 << 20);
    let (served, mut peer) = serve(rig.source(), false, 1 << 16);
    peer.grant(None).await;
    peer.publish(TOPIC, 1, HOT, false).await;
    let alert = rig.alert().await;
    drop(peer);
    let (source, _) = served.await.unwrap();

    let (_served, mut peer) = serve(source, true, 1 << 16);
    peer.grant(None).await;
    peer.publish(TOPIC, 1, HOT, false).await;
    let again = rig.alert().await;
    peer.publish(TOPIC, 2, COLD, false).await;
    until(|| rig.pipeline.lock().counters.not_alerts == 1).await;
    rig.forwarded(&alert);
    until(|| rig.pipeline.lock().held(BROKER).messages == 2).await;
    rig.forwarded(&again);
    assert_eq!([peer.next().await, peer.next().await], [puback(1), puback(2)]);
    rig.stop();
    assert_eq!(peer.next().await, Packet::Disconnect, "and no more");
}

/// At the bound nothing is read, at either level, and nothing is lost: once alerts have left, the
/// rest comes. A pause counts once, however often the source is woken meanwhile.
#[tokio::test]
async fn the_broker_is_not_read_at_the_bound() {
    const HELD: usize = 10_000;
    const MESSAGES: u16 = 300;
    let rig = Rig::new(HELD);
    let (_served, mut peer) = serve(rig.source(), false, 4096);
    peer.grant(None).await;
    let body = format!("{HOT}{}", " ".repeat(1000));
    for id in 1..=MESSAGES {
        let qos = if id % 3 == 0 { QoS::AtMostOnce } else { QoS::AtLeastOnce };
        let mut publish = Publish::new(TOPIC, qos, body.clone());
        publish.pkid = if id % 3 == 0 { 0 } else { id };
        peer.connection.publish(&publish).unwrap();
    }
    let (wake, mut inbox) = (Notify::new(), Vec::new());
    let flooding = tokio::spawn(async move {
        let mut acknowledged = Vec::new();
        while acknowledged.len() < usize::from(MESSAGES) * 2 / 3 {
            peer.connection.turn_packets(&mut inbox, &wake, true).await.unwrap();
            for packet in inbox.drain(..) {
                let Packet::PubAck(ack) = packet else { panic!("{packet:?}") };
                acknowledged.push(ack.pkid);
            }
        }
        acknowledged
    });
    until(|| rig.pipeline.lock().counters.source_pauses == 1).await;
    for _ in 0..20 {
        rig.source_wake.notify_one();
        tokio::task::yield_now().await;
    }
    let (held, pauses) = {
        let pipeline = rig.pipeline.lock();
        (pipeline.held(BROKER).bytes, pipeline.counters.source_pauses)
    };
    // One turn's share beyond the bound at most.
    assert!((HELD..HELD + crate::mqtt::connection::READ_BYTES).contains(&held), "{held}");
    assert_eq!(pauses, 1);
    for _ in 0..MESSAGES {
        let alert = rig.alert().await;
        rig.forwarded(&alert);
    }
    let expected: Vec<_> = (1..=MESSAGES).filter(|id| id % 3 != 0).collect();
    assert_eq!(flooding.await.unwrap(), expected);
    let counters = rig.pipeline.lock().counters.clone();
    assert_eq!((counters.received, counters.dropped_at_most_once), (u64::from(MESSAGES), 0));
}

/// At a stop what was taken is finished and acknowledged; nothing new is.
#[tokio::test]
async fn stopping_drains_and_leaves_the_rest_to_the_next_instance() {
    let rig = Rig::new(1 << 20);
    let (served, mut peer) = serve(rig.source(), false, 1 << 16);
    peer.grant(None).await;
    peer.publish(TOPIC, 1, HOT, false).await;
    let alert = rig.alert().await;
    rig.stop();
    peer.publish(TOPIC, 2, COLD, false).await;
    rig.forwarded(&alert);
    assert_eq!([peer.next().await, peer.next().await], [puback(1), Packet::Disconnect]);
    drop(peer);
    let (_, end) = served.await.unwrap();
    assert!(end.is_ok(), "{end:?}");
    assert_eq!(rig.pipeline.lock().counters.received, 1);
}

/// Nor is what was passed over as too large, where its end comes with the stop.
#[tokio::test]
async fn stopping_leaves_what_is_too_large_to_the_next_instance() {
    let rig = Rig::new(1 << 20);
    let mut publish = Publish::new(TOPIC, QoS::AtLeastOnce, vec![b' '; PACKET_BYTES_MAX]);
    publish.pkid = 1;
    let mut bytes = BytesMut::new();
    publish.write(&mut bytes).unwrap();
    let last = bytes.split_off(bytes.len() - 1);
    let (ours, mut theirs) = duplex(1024);
    let mut source = rig.source();
    let served = tokio::spawn(async move {
        let ours = Connection::new(ours, Duration::from_secs(60));
        session::serve(&mut source, ours, false).await.end
    });
    theirs.write_all(&bytes).await.unwrap();
    rig.stop();
    theirs.write_all(&last).await.unwrap();
    let mut peer = Connection::new(theirs, Duration::ZERO);
    assert!(matches!(peer.next_packet().await, Ok(Packet::Subscribe(_))));
    assert_eq!(peer.next_packet().await.unwrap(), Packet::Disconnect, "and no PUBACK");
    drop(peer);
    served.await.unwrap().expect("left in good order");
    assert_eq!(rig.pipeline.lock().counters.oversized, 0);
}

/// What is not settled within the drain's time stays unacknowledged.
#[tokio::test(start_paused = true)]
async fn a_drain_ends_with_its_time() {
    let rig = Rig::new(1 << 20);
    let (_served, mut peer) = serve(rig.source(), false, 1 << 16);
    peer.grant(None).await;
    peer.publish(TOPIC, 1, HOT, false).await;
    let _alert = rig.alert().await;
    rig.stop();
    let start = Clock::now();
    assert_eq!(peer.next().await, Packet::Disconnect);
    let waited = start.elapsed();
    assert!((DRAIN..DRAIN + Duration::from_secs(1)).contains(&waited), "{waited:?}");
}

/// With nothing in flight a stop waits for nothing at all.
#[tokio::test(start_paused = true)]
async fn an_idle_source_stops_at_once() {
    let rig = Rig::new(1 << 20);
    let (_served, mut peer) = serve(rig.source(), false, 1 << 16);
    peer.grant(None).await;
    peer.publish(TOPIC, 1, COLD, false).await;
    assert_eq!(peer.next().await, puback(1));
    let start = Clock::now();
    rig.stop();
    assert_eq!(peer.next().await, Packet::Disconnect);
    assert_eq!(start.elapsed(), Duration::ZERO);
}

/// Messages that wait for a threshold that nobody knows yet are no reason to wait at a stop.
#[tokio::test(start_paused = true)]
async fn a_stop_during_the_hold_waits_for_nothing() {
    let rig = Rig::holding(1 << 20);
    let (_served, mut peer) = serve(rig.source(), false, 1 << 16);
    peer.grant(None).await;
    peer.publish(TOPIC, 1, HOT, false).await;
    until(|| rig.pipeline.lock().counters.received == 1).await;
    let start = Clock::now();
    rig.stop();
    assert_eq!(peer.next().await, Packet::Disconnect);
    assert!(start.elapsed() < DRAIN, "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_refused_subscription_ends_the_connection() {
    let rig = Rig::new(1 << 20);
    let (served, mut peer) = serve(rig.source(), false, 1 << 16);
    let granted = SubscribeReasonCode::Success(QoS::AtMostOnce);
    peer.grant(Some(vec![granted, SubscribeReasonCode::Failure])).await;
    let (_, end) = served.await.unwrap();
    let refused = matches!(&end, Err(End::SubscriptionRefused(filter)) if filter.contains("share"));
    assert!(refused, "{end:?}");
}

/// A broker that never answers SUBSCRIBE is left, whatever else it sends.
#[tokio::test(start_paused = true)]
async fn a_missing_suback_ends_the_connection() {
    let rig = Rig::new(1 << 20);
    let (served, mut peer) = serve(rig.source(), false, 1 << 16);
    let id = peer.subscribe().await.pkid;
    let start = Clock::now();
    let code = vec![SubscribeReasonCode::Failure];
    peer.send(Packet::SubAck(crate::mqtt::packet::SubAck::new(id + 1, code))).await;
    let (_, end) = served.await.unwrap();
    assert!(matches!(end, Err(End::NoSubAck)), "{end:?}");
    let waited = start.elapsed();
    assert!((SUBACK_WAIT..SUBACK_WAIT + Duration::from_secs(1)).contains(&waited), "{waited:?}");
    assert_eq!(rig.pipeline.lock().counters.unexpected, 1);
}

/// A connection works once something was acknowledged on it. What nobody asked for is counted; an
/// answer to a PINGREQ is none of that.
#[tokio::test]
async fn what_comes_of_a_connection_is_noted() {
    let rig = Rig::new(1 << 20);
    let mut source = rig.source();
    for messages in 0..2 {
        let (ours, mut peer) = Peer::connect(1 << 16);
        let served = tokio::spawn(async move {
            let has_worked = session::serve(&mut source, ours, false).await.has_worked;
            (source, has_worked)
        });
        peer.grant(None).await;
        peer.send(puback(7)).await;
        peer.send(Packet::PingResp).await;
        if messages > 0 {
            peer.publish(TOPIC, 1, COLD, false).await;
            assert_eq!(peer.next().await, puback(1));
        }
        drop(peer);
        let has_worked;
        (source, has_worked) = served.await.unwrap();
        assert_eq!(has_worked, messages > 0);
    }
    assert_eq!(rig.pipeline.lock().counters.unexpected, 2);
}

/// Once its alert has arrived, a message is acknowledged at once, not at the next tick.
#[tokio::test(start_paused = true)]
async fn a_settled_message_is_acknowledged_at_once() {
    let rig = Rig::new(1 << 20);
    let (_served, mut peer) = serve(rig.source(), false, 1 << 16);
    peer.grant(None).await;
    peer.publish(TOPIC, 1, HOT, false).await;
    let alert = rig.alert().await;
    let start = Clock::now();
    rig.forwarded(&alert);
    assert_eq!(peer.next().await, puback(1));
    assert_eq!(start.elapsed(), Duration::ZERO);
}

/// Messages come, but no PUBACK and no alert of ours gets through: the broker is asked, and only an
/// answer counts.
#[tokio::test(start_paused = true)]
async fn a_broker_that_hears_nothing_is_found_although_messages_come() {
    let rig = Rig::new(1 << 20);
    let (served, mut peer) = serve(rig.source(), false, 1 << 16);
    peer.grant(None).await;
    peer.publish(TOPIC, 1, HOT, false).await;
    let begun = Clock::now();
    let mut asked = None;
    // From the second id on.
    for id in 2..100 {
        match tokio::time::timeout(Duration::from_millis(500), peer.connection.next_packet()).await
        {
            Ok(Ok(Packet::PingReq)) => asked = asked.or(Some(begun.elapsed())),
            Ok(Ok(other)) => panic!("{other:?}"),
            Ok(Err(_)) => break,
            Err(_) => peer.publish(TOPIC, id, COLD, false).await,
        }
    }
    let (asked, ended) = (asked.expect("a PINGREQ"), begun.elapsed());
    assert!((3..5).contains(&asked.as_secs()), "{asked:?}");
    assert!((5..7).contains(&(ended - asked).as_secs()), "{ended:?}");
    let (_, end) = served.await.unwrap();
    assert!(matches!(end, Err(End::Connection(ConnectionError::Unanswered(_)))), "{end:?}");
}
