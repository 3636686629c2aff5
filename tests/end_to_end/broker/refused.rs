//! A broker that answers an alert by hanging up.

use std::fs::OpenOptions;
use std::io::Write;

use super::client::Client;
use super::{ALERTS, body, numbers, standalone, stop};
use crate::harness::Mosquitto;

/// Largest packet that the broker takes.
const PACKET_BYTES: usize = 2000;

/// An alert is longer than its message, by its topic. One that the broker does not take is given up
/// with advice, and all others arrive; what it was raised by is acknowledged.
#[test]
fn an_alert_that_the_broker_refuses_does_not_block_the_others() {
    let mut mosquitto = Mosquitto::start();
    let config = mosquitto.file("mosquitto.conf");
    let mut config = OpenOptions::new().append(true).open(config).unwrap();
    writeln!(config, "\nmax_packet_size {PACKET_BYTES}").unwrap();
    mosquitto.restart_with_memory();
    let mut alerts = Client::connect(&mosquitto).subscribed(ALERTS);
    let module = standalone(&mosquitto, &mosquitto.url(), &["--client-id", "w"]);
    let mut sensors = Client::connect(&mosquitto);
    let large = body(1, 99);
    // Two bytes of header, the topic with its length and a packet id: the message just fits.
    let padding = " ".repeat(PACKET_BYTES - 3 - 2 - "sensors/a".len() - 2 - large.len());
    sensors.publish_all([
        ("sensors/a".to_owned(), body(0, 99)),
        ("sensors/a".to_owned(), large + &padding),
        ("sensors/a".to_owned(), body(2, 99)),
        ("sensors/a".to_owned(), body(3, 99)),
    ]);
    let mut came = numbers(&alerts.take(3));
    module.wait_for_line(&["given up", "alerts/sensors/a", "larger packets"]);
    // Everything is acknowledged: nothing comes again.
    stop(module);
    let module = standalone(&mosquitto, &mosquitto.url(), &["--client-id", "w"]);
    sensors.publish("sensors/a", body(4, 99));
    while came.last() != Some(&4) {
        came.extend(numbers(&alerts.take(1)));
    }
    stop(module);
    came.dedup();
    assert_eq!(came, [0, 2, 3, 4]);
}
