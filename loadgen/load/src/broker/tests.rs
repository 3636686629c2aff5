use bytes::BytesMut;
use std::net::TcpListener;

use rumqttc::QoS;
use rumqttc::mqttbytes::v4::{
    ConnAck, ConnectReturnCode, Packet, PingResp, Publish, SubAck, SubscribeReasonCode,
};

use super::*;
use crate::lane::LaneError;
use crate::link::{Link, LinkStage};
use crate::wire;

const SECOND_NS: u64 = 1_000_000_000;

fn broker(url: &str) -> Broker {
    let login = Login { url: url.parse().unwrap(), password: None };
    Broker::new(login, None, ("sensors/{sensor}", "alerts/{topic}"), 1).unwrap()
}

/// A connection to a listener of this process, and that listener.
fn lane() -> (Lane, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let broker = broker(&format!("mqtt://{}", listener.local_addr().unwrap()));
    (Lane::new(broker.open(0).unwrap(), 1), listener)
}

/// Gives the broker's side a packet, and what was answered.
fn give(
    broker: &mut Broker,
    link: &mut Link,
    is_receiver: bool,
    write: impl FnOnce(&mut BytesMut) -> Result<usize, rumqttc::mqttbytes::Error>,
) -> Result<Vec<u8>, LoadError> {
    let mut bytes = BytesMut::new();
    write(&mut bytes).unwrap();
    let frame = wire::frame(&bytes).unwrap().unwrap();
    let mut out = Vec::new();
    broker.control(frame, link, is_receiver, &mut out)?;
    Ok(out)
}

fn connack(
    code: ConnectReturnCode,
) -> impl FnOnce(&mut BytesMut) -> Result<usize, rumqttc::mqttbytes::Error> {
    move |bytes| ConnAck::new(code, false).write(bytes)
}

#[test]
fn the_receiver_alone_subscribes() {
    let mut broker = broker("mqtt://127.0.0.1");
    let mut sensor = Link::NEW;
    let out = give(&mut broker, &mut sensor, false, connack(ConnectReturnCode::Success)).unwrap();
    assert!(out.is_empty() && sensor.is_ready());
    let mut receiver = Link::NEW;
    let out = give(&mut broker, &mut receiver, true, connack(ConnectReturnCode::Success)).unwrap();
    let Packet::Subscribe(asked) = Packet::read(&mut out.as_slice().into(), 1000).unwrap() else {
        panic!("no SUBSCRIBE")
    };
    assert_eq!(asked.filters[0].path, "alerts/#");
    assert!(!receiver.is_ready());
    let granted = SubAck::new(1, vec![SubscribeReasonCode::Success(QoS::AtLeastOnce)]);
    give(&mut broker, &mut receiver, true, |bytes| granted.write(bytes)).unwrap();
    assert!(receiver.is_ready());
}

#[test]
fn refusals_say_what_to_do() {
    use ConnectReturnCode::{BadClientId, BadUserNamePassword, NotAuthorized};
    for (url, code, part) in [
        ("mqtt://127.0.0.1", NotAuthorized, "write mqtt://user@host"),
        ("mqtt://me@127.0.0.1", NotAuthorized, "LOADGEN_BROKER_PASSWORD"),
        ("mqtt://me@127.0.0.1", BadUserNamePassword, "--broker-password-file"),
        ("mqtt://127.0.0.1", BadClientId, "keep-alive"),
    ] {
        let error = give(&mut broker(url), &mut { Link::NEW }, true, connack(code)).unwrap_err();
        assert_eq!(error.exit_code(), 69);
        assert!(error.to_string().contains(part), "{error}");
    }
    let mut link = Link { stage: LinkStage::Subscribing, pinged: false };
    let refused = SubAck::new(1, vec![SubscribeReasonCode::Failure]);
    let mut broker = broker("mqtt://127.0.0.1");
    let error = give(&mut broker, &mut link, true, |bytes| refused.write(bytes)).unwrap_err();
    assert!(error.to_string().contains("refuses the subscription to alerts/#"), "{error}");
}

/// One code for the one filter, under its packet id, and the QoS that was asked for.
#[test]
fn a_subscription_is_granted_as_it_was_asked_for() {
    let success = SubscribeReasonCode::Success;
    let at = |qos| success(qos);
    for (id, codes, part) in [
        (1, vec![at(QoS::AtMostOnce)], "grants QoS 0"),
        (1, vec![at(QoS::ExactlyOnce)], "grants QoS 2"),
        (1, vec![at(QoS::AtLeastOnce), at(QoS::AtLeastOnce)], "2 codes"),
        (2, vec![at(QoS::AtLeastOnce)], "packet id 2"),
    ] {
        let mut link = Link { stage: LinkStage::Subscribing, pinged: false };
        let answer = SubAck::new(id, codes);
        let mut broker = broker("mqtt://127.0.0.1");
        let error = give(&mut broker, &mut link, true, |bytes| answer.write(bytes)).unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
        assert!(!link.is_ready());
    }
}

#[test]
fn a_message_at_qos_2_is_refused_by_its_name() {
    let mut broker = broker("mqtt://127.0.0.1");
    let mut link = Link { stage: LinkStage::Ready, pinged: false };
    let mut publish = Publish::new("alerts/x", QoS::ExactlyOnce, "x");
    publish.pkid = 7;
    let error = give(&mut broker, &mut link, true, |bytes| publish.write(bytes)).unwrap_err();
    assert!(error.to_string().contains("QoS 2"), "{error}");
}

