use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::wire::WireError;

mod faults;

const INPUTS: &str = "devices/edge/modules/filter/inputs/input1/%24.cdid=edge&n=";
const ALERTS: &str = "devices/edge/modules/filter/messages/events/%24.on=output1&n=";

fn settings() -> SinkSettings {
    SinkSettings {
        host: String::new(),
        port: 0,
        ca_file: None,
        client_id: String::new(),
        username: String::new(),
        password: String::new(),
        subscribe: "devices/edge/modules/filter/inputs/#".to_owned(),
        publish: "devices/edge/modules/filter/messages/events/".to_owned(),
        threshold: 25.0,
        keep_alive: Duration::from_secs(60),
        faults: Faults::default(),
    }
}

fn body(number: u32, temperature: u32) -> String {
    format!(r#"{{"machine":{{"temperature":{temperature},"pressure":1}},"n":{number}}}"#)
}

/// Input `number`, at QoS 1 with that packet id or at QoS 0.
fn input(number: u32, qos1: bool, temperature: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let id = qos1.then(|| u16::try_from(number).unwrap());
    let topic = format!("{INPUTS}{number}");
    write_publish(&mut bytes, topic.as_bytes(), id, body(number, temperature).as_bytes());
    bytes
}

/// What a peer sees: `a12` an acknowledgement, `7:3` alert 3 with packet id 7, `-:3` the same at
/// QoS 0. Behind it `f`: its body is that of an input below the threshold; `x`: one bit of it is
/// wrong; `s`: the property is missing.
fn seen(mut bytes: &[u8]) -> Vec<String> {
    let mut seen = Vec::new();
    while let Some(frame) = wire::frame(bytes).unwrap() {
        bytes = &bytes[frame.whole.len()..];
        if !frame.is_publish() {
            seen.push(format!("a{}", frame.puback().unwrap()));
            continue;
        }
        let publish = frame.publish().unwrap();
        let topic = str::from_utf8(publish.topic).unwrap().strip_prefix(ALERTS).unwrap();
        let (number, strip) = match topic.strip_suffix("&MessageType=Alert") {
            Some(number) => (number.parse().unwrap(), ""),
            None => (topic.parse().unwrap(), "s"),
        };
        let id = publish.packet_id.map_or("-".to_owned(), |id| id.to_string());
        seen.push(format!("{id}:{number}{}{strip}", difference(number, publish.body)));
    }
    assert!(bytes.is_empty(), "whole packets only");
    seen
}

fn difference(number: u32, seen: &[u8]) -> &'static str {
    let distance = |temperature| {
        let sent = body(number, temperature);
        assert_eq!(sent.len(), seen.len());
        sent.bytes().zip(seen).map(|(a, b)| (a ^ b).count_ones()).sum::<u32>()
    };
    match (distance(30), distance(20)) {
        (0, _) => "",
        (_, 0) => "f",
        (1, _) => "x",
        _ => panic!("{}", String::from_utf8_lossy(seen)),
    }
}

fn take_all(filter: &mut Filter, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    assert_eq!(filter.take(bytes, u64::MAX, &mut out).unwrap(), bytes.len());
    out
}

#[test]
fn alerts_are_forwarded_and_inputs_acknowledged_in_order() {
    let mut filter = Filter::new(&settings());
    let bytes = [input(1, true, 20), input(2, true, 30), input(3, false, 30), input(4, true, 30)];
    let out = take_all(&mut filter, &bytes.concat());
    assert_eq!(seen(&out), ["a1", "1:2", "a2", "-:3", "2:4", "a4"]);
    let counts = SinkCounts { inputs: 4, alerts: 3, forwarded: 3, ..SinkCounts::default() };
    assert_eq!(filter.counts(), counts);
}

