//! A token is renewed without losing, repeating or wrongly acknowledging anything.

use super::*;
use crate::hub::link::login::{Renewal, use_time};
use crate::mqtt::connection::PACKET_BYTES_MAX;
use crate::outbound::dead_letters::DeadLetters;
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

    /// Lets the time come at which the token of [`renewed_link`] is replaced.
    async fn wait_for_renewal(&mut self) {
        assert_eq!(self.counter("renewals").await, 0);
        tokio::time::sleep(RENEWAL + Duration::from_millis(1)).await;
        assert_eq!(self.counter("renewals").await, 1);
    }
}

/// How long the first token is used, by a clock that stands still.
const RENEWAL: Duration = Duration::from_secs(1);

/// A link whose token is to be replaced soon.
fn renewed_link() -> (HubLink, watch::Sender<bool>, Arc<Notify>) {
    let (mut link, stop, wake) = link_with(0, 1 << 20);
    link.renew_at = session::now() + RENEWAL;
    (link, stop, wake)
}

/// A renewal during traffic: what was taken before is acknowledged in both directions, what comes
/// after is left to the next connection, and nothing is sent twice.
#[tokio::test(start_paused = true)]
async fn a_renewal_finishes_what_is_in_flight_and_takes_nothing_new() {
    let (link, _stop, _wake) = renewed_link();
    let (served, mut hub) = serve(link, 1 << 16);
    let alert = hub.start_with_an_alert(7).await;
    hub.wait_for_renewal().await;
    hub.input(8, HOT).await;
    hub.send(Packet::PubAck(PubAck::new(alert.pkid))).await;
    assert_eq!(hub.next().await, Packet::PubAck(PubAck::new(7)));
    assert_eq!(hub.next().await, Packet::Disconnect, "and neither an alert nor a PUBACK for 8");
    drop(hub);
    let (mut link, end) = end_of(served).await;
    assert!(matches!(end, Ok(HubLeave::Renew(_))), "{end:?}");
    let counters = link.pipeline.lock().counters.clone();
    assert_eq!((counters.received, counters.forwarded), (1, 1));

    link.renew_at = session::now() + Duration::from_secs(3600);
    let (_served, mut hub) = serve(link, 1 << 16);
    hub.start(25, 1).await;
    hub.input(1, HOT).await;
    let alert = hub.next_publish().await;
    assert!(!alert.dup, "message 8, now as 1, is forwarded for the first time");
    hub.send(Packet::PubAck(PubAck::new(alert.pkid))).await;
    assert_eq!(hub.next().await, Packet::PubAck(PubAck::new(1)));
}

