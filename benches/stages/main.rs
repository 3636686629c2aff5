//! Each stage of a message's way but the parser (that is `--bench parse`), next to what a library
//! or a bare copy needs for the same.
//!
//! Relative numbers: compare the lines of one run with each other.
//! `cargo bench --bench stages [FILTER]`; `cargo test --benches` runs each line once. What is
//! expected stands in the file of each stage.

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use mimalloc::MiMalloc;

mod acknowledge;
mod core;
mod counted;
mod decode;
mod forward;
mod threshold;
mod traffic;

/// As in the product: some peers allocate.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = decode::decode, forward::forward, acknowledge::acknowledge, threshold::threshold,
        core::core, counted::counted
}
criterion_main!(benches);
