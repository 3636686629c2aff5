//! Peers whose acknowledgements of alerts are wrong, and that deliver again what is under way.

use std::time::Duration;

use test_support::peer::OnAlert;

use crate::fault::{Fault, Must};
use crate::peer_way::{BOTH, PeerWay};
use crate::trial::Trial;

/// Of so many alerts one has no PUBACK.
const ONE_OF: usize = 40;

pub(crate) fn faults() -> Vec<Fault> {
    let row = |name, what, run: fn(&mut Trial), log| {
        let must = Must { log, memory_bytes: Some(MEMORY_BYTES), ..Must::default() };
        Fault { name, what, must, is_alone: false, run }
    };
    vec![
        row(
            "peer/puback-never",
            "no alert has its PUBACK, at a peer that answers pings",
            never,
            &["no PUBACK for the oldest publish within"],
        ),
        row(
            "peer/puback-never-for-some",
            "one alert of 40 has no PUBACK, those behind it have",
            never_for_some,
            &["no PUBACK for the oldest publish within"],
        ),
        row("peer/puback-late", "each PUBACK comes 1.5 s late", late, &[]),
        row("peer/puback-twice", "each PUBACK comes twice", twice, &[]),
        row("peer/puback-reversed", "PUBACKs of 20 alerts come last one first", reversed, &[]),
        row(
            "peer/puback-stranger",
            "PUBACKs for ids that were never sent, before the right ones and in their place",
            stranger,
            &[],
        ),
        row(
            "peer/redelivered",
            "all that is under way is delivered again each 50 ms, with DUP and the same id",
            redelivered,
            &[],
        ),
    ]
}

/// What a module keeps of the stream of these rows is little; this is a debug build.
const MEMORY_BYTES: u64 = 40_000_000;

/// The peer answers alerts so for a time, as a hub and as a broker.
fn answers(trial: &mut Trial, time: Duration, answer: OnAlert) {
    trial.at_once(&BOTH, |role, trial| {
        let way = PeerWay::start(*role, &[]);
        way.fault_for(trial, time, |script| script.alert = answer);
        way.finish(trial);
    });
}

fn never(trial: &mut Trial) {
    answers(trial, trial.either(Duration::from_secs(9), Duration::from_secs(60)), OnAlert::Nothing);
}

fn never_for_some(trial: &mut Trial) {
    let time = trial.either(Duration::from_secs(7), Duration::from_secs(60));
    answers(trial, time, OnAlert::NothingForEach(ONE_OF));
}

fn late(trial: &mut Trial) {
    let time = trial.either(Duration::from_secs(4), Duration::from_secs(60));
    answers(trial, time, OnAlert::Late(Duration::from_millis(1_500)));
}

fn twice(trial: &mut Trial) {
    answers(trial, trial.either(Duration::from_secs(2), Duration::from_secs(60)), OnAlert::Twice);
}

fn reversed(trial: &mut Trial) {
    let time = trial.either(Duration::from_secs(2), Duration::from_secs(60));
    answers(trial, time, OnAlert::Reversed(20));
}

fn stranger(trial: &mut Trial) {
    let time = trial.either(Duration::from_secs(2), Duration::from_secs(30));
    answers(trial, time, OnAlert::StrangerFirst);
    answers(trial, time, OnAlert::StrangerOnly);
}

fn redelivered(trial: &mut Trial) {
    let time = trial.either(Duration::from_secs(2), Duration::from_secs(60));
    trial.at_once(&BOTH, |role, trial| {
        let way = PeerWay::start(*role, &[]);
        way.fault_for(trial, time, |script| {
            // So that there is something under way.
            script.alert = OnAlert::Late(Duration::from_millis(200));
            script.repeats_every = Some(Duration::from_millis(50));
        });
        way.finish(trial);
    });
}
