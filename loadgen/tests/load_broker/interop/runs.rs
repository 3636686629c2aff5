//! Every message is counted and verified, whatever the program behind the broker does.

use loadgen_load::outcome::{Counts, Outcome, Standing};
use rumqttc::{Client, Event, MqttOptions, Packet, QoS};

use test_support::Process;

use super::mosquitto::{open, sink};
use crate::support::{Ran, alone, loadgen, run, some_try};

/// 2,000 messages a second, for a fifth of a second that is not measured and four that are.
const FLAGS: [&str; 6] = ["--rate", "2k", "--warm-up", "200ms", "--for", "800ms"];
const SENT: u64 = 2_000;
/// Alerts that an earlier run leaves with the broker.
const RETAINED: u64 = 3;
/// What the program takes for each message where a run must pass. On the bare path, of 0.2 ms, any
/// lateness of the instrument is over a tenth of the latency, and a busy machine's run is invalid.
const DELAY: [&str; 2] = ["--delay", "5ms"];

/// A run with [`FLAGS`] and more, in which everything due was sent and nothing was ever on its way
/// twice.
#[track_caller]
fn measure(url: &str, more: &[&str]) -> (Ran, Outcome) {
    let ran = run(url, &[&FLAGS[..], more].concat(), None);
    let outcome = ran.outcome();
    let counts = &outcome.counts;
    assert_eq!((counts.sent, counts.unsent, counts.faults), (SENT, 0, 0), "{ran:?}");
    (ran, outcome)
}

/// Nothing is wrong, at either quality and over one connection or several; the broker sees orderly
/// clients.
#[track_caller]
fn passes(qos: u64, connections: u32) {
    let _alone = alone();
    let mosquitto = open();
    let _sink = sink(&mosquitto, &DELAY, &[]);
    let (qos_text, connections_text) = (qos.to_string(), connections.to_string());
    let flags = ["--qos", &qos_text, "--connections", &connections_text];
    some_try(|| {
        let (ran, outcome) = measure(&mosquitto.url(), &flags);
        let counts = &outcome.counts;
        assert!(counts.is_clean(), "{ran:?}");
        assert_eq!(counts.acknowledged, SENT * qos, "{ran:?}");
        assert!(counts.alerts_expected > SENT / 20, "{ran:?}");
        assert_eq!(counts.alerts_correct, counts.alerts_expected, "{ran:?}");
        assert_eq!(i32::from(outcome.verdict.standing.exit_code()), ran.code);
        let passed = outcome.verdict.standing == Standing::Passed;
        if passed { Ok(()) } else { Err(format!("{:?}", outcome.verdict)) }
    });
    let log = mosquitto.process();
    assert!(log.count("as loadgen") > connections as usize, "{:#?}", log.lines());
    for text in ["closed its connection", "rror"] {
        assert_eq!(log.count(text), 0, "{:#?}", log.lines());
    }
}

#[test]
fn at_most_once() {
    passes(0, 1);
}

#[test]
fn at_least_once() {
    passes(1, 1);
}

#[test]
fn several_connections_at_most_once() {
    passes(0, 3);
}

#[test]
fn several_connections_at_least_once() {
    passes(1, 7);
}

/// Against a program with these flags and variables, `counter` has the value `expected` and nothing
/// else is wrong.
#[track_caller]
fn fails(
    flags: &[&str],
    variables: &[(&str, &str)],
    counter: fn(&mut Counts) -> &mut u64,
    expected: fn(&Counts) -> u64,
) {
    let _alone = alone();
    let mosquitto = open();
    let _sink = sink(&mosquitto, flags, variables);
    let (ran, outcome) = measure(&mosquitto.url(), &["--drain", "1s"]);
    let (counts, mut others) = (outcome.counts, outcome.counts);
    let found = std::mem::take(counter(&mut others));
    assert!(found > 0 && others.is_clean(), "{ran:?}");
    assert_eq!(found, expected(&counts), "{ran:?}");
    assert_eq!((outcome.verdict.standing, ran.code), (Standing::Failed, 1), "{ran:?}");
    assert!(outcome.verdict.reasons[0].starts_with(&format!("{found} ")), "{ran:?}");
}