/// However the stream is cut, the answers are the same.
#[test]
fn the_stream_may_be_cut_anywhere() {
    let bytes: Vec<u8> = [20, 30, 30, 20, 30]
        .iter()
        .zip(1..)
        .flat_map(|(&temperature, number)| input(number, number % 2 == 1, temperature))
        .collect();
    let whole = take_all(&mut Filter::new(&settings()), &bytes);
    for cut in 0..=bytes.len() {
        let mut filter = Filter::new(&settings());
        let mut out = Vec::new();
        let used = filter.take(&bytes[..cut], u64::MAX, &mut out).unwrap();
        filter.take(&bytes[used..], u64::MAX, &mut out).unwrap();
        assert_eq!(out, whole, "cut at {cut}");
    }
    let (mut filter, mut out, mut start) = (Filter::new(&settings()), Vec::new(), 0);
    for end in 0..=bytes.len() {
        start += filter.take(&bytes[start..end], u64::MAX, &mut out).unwrap();
    }
    assert_eq!(out, whole, "byte by byte");
}

#[test]
fn no_more_inputs_are_taken_than_allowed() {
    let mut filter = Filter::new(&settings());
    let bytes = [input(1, true, 20), input(2, true, 20), input(3, true, 20)].concat();
    let mut out = Vec::new();
    assert_eq!(filter.take(&bytes, 2, &mut out).unwrap(), bytes.len() / 3 * 2);
    assert_eq!(seen(&out), ["a1", "a2"]);
}

#[test]
fn a_large_message_passes() {
    let mut bytes = Vec::new();
    let mut large = body(1, 30).into_bytes();
    large.resize(250 * 1024, b' ');
    write_publish(&mut bytes, format!("{INPUTS}1").as_bytes(), Some(1), &large);
    let out = take_all(&mut Filter::new(&settings()), &bytes);
    let frame = wire::frame(&out).unwrap().unwrap();
    assert_eq!(frame.publish().unwrap().body, large);
}

/// Properties make the topic longer: over MQTT's limit or the packet's, the alert is only counted.
#[test]
fn what_cannot_be_forwarded_is_counted() {
    let mut filter = Filter::new(&settings());
    let mut bytes = Vec::new();
    let long = format!("{INPUTS}{}", "1".repeat(65_535 - INPUTS.len()));
    write_publish(&mut bytes, long.as_bytes(), Some(1), body(1, 30).as_bytes());
    let mut large = body(1, 30).into_bytes();
    large.resize(PACKET_BYTES_MAX - INPUTS.len() - 10, b' ');
    write_publish(&mut bytes, format!("{INPUTS}1").as_bytes(), Some(2), &large);
    assert_eq!(seen(&take_all(&mut filter, &bytes)), ["a1", "a2"]);
    assert_eq!((filter.counts().alerts, filter.counts().too_large), (2, 2));
}

#[test]
fn at_the_bound_of_packet_ids_inputs_wait() {
    let mut filter = Filter::new(&settings());
    let flood: Vec<u8> = (0..IN_FLIGHT_MAX).flat_map(|_| input(1, true, 30)).collect();
    let out = seen(&take_all(&mut filter, &flood));
    assert_eq!(out[out.len() - 2..], ["65532:1", "a1"]);
    // An alert waits, and so does whatever comes behind it.
    let more = [input(7, true, 20), input(8, true, 30), input(9, true, 20), input(10, true, 30)];
    assert_eq!(seen(&take_all(&mut filter, &more.concat())), ["a7"]);
    let mut acks = Vec::new();
    write_puback(&mut acks, 1);
    assert_eq!(seen(&take_all(&mut filter, &acks)), ["65533:8", "a8", "a9"]);
    acks.clear();
    write_puback(&mut acks, 2);
    // Acknowledged behind an input that comes meanwhile: the order stays.
    let more = [input(11, true, 20), acks, input(12, false, 30)].concat();
    assert_eq!(seen(&take_all(&mut filter, &more)), ["65534:10", "a10", "a11", "-:12"]);
    assert_eq!(filter.counts().inputs, u64::from(IN_FLIGHT_MAX) + 6);
}

/// 0 is no packet id.
#[test]
fn packet_ids_go_round() {
    let mut filter = Filter::new(&settings());
    for number in 1..=u16::MAX {
        let mut bytes = input(2, true, 30);
        write_puback(&mut bytes, number);
        take_all(&mut filter, &bytes);
    }
    assert_eq!(seen(&take_all(&mut filter, &input(2, true, 30))), ["1:2", "a2"]);
    assert_eq!(filter.counts().acknowledged, 65_535);
}

