//! What the log says of messages that come to nothing, and characters that topics may hold.

use super::*;
use crate::host::limits::LOG_LINES_MAX;
use crate::mqtt::connection::PACKET_BYTES_MAX;
use crate::testing::capture::capture;

const PREFIX: &str = "devices/d/modules/m/inputs/input1/";
/// What some brokers and SDKs let stand in a topic, and others do not.
const ODD: [&str; 9] =
    ["\u{1}", "\u{7}", "\n", "\u{1f}", "\u{7f}", "\u{80}", "\u{9f}", "\u{ffff}", "\u{0}"];

async fn send(hub: &mut Hub, id: u16, topic: &str, body: impl Into<Vec<u8>>) {
    let mut publish = Publish::new(topic, QoS::AtLeastOnce, body);
    publish.pkid = id;
    hub.connection.publish(&publish).unwrap();
    timeout(PATIENCE, hub.connection.flush()).await.expect("room in time").unwrap();
}

/// For every kind of bad message: its sender is named, whatever it is called, in one line each, and
/// no more lines than the limit has.
#[tokio::test]
async fn bad_messages_are_logged_with_their_sender() {
    let log = capture();
    let (link, _stop, _wake) = link(1 << 20);
    let (_served, mut hub) = serve(link, 1 << 20);
    hub.start(25, 1).await;
    hub.answer_report().await;
    let large = vec![b' '; PACKET_BYTES_MAX];
    let hot = HOT.as_bytes();
    let long = format!("k={}&%24.cdid=d&%24.cmid=long", "%".repeat(30_000));
    let cases: [(&str, &[u8], &str); 6] = [
        ("%24.cdid=d&%24.cmid=s", b"{", "not JSON: \"{\", from d/s (and"),
        ("%24.cdid=leaf%0A7", b"\xff", "not UTF-8: \"\\xff\", from leaf\\n7 (and"),
        ("", br#"{"machine":{"temperature":"hot"}}"#, "from a sender that the hub does not name"),
        ("$.cmid=s&%24.cdid=e", br#"{"machine":{"temperature":null}}"#, "from e/s (and"),
        ("%24.cdid=d&%24.cmid=camera", &large, "are taken, from d/camera; have the sensor"),
        (&long, hot, "alert lost, from d/long: as an alert"),
    ];
    for (id, (bag, body, shown)) in (1..).zip(cases) {
        send(&mut hub, id, &format!("{PREFIX}{bag}"), body).await;
        assert_eq!(hub.next().await, Packet::PubAck(PubAck::new(id)), "{shown}");
        assert_eq!(log.lines(shown).len(), 1, "{shown}: {:?}", log.lines(""));
    }
    send(&mut hub, 7, "devices/d/modules/m/inputs/other/%24.cdid=e", large.clone()).await;
    assert_eq!(hub.next().await, Packet::PubAck(PubAck::new(7)));
    assert_eq!(log.lines("from e; have").len(), 1);
    send(&mut hub, 8, "$iothub/methods/POST/a\nb/?$rid=1", large).await;
    assert_eq!(hub.next().await, Packet::PubAck(PubAck::new(8)));
    assert_eq!(log.lines("on topic \"$iothub/methods/POST/a\\nb/?$rid=1\"").len(), 1);
    for id in 9..60 {
        send(&mut hub, id, PREFIX, "[").await;
        assert_eq!(hub.next().await, Packet::PubAck(PubAck::new(id)));
    }
    assert_eq!(log.lines("more bad messages").len(), usize::try_from(LOG_LINES_MAX).unwrap());
}

/// A character that a property holds, encoded or not, is a property of the alert, encoded.
#[tokio::test]
async fn odd_characters_in_properties_are_passed_on() {
    let (link, _stop, _wake) = link(1 << 20);
    let pipeline = link.pipeline.clone();
    let (_served, mut hub) = serve(link, 1 << 16);
    hub.start(25, 1).await;
    hub.answer_report().await;
    for (id, odd) in (1..).zip(ODD) {
        let mut encoded = String::new();
        crate::azure::percent_encode(odd, &mut encoded);
        for value in [odd, &encoded] {
            let topic = format!("{PREFIX}k={value}&%24.cdid=d&%24.cmid=s");
            send(&mut hub, id, &topic, HOT).await;
            let alert = hub.next_publish().await;
            let end = format!("output1&k={encoded}&MessageType=Alert");
            assert!(alert.topic.ends_with(&end), "{odd:?}: {:?}", alert.topic);
            hub.send(Packet::PubAck(PubAck::new(alert.pkid))).await;
            assert_eq!(hub.next().await, Packet::PubAck(PubAck::new(id)));
        }
    }
    let counters = pipeline.lock().counters.clone();
    assert_eq!((counters.alerts, counters.forwarded), (18, 18));
}

/// A broker's topic is a property of the alert, whatever it holds.
#[tokio::test]
async fn odd_characters_in_a_brokers_topic_are_passed_on() {
    let (link, _stop, wake) = link(1 << 20);
    let shared = link.pipeline.clone();
    let (_served, mut hub) = serve(link, 1 << 16);
    hub.start(25, 1).await;
    hub.answer_report().await;
    for odd in ODD {
        let topic = format!("sensors/{odd}");
        beside_a_broker::from_broker_on(&topic, &shared, &wake);
        let alert = hub.next_publish().await;
        let mut encoded = String::new();
        crate::azure::percent_encode(&topic, &mut encoded);
        let end = format!("output1&topic={encoded}&MessageType=Alert");
        assert!(alert.topic.ends_with(&end), "{odd:?}: {:?}", alert.topic);
        hub.send(Packet::PubAck(PubAck::new(alert.pkid))).await;
    }
}
