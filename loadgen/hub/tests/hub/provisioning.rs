//! The provisioning service: registrations, their errors, and the devices that they make.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_STANDARD};
use loadgen_hub::{Enrollment, GroupKey, HubHandle, RegistrationFault};
use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v4::{ConnectReturnCode, Packet, Publish};
use serde_json::{Value, json};
use sluicegate::azure::{Identity, Key, percent_encode, sign_token};

use crate::client::{Client, Credentials, unix_now};
use crate::support::{TestHub, start, start_with};

mod registered;

const KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
const RESPONSES: &str = "$dps/registrations/res/#";

fn key() -> Key {
    Key::from_base64(KEY).unwrap()
}

/// A hub whose group key is the one of the published vectors.
fn start_with_group() -> TestHub {
    start_with(|config| config.provisioning.group_key = GroupKey::Given(key()))
}

/// How the SDKs write their tokens.
#[derive(Debug, Clone, Copy)]
enum Style {
    /// Encoded resource, no policy.
    Python,
    /// Resource neither encoded nor signed encoded, policy before expiry.
    Node,
    /// Encoded resource in lower-case hex, policy.
    C,
}

fn token(enrollment: &Enrollment, style: Style, expiry: u64) -> String {
    let Enrollment { id_scope, registration_id, key } = enrollment;
    let resource = format!("{id_scope}/registrations/{registration_id}");
    let mut encoded = String::new();
    percent_encode(&resource, &mut encoded);
    let sr = match style {
        Style::Python => encoded,
        Style::Node => resource,
        Style::C => encoded.replace("%2F", "%2f"),
    };
    let mut sig = String::new();
    let signature = key.sign(format!("{sr}\n{expiry}").as_bytes());
    percent_encode(&BASE64_STANDARD.encode(signature), &mut sig);
    match style {
        Style::Python => format!("SharedAccessSignature sr={sr}&sig={sig}&se={expiry}"),
        Style::Node => {
            format!("SharedAccessSignature sr={sr}&sig={sig}&skn=registration&se={expiry}")
        }
        Style::C => {
            format!("SharedAccessSignature sr={sr}&sig={sig}&se={expiry}&skn=registration")
        }
    }
}

fn credentials(enrollment: &Enrollment, style: Style) -> Credentials {
    let Enrollment { id_scope, registration_id, .. } = enrollment;
    Credentials {
        client_id: registration_id.clone(),
        username: format!(
            "{id_scope}/registrations/{registration_id}/api-version=2019-03-31&ClientVersion=t%2F1"
        ),
        password: token(enrollment, style, unix_now() + 60),
        clean_session: matches!(style, Style::Node),
        keep_alive_s: 60,
        will: None,
    }
}

/// Connected to the service and listening to its answers.
fn registrant(hub: &HubHandle, id: &str) -> Client {
    let credentials = credentials(&hub.enrollment(id).unwrap(), Style::Python);
    let (mut client, present) = Client::connect_with(hub, &credentials);
    assert!(!present);
    client.subscribe(RESPONSES, QoS::AtLeastOnce);
    client
}

fn register(client: &mut Client, id: &str) -> Publish {
    let body = json!({"payload": null, "registrationId": id}).to_string();
    client.request("$dps/registrations/PUT/iotdps-register/?$rid=r1", body.as_bytes())
}

fn poll(client: &mut Client, operation: &str) -> Publish {
    let mut topic =
        "$dps/registrations/GET/iotdps-get-operationstatus/?$rid=r2&operationId=".to_owned();
    percent_encode(operation, &mut topic);
    client.request(&topic, b" ")
}

fn body(publish: &Publish) -> Value {
    serde_json::from_slice(&publish.payload).unwrap()
}

/// Registers to the end, and gives the answer to the first poll.
fn outcome(client: &mut Client, id: &str) -> Publish {
    let first = register(client, id);
    assert_eq!(first.topic, "$dps/registrations/res/202/?$rid=r1&retry-after=1");
    let operation = body(&first)["operationId"].as_str().unwrap().to_owned();
    poll(client, &operation)
}

fn assign(hub: &HubHandle, id: &str) {
    let answer = outcome(&mut registrant(hub, id), id);
    assert_eq!(answer.topic, "$dps/registrations/res/200/?$rid=r2");
    assert_eq!(body(&answer)["status"], "assigned");
}

