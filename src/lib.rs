//! sluicegate: forwards only the sensor messages that exceed a live threshold.
//!
//! ```text
//!              ┌──────────────────────────── ingest thread ────────────────────────────┐
//!   hub    ──► │ mqtt ─► link ───┐                ┌── judged here ──┐                  │
//!   broker ──► │ mqtt ─► source ─┴► ingest: batches ══ pool: N ═════┴► order, naming   │
//!              │            ▲          ▲ threshold at arrival               │          │
//!   hub    ◄── │ mqtt ◄─────┼──────────┼── twin, control                    │          │
//!   broker ◄── │ mqtt ◄── outbound ◄───┼─────────── alerts ◄────────────────┘          │
//!              │            │ PUBACK of the alert                                      │
//!              │            └─► ledger: then PUBACK of the message                     │
//!              └───────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! Rooms by whom they talk to; ARCHITECTURE.md has a map of them. Of `pipeline`, what judges,
//! orders and acknowledges is pure: no runtime, no clock, no environment. `azure` is text and types
//! only, shared with the local hub.
#![forbid(unsafe_code)]
// A count that becomes a float is no longer exact; the product has no use for that but to round.
#![warn(clippy::cast_precision_loss)]
// An instant less a time that is longer than the machine is up panics; tests may.
#![cfg_attr(not(test), warn(clippy::unchecked_time_subtraction))]

/// Digest of what this library was built from: a program compares it with that of its own sources.
pub const SOURCES: u64 = build_info_macro::sources!();

pub mod mqtt;

pub mod hub;

pub mod broker;

pub mod pipeline;

pub mod outbound;

pub mod twin;

pub mod azure;

pub mod sensor;

pub mod cli;
pub mod host;
pub mod module;
pub mod settings;
pub mod start;

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod testing;
