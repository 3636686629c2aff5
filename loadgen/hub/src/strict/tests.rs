//! Each statement with bytes that break it; what clients do send passes.

use std::ops::ControlFlow;

use proptest::prelude::*;
use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v4::{
    ConnAck, ConnectReturnCode, LastWill, Login, PingResp, PubAck, PubComp, PubRec, PubRel,
    Publish, SubAck, Subscribe, SubscribeFilter, UnsubAck, Unsubscribe,
};

use super::*;

/// A packet of one type and flags around a body.
fn packet(start: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![start];
    let mut length = body.len();
    loop {
        let more = if length > 127 { 0x80 } else { 0 };
        bytes.push(u8::try_from(length & 127).unwrap() | more);
        length >>= 7;
        if length == 0 {
            break;
        }
    }
    bytes.extend_from_slice(body);
    bytes
}

/// Bytes behind their length.
fn field(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let bytes = bytes.as_ref();
    [&u16::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

fn publish(start: u8, topic: impl AsRef<[u8]>, rest: &[u8]) -> Vec<u8> {
    packet(start, &[&field(topic), rest].concat())
}

/// A SUBSCRIBE of one filter at QoS 1.
fn subscribe(filter: impl AsRef<[u8]>) -> Vec<u8> {
    packet(0x82, &[&[0, 1][..], &field(filter), &[1]].concat())
}

fn unsubscribe(filter: impl AsRef<[u8]>) -> Vec<u8> {
    packet(0xa2, &[&[0, 1][..], &field(filter)].concat())
}

/// A CONNECT of MQTT 3.1.1 with these flags and this payload.
fn connect(flags: u8, payload: &[&[u8]]) -> Vec<u8> {
    let payload: Vec<u8> = payload.iter().flat_map(field).collect();
    packet(0x10, &[&field("MQTT"), &[4, flags, 0, 60][..], &payload].concat())
}

/// One of another protocol name and level, with whatever bytes behind that.
fn other_connect(name: &[u8], level: u8, rest: &[u8]) -> Vec<u8> {
    packet(0x10, &[&field(name), &[level][..], rest].concat())
}

type Row = (&'static str, Vec<u8>, &'static str);

/// What breaks a statement past CONNECT.
fn violations() -> Vec<Row> {
    let mut rows: Vec<Row> = vec![
        ("type 0", packet(0x00, &[]), "MQTT-4.8.0-1"),
        ("type 15", packet(0xf0, &[]), "MQTT-4.8.0-1"),
        ("second CONNECT", connect(2, &[b"c"]), "MQTT-3.1.0-2"),
        ("flags of CONNECT", packet(0x11, &[]), "MQTT-2.2.2-2"),
        ("CONNACK", packet(0x20, &[0, 0]), "MQTT-4.8.0-1"),
        ("SUBACK", packet(0x90, &[0, 1, 0]), "MQTT-4.8.0-1"),
        ("UNSUBACK", packet(0xb0, &[0, 1]), "MQTT-4.8.0-1"),
        ("PINGRESP", packet(0xd0, &[]), "MQTT-4.8.0-1"),
        ("flags of PUBREL", packet(0x60, &[0, 1]), "MQTT-3.6.1-1"),
        ("flags of SUBSCRIBE", packet(0x80, &[0, 1, 0, 1, b'a', 0]), "MQTT-3.8.1-1"),
        ("flags of UNSUBSCRIBE", packet(0xa0, &[0, 1, 0, 1, b'a']), "MQTT-3.10.1-1"),
        ("flags of DISCONNECT", packet(0xe1, &[]), "MQTT-3.14.1-1"),
        ("five bytes of length", vec![0x30, 0xff, 0xff, 0xff, 0xff, 0x01], "MQTT-4.8.0-1"),
        ("PINGREQ with a body", packet(0xc0, &[1]), "MQTT-4.8.0-1"),
        ("DISCONNECT with a body", packet(0xe0, &[0]), "MQTT-4.8.0-1"),
        ("QoS 3", publish(0x36, "a", &[0, 1]), "MQTT-3.3.1-4"),
        ("QoS 3 with DUP", publish(0x3e, "a", &[0, 1]), "MQTT-3.3.1-4"),
        ("DUP with QoS 0", publish(0x38, "a", b"x"), "MQTT-3.3.1-2"),
        ("DUP and RETAIN with QoS 0", publish(0x39, "a", b"x"), "MQTT-3.3.1-2"),
        ("PUBLISH without anything", packet(0x30, &[]), "MQTT-3.3.2-1"),
        ("PUBLISH of one byte", packet(0x30, &[0]), "MQTT-3.3.2-1"),
        ("PUBLISH within its topic", packet(0x30, &[0, 9, b'a']), "MQTT-3.3.2-1"),
        ("PUBLISH with id 0", publish(0x32, "a", &[0, 0]), "MQTT-2.3.1-1"),
        ("QoS 2 with id 0", publish(0x34, "a", &[0, 0]), "MQTT-2.3.1-1"),
        ("PUBLISH without id", publish(0x32, "a", &[]), "MQTT-2.3.1-1"),
        ("PUBLISH with half an id", publish(0x32, "a", &[1]), "MQTT-2.3.1-1"),
        ("empty topic", publish(0x30, "", b"x"), "MQTT-4.7.3-1"),
        ("topic with U+0000", publish(0x30, "a\0b", b"x"), "MQTT-4.7.3-2"),
        ("topic with U+0000", publish(0x32, "\0", &[0, 1]), "MQTT-1.5.3-2"),
        ("topic with a surrogate", publish(0x30, b"a\xed\xa0\x80", b"x"), "MQTT-1.5.3-1"),
        ("topic that is no UTF-8", publish(0x30, b"a\xff", b"x"), "MQTT-1.5.3-1"),
        ("overlong NUL", publish(0x30, b"a\xc0\x80", b"x"), "MQTT-1.5.3-1"),
        ("SUBSCRIBE without anything", packet(0x82, &[]), "MQTT-2.3.1-1"),
        ("SUBSCRIBE with id 0", packet(0x82, &[0, 0, 0, 1, b'a', 0]), "MQTT-2.3.1-1"),
        ("SUBSCRIBE without filter", packet(0x82, &[0, 1]), "MQTT-3.8.3-3"),
        ("SUBSCRIBE within a filter", packet(0x82, &[0, 1, 0, 5, b'a']), "MQTT-3.8.3-3"),
        ("SUBSCRIBE with half a length", packet(0x82, &[0, 1, 0]), "MQTT-3.8.3-3"),
        ("SUBSCRIBE without QoS", packet(0x82, &[0, 1, 0, 1, b'a']), "MQTT-3.8.3-3"),
        ("requested QoS 3", packet(0x82, &[0, 1, 0, 1, b'a', 3]), "MQTT-3.8.3-4"),
        ("reserved bits of QoS", packet(0x82, &[0, 1, 0, 1, b'a', 0x81]), "MQTT-3-8.3-4"),
        ("second filter", packet(0x82, &[0, 1, 0, 1, b'a', 1, 0, 1, b'+', 4]), "MQTT-3.8.3-4"),
        ("UNSUBSCRIBE without anything", packet(0xa2, &[]), "MQTT-2.3.1-1"),
        ("UNSUBSCRIBE with id 0", packet(0xa2, &[0, 0, 0, 1, b'a']), "MQTT-2.3.1-1"),
        ("UNSUBSCRIBE without filter", packet(0xa2, &[0, 1]), "MQTT-3.10.3-2"),
        ("UNSUBSCRIBE within a filter", packet(0xa2, &[0, 1, 0, 2, b'a']), "MQTT-3.10.3-2"),
    ];
    rows.extend(violations_of_names());
    rows.extend(violations_of_bits());
    rows
}

/// In topics and filters.
fn violations_of_names() -> Vec<Row> {
    let mut rows = Vec::new();
    for topic in ["+", "#", "a/#", "a/+/b", "a+", "devices/d/messages/events/a=1+2"] {
        rows.push(("topic with a wildcard", publish(0x30, topic, b"x"), "MQTT-3.3.2-2"));
        rows.push(("topic with a wildcard", publish(0x33, topic, &[0, 1]), "MQTT-4.7.1-1"));
    }
    let filters: [(&[u8], &str); 14] = [
        (b"", "MQTT-4.7.3-1"),
        (b"a/#/b", "MQTT-4.7.1-2"),
        (b"#a", "MQTT-4.7.1-2"),
        (b"a#", "MQTT-4.7.1-2"),
        (b"a/b#", "MQTT-4.7.1-2"),
        (b"#/", "MQTT-4.7.1-2"),
        (b"##", "MQTT-4.7.1-2"),
        (b"a+/b", "MQTT-4.7.1-3"),
        (b"+a", "MQTT-4.7.1-3"),
        (b"a/++", "MQTT-4.7.1-3"),
        (b"a\0", "MQTT-4.7.3-2"),
        (b"\xff", "MQTT-1.5.3-1"),
        (b"a/\xed\xbf\xbf", "MQTT-1.5.3-1"),
        (b"\xf4\x90\x80\x80", "MQTT-1.5.3-1"),
    ];
    for (filter, statement) in filters {
        rows.push(("filter", subscribe(filter), statement));
        rows.push(("filter", unsubscribe(filter), statement));
    }
    rows
}

/// Every bit that must not be set, of every type that has such bits, and acknowledgements of
/// nothing.
fn violations_of_bits() -> Vec<Row> {
    let mut rows = Vec::new();
    for kind in [0x40, 0x50, 0x70, 0xc0, 0xe0_u8] {
        for flags in 1..16 {
            rows.push(("reserved flags", packet(kind | flags, &[0, 1]), "MQTT-2.2.2-2"));
        }
    }
    for kind in [0x60, 0x80, 0xa0_u8] {
        for flags in (0..16).filter(|flags| *flags != 2) {
            rows.push(("reserved flags", packet(kind | flags, &[0, 1]), "MQTT-2.2.2-2"));
        }
    }
    for start in [0x40, 0x50, 0x62, 0x70] {
        rows.push(("acknowledgement of 0", packet(start, &[0, 0]), "MQTT-2.3.1-6"));
        for body in [&[][..], &[1], &[0, 1, 0]] {
            rows.push(("acknowledgement of another length", packet(start, body), "MQTT-4.8.0-1"));
        }
    }
    rows
}

/// What breaks a statement by being the first packet.
fn first_violations() -> Vec<Row> {
    let mut rows: Vec<Row> = vec![
        ("PINGREQ", packet(0xc0, &[]), "MQTT-3.1.0-1"),
        ("PUBLISH", publish(0x30, "a", b"x"), "MQTT-3.1.0-1"),
        ("HTTP", b"GET / HTTP/1.1\r\n\r\n".to_vec(), "MQTT-3.1.0-1"),
        ("type 0", packet(0x00, &[]), "MQTT-3.1.0-1"),
        ("five bytes of length", vec![0x10, 0x80, 0x80, 0x80, 0x80, 0x00], "MQTT-4.8.0-1"),
        ("nothing", packet(0x10, &[]), "MQTT-3.1.4-1"),
        ("half a name", packet(0x10, b"\0\x04MQ"), "MQTT-3.1.4-1"),
        ("name alone", packet(0x10, b"\0\x04MQTT"), "MQTT-3.1.4-1"),
        ("no flags", packet(0x10, b"\0\x04MQTT\x04"), "MQTT-3.1.4-1"),
        ("half a keep-alive", packet(0x10, b"\0\x04MQTT\x04\x02\0"), "MQTT-3.1.4-1"),
        ("no client id", connect(2, &[]), "MQTT-3.1.3-3"),
        ("reserved flag", connect(0x03, &[b"c"]), "MQTT-3.1.2-3"),
        ("all flags", connect(0xff, &[b"c"]), "MQTT-3.1.2-3"),
        ("will QoS 1 without will", connect(0x0a, &[b"c"]), "MQTT-3.1.2-13"),
        ("will QoS 3 without will", connect(0x1a, &[b"c"]), "MQTT-3.1.2-11"),
        ("will retain without will", connect(0x22, &[b"c"]), "MQTT-3.1.2-15"),
        ("will QoS 3", connect(0x1e, &[b"c", b"t", b"m"]), "MQTT-3.1.2-14"),
        ("no will topic", connect(0x06, &[b"c"]), "MQTT-3.1.2-9"),
        ("no will message", connect(0x06, &[b"c", b"t"]), "MQTT-3.1.2-9"),
        ("will topic with a wildcard", connect(0x06, &[b"c", b"t/#", b"m"]), "MQTT-4.7.1-1"),
        ("empty will topic", connect(0x06, &[b"c", b"", b"m"]), "MQTT-4.7.3-1"),
        ("will topic with NUL", connect(0x06, &[b"c", b"a\0", b"m"]), "MQTT-1.5.3-2"),
        ("will topic no UTF-8", connect(0x06, &[b"c", b"\xff", b"m"]), "MQTT-1.5.3-1"),
        ("will and no will flag", connect(0x02, &[b"c", b"t", b"m"]), "MQTT-3.1.2-11"),
        ("no user name", connect(0x82, &[b"c"]), "MQTT-3.1.2-19"),
        ("user name unannounced", connect(0x02, &[b"c", b"u"]), "MQTT-3.1.2-18"),
        ("password without user name", connect(0x42, &[b"c", b"p"]), "MQTT-3.1.2-22"),
        ("no password", connect(0xc2, &[b"c", b"u"]), "MQTT-3.1.2-21"),
        ("password unannounced", connect(0x82, &[b"c", b"u", b"p"]), "MQTT-3.1.2-20"),
        ("a field too many", connect(0xc2, &[b"c", b"u", b"p", b"x"]), "MQTT-3.1.3-1"),
        ("client id no UTF-8", connect(2, &[b"\xc3"]), "MQTT-1.5.3-1"),
        ("client id with NUL", connect(2, &[b"a\0b"]), "MQTT-1.5.3-2"),
        ("client id with a surrogate", connect(2, &[b"\xed\xa0\x80"]), "MQTT-1.5.3-1"),
        ("user name no UTF-8", connect(0x82, &[b"c", b"\xff"]), "MQTT-1.5.3-1"),
        ("user name with NUL", connect(0x82, &[b"c", b"u\0"]), "MQTT-1.5.3-2"),
    ];
    for flags in 1..16 {
        rows.push(("reserved flags", packet(0x10 | flags, &[]), "MQTT-2.2.2-2"));
    }
    for name in [&b""[..], b"mqtt", b"MQTT ", b"MQTTT", b"MQIsdP", b"AMQP", b"\xff\xfe", b"\0\0"] {
        rows.push(("protocol name", other_connect(name, 4, &[2, 0, 60]), "MQTT-3.1.2-1"));
    }
    rows
}

/// What a reader makes of bytes that come one by one, and how many it asked for.
fn by_bytes<T>(bytes: &[u8], read: fn(&mut BytesMut) -> Result<Option<T>>) -> Result<Option<T>> {
    let mut input = BytesMut::new();
    let found = bytes.iter().try_for_each(|byte| {
        input.extend_from_slice(&[*byte]);
        match read(&mut input) {
            Ok(None) => ControlFlow::Continue(()),
            found => ControlFlow::Break(found),
        }
    });
    found.break_value().unwrap_or(Ok(None))
}

fn assert_refused<T: std::fmt::Debug>(
    (what, bytes, statement): &Row,
    read: fn(&mut BytesMut) -> Result<Option<T>>,
) {
    let whole = read(&mut BytesMut::from(&bytes[..]));
    for found in [whole, by_bytes(bytes, read)] {
        let text = found.expect_err(&format!("{what}: {bytes:02x?}")).to_string();
        let expected = format!("[{statement}]");
        assert!(text.contains(&expected), "{what} {bytes:02x?}: {text}, not {expected}");
        assert!(!text.contains('\0'), "{text:?}");
    }
}

#[test]
fn what_breaks_a_statement_is_refused_with_its_number() {
    violations().iter().for_each(|row| assert_refused(row, next));
}

#[test]
fn what_breaks_a_statement_first_is_refused_with_its_number() {
    first_violations().iter().for_each(|row| assert_refused(row, first));
}

/// Properties, a will with properties, user name and password are behind it or not.
#[test]
fn other_versions_are_named() {
    let full = b"\xce\0\x3c\x05\x11\0\0\0\x0a\0\x01c\0\0\x01t\0\x01m\0\x01u\0\x01p";
    let rows: [(&[u8], u8, &[u8], &str); 11] = [
        (b"MQTT", 5, full, "MQTT 5 (level 5)"),
        (b"MQTT", 5, b"\x02\0\x3c\0\0\0", "MQTT 5 (level 5)"),
        (b"MQTT", 5, b"\x82\0\x3c\0\0\x01c\0\x01u", "MQTT 5 (level 5)"),
        (b"MQTT", 5, b"", "MQTT 5 (level 5)"),
        (b"MQTT", 3, b"\x02\0\x3c\0\x01c", "MQTT 3.1 (level 3)"),
        (b"MQIsdp", 3, b"\x02\0\x3c\0\x01c", "MQTT 3.1 (MQIsdp, level 3)"),
        (b"MQIsdp", 4, b"\x02\0\x3c\0\x01c", "MQTT 3.1 (MQIsdp, level 4)"),
        (b"MQTT", 6, b"\xff\xff", "MQTT of level 6"),
        (b"MQTT", 0, b"", "MQTT of level 0"),
        (b"MQTT", 127, b"", "MQTT of level 127"),
        (b"MQTT", 0x84, b"\x02\0\x3c\0\x01c", "MQTT of level 4 with a bridge's mark"),
    ];
    for (name, level, rest, version) in rows {
        let bytes = other_connect(name, level, rest);
        let Ok(Some(First::Unwelcome(unwelcome))) = by_bytes(&bytes, first) else {
            panic!("{version}");
        };
        let text = unwelcome.to_string();
        assert!(text.contains(version) && text.contains("[MQTT-3.1.2-2]"), "{text}");
        assert_eq!(unwelcome.code(), ConnectReturnCode::RefusedProtocolVersion);
    }
}

#[test]
fn a_session_to_keep_needs_a_client_id() {
    let Ok(Some(First::Unwelcome(unwelcome))) = by_bytes(&connect(0, &[b""]), first) else {
        panic!();
    };
    assert_eq!(unwelcome.code(), ConnectReturnCode::BadClientId);
    assert!(unwelcome.to_string().contains("[MQTT-3.1.3-8]"));
    assert!(matches!(by_bytes(&connect(2, &[b""]), first), Ok(Some(First::Connect(_)))));
}

/// A password is bytes: what is none of ours is for the credentials' check to refuse.
#[test]
fn any_bytes_are_a_password() {
    let bytes = connect(0xc2, &[b"c", b"u", b"\xff\0"]);
    let Ok(Some(First::Connect(connect))) = by_bytes(&bytes, first) else { panic!() };
    assert_eq!(connect.login.unwrap().password, "\u{fffd}\0");
}

#[test]
fn nothing_of_a_login_is_shown() {
    let bytes = connect(0xc2, &[b"c", b"hush", b"secret", b"x"]);
    let text = by_bytes(&bytes, first).unwrap_err().to_string();
    assert!(!text.contains("hush") && !text.contains("secret"), "{text}");
}

#[test]
fn large_packets_are_not_waited_for() {
    let text = next(&mut BytesMut::from(&[0x30, 0x81, 0x80, 0x10][..])).unwrap_err().to_string();
    assert!(text.contains("262145 bytes"), "{text}");
    assert_eq!(next(&mut BytesMut::from(&[0x30, 0x80, 0x80, 0x10][..])), Ok(None));
}

/// Two packets in one read, the second one cut: the first is taken, the second waited for.
#[test]
fn packets_are_taken_one_by_one() {
    let both = [packet(0xc0, &[]), publish(0x32, "a", &[0, 1, b'x'])].concat();
    let mut input = BytesMut::from(&both[..both.len() - 1]);
    assert_eq!(next(&mut input), Ok(Some(Packet::PingReq)));
    assert_eq!(next(&mut input), Ok(None));
    input.extend_from_slice(b"x");
    assert!(matches!(next(&mut input), Ok(Some(Packet::Publish(_)))));
    assert_eq!((next(&mut input), input.len()), (Ok(None), 0));
}

/// What the Python and the Node SDK's MQTT libraries write.
#[test]
fn what_sdks_send_passes() {
    let input = "devices/edge1/modules/mod1/inputs/#";
    let events = "devices/edge1/modules/mod1/messages/events/%24.on=output1/";
    let get = "$iothub/twin/GET/?$rid=6d2d0b3e-0000-4000-8000-000000000000";
    let rows = [
        subscribe(input),
        subscribe("$iothub/twin/PATCH/properties/desired/#"),
        unsubscribe(input),
        publish(0x32, get, &[0, 2, b' ']),
        publish(0x30, get, b" "),
        publish(0x32, events, &[0, 3]),
        // Sent again after a reconnect.
        publish(0x3a, events, &[0xff, 0xff, b'{', b'}']),
        packet(0x40, &[0, 1]),
        packet(0xc0, &[]),
        packet(0xe0, &[]),
        // A remaining length in more bytes than it needs is not forbidden in 3.1.1.
        vec![0xc0, 0x80, 0x00],
    ];
    for bytes in rows {
        assert!(matches!(by_bytes(&bytes, next), Ok(Some(_))), "{bytes:02x?}");
    }
    for connect in [
        connect(0xc0, &[b"edge1/mod1", b"h/edge1/mod1/?api-version=2019-10-01", b"token"]),
        connect(0xc2, &[b"dev-1", b"0ne/registrations/dev-1/api-version=2019-03-31", b"token"]),
        connect(0x80, &[b"dev-1", b"h/dev-1/?api-version=2019-10-01"]),
        connect(0xee, &[b"dev-1", b"t", b"", b"u", b""]),
    ] {
        assert!(matches!(by_bytes(&connect, first), Ok(Some(First::Connect(_)))));
    }
}

fn qos() -> impl Strategy<Value = QoS> {
    prop_oneof![Just(QoS::AtMostOnce), Just(QoS::AtLeastOnce), Just(QoS::ExactlyOnce)]
}

fn filter() -> impl Strategy<Value = String> {
    prop::collection::vec(prop_oneof!["[^+#/\0]{1,4}", Just("+".to_owned())], 1..4)
        .prop_map(|levels| levels.join("/"))
        .prop_flat_map(|start| prop_oneof![Just(start.clone()), Just(start + "/#")])
}

/// Any packet that a client may send, as rumqttc builds it.
fn sent() -> impl Strategy<Value = Packet> {
    let id = 1..=u16::MAX;
    let publish =
        ("[^+#\0]{1,40}", qos(), any::<bool>(), any::<bool>(), id.clone(), any::<Vec<u8>>());
    let publish = publish.prop_map(|(topic, qos, retain, dup, id, body)| {
        let mut publish = Publish::new(topic, qos, body);
        publish.retain = retain;
        if qos != QoS::AtMostOnce {
            (publish.dup, publish.pkid) = (dup, id);
        }
        Packet::Publish(publish)
    });
    let filters = prop::collection::vec((filter(), qos()), 1..5);
    let subscribe = (id.clone(), filters).prop_map(|(pkid, filters)| {
        let filters = filters.into_iter().map(|(path, qos)| SubscribeFilter { path, qos });
        Packet::Subscribe(Subscribe { pkid, filters: filters.collect() })
    });
    let topics = prop::collection::vec(filter(), 1..5);
    let unsubscribe = (id.clone(), topics)
        .prop_map(|(pkid, topics)| Packet::Unsubscribe(Unsubscribe { pkid, topics }));
    let acknowledgement = id.prop_flat_map(|id| {
        prop_oneof![
            Just(Packet::PubAck(PubAck::new(id))),
            Just(Packet::PubRec(PubRec::new(id))),
            Just(Packet::PubRel(PubRel::new(id))),
            Just(Packet::PubComp(PubComp::new(id))),
        ]
    });
    let bare = prop_oneof![Just(Packet::PingReq), Just(Packet::Disconnect)];
    prop_oneof![publish, subscribe, unsubscribe, acknowledgement, bare]
}

fn connects() -> impl Strategy<Value = Connect> {
    let will = ("[^+#\0]{1,20}", any::<Vec<u8>>(), qos(), any::<bool>());
    let will = will.prop_map(|(topic, body, qos, retain)| LastWill::new(topic, body, qos, retain));
    let login = ("[^\0]{1,40}", ".{1,40}").prop_map(|(user, password)| Login::new(user, password));
    let id = "[^\0]{1,20}";
    (id, any::<bool>(), any::<u16>(), prop::option::of(will), prop::option::of(login)).prop_map(
        |(id, clean_session, keep_alive, last_will, login)| {
            let mut connect = Connect::new(id);
            (connect.clean_session, connect.keep_alive) = (clean_session, keep_alive);
            (connect.last_will, connect.login) = (last_will, login);
            connect
        },
    )
}

proptest! {
    /// What a client may send comes through as it was sent, however it is cut.
    #[test]
    fn what_a_client_may_send_passes(packet in sent()) {
        let mut bytes = BytesMut::new();
        packet.write(&mut bytes, usize::MAX).unwrap();
        prop_assert_eq!(by_bytes(&bytes, next), Ok(Some(packet)));
    }

    #[test]
    fn any_connect_passes(connect in connects()) {
        let mut bytes = BytesMut::new();
        connect.write(&mut bytes).unwrap();
        prop_assert_eq!(by_bytes(&bytes, first), Ok(Some(First::Connect(connect))));
    }

    /// No bytes make the reader panic, and what it takes, it takes out.
    #[test]
    fn any_bytes_are_taken_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut input = BytesMut::from(&bytes[..]);
        let _ = first(&mut input);
        let mut input = BytesMut::from(&bytes[..]);
        while let Ok(Some(_)) = next(&mut input) {}
    }

    /// Nothing that only a server sends passes, whatever is in it.
    #[test]
    fn what_only_servers_send_is_refused(id in 1..=u16::MAX, present in any::<bool>()) {
        let mut bytes = [BytesMut::new(), BytesMut::new(), BytesMut::new(), BytesMut::new()];
        ConnAck::new(ConnectReturnCode::Success, present).write(&mut bytes[0]).unwrap();
        SubAck::new(id, Vec::new()).write(&mut bytes[1]).unwrap();
        UnsubAck::new(id).write(&mut bytes[2]).unwrap();
        PingResp.write(&mut bytes[3]).unwrap();
        for bytes in &mut bytes {
            prop_assert!(next(bytes).is_err());
        }
    }
}

/// Every type with every flags, and bodies that are wrong for it.
#[test]
fn packets_have_their_articles() {
    let bodies: [&[u8]; 6] = [&[], &[0], &[0, 0], &[0, 1], &[0, 1, 0], &[0, 0, 0, 0, 0]];
    let mut shown = Vec::new();
    for (start, body) in (0..=u8::MAX).flat_map(|start| bodies.map(|body| (start, body))) {
        if let Err(violation) = next(&mut BytesMut::from(&packet(start, body)[..])) {
            shown.push(violation.to_string());
        }
    }
    for kind in 1..15 {
        // Longer than a hub takes.
        let huge = [kind << 4 | 0b0010, 0xff, 0xff, 0xff, 0x7f];
        shown.extend(next(&mut BytesMut::from(&huge[..])).err().map(|error| error.to_string()));
    }
    for text in &shown {
        let words: Vec<&str> = text.split([' ', ',']).collect();
        for pair in words.windows(2).filter(|pair| ["a", "an"].contains(&pair[0])) {
            let expected = if pair[1].starts_with(['U', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
            assert_eq!(pair[0], expected, "{text}");
        }
    }
    for name in [
        "an UNSUBSCRIBE with the flags",
        "an UNSUBSCRIBE with the packet id 0",
        "an UNSUBSCRIBE without a packet id",
        "an UNSUBSCRIBE of ",
        "an UNSUBACK, which",
        "a SUBSCRIBE with",
        "a PUBACK of",
        "a CONNACK, which",
    ] {
        assert!(shown.iter().any(|text| text.contains(name)), "{name}");
    }
}
