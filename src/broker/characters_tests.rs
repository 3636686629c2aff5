//! Topics with characters that one broker lets through and another hangs up on: what the broker
//! passes is passed, in and out, and what it refuses is told, kept and counted.

use std::time::Duration;

use tempfile::TempDir;

use crate::mqtt::packet::{Packet, PubAck};
use crate::mqtt::session;
use crate::outbound::dead_letters::DeadLetters;
use crate::testing::broker::{COLD, HOT, Peer, Rig, until};
use crate::testing::capture::capture;

/// Controls, and code points that are no characters (MQTT 3.1.1 §1.5.3).
const ODD: [char; 10] = [
    '\u{1}', '\u{9}', '\n', '\u{1f}', '\u{7f}', '\u{80}', '\u{9f}', '\u{fdd0}', '\u{ffff}', '\u{0}',
];

/// Whether the session is new or has filters of an earlier run.
#[tokio::test]
async fn what_a_broker_passes_comes_in() {
    for session_present in [false, true] {
        let rig = Rig::new(1 << 20);
        let mut source = rig.source();
        let (ours, mut peer) = Peer::connect(1 << 16);
        tokio::spawn(async move {
            drop(session::serve(&mut source, ours, session_present).await);
        });
        peer.grant(None).await;
        for (id, odd) in (1..).zip(ODD) {
            let topic = format!("sensors/{odd}");
            peer.publish(&topic, id, HOT, false).await;
            let alert = rig.alert().await;
            assert_eq!(alert.origin(), topic);
            rig.forwarded(&alert);
            assert_eq!(peer.next().await, Packet::PubAck(PubAck::new(id)), "{odd:?}");
            peer.publish(&topic, id, COLD, false).await;
            assert_eq!(peer.next().await, Packet::PubAck(PubAck::new(id)), "{odd:?}");
        }
        let counters = rig.pipeline.lock().counters.clone();
        assert_eq!((counters.received, counters.not_alerts, counters.unexpected), (20, 10, 0));
    }
}

#[tokio::test]
async fn what_a_broker_passes_goes_out() {
    let rig = Rig::new(1 << 20);
    let mut outlet = rig.outlet();
    let (ours, mut peer) = Peer::connect(1 << 16);
    tokio::spawn(async move { drop(session::serve(&mut outlet, ours, false).await) });
    peer.grant(None).await;
    assert_eq!(peer.next().await, Packet::PingReq);
    peer.send(Packet::PingResp).await;
    for odd in ODD {
        rig.message(&format!("sensors/{odd}"), HOT);
        rig.outlet_wake.notify_one();
        let alert = peer.next_publish().await;
        assert_eq!(alert.topic, format!("alerts/sensors/{odd}"));
        peer.puback(alert.pkid).await;
    }
    until(|| rig.pipeline.lock().counters.forwarded == 10).await;
}

/// A broker that hangs up on such an alert: it is kept in a file, its reading is settled, and the
/// log names its topic in printable characters.
#[tokio::test(start_paused = true)]
async fn an_alert_that_a_broker_hangs_up_on_is_kept_and_logged() {
    for odd in ['\u{1}', '\u{85}', '\u{ffff}', '\u{0}'] {
        let log = capture();
        let folder = TempDir::new().unwrap();
        let rig = Rig::new(1 << 20);
        let dead_letters = DeadLetters::new(folder.path(), "broker".to_owned());
        let mut outlet = rig.outlet().parking_in(dead_letters);
        rig.message(&format!("sensors/{odd}"), HOT);
        let mut connections = 0;
        while rig.pipeline.lock().counters.parked == 0 {
            connections += 1;
            assert!(connections < 50, "{odd:?}: it is never kept");
            outlet = hang_up_at_alerts(outlet).await;
        }
        let held = rig.pipeline.lock().release(crate::pipeline::message::SourceId::Broker, |_| {});
        assert_eq!(held, 1, "the reading is settled");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        let escaped = format!("alerts/sensors/{}", odd.to_string().as_bytes().escape_ascii());
        let shown = log.lines("the receiver hung up");
        assert!(
            shown.iter().all(|line| line.contains(&*escaped)) && !shown.is_empty(),
            "{shown:?}"
        );
    }
}

/// One connection, which ends at the first alert, as the session's loop has it.
async fn hang_up_at_alerts(mut outlet: super::Outlet) -> super::Outlet {
    use crate::mqtt::session::Client;
    let (ours, mut peer) = Peer::connect(1 << 16);
    let served = tokio::spawn(async move {
        let end = session::serve(&mut outlet, ours, false).await.end;
        if let Err(end) = &end {
            outlet.lost(end);
        }
        outlet
    });
    peer.grant(None).await;
    loop {
        let next = tokio::time::timeout(Duration::from_secs(8), peer.next()).await;
        match next {
            Ok(Packet::PingReq) => peer.send(Packet::PingResp).await,
            Ok(Packet::Publish(_)) | Err(_) => break,
            Ok(other) => panic!("{other:?}"),
        }
    }
    drop(peer);
    served.await.unwrap()
}
