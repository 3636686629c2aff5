//! Faults of processes: killed, stopped, told to end, starved.

use std::time::Duration;

use crate::fault::{Fault, Must};
use crate::hub_way::HubWay;
use crate::stream::{Stream, Wired};
use crate::trial::Trial;

/// A fault comes within this time behind the one before.
const PAUSE_MAX: Duration = Duration::from_millis(300);

pub(crate) fn faults() -> Vec<Fault> {
    vec![Fault {
        name: "process/module-killed",
        what: "SIGKILL of the module at a random instant, and a new one",
        must: Must::default(),
        is_alone: false,
        run: module_killed,
    }]
}

fn module_killed(trial: &mut Trial) {
    let mut stream = Stream::new(HubWay::start(), trial);
    for _ in 0..trial.either(10, 100) {
        let pause = trial.moment(PAUSE_MAX);
        stream.run_for(pause);
        stream.inject(trial, |stream, trial| {
            trial.observe(stream.way.module());
            stream.way.module().kill();
            stream.way.start_module();
        });
    }
    stream.finish(trial);
}
