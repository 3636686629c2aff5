//! The core's tests, through its public surface.
#![cfg(test)]

mod ack;
mod arena;
mod corpus;
mod forward;
mod inflight;
mod ingest;
mod parse;
mod sizes;
mod threshold;
mod wire;

use proptest::prelude::ProptestConfig;
use proptest::test_runner::RngSeed;

/// Cases of each property, unless `PROPTEST_CASES` names another number. Each run has others. On 32
/// bits they run under emulation.
const CASES: u32 = if cfg!(target_pointer_width = "32") { 500 } else { 4_000 };

/// How properties are tested. The seed is printed, and so shown when a test fails;
/// `PROPTEST_RNG_SEED` repeats it.
fn properties() -> ProptestConfig {
    let mut config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = CASES;
    }
    if config.rng_seed == RngSeed::Random {
        config.rng_seed = RngSeed::Fixed(fastrand::u64(..));
    }
    println!("PROPTEST_RNG_SEED={}", config.rng_seed);
    config
}
