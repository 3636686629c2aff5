//! Nobody takes the alerts: then nothing is acknowledged to the source, or at QoS 0 read from it,
//! memory stays bounded, and afterwards everything arrives.

use rumqttc::Publish;

use super::client::Client;
use super::tap::{Hold, Tap};
use super::{ALERTS, CONTROL, SENSORS, body, command, number, numbers, start};
use crate::harness::{Mosquitto, Process, Scene, wait_until};

/// Hot messages that are offered: more bytes than the module may hold and all sockets together.
const OFFERED: usize = 4_000;
const BODY_BYTES: usize = 16_000;
/// The least that may be set.
const HELD_BYTES: &str = "1048576";
/// What the module may take more than when it was idle: twice what it may hold, and buffers.
const GROWTH_MAX: u64 = 12 * 1024 * 1024;
/// Cold messages in front of them.
const COLD: usize = 50;

/// What a machine's sockets may buffer between the broker and the module.
const SOCKETS_BYTES: usize = 40 * 1024 * 1024;

const _: () = assert!(OFFERED * BODY_BYTES > SOCKETS_BYTES + 2 * 1024 * 1024);

fn hot(n: usize) -> (String, String) {
    let text = body(n, 99);
    let padding = " ".repeat(BODY_BYTES - text.len());
    ("sensors/a".to_owned(), text + &padding)
}

fn all() -> Vec<usize> {
    (0..OFFERED).collect()
}

/// Cold messages pass and are acknowledged; gives the memory that the module has needed so far.
fn warm_up(sensors: &mut Client, tap: &Tap, module: &Process) -> u64 {
    sensors.publish_all((0..COLD).map(|n| ("sensors/a".to_owned(), body(OFFERED + n, 1))));
    wait_until("the cold messages are acknowledged", || tap.passed("w") == (COLD, COLD));
    module.resident_peak()
}

/// A module that runs, and whose alerts the broker does not acknowledge from now on.
struct Stalled {
    _mosquitto: Mosquitto,
    tap: Tap,
    alerts: Client,
    module: Process,
    sensors: Client,
    /// Resident bytes at their peak so far.
    before: u64,
}

fn stalled() -> Stalled {
    let mosquitto = Mosquitto::start();
    let tap = Tap::on(&mosquitto);
    let alerts = Client::connect(&mosquitto).subscribed(ALERTS);
    let mut command = command(&tap.url(), &["--client-id", "w", "--held-bytes", HELD_BYTES]);
    let module = start(&mosquitto, &mut command, &[SENSORS, CONTROL]);
    let mut sensors = Client::connect(&mosquitto);
    let before = warm_up(&mut sensors, &tap, &module);
    tap.hold(Hold::Acknowledgements);
    Stalled { _mosquitto: mosquitto, tap, alerts, module, sensors, before }
}

#[track_caller]
fn assert_bounded(module: &Process, before: u64) {
    assert!(module.is_running());
    let growth = module.resident_peak() - before;
    assert!(growth < GROWTH_MAX, "{growth} bytes more are resident");
}

/// The broker does not acknowledge alerts, and source messages come at QoS 1.
#[test]
fn without_pubacks_the_source_gets_none() {
    let Stalled { _mosquitto, tap, mut alerts, module, mut sensors, before } = stalled();
    sensors.publish_all((0..OFFERED).map(hot));
    let (delivered, acknowledged) = tap.wait_for_the_stall("w", COLD);
    assert!(delivered < OFFERED, "the module goes on reading: {delivered}");
    assert_eq!(acknowledged, COLD, "what is not settled is acknowledged");
    assert_bounded(&module, before);

    tap.hold(Hold::Nothing);
    check_that_all_came(&alerts.take(OFFERED));
    wait_until("everything is acknowledged", || tap.passed("w").1 == COLD + OFFERED);
    tap.assert_acknowledged_in_order();
    assert_eq!(tap.passed("w").0, COLD + OFFERED, "nothing had to be delivered again");
    assert_bounded(&module, before);
    assert_eq!(alerts.drain(), []);
}

/// The same at QoS 0: the source connection is not read.
#[test]
fn without_pubacks_a_source_at_qos_0_is_not_read() {
    let Stalled { _mosquitto, tap, mut alerts, module, mut sensors, before } = stalled();
    sensors.publish_all_at_most_once((0..OFFERED).map(hot));
    let (delivered, _) = tap.wait_for_the_stall("w", COLD);
    assert!(delivered < OFFERED, "the module goes on reading: {delivered}");
    assert_bounded(&module, before);

    tap.hold(Hold::Nothing);
    check_that_all_came(&alerts.take(OFFERED));
    assert_bounded(&module, before);
    assert_eq!(alerts.drain(), []);
}

#[track_caller]
fn check_that_all_came(alerts: &[Publish]) {
    assert_eq!(numbers(alerts), all());
    assert!(alerts.iter().all(|alert| alert.payload.len() == BODY_BYTES));
}

/// The hub takes no alerts, and the source is the broker; `publish` sends the hot messages, and so
/// many are acknowledged in the end.
fn stalled_hub(
    acknowledged_at_the_end: usize,
    publish: impl Fn(&mut Client),
) -> (Scene, Mosquitto, Process) {
    let mosquitto = Mosquitto::start();
    let tap = Tap::on(&mosquitto);
    let scene = Scene::start_with(|config| {
        config.window = 10;
        config.upstream_messages_max = 20;
    });
    let mut command = scene.command();
    command.args(["--broker", &tap.url(), "--client-id", "w", "--held-bytes", HELD_BYTES]);
    let module = start(&mosquitto, &mut command, &[SENSORS]);
    scene.wait_until_subscribed(&module);
    let mut sensors = Client::connect(&mosquitto);
    let before = warm_up(&mut sensors, &tap, &module);
    publish(&mut sensors);
    let (delivered, acknowledged) = tap.wait_for_the_stall("w", COLD);
    assert!(delivered < OFFERED && acknowledged < OFFERED, "{delivered}, {acknowledged}");
    assert_bounded(&module, before);

    let came: Vec<usize> = scene.take(OFFERED).iter().filter_map(|a| number(&a.body)).collect();
    assert_eq!(came, all());
    wait_until("everything has passed and is acknowledged", || {
        tap.passed("w") == (COLD + OFFERED, acknowledged_at_the_end)
    });
    tap.assert_acknowledged_in_order();
    assert_bounded(&module, before);
    // The tap ends here, and the module's broker with it: the hub is asked later.
    (scene, mosquitto, module)
}

#[test]
fn a_stalled_hub_holds_the_broker_back() {
    let (scene, _mosquitto, _module) =
        stalled_hub(COLD + OFFERED, |sensors| sensors.publish_all((0..OFFERED).map(hot)));
    scene.assert_nothing_more_upstream();
    assert_eq!(scene.counter("dropped_at_most_once"), 0);
}

#[test]
fn a_stalled_hub_pauses_a_source_at_qos_0() {
    let (scene, _mosquitto, _module) =
        stalled_hub(COLD, |sensors| sensors.publish_all_at_most_once((0..OFFERED).map(hot)));
    assert!(scene.counter("source_pauses") > 0);
    assert_eq!(scene.counter("dropped_at_most_once"), 0);
    scene.assert_nothing_more_upstream();
}
