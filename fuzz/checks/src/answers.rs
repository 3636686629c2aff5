//! Answers of the provisioning service and of the security daemon, and acknowledgements in twins.

use std::time::{Duration, Instant};

use sluicegate::azure::conventions::{acknowledged, desired};
use sluicegate::azure::dps::{
    Asked, Registration, RegistrationProgress, parse_request, parse_response, poll, register,
    response,
};
use sluicegate::azure::members::{all_members, described, is_same};
use sluicegate::azure::request_ids::RequestIds;
use sluicegate::azure::workload::{
    Call, parse_error_response, parse_sign_request, parse_sign_response,
    parse_trust_bundle_response, sign_request, sign_response, trust_bundle_response,
};

use crate::input::lines;

const RID_PREFIX: u32 = 7;
/// More requests than one registration may send.
const REQUESTS_MAX: usize = 101;
const WAIT_MAX: Duration = Duration::from_secs(300);

/// The first line of `data` is a topic or an HTTP target, those behind it are bodies.
pub fn check(data: &[u8]) {
    let Some(mut lines) = lines(data) else { return check_body(data) };
    let topic = lines.next().unwrap_or_default();
    check_topic(topic);
    let bodies: Vec<&str> = lines.collect();
    for body in &bodies {
        check_body(body.as_bytes());
        check_member(body);
    }
    check_registration(topic, &bodies);
}

/// What is read of a topic or target is written so that it reads the same.
fn check_topic(topic: &str) {
    if let Some(read) = parse_response(topic) {
        let again = response(read.status, &read.rid, read.retry_after.map(|wait| wait.as_secs()));
        assert_eq!(parse_response(&again).as_ref(), Some(&read), "{topic}");
    }
    let again = match parse_request(topic) {
        Some(Asked::Register { rid }) => register(&rid),
        Some(Asked::Poll { rid, operation_id }) => poll(&rid, &operation_id),
        None => String::new(),
    };
    assert_eq!(parse_request(topic), parse_request(&again), "{topic}");
    for method in ["GET", "POST"] {
        let Some((call, version)) = Call::parse(method, topic) else { continue };
        assert_eq!(call.method(), method);
        let again = call.target(&version);
        assert_eq!(Call::parse(method, &again), Some((call, version)), "{topic}");
    }
    let mut ids = RequestIds::new(RID_PREFIX);
    let made = [ids.make(), ids.make()];
    let place = made.iter().position(|id| id == topic).map(|place| place + 1);
    assert_eq!(ids.number(topic), place.map(|place| place as u64), "only what was made is known");
}

/// What was taken of a body is written so that it reads the same.
fn check_body(body: &[u8]) {
    if let Ok(signed) = parse_sign_request(body) {
        assert_eq!(parse_sign_request(sign_request(&signed).as_bytes()).ok(), Some(signed));
    }
    match parse_sign_response(body) {
        Ok(digest) => {
            let again = sign_response(&digest);
            assert_eq!(parse_sign_response(again.as_bytes()).ok(), Some(digest));
        }
        Err(error) => assert!(!error.to_string().contains(char::is_control)),
    }
    if let Ok(bundle) = parse_trust_bundle_response(body) {
        let again = trust_bundle_response(&bundle);
        assert_eq!(parse_trust_bundle_response(again.as_bytes()).ok(), Some(bundle));
    }
    let _ = parse_error_response(body);
}

/// A member of a twin, by itself.
fn check_member(text: &str) {
    let (_, value) = desired(text);
    assert!(text.contains(value));
    if let Some(read) = acknowledged(text) {
        assert!(read.value.is_none_or(|value| text.contains(value)));
    }
    match all_members(text.as_bytes()) {
        Ok(members) => {
            assert!(is_same(text, text));
            assert!(members.values().all(|value| !described(value).is_empty()));
        }
        Err(problem) => assert!(!problem.contains('\n') && !problem.is_empty()),
    }
}

/// A registration gets these answers, one after the other, each at its time.
fn check_registration(topic: &str, bodies: &[&str]) {
    let start = Instant::now();
    let mut now = start;
    let mut registration = Registration::new("device", None, RID_PREFIX, now);
    // The status of the topic that came, with the id that was asked with.
    let status = parse_response(topic).map_or(202, |read| read.status);
    let wait = parse_response(topic).and_then(|read| read.retry_after);
    for (count, body) in bodies.iter().enumerate() {
        assert!(registration.deadline() <= start + Duration::from_secs(600) && count < 1 << 20);
        now = now.max(registration.deadline());
        let request = match registration.next_request(now) {
            Ok(request) => request.expect("its time has come"),
            Err(_) => return assert!(count > 0),
        };
        assert!(count < REQUESTS_MAX, "it comes to an end");
        let rid = match parse_request(&request.topic) {
            Some(Asked::Register { rid } | Asked::Poll { rid, .. }) => rid,
            None => panic!("{} asks for nothing", request.topic),
        };
        let answer = response(status, &rid, wait.map(|wait| wait.as_secs()));
        match registration.response(&answer, body.as_bytes(), now) {
            Ok(RegistrationProgress::Assigning(wait) | RegistrationProgress::Busy(_, wait)) => {
                assert!(wait <= WAIT_MAX)
            }
            Ok(RegistrationProgress::Ignored) => panic!("it answers what was asked"),
            Ok(RegistrationProgress::Assigned(assignment)) => {
                let is_name = |byte: u8| byte.is_ascii_graphic() && !b"/+#".contains(&byte);
                assert!(assignment.hub.bytes().all(is_name) && !assignment.hub.is_empty());
                assert!(assignment.device.bytes().all(is_name) && !assignment.device.is_empty());
                return;
            }
            Err(error) => return assert!(!error.to_string().contains('\n'), "{error}"),
        }
    }
}
