//! Inputs: topic, window, order, acknowledgement, redelivery, bounds.

use std::time::Duration;

use loadgen_hub::HubError;
use rumqttc::mqttbytes::QoS;

use crate::client::{CALM, Client, PATIENCE};
use crate::support::{message, numbered, start, start_with, wait};

#[test]
fn input_has_the_topic_and_bag_of_an_edge_hub() {
    let hub = start();
    let mut client = Client::listen(&hub, "filter");
    let sent = message(
        "body",
        &[
            ("$.mid", Some("m 1")),
            ("z", Some("v=1&/é")),
            ("$.ifid", Some("interface")),
            ("a", None),
            ("empty", Some("")),
            ("$.ct", Some("application/json")),
            ("$.cdid", Some("spoofed")),
        ],
    );
    hub.publish_as("source", "out", vec![sent]).unwrap();
    let publish = client.take_publish();
    assert_eq!(
        publish.topic,
        "devices/edge1/modules/filter/inputs/in/z=v%3D1%26%2F%C3%A9&a&empty&%24.mid=m%201\
         &%24.ct=application%2Fjson&%24.cdid=edge1&%24.cmid=source"
    );
    assert_eq!((publish.qos, publish.dup, publish.retain), (QoS::AtLeastOnce, false, false));
    assert_eq!(&publish.payload[..], b"body");
}

#[test]
fn message_goes_to_every_route() {
    let hub = start();
    let (mut filter, mut other) = (Client::listen(&hub, "filter"), Client::listen(&hub, "other"));
    hub.publish_as("source", "both", numbered(1)).unwrap();
    assert!(filter.take_publish().topic.contains("/modules/filter/inputs/in/"));
    assert!(other.take_publish().topic.contains("/modules/other/inputs/in%202/"));
    hub.publish_as("source", "nowhere", numbered(2)).unwrap();
    assert_eq!(hub.counters().dropped_no_route, 2);
}

#[test]
fn one_message_is_in_flight_by_default() {
    let hub = start();
    let mut client = Client::listen(&hub, "filter");
    hub.deliver("filter", "in", numbered(3)).unwrap();
    for n in 0..3 {
        let publish = client.receive_publish();
        assert_eq!(publish.payload, n.to_string());
        client.assert_quiet();
        client.acknowledge(publish.pkid);
    }
    client.assert_quiet();
    wait(|| hub.stored("filter") == 0);
}

#[test]
fn window_is_filled_in_order_and_acknowledged_in_any_order() {
    let hub = start_with(|config| config.window = 4);
    let mut client = Client::listen(&hub, "filter");
    hub.deliver("filter", "in", numbered(6)).unwrap();
    let ids: Vec<u16> = (0..4).map(|_| client.receive_publish().pkid).collect();
    assert_eq!(ids, [1, 2, 3, 4]);
    client.assert_quiet();
    // Out of order: the window moves only with its oldest message.
    client.acknowledge(3);
    client.acknowledge(2);
    client.assert_quiet();
    client.acknowledge(1);
    assert_eq!(client.receive_publish().payload, "4");
    assert_eq!(client.receive_publish().payload, "5");
    assert_eq!(hub.stored("filter"), 3);
    // Ids that answer nothing change nothing.
    for stray in [1, 77, 65_535] {
        client.acknowledge(stray);
    }
    client.ping();
    assert_eq!(hub.stored("filter"), 3);
}

#[test]
fn everything_unacknowledged_comes_again_in_order_after_a_reconnect() {
    let hub = start_with(|config| config.window = 4);
    let mut client = Client::listen(&hub, "filter");
    hub.deliver("filter", "in", numbered(6)).unwrap();
    for _ in 0..4 {
        client.receive_publish();
    }
    client.acknowledge(2);
    client.ping();
    drop(client);
    // Not acknowledged: 0, 2, 3 (in flight before) and 4, 5 (never sent).
    let mut client = Client::connect(&hub, "filter");
    let mut seen = Vec::new();
    for _ in 0..5 {
        seen.push(client.take_publish().payload);
    }
    assert_eq!(seen, ["0", "2", "3", "4", "5"]);
    client.assert_quiet();
    let counters = hub.counters();
    assert_eq!((counters.inputs_delivered, counters.inputs_redelivered), (6, 3));
    assert_eq!(counters.inputs_acked, 6);
}

#[test]
fn unacknowledged_message_comes_again_after_the_time_out() {
    let hub = start_with(|config| {
        config.window = 2;
        config.ack_timeout = CALM;
    });
    let mut client = Client::listen(&hub, "filter");
    hub.deliver("filter", "in", numbered(3)).unwrap();
    let first = client.receive_publish();
    client.receive_publish();
    let again = client.receive_publish();
    assert_eq!(again.payload, first.payload);
    assert_ne!(again.pkid, first.pkid);
    // The late acknowledgement of the first delivery answers nothing any more.
    client.acknowledge(first.pkid);
    client.ping_past_publishes();
    assert_eq!(hub.stored("filter"), 3);
    assert!(hub.counters().ack_timeouts >= 1);
}

#[test]
fn inputs_wait_for_an_absent_or_deaf_module() {
    let hub = start();
    hub.deliver("filter", "in", numbered(2)).unwrap();
    assert_eq!(hub.stored("filter"), 2);
    let mut client = Client::connect(&hub, "filter");
    client.assert_quiet();
    assert!(!hub.is_subscribed("filter"));
    // Neither of these asks for inputs.
    client.subscribe("devices/edge1/modules/filter/inputs/in", QoS::AtLeastOnce);
    client.subscribe("devices/edge1/modules/filter/inputs/+/x", QoS::AtLeastOnce);
    client.assert_quiet();
    client.subscribe("devices/edge1/modules/filter/#", QoS::AtLeastOnce);
    assert_eq!(client.take_publish().payload, "0");
    assert_eq!(client.take_publish().payload, "1");
}