#[test]
fn a_peer_that_never_acknowledges_is_given_up() {
    let mut filter = Filter::new(&settings());
    for _ in 0..IN_FLIGHT_MAX {
        take_all(&mut filter, &input(1, true, 30));
    }
    let mut bytes = Vec::new();
    let mut large = body(1, 30).into_bytes();
    large.resize(250 * 1024, b' ');
    write_publish(&mut bytes, format!("{INPUTS}1").as_bytes(), Some(1), &large);
    let mut out = Vec::new();
    let taken = PARKED_BYTES_MAX / bytes.len();
    for _ in 0..taken {
        filter.take(&bytes, u64::MAX, &mut out).unwrap();
    }
    assert!(out.is_empty());
    let ended = filter.take(&bytes, u64::MAX, &mut out);
    assert!(matches!(ended, Err(SinkError::Unacknowledged)), "{ended:?}");
}

#[test]
fn other_packets_are_passed_over_and_refusals_end_it() {
    let mut filter = Filter::new(&settings());
    let mut bytes = vec![0x90, 3, 0, 1, 1, 0xd0, 0];
    write_publish(&mut bytes, b"$iothub/twin/res/200/?$rid=1", Some(9), body(1, 30).as_bytes());
    assert_eq!(seen(&take_all(&mut filter, &bytes)), ["a9"]);
    let mut out = Vec::new();
    let refused = filter.take(&[0x90, 3, 0, 1, 0x80], u64::MAX, &mut out);
    assert!(matches!(refused, Err(SinkError::SubscriptionRefused)), "{refused:?}");
    let qos2 = filter.take(&[0x34, 5, 0, 1, b't', 0, 1], u64::MAX, &mut out);
    assert!(matches!(qos2, Err(SinkError::Wire(WireError::ExactlyOnce))), "{qos2:?}");
}

#[test]
fn the_subscription_is_granted_as_it_was_asked_for() {
    let answer = |codes: &[u8]| {
        let mut bytes = vec![0x90, u8::try_from(codes.len()).unwrap()];
        bytes.extend_from_slice(codes);
        Filter::new(&settings()).take(&bytes, u64::MAX, &mut Vec::new())
    };
    assert_eq!(answer(&[0, 1, 1]).unwrap(), 5);
    assert!(matches!(answer(&[0, 1, 0x80]), Err(SinkError::SubscriptionRefused)));
    assert!(matches!(answer(&[0, 1, 0]), Err(SinkError::LowerQos)));
    for other in [&[0, 1][..], &[0, 1, 2], &[0, 1, 3], &[0, 2, 1], &[0, 1, 1, 1], &[0, 1, 1, 0x80]]
    {
        assert!(matches!(answer(other), Err(SinkError::OtherSubscription)), "{other:?}");
    }
}

/// A ping whose answer, or SUBACK before the first, has not come by the next time ends it.
#[test]
fn a_silent_peer_is_not_waited_for() {
    let mut out = Vec::new();
    let mut filter = Filter::new(&settings());
    assert!(matches!(filter.ping(&mut out), Err(SinkError::Silent)), "no SUBACK");
    assert!(out.is_empty());
    let mut filter = Filter::new(&settings());
    take_all(&mut filter, &[0x90, 3, 0, 1, 1]);
    for _ in 0..2 {
        filter.ping(&mut out).unwrap();
        take_all(&mut filter, &[0xd0, 0]);
    }
    assert_eq!(out, [PINGREQ, PINGREQ].concat());
    filter.ping(&mut out).unwrap();
    assert!(matches!(filter.ping(&mut out), Err(SinkError::Silent)), "no PINGRESP");
}

proptest! {
    /// No bytes whatever make a panic.
    #[test]
    fn any_bytes_are_taken_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Filter::new(&settings()).take(&bytes, u64::MAX, &mut Vec::new());
    }
}
