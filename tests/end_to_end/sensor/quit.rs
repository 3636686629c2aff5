//! When the sensor quits, and when it does not.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::{DEVICE, call, command, wait_until_started};
use crate::harness::{Process, Scene, wait_until};

/// The sensor quits on `ask` with code 0, says why, and takes its leave from the hub.
fn check_that_it_quits(ask: impl Fn(&Process), why: &str) {
    let scene = Scene::start(1);
    let mut sensor = Process::spawn_with_keyboard("sensor", &mut command(&scene));
    wait_until_started(&scene, &sensor);
    ask(&sensor);
    assert_eq!(sensor.wait_for_exit().code(), Some(0));
    sensor.wait_for_line(&["quits on", why]);
    sensor.wait_for_line(&["stopped:", "1 connection(s)"]);
    wait_until("the hub has noticed", || !scene.hub.is_connected(DEVICE));
}

#[test]
fn q_and_enter_quits() {
    check_that_it_quits(|sensor| sensor.type_in("q\n"), "q");
}

#[test]
fn capital_q_and_enter_quits_after_other_words() {
    check_that_it_quits(|sensor| sensor.type_in("quit\nhelp\n  Q \r\n"), "q");
}

#[test]
fn sigint_quits() {
    check_that_it_quits(|sensor| sensor.signal("INT"), "SIGINT");
}

#[test]
fn sigterm_quits() {
    check_that_it_quits(|sensor| sensor.signal("TERM"), "SIGTERM");
}

/// A container has no keyboard: a standard input that is closed, or that says anything else, is no
/// reason to quit.
#[test]
fn a_closed_standard_input_does_not_quit() {
    let scene = Scene::start(1);
    let sensor = Process::spawn_with_keyboard("sensor", &mut command(&scene));
    wait_until_started(&scene, &sensor);
    sensor.type_in("hello\nqq\n");
    sensor.close_input();
    // Telemetry of two seconds later, and a command after it.
    scene.take(2);
    assert_eq!(call(&scene, "turnon", Value::Null).0, 200);
    assert!(sensor.is_running());
    assert_eq!(sensor.count("quits on"), 0);
}

/// `q` is heard also while there is no hub to talk to; a device that could not connect says so.
#[test]
fn q_quits_a_sensor_that_cannot_connect() {
    let scene = Scene::start(1);
    let mut command = command(&scene);
    command.env("SLUICEGATE_ID_SCOPE", "0ne0000OTHER");
    let mut sensor = Process::spawn_with_keyboard("sensor", &mut command);
    sensor.wait_for_line(&["could not register"]);
    sensor.type_in("q\n");
    assert_eq!(sensor.wait_for_exit().code(), Some(69));
    sensor.wait_for_line(&["the device could not connect", "CONNACK 5"]);
}

/// Nobody reads what the sensor logs, message by message: its telemetry goes on, and so does its
/// end.
#[test]
fn a_log_that_nobody_reads_does_not_hold_up_the_end() {
    let scene = Scene::start(1);
    let mut command = command(&scene);
    command.env("RuntimeLogLevel", "verbose").env("SLUICEGATE_INTERVAL", "10ms");
    let (mut sensor, _reader) = Process::spawn_into_full_pipe("sensor", &mut command);
    wait_until_started(&scene, &sensor);
    scene.take(100);
    let start = Instant::now();
    sensor.signal("TERM");
    wait_until("the sensor ends", || {
        // The hub withholds acknowledgements rather than lose a message.
        let _ = scene.hub.upstream().try_iter().count();
        !sensor.is_running()
    });
    assert_eq!(sensor.wait_for_exit().code(), Some(0));
    assert!(start.elapsed() < Duration::from_secs(4), "took {:?}", start.elapsed());
}
