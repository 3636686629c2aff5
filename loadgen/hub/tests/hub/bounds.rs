//! Every bound that a client or a caller can run into, and that it costs nobody else anything.

use std::io::ErrorKind;
use std::net::TcpStream;
use std::time::Instant;

use bytes::BytesMut;
use loadgen_hub::{HubError, MethodError};
use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v4::{Packet, PubAck};
use serde_json::{Value, json};

use crate::client::{CALM, Client, Credentials, PATIENCE};
use crate::support::{numbered, start, start_with, wait};

#[test]
fn client_that_never_reads_its_answers_is_not_read_for_ever() {
    let hub = start_with(|config| config.upstream_messages_max = 10);
    let mut client = Client::connect(&hub, "filter");
    client.subscribe("$iothub/twin/res/#", QoS::AtMostOnce);
    let large = format!(r#"{{"text": "{}"}}"#, "x".repeat(4000));
    client.request("$iothub/twin/PATCH/properties/reported/?$rid=1", large.as_bytes());
    // Each request of 30 bytes is answered by 4 KiB: the answers fill every buffer first.
    let mut requests = BytesMut::new();
    for n in 0..1000 {
        let topic = format!("$iothub/twin/GET/?$rid={n}");
        let publish = client.publish_packet(&topic, QoS::AtMostOnce, b" ");
        publish.write(&mut requests).unwrap();
    }
    client.set_write_timeout(CALM * 5);
    let mut blocked = false;
    for _ in 0..1000 {
        if let Err(error) = client.try_send_bytes(&requests) {
            // Either the hub stopped reading, or it closed the connection at a bound.
            blocked = true;
            assert!(!matches!(error.kind(), ErrorKind::InvalidData), "{error}");
            break;
        }
    }
    assert!(blocked, "a million answers were taken from a client that reads none");
    // Others do not notice.
    Client::connect(&hub, "other").ping();
}

#[test]
fn control_packets_that_nobody_acknowledges_close_the_connection() {
    let hub = start();
    let mut client = Client::connect(&hub, "filter");
    client.subscribe("$iothub/twin/PATCH/properties/desired/#", QoS::AtLeastOnce);
    for n in 0..=1024 {
        hub.set_desired("filter", json!({ "n": n })).unwrap();
    }
    client.assert_closed();
    assert_eq!(hub.until(|c| c.protocol_errors > 0).protocol_errors, 1);
    // One that acknowledges goes on for ever.
    let mut client = Client::connect(&hub, "filter");
    for n in 0..1100 {
        hub.set_desired("filter", json!({ "n": n })).unwrap();
        client.take_publish();
    }
    client.ping();
}

#[test]
fn method_calls_without_answer_are_bounded() {
    let hub = start();
    let mut client = Client::connect(&hub, "filter");
    client.subscribe("$iothub/methods/POST/#", QoS::AtMostOnce);
    std::thread::scope(|scope| {
        let call = |timeout| hub.call_method("filter", "m", Value::Null, timeout);
        let calls: Vec<_> = (0..256).map(|_| scope.spawn(move || call(CALM * 10))).collect();
        wait(|| hub.counters().method_calls == 256);
        assert_eq!(call(PATIENCE), Err(MethodError::Busy));
        for waiting in calls {
            assert_eq!(waiting.join().unwrap(), Err(MethodError::Timeout));
        }
    });
}

#[test]
fn waiting_publishers_are_bounded() {
    let hub = start_with(|config| {
        config.inputs_messages_max = 1;
        config.publish_timeout = CALM * 10;
    });
    hub.deliver("filter", "in", numbered(1)).unwrap();
    std::thread::scope(|scope| {
        let publish = || hub.publish_as("source", "out", numbered(1));
        let publishers: Vec<_> = (0..80).map(|_| scope.spawn(publish)).collect();
        let results: Vec<_> = publishers.into_iter().map(|p| p.join().unwrap()).collect();
        let busy = results.iter().filter(|r| matches!(r, Err(HubError::Busy))).count();
        let full =
            results.iter().filter(|r| matches!(r, Err(HubError::Full { accepted: 0 }))).count();
        assert_eq!((busy, full), (16, 64));
    });
}

/// Sockets that send nothing, or no CONNECT behind their TLS handshake, are in nobody's way: the
/// oldest goes first.
#[test]
fn sockets_without_connect_make_room() {
    let hub = start();
    let mut seated = Client::connect(&hub, "other");
    let mut first = Client::open(&hub);
    let mut idle = Vec::new();
    for n in 3..=1024 {
        idle.push(TcpStream::connect(hub.address()).unwrap());
        if n % 64 == 0 {
            // Not more at once than the system keeps for the hub to accept.
            hub.until(|counters| counters.sockets == n);
        }
    }
    let start = Instant::now();
    let mut late = Client::connect(&hub, "filter");
    assert!(start.elapsed() < PATIENCE / 2, "{:?}", start.elapsed());
    let counters = hub.until(|counters| counters.sockets == 1024);
    assert_eq!((counters.sockets_shed, counters.connect_failures), (1, 0));
    first.assert_closed();
    for client in [&mut late, &mut seated] {
        client.ping();
    }
    drop(idle);
    hub.until(|counters| counters.sockets == 2);
}

#[test]
fn those_that_sent_connect_keep_their_places() {
    let hub = start_with(|config| config.connections_max = 3);
    let mut seated = ["source", "filter", "other"].map(|name| Client::connect(&hub, name));
    assert!(Client::open_with(&hub, "localhost", rustls::ALL_VERSIONS).is_err());
    let counters = hub.counters();
    assert_eq!((counters.sockets_shed, counters.connect_failures), (0, 1));
    seated.iter_mut().for_each(Client::ping);
    let [first, ..] = seated;
    first.disconnect();
    hub.until(|counters| counters.sockets == 2);
    Client::connect(&hub, "leaf").ping();
}

/// A refused client that does not read its CONNACK has sent a CONNECT, and has no place for it.
#[test]
fn refused_clients_make_room_too() {
    let hub = start_with(|config| config.connections_max = 1);
    let mut wrong = Credentials::of(&hub, "filter");
    wrong.password.clear();
    let mut refused = Client::open(&hub);
    refused.send(&wrong.packet());
    hub.until(|counters| counters.auth_failures == 1);
    Client::connect(&hub, "filter").ping();
}

#[test]
fn blocked_publisher_can_come_back() {
    let hub = start_with(|config| config.inputs_messages_max = 1);
    let topic = "devices/edge1/modules/source/messages/events/%24.on=out";
    let mut blocked = Client::connect(&hub, "source");
    blocked.publish(topic, b"0");
    blocked.post(topic, b"1");
    blocked.assert_quiet_beside(&mut Client::connect(&hub, "other"));
    // Its connection is not read, but a newer one takes its place.
    let mut again = Client::connect(&hub, "source");
    blocked.assert_closed();
    let id = again.post(topic, b"1");
    let mut filter = Client::listen(&hub, "filter");
    assert_eq!(filter.take_publish().payload, "0");
    assert_eq!(again.receive(), Packet::PubAck(PubAck::new(id)));
    assert_eq!(filter.take_publish().payload, "1");
    filter.assert_quiet();
}

#[test]
fn packet_in_pieces_is_read() {
    let hub = start();
    let mut client = Client::connect(&hub, "filter");
    let topic = "devices/edge1/modules/filter/messages/events/";
    let publish = client.publish_packet(topic, QoS::AtLeastOnce, &[b'x'; 200_000]);
    let mut bytes = BytesMut::new();
    publish.write(&mut bytes).unwrap();
    let mut other = Client::connect(&hub, "other");
    for piece in [&bytes[..1], &bytes[1..3], &bytes[3..70_000], &bytes[70_000..]] {
        client.send_bytes(piece);
        // The hub has one thread: once it has answered another client, it has read this piece.
        other.ping();
    }
    assert_eq!(client.receive(), Packet::PubAck(PubAck::new(publish.pkid)));
    assert_eq!(hub.upstream().recv_timeout(PATIENCE).unwrap().body.len(), 200_000);
}

#[test]
fn many_packets_at_once_are_read() {
    let hub = start();
    let mut client = Client::connect(&hub, "filter");
    let mut bytes = BytesMut::new();
    for _ in 0..5000 {
        let topic = "devices/edge1/modules/filter/messages/events/%24.on=o";
        client.publish_packet(topic, QoS::AtLeastOnce, b"x").write(&mut bytes).unwrap();
    }
    client.send_bytes(&bytes);
    for id in 1..=5000 {
        assert_eq!(client.receive(), Packet::PubAck(PubAck::new(id)));
    }
}
