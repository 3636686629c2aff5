//! TLS and passwords.

use test_support::{BROKER_PASSWORD, BROKER_USER, Mosquitto};

use super::mosquitto::{guarded, open, sink, tls_url};
use crate::support::{Ran, alone, run};

const FLAGS: [&str; 8] =
    ["--rate", "2k", "--warm-up", "200ms", "--for", "500ms", "--connections", "2"];

/// A run with TLS and the broker's own CA.
fn run_with_tls(mosquitto: &Mosquitto, user: &str, flags: &[&str], password: Option<&str>) -> Ran {
    let ca_file = mosquitto.ca_file();
    let ca = ["--broker-ca", ca_file.to_str().unwrap()];
    run(&tls_url(mosquitto, user), &[&FLAGS[..], &ca, flags].concat(), password)
}

/// Everything is verified as without TLS, and neither the result nor anything printed holds the
/// password.
#[test]
fn messages_are_verified_over_tls_with_a_password() {
    let _alone = alone();
    let mosquitto = guarded();
    let _sink = sink(&mosquitto, &[], &[]);
    let file = mosquitto.ca_file().with_file_name("password");
    std::fs::write(&file, format!("{BROKER_PASSWORD}\n")).unwrap();
    let from_file = ["--broker-password-file", file.to_str().unwrap()];
    for ran in [
        run_with_tls(&mosquitto, BROKER_USER, &[], Some(BROKER_PASSWORD)),
        run_with_tls(&mosquitto, BROKER_USER, &from_file, None),
    ] {
        let counts = ran.outcome().counts;
        assert_eq!((counts.sent, counts.unsent), (1_400, 0), "{ran:?}");
        assert!(counts.is_clean() && counts.alerts_correct > 0, "{ran:?}");
        assert!(ran.json.contains("mqtts://sensors@localhost"), "{ran:?}");
        assert!(!(format!("{ran:?}") + &ran.json).contains(BROKER_PASSWORD));
    }
}

#[test]
fn wrong_passwords_are_refused() {
    let _alone = alone();
    let mosquitto = guarded();
    let wrong = "also not told";
    for (user, password) in
        [(BROKER_USER, Some(wrong)), (BROKER_USER, None), ("nobody", Some(wrong))]
    {
        let ran = run_with_tls(&mosquitto, user, &[], password);
        ran.refused("refuses the connection: user name or password are wrong");
        assert!(!ran.stderr.contains(wrong), "{ran:?}");
    }
    run(&mosquitto.url(), &FLAGS, None).refused("it wants a user: write mqtt://user@host");
}

#[test]
fn an_unknown_ca_is_not_trusted() {
    let _alone = alone();
    let (mosquitto, other) = (guarded(), guarded());
    let ca = other.ca_file();
    let flags = [&FLAGS[..], &["--broker-ca", ca.to_str().unwrap()]].concat();
    run(&tls_url(&mosquitto, BROKER_USER), &flags, Some(BROKER_PASSWORD))
        .refused("name its CA, or its own certificate, with --broker-ca");
    // The certificate is for another name.
    let url = tls_url(&mosquitto, BROKER_USER).replace("localhost", "127.0.0.1");
    let ca = mosquitto.ca_file();
    let flags = [&FLAGS[..], &["--broker-ca", ca.to_str().unwrap()]].concat();
    run(&url, &flags, Some(BROKER_PASSWORD)).refused("the host as the certificate does");
}

#[test]
fn tls_to_a_plain_port_and_plain_to_a_tls_port() {
    let _alone = alone();
    let mosquitto = open();
    let plain = tls_url(&mosquitto, BROKER_USER).replace("mqtts", "mqtt");
    run(&plain, &FLAGS, Some(BROKER_PASSWORD)).refused("without TLS");
    let ca = mosquitto.ca_file();
    let flags = [&FLAGS[..], &["--broker-ca", ca.to_str().unwrap()]].concat();
    run(&mosquitto.url().replace("mqtt:", "mqtts:"), &flags, None)
        .refused("is it MQTT there, with TLS?");
}
