//! TLS, passwords and client certificates of a broker; and no secret in any log, to which every
//! process of these tests is held.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use super::client::Client;
use super::{ALERTS, CONTROL, SENSORS, body, command, numbers, start};
use crate::harness::{Access, BROKER_PASSWORD, BROKER_USER, Mosquitto, Process, wait_until};

const WRONG: &str = "this-is-quite-another-one";

/// `sluicegate run` over TLS as `user`, which is empty or ends with `@`.
fn over_tls(mosquitto: &Mosquitto, user: &str, flags: &[&str]) -> Command {
    let mut command = command(&format!("mqtts://{user}localhost:{}", mosquitto.tls_port()), flags);
    command.env("SLUICEGATE_BROKER_CA", mosquitto.file("ca.pem"));
    command
}

/// Both connections work: a reading becomes an alert.
#[track_caller]
fn check_that_it_filters(mosquitto: &Mosquitto, command: &mut Command) {
    let mut alerts = Client::connect(mosquitto).subscribed(ALERTS);
    let _module = start(mosquitto, command, &[SENSORS, CONTROL]).must_not_show(BROKER_PASSWORD);
    let mut sensors = Client::connect(mosquitto);
    sensors.publish_all([20, 30].map(|t| ("sensors/a".to_owned(), body(t, t))));
    assert_eq!(numbers(&alerts.take(1)), [30]);
}

/// The module stays, tries again, and says what to do: in one line all of `words` stand.
#[track_caller]
fn check_that_it_explains(mosquitto: &Mosquitto, command: &mut Command, words: &[&str]) {
    let before = mosquitto.subscriptions(SENSORS);
    let module =
        Process::spawn("sluicegate", command).must_not_show(BROKER_PASSWORD).must_not_show(WRONG);
    let explained = |line: &&String| {
        let line = line.to_lowercase();
        // The line of the start tells the settings, not what is wrong with them.
        !line.contains(" starts: ") && words.iter().all(|word| line.contains(&word.to_lowercase()))
    };
    wait_until(&format!("a log line has {words:?}"), || {
        assert!(module.is_running(), "the module ended instead of trying again");
        module.lines().iter().any(|line| explained(&line))
    });
    assert_eq!(mosquitto.subscriptions(SENSORS), before);
}

/// Over TLS with the broker's own CA, logged in with a password from any of the places.
#[test]
fn a_password_may_come_from_file_variable_or_url() {
    let mosquitto = Mosquitto::start_for(Access::Password);
    let user = format!("{BROKER_USER}@");
    let file = mosquitto.file("password");
    fs::write(&file, format!("{BROKER_PASSWORD}\n")).unwrap();

    let by_flag = ["--broker-password-file", file.to_str().unwrap()];
    check_that_it_filters(&mosquitto, &mut over_tls(&mosquitto, &user, &by_flag));
    let mut command = over_tls(&mosquitto, &user, &[]);
    command.env("SLUICEGATE_BROKER_PASSWORD_FILE", &file);
    check_that_it_filters(&mosquitto, &mut command);
    let mut command = over_tls(&mosquitto, &user, &[]);
    command.env("SLUICEGATE_BROKER_PASSWORD", BROKER_PASSWORD);
    check_that_it_filters(&mosquitto, &mut command);
    let with_password = format!("{BROKER_USER}:{BROKER_PASSWORD}@");
    check_that_it_filters(&mosquitto, &mut over_tls(&mosquitto, &with_password, &[]));
}

/// A certificate that the broker asks for is shown.
#[test]
fn a_client_certificate_is_shown() {
    let mosquitto = Mosquitto::start_for(Access::Certificate);
    let (certificate, key) = (mosquitto.file("client.pem"), mosquitto.file("client.key"));
    let flags =
        ["--broker-cert", certificate.to_str().unwrap(), "--broker-key", key.to_str().unwrap()];
    check_that_it_filters(&mosquitto, &mut over_tls(&mosquitto, "", &flags));
    check_that_it_explains(&mosquitto, &mut over_tls(&mosquitto, "", &[]), &["broker-cert"]);
}

