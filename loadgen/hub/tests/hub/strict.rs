//! Packets on which a server must close, over real sockets: closed, and the log has the number.

use rumqttc::mqttbytes::v4::{ConnectReturnCode, Packet};

use crate::client::{Client, Credentials};
use crate::log;
use crate::support::{start_logged, start_with};

/// Bytes of a client that is connected, and the statement that they break.
pub(crate) const BROKEN: [(&[u8], &str); 34] = [
    // Reserved flags.
    (b"\x11\x00", "MQTT-2.2.2-2"),
    (b"\x80\x06\0\x01\0\x01a\x01", "MQTT-3.8.1-1"),
    (b"\x83\x06\0\x01\0\x01a\x01", "MQTT-2.2.2-2"),
    (b"\xa0\x05\0\x01\0\x01a", "MQTT-3.10.1-1"),
    (b"\xc1\x00", "MQTT-2.2.2-2"),
    (b"\xe8\x00", "MQTT-3.14.1-1"),
    (b"\x60\x02\0\x01", "MQTT-3.6.1-1"),
    (b"\x42\x02\0\x01", "MQTT-2.2.2-2"),
    // Packet ids.
    (b"\x32\x05\0\x01a\0\0", "MQTT-2.3.1-1"),
    (b"\x82\x06\0\0\0\x01a\x01", "MQTT-2.3.1-1"),
    (b"\xa2\x05\0\0\0\x01a", "MQTT-2.3.1-1"),
    (b"\x40\x02\0\0", "MQTT-2.3.1-6"),
    // No filters, or none that may be.
    (b"\x82\x02\0\x01", "MQTT-3.8.3-3"),
    (b"\xa2\x02\0\x01", "MQTT-3.10.3-2"),
    (b"\x82\x0a\0\x01\0\x05a/#/b\x01", "MQTT-4.7.1-2"),
    (b"\x82\x09\0\x01\0\x04a+/b\x01", "MQTT-4.7.1-3"),
    (b"\x82\x07\0\x01\0\x02#a\x01", "MQTT-4.7.1-2"),
    (b"\xa2\x09\0\x01\0\x05a/#/b", "MQTT-4.7.1-2"),
    (b"\x82\x05\0\x01\0\0\x01", "MQTT-4.7.3-1"),
    (b"\x82\x06\0\x01\0\x01a\x03", "MQTT-3.8.3-4"),
    (b"\x82\x07\0\x01\0\x02a\0\x01", "MQTT-4.7.3-2"),
    // Topics.
    (b"\x30\x05\0\x03a/+", "MQTT-3.3.2-2"),
    (b"\x30\x05\0\x03a/#", "MQTT-4.7.1-1"),
    (b"\x30\x02\0\0", "MQTT-4.7.3-1"),
    (b"\x30\x05\0\x03a\0b", "MQTT-1.5.3-2"),
    (b"\x30\x05\0\x03\xed\xa0\x80", "MQTT-1.5.3-1"),
    (b"\x30\x04\0\x02a\xff", "MQTT-1.5.3-1"),
    // QoS 3, DUP, lengths.
    (b"\x36\x05\0\x01a\0\x01", "MQTT-3.3.1-4"),
    (b"\x38\x03\0\x01a", "MQTT-3.3.1-2"),
    (b"\x30\xff\xff\xff\xff\x01", "MQTT-4.8.0-1"),
    (b"\x30\x03\0\x09a", "MQTT-3.3.2-1"),
    (b"\x40\x01\0", "MQTT-4.8.0-1"),
    // What has no place.
    (b"\x10\x0d\0\x04MQTT\x04\x02\0\x3c\0\x01c", "MQTT-3.1.0-2"),
    (b"\xd0\x00", "MQTT-4.8.0-1"),
];

/// MQTT 5: properties, client id, user name and password.
pub(crate) const CONNECT_5: &[u8] =
    b"\x10\x19\0\x04MQTT\x05\xc2\0\x3c\x05\x11\0\0\0\x0a\0\x01c\0\x01u\0\x01p";

