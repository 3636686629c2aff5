//! The command line: a local hub with simulated sensors, the demo, and the measuring instrument.
//!
//! ```text
//! simulator -> hub (routes, stores, twins, methods) -> module over MQTT -> hub -> monitor
//! load (schedule, traffic) -> program under test -> load (verdict) -> JSON -> report
//! ```
#![forbid(unsafe_code)]

/// Digest of what this library was built from: a program compares it with that of its own sources.
pub const SOURCES: u64 = build_info_macro::sources!();

pub mod cli;
