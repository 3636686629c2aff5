//! Judging one body: sluicegate by verdict, and next to it every other way to the same answer.
//!
//! Relative numbers: compare the lines of one run with each other. In nanoseconds, expected before
//! the first run, at 140 bytes: sluicegate 45 for a miss, 50 for a hit, 240 when declined
//! (simd-json judges then), 360 for a body that is broken at its very end (walked, then read twice
//! more to tell what is wrong with it); simd-json 200, serde_json 200 and as a `Value` 600,
//! sonic-rs 180 and by `get` 85; floors 12 and 5.
//!
//! Came out (lower quartiles of one run on two busy cores): 47, 52, 335, 480; 140, 160, 380, 230,
//! 96; 8 and 6. Simd-json alone is quicker than expected, and slower behind the walk that declined.
//! At 8 KB: miss 4.0 µs, simd-json 7.6, serde_json 6.0 and 52, sonic-rs 12.6; floors 0.2 and 0.1.
//!
//! `cargo bench --bench parse`; `cargo test --benches` runs each line once. Instructions in place
//! of time: `perf/peers/parsers/run`.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use mimalloc::MiMalloc;
use sluicegate::pipeline::parse::{Malformed, Parser, Verdict};
use sluicegate::pipeline::threshold::Threshold;
use stages::body::{COLD, HOT, SIZES, malformed, sensor};

mod parsers;

use parsers::CANDIDATES;

/// As in the product: some peers allocate.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// The same, as large and worth the same, with a name whose spelling makes the walk decline it.
fn declined(body: &[u8]) -> Vec<u8> {
    let text = str::from_utf8(body).expect("written as text");
    text.replacen(r#""ambient""#, r#""\u0061m""#, 1).into_bytes()
}

/// What sluicegate says of bodies of `size` bytes.
fn cases(size: usize) -> [(&'static str, Vec<u8>, Verdict); 4] {
    let miss = sensor(size, COLD[0]);
    [
        ("hit", sensor(size, HOT[0]), Verdict::Alert(HOT[0])),
        ("malformed", malformed(size, COLD[0]), Verdict::Malformed(Malformed::NotJson)),
        ("declined", declined(&miss), Verdict::Below),
        ("miss", miss, Verdict::Below),
    ]
}

fn judge(criterion: &mut Criterion) {
    for size in SIZES {
        let mut group = criterion.benchmark_group(format!("judge/{size}"));
        group.throughput(Throughput::ElementsAndBytes { elements: 1, bytes: size as u64 });
        for (name, body, expected) in cases(size) {
            let mut parser = Parser::default();
            assert_eq!(body.len(), size, "{name}");
            assert_eq!(parser.judge(&body, Threshold::DEFAULT), expected, "{name}");
            group.bench_function(format!("sluicegate {name}"), |bencher| {
                bencher.iter(|| parser.judge(black_box(&body), Threshold::DEFAULT));
            });
        }
        // What they are given is a miss: sluicegate alone stops to think about a hit.
        let miss = sensor(size, COLD[0]);
        for candidate in CANDIDATES {
            candidate.verify(size).expect("right answers");
            let mut judge = (candidate.start)(Threshold::DEFAULT);
            group
                .bench_function(candidate.name, |bencher| bencher.iter(|| judge(black_box(&miss))));
        }
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = judge
}
criterion_main!(benches);
