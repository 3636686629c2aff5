//! CONNECT, credentials, sessions, keep-alive.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v4::{
    ConnectReturnCode, LastWill, Packet, Subscribe, SubscribeReasonCode, Unsubscribe,
};
use sluicegate::azure::{ConnectionString, sign_token};

use crate::client::{CALM, Client, Credentials, unix_now};
use crate::support::{TestHub, start, start_with, wait};

/// The code that answers a CONNECT, and that the connection is closed after a refusal.
fn code(hub: &TestHub, change: impl FnOnce(&mut Credentials)) -> ConnectReturnCode {
    let mut credentials = Credentials::of(hub, "filter");
    change(&mut credentials);
    let mut client = Client::open(hub);
    let answer = client.login(&credentials);
    assert!(!answer.session_present || answer.code == ConnectReturnCode::Success);
    if answer.code != ConnectReturnCode::Success {
        client.assert_closed();
    }
    answer.code
}

#[test]
fn both_tls_versions_and_all_names_are_served() {
    let hub = start_with(|config| config.host_name = "gateway".to_owned());
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        for name in ["gateway", "localhost", "127.0.0.1"] {
            Client::open_with(&hub, name, &[version]).unwrap();
        }
    }
    assert!(Client::open_with(&hub, "elsewhere", rustls::ALL_VERSIONS).is_err());
}

#[test]
fn modules_and_devices_connect() {
    let hub = start();
    let _module = Client::connect(&hub, "filter");
    let _device = Client::connect(&hub, "leaf");
    assert!(hub.is_connected("filter"));
    assert!(hub.is_connected("leaf"));
    assert!(!hub.is_connected("other"));
}

