//! Faults of the wire between the module and its hub.

use std::time::Duration;

use crate::fault::{Fault, Must};
use crate::hub_way::HubWay;
use crate::stream::Stream;
use crate::trial::Trial;

/// A fault comes within this time behind the one before.
const PAUSE_MAX: Duration = Duration::from_millis(300);

pub(crate) fn faults() -> Vec<Fault> {
    let must = Must::default();
    vec![Fault {
        name: "wire/reset",
        what: "RST to both ends of the connection, at random instants",
        must: Must { log: &["lost: "], ..must },
        is_alone: false,
        run: reset,
    }]
}

fn reset(trial: &mut Trial) {
    let mut stream = Stream::new(HubWay::start(), trial);
    for _ in 0..trial.either(10, 100) {
        let pause = trial.moment(PAUSE_MAX);
        stream.run_for(pause);
        stream.inject(trial, |stream, _| stream.way.wire.reset());
    }
    let way = stream.finish(trial);
    trial.observe(&way.module);
}
