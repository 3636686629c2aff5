//! A broker that answers an alert by hanging up.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use super::client::Client;
use super::{ALERTS, body, numbers, standalone, stop};
use crate::harness::{Mosquitto, Process, wait_until};

/// Largest packet that the broker takes.
const PACKET_BYTES: usize = 2000;
/// What the broker gives ahead of acknowledgements, as by default.
const INFLIGHT: usize = 20;

/// A Mosquitto that hangs up on what is larger, and keeps to its default window.
fn mosquitto() -> Mosquitto {
    let mut mosquitto = Mosquitto::start();
    let config = mosquitto.file("mosquitto.conf");
    let mut config = OpenOptions::new().append(true).open(config).unwrap();
    writeln!(config, "\nmax_packet_size {PACKET_BYTES}\nmax_inflight_messages {INFLIGHT}").unwrap();
    mosquitto.restart_with_memory();
    mosquitto
}

/// A reading that just fits; its alert, which is longer by its topic, does not.
fn poison(number: usize) -> String {
    let body = body(number, 99);
    // Two bytes of header, the topic with its length and a packet id.
    let padding = PACKET_BYTES - 3 - 2 - "sensors/a".len() - 2 - body.len();
    body + &" ".repeat(padding)
}

fn start(mosquitto: &Mosquitto, folder: &Path) -> Process {
    let folder = folder.to_str().unwrap();
    standalone(mosquitto, &mosquitto.url(), &["--client-id", "w", "--refused-dir", folder])
}

fn pending(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|ending| ending == "pending")).collect()
}

/// An alert that the broker does not take is kept in a file, with advice in the log, and all others
/// arrive, those behind the broker's window too; what it was raised by is acknowledged.
#[test]
fn an_alert_that_the_broker_refuses_does_not_block_the_others() {
    const COUNT: usize = 100;
    let mosquitto = mosquitto();
    let folder = tempfile::tempdir().unwrap();
    let mut alerts = Client::connect(&mosquitto).subscribed(ALERTS);
    let module = start(&mosquitto, folder.path());
    let mut sensors = Client::connect(&mosquitto);
    let large = poison(1);
    let message = |n| ("sensors/a".to_owned(), if n == 1 { large.clone() } else { body(n, 99) });
    sensors.publish_all((0..COUNT).map(message));
    let mut came = numbers(&alerts.take(COUNT - 1));
    module.wait_for_line(&["it is kept in", "alerts/sensors/a", "larger packets"]);
    let files = pending(folder.path());
    let [file] = &files[..] else { panic!("{files:?}") };
    let file = fs::read_to_string(file).unwrap();
    let (head, kept) = file.split_once('\n').expect("a first line");
    assert_eq!(kept, large);
    assert!(head.contains(r#""topic":"alerts/sensors/a""#), "{head}");
    // Everything is acknowledged: nothing comes again.
    stop(module);
    let module = start(&mosquitto, folder.path());
    sensors.publish("sensors/a", body(COUNT, 99));
    while came.last() != Some(&COUNT) {
        came.extend(numbers(&alerts.take(1)));
    }
    stop(module);
    came.sort_unstable();
    came.dedup();
    assert_eq!(came, (0..=COUNT).filter(|n| *n != 1).collect::<Vec<_>>());
    assert_eq!(pending(folder.path()).len(), 1, "a later run goes on trying");
}

/// Killed as soon as the alert is in its file, before or after the reading is acknowledged: it is
/// there still, and once the broker takes it, the next process delivers it.
#[test]
fn a_kill_at_parking_loses_nothing() {
    let mut mosquitto = mosquitto();
    let folder = tempfile::tempdir().unwrap();
    let mut module = start(&mosquitto, folder.path());
    let mut sensors = Client::connect(&mosquitto);
    let count = 3;
    for n in 0..count {
        sensors.publish("sensors/a", poison(n));
        wait_until("it is parked", || pending(folder.path()).len() > n);
        module.kill();
        module = start(&mosquitto, folder.path());
    }
    module.kill();
    let config = mosquitto.file("mosquitto.conf");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace(&format!("max_packet_size {PACKET_BYTES}"), "")).unwrap();
    mosquitto.restart_with_memory();
    let mut alerts = Client::connect(&mosquitto).subscribed(ALERTS);
    let module = start(&mosquitto, folder.path());
    let mut came = Vec::new();
    while (0..count).any(|n| !came.contains(&n)) {
        let alert = alerts.take(1).remove(0);
        let [n] = numbers(std::slice::from_ref(&alert))[..] else { panic!("one") };
        assert_eq!(alert.payload, poison(n).as_bytes());
        came.push(n);
    }
    wait_until("the files are gone", || pending(folder.path()).is_empty());
    stop(module);
}
