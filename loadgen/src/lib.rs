//! Local development hub, simulated sensors and the demo that watch `sluicegate` work.
//!
//! ```text
//! simulator -> hub (routes, stores, twins, methods) -> module over MQTT -> hub -> monitor
//! ```
#![forbid(unsafe_code)]

/// Digest of what this library was built from: a program compares it with that of its own sources.
pub const SOURCES: u64 = build_info_macro::sources!();

pub mod cli;
pub mod hub;
pub mod load;
mod process;
pub mod report;
pub mod simulator;
pub mod sink;
