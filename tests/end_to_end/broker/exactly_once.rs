//! What a session delivers at QoS 2, by filters that another program left in it.

use rumqttc::mqttbytes::QoS;

use super::client::Client;
use super::tap::{Hold, Tap};
use super::{ALERTS, CONTROL, SENSORS, body, command, figure, numbers, start, stop};
use crate::harness::{Mosquitto, wait_until};

const FLAGS: [&str; 2] = ["--client-id", "plant"];

/// Waits until all that was delivered to the source is acknowledged.
fn wait_for_acknowledgements(tap: &Tap, count: usize) {
    wait_until(&format!("{count} messages are acknowledged"), || {
        tap.passed("plant") == (count, count)
    });
}

/// A session of an earlier program has a QoS 2 filter, and a message that came by it waits. It is
/// acknowledged as the protocol wants, and so are readings behind it; the broker is done with all
/// of them, so the next connection brings nothing.
#[test]
fn a_session_with_qos_2_filters_is_served() {
    let mosquitto = Mosquitto::start();
    drop(Client::resume(&mosquitto, "plant").subscribed_at(QoS::ExactlyOnce, "other/#"));
    Client::connect(&mosquitto).publish_exactly_once("other/a", "no reading");
    let mut alerts = Client::connect(&mosquitto).subscribed(ALERTS);
    let tap = Tap::on(&mosquitto);
    let module = start(&mosquitto, &mut command(&tap.url(), &FLAGS), &[SENSORS, CONTROL]);
    let mut sensors = Client::connect(&mosquitto);
    sensors.publish("sensors/a", body(1, 99));
    assert_eq!(numbers(&[alerts.expect()]), [1]);
    wait_for_acknowledgements(&tap, 2);
    sensors.publish_exactly_once("other/a", "no reading");
    sensors.publish("sensors/a", body(2, 99));
    assert_eq!(numbers(&[alerts.expect()]), [2]);
    wait_for_acknowledgements(&tap, 4);
    // The broker answers behind what it was told, so it has heard of all of it.
    stop(module);

    let module = start(&mosquitto, &mut command(&tap.url(), &FLAGS), &[SENSORS, CONTROL]);
    sensors.publish("sensors/a", body(3, 99));
    assert_eq!(numbers(&[alerts.expect()]), [3]);
    wait_for_acknowledgements(&tap, 5);
    assert_eq!(figure(&stop(module), "messages received"), 1, "nothing came again");
    assert_eq!(alerts.drain(), []);
    tap.assert_acknowledged_in_order();
}

/// Readings that come at QoS 2 are recorded once their alerts are acknowledged, and a cut in the
/// middle loses none and leaves none behind.
#[test]
fn readings_at_qos_2_survive_cuts() {
    const READINGS: usize = 40;
    let mosquitto = Mosquitto::start();
    drop(Client::resume(&mosquitto, "plant").subscribed_at(QoS::ExactlyOnce, "sensors/#"));
    let mut alerts = Client::connect(&mosquitto).subscribed(ALERTS);
    let mut sensors = Client::connect(&mosquitto);
    for n in 0..READINGS {
        sensors.publish_exactly_once("sensors/a", body(n, 99));
    }
    let tap = Tap::on(&mosquitto);
    tap.hold(Hold::Acknowledgements);
    let module = start(&mosquitto, &mut command(&tap.url(), &FLAGS), &[SENSORS, CONTROL]);
    let mut came: std::collections::BTreeSet<usize> =
        numbers(&alerts.take(READINGS)).into_iter().collect();
    tap.cut();
    tap.wait_for_ends("plant", 1);
    tap.hold(Hold::Nothing);
    sensors.publish("sensors/a", body(READINGS, 99));
    while !came.contains(&READINGS) {
        came.extend(numbers(&[alerts.expect()]));
    }
    assert_eq!(came, (0..=READINGS).collect());
    wait_until("everything is acknowledged on the second connection", || {
        let (delivered, acknowledged) = tap.passed("plant");
        delivered - acknowledged == tap.unacknowledged().values().sum::<usize>()
    });
    stop(module);
    let module = start(&mosquitto, &mut command(&tap.url(), &FLAGS), &[SENSORS, CONTROL]);
    assert_eq!(figure(&stop(module), "messages received"), 0, "nothing is left behind");
    tap.assert_acknowledged_in_order();
}