/// The device's own credentials at the hub it was assigned to.
fn device(hub: &HubHandle, id: &str, state: &Value) -> Credentials {
    let identity = Identity {
        hub: state["assignedHub"].as_str().unwrap().to_owned(),
        gateway: String::new(),
        device: state["deviceId"].as_str().unwrap().to_owned(),
        module: None,
    };
    let key = hub.enrollment(id).unwrap().key;
    Credentials {
        client_id: identity.client_id(),
        username: identity.username("test", Some("dtmi:com:example:Thermostat;1")),
        password: sign_token(&key, &identity.resource(), unix_now() + 60, None),
        clean_session: false,
        keep_alive_s: 60,
        will: None,
    }
}

#[test]
fn a_device_registers_and_connects_to_the_hub_it_was_assigned() {
    let hub = start_with_group();
    // The published vector of a derived key.
    let enrollment = hub.enrollment("dev-1").unwrap();
    assert_eq!(enrollment.key.to_base64(), "OMh199of2VbMZydm9WzziAMshZm/6i8BTTfCPw6adZM=");
    let mut client = registrant(&hub, "dev-1");
    let first = register(&mut client, "dev-1");
    assert_eq!(first.topic, "$dps/registrations/res/202/?$rid=r1&retry-after=1");
    assert_eq!(first.qos, QoS::AtLeastOnce);
    assert_eq!(body(&first)["status"], "assigning");
    let operation = body(&first)["operationId"].as_str().unwrap().to_owned();
    assert!(!hub.names().unwrap().contains(&"dev-1".to_owned()), "not yet");
    let answer = poll(&mut client, &operation);
    assert_eq!(answer.topic, "$dps/registrations/res/200/?$rid=r2");
    let answer = body(&answer);
    assert_eq!(
        (&answer["operationId"], &answer["status"]),
        (&json!(operation), &json!("assigned"))
    );
    let state = &answer["registrationState"];
    for (name, value) in [
        ("registrationId", "dev-1"),
        ("assignedHub", "localhost"),
        ("deviceId", "dev-1"),
        ("status", "assigned"),
        ("substatus", "initialAssignment"),
    ] {
        assert_eq!(state[name], value, "{name}");
    }
    assert!(state["createdDateTimeUtc"].as_str().unwrap().ends_with('Z'));
    // Its session is its own: neither found there nor evicted by it.
    let (mut at_hub, present) = Client::connect_with(&hub, &device(&hub, "dev-1", state));
    assert!(!present);
    assert!(hub.is_connected("dev-1"));
    client.ping();
    let _second = registrant(&hub, "dev-1");
    at_hub.ping();
    client.disconnect();
    assert_eq!(hub.counters().registrations, 1);
}

#[test]
fn tokens_of_every_sdk_are_verified_as_written() {
    let hub = start_with_group();
    let enrollment = hub.enrollment("dev-1").unwrap();
    for style in [Style::Python, Style::Node, Style::C] {
        let good = credentials(&enrollment, style);
        assert_eq!(Client::open(&hub).login(&good).code, ConnectReturnCode::Success, "{style:?}");
        let wrong = Enrollment { key: key(), ..enrollment.clone() };
        let wrong = credentials(&wrong, style);
        let code = Client::open(&hub).login(&wrong).code;
        assert_eq!(code, ConnectReturnCode::NotAuthorized, "{style:?}");
    }
    // Of the published vectors, those that have not expired for a clock that stands still.
    assert_eq!(
        token(
            &Enrollment { id_scope: "0ne00ABCDEF".into(), key: key(), ..enrollment },
            Style::Node,
            1_700_000_000
        ),
        "SharedAccessSignature \
         sr=0ne00ABCDEF/registrations/dev-1&\
         sig=An%2B0YKcQ89naDwzpMzTEGKY5V45w3uSVQwZpGaZx3L8%3D&skn=registration&se=1700000000"
    );
}

#[test]
fn credentials_decide_the_connack() {
    use ConnectReturnCode::{NotAuthorized, ServiceUnavailable, Success};
    let hub = start_with_group();
    let enrollment = hub.enrollment("dev-1").unwrap();
    let other = hub.enrollment("dev-2").unwrap();
    let code = |change: &dyn Fn(&mut Credentials)| {
        let mut credentials = credentials(&enrollment, Style::Python);
        change(&mut credentials);
        let mut client = Client::open(&hub);
        let code = client.login(&credentials).code;
        if code != Success {
            client.assert_closed();
        }
        code
    };
    assert_eq!(code(&|_| {}), Success);
    assert_eq!(code(&|c| c.username = c.username.replace("/api-", "/?api-")), Success);
    let expired = |seconds| token(&enrollment, Style::Python, unix_now() - seconds);
    assert_eq!(code(&|c| c.password = expired(200)), Success, "within the skew");
    type Case<'a> = (&'static str, &'a dyn Fn(&mut Credentials), ConnectReturnCode);
    let cases: [Case<'_>; 8] = [
        ("expired", &|c| c.password = expired(400), NotAuthorized),
        ("no password", &|c| c.password.clear(), NotAuthorized),
        (
            "another's token",
            &|c| c.password = token(&other, Style::Python, u64::MAX),
            NotAuthorized,
        ),
        ("another scope", &|c| c.username = c.username.replace("0ne", "1ne"), NotAuthorized),
        ("another client id", &|c| c.client_id = "dev-2".into(), NotAuthorized),
        ("client id of a module", &|c| c.client_id = "edge1/filter".into(), NotAuthorized),
        ("no api-version", &|c| c.username = c.username.replace("api-", "x"), ServiceUnavailable),
        ("no query", &|c| c.username = "a/registrations/dev-1/".into(), ServiceUnavailable),
    ];
    for (what, change, expected) in cases {
        assert_eq!(code(change), expected, "{what}");
    }
}

