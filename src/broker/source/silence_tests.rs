//! What is told of shared subscriptions that bring nothing, by a stopped clock.

use super::*;
use crate::broker::limits::SHARED_SILENCE;
use crate::testing::broker::{COLD, Peer, Rig};
use crate::testing::capture::capture;
use tokio::time::sleep;

const WORDS: &str = "takes it for an ordinary filter";
const MOMENT: Duration = Duration::from_millis(100);

/// Serves one connection on which the broker sends `topics`, for longer than the silence may last.
async fn serve(mut source: Source, topics: &[&str]) -> Source {
    let (ours, mut peer) = Peer::connect(1 << 16);
    let served = tokio::spawn(async move {
        session::serve(&mut source, ours, false).await;
        source
    });
    peer.grant(None).await;
    for topic in topics {
        peer.publish(topic, 0, COLD, false).await;
    }
    sleep(SHARED_SILENCE + MOMENT).await;
    drop(peer);
    served.await.unwrap()
}

/// A broker that takes a shared filter for an ordinary one: told once in the life of the process.
#[tokio::test(start_paused = true)]
async fn a_shared_subscription_that_brings_nothing_is_logged_once() {
    let log = capture();
    let rig = Rig::new(1 << 20);
    let source = rig.source_of(&["$share/g/sensors/#"]);
    let source = serve(source, &[]).await;
    let shown = log.lines(WORDS);
    assert!(matches!(&*shown, [line] if line.contains("$share/g/sensors/#")), "{shown:?}");
    serve(source, &[]).await;
    assert_eq!(log.lines(WORDS).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn one_that_brings_something_is_not() {
    let log = capture();
    let rig = Rig::new(1 << 20);
    for (filters, topics) in [
        (&["$share/g/sensors/#"][..], &["sensors/1"][..]),
        (&["other/#", "$share/g/sensors/#"], &["other/1", "sensors/1"]),
        (&["sensors/#"], &[]),
    ] {
        let source = serve(rig.source_of(filters), topics).await;
        serve(source, &[]).await;
        assert_eq!(log.lines(WORDS), [""; 0], "{filters:?}");
    }
    serve(rig.source_of(&["other/#", "$share/g/sensors/#"]), &["other/1"]).await;
    assert_eq!(log.lines(WORDS).len(), 1, "what comes by another filter is no sign");
}

/// A message that is too large came all the same.
#[tokio::test(start_paused = true)]
async fn a_shared_subscription_that_brings_an_oversized_message_is_not_silent() {
    let log = capture();
    let rig = Rig::new(1 << 20);
    let mut source = rig.source_of(&["$share/g/sensors/#"]);
    let (ours, mut peer) = Peer::connect(1 << 20);
    let served = tokio::spawn(async move { drop(session::serve(&mut source, ours, false).await) });
    peer.grant(None).await;
    peer.publish_too_large("sensors/1", 1, false).await;
    sleep(SHARED_SILENCE + MOMENT).await;
    assert_eq!(log.lines(WORDS), [""; 0]);
    let lost = log.lines("message lost: ");
    assert!(matches!(&*lost, [line] if line.contains("on topic \"sensors/1\"")), "{lost:?}");
    drop(peer);
    served.await.unwrap();
}
