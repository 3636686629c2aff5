//! The measuring instrument: drives a program with sensor messages on a schedule, verifies every
//! message that comes back, and tells latency, rate and cost, or that it cannot be believed.
//!
//! ```text
//!  traffic (built ahead) --\
//!  schedule (when) ---------> engine: one thread, all sockets --bytes--> program under test
//!                               |  ^------------------------ bytes ------------/
//!                               v
//!               ledger (what must come back), latency (histograms) --> outcome --> JSON, report
//! ```
//!
//! The engine's thread formats, allocates and locks nothing per message that it sends. The calling
//! thread only shows progress. Everything is bounded: [`settings`] has the limits.
#![forbid(unsafe_code)]

/// Digest of what this library was built from: a program compares it with that of its own sources.
pub const SOURCES: u64 = build_info_macro::sources!();

mod board;
mod broker;
mod calibrate;
pub mod capacity;
pub mod compare;
mod conductor;
mod cost;
mod engine;
pub mod error;
#[cfg(any(test, feature = "example"))]
pub mod example;
pub mod fault;
mod feeder;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod gateway;
mod inflight;
mod lane;
mod lanes;
pub mod ledger;
mod link;
pub mod machine;
mod meter;
pub mod others;
pub mod outcome;
mod plan;
pub mod process;
pub mod progress;
mod properties;
mod recorder;
mod run;
pub mod schedule;
pub mod settings;
mod side;
pub mod sink;
pub mod soak;
mod socket;
pub mod traffic;
mod verdict;
pub mod wire;

pub use calibrate::calibrate;
pub use error::LoadError;
pub use run::run;
