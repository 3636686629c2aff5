//! Which connections have worked: one that was lost before that is waited for ever longer.

use super::beside_a_broker::from_broker;
use super::*;
use crate::host::files::reread::Reread;
use crate::mqtt::session::Client;

/// Serves a connection on which the hub grants the subscriptions, does as `script` says, and hangs
/// up; whether it has worked.
async fn has_worked(link: &mut HubLink, script: impl AsyncFnOnce(&mut Hub)) -> bool {
    let (ours, theirs) = duplex(1 << 16);
    let mut hub = Hub { connection: Connection::new(theirs, Duration::ZERO), inbox: Vec::new() };
    let serving = session::serve(link, Connection::new(ours, Duration::from_secs(60)), false);
    let script = async move {
        let subscribe = hub.subscribe().await;
        let codes = vec![SubscribeReasonCode::Success(QoS::AtLeastOnce); subscribe.filters.len()];
        hub.send(Packet::SubAck(SubAck::new(subscribe.pkid, codes))).await;
        assert!(hub.next_publish().await.topic.starts_with("$iothub/twin/GET/"));
        script(&mut hub).await;
    };
    tokio::join!(serving, script).0.has_worked
}

/// One on which an input was acknowledged, or an alert, whoever did it; the SUBACK proves nothing.
#[tokio::test]
async fn a_connection_works_once_something_is_acknowledged() {
    let (mut link, _stop, wake) = link_with(0, 1 << 20);
    let shared = link.pipeline.clone();
    shared.lock().release_hold();
    assert!(!has_worked(&mut link, async |_: &mut Hub| {}).await);
    let input = async |hub: &mut Hub| {
        hub.input(1, COLD).await;
        assert_eq!(hub.next().await, Packet::PubAck(PubAck::new(1)));
    };
    assert!(has_worked(&mut link, input).await);
    // One of a broker's message, of which there is nothing to be told to the hub.
    let alert = async |hub: &mut Hub| {
        from_broker(&shared, &wake);
        let alert = hub.next_publish().await;
        hub.send(Packet::PubAck(PubAck::new(alert.pkid))).await;
    };
    assert!(has_worked(&mut link, alert).await);
}

/// While it waits for the next attempt it looks at the file of its roots.
#[tokio::test]
async fn the_files_are_those_of_the_roots() {
    let (mut link, _stop, _wake) = link_with(0, 1 << 20);
    assert!(link.files().is_empty());
    let path = std::path::PathBuf::from("roots.pem");
    let tls = trusting([]).unwrap().into();
    link.settings.trust = Trust::File(Reread::new(tls, [path.clone()], |_| Ok(None)));
    assert_eq!(link.files(), [path]);
}

/// One connection that is served alone tells how it ended.
#[tokio::test]
async fn a_connection_that_is_lost_is_no_end_in_good_order() {
    let (mut link, _stop, _wake) = link_with(0, 1 << 20);
    let (ours, theirs) = duplex(1 << 16);
    drop(theirs);
    let end = link.serve_over(Connection::new(ours, Duration::from_secs(60))).await;
    assert!(matches!(end, Err(End::Connection(_))), "{end:?}");
}

/// What one connection of the process has learnt of its peers, all know.
#[tokio::test]
async fn what_is_learnt_of_peers_is_shared() {
    let (link, _stop, _wake) = link_with(0, 1 << 20);
    let peers = Peers::default();
    assert!(!link.peers.are_those_of(&peers));
    assert!(link.with_peers(peers.clone()).peers.are_those_of(&peers));
}

/// The log calls a connection by what it calls itself in CONNECT.
#[tokio::test]
async fn its_name_in_the_log_is_its_client_id() {
    let (link, _stop, _wake) = link_with(0, 1 << 20);
    assert_eq!(link.client_id(), link.settings.identity.client_id());
    assert_eq!(link.client_id(), "d/m");
}

/// A stop is the end; after anything else it connects again.
#[tokio::test]
async fn only_a_stop_is_the_end() {
    let (mut link, _stop, _wake) = link_with(0, 1 << 20);
    assert!(link.left(HubLeave::Overrun) && !link.left(HubLeave::Stop));
}
