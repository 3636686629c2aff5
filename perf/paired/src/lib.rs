//! What the ratios of paired runs say. Pure.
//!
//! Two programs run in turns, A B, B A: whatever slows the machine slows both. So the figures of
//! one pair are divided, and only the ratios are summed up: by [`median`] and [`quartiles`], or by
//! [`Summary`], which also tells the median's interval and whether chance explains it. `perf ab`
//! and `loadgen compare` both judge by these.
#![forbid(unsafe_code)]

/// Digest of what this library was built from: a program compares it with that of its own sources.
pub const SOURCES: u64 = build_info_macro::sources!();

mod quantile;
mod summary;

pub use quantile::{median, median_whole, quartiles};
pub use summary::{ENOUGH, FLIPS, INTERVAL_MISSES, Summary, permutation};
