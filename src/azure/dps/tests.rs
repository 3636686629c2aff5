use super::registration::*;
use super::*;
use crate::azure::{Key, sign_token};
use proptest::prelude::*;
use std::time::Instant;

const KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

fn enrollment() -> Enrollment {
    Enrollment { id_scope: "0ne00ABCDEF".into(), registration_id: "dev-1".into() }
}

#[test]
fn username_token_and_derived_key_are_those_of_the_sdks() {
    assert_eq!(
        enrollment().username("azure-iot-device-provisioning-py/2.14.0(3"),
        "0ne00ABCDEF/registrations/dev-1/api-version=2019-03-31&ClientVersion=\
         azure-iot-device-provisioning-py%2F2.14.0%283"
    );
    let key = Key::from_base64(KEY).unwrap();
    assert_eq!(
        sign_token(&key, &enrollment().resource(), 1_700_000_000, Some(POLICY)),
        "SharedAccessSignature sr=0ne00ABCDEF%2Fregistrations%2Fdev-1&\
         sig=0pA8rln4VyDJksh7L%2BQMDklFGZYVMCvZ9aBavkYUrBM%3D&se=1700000000&skn=registration"
    );
    assert_eq!(key.derive("dev-1").to_base64(), "OMh199of2VbMZydm9WzziAMshZm/6i8BTTfCPw6adZM=");
}

#[test]
fn topics_are_those_of_the_sdks_and_are_read_back() {
    assert_eq!(register("r1"), "$dps/registrations/PUT/iotdps-register/?$rid=r1");
    let polled = poll("r2", "4.x/y");
    assert_eq!(
        polled,
        "$dps/registrations/GET/iotdps-get-operationstatus/?$rid=r2&operationId=4.x%2Fy"
    );
    assert_eq!(parse_request(&register("r 1")), Some(Asked::Register { rid: "r 1".into() }));
    let asked = Asked::Poll { rid: "r2".into(), operation_id: "4.x/y".into() };
    assert_eq!(parse_request(&polled), Some(asked));
    assert_eq!(parse_request("$dps/registrations/PUT/iotdps-register/"), None);
    assert_eq!(parse_request("devices/d/messages/events/"), None);
}

#[test]
fn answers_are_read_and_never_panic() {
    let topic = response(202, "r1", Some(3));
    assert_eq!(topic, "$dps/registrations/res/202/?$rid=r1&retry-after=3");
    let read = parse_response(&topic).unwrap();
    assert_eq!((read.status, &*read.rid), (202, "r1"));
    assert_eq!(read.retry_after, Some(Duration::from_secs(3)));
    let read = parse_response("$dps/registrations/res/200/?$rid=a%2Fb&x&retry-after=soon").unwrap();
    assert_eq!((&*read.rid, read.retry_after), ("a/b", None));
    for bad in ["", "$dps/registrations/res/", "$dps/registrations/res/200", "$iothub/twin/res/1/"]
    {
        assert_eq!(parse_response(bad), None, "{bad:?}");
    }
    assert_eq!(parse_response("$dps/registrations/res/200/$rid=1"), None);
    assert_eq!(parse_response("$dps/registrations/res/x/?$rid=1"), None);
}

#[test]
fn the_model_is_announced_in_the_payload() {
    assert_eq!(register_body("dev-1", None), r#"{"registrationId":"dev-1"}"#);
    let body: serde_json::Value =
        serde_json::from_str(&register_body("dev-1", Some("dtmi:a:B;1"))).unwrap();
    assert_eq!(body, json!({"registrationId": "dev-1", "payload": {"modelId": "dtmi:a:B;1"}}));
}

struct Bench {
    registration: Registration,
    now: Instant,
}

fn bench() -> Bench {
    let now = Instant::now();
    Bench { registration: Registration::new("dev-1", None, 7, now), now }
}

impl Bench {
    /// The request that is due now, and its id.
    fn request(&mut self) -> (String, String) {
        let request = self.registration.next_request(self.now).expect("within bounds");
        let topic = request.expect("a request is due").topic;
        let rid = match parse_request(&topic).expect("a request") {
            Asked::Register { rid } | Asked::Poll { rid, .. } => rid.into_owned(),
        };
        (topic, rid)
    }

    fn answer(
        &mut self,
        status: u32,
        rid: &str,
        retry_after_s: Option<u64>,
        body: &str,
    ) -> Result<RegistrationProgress, RegistrationError> {
        let topic = response(status, rid, retry_after_s);
        self.registration.response(&topic, body.as_bytes(), self.now)
    }

    /// Nothing is due until `wait` has passed, then something is.
    fn passes(&mut self, wait: Duration) {
        assert_eq!(self.registration.deadline(), self.now + wait);
        self.now += wait - Duration::from_millis(1);
        assert_eq!(self.registration.next_request(self.now), Ok(None), "too early");
        self.now += Duration::from_millis(1);
    }
}

const ASSIGNING: &str = r#"{"operationId":"4.x/y","status":"assigning"}"#;
const ASSIGNED: &str = r#"{"operationId":"4.x/y","status":"assigned","registrationState":{
    "registrationId":"dev-1","assignedHub":"x.azure-devices.net","deviceId":"dev-1",
    "status":"assigned","substatus":"initialAssignment","payload":null}}"#;

