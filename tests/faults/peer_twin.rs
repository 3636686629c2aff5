//! Hubs that answer for a twin wrongly, and patches that never end.

use std::time::Duration;

use serde_json::Value;
use test_support::peer::{OnTwinGet, Role, Stream};
use test_support::wait_until;

use crate::fault::Fault;
use crate::peer_way::{BOTH, PeerWay};
use crate::trial::Trial;

/// Patches a second.
const PATCHES_PER_S: u32 = 1_000;

pub(crate) fn faults() -> Vec<Fault> {
    let row = Fault::logging;
    vec![
        row(
            "peer/twin-get-never",
            "the twin's document does not come: the default judges, until it does",
            never,
            &["no twin"],
        ),
        row("peer/twin-get-late", "the twin's document comes 8 s late", late, &[]),
        row("peer/twin-get-twice", "the twin's document comes twice", twice, &[]),
        row(
            "peer/twin-get-refused",
            "a GET of the twin is answered with 400, 429 and 500",
            refused,
            &["answered 400", "answered 429", "answered 500"],
        ),
        row(
            "peer/patches",
            "1,000 patches a second: the last one is in force, and messages are judged throughout",
            patches,
            &["threshold in force"],
        ),
    ]
}

/// The hub answers GETs so from the start on and for a time. Messages are judged meanwhile, and
/// behind it the document is in force.
fn answers(trial: &mut Trial, time: Duration, answer: OnTwinGet) {
    let way = PeerWay::start_only(Role::Hub, &[], |script| script.twin_get = answer);
    way.stream(Stream::default());
    // Without a document messages wait for five seconds.
    std::thread::sleep(time);
    way.wait_until_full_rate();
    way.recover(trial);
    way.peer.patch(50.0);
    wait_for_last_patch(&way);
    way.finish(trial);
}

/// The module reports on the last patch.
fn wait_for_last_patch(way: &PeerWay) {
    wait_until("the module reports on the last patch", || {
        let (threshold, version) = way.peer.desired();
        way.peer.report().is_some_and(|report| {
            let report: Value = serde_json::from_str(&report).unwrap();
            let report = &report["TemperatureThreshold"];
            report["value"] == threshold && report["av"] == version
        })
    });
}

fn never(trial: &mut Trial) {
    let time = trial.either(Duration::from_secs(6), Duration::from_secs(60));
    answers(trial, time, OnTwinGet::Nothing);
}

fn late(trial: &mut Trial) {
    let way = PeerWay::start_only(Role::Hub, &[], |script| {
        script.twin_get = OnTwinGet::Late(Duration::from_secs(8));
    });
    way.stream(Stream::default());
    wait_until("the module has the document", || way.module.count("threshold in force: 25") > 0);
    way.recover(trial);
    way.finish(trial);
}

fn twice(trial: &mut Trial) {
    answers(trial, Duration::from_secs(1), OnTwinGet::Twice);
}

fn refused(trial: &mut Trial) {
    let time = trial.either(Duration::from_secs(6), Duration::from_secs(60));
    trial.at_once(&[400, 429, 500], |status, trial| {
        answers(trial, time, OnTwinGet::Status(*status));
    });
}

fn patches(trial: &mut Trial) {
    let time = trial.either(Duration::from_secs(5), Duration::from_secs(60));
    trial.at_once(&BOTH, |role, trial| {
        let way = PeerWay::start(*role, &[]);
        way.stream(Stream { patches_per_s: PATCHES_PER_S, ..Stream::default() });
        std::thread::sleep(time);
        assert!(way.peer.desired().1 > u64::from(PATCHES_PER_S), "there were patches");
        way.stream(Stream::default());
        way.recover(trial);
        wait_for_last_patch(&way);
        way.finish(trial);
    });
}