#[test]
fn a_wrong_password_is_explained() {
    let mosquitto = Mosquitto::start_for(Access::Password);
    let user = format!("{BROKER_USER}@");
    let mut command = over_tls(&mosquitto, &user, &[]);
    command.env("SLUICEGATE_BROKER_PASSWORD", WRONG);
    check_that_it_explains(&mosquitto, &mut command, &["refused", "password"]);
    // Nor does it help to have none.
    let mut command = over_tls(&mosquitto, "", &[]);
    check_that_it_explains(&mosquitto, &mut command, &["refused", "password"]);
}

#[test]
fn an_unknown_ca_is_explained() {
    let (mosquitto, other) = (Mosquitto::start(), Mosquitto::start());
    let mut command = over_tls(&mosquitto, "", &[]);
    command.env("SLUICEGATE_BROKER_CA", other.file("ca.pem"));
    check_that_it_explains(&mosquitto, &mut command, &["certificate", "broker-ca"]);
    // Nor is it among the system's roots.
    command.env_remove("SLUICEGATE_BROKER_CA");
    check_that_it_explains(&mosquitto, &mut command, &["certificate", "broker-ca"]);
}

/// `check` shows where and as whom, and no password.
#[test]
fn check_shows_no_password() {
    let mut command = crate::harness::sluicegate();
    let url = format!("mqtts://{BROKER_USER}:{WRONG}@broker.example");
    command.args(["check", "--broker", &url]);
    let mut check = Process::spawn("sluicegate", &mut command).must_not_show(WRONG);
    assert_eq!(check.wait_for_exit().code(), Some(0));
    check.wait_for_line(&["broker.example", "8883", SENSORS]);
}

/// A wrong password is put right while the module waits: it needs no restart, and does not wait for
/// the next attempt, which a refused login makes rare.
#[test]
fn a_password_that_is_put_right_is_taken() {
    let mosquitto = Mosquitto::start_for(Access::Password);
    let file = mosquitto.file("password");
    fs::write(&file, WRONG).unwrap();
    let flags = ["--broker-password-file", file.to_str().unwrap()];
    let mut command = over_tls(&mosquitto, &format!("{BROKER_USER}@"), &flags);
    let before = mosquitto.subscriptions(SENSORS);
    let module = Process::spawn("sluicegate", &mut command).must_not_show(BROKER_PASSWORD);
    // Each connection then waits for 6 s at least.
    for client in ["-out: still, after 3 failures in ", ": still, after 3 failures in "] {
        module.wait_for_line(&[client, "CONNACK"]);
    }
    let mended = Instant::now();
    fs::write(&file, "").unwrap();
    module.wait_for_line(&["password", "empty"]);
    fs::write(&file, BROKER_PASSWORD).unwrap();
    wait_until("it has subscribed", || mosquitto.subscriptions(SENSORS) > before);
    module.wait_for_line(&["connected to localhost", "-out, ", " failures in "]);
    assert!(mended.elapsed() < Duration::from_secs(5), "{:?}", mended.elapsed());
}

/// The same for a client certificate and its key, which are exchanged one after the other.
#[test]
fn a_client_certificate_that_is_exchanged_is_taken() {
    let mosquitto = Mosquitto::start_for(Access::Certificate);
    let made = rcgen::generate_simple_self_signed(["stranger".to_owned()]).unwrap();
    let (certificate, key) = (mosquitto.file("own.pem"), mosquitto.file("own.key"));
    fs::write(&certificate, made.cert.pem()).unwrap();
    fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let flags =
        ["--broker-cert", certificate.to_str().unwrap(), "--broker-key", key.to_str().unwrap()];
    let before = mosquitto.subscriptions(SENSORS);
    let module = Process::spawn("sluicegate", &mut over_tls(&mosquitto, "", &flags));
    module.wait_for_line(&["our client certificate", "broker-cert"]);
    fs::copy(mosquitto.file("client.pem"), &certificate).unwrap();
    module.wait_for_line(&["own.pem and ", "the key does not belong to the certificate"]);
    fs::copy(mosquitto.file("client.key"), &key).unwrap();
    wait_until("it has subscribed", || mosquitto.subscriptions(SENSORS) > before);
}

/// A broker whose own certificate is all that is known of it.
#[test]
fn the_certificate_of_the_broker_is_enough() {
    let mosquitto = Mosquitto::start_for(Access::Anybody);
    let url = format!("mqtts://localhost:{}", mosquitto.tls_port());
    let mut command = command(&url, &[]);
    command.env("SLUICEGATE_BROKER_CA", mosquitto.file("server.pem"));
    check_that_it_filters(&mosquitto, &mut command);
}