#[test]
fn what_is_not_of_this_run_is_acknowledged_and_waited_for() {
    let mut broker = broker("mqtt://127.0.0.1");
    let mut link = Link { stage: LinkStage::Ready, pinged: false };
    let mut old = Publish::new("alerts/x", QoS::AtLeastOnce, "old");
    old.pkid = 7;
    assert!(!broker.is_quiet(0).unwrap());
    let out = give(&mut broker, &mut link, true, |bytes| old.write(bytes)).unwrap();
    assert_eq!(wire::frame(&out).unwrap().unwrap().puback(), Ok(7));
    assert!(!broker.is_quiet(QUIET_NS).unwrap());
    assert!(!broker.is_quiet(2 * QUIET_NS - 1).unwrap());
    assert!(broker.is_quiet(2 * QUIET_NS).unwrap());
    // On a connection that subscribed to nothing it is an offence.
    assert!(give(&mut broker, &mut link, false, |bytes| old.write(bytes)).is_err());
}

#[test]
fn messages_without_end_are_not_waited_out() {
    let mut broker = broker("mqtt://127.0.0.1");
    let mut now_ns = 0;
    let error = loop {
        broker.quiet.strays += 3;
        match broker.is_quiet(now_ns) {
            Ok(quiet) => assert!(!quiet && now_ns <= QUIET_WAIT_NS),
            Err(error) => break error.to_string(),
        }
        now_ns += QUIET_NS / 2;
    };
    assert!(error.contains("on alerts/# before any was sent"), "{error}");
}

#[test]
fn retained_messages_are_of_no_run() {
    let mut broker = broker("mqtt://127.0.0.1");
    let mut bytes = Vec::new();
    wire::write_publish(&mut bytes, b"alerts/x", None, b"body");
    let mut retained = bytes.clone();
    retained[0] |= 1;
    let frame = |bytes| wire::frame(bytes).unwrap().unwrap();
    assert!(!broker.is_ours(frame(&bytes)));
    broker.begin();
    assert!(broker.is_ours(frame(&bytes)) && !broker.is_ours(frame(&retained)));
}

#[test]
fn late_answers_end_the_wait() {
    let (lane, listener) = lane();
    let mut broker = broker(&format!("mqtt://{}", listener.local_addr().unwrap()));
    let lanes = [lane];
    let wait = Duration::from_secs(10);
    assert_eq!(broker.is_ready(&lanes, 10 * SECOND_NS, wait), Ok(false));
    let error = broker.is_ready(&lanes, 10 * SECOND_NS + 1, wait).unwrap_err();
    assert!(error.to_string().contains("did not answer within 10s"), "{error}");
}

#[test]
fn pings_are_sent_in_time_and_must_be_answered() {
    let (lane, _listener) = lane();
    let mut broker = broker("mqtt://127.0.0.1");
    let mut lanes = [lane];
    lanes[0].socket.write().unwrap();
    broker.ping(&mut lanes, PING_PERIOD_NS - 1).unwrap();
    assert!(lanes[0].socket.out().is_empty());
    broker.ping(&mut lanes, PING_PERIOD_NS).unwrap();
    assert_eq!(*lanes[0].socket.out(), PINGREQ);
    lanes[0].socket.write().unwrap();
    let Lane { link, .. } = &mut lanes[0];
    give(&mut broker, link, false, |bytes| PingResp.write(bytes)).unwrap();
    let next_ns = PING_PERIOD_NS * 2;
    broker.ping(&mut lanes, next_ns).unwrap();
    assert_eq!(*lanes[0].socket.out(), PINGREQ);
    broker.ping(&mut lanes, next_ns + SECOND_NS).unwrap();
    let error = broker.ping(&mut lanes, next_ns + PING_PERIOD_NS).unwrap_err();
    assert!(error.to_string().contains("has not answered a ping for 20 s"), "{error}");
}

#[test]
fn client_ids_are_of_one_run_and_as_short_as_any_broker_takes() {
    let (one, other) = (broker("mqtt://127.0.0.1"), broker("mqtt://127.0.0.1"));
    assert_ne!(one.client_id, other.client_id);
    // MQTT 3.1.1 §3.1.3.1; the number of connections has up to four digits.
    assert!(
        one.client_id.len() + 4 <= 23 && one.client_id.bytes().all(|b| b.is_ascii_alphanumeric())
    );
}

#[test]
fn ends_are_explained() {
    let (plain, connecting) = (broker("mqtt://127.0.0.1"), Link::NEW);
    let ready = Link { stage: LinkStage::Ready, pinged: false };
    let io = |kind: io::ErrorKind| LaneError::Io(kind.into());
    let untrusted = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
    for (link, why, part) in [
        (connecting, io(io::ErrorKind::UnexpectedEof), "is it MQTT there, without TLS?"),
        (connecting, io(io::ErrorKind::ConnectionReset), "is it MQTT there, without TLS?"),
        (connecting, io(io::ErrorKind::TimedOut), "did not connect: timed out"),
        (connecting, LaneError::Io(io::Error::other(untrusted)), "--broker-ca FILE"),
        (connecting, LaneError::Wire(wire::WireError::Length), "does not speak MQTT 3.1.1"),
        (ready, io(io::ErrorKind::UnexpectedEof), "closed a connection"),
        (ready, io(io::ErrorKind::TimedOut), "broke a connection: timed out"),
    ] {
        let error = plain.lost(link, &why).to_string();
        assert!(error.starts_with("mqtt://127.0.0.1:1883 ") && error.contains(part), "{error}");
    }
}

#[test]
fn no_debug_output_holds_the_password() {
    let login = Login {
        url: "mqtt://me@127.0.0.1".parse().unwrap(),
        password: Some(Password::new("hush".to_owned()).unwrap()),
    };
    let broker = Broker::new(login, None, ("s/{sensor}", "a/{topic}"), 1).unwrap();
    assert!(!format!("{broker:?}").contains("hush"));
}