#[test]
fn lost_alerts_are_missing() {
    let expected = |counts: &Counts| counts.alerts_expected / 7;
    fails(&["--drop-every", "7"], &[], |counts| &mut counts.missing, expected);
}

#[test]
fn a_program_that_forwards_nothing() {
    let expected = |counts: &Counts| counts.alerts_expected;
    fails(&[], &[("LOADGEN_THRESHOLD", "1000")], |counts| &mut counts.missing, expected);
}

#[test]
fn messages_that_are_no_alerts_are_false() {
    let expected = |counts: &Counts| counts.sent - counts.alerts_expected;
    fails(&[], &[("LOADGEN_THRESHOLD", "-1000")], |counts| &mut counts.false_alerts, expected);
}

#[test]
fn alerts_on_a_wrong_topic_are_named() {
    let expected = |counts: &Counts| counts.alerts_expected;
    let elsewhere = [("LOADGEN_PUBLISH", "alerts/elsewhere/{topic}")];
    fails(&[], &elsewhere, |counts| &mut counts.wrong_properties, expected);
}

#[test]
fn topics_need_not_be_looked_at() {
    let _alone = alone();
    let mosquitto = open();
    let _sink = sink(&mosquitto, &[], &[("LOADGEN_PUBLISH", "alerts/elsewhere/{topic}")]);
    let (ran, outcome) = measure(&mosquitto.url(), &["--no-verify-properties"]);
    assert!(outcome.counts.is_clean() && outcome.counts.alerts_correct > 0, "{ran:?}");
}

#[test]
fn all_alerts_may_have_one_topic() {
    let _alone = alone();
    let mosquitto = open();
    let _sink = sink(&mosquitto, &[], &[("LOADGEN_PUBLISH", "alarm")]);
    let (ran, outcome) = measure(&mosquitto.url(), &["--alerts-topic", "alarm"]);
    assert!(outcome.counts.is_clean() && outcome.counts.alerts_correct > 0, "{ran:?}");
}

/// A retained alert of an earlier run, byte for byte one that is expected, is not taken for it.
#[test]
fn retained_messages_are_left_aside() {
    let _alone = alone();
    let mosquitto = open();
    let _sink = sink(&mosquitto, &[], &[]);
    let mut options = MqttOptions::new("earlier", "127.0.0.1", mosquitto.port());
    options.set_keep_alive(std::time::Duration::from_secs(30));
    let (client, mut connection) = Client::new(options, 10);
    client.subscribe("alerts/#", QoS::AtLeastOnce).unwrap();
    let publishes = std::thread::spawn(move || {
        let (mut published, mut acknowledged) = (0, 0);
        for event in connection.iter() {
            match event.unwrap() {
                // Its own copies come back as well; that one of them is a copy changes nothing.
                Event::Incoming(Packet::Publish(alert)) if published < RETAINED => {
                    client.publish(alert.topic, QoS::AtLeastOnce, true, alert.payload).unwrap();
                    published += 1;
                }
                Event::Incoming(Packet::PubAck(_)) => acknowledged += 1,
                _ => {}
            }
            if acknowledged == RETAINED {
                return;
            }
        }
    });
    let earlier = run(&mosquitto.url(), &FLAGS, None);
    // The copies that were retained came back to the run that they are of.
    publishes.join().unwrap();
    assert_eq!(earlier.outcome().counts.duplicated, RETAINED, "{earlier:?}");
    let (ran, outcome) = measure(&mosquitto.url(), &[]);
    assert!(outcome.counts.is_clean(), "{ran:?}");
}

/// A broker that goes away in the middle ends the run, with a reason and without a result.
#[test]
fn a_broker_that_goes_away() {
    let _alone = alone();
    let mosquitto = open();
    let _sink = sink(&mosquitto, &[], &[]);
    let mut command = loadgen("run");
    command.args(["--broker", &mosquitto.url(), "--rate", "2k", "--for", "60s"]);
    let mut run = Process::spawn("run", &mut command);
    // Told once a second, from the first message on.
    run.wait_for_line(&["measuring"]);
    mosquitto.process().kill();
    assert_eq!(run.wait_for_exit().code(), Some(69));
    let last = run.lines().last().cloned().unwrap_or_default();
    assert!(last.contains("closed a connection") || last.contains("broke a connection"), "{last}");
}
