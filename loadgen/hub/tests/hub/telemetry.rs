//! Messages from clients: topics, bags, limits, routes, upstream.

use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v4::{Packet, PubAck};

use crate::client::{Client, PATIENCE};
use crate::support::{TestHub, numbered, start, start_with, wait};

const EVENTS: &str = "devices/edge1/modules/filter/messages/events/";

/// Publishes as `filter` and gives the properties that go upstream, with the output's name.
fn upstream_of(hub: &TestHub, bag: &str) -> (Option<String>, Vec<(String, Option<String>)>) {
    let mut client = Client::connect(hub, "filter");
    client.publish(&format!("{EVENTS}{bag}"), b"x");
    let message = hub.upstream().recv_timeout(PATIENCE).unwrap();
    assert_eq!((message.device.as_str(), message.module.as_deref()), ("edge1", Some("filter")));
    let properties = message.properties.iter();
    (message.output, properties.map(|(k, v)| (k.to_owned(), v.map(str::to_owned))).collect())
}

#[test]
fn bags_of_both_sdks_are_read() {
    let hub = start();
    let pairs = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), Some((*v).to_owned()))).collect::<Vec<_>>()
    };
    let python = "%24.on=output1&%24.mid=id%201%2F2&a=&z=5";
    let (output, properties) = upstream_of(&hub, python);
    assert_eq!(output.as_deref(), Some("output1"));
    assert_eq!(properties[0], pairs(&[("$.mid", "id 1/2")])[0]);
    assert_eq!(properties[1], ("a".to_owned(), None));
    // The Node SDK ends output topics in a slash.
    let (output, properties) = upstream_of(&hub, "%24.on=output1&b%20key=v%2F'()*!/");
    assert_eq!((output.as_deref(), properties), (Some("output1"), pairs(&[("b key", "v/'()*!")])));
    assert_eq!(upstream_of(&hub, ""), (None, vec![]));
}

#[test]
fn topic_without_trailing_slash_is_telemetry() {
    let hub = start();
    let mut client = Client::connect(&hub, "filter");
    client.publish(EVENTS.trim_end_matches('/'), b"x");
    assert!(hub.upstream().recv_timeout(PATIENCE).is_ok());
}

#[test]
fn devices_send_upstream() {
    let hub = start();
    let mut client = Client::connect(&hub, "leaf");
    client.publish("devices/leaf/messages/events/", b"x");
    let message = hub.upstream().recv_timeout(PATIENCE).unwrap();
    assert_eq!((message.device.as_str(), message.module), ("leaf", None));
}

#[test]
fn unplaceable_messages_are_acknowledged_and_dropped() {
    let hub = start();
    let mut client = Client::connect(&hub, "filter");
    let topics = ["a=b=c", "a=1&", "=1"].map(|bag| format!("{EVENTS}{bag}"));
    for topic in topics.iter().map(String::as_str).chain(["some/where", "$iothub/unknown"]) {
        client.publish(topic, b"x");
    }
    client.publish(&format!("{EVENTS}A=1&a=2"), b"x");
    client.ping();
    let counters = hub.counters();
    assert_eq!((counters.dropped_malformed, counters.dropped_duplicate_property), (5, 1));
    assert!(hub.upstream().try_recv().is_err());
}

#[test]
fn duplicates_are_found_among_many_properties() {
    let hub = start();
    let mut client = Client::connect(&hub, "filter");
    let many: Vec<String> = (0..100).map(|n| format!("key{n}={n}")).collect();
    client.publish(&format!("{EVENTS}{}&KEY42=1", many.join("&")), b"x");
    client.publish(&format!("{EVENTS}{}", many.join("&")), b"x");
    assert_eq!(hub.upstream().recv_timeout(PATIENCE).unwrap().properties.len(), 100);
    assert_eq!(hub.counters().dropped_duplicate_property, 1);
}

#[test]
fn flags_become_properties() {
    let hub = start();
    let mut client = Client::connect(&hub, "filter");
    let mut publish = client.publish_packet(EVENTS, QoS::AtLeastOnce, b"x");
    (publish.dup, publish.retain) = (true, true);
    client.send(&Packet::Publish(publish));
    let message = hub.upstream().recv_timeout(PATIENCE).unwrap();
    assert_eq!(message.properties.get("mqtt-dup"), Some(Some("true")));
    assert_eq!(message.properties.get("mqtt-retain"), Some(Some("true")));
}

