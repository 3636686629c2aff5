//! What a turn makes of what it brought: pauses, and what a stop waits for.

use super::*;

/// Messages that come one by one and close together are worth pauses, however many came before on
/// the same connection.
#[tokio::test(start_paused = true)]
async fn pauses_follow_what_a_turn_brought_alone() {
    let (mut link, _stop, _wake) = link_with(0, 1 << 20);
    link.settings.linger = Duration::from_micros(200);
    let (served, mut hub) = serve(link, 1 << 16);
    hub.start(25, 1).await;
    hub.answer_report().await;
    let interval = Duration::from_micros(50);
    for id in 1..=100 {
        tokio::time::advance(interval).await;
        if id == 1 {
            // Two under way at once: this sender does not wait for each PUBACK.
            let topic = "devices/d/modules/m/inputs/input1/";
            hub.connection.publish(&Publish::new(topic, QoS::AtMostOnce, COLD)).unwrap();
        }
        hub.input(id, COLD).await;
        assert_eq!(hub.next().await, Packet::PubAck(PubAck::new(id)));
    }
    drop(hub);
    let (mut link, _) = end_of(served).await;
    let pause = link.linger.pause(session::now() + interval, 1);
    assert!(pause.is_some(), "{:?}", link.linger);
}

/// A stop waits for what is still being judged: its alerts leave, and their inputs are
/// acknowledged.
#[tokio::test]
async fn a_stop_waits_for_what_is_being_judged() {
    let (link, stop, wake) = link_with(1, 1 << 24);
    let pipeline = link.pipeline.clone();
    let (served, mut hub) = serve(link, 1 << 22);
    hub.start(25, 1).await;
    hub.answer_report().await;
    let body = format!("{}{HOT}", " ".repeat(100_000));
    for id in 1..=20 {
        hub.input(id, body.clone()).await;
    }
    while pipeline.lock().counters.received < 20 {
        tokio::task::yield_now().await;
    }
    stop.send(true).unwrap();
    wake.notify_one();
    let (mut alerts, mut acknowledged) = (0, 0);
    loop {
        match hub.next().await {
            Packet::Publish(alert) => {
                alerts += 1;
                hub.send(Packet::PubAck(PubAck::new(alert.pkid))).await;
            }
            Packet::PubAck(_) => acknowledged += 1,
            Packet::Disconnect => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((alerts, acknowledged), (20, 20));
    let (_, end) = end_of(served).await;
    assert!(matches!(end, Ok(HubLeave::Stop)), "{end:?}");
}
