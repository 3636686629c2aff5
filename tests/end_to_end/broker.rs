//! A plain MQTT broker as source: alone, and beside the hub. The broker is Mosquitto.

pub(crate) mod client;
mod delivery;
mod exactly_once;
mod pressure;
mod refused;
mod security;
mod session;
mod settings;
mod shares;
mod standalone;
mod tap;
mod threshold;
mod with_hub;

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use rumqttc::Publish;

use crate::harness::{Mosquitto, Process, sluicegate, wait_until};
use tap::Tap;

pub(crate) use client::Client;

/// What is subscribed to, unless told otherwise.
pub(crate) const SENSORS: &str = "sensors/#";
/// Where the threshold comes from, unless told otherwise.
const CONTROL: &str = "sluicegate/desired";
/// Where it is acknowledged, unless told otherwise.
const REPORTED: &str = "sluicegate/reported";
/// All alerts, unless told otherwise.
pub(crate) const ALERTS: &str = "alerts/#";

/// A body that carries its number.
pub(crate) fn body(n: usize, temperature: impl std::fmt::Display) -> String {
    format!(
        concat!(
            r#"{{"n":{n},"machine":{{"temperature":{temperature},"pressure":1.5}}"#,
            r#","timeCreated":"2020-06-01T12:00:00.1234567Z"}}"#
        ),
        n = n,
        temperature = temperature
    )
}

/// The number of a body made by [`body`].
fn number(body: &[u8]) -> Option<usize> {
    let digits = body.strip_prefix(br#"{"n":"#)?.split(|byte| *byte == b',').next()?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// The numbers of messages, in the order of arrival.
pub(crate) fn numbers(messages: &[Publish]) -> Vec<usize> {
    messages.iter().map(|message| number(&message.payload).expect("a number")).collect()
}

/// Messages of one sensor, every second of them hot.
fn half_hot(range: std::ops::Range<usize>) -> Vec<(String, String)> {
    let message = |n: usize| ("sensors/a".to_owned(), body(n, if is_hot(n) { 99 } else { 1 }));
    range.map(message).collect()
}

/// Messages of one sensor, all of them hot.
pub(crate) fn hot(range: std::ops::Range<usize>) -> Vec<(String, String)> {
    range.map(|n| ("sensors/a".to_owned(), body(n, 99))).collect()
}

/// Whether [`half_hot`] makes this one an alert.
fn is_hot(n: usize) -> bool {
    n.is_multiple_of(2)
}

/// `sluicegate run` with the broker at `url`.
pub(crate) fn command(url: &str, flags: &[&str]) -> Command {
    let mut command = sluicegate();
    command.args(["run", "--broker", url]).args(flags);
    command
}

/// Starts a module that is alone with the broker, and waits until it has subscribed to `sensors/#`
/// and to the control topic.
pub(crate) fn standalone(mosquitto: &Mosquitto, url: &str, flags: &[&str]) -> Process {
    start(mosquitto, &mut command(url, flags), &[SENSORS, CONTROL])
}

/// Starts a module, and waits until it has subscribed to each of `filters`.
pub(crate) fn start(mosquitto: &Mosquitto, command: &mut Command, filters: &[&str]) -> Process {
    let before: Vec<usize> = filters.iter().map(|f| mosquitto.subscriptions(f)).collect();
    let module = Process::spawn("sluicegate", command);
    wait_until(&format!("the module has subscribed to {filters:?}"), || {
        assert!(module.is_running(), "the module ended before it subscribed");
        let mut now = filters.iter().map(|filter| mosquitto.subscriptions(filter));
        before.iter().all(|before| now.next().is_some_and(|now| now > *before))
    });
    module
}

/// Stops the module, which must end well; gives what it says that it did.
pub(crate) fn stop(mut module: Process) -> String {
    module.signal("TERM");
    assert_eq!(module.wait_for_exit().code(), Some(0));
    module.wait_for_line(&["stopped: "])
}

/// The number before `what` in the line of [`stop`].
fn figure(line: &str, what: &str) -> u64 {
    let (before, _) = line.split_once(&format!(" {what}")).expect("the figure is told");
    let digits = before.rsplit(' ').next().expect("a word");
    digits.parse().unwrap_or_else(|_| panic!("no number before {what:?}: {line}"))
}

/// How often each number came.
fn copies(numbers: &[usize]) -> BTreeMap<usize, usize> {
    let mut copies = BTreeMap::new();
    for number in numbers {
        *copies.entry(*number).or_default() += 1;
    }
    copies
}

/// Fails unless the hot messages below `count` came, each at least once, and no others; and those
/// that came again were unacknowledged when a connection ended: one copy for each such end.
fn assert_at_least_once(came: &[usize], count: usize, tap: &Tap) {
    let copies = copies(came);
    let hot: BTreeSet<usize> = (0..count).filter(|n| is_hot(*n)).collect();
    assert_eq!(copies.keys().copied().collect::<BTreeSet<_>>(), hot);
    let unacknowledged = tap.unacknowledged();
    for (number, copies) in copies {
        let ends = unacknowledged.get(&number).copied().unwrap_or(0);
        assert!(copies <= 1 + ends, "{number} came {copies} times, {ends} were excused");
    }
}
