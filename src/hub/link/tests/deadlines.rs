//! How long the link waits, in virtual time.

use super::*;
use crate::hub::limits::{OVERRUN_DRAIN_MAX, RENEWAL_DRAIN_MAX};
use crate::hub::link::login::Renewal;
use crate::mqtt::connection::TICK;
use crate::testing::daemon::{Daemon, Mood};
use tokio::time::Instant as Clock;

impl Hub {
    /// Answers PINGREQ, and gives what else comes.
    async fn next_but_pings(&mut self) -> Packet {
        loop {
            match self.next().await {
                Packet::PingReq => self.send(Packet::PingResp).await,
                packet => return packet,
            }
        }
    }

    /// Waits for a packet that is `wanted`, for as long as pings are answered.
    async fn wait_for(&mut self, wanted: impl Fn(&Packet) -> bool) {
        while !wanted(&self.next_but_pings().await) {}
    }
}

/// Whether what began at `start` ended within a tick behind `wait`.
fn assert_waited(start: Clock, wait: Duration) {
    let waited = start.elapsed();
    assert!((wait..=wait + TICK).contains(&waited), "{waited:?} in place of {wait:?}");
}

/// A hub that never answers the GET: the default threshold judges after 5 s.
#[tokio::test(start_paused = true)]
async fn the_first_twin_document_is_waited_for_5_s() {
    let (link, _stop, _wake) = link_with(0, 1 << 20);
    let start = Clock::now();
    let (_served, mut hub) = serve(link, 1 << 16);
    hub.input(1, r#"{"machine":{"temperature":50}}"#).await;
    let subscribe = hub.subscribe().await;
    let codes = vec![SubscribeReasonCode::Success(QoS::AtLeastOnce); subscribe.filters.len()];
    hub.send(Packet::SubAck(SubAck::new(subscribe.pkid, codes))).await;
    hub.wait_for(|packet| matches!(packet, Packet::Publish(alert) if alert.pkid != 0)).await;
    assert_waited(start, FIRST_TWIN_WAIT);
}

/// A link with an alert that the hub does not acknowledge, behind its twin document and report.
async fn with_an_alert(link: HubLink) -> (Served, Hub, Publish) {
    let (served, mut hub) = serve(link, 1 << 16);
    let alert = hub.start_with_an_alert(7).await;
    (served, hub, alert)
}

/// A stop waits for PUBACKs as long as the setting says.
#[tokio::test(start_paused = true)]
async fn a_drain_ends_with_its_time() {
    for drain in [Duration::ZERO, Duration::from_secs(5), Duration::from_secs(60)] {
        let (mut link, stop, wake) = link_with(0, 1 << 20);
        link.settings.drain_timeout = drain;
        link.settings.puback_timeout = Duration::from_secs(3600);
        link.renew_at = session::now() + Duration::from_secs(3600);
        let (_served, mut hub, _) = with_an_alert(link).await;
        let start = Clock::now();
        stop.send(true).unwrap();
        wake.notify_one();
        hub.wait_for(|packet| *packet == Packet::Disconnect).await;
        assert_waited(start, drain);
    }
}

/// With nothing in flight a stop waits for nothing at all.
#[tokio::test(start_paused = true)]
async fn an_idle_link_stops_at_once() {
    let (mut link, stop, wake) = link_with(0, 1 << 20);
    link.settings.drain_timeout = Duration::from_secs(60);
    let (served, mut hub, alert) = with_an_alert(link).await;
    hub.send(Packet::PubAck(PubAck::new(alert.pkid))).await;
    assert_eq!(hub.next().await, Packet::PubAck(PubAck::new(7)));
    let start = Clock::now();
    stop.send(true).unwrap();
    wake.notify_one();
    assert_eq!(hub.next().await, Packet::Disconnect);
    drop(hub);
    end_of(served).await.1.expect("left in good order");
    assert_eq!(start.elapsed(), Duration::ZERO);
}

/// Messages that wait for the twin are no reason to wait at a stop: they stay with the hub. At a
/// renewal they are waited for, as the document may come.
#[tokio::test(start_paused = true)]
async fn a_hold_is_waited_for_at_a_renewal_alone() {
    const DUE: Duration = Duration::from_secs(1);
    for is_stop in [true, false] {
        let (mut link, stop, wake) = link_with(0, 1 << 20);
        link.renew_at = session::now() + DUE;
        let pipeline = link.pipeline.clone();
        let start = Clock::now();
        let (_served, mut hub) = serve(link, 1 << 16);
        let subscribe = hub.subscribe().await;
        hub.input(1, COLD).await;
        while pipeline.lock().counters.received == 0 {
            tokio::task::yield_now().await;
        }
        if is_stop {
            stop.send(true).unwrap();
            wake.notify_one();
            assert_eq!(hub.next().await, Packet::Disconnect);
            assert_eq!(start.elapsed(), Duration::ZERO);
            continue;
        }
        let codes = vec![SubscribeReasonCode::Success(QoS::AtLeastOnce); subscribe.filters.len()];
        hub.send(Packet::SubAck(SubAck::new(subscribe.pkid, codes))).await;
        let get = hub.next_publish().await;
        tokio::time::sleep_until(start + DUE + RENEWAL_DRAIN_MAX / 2).await;
        let rid = get.topic.split_once("$rid=").expect("a GET").1;
        hub.respond(&format!("200/?$rid={rid}"), r#"{"desired":{"$version":1}}"#).await;
        hub.wait_for(|packet| *packet == Packet::PubAck(PubAck::new(1))).await;
        hub.wait_for(|packet| *packet == Packet::Disconnect).await;
    }
}

/// The next token is fetched when it is due; then the hub has a second for what is in flight.
#[tokio::test(start_paused = true)]
async fn a_renewal_begins_and_ends_in_time() {
    const DUE: Duration = Duration::from_secs(48);
    for (is_acknowledged, wait) in [(true, Duration::ZERO), (false, RENEWAL_DRAIN_MAX)] {
        let (mut link, _stop, _wake) = link_with(0, 1 << 20);
        let start = Clock::now();
        link.renew_at = session::now() + DUE;
        let (served, mut hub, alert) = with_an_alert(link).await;
        if is_acknowledged {
            hub.send(Packet::PubAck(PubAck::new(alert.pkid))).await;
        }
        hub.wait_for(|packet| *packet == Packet::Disconnect).await;
        assert_waited(start, DUE + wait);
        drop(hub);
        let (_, end) = end_of(served).await;
        assert!(matches!(end, Ok(HubLeave::Renew(_))), "{end:?}");
    }
}

/// While the daemon fails it is asked ever more rarely, from 0.1 to 5 s, of which chance takes up
/// to one half.
#[tokio::test(start_paused = true)]
async fn a_failing_renewal_is_tried_again_ever_more_rarely() {
    const WAITS_MS: [u64; 10] = [100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000, 5000];
    let longest = Duration::from_millis(WAITS_MS.iter().sum());
    let daemon = Daemon::start("");
    daemon.moods(WAITS_MS.map(|_| Mood::Answer(500, String::new())));
    let (mut link, _stop, _wake) = link_with(0, 1 << 20);
    link.settings.credentials = Credentials::Workload(daemon.client());
    let (due, wake) = (Duration::from_secs(7), Arc::new(Notify::new()));
    let start = Clock::now();
    let mut renewal = Renewal::start(&link.settings, session::now() + due, &wake);
    tokio::time::sleep(due - Duration::from_millis(1)).await;
    assert_eq!(daemon.connections(), 0, "it is not due");
    wake.notified().await;
    let waited = start.elapsed() - due;
    // Timers end up to a millisecond late, and there are as many as waits, and one.
    let late = Duration::from_millis(1 + WAITS_MS.len() as u64);
    assert!((longest / 2..=longest + late).contains(&waited), "{waited:?}");
    assert!(renewal.ready().is_some());
    assert_eq!(daemon.requests().len(), WAITS_MS.len() + 1);
}

/// A hub that overran the link and acknowledges no alert is left a minute later.
#[tokio::test(start_paused = true)]
async fn an_overrun_is_waited_for_a_minute() {
    let (mut link, _stop, _wake) = link_with(0, 100_000);
    link.settings.puback_timeout = Duration::from_secs(3600);
    link.renew_at = session::now() + Duration::from_secs(3600);
    let (served, hub) = serve(link, 1 << 16);
    let begun = Clock::now();
    let mut flooded = flood(hub, 1).await;
    let overrun = Clock::now();
    flooded.hub.wait_for(|packet| *packet == Packet::Disconnect).await;
    assert!(begun.elapsed() >= OVERRUN_DRAIN_MAX, "{:?}", begun.elapsed());
    assert!(overrun.elapsed() <= OVERRUN_DRAIN_MAX + TICK, "{:?}", overrun.elapsed());
    drop(flooded);
    let (_, end) = end_of(served).await;
    assert!(matches!(end, Ok(HubLeave::Overrun)), "{end:?}");
}
