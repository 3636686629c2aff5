//! Peers that refuse a connection, or what is asked for on it.

use std::time::Duration;

use test_support::peer::{OnConnect, OnSubscribe, Role, Script};

use crate::fault::Fault;
use crate::peer_way::{BOTH, PeerWay};
use crate::trial::Trial;

/// Behind a refusal that may pass by itself the first wait is 50 ms at least.
const ATTEMPTS_TRANSIENT: usize = 9;
/// Behind a refused identity it is 1.5 s at least.
const ATTEMPTS_IDENTITY: usize = 3;

pub(crate) fn faults() -> Vec<Fault> {
    let row = Fault::logging;
    vec![
        row(
            "peer/connack-refusals",
            "CONNACK with each code from 1 to 5",
            refusals,
            &["CONNACK 1 (", "CONNACK 2 (", "CONNACK 3 (", "CONNACK 4 (", "CONNACK 5 ("],
        ),
        row(
            "peer/connack-reserved",
            "CONNACK with codes that MQTT 3.1.1 has reserved",
            reserved,
            &["CONNACK 6 (no return code of MQTT 3.1.1", "CONNACK 0xff ("],
        ),
        row(
            "peer/connack-never",
            "no CONNACK, and no CONNACK but something else",
            no_connack,
            &["no CONNACK from"],
        ),
        row(
            "peer/suback-refused",
            "SUBACK refuses each filter",
            suback_refused,
            &["the peer refused the subscription to"],
        ),
        row(
            "peer/suback-short-and-long",
            "SUBACK has one code too few, one too many",
            suback_misfit,
            &["subscriptions with"],
        ),
        row(
            "peer/suback-never",
            "no SUBACK, and one for an id that was never sent; messages come all the same",
            suback_never,
            &["the peer did not acknowledge the subscriptions in time"],
        ),
    ]
}

/// The longest wait of each series.
fn time(trial: &Trial) -> Duration {
    trial.either(Duration::from_secs(4), Duration::from_secs(60))
}

/// Each connection ends so for a time: first while there is one, and then at a new process.
fn refuse(
    trial: &mut Trial,
    role: Role,
    time: Duration,
    attempts_max: usize,
    change: impl Fn(&mut Script),
) {
    let way = PeerWay::start(role, &[]);
    way.peer.play(change);
    let before = way.peer.connects();
    way.peer.cut();
    std::thread::sleep(time);
    // Of the first seconds: later the waits are longer still. A broker has two connections.
    let attempts = way.peer.connects() - before;
    let connections = if role == Role::Hub { 1 } else { 2 };
    if time < Duration::from_secs(5) {
        assert!(attempts <= connections * attempts_max, "{attempts} attempts in {time:?}");
    }
    assert!(attempts >= connections, "{attempts} attempts in {time:?}");
    way.recover(trial);
    way.finish(trial);
}

fn refusals(trial: &mut Trial) {
    let cases: Vec<_> = BOTH.iter().flat_map(|role| (1..=5).map(|code| (*role, code))).collect();
    connack(trial, &cases);
}

fn reserved(trial: &mut Trial) {
    let cases: Vec<_> = BOTH.iter().flat_map(|role| [6, 0xff].map(|code| (*role, code))).collect();
    connack(trial, &cases);
}

fn connack(trial: &mut Trial, cases: &[(Role, u8)]) {
    let time = time(trial);
    trial.at_once(cases, |(role, code), trial| {
        let attempts_max = match code {
            2 | 4 | 5 => ATTEMPTS_IDENTITY,
            _ => ATTEMPTS_TRANSIENT,
        };
        refuse(trial, *role, time, attempts_max, |script| script.connect = OnConnect::Code(*code));
    });
}

fn no_connack(trial: &mut Trial) {
    let cases = [
        (Role::Hub, OnConnect::Nothing),
        (Role::Broker, OnConnect::Nothing),
        (Role::Hub, OnConnect::Bytes(b"HTTP/1.1 400 Bad Request\r\n\r\n")),
        (Role::Broker, OnConnect::Bytes(b"\x20\x03\0\0\0")),
        (Role::Hub, OnConnect::Bytes(b"\x90\x03\0\x01\x01")),
    ];
    // Past the time that CONNACK may take.
    let time = trial.either(Duration::from_secs(7), Duration::from_secs(60));
    trial.at_once(&cases, |(role, answer), trial| {
        refuse(trial, *role, time, usize::MAX / 2, |script| script.connect = *answer);
    });
}

fn suback(trial: &mut Trial, time: Duration, attempts_max: usize, answers: &[OnSubscribe]) {
    let cases: Vec<_> =
        BOTH.iter().flat_map(|role| answers.iter().map(|answer| (*role, *answer))).collect();
    trial.at_once(&cases, |(role, answer), trial| {
        refuse(trial, *role, time, attempts_max, |script| script.subscribe = *answer);
    });
}

fn suback_refused(trial: &mut Trial) {
    suback(trial, time(trial), ATTEMPTS_IDENTITY, &[OnSubscribe::Refuse]);
}

fn suback_misfit(trial: &mut Trial) {
    suback(trial, time(trial), ATTEMPTS_TRANSIENT, &[OnSubscribe::Short, OnSubscribe::Long]);
}

fn suback_never(trial: &mut Trial) {
    let time = trial.either(Duration::from_secs(7), Duration::from_secs(60));
    suback(trial, time, usize::MAX / 2, &[OnSubscribe::Nothing, OnSubscribe::Stranger]);
}