#[test]
fn registers_polls_after_the_time_asked_for_and_is_assigned() {
    let mut bench = bench();
    let (topic, rid) = bench.request();
    assert!(topic.starts_with("$dps/registrations/PUT/iotdps-register/?$rid="), "{topic}");
    let wait = Duration::from_secs(3);
    assert_eq!(
        bench.answer(202, &rid, Some(3), ASSIGNING),
        Ok(RegistrationProgress::Assigning(wait))
    );
    bench.passes(wait);
    let (topic, rid) = bench.request();
    assert!(topic.ends_with("&operationId=4.x%2Fy"), "{topic}");
    let wait = RETRY_AFTER_DEFAULT;
    let again = r#"{"status":"assigning"}"#;
    assert_eq!(bench.answer(202, &rid, None, again), Ok(RegistrationProgress::Assigning(wait)));
    bench.passes(wait);
    let (topic, rid) = bench.request();
    assert!(topic.ends_with("&operationId=4.x%2Fy"), "{topic}");
    let assignment = Assignment { hub: "x.azure-devices.net".into(), device: "dev-1".into() };
    assert_eq!(
        bench.answer(200, &rid, None, ASSIGNED),
        Ok(RegistrationProgress::Assigned(assignment))
    );
}

/// 429 and 5xx repeat the request that they answer: the registration before, the poll after.
#[test]
fn a_busy_service_is_asked_again() {
    let mut bench = bench();
    let (_, rid) = bench.request();
    let wait = Duration::from_secs(9);
    assert_eq!(bench.answer(429, &rid, Some(9), ""), Ok(RegistrationProgress::Busy(429, wait)));
    bench.passes(wait);
    let (topic, rid) = bench.request();
    assert!(topic.contains("/PUT/"), "{topic}");
    bench.answer(202, &rid, Some(0), ASSIGNING).unwrap();
    bench.passes(RETRY_AFTER_MIN);
    let (topic, rid) = bench.request();
    assert!(topic.contains("/GET/"), "{topic}");
    let wait = RETRY_AFTER_DEFAULT;
    assert_eq!(bench.answer(503, &rid, None, "<html>"), Ok(RegistrationProgress::Busy(503, wait)));
    bench.passes(wait);
    let (topic, rid) = bench.request();
    assert!(topic.contains("/GET/"), "{topic}");
    let busy = bench.answer(429, &rid, Some(86_400), "");
    assert_eq!(busy, Ok(RegistrationProgress::Busy(429, RETRY_AFTER_MAX)));
}

#[test]
fn without_an_answer_the_request_is_sent_again() {
    let mut bench = bench();
    let (_, first) = bench.request();
    bench.passes(ANSWER_WAIT);
    let (topic, second) = bench.request();
    assert!(topic.contains("/PUT/"), "{topic}");
    assert_ne!(first, second);
    assert!(matches!(
        bench.answer(200, &second, None, ASSIGNED),
        Ok(RegistrationProgress::Assigned(_))
    ));
}

/// A service whose every answer takes longer than is waited for assigns all the same: each answer
/// counts once, whichever of the same requests it answers.
#[test]
fn an_answer_that_is_always_late_counts() {
    let mut bench = bench();
    let (_, first) = bench.request();
    bench.passes(ANSWER_WAIT);
    let (_, second) = bench.request();
    bench.now += Duration::from_secs(5);
    let wait = Duration::from_secs(3);
    assert_eq!(
        bench.answer(202, &first, Some(3), ASSIGNING),
        Ok(RegistrationProgress::Assigning(wait))
    );
    assert_eq!(
        bench.answer(202, &second, Some(9), ASSIGNING),
        Ok(RegistrationProgress::Ignored),
        "again"
    );
    bench.passes(wait);
    let (topic, first) = bench.request();
    assert!(topic.contains("/GET/"), "{topic}");
    bench.passes(ANSWER_WAIT);
    bench.request();
    assert!(matches!(
        bench.answer(200, &first, None, ASSIGNED),
        Ok(RegistrationProgress::Assigned(_))
    ));
}

