//! TLS and passwords.

use super::mosquitto::{Mosquitto, PASSWORD, USER};
use crate::support::{Ran, alone, run};

const FLAGS: [&str; 8] =
    ["--rate", "2k", "--warm-up", "200ms", "--for", "500ms", "--connections", "2"];

/// A run with TLS and the broker's own CA.
fn run_with_tls(mosquitto: &Mosquitto, user: &str, flags: &[&str], password: Option<&str>) -> Ran {
    let ca_file = mosquitto.ca_file();
    let ca = ["--broker-ca", ca_file.to_str().unwrap()];
    run(&mosquitto.tls_url(user), &[&FLAGS[..], &ca, flags].concat(), password)
}

/// Everything is verified as without TLS, and neither the result nor anything printed holds the
/// password.
#[test]
fn messages_are_verified_over_tls_with_a_password() {
    let _alone = alone();
    let mut mosquitto = Mosquitto::guarded();
    let _sink = mosquitto.sink(&[], &[]);
    let file = mosquitto.ca_file().with_file_name("password");
    std::fs::write(&file, format!("{PASSWORD}\n")).unwrap();
    let from_file = ["--broker-password-file", file.to_str().unwrap()];
    for ran in [
        run_with_tls(&mosquitto, USER, &[], Some(PASSWORD)),
        run_with_tls(&mosquitto, USER, &from_file, None),
    ] {
        let counts = ran.outcome().counts;
        assert_eq!((counts.sent, counts.unsent), (1_400, 0), "{ran:?}");
        assert!(counts.is_clean() && counts.alerts_correct > 0, "{ran:?}");
        assert!(ran.json.contains("mqtts://sensors@localhost"), "{ran:?}");
        assert!(!(format!("{ran:?}") + &ran.json).contains(PASSWORD));
    }
}

#[test]
fn wrong_passwords_are_refused() {
    let _alone = alone();
    let mosquitto = Mosquitto::guarded();
    let wrong = "also not told";
    for (user, password) in [(USER, Some(wrong)), (USER, None), ("nobody", Some(wrong))] {
        let ran = run_with_tls(&mosquitto, user, &[], password);
        ran.refused("refuses the connection: user name or password are wrong");
        assert!(!ran.stderr.contains(wrong), "{ran:?}");
    }
    run(&mosquitto.url(), &FLAGS, None).refused("it wants a user: write mqtt://user@host");
}

#[test]
fn an_unknown_ca_is_not_trusted() {
    let _alone = alone();
    let (mosquitto, other) = (Mosquitto::guarded(), Mosquitto::guarded());
    let ca = other.ca_file();
    let flags = [&FLAGS[..], &["--broker-ca", ca.to_str().unwrap()]].concat();
    run(&mosquitto.tls_url(USER), &flags, Some(PASSWORD))
        .refused("name its CA, or its own certificate, with --broker-ca");
    // The certificate is for another name.
    let url = mosquitto.tls_url(USER).replace("localhost", "127.0.0.1");
    let ca = mosquitto.ca_file();
    let flags = [&FLAGS[..], &["--broker-ca", ca.to_str().unwrap()]].concat();
    run(&url, &flags, Some(PASSWORD)).refused("the host as the certificate does");
}

#[test]
fn tls_where_there_is_none_and_none_where_there_is() {
    let _alone = alone();
    let mosquitto = Mosquitto::open();
    let plain = mosquitto.tls_url(USER).replace("mqtts", "mqtt");
    run(&plain, &FLAGS, Some(PASSWORD)).refused("without TLS");
    let ca = mosquitto.ca_file();
    let flags = [&FLAGS[..], &["--broker-ca", ca.to_str().unwrap()]].concat();
    run(&mosquitto.url().replace("mqtt:", "mqtts:"), &flags, None)
        .refused("is it MQTT there, with TLS?");
}