/// Whatever comes at QoS 1 while a connection is left is acknowledged on the next one: a patch, a
/// message for another input, one that is too large, of the twin or not. A PUBACK would overtake
/// those of inputs that were not taken, and end the hub's wish to say it again.
#[tokio::test(start_paused = true)]
async fn nothing_that_comes_while_leaving_is_acknowledged() {
    let (link, _stop, _wake) = renewed_link();
    let cell = Arc::clone(link.pipeline.lock().cell());
    let (served, mut hub) = serve(link, 1 << 20);
    let alert = hub.start_with_an_alert(7).await;
    hub.wait_for_renewal().await;
    let patch = "$iothub/twin/PATCH/properties/desired/?$version=2";
    let body = br#"{"TemperatureThreshold":40,"$version":2}"#;
    let large = vec![b' '; PACKET_BYTES_MAX];
    let inputs = "devices/d/modules/m/inputs";
    for (id, topic, body) in [
        (8, patch, &body[..]),
        (9, &format!("{inputs}/other/"), b"{}"),
        (10, &format!("{inputs}/input1/"), HOT.as_bytes()),
        (11, &format!("{inputs}/input1/"), &large),
        (12, patch, &large),
    ] {
        let mut publish = Publish::new(topic, QoS::AtLeastOnce, body);
        publish.pkid = id;
        hub.connection.publish(&publish).unwrap();
    }
    hub.connection.flush().await.unwrap();
    while cell.load().threshold.value() != 40.0 {
        tokio::task::yield_now().await;
    }
    hub.send(Packet::PubAck(PubAck::new(alert.pkid))).await;
    let mut acknowledged = Vec::new();
    loop {
        match hub.next().await {
            Packet::PubAck(ack) => acknowledged.push(ack.pkid),
            Packet::Publish(report) if report.topic.starts_with("$iothub/twin/") => {}
            Packet::Disconnect => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(acknowledged, [7]);
    drop(hub);
    let (link, end) = end_of(served).await;
    assert!(matches!(end, Ok(HubLeave::Renew(_))), "{end:?}");
    assert_eq!(link.pipeline.lock().counters.received, 1);
}

/// A hub that withholds its PUBACK delays the renewal, but not for ever; the alert survives.
#[tokio::test(start_paused = true)]
async fn a_withheld_puback_does_not_stop_the_renewal() {
    let (link, _stop, _wake) = renewed_link();
    let (served, mut hub) = serve(link, 1 << 16);
    let alert = hub.start_with_an_alert(7).await;
    assert_eq!(hub.next().await, Packet::Disconnect);
    drop(hub);
    let (link, end) = end_of(served).await;
    assert!(matches!(end, Ok(HubLeave::Renew(_))), "{end:?}");

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
    assert!(matches!(end, Ok(HubLeave::Renew(_))), "{end:?}");
    assert_eq!(daemon.requests().len(), 3);
}

/// Stopping wins over a renewal that has begun.
#[tokio::test(start_paused = true)]
async fn a_stop_during_a_renewal_is_a_stop() {
    let (link, stop, wake) = renewed_link();
    let (served, mut hub) = serve(link, 1 << 16);
    let alert = hub.start_with_an_alert(7).await;
    hub.wait_for_renewal().await;
    stop.send(true).unwrap();
    wake.notify_one();
    hub.send(Packet::PubAck(PubAck::new(alert.pkid))).await;
    assert_eq!(hub.next().await, Packet::PubAck(PubAck::new(7)));
    assert_eq!(hub.next().await, Packet::Disconnect);
    drop(hub);
    let (_link, end) = end_of(served).await;
    assert!(matches!(end, Ok(HubLeave::Stop)), "{end:?}");
}

#[test]
fn tokens_are_used_for_four_fifths_of_their_life() {
    let hour = Duration::from_secs(3600);
    for (jitter, expected) in [(0.0, 2700), (0.5, 2880), (1.0, 3060)] {
        assert_eq!(use_time(hour, jitter).as_secs_f64().round(), f64::from(expected));
    }
}

/// A renewal ends with the connection that it belongs to: the daemon is not asked for a token that
/// nobody will use.
#[tokio::test(start_paused = true)]
async fn a_renewal_ends_with_its_connection() {
    for is_dropped in [true, false] {
        let daemon = Daemon::start("");
        let (mut link, _stop, wake) = link_with(0, 1 << 20);
        link.settings.credentials = Credentials::Workload(daemon.client());
        let at = session::now() + RENEWAL;
        let renewal = Some(Renewal::start(&link.settings, at, &wake)).filter(|_| !is_dropped);
        let woken = timeout(RENEWAL * 2, wake.notified()).await.is_ok();
        assert_eq!((woken, daemon.requests().len()), (!is_dropped, usize::from(!is_dropped)));
        drop(renewal);
    }
}

/// A connection that is left begins no trial of an alert that is parked: it would only be cut off.
#[tokio::test(start_paused = true)]
async fn a_renewal_begins_no_trial() {
    let folder = tempfile::tempdir().unwrap();
    let mut letters = DeadLetters::new(folder.path(), "here");
    letters.park("devices/d/modules/m/messages/events/", Vec::new(), "why", b"{}").unwrap();
    let (link, _stop, _wake) = renewed_link();
    let (served, mut hub) = serve(link.parking_in(letters), 1 << 16);
    let alert = hub.start_with_an_alert(7).await;
    hub.wait_for_renewal().await;
    hub.send(Packet::PubAck(PubAck::new(alert.pkid))).await;
    assert_eq!(hub.next().await, Packet::PubAck(PubAck::new(7)));
    assert_eq!(hub.next().await, Packet::Disconnect, "and no PINGREQ before");
    let (link, end) = end_of(served).await;
    assert!(matches!(end, Ok(HubLeave::Renew(_))), "{end:?}");
    assert_eq!(link.outbound.parked(), 1);
}