#[test]
fn refusals_say_what_to_check_and_end_it() {
    let body = r#"{"errorCode":401002,"trackingId":"t","message":"Unauthorized"}"#;
    for (status, advice) in [(401, "key"), (404, "registration id"), (400, "enrollment")] {
        let mut bench = bench();
        let (_, rid) = bench.request();
        let error = bench.answer(status, &rid, None, body).unwrap_err();
        assert!(error.is_permanent());
        let text = error.to_string();
        for part in [&status.to_string(), "401002", "Unauthorized", advice] {
            assert!(text.contains(part), "{text}");
        }
    }
}

#[test]
fn failed_and_disabled_are_distinguished() {
    let mut failed = bench();
    let (_, rid) = failed.request();
    let body = r#"{"operationId":"o","status":"failed",
        "registrationState":{"errorCode":400209,"errorMessage":"hub full"}}"#;
    let error = failed.answer(200, &rid, None, body).unwrap_err();
    let wanted = RegistrationError::Failed { code: 400_209, message: "hub full".into() };
    assert_eq!(error, wanted);
    assert!(error.is_permanent());
    let mut disabled = bench();
    let (_, rid) = disabled.request();
    let error = disabled.answer(200, &rid, None, r#"{"status":"disabled"}"#).unwrap_err();
    assert_eq!(error, RegistrationError::Disabled);
}

#[test]
fn nonsense_is_an_error_not_a_panic() {
    let long = format!(r#"{{"status":"{}"}}"#, "é".repeat(10_000));
    let bodies = [
        "",
        "[]",
        "null",
        r#"{"status":7}"#,
        r#"{"status":"assigning"}"#,
        r#"{"status":"assigned"}"#,
        r#"{"status":"assigned","registrationState":{"assignedHub":"h","deviceId":"a/b"}}"#,
        r#"{"status":"assigned","registrationState":{"assignedHub":"h h","deviceId":"a"}}"#,
        &long,
    ];
    for body in bodies {
        let mut bench = bench();
        let (_, rid) = bench.request();
        let error = bench.answer(200, &rid, None, body).unwrap_err();
        assert!(matches!(error, RegistrationError::Malformed(_)), "{body}: {error:?}");
        assert!(!error.is_permanent());
        assert!(error.to_string().len() < 1000, "cut to a line");
    }
}

#[test]
fn ends_at_the_bound_of_requests() {
    let mut bench = bench();
    for _ in 0..REQUESTS_MAX {
        let (_, rid) = bench.request();
        bench.answer(202, &rid, Some(1), ASSIGNING).unwrap();
        bench.passes(Duration::from_secs(1));
    }
    let error = bench.registration.next_request(bench.now).unwrap_err();
    assert!(matches!(error, RegistrationError::Exhausted { requests: REQUESTS_MAX, .. }));
}

#[test]
fn ends_at_the_bound_of_time() {
    let mut bench = bench();
    let (_, rid) = bench.request();
    bench.answer(429, &rid, Some(300), "").unwrap();
    bench.now += Duration::from_secs(300);
    let (_, rid) = bench.request();
    bench.now += Duration::from_millis(1);
    bench.answer(429, &rid, Some(300), "").unwrap();
    assert_eq!(
        bench.registration.deadline(),
        bench.now + Duration::from_secs(300) - Duration::from_millis(1)
    );
    bench.now = bench.registration.deadline();
    let error = bench.registration.next_request(bench.now).unwrap_err();
    assert!(matches!(error, RegistrationError::Exhausted { requests: 2, .. }), "{error:?}");
}

proptest! {
    /// For any topic and any body there is no panic, and every wait is within its bounds.
    #[test]
    fn any_answer_is_survived(
        tail in ".{0,40}",
        status in any::<u32>(),
        retry_after_s in any::<Option<u64>>(),
        body in prop_oneof![
            any::<Vec<u8>>(),
            "\\{\"status\":\"[a-z]*\".{0,40}\\}".prop_map(String::into_bytes),
        ],
    ) {
        let mut bench = bench();
        let (_, rid) = bench.request();
        let odd = format!("$dps/registrations/res/{tail}");
        let _ = bench.registration.response(&odd, &body, bench.now);
        let topic = response(status, &rid, retry_after_s);
        match bench.registration.response(&topic, &body, bench.now) {
            Ok(RegistrationProgress::Assigning(wait) | RegistrationProgress::Busy(_, wait)) => {
                prop_assert!((RETRY_AFTER_MIN..=RETRY_AFTER_MAX).contains(&wait));
                prop_assert_eq!(bench.registration.deadline(), bench.now + wait);
            }
            Ok(RegistrationProgress::Assigned(_) | RegistrationProgress::Ignored) | Err(_) => {}
        }
        let _ = parse_request(&odd);
    }
}
