//! When the device registers again, and what a registration that failed is waited for as.

use super::*;
use crate::azure::dps::RegistrationError;
use crate::mqtt::ConnectError;
use crate::mqtt::session::End;
use register::RegisterError;

/// Only a person can mend a refused identity, enrollment or subscription; anything else may pass.
#[test]
fn a_refused_registration_is_asked_for_rarely() {
    let refused =
        |status| RegistrationError::Refused { status, code: 0, message: String::new() }.into();
    let lost = |end| RegisterError::Lost { end, hint: String::new() };
    let exhausted = RegistrationError::Exhausted { requests: 100, time: HOUR };
    let failed = RegistrationError::Failed { code: 1, message: String::new() };
    for (error, answer) in [
        (RegisterError::Connect(ConnectError::refused(5)), Answer::Identity),
        (RegisterError::Connect(ConnectError::refused(3)), Answer::Refusal),
        (refused(401), Answer::Identity),
        (failed.into(), Answer::Identity),
        (RegistrationError::Disabled.into(), Answer::Identity),
        (exhausted.into(), Answer::Refusal),
        (lost(End::SubscriptionRefused("$dps/#".to_owned())), Answer::Identity),
        (lost(End::NoSubAck), Answer::Refusal),
    ] {
        let text = format!("{error:?}");
        assert_eq!(error.answer(), answer, "{text}");
    }
}

/// A hub that refuses the identity sends the device back to register; under its new id it starts
/// anew, and what it had measured goes there.
#[test]
fn a_refused_identity_registers_again() {
    run(async {
        let world = World::start(HOUR).await;
        world.assign("old").await;
        let mut hub = world.serve("old", &empty_twin()).await;
        assert_eq!(hub.report().await, json!({"state": "true"}));
        let measured = hub.telemetry().await;
        drop(hub);
        for _ in 0..REFUSALS_MAX {
            let refused = world.accept(ConnectReturnCode::NotAuthorized).await;
            assert_eq!(refused.hello.client_id, "old");
        }
        world.assign("new").await;
        let mut hub = world.serve("new", &empty_twin()).await;
        assert_eq!(hub.report().await, json!({"state": "true"}));
        let again = hub.telemetry().await;
        assert!(again.topic.starts_with("devices/new/"), "{}", again.topic);
        let summary = world.quit(Some(hub)).await;
        assert_eq!((summary.counters.registrations, summary.counters.connections), (2, 2));
        assert!(!measured.payload.is_empty());
    });
}

#[test]
fn a_device_that_cannot_register_says_so() {
    run(async {
        let world = World::start(HOUR).await;
        let mut dps = world.accept(ConnectReturnCode::Success).await;
        dps.subscribe(&["$dps/registrations/res/#"]).await;
        let register = dps.publish().await;
        let refusal = json!({"errorCode": 401_002, "message": "Unauthorized"});
        dps.send(&dps::response(401, &rid(&register.topic), None), &refusal).await;
        dps.disconnect().await;
        let refused = world.accept(ConnectReturnCode::BadUserNamePassword).await;
        drop(refused);
        let summary = world.quit(None).await;
        assert_eq!(summary.counters.connections, 0);
        let failure = summary.failure.expect("it failed");
        assert!(failure.contains("401") || failure.contains("CONNACK 4"), "{failure}");
        assert!(!failure.contains(KEY) && !failure.contains("SharedAccess"), "{failure}");
    });
}