#[test]
fn an_individual_enrollment_has_a_key_of_its_own() {
    let hub = start_with(|config| {
        config.provisioning.group_key = GroupKey::None;
        config.provisioning.individual.insert("own".to_owned(), key());
    });
    assert_eq!(hub.enrollment("own").unwrap().key.to_base64(), KEY);
    assign(&hub, "own");
    // Nobody enrolled this one: its token proves nothing, and it is told so when it asks.
    assert!(hub.enrollment("nobody").is_err());
    let stranger = Enrollment {
        id_scope: hub.enrollment("own").unwrap().id_scope,
        registration_id: "nobody".into(),
        key: key(),
    };
    let (mut client, _) = Client::connect_with(&hub, &credentials(&stranger, Style::Node));
    client.subscribe(RESPONSES, QoS::AtMostOnce);
    let answer = register(&mut client, "nobody");
    assert_eq!(answer.topic, "$dps/registrations/res/404/?$rid=r1");
    assert_eq!(answer.qos, QoS::AtMostOnce);
    assert_eq!(body(&answer)["errorCode"], 404_002);
}

#[test]
fn assigning_takes_as_many_polls_as_configured() {
    let hub = start_with(|config| {
        config.provisioning.assigning_polls = 2;
        config.provisioning.retry_after_s = 3;
    });
    let mut client = registrant(&hub, "dev-1");
    let first = register(&mut client, "dev-1");
    assert_eq!(first.topic, "$dps/registrations/res/202/?$rid=r1&retry-after=3");
    let operation = body(&first)["operationId"].as_str().unwrap().to_owned();
    for _ in 0..2 {
        let answer = poll(&mut client, &operation);
        assert_eq!(answer.topic, "$dps/registrations/res/202/?$rid=r2&retry-after=3");
        assert_eq!(body(&answer)["operationId"], operation.as_str());
    }
    assert_eq!(poll(&mut client, &operation).topic, "$dps/registrations/res/200/?$rid=r2");
}

#[test]
fn errors_come_as_often_as_ordered() {
    let hub = start();
    for (status, retry_after_s) in [(401, None), (429, Some(2)), (500, None), (503, Some(1))] {
        let fault = RegistrationFault::Status { status, retry_after_s, times: 2 };
        hub.set_registration_fault("dev-1", Some(fault)).unwrap();
        let mut client = registrant(&hub, "dev-1");
        let mut other = registrant(&hub, "dev-2");
        let topic = match retry_after_s {
            Some(s) => format!("$dps/registrations/res/{status}/?$rid=r1&retry-after={s}"),
            None => format!("$dps/registrations/res/{status}/?$rid=r1"),
        };
        for _ in 0..2 {
            let answer = register(&mut client, "dev-1");
            assert_eq!(answer.topic, topic);
            let answer = body(&answer);
            assert_eq!(answer["errorCode"], status * 1000 + 2);
            for name in ["trackingId", "message", "timestampUtc"] {
                assert!(answer[name].is_string(), "{name}: {answer}");
            }
            assert!(register(&mut other, "dev-2").topic.contains("/202/"));
        }
        assert_eq!(outcome(&mut client, "dev-1").topic, "$dps/registrations/res/200/?$rid=r2");
    }
}