/// First packets, and the statement that they break.
const BROKEN_FIRST: [(&[u8], &str); 11] = [
    (b"\xc0\x00", "MQTT-3.1.0-1"),
    (b"GET / HTTP/1.1\r\n", "MQTT-3.1.0-1"),
    (b"\x11\x0d\0\x04MQTT\x04\x02\0\x3c\0\x01c", "MQTT-2.2.2-2"),
    (b"\x10\x0d\0\x04MQTT\x04\x03\0\x3c\0\x01c", "MQTT-3.1.2-3"),
    (b"\x10\x0d\0\x04MQTT\x04\x0a\0\x3c\0\x01c", "MQTT-3.1.2-13"),
    (b"\x10\x0d\0\x04MQTT\x04\x22\0\x3c\0\x01c", "MQTT-3.1.2-15"),
    (b"\x10\x10\0\x04MQTT\x04\x42\0\x3c\0\x01c\0\x01p", "MQTT-3.1.2-22"),
    (b"\x10\x0d\0\x04MQTT\x04\x82\0\x3c\0\x01c", "MQTT-3.1.2-19"),
    (b"\x10\x0d\0\x04MQTT\x04\x02\0\x3c\0\x01\xff", "MQTT-1.5.3-1"),
    (b"\x10\x0d\0\x04AMQP\x04\x02\0\x3c\0\x01c", "MQTT-3.1.2-1"),
    (b"\x10\xff\xff\xff\xff\x7f", "MQTT-4.8.0-1"),
];

#[test]
fn what_breaks_a_statement_is_closed_with_its_number() {
    let (hub, device) = start_logged(|_| {});
    let name = format!("client={device}/filter");
    for ((bytes, statement), count) in BROKEN.iter().zip(1..) {
        let mut client = Client::connect(&hub, "filter");
        client.send_bytes(bytes);
        client.assert_closed_without_answer();
        log::expect(&[&name, &format!("[{statement}]")]);
        hub.until(|counters| counters.protocol_errors == count);
    }
}

#[test]
fn what_breaks_a_statement_first_is_closed_with_its_number() {
    let (hub, _) = start_logged(|_| {});
    for ((bytes, statement), count) in BROKEN_FIRST.iter().zip(1..) {
        let mut client = Client::open(&hub);
        let from = format!("from={}", client.address());
        client.send_bytes(bytes);
        assert_eq!(client.read_to_close(), b"", "{statement}");
        log::expect(&[&from, &format!("[{statement}]")]);
        hub.until(|counters| counters.protocol_errors == count);
    }
}

/// Answered in the form of 3.1.1, which every version understands; the log says which one came.
#[test]
fn other_versions_are_refused_by_name() {
    let (hub, _) = start_logged(|_| {});
    let rows: [(&[u8], u8, &str); 8] = [
        (CONNECT_5, 1, "MQTT 5 (level 5)"),
        (b"\x10\x0e\0\x04MQTT\x05\x02\0\x3c\0\0\x01c", 1, "MQTT 5 (level 5)"),
        (
            b"\x10\x18\0\x04MQTT\x05\x86\0\x3c\0\0\x01c\0\0\x01t\0\x01m\0\x01u",
            1,
            "MQTT 5 (level 5)",
        ),
        (b"\x10\x0f\0\x06MQIsdp\x03\x02\0\x3c\0\x01c", 1, "MQTT 3.1 (MQIsdp, level 3)"),
        (b"\x10\x0d\0\x04MQTT\x06\x02\0\x3c\0\x01c", 1, "MQTT of level 6"),
        (b"\x10\x0d\0\x04MQTT\xff\x02\0\x3c\0\x01c", 1, "MQTT of level 127 with a bridge"),
        (b"\x10\x07\0\x04MQTT\0", 1, "MQTT of level 0"),
        (b"\x10\x0c\0\x04MQTT\x04\x00\0\x3c\0\0", 2, "no client id"),
    ];
    for ((bytes, code, version), count) in rows.into_iter().zip(1..) {
        let mut client = Client::open(&hub);
        let from = format!("from={}", client.address());
        client.send_bytes(bytes);
        assert_eq!(client.read_to_close(), [0x20, 2, 0, code], "{version}");
        log::expect(&[&from, version, &format!("code={code}")]);
        hub.until(|counters| counters.connect_failures == count);
    }
    assert_eq!(hub.counters().protocol_errors, 0);
}

/// A registration's connection is as strict.
#[test]
fn what_breaks_a_statement_ends_a_registration() {
    let hub = start_with(|_| crate::log::start());
    for (index, (bytes, statement)) in BROKEN.iter().enumerate() {
        let id = format!("strict-{index}-x");
        let enrollment = hub.enrollment(&id).unwrap();
        let (mut client, _) = Client::connect_with(&hub, &Credentials::enrolled(&enrollment));
        client.send_bytes(bytes);
        client.assert_closed_without_answer();
        log::expect(&[&format!("client={id}"), &format!("[{statement}]")]);
    }
}