#[test]
fn input_outside_the_filters_is_dropped() {
    let hub = start();
    let mut client = Client::connect(&hub, "filter");
    client.subscribe("devices/edge1/modules/filter/inputs/in/#", QoS::AtLeastOnce);
    hub.deliver("filter", "else", numbered(2)).unwrap();
    hub.deliver("filter", "in", vec![message("x", &[])]).unwrap();
    assert_eq!(client.take_publish().payload, "x");
    assert_eq!(hub.counters().inputs_rejected, 2);
}

#[test]
fn qos_0_subscription_completes_by_writing() {
    let hub = start();
    let mut client = Client::connect(&hub, "filter");
    client.subscribe("devices/edge1/modules/filter/inputs/#", QoS::AtMostOnce);
    hub.deliver("filter", "in", numbered(5)).unwrap();
    for n in 0..5 {
        let publish = client.receive_publish();
        assert_eq!((publish.qos, publish.payload), (QoS::AtMostOnce, n.to_string().into()));
    }
    assert_eq!(hub.stored("filter"), 0);
}

#[test]
fn full_store_makes_the_handle_wait() {
    let hub = start_with(|config| {
        config.inputs_messages_max = 10;
        config.publish_timeout = CALM;
    });
    match hub.publish_as("source", "out", numbered(12)) {
        Err(HubError::Full { accepted: 10 }) => {}
        other => panic!("{other:?}"),
    }
    assert_eq!(hub.stored("filter"), 10);
}

#[test]
fn full_store_by_bytes_makes_the_handle_wait() {
    let hub = start_with(|config| {
        config.inputs_bytes_max = 1000;
        config.publish_timeout = CALM;
    });
    let large = || message(&"x".repeat(600), &[]);
    match hub.publish_as("source", "out", vec![large(), large()]) {
        Err(HubError::Full { accepted: 1 }) => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn full_store_stops_the_reading_of_its_publisher() {
    let hub = start_with(|config| config.inputs_messages_max = 10);
    let mut source = Client::connect(&hub, "source");
    let mut other = Client::connect(&hub, "other");
    let topic = "devices/edge1/modules/source/messages/events/%24.on=out";
    let ids: Vec<u16> = (0..12).map(|n| source.post(topic, n.to_string().as_bytes())).collect();
    for id in &ids[..10] {
        let ack = rumqttc::mqttbytes::v4::PubAck::new(*id);
        assert_eq!(source.receive(), rumqttc::mqttbytes::v4::Packet::PubAck(ack));
    }
    source.assert_quiet_beside(&mut other);
    // Once the module takes messages, the rest is accepted, and nothing is lost.
    let mut filter = Client::listen(&hub, "filter");
    for n in 0..12 {
        assert_eq!(filter.take_publish().payload, n.to_string());
    }
    for id in &ids[10..] {
        let ack = rumqttc::mqttbytes::v4::PubAck::new(*id);
        assert_eq!(source.receive(), rumqttc::mqttbytes::v4::Packet::PubAck(ack));
    }
    source.ping();
}

#[test]
fn window_of_all_ids_goes_round() {
    const COUNT: usize = 70_000;
    let hub = start_with(|config| config.window = 65_535);
    let mut client = Client::listen(&hub, "filter");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for chunk in 0..COUNT / 1000 {
                let messages = (0..1000).map(|n| message(&(chunk * 1000 + n).to_string(), &[]));
                hub.publish_as("source", "out", messages.collect()).unwrap();
            }
        });
        let mut held = Vec::new();
        for n in 0..COUNT {
            let publish = client.receive_publish();
            assert_eq!(publish.payload, n.to_string());
            assert_ne!(publish.pkid, 0);
            held.push(publish.pkid);
            if held.len() == 1000 {
                held.drain(..).rev().for_each(|id| client.acknowledge(id));
            }
        }
    });
    wait(|| hub.stored("filter") == 0);
    assert_eq!(hub.counters().inputs_redelivered, 0);
}

#[test]
fn module_that_does_not_read_is_still_heard() {
    let hub = start_with(|config| config.window = 65_535);
    let mut client = Client::listen(&hub, "filter");
    // More than the socket's buffers hold.
    for _ in 0..60 {
        let large = message(&"x".repeat(200_000), &[]);
        hub.deliver("filter", "in", vec![large]).unwrap();
    }
    let topic = "devices/edge1/modules/filter/messages/events/";
    let publish = client.publish_packet(topic, QoS::AtMostOnce, b"heard");
    client.send(&rumqttc::mqttbytes::v4::Packet::Publish(publish));
    let heard = hub.upstream().recv_timeout(PATIENCE).unwrap();
    assert_eq!(&heard.body[..], b"heard");
    assert!(hub.counters().inputs_delivered < 60, "the write buffer is bounded");
    for _ in 0..60 {
        assert_eq!(client.take_publish().payload.len(), 200_000);
    }
}

#[test]
fn retries_back_off() {
    let hub = start_with(|config| {
        config.ack_timeout = Duration::from_millis(20);
        config.retry_backoff = Duration::from_millis(100);
    });
    let mut client = Client::listen(&hub, "filter");
    let start = std::time::Instant::now();
    hub.deliver("filter", "in", numbered(1)).unwrap();
    for _ in 0..4 {
        client.receive_publish();
    }
    // Three time-outs of 20 ms and pauses of 100, 200 and 400 ms.
    assert!(start.elapsed() >= Duration::from_millis(700), "{:?}", start.elapsed());
}