#[test]
fn registrations_fail_and_are_disabled_on_demand() {
    let hub = start();
    for (fault, status) in
        [(RegistrationFault::Failed, "failed"), (RegistrationFault::Disabled, "disabled")]
    {
        hub.set_registration_fault("dev-1", Some(fault)).unwrap();
        let answer = outcome(&mut registrant(&hub, "dev-1"), "dev-1");
        assert_eq!(answer.topic, "$dps/registrations/res/200/?$rid=r2");
        let answer = body(&answer);
        assert_eq!(answer["status"], status);
        let state = &answer["registrationState"];
        assert_eq!(state["status"], status);
        assert!(state["errorCode"].is_u64() && state["errorMessage"].is_string(), "{state}");
        assert!(state.get("assignedHub").is_none());
        assert!(!hub.names().unwrap().contains(&"dev-1".to_owned()));
    }
    hub.set_registration_fault("dev-1", Some(RegistrationFault::Silence)).unwrap();
    let mut client = registrant(&hub, "dev-1");
    client.publish("$dps/registrations/PUT/iotdps-register/?$rid=1", b"{}");
    client.assert_quiet();
    hub.set_registration_fault("dev-1", None).unwrap();
    assign(&hub, "dev-1");
}

#[test]
fn requests_are_checked() {
    let hub = start();
    let mut client = registrant(&hub, "dev-1");
    let register_topic = "$dps/registrations/PUT/iotdps-register/?$rid=r1";
    for wrong in [&b""[..], b"{", b"{}", br#"{"registrationId": "dev-2"}"#] {
        let answer = client.request(register_topic, wrong);
        assert_eq!(answer.topic, "$dps/registrations/res/400/?$rid=r1");
    }
    // Another registration's operation is none of this one's.
    let mut other = registrant(&hub, "dev-2");
    let operation = body(&register(&mut other, "dev-2"))["operationId"].clone();
    for unknown in ["", "4.x/y", operation.as_str().unwrap()] {
        let answer = poll(&mut client, unknown);
        assert_eq!(answer.topic, "$dps/registrations/res/404/?$rid=r2", "{unknown}");
    }
    // The Python SDK splits at `$`: there is none but those of the form.
    let answer = client.request(
        "$dps/registrations/PUT/iotdps-register/?$rid=a%24b%2Fc",
        br#"{"registrationId": "DEV-1"}"#,
    );
    assert_eq!(answer.topic, "$dps/registrations/res/202/?$rid=a%24b%2Fc&retry-after=1");
}

#[test]
fn answers_go_to_subscribers_alone() {
    let hub = start();
    let enrollment = hub.enrollment("dev-1").unwrap();
    let (mut client, _) = Client::connect_with(&hub, &credentials(&enrollment, Style::Python));
    let topic = "$dps/registrations/PUT/iotdps-register/?$rid=r1";
    client.publish(topic, br#"{"registrationId": "dev-1"}"#);
    client.ping();
    client.subscribe(RESPONSES, QoS::AtLeastOnce);
    assert!(register(&mut client, "dev-1").topic.contains("/202/"));
    client.unsubscribe(RESPONSES);
    client.publish(topic, br#"{"registrationId": "dev-1"}"#);
    client.ping();
}

#[test]
fn what_has_no_place_in_a_registration_closes() {
    let hub = start();
    let topics = ["devices/dev-1/messages/events/", "$dps/registrations/PUT/iotdps-register/", "x"];
    for topic in topics {
        let mut client = registrant(&hub, "dev-1");
        client.post(topic, b"{}");
        client.assert_closed();
    }
    let mut client = registrant(&hub, "dev-1");
    let register = "$dps/registrations/PUT/iotdps-register/?$rid=1";
    let publish = client.publish_packet(register, QoS::ExactlyOnce, b"{}");
    client.send(&Packet::Publish(publish));
    client.assert_closed();
    // Percent-encoded, this request id makes the answer's topic longer than MQTT allows.
    let mut client = registrant(&hub, "dev-1");
    let register = format!("$dps/registrations/PUT/iotdps-register/?$rid={}", "/".repeat(60_000));
    let publish = client.publish_packet(&register, QoS::AtMostOnce, b"{}");
    client.send(&Packet::Publish(publish));
    client.assert_closed();
    let mut client = registrant(&hub, "dev-1");
    client.send_bytes(&[0, 0]);
    client.assert_closed();
    let mut credentials = credentials(&hub.enrollment("dev-1").unwrap(), Style::Node);
    credentials.keep_alive_s = 1;
    Client::connect_with(&hub, &credentials).0.assert_closed();
    let counters = hub.until(|c| c.keep_alive_timeouts == 1);
    assert_eq!(counters.protocol_errors, 6);
}

#[test]
fn a_registration_ends_with_its_token() {
    let hub = start_with(|config| config.token_skew = Duration::ZERO);
    let enrollment = hub.enrollment("dev-1").unwrap();
    let mut credentials = credentials(&enrollment, Style::Python);
    credentials.password = token(&enrollment, Style::Python, unix_now() + 2);
    let (mut client, _) = Client::connect_with(&hub, &credentials);
    client.ping();
    client.assert_closed();
    assert_eq!(hub.counters().keep_alive_timeouts, 0);
}
