//! A token is renewed without losing, repeating or wrongly acknowledging anything.

use super::*;
use crate::hub::link::login::use_time;
use crate::testing::daemon::{Daemon, Mood};

impl Hub {
    /// One of the module's counters, by the direct method `stats`; other packets stay in order.
    async fn counter(&mut self, name: &str) -> u64 {
        let topic = "$iothub/methods/POST/stats/?$rid=1";
        self.send(Packet::Publish(Publish::new(topic, QoS::AtMostOnce, ""))).await;
        let answer = self.next_publish().await;
        let body: serde_json::Value = serde_json::from_slice(&answer.payload).expect("JSON");
        body["counters"][name].as_u64().expect("a counter")
    }

    async fn wait_for_renewal(&mut self) {
        while self.counter("renewals").await == 0 {
            tokio::task::yield_now().await;
        }
    }
}

/// A renewal during traffic: what was taken before is acknowledged in both directions, what comes
/// after is left to the next connection, and nothing is sent twice.
#[tokio::test]
async fn a_renewal_finishes_what_is_in_flight_and_takes_nothing_new() {
    let (mut link, _stop, _wake) = link(1 << 20);
    link.renew_at = Instant::now() + Duration::from_millis(300);
    let (served, mut hub) = serve(link, 1 << 16);
    hub.start(25, 1).await;
    hub.answer_report().await;
    hub.input(7, HOT).await;
    let alert = hub.next_publish().await;
    hub.wait_for_renewal().await;
    hub.input(8, HOT).await;
    hub.send(Packet::PubAck(PubAck::new(alert.pkid))).await;
    assert_eq!(hub.next().await, Packet::PubAck(PubAck::new(7)));
    assert_eq!(hub.next().await, Packet::Disconnect, "and neither an alert nor a PUBACK for 8");
    drop(hub);
    let (mut link, end) = end_of(served).await;
    assert!(matches!(end, Ok(Leave::Renew(_))), "{end:?}");
    let counters = link.pipeline.lock().counters.clone();
    assert_eq!((counters.received, counters.forwarded), (1, 1));

    link.renew_at = Instant::now() + Duration::from_secs(3600);
    let (_served, mut hub) = serve(link, 1 << 16);
    hub.start(25, 1).await;
    hub.input(1, HOT).await;
    let alert = hub.next_publish().await;
    assert!(!alert.dup, "message 8, now as 1, is forwarded for the first time");
    hub.send(Packet::PubAck(PubAck::new(alert.pkid))).await;
    assert_eq!(hub.next().await, Packet::PubAck(PubAck::new(1)));
}

/// A hub that withholds its PUBACK delays the renewal, but not for ever; the alert survives.
#[tokio::test]
async fn a_withheld_puback_does_not_stop_the_renewal() {
    let (mut link, _stop, _wake) = link(1 << 20);
    link.renew_at = Instant::now() + Duration::from_millis(300);
    let (served, mut hub) = serve(link, 1 << 16);
    hub.start(25, 1).await;
    hub.answer_report().await;
    hub.input(7, HOT).await;
    let alert = hub.next_publish().await;
    assert_eq!(hub.next().await, Packet::Disconnect);
    drop(hub);
    let (link, end) = end_of(served).await;
    assert!(matches!(end, Ok(Leave::Renew(_))), "{end:?}");

    let (_served, mut hub) = serve(link, 1 << 16);
    hub.subscribe().await;
    let again = hub.next_publish().await;
    assert_eq!((again.pkid, again.dup, again.topic), (alert.pkid, true, alert.topic));
}

/// While the daemon fails, the old connection works on; the renewal follows when it can.
#[tokio::test]
async fn a_failing_renewal_keeps_the_connection_and_is_retried() {
    let daemon = Daemon::start("");
    daemon.moods([Mood::Answer(500, String::new()), Mood::Answer(403, String::new())]);
    let (mut link, _stop, _wake) = link(1 << 20);
    link.settings.credentials = Credentials::Workload(daemon.client());
    link.renew_at = Instant::now();
    let (served, mut hub) = serve(link, 1 << 16);
    hub.start(25, 1).await;
    assert_eq!(hub.next_publish().await.topic.split('/').nth(1), Some("twin"), "it still works");
    assert_eq!(hub.next().await, Packet::Disconnect);
    drop(hub);
    let (_link, end) = end_of(served).await;
    assert!(matches!(end, Ok(Leave::Renew(_))), "{end:?}");
    assert_eq!(daemon.requests().len(), 3);
}

/// Stopping wins over a renewal that has begun.
#[tokio::test]
async fn a_stop_during_a_renewal_is_a_stop() {
    let (mut link, stop, wake) = link(1 << 20);
    link.renew_at = Instant::now() + Duration::from_millis(300);
    let (served, mut hub) = serve(link, 1 << 16);
    hub.start(25, 1).await;
    hub.answer_report().await;
    hub.input(7, HOT).await;
    let alert = hub.next_publish().await;
    hub.wait_for_renewal().await;
    stop.send(true).unwrap();
    wake.notify_one();
    hub.send(Packet::PubAck(PubAck::new(alert.pkid))).await;
    assert_eq!(hub.next().await, Packet::PubAck(PubAck::new(7)));
    assert_eq!(hub.next().await, Packet::Disconnect);
    drop(hub);
    let (_link, end) = end_of(served).await;
    assert!(matches!(end, Ok(Leave::Stop)), "{end:?}");
}

#[test]
fn tokens_are_used_for_four_fifths_of_their_life() {
    let hour = Duration::from_secs(3600);
    for (jitter, expected) in [(0.0, 2700), (0.5, 2880), (1.0, 3060)] {
        assert_eq!(use_time(hour, jitter).as_secs_f64().round(), f64::from(expected));
    }
}