/// Whatever stands behind the other's name, at either QoS: the connection ends without a PUBACK.
#[test]
fn publish_in_another_identitys_name_is_refused() {
    let hub = start();
    let upstream = hub.upstream();
    let cases = [
        ("other", EVENTS),
        ("other", "devices/edge1/modules/filter/messages/events"),
        ("other", "devices/edge1/modules/filter/messages/events/%24.on=out"),
        ("other", "devices/edge1/modules/filter/messages/events/a=b=c"),
        ("other", "devices/edge1/modules/filter/inputs/in/"),
        ("other", "devices/edge1/modules/Other/messages/events/"),
        ("other", "devices/edge2/modules/other/messages/events/"),
        ("other", "devices/edge1/messages/events/"),
        ("other", "devices/leaf/messages/events/"),
        ("leaf", EVENTS),
        ("leaf", "devices/leaf/modules/filter/messages/events/"),
        ("leaf", "devices/edge1/messages/events/"),
    ];
    let mut refused = 0;
    for (name, topic) in cases {
        for qos in [QoS::AtMostOnce, QoS::AtLeastOnce] {
            let mut client = Client::connect(&hub, name);
            let publish = client.publish_packet(topic, qos, b"x");
            client.send(&Packet::Publish(publish));
            client.assert_closed_without_answer();
            refused += 1;
            let counters = hub.until(|counters| counters.identity_mismatches == refused);
            assert_eq!((counters.protocol_errors, counters.telemetry_received), (refused, 0));
        }
    }
    assert!(upstream.try_recv().is_err());
    // The one whose name it was is served on.
    Client::connect(&hub, "filter").publish(EVENTS, b"x");
    assert_eq!(upstream.recv_timeout(PATIENCE).unwrap().module.as_deref(), Some("filter"));
}

#[test]
fn messages_up_to_256_kib_pass() {
    let hub = start();
    let mut client = Client::connect(&hub, "filter");
    // The hub's own properties, as edgeHub counts them.
    let added = "edgeMessageId".len()
        + 36
        + "edgeHubOriginInterface".len()
        + "mqtt".len()
        + "connectionDeviceId".len()
        + "connectionModuleId".len()
        + "edge1".len()
        + "filter".len();
    let largest = vec![b'x'; 262_144 - added];
    client.publish(EVENTS, &largest);
    let message = hub.upstream().recv_timeout(PATIENCE).unwrap();
    assert_eq!(message.body.len(), largest.len());
    let publish = client.publish_packet(EVENTS, QoS::AtLeastOnce, &[&largest[..], b"x"].concat());
    client.send(&Packet::Publish(publish));
    client.assert_closed();
}

#[test]
fn unread_upstream_drops_the_oldest() {
    let hub = start_with(|config| config.upstream_messages_max = 3);
    hub.publish_as("filter", "o", numbered(5)).unwrap();
    let upstream = hub.upstream();
    let bodies: Vec<_> = upstream.try_iter().map(|message| message.body).collect();
    assert_eq!(bodies, ["2", "3", "4"]);
    assert_eq!(hub.counters().upstream_overwritten, 2);
}

#[test]
fn lossless_upstream_withholds_the_acknowledgement() {
    let hub = start_with(|config| {
        config.upstream_messages_max = 2;
        config.lossless = true;
    });
    let mut client = Client::connect(&hub, "filter");
    let ids: Vec<u16> = (0..4).map(|n| client.post(EVENTS, n.to_string().as_bytes())).collect();
    for id in &ids[..2] {
        assert_eq!(client.receive(), Packet::PubAck(PubAck::new(*id)));
    }
    client.assert_quiet_beside(&mut Client::connect(&hub, "other"));
    let upstream = hub.upstream();
    for n in 0..4 {
        assert_eq!(upstream.recv_timeout(PATIENCE).unwrap().body, n.to_string());
    }
    for id in &ids[2..] {
        assert_eq!(client.receive(), Packet::PubAck(PubAck::new(*id)));
    }
    assert_eq!(hub.counters().upstream_overwritten, 0);
}

#[test]
fn lossless_upstream_makes_the_handle_wait() {
    let hub = start_with(|config| {
        config.upstream_messages_max = 2;
        config.lossless = true;
        config.publish_timeout = PATIENCE;
    });
    let upstream = hub.upstream();
    std::thread::scope(|scope| {
        let publisher = scope.spawn(|| hub.publish_as("filter", "o", numbered(1000)));
        // From then on the publisher waits for a reader.
        wait(|| upstream.len() == 2);
        for n in 0..1000 {
            assert_eq!(upstream.recv_timeout(PATIENCE).unwrap().body, n.to_string());
        }
        publisher.join().unwrap().unwrap();
    });
}
