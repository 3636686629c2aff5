//! What the counters and the log say of what came, and which connections count as ones that work.

use super::*;
use crate::mqtt::session::{Cause, Client};
use crate::testing::capture::capture;

async fn publish(hub: &mut Hub, topic: &str, body: &str) {
    hub.send(Packet::Publish(Publish::new(topic, QoS::AtMostOnce, body))).await;
}

/// For each kind of what a hub may send, twice: each is counted once under its name.
#[tokio::test]
async fn what_comes_is_counted_by_its_kind() {
    let (link, _stop, _wake) = link_with(0, 1 << 20);
    let pipeline = link.pipeline.clone();
    let (_served, mut hub) = serve(link, 1 << 16);
    hub.start(25, 1).await;
    hub.answer_report().await;
    for version in [2, 3] {
        publish(&mut hub, "devices/d/modules/m/inputs/other/", HOT).await;
        publish(&mut hub, "devices/d/modules/m/inputs/input10/", HOT).await;
        publish(&mut hub, "no/topic/of/ours", HOT).await;
        publish(&mut hub, "$iothub/methods/POST/stats/?$rid=1", "").await;
        assert!(hub.next_publish().await.topic.starts_with("$iothub/methods/res/200/"));
        let topic = format!("$iothub/twin/PATCH/properties/desired/?$version={version}");
        publish(&mut hub, &topic, &format!(r#"{{"other":1,"$version":{version}}}"#)).await;
        hub.send(Packet::UnsubAck(crate::mqtt::packet::UnsubAck::new(7))).await;
        hub.send(Packet::PubAck(PubAck::new(9))).await;
    }
    // Behind all of them.
    hub.input(5, COLD).await;
    assert_eq!(hub.next().await, Packet::PubAck(PubAck::new(5)));
    let counters = pipeline.lock().counters.clone();
    assert_eq!((counters.other_inputs, counters.methods, counters.twin_callbacks), (4, 2, 2));
    assert_eq!((counters.unexpected, counters.received), (6, 1));
}

/// The name of the input may be percent-encoded where nothing needs it: it is the same input, and
/// its properties are passed on.
#[tokio::test]
async fn an_input_is_known_however_its_name_is_written() {
    let (link, stop, wake) = link_with(0, 1 << 20);
    let pipeline = link.pipeline.clone();
    let (_served, mut hub) = serve(link, 1 << 16);
    hub.start(25, 1).await;
    hub.answer_report().await;
    for (rest, properties) in [("/n=1&k=%2F", "n=1&k=%2F&"), ("/", ""), ("", "")] {
        let topic = format!("devices/d/modules/m/inputs/input%31{rest}");
        publish(&mut hub, &topic, HOT).await;
        let alert = hub.next_publish().await;
        let output = "devices/d/modules/m/messages/events/%24.on=output1&";
        assert_eq!(alert.topic, format!("{output}{properties}MessageType=Alert"));
        hub.send(Packet::PubAck(PubAck::new(alert.pkid))).await;
    }
    // A module that stops takes it as little as one that is written plainly.
    hub.input(1, HOT).await;
    let alert = hub.next_publish().await;
    stop.send(true).unwrap();
    wake.notify_one();
    publish(&mut hub, "devices/d/modules/m/inputs/input%31/", HOT).await;
    publish(&mut hub, "devices/d/modules/m/inputs/input1/", HOT).await;
    hub.send(Packet::PubAck(PubAck::new(alert.pkid))).await;
    assert_eq!(hub.next().await, Packet::PubAck(PubAck::new(1)));
    assert_eq!(hub.next().await, Packet::Disconnect);
    assert_eq!(pipeline.lock().counters.received, 4);
}

/// Below the bound nothing that comes at QoS 0 is dropped, although all that is held waits for the
/// hub.
#[tokio::test]
async fn at_most_once_inputs_below_the_bound_are_judged() {
    let (link, _stop, _wake) = link_with(0, 1 << 20);
    let pipeline = link.pipeline.clone();
    let (_served, mut hub) = serve(link, 1 << 16);
    hub.start(25, 1).await;
    hub.answer_report().await;
    for _ in 0..3 {
        hub.input(0, HOT).await;
        assert_eq!(hub.next_publish().await.payload, HOT);
    }
    assert_eq!(pipeline.lock().counters.dropped_at_most_once, 0);
}

/// A method of a name that is too long to be answered gets no answer, and is counted; one whose
/// answer just fits is answered.
#[tokio::test]
async fn a_method_that_cannot_be_answered_is_counted() {
    let (link, _stop, _wake) = link_with(0, 1 << 20);
    let pipeline = link.pipeline.clone();
    let (_served, mut hub) = serve(link, 1 << 18);
    hub.start(25, 1).await;
    hub.answer_report().await;
    let answered = "$iothub/methods/res/404/?$rid=";
    let rest = crate::mqtt::limits::TOPIC_BYTES_MAX - answered.len();
    let prefix = "$iothub/methods/POST/n/?$rid=";
    // Only what a name is encoded to may be longer in the answer than it was in the question.
    for (rid, is_answered) in [("x".repeat(rest), true), ("\u{e4}".repeat(rest / 6 + 1), false)] {
        publish(&mut hub, &format!("{prefix}{rid}"), "").await;
        hub.input(1, COLD).await;
        if is_answered {
            assert_eq!(hub.next_publish().await.topic, format!("{answered}{rid}"));
        }
        assert_eq!(hub.next().await, Packet::PubAck(PubAck::new(1)));
    }
    assert_eq!(pipeline.lock().counters.unexpected, 1);
}

/// Each connection that ended as a publish had no PUBACK in time is counted.
#[test]
fn missing_pubacks_are_counted() {
    let (mut link, _stop, _wake) = link_with(0, 1 << 20);
    for count in 1..=2 {
        link.lost(&End::NoPubAck(PATIENCE));
        link.lost(&End::Mistaken);
        assert_eq!(link.pipeline.lock().counters.puback_timeouts, count);
    }
}

/// A connection works once something was acknowledged on it, in either direction.
#[tokio::test]
async fn a_connection_works_once_something_was_acknowledged() {
    let (mut link, _stop, _wake) = link_with(0, 1 << 20);
    link.pipeline.lock().release_hold();
    for (input, has_worked) in [(None, false), (Some(COLD), true), (Some(HOT), true)] {
        let (ours, theirs) = duplex(1 << 16);
        let connection = Connection::new(ours, Duration::from_secs(60));
        let served = tokio::spawn(async move {
            let has_worked = session::serve(&mut link, connection, false).await.has_worked;
            (link, has_worked)
        });
        let mut hub =
            Hub { connection: Connection::new(theirs, Duration::ZERO), inbox: Vec::new() };
        hub.subscribe().await;
        match input {
            Some(HOT) => {
                hub.input(0, HOT).await;
                let alert = hub.next_publish().await;
                hub.send(Packet::PubAck(PubAck::new(alert.pkid))).await;
            }
            Some(_) => {
                hub.input(1, COLD).await;
                assert_eq!(hub.next().await, Packet::PubAck(PubAck::new(1)));
            }
            None => {}
        }
        drop(hub);
        let worked;
        (link, worked) = timeout(PATIENCE, served).await.expect("an end in time").unwrap();
        assert_eq!(worked, has_worked, "{input:?}");
    }
}

/// Only where no twin came in time is that said.
#[tokio::test(start_paused = true)]
async fn a_missing_twin_is_logged() {
    let log = capture();
    let (link, _stop, _wake) = link_with(0, 1 << 20);
    let (served, mut hub) = serve(link, 1 << 16);
    hub.start(25, 1).await;
    hub.answer_report().await;
    drop(hub);
    let _ = end_of(served).await;
    assert_eq!(log.lines("the default threshold").len(), 0);

    let (link, _stop, _wake) = link_with(0, 1 << 20);
    let (_served, mut hub) = serve(link, 1 << 16);
    hub.subscribe().await;
    hub.input(1, HOT).await;
    let alert = loop {
        match hub.next().await {
            Packet::Publish(publish) if publish.pkid != 0 => break publish,
            _ => {}
        }
    };
    assert_eq!(alert.payload, HOT);
    assert_eq!(log.lines("the default threshold 25 judges").len(), 1);
}

/// A name that is nearly the property's is hinted at, in a patch and in the document of an answer,
/// and nowhere else.
#[tokio::test]
async fn a_misspelt_property_is_hinted_at() {
    let log = capture();
    let (link, _stop, _wake) = link_with(0, 1 << 20);
    let (_served, mut hub) = serve(link, 1 << 16);
    hub.subscribe().await;
    let misspelt = r#"{"TemperatureTreshold":60,"$version":2}"#;
    let document = format!(r#"{{"desired":{misspelt}}}"#);
    for (status, hints) in [(200, 1), (500, 1)] {
        hub.respond(&format!("{status}/?$rid=none"), &document).await;
        publish(&mut hub, "$iothub/methods/POST/stats/?$rid=1", "").await;
        while !hub.next_publish_or_ack().await {}
        assert_eq!(log.lines("did you mean \"TemperatureThreshold\"").len(), hints, "{status}");
    }
    publish(&mut hub, "$iothub/twin/PATCH/properties/desired/?$version=2", misspelt).await;
    publish(&mut hub, "$iothub/methods/POST/stats/?$rid=1", "").await;
    while !hub.next_publish_or_ack().await {}
    assert_eq!(log.lines("did you mean \"TemperatureThreshold\"").len(), 2);
}

impl Hub {
    /// Takes the next packet; whether it was the answer to a direct method.
    async fn next_publish_or_ack(&mut self) -> bool {
        match self.next().await {
            Packet::Publish(publish) => publish.topic.starts_with("$iothub/methods/res/"),
            _ => false,
        }
    }
}

/// A connection that is lost while another client takes what is ours is one of a shared name.
#[tokio::test]
async fn the_end_of_a_shared_connection_is_known() {
    let closed = || End::Connection(crate::mqtt::ConnectionError::Closed);
    let (mut link, _stop, _wake) = link_with(0, 1 << 20);
    assert!(matches!(link.lost(&closed()), Cause::Unknown));
    let (served, mut hub) = serve(link, 1 << 16);
    hub.start(25, 1).await;
    hub.input(1, HOT).await;
    while hub.next_publish().await.qos != QoS::AtLeastOnce {}
    drop(hub);
    let (link, _) = end_of(served).await;
    let pipeline = link.pipeline.clone();
    let (served, mut hub) = serve_again(link, true, 1 << 16);
    hub.subscribe().await;
    hub.input(2, COLD).await;
    let is_received = async {
        while pipeline.lock().counters.received < 2 {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, is_received).await.expect("in time");
    drop(hub);
    let (mut link, end) = end_of(served).await;
    assert!(matches!(link.lost(&end.unwrap_err()), Cause::Shared));
}

/// Who notifies the link is heard at once, and not at its next tick.
#[tokio::test(start_paused = true)]
async fn a_notified_link_acts_at_once() {
    let (link, stop, wake) = link_with(0, 1 << 20);
    let (_served, mut hub) = serve(link, 1 << 16);
    hub.start(25, 1).await;
    hub.answer_report().await;
    hub.input(1, COLD).await;
    assert_eq!(hub.next().await, Packet::PubAck(PubAck::new(1)));
    let start = tokio::time::Instant::now();
    stop.send(true).unwrap();
    wake.notify_one();
    assert_eq!(hub.next().await, Packet::Disconnect);
    assert_eq!(start.elapsed(), Duration::ZERO);
}
