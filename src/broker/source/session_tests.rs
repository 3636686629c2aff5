//! What a session brings that the broker has kept, and a connection that cannot be read yet.

use super::*;
use crate::mqtt::QoS;
use crate::mqtt::connection::WRITE_HIGH_WATER_BYTES;
use crate::mqtt::limits::SUBACK_WAIT;
use crate::mqtt::packet::{PubAck, PubComp, PubRec, PubRel, Publish};
use crate::testing::broker::{COLD, HOT, Peer, Rig, until};
use tokio::task::JoinHandle;

/// Serves a connection, on which the broker says whether it had a session.
fn serve(rig: &Rig, session_present: bool) -> (Peer, JoinHandle<Result<(), End>>) {
    let mut source = rig.source();
    let (connection, peer) = Peer::connect(1 << 16);
    let served = async move { session::serve(&mut source, connection, session_present).await.end };
    (peer, tokio::spawn(served))
}

/// A retained message is judged, whatever the session: it may be new, or delivered again. Here it
/// is an alert, so it is not acknowledged before the message behind it.
#[tokio::test(start_paused = true)]
async fn a_retained_message_is_judged_in_every_session() {
    for session_present in [false, true] {
        let rig = Rig::new(1 << 20);
        let (mut peer, served) = serve(&rig, session_present);
        peer.grant(None).await;
        peer.publish("sensors/a", 3, COLD, true).await;
        peer.publish("sensors/a", 7, HOT, true).await;
        peer.publish("sensors/a", 8, COLD, false).await;
        assert_eq!(peer.next().await, Packet::PubAck(PubAck::new(3)));
        let alert = rig.alert().await;
        rig.forwarded(&alert);
        assert_eq!(peer.next().await, Packet::PubAck(PubAck::new(7)));
        assert_eq!(peer.next().await, Packet::PubAck(PubAck::new(8)));
        served.abort();
    }
}

/// What only an earlier run subscribed to is acknowledged in its place, counted and not judged; in
/// a new session everything was asked for.
#[tokio::test(start_paused = true)]
async fn messages_for_an_earlier_run_are_not_judged() {
    for (session_present, alerts, unexpected) in [(true, 0, 2), (false, 2, 0)] {
        let rig = Rig::new(1 << 20);
        let (mut peer, served) = serve(&rig, session_present);
        peer.grant(None).await;
        peer.publish("hot/a", 0, HOT, false).await;
        peer.publish("hot/a", 4, HOT, false).await;
        peer.publish("sensors/a", 5, COLD, false).await;
        if session_present {
            assert_eq!(peer.next().await, Packet::PubAck(PubAck::new(4)));
            assert_eq!(peer.next().await, Packet::PubAck(PubAck::new(5)));
        }
        let counters = || rig.pipeline.lock().counters.clone();
        until(|| counters().not_alerts == 1).await;
        assert_eq!((counters().alerts, counters().unexpected), (alerts, unexpected));
        served.abort();
    }
}

/// A session may hold filters of QoS 2: what comes by them is recorded when it is settled, in its
/// order among the others, and a message that comes again before its release is judged once.
#[tokio::test(start_paused = true)]
async fn messages_at_qos_2_are_recorded_in_order_when_settled() {
    let rig = Rig::new(1 << 20);
    let (mut peer, _served) = serve(&rig, true);
    peer.grant(None).await;
    for (topic, id, body) in
        [("sensors/a", 1, HOT), ("other/a", 2, HOT), ("sensors/a", 1, HOT), ("sensors/a", 3, COLD)]
    {
        let mut publish = Publish::new(topic, QoS::ExactlyOnce, body);
        publish.pkid = id;
        peer.send(Packet::Publish(publish)).await;
    }
    peer.publish("sensors/a", 4, COLD, false).await;
    let alert = rig.alert().await;
    until(|| rig.pipeline.lock().counters.not_alerts == 2).await;
    rig.forwarded(&alert);
    for id in 1..=3 {
        assert_eq!(peer.next().await, Packet::PubRec(PubRec::new(id)));
        peer.send(Packet::PubRel(PubRel::new(id))).await;
    }
    assert_eq!(peer.next().await, Packet::PubAck(PubAck::new(4)));
    for id in 1..=3 {
        assert_eq!(peer.next().await, Packet::PubComp(PubComp::new(id)));
    }
    let counters = rig.pipeline.lock().counters.clone();
    assert_eq!((counters.alerts, counters.unexpected), (1, 1));
}

/// A broker that sends on and does not read our acknowledgements is not read beyond some of them.
#[tokio::test(start_paused = true)]
async fn a_broker_that_takes_no_acknowledgements_is_not_read() {
    let rig = Rig::new(1 << 20);
    let (mut peer, served) = serve(&rig, false);
    let mut publish = Publish::new("sensors/a", QoS::AtLeastOnce, COLD);
    publish.pkid = 1;
    // Their acknowledgements are 4 bytes each.
    for _ in 0..WRITE_HIGH_WATER_BYTES / 2 {
        peer.connection.publish(&publish).unwrap();
    }
    let sending = tokio::time::timeout(Duration::from_secs(60), peer.connection.flush());
    assert!(sending.await.is_err(), "all of it was read");
    assert_eq!(rig.pipeline.lock().counters.source_pauses, 1);
    served.abort();
}

/// A connection has worked once something was acknowledged on it.
#[tokio::test]
async fn a_connection_works_once_a_message_is_acknowledged() {
    for is_sent in [true, false] {
        let rig = Rig::new(1 << 20);
        let mut source = rig.source();
        let (connection, mut peer) = Peer::connect(1 << 16);
        let broker = async move {
            peer.grant(None).await;
            if is_sent {
                peer.publish("sensors/a", 1, COLD, false).await;
                assert_eq!(peer.next().await, Packet::PubAck(PubAck::new(1)));
            }
        };
        let (served, ()) = tokio::join!(session::serve(&mut source, connection, false), broker);
        assert_eq!(served.has_worked, is_sent);
    }
}

/// A connection that is made while as much is held as may be reads nothing, so it does not see its
/// SUBACK either: that is no reason to end it. One that is read is given up in time.
#[tokio::test(start_paused = true)]
async fn a_connection_lasts_that_is_not_read() {
    let rig = Rig::new(10);
    rig.message("a", HOT);
    assert!(rig.pipeline.lock().is_over_bound(BROKER, 1));
    let (mut peer, mut served) = serve(&rig, true);
    peer.subscribe().await;
    let ended = tokio::time::timeout(SUBACK_WAIT * 10, &mut served).await;
    assert!(ended.is_err(), "{:?}", ended.map(Result::unwrap));

    let alert = rig.alert().await;
    rig.forwarded(&alert);
    let ended = tokio::time::timeout(SUBACK_WAIT * 2, served).await.expect("in time");
    assert!(matches!(ended.unwrap(), Err(End::NoSubAck)));
}

/// While it waits for the next attempt it looks at the files that it logs in with.
#[test]
fn the_files_are_those_of_the_login() {
    let path = std::path::Path::new("password");
    assert_eq!(Rig::new(1 << 20).with_password_in(path).source().files(), [path]);
}

/// The log calls a connection by what it calls itself in CONNECT.
#[test]
fn its_name_in_the_log_is_its_client_id() {
    assert_eq!(Rig::new(1 << 20).source().client_id(), "gate");
}
