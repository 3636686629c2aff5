//! What the hub's connection does while a broker's goes on, and what its own blocks hold.

use super::*;
use crate::pipeline::message::{Message, Span};

/// What the broker's connection does in a turn that brings one hot message.
pub(super) fn from_broker(shared: &SharedPipeline, wake: &Notify) {
    from_broker_on("", shared, wake);
}

/// The same on this topic.
pub(super) fn from_broker_on(topic: &str, shared: &SharedPipeline, wake: &Notify) {
    let block = Bytes::from(format!("{topic}{HOT}"));
    let pipeline = &mut *shared.lock();
    let (middle, end) = (topic.len(), block.len());
    let message = Message { origin: Span::new(0..middle), body: Span::new(middle..end) };
    pipeline.receive(SourceId::Broker, &block, message, None);
    pipeline.advance(Instant::now());
    pipeline.release(SourceId::Broker, |_| {});
    wake.notify_one();
}

/// Answers alerts, with another one of the broker always there before, until the DISCONNECT.
/// Returns how many inputs were acknowledged.
async fn until_disconnect(hub: &mut Hub, mut alerts: Vec<u16>, feed: impl Fn()) -> usize {
    let mut acknowledged = 0;
    feed();
    for _ in 0..100_000 {
        for id in alerts.drain(..) {
            feed();
            hub.send(Packet::PubAck(PubAck::new(id))).await;
        }
        match hub.next().await {
            Packet::Publish(alert) if alert.qos == QoS::AtLeastOnce => alerts.push(alert.pkid),
            Packet::Publish(_) => {}
            Packet::PubAck(_) => acknowledged += 1,
            Packet::Disconnect => return acknowledged,
            other => panic!("{other:?}"),
        }
    }
    panic!("no DISCONNECT")
}

/// The hub overran the link: once its own messages are finished the link leaves, whatever a broker
/// brings meanwhile.
#[tokio::test]
async fn an_overrun_ends_although_a_broker_goes_on() {
    let (link, _stop, wake) = link(100_000);
    let shared = link.pipeline.clone();
    let (served, hub) = serve(link, 1 << 16);
    let mut flooded = flood(hub, 1).await;
    let feed = || from_broker(&shared, &wake);
    let alerts = std::mem::take(&mut flooded.alerts);
    let leaving = until_disconnect(&mut flooded.hub, alerts, feed);
    let acknowledged = timeout(PATIENCE, leaving).await.expect("a DISCONNECT");
    assert!(acknowledged > 0);
    let (_, end) = end_of(served).await;
    assert!(matches!(end, Ok(HubLeave::Overrun)), "{end:?}");
}

/// A renewal sends nothing new of the broker's, so nothing is in flight when it leaves.
#[tokio::test(start_paused = true)]
async fn a_renewal_is_not_held_up_by_a_broker() {
    let (mut link, _stop, wake) = link_with(0, 1 << 20);
    link.renew_at = session::now() + Duration::from_secs(1);
    let shared = link.pipeline.clone();
    let (served, mut hub) = serve(link, 1 << 16);
    hub.start(25, 1).await;
    hub.answer_report().await;
    from_broker(&shared, &wake);
    let alert = hub.next_publish().await;
    tokio::time::advance(Duration::from_secs(1)).await;
    until_disconnect(&mut hub, vec![alert.pkid], || from_broker(&shared, &wake)).await;
    let (link, end) = end_of(served).await;
    assert!(matches!(end, Ok(HubLeave::Renew(_))), "{end:?}");
    assert_eq!(link.outbound.waiting(), 0);
}

/// The PUBACK of a broker's alert wakes its connection at once, which has something to acknowledge.
#[tokio::test(start_paused = true)]
async fn a_broker_is_woken_by_the_puback_of_its_alert() {
    let broker_wake = Arc::default();
    let (link, _stop, wake) = link_beside(&broker_wake, 0, 1 << 20);
    let shared = link.pipeline.clone();
    let (_served, mut hub) = serve(link, 1 << 16);
    hub.start(25, 1).await;
    hub.answer_report().await;
    from_broker(&shared, &wake);
    let alert = hub.next_publish().await;
    // What it was woken for before.
    while timeout(Duration::from_millis(1), broker_wake.notified()).await.is_ok() {}
    hub.send(Packet::PubAck(PubAck::new(alert.pkid))).await;
    let woken = timeout(Duration::from_millis(1), broker_wake.notified()).await;
    woken.expect("woken before the next tick");
}

/// An alert keeps itself, and not the block that it came in, whatever else was in it: 40 alerts
/// among 2.4 MB of other inputs stay far below the bound.
#[tokio::test]
async fn blocks_that_alerts_came_in_are_not_kept() {
    const HELD: usize = 1_000_000;
    let (link, _stop, _wake) = link(HELD);
    let shared = link.pipeline.clone();
    let (_served, mut hub) = serve(link, 1 << 16);
    hub.start(25, 1).await;
    hub.answer_report().await;
    let idle = Notify::new();
    for id in 1..=40 {
        for (input, id, body) in
            [("input2", 2 * id, vec![b' '; 60_000]), ("input1", 2 * id + 1, HOT.into())]
        {
            let topic = format!("devices/d/modules/m/inputs/{input}/");
            let mut publish = Publish::new(topic, QoS::AtLeastOnce, body);
            publish.pkid = id;
            hub.connection.publish(&publish).unwrap();
        }
        idle.notify_one();
        hub.connection.turn_packets(&mut hub.inbox, &idle, true).await.unwrap();
    }
    timeout(PATIENCE, hub.connection.flush()).await.expect("it reads on").unwrap();
    while shared.lock().counters.alerts < 40 {
        idle.notify_one();
        hub.connection.turn_packets(&mut hub.inbox, &idle, true).await.unwrap();
        tokio::task::yield_now().await;
    }
    let held = shared.lock().held(HUB);
    assert!((40 * HOT.len()..HELD / 10).contains(&held.bytes), "{held:?}");
}