/// A client with a certificate sends no password; a wrong api-version is told from a right one.
#[test]
fn refusals_say_what_to_do() {
    use ConnectReturnCode::{NotAuthorized, ServiceUnavailable};
    let (hub, device) = start_logged(|_| {});
    let query = |query: &str| format!("local.azure-devices.net/{device}/filter/{query}");
    let rows: [(String, Option<&str>, ConnectReturnCode, &str); 9] = [
        (query("?api-version=2021-04-12"), Some(""), NotAuthorized, "no password: X.509 is not"),
        (query("api-version=2018-06-30"), Some(""), NotAuthorized, "no password: X.509 is not"),
        (query("?api-version=1"), None, ServiceUnavailable, "\"1\" is none of IoT Hub's"),
        (query("?api-version=2099-01-01"), None, ServiceUnavailable, "\"2099-01-01\" is none"),
        (query("?api-version=2021-4-12"), None, ServiceUnavailable, "\"2021-4-12\" is none"),
        (query("?api-version=latest"), None, ServiceUnavailable, "2015-08-15 to today are taken"),
        (query("?api-version="), None, ServiceUnavailable, "names no api-version"),
        (query("?DeviceClientType=x"), None, ServiceUnavailable, "names no api-version"),
        (query("?apiversion=2021-04-12"), None, ServiceUnavailable, "names no api-version"),
    ];
    for (username, password, code, shown) in rows {
        let mut credentials = Credentials::of(&hub, "filter");
        credentials.username = username;
        if let Some(password) = password {
            credentials.password = password.to_owned();
        }
        let mut client = Client::open(&hub);
        assert_eq!(client.login(&credentials).code, code, "{shown}");
        client.assert_closed();
        log::expect(&[&format!("client={device}/filter"), shown]);
    }
    // And so for registrations, whoever is enrolled.
    for (id, version, shown) in [
        ("x509-1", "2019-03-31", "no password: X.509 is not supported here"),
        ("x509-2", "2", "\"2\" is none of IoT Hub's"),
    ] {
        let mut credentials = Credentials::enrolled(&hub.enrollment(id).unwrap());
        credentials.password.clear();
        credentials.username = credentials.username.replace("2019-03-31", version);
        let mut client = Client::open(&hub);
        assert_ne!(client.login(&credentials).code, ConnectReturnCode::Success);
        log::expect(&[&format!("client={id}"), shown]);
    }
}

/// A refused client's id is its own text: it forges no line and fills no log.
#[test]
fn a_refused_client_id_is_one_short_line() {
    let (hub, _) = start_logged(|_| {});
    let ids = ["forged-1\n2026-01-01 INFO all is well", &format!("forged-2{}", "x".repeat(5000))];
    for id in ids {
        let mut credentials = Credentials::of(&hub, "filter");
        credentials.client_id = id.to_owned();
        let answer = Client::open(&hub).login(&credentials);
        assert_eq!(answer.code, ConnectReturnCode::NotAuthorized);
    }
    log::expect(&["client=forged-1\\n2026", "not in the manifest"]);
    log::expect(&["client=forged-2"]);
    assert!(log::lines(&["client=forged-2"]).iter().all(|line| line.len() < 500));
}

/// Neither name nor password, and a name whose password is not even announced.
#[test]
fn a_connect_without_login_is_logged_with_what_is_missing() {
    let (hub, device) = start_logged(|_| {});
    let mut bare = rumqttc::mqttbytes::v4::Connect::new(format!("{device}/filter"));
    bare.clean_session = true;
    let mut client = Client::open(&hub);
    client.send(&Packet::Connect(bare));
    assert_eq!(client.read_to_close(), [0x20, 2, 0, 5]);
    log::expect(&[&format!("client={device}/filter"), "no username"]);
    let username = format!("local.azure-devices.net/{device}/filter/?api-version=2021-04-12");
    let id = format!("{device}/filter");
    let field = |text: &str| [&[0, u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    let body = [&b"\0\x04MQTT\x04\x82\0\x3c"[..], &field(&id), &field(&username)].concat();
    let mut client = Client::open(&hub);
    client.send_bytes(&[&[0x10, u8::try_from(body.len()).unwrap()], &body[..]].concat());
    assert_eq!(client.read_to_close(), [0x20, 2, 0, 5]);
    log::expect(&[&format!("client={device}/filter"), "X.509"]);
}