#[test]
fn credentials_decide_the_connack() {
    use ConnectReturnCode::{NotAuthorized, ServiceUnavailable, Success};
    let hub = start();
    assert_eq!(code(&hub, |_| {}), Success);
    type Case = (&'static str, fn(&mut Credentials), ConnectReturnCode);
    let cases: [Case; 16] = [
        ("no password", |c| c.password.clear(), NotAuthorized),
        ("newline behind the token", |c| c.password.push('\n'), NotAuthorized),
        ("newline before it", |c| c.password.insert(0, '\n'), NotAuthorized),
        (
            "newline for the space",
            |c| c.password = c.password.replacen(' ', "\n", 1),
            NotAuthorized,
        ),
        ("two spaces", |c| c.password = c.password.replacen(' ', "  ", 1), NotAuthorized),
        ("NUL within", |c| c.password = c.password.replacen('&', "\0&", 1), NotAuthorized),
        ("a field twice", |c| c.password.push_str("&se=1"), NotAuthorized),
        ("an unknown field twice", |c| c.password.push_str("&x=1&X=1"), NotAuthorized),
        ("an empty field", |c| c.password.push('&'), NotAuthorized),
        (
            "broken signature",
            |c| c.password = c.password.replace("sig=", "sig=AAAA"),
            NotAuthorized,
        ),
        ("client id in other letter case", |c| c.client_id = "edge1/Filter".into(), NotAuthorized),
        ("unknown client id", |c| c.client_id = "edge1/nobody".into(), NotAuthorized),
        ("another's client id", |c| c.client_id = "edge1/other".into(), NotAuthorized),
        ("username of another hub", |c| c.username = format!("x{}", c.username), NotAuthorized),
        (
            "username without api-version",
            |c| {
                c.username = "local.azure-devices.net/edge1/filter/?x=1".into();
            },
            ServiceUnavailable,
        ),
        ("username of two segments", |c| c.username = "a/b".into(), ServiceUnavailable),
    ];
    for (what, change, expected) in cases {
        assert_eq!(code(&hub, change), expected, "{what}");
    }
    let counters = hub.counters();
    assert_eq!((counters.auth_failures, counters.connect_failures), (14, 2));
    assert_eq!(code(&hub, |c| c.password.push_str("&x=1")), Success, "an unknown field");
}

#[test]
fn token_of_another_key_or_resource_is_refused() {
    let hub = start();
    let other: ConnectionString = hub.connection_string("other").unwrap().parse().unwrap();
    let filter: ConnectionString = hub.connection_string("filter").unwrap().parse().unwrap();
    let token = |key, resource: &str| sign_token(key, resource, unix_now() + 60, None);
    let resource = filter.identity.resource();
    let refused = [token(&other.key, &resource), token(&filter.key, &other.identity.resource())];
    for password in refused {
        assert_eq!(code(&hub, |c| c.password = password), ConnectReturnCode::NotAuthorized);
    }
    // Ids in another letter case, and the gateway's name for the hub's, are fine.
    for resource in [resource.to_uppercase(), "localhost/devices/edge1/modules/filter".into()] {
        let password = token(&filter.key, &resource);
        assert_eq!(code(&hub, |c| c.password = password), ConnectReturnCode::Success, "{resource}");
    }
}

#[test]
fn expiry_is_judged_with_skew() {
    let hub = start();
    let at = |expiry| Credentials::expiring(&hub, "filter", expiry).password;
    let (within, beyond) = (at(unix_now() - 200), at(unix_now() - 400));
    assert_eq!(code(&hub, |c| c.password = within), ConnectReturnCode::Success);
    assert_eq!(code(&hub, |c| c.password = beyond), ConnectReturnCode::NotAuthorized);
}

#[test]
fn connection_is_closed_when_its_token_ends() {
    let hub = start_with(|config| config.token_skew = Duration::ZERO);
    let credentials = Credentials::expiring(&hub, "filter", unix_now() + 2);
    let (mut client, _) = Client::connect_with(&hub, &credentials);
    client.ping();
    client.assert_closed();
}

#[test]
fn skew_delays_the_end_of_a_token() {
    let hub = start_with(|config| config.token_skew = Duration::from_secs(2));
    let credentials = Credentials::expiring(&hub, "filter", unix_now());
    let start = Instant::now();
    let (mut client, _) = Client::connect_with(&hub, &credentials);
    client.assert_closed();
    // Seconds are whole on the wire: up to one of the two may have passed before.
    assert!(start.elapsed() >= Duration::from_secs(1), "{:?}", start.elapsed());
    wait(|| unix_now() > credentials.expiry_unix_s() + 2);
    let answer = Client::open(&hub).login(&credentials);
    assert_eq!(answer.code, ConnectReturnCode::NotAuthorized);
}

#[test]
fn tokens_may_outlive_their_expiry_when_so_configured() {
    let hub = start_with(|config| {
        config.token_skew = Duration::ZERO;
        config.close_on_token_expiry = false;
    });
    let credentials = Credentials::expiring(&hub, "filter", unix_now() + 1);
    let (mut client, _) = Client::connect_with(&hub, &credentials);
    // Expired for certain, by the same clock.
    wait(|| unix_now() > credentials.expiry_unix_s() + 1);
    client.ping();
}

#[test]
fn first_packet_must_be_connect_and_come_in_time() {
    let hub = start_with(|config| config.connect_timeout = CALM);
    let mut client = Client::open(&hub);
    client.send(&Packet::PingReq);
    client.assert_closed();
    let mut silent = Client::open(&hub);
    let start = Instant::now();
    silent.assert_closed();
    assert!(start.elapsed() >= CALM / 2);
    hub.until(|counters| counters.connect_failures == 2);
}

#[test]
fn second_connect_and_mqtt_5_are_refused() {
    let hub = start();
    let credentials = Credentials::of(&hub, "filter");
    let (mut client, _) = Client::connect_with(&hub, &credentials);
    client.send(&credentials.packet());
    client.assert_closed();

    let Packet::Connect(mut connect) = credentials.packet() else { unreachable!() };
    connect.protocol = rumqttc::mqttbytes::Protocol::V5;
    let mut newer = Client::open(&hub);
    newer.send(&Packet::Connect(connect));
    match newer.receive() {
        Packet::ConnAck(ack) => assert_eq!(ack.code, ConnectReturnCode::RefusedProtocolVersion),
        other => panic!("{other:?}"),
    }
}

#[test]
fn newer_connection_evicts_the_older() {
    let hub = start();
    let mut older = Client::connect(&hub, "filter");
    older.ping();
    let mut newer = Client::connect(&hub, "filter");
    older.assert_closed();
    newer.ping();
    let counters = hub.counters();
    assert_eq!((counters.evictions, counters.connections), (1, 1));
}

#[test]
fn handle_drops_a_connection() {
    let hub = start();
    let mut client = Client::connect(&hub, "filter");
    assert!(hub.drop_connection("filter"));
    client.assert_closed();
    assert!(!hub.drop_connection("filter"));
    assert!(!hub.drop_connection("nobody"));
}

#[test]
fn silence_beyond_keep_alive_closes() {
    let hub = start();
    let mut credentials = Credentials::of(&hub, "filter");
    credentials.keep_alive_s = 1;
    let (mut client, _) = Client::connect_with(&hub, &credentials);
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(2) {
        client.ping();
        std::thread::sleep(CALM);
    }
    client.ping();
    let silent_since = Instant::now();
    client.assert_closed();
    assert!(silent_since.elapsed() >= Duration::from_millis(1300));
    assert_eq!(hub.until(|c| c.keep_alive_timeouts > 0).keep_alive_timeouts, 1);
}

#[test]
fn session_is_present_truthfully() {
    let hub = start();
    let mut credentials = Credentials::of(&hub, "filter");
    let connect = |credentials: &Credentials| Client::connect_with(&hub, credentials);
    assert!(!connect(&credentials).1, "nothing stored yet");
    let (mut client, present) = connect(&credentials);
    assert!(present);
    client.subscribe("$iothub/twin/res/#", QoS::AtLeastOnce);
    client.disconnect();
    let (mut client, present) = connect(&credentials);
    assert!(present);
    // The subscription is still there, without a new SUBSCRIBE.
    let answer = client.request("$iothub/twin/GET/?$rid=1", b" ");
    assert_eq!(answer.topic, "$iothub/twin/res/200/?$rid=1");
    client.disconnect();
    credentials.clean_session = true;
    let (client, present) = connect(&credentials);
    assert!(!present, "a clean session discards the stored one");
    client.disconnect();
    credentials.clean_session = false;
    assert!(!connect(&credentials).1, "and leaves none");
}

#[test]
fn clean_session_of_an_evicted_connection_is_not_resumed() {
    let hub = start();
    let mut credentials = Credentials::of(&hub, "filter");
    credentials.clean_session = true;
    let (_older, _) = Client::connect_with(&hub, &credentials);
    credentials.clean_session = false;
    assert!(!Client::connect_with(&hub, &credentials).1);
}

#[test]
fn granted_qos_is_at_most_1_and_qos_2_publish_closes() {
    let hub = start();
    let mut client = Client::connect(&hub, "filter");
    let granted = |qos| SubscribeReasonCode::Success(qos);
    assert_eq!(client.subscribe("a/#", QoS::AtMostOnce), granted(QoS::AtMostOnce));
    assert_eq!(client.subscribe("b/#", QoS::AtLeastOnce), granted(QoS::AtLeastOnce));
    assert_eq!(client.subscribe("useless", QoS::ExactlyOnce), granted(QoS::AtLeastOnce));
    let topic = "devices/edge1/modules/filter/messages/events/";
    let publish = client.publish_packet(topic, QoS::ExactlyOnce, b"x");
    client.send(&Packet::Publish(publish));
    client.assert_closed();
    assert_eq!(hub.until(|c| c.protocol_errors > 0).protocol_errors, 1);
}

#[test]
fn subscriptions_are_bounded() {
    let hub = start();
    let mut client = Client::connect(&hub, "filter");
    for n in 0..64 {
        let code = client.subscribe(&format!("f/{n}"), QoS::AtLeastOnce);
        assert_eq!(code, SubscribeReasonCode::Success(QoS::AtLeastOnce));
    }
    assert_eq!(client.subscribe("f/64", QoS::AtLeastOnce), SubscribeReasonCode::Failure);
    client.unsubscribe("f/0");
    assert_ne!(client.subscribe("f/64", QoS::AtLeastOnce), SubscribeReasonCode::Failure);
}

#[test]
fn will_is_sent_when_the_connection_breaks() {
    let hub = start();
    let upstream = hub.upstream();
    let mut credentials = Credentials::of(&hub, "filter");
    let topic = "devices/edge1/modules/filter/messages/events/a=b";
    credentials.will = Some(LastWill::new(topic, "gone", QoS::AtLeastOnce, false));
    Client::connect_with(&hub, &credentials).0.disconnect();
    wait(|| !hub.is_connected("filter"));
    assert!(upstream.try_recv().is_err(), "a farewell leaves no will");
    let _client = Client::connect_with(&hub, &credentials);
    hub.drop_connection("filter");
    let will = upstream.recv_timeout(crate::client::PATIENCE).unwrap();
    assert_eq!(&will.body[..], b"gone");
    assert_eq!(will.properties.get("iothub-MessageType"), Some(Some("Will")));
}

#[test]
fn will_in_another_identitys_name_is_not_sent() {
    let hub = start();
    let upstream = hub.upstream();
    let topics = ["devices/edge1/modules/filter/messages/events/", "devices/leaf/messages/events/"];
    for (refused, topic) in (1..).zip(topics) {
        let mut credentials = Credentials::of(&hub, "other");
        credentials.will = Some(LastWill::new(topic, "gone", QoS::AtLeastOnce, false));
        let _client = Client::connect_with(&hub, &credentials);
        hub.drop_connection("other");
        hub.until(|counters| counters.identity_mismatches == refused);
    }
    assert!(upstream.try_recv().is_err());
}

/// MQTT 3.1.1 §3.3.1.2 and §3.5 to 3.7: an edge hub has no QoS 2 in either direction.
#[test]
fn no_packet_of_qos_2_is_taken() {
    use rumqttc::mqttbytes::v4::{PubComp, PubRec, PubRel};
    let hub = start();
    let packets = [
        Packet::PubRec(PubRec::new(1)),
        Packet::PubRel(PubRel::new(1)),
        Packet::PubComp(PubComp::new(1)),
    ];
    for (count, packet) in (1..).zip(packets) {
        let mut client = Client::connect(&hub, "filter");
        client.send(&packet);
        client.assert_closed_without_answer();
        hub.until(|counters| counters.protocol_errors == count);
    }
}

/// MQTT 3.1.1 §2.3.1, §3.3.2.1 and §4.7.3, as the decoder of an edge hub holds them.
#[test]
fn packets_that_mqtt_forbids_close() {
    let hub = start();
    let events = "devices/edge1/modules/filter/messages/events/";
    let publish = |client: &mut Client, topic: &str| {
        Packet::Publish(client.publish_packet(topic, QoS::AtLeastOnce, b"x"))
    };
    type Forbidden<'a> = &'a dyn Fn(&mut Client) -> Packet;
    let cases: [Forbidden<'_>; 6] = [
        &|client| publish(client, &format!("{events}a=1+2")),
        &|client| publish(client, &format!("{events}a=#")),
        &|client| publish(client, &format!("{events}a=\0")),
        &|client| publish(client, ""),
        &|_| Packet::Subscribe(Subscribe::new("a/#", QoS::AtLeastOnce)),
        &|_| Packet::Unsubscribe(Unsubscribe { pkid: 0, topics: vec!["a/#".to_owned()] }),
    ];
    for (count, packet) in (1..).zip(cases) {
        let mut client = Client::connect(&hub, "filter");
        let packet = packet(&mut client);
        client.send(&packet);
        client.assert_closed_without_answer();
        hub.until(|counters| counters.protocol_errors == count);
    }
}

#[test]
fn garbage_closes() {
    let hub = start();
    let mut client = Client::connect(&hub, "filter");
    client.send_bytes(&[0x00, 0x00]);
    client.assert_closed();
    let mut client = Client::connect(&hub, "filter");
    // A remaining length of 256 KiB + 1.
    client.send_bytes(&[0x32, 0x81, 0x80, 0x10]);
    client.assert_closed();
    assert_eq!(hub.until(|c| c.protocol_errors > 1).protocol_errors, 2);
}

#[test]
fn plain_tcp_is_no_way_in() {
    use std::io::{Read, Write};
    let hub = start();
    let mut socket = std::net::TcpStream::connect(hub.address()).unwrap();
    socket.set_read_timeout(Some(crate::client::PATIENCE)).unwrap();
    socket.write_all(&[0x10, 0x00]).unwrap();
    let mut rest = Vec::new();
    match socket.read_to_end(&mut rest) {
        Ok(_) => {}
        Err(error) => assert_ne!(error.kind(), ErrorKind::WouldBlock, "still open"),
    }
    hub.until(|counters| counters.connect_failures == 1);
}
