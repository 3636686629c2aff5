//! What a session that the broker has kept brings to the next run.

use super::client::Client;
use super::{
    ALERTS, CONTROL, SENSORS, body, command, figure, half_hot, numbers, standalone, start, stop,
};
use crate::harness::{Mosquitto, Process, wait_until};

/// A kept session still has the filters of an earlier run: what this run publishes comes back
/// through them, and goes no further.
#[test]
fn filters_of_an_earlier_run_make_no_loop() {
    let mosquitto = Mosquitto::start();
    let first = ["--client-id", "w", "--subscribe", "hot/#"];
    stop(start(&mosquitto, &mut command(&mosquitto.url(), &first), &["hot/#", CONTROL]));
    let second = ["--client-id", "w", "--alerts-topic", "hot/{topic}"];
    let module = start(&mosquitto, &mut command(&mosquitto.url(), &second), &[SENSORS, CONTROL]);
    let mut alerts = Client::connect(&mosquitto).subscribed("hot/#");
    let mut sensors = Client::connect(&mosquitto);
    sensors.publish("sensors/a", body(1, 99));
    assert_eq!(alerts.expect().topic, "hot/sensors/a");
    // The alert was on its way back to the module before this one came in.
    sensors.publish("sensors/a", body(2, 99));
    assert_eq!(alerts.expect().topic, "hot/sensors/a");
    module.wait_for_line(&["not judged", "hot/sensors/a", "--client-id"]);
    let summary = stop(module);
    assert_eq!(alerts.drain(), [], "an alert of an alert");
    assert_eq!(figure(&summary, "messages received"), 2);
}

/// Whoever starts with a session that the broker kept still gets the retained messages of topics
/// that it subscribes to for the first time, and they are judged.
#[test]
fn retained_messages_of_a_new_filter_are_judged() {
    let mosquitto = Mosquitto::start();
    let mut publisher = Client::connect(&mosquitto);
    publisher.retain("other/a", body(5, 99));
    publisher.retain("other/b", body(6, 1));
    let mut alerts = Client::connect(&mosquitto).subscribed(ALERTS);
    stop(standalone(&mosquitto, &mosquitto.url(), &["--client-id", "w"]));
    let flags = ["--client-id", "w", "--subscribe", "other/#"];
    let module = start(&mosquitto, &mut command(&mosquitto.url(), &flags), &["other/#"]);
    assert_eq!(numbers(&[alerts.expect()]), [5]);
    stop(module);
    assert_eq!(alerts.drain(), []);
}

/// Two processes of one client id, both of which get work acknowledged: each says so, and their
/// waits grow past those of a link that is cut.
#[test]
fn two_of_one_client_id_wait_for_each_other_under_load() {
    /// Longest wait behind a cut of a link that works.
    const CUT_MS: u64 = 2_000;
    let mosquitto = Mosquitto::start();
    let start =
        || Process::spawn("sluicegate", &mut command(&mosquitto.url(), &["--client-id", "w"]));
    let both = [start(), start()];
    let longest_ms = |module: &Process| {
        let lines = module.lines();
        let waits = lines.iter().filter(|line| line.contains("as w: "));
        let waits = waits.filter_map(|line| line.split("; next attempt in ").nth(1));
        waits.filter_map(|rest| rest.strip_suffix(" ms")?.parse::<u64>().ok()).max()
    };
    let mut sensors = Client::connect(&mosquitto);
    let mut sent = 0;
    wait_until("the waits grow", || {
        sensors.publish_all(half_hot(sent..sent + 50));
        sent += 50;
        both.iter().any(|module| longest_ms(module) > Some(CUT_MS))
    });
    for module in &both {
        module.wait_for_line(&["probably a second process connects as w too"]);
    }
}
