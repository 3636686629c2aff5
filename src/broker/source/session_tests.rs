//! What a session brings that the broker has kept, and a connection that cannot be read yet.

use super::*;
use crate::broker::peer::{COLD, HOT, Peer, World, login, pair, world};
use crate::limits::SUBACK_WAIT;
use rumqttc::mqttbytes::v4::PubAck;
use tokio::task::JoinHandle;

fn source(world: &World) -> Source {
    let (login, settings) = login();
    let wake = Arc::clone(&world.source_wake);
    Source::new(&login, &settings.filters, world.context.clone(), wake, Duration::ZERO)
}

/// Serves a connection, on which the broker says whether it had a session.
fn serve(world: &World, session_present: bool) -> (Peer, JoinHandle<Result<(), End>>) {
    let mut source = source(world);
    let (connection, peer) = pair();
    (peer, tokio::spawn(async move { source.serve(connection, session_present).await }))
}

fn released(held_bytes: usize) -> World {
    let world = world(held_bytes);
    let threshold = world.context.cell.load().threshold;
    world.context.pipeline.lock().release_hold(threshold);
    world
}

/// A retained message is judged, whatever the session: it may be new, or delivered again. Here it
/// is an alert, so it is not acknowledged before the message behind it.
#[tokio::test(start_paused = true)]
async fn a_retained_message_is_judged_in_every_session() {
    for session_present in [false, true] {
        let world = released(1 << 20);
        let (mut peer, served) = serve(&world, session_present);
        peer.grant().await;
        peer.deliver("sensors/a", COLD, 3, true).await;
        peer.deliver("sensors/a", HOT, 7, true).await;
        peer.deliver("sensors/a", COLD, 8, false).await;
        assert_eq!(peer.next().await, Packet::PubAck(PubAck::new(3)));
        let alert = loop {
            let alert = world.context.pipeline.lock().next_alert();
            match alert {
                Some(alert) => break alert,
                None => tokio::task::yield_now().await,
            }
        };
        world.context.pipeline.lock().forwarded(&alert);
        world.source_wake.notify_one();
        assert_eq!(peer.next().await, Packet::PubAck(PubAck::new(7)));
        assert_eq!(peer.next().await, Packet::PubAck(PubAck::new(8)));
        served.abort();
    }
}

/// What only an earlier run subscribed to is acknowledged in its place, counted and not judged; in a
/// new session everything was asked for.
#[tokio::test(start_paused = true)]
async fn messages_for_an_earlier_run_are_not_judged() {
    for (session_present, alerts, unexpected) in [(true, 0, 2), (false, 2, 0)] {
        let world = released(1 << 20);
        let (mut peer, served) = serve(&world, session_present);
        peer.grant().await;
        peer.deliver("hot/a", HOT, 0, false).await;
        peer.deliver("hot/a", HOT, 4, false).await;
        peer.deliver("sensors/a", COLD, 5, false).await;
        if session_present {
            assert_eq!(peer.next().await, Packet::PubAck(PubAck::new(4)));
            assert_eq!(peer.next().await, Packet::PubAck(PubAck::new(5)));
        }
        let counters = || world.context.pipeline.lock().counters.clone();
        while counters().not_alerts == 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!((counters().alerts, counters().unexpected), (alerts, unexpected));
        served.abort();
    }
}

/// A connection that is made while as much is held as may be reads nothing, so it does not see its
/// SUBACK either: that is no reason to end it. One that is read is given up in time.
#[tokio::test(start_paused = true)]
async fn a_connection_lasts_that_is_not_read() {
    let world = released(10);
    let block = bytes::Bytes::from_static(HOT.as_bytes());
    let message = Message { origin: Span::new(0..0), body: Span::new(0..HOT.len()) };
    let threshold = world.context.cell.load().threshold;
    world.context.pipeline.lock().receive(BROKER, &block, message, Some(1), threshold);
    assert!(world.context.pipeline.lock().is_over_bound(BROKER, 1));
    let (mut peer, mut served) = serve(&world, true);
    peer.subscribe().await;
    let ended = tokio::time::timeout(SUBACK_WAIT * 10, &mut served).await;
    assert!(ended.is_err(), "{:?}", ended.map(Result::unwrap));

    let alert = world.context.pipeline.lock().next_alert().expect("it was judged");
    world.context.pipeline.lock().forwarded(&alert);
    world.source_wake.notify_one();
    let ended = tokio::time::timeout(SUBACK_WAIT * 2, served).await.expect("in time");
    assert!(matches!(ended.unwrap(), Err(End::NoSubAck)));
}
