//! Faults of the wire between the module and its hub, which speak TLS, or its broker, without.

use std::time::Duration;

use test_support::{Manner, Way};

use crate::broker_way::BrokerWay;
use crate::fault::{Fault, Must};
use crate::hub_way::HubWay;
use crate::stream::{Stream, Wired};
use crate::trial::Trial;

/// A fault comes within this time behind the one before.
const PAUSE_MAX: Duration = Duration::from_millis(300);
/// Longer than the module takes to find that its peer hears or says nothing, by a second.
const DEAD: Duration = Duration::from_secs(9);

pub(crate) fn faults() -> Vec<Fault> {
    let row = |name, what, run| Fault { name, what, must: Must::default(), is_alone: false, run };
    let lost = |fault| Fault { must: Must { log: &["lost: "], ..Must::default() }, ..fault };
    vec![
        lost(row("wire/reset", "RST to both ends, at random instants", reset::<HubWay>)),
        lost(row("wire/reset-broker", "the same at a broker", reset::<BrokerWay>)),
        lost(row("wire/cut-in-record", "FIN inside of a TLS record", cut_inside::<HubWay>)),
        lost(row("wire/cut-in-packet", "FIN inside of an MQTT packet", cut_inside::<BrokerWay>)),
        lost(row("wire/deaf", "nothing arrives that the module sends", deaf::<HubWay>)),
        lost(row("wire/deaf-broker", "the same at a broker", deaf::<BrokerWay>)),
        lost(row("wire/mute", "nothing arrives that the module should hear", mute::<HubWay>)),
        lost(row("wire/mute-broker", "the same at a broker", mute::<BrokerWay>)),
        lost(row("wire/dead", "nothing arrives, either way", dead::<HubWay>)),
        lost(row("wire/dead-broker", "the same at a broker", dead::<BrokerWay>)),
        row("wire/bytes", "one byte a write", bytes::<HubWay>),
        row("wire/bytes-broker", "the same at a broker", bytes::<BrokerWay>),
        row("wire/jitter", "each read is late by up to 200 ms", jitter::<HubWay>),
        row("wire/jitter-broker", "the same at a broker", jitter::<BrokerWay>),
        row("wire/slow", "10 kB a second", slow::<HubWay>),
        row("wire/slow-broker", "the same at a broker", slow::<BrokerWay>),
        lost(row("wire/flapping", "FIN every 300 ms", flapping::<HubWay>)),
        lost(row("wire/flapping-broker", "the same at a broker", flapping::<BrokerWay>)),
    ]
}

/// Runs the stream, injects as often as the form says, and closes the books.
fn trial_of<W: Wired>(
    trial: &mut Trial,
    times: (usize, usize),
    mut inject: impl FnMut(&mut Stream<W>, &mut Trial),
) {
    let mut stream = Stream::new(W::start(), trial);
    for _ in 0..trial.either(times.0, times.1) {
        let pause = trial.moment(PAUSE_MAX);
        stream.run_for(pause);
        stream.inject(trial, &mut inject);
    }
    let mut way = stream.finish(trial);
    assert!(way.module().is_running(), "the module has ended");
    trial.observe(way.module());
}

fn reset<W: Wired>(trial: &mut Trial) {
    trial_of::<W>(trial, (5, 100), |stream, _| stream.way.wire().reset());
}

fn cut_inside<W: Wired>(trial: &mut Trial) {
    trial_of::<W>(trial, (5, 100), |stream, trial| {
        let before = stream.way.wire().cuts_inside();
        stream.way.wire().cut_inside(if trial.random.bool() { Way::Up } else { Way::Down });
        stream.run_until("the wire is cut", |stream| stream.way.wire().cuts_inside() > before);
    });
}

fn deaf<W: Wired>(trial: &mut Trial) {
    swallow::<W>(trial, Way::Up);
}

fn mute<W: Wired>(trial: &mut Trial) {
    swallow::<W>(trial, Way::Down);
}

fn dead<W: Wired>(trial: &mut Trial) {
    swallow::<W>(trial, Way::Both);
}

fn swallow<W: Wired>(trial: &mut Trial, way: Way) {
    trial_of::<W>(trial, (1, 10), |stream, _| {
        stream.way.wire().swallow(way);
        stream.run_for(DEAD);
        stream.way.wire().pass();
    });
}

fn bytes<W: Wired>(trial: &mut Trial) {
    let manner = Manner { write_bytes: Some(1), ..Manner::default() };
    pass_by::<W>(trial, manner);
}

fn jitter<W: Wired>(trial: &mut Trial) {
    let manner = Manner { jitter: Duration::from_millis(200), ..Manner::default() };
    pass_by::<W>(trial, manner);
}

fn slow<W: Wired>(trial: &mut Trial) {
    let manner = Manner { bytes_a_second: Some(10_000), ..Manner::default() };
    pass_by::<W>(trial, manner);
}

fn pass_by<W: Wired>(trial: &mut Trial, manner: Manner) {
    let time = trial.either(Duration::from_secs(4), Duration::from_secs(30));
    trial_of::<W>(trial, (1, 5), |stream, _| {
        stream.way.wire().pass_by(manner);
        // A connection that is made meanwhile is made in that manner, too.
        stream.run_for(time / 2);
        stream.way.wire().cut();
        stream.run_for(time / 2);
        stream.way.wire().pass();
    });
}

fn flapping<W: Wired>(trial: &mut Trial) {
    let cuts = trial.either(10, 100);
    trial_of::<W>(trial, (1, 5), |stream, _| {
        for _ in 0..cuts {
            stream.run_for(Duration::from_millis(300));
            stream.way.wire().cut();
        }
    });
}
