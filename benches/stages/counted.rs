//! The time of every stage that `cargo perf gate` counts instructions of. Each checks its own
//! answers.
//!
//! Expected: as the groups of these stages, and for the pipeline in memory twice the core.
//! Came out (lower quartiles of one run on two busy cores): the core 102, the pipeline 214.

use criterion::{Criterion, Throughput};
use stages::STAGES;

pub(crate) fn counted(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("counted");
    for stage in STAGES {
        let mut run = (stage.prepare)();
        run(stage.messages).expect("right answers");
        group.throughput(Throughput::Elements(stage.messages.into()));
        group.bench_function(stage.name, |bencher| {
            bencher.iter(|| run(stage.messages).expect("right answers"));
        });
    }
    group.finish();
}
