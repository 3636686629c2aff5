//! A twin patch to the threshold in force, once in days, and reading that, once for every read.
//!
//! Expected: patch 600 ns, of which serde_json 250; load 5 ns, by arc-swap's cache 0.5, behind a
//! read lock 10. No stage reads it per message, so the cache would save nothing that counts.
//! Came out (lower quartiles of one run on two busy cores): 318, of which 75; 13, 0.6 and 12.

use std::hint::black_box;
use std::sync::{Arc, RwLock};

use arc_swap::{ArcSwap, Cache};
use criterion::Criterion;
use sluicegate::pipeline::threshold::{Setting, Threshold, ThresholdCell};
use sluicegate::twin::{Outcome, Twin};

const PATCH: &[u8] = br#"{"TemperatureThreshold":30.5}"#;

pub(crate) fn threshold(criterion: &mut Criterion) {
    let wanted = Threshold::new(30.5).expect("finite");
    let cell = Arc::new(ThresholdCell::default());
    let mut twin = Twin::new(Arc::clone(&cell), Threshold::DEFAULT, 1);
    let mut version = 1;
    assert_eq!(twin.patch(Some(version), PATCH), Outcome::Applied(wanted));
    let setting = Setting { threshold: wanted, version: Some(version) };
    assert_eq!(cell.load(), setting);

    let mut group = criterion.benchmark_group("threshold");
    group.bench_function("patch", |bencher| {
        bencher.iter(|| {
            version += 1;
            twin.patch(Some(version), black_box(PATCH))
        });
    });
    assert_eq!(cell.load().version, Some(version), "patches were stale");
    group.bench_function("patch: serde_json alone", |bencher| {
        bencher.iter(|| serde_json::from_slice::<serde_json::Value>(black_box(PATCH)));
    });

    group.bench_function("load", |bencher| bencher.iter(|| black_box(&cell).load()));
    let mut cache = Cache::new(Arc::new(ArcSwap::from_pointee(setting)));
    assert_eq!(**cache.load(), setting);
    group
        .bench_function("load by cache", |bencher| bencher.iter(|| **black_box(&mut cache).load()));
    let lock = RwLock::new(setting);
    let read = || black_box(&lock).read().map(|setting| *setting);
    assert_eq!(read().ok(), Some(setting));
    group.bench_function("load by lock", |bencher| {
        bencher.iter(|| black_box(&lock).read().map(|setting| *setting).ok());
    });
    group.finish();
}
