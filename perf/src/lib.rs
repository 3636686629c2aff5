//! Performance measurements of sluicegate.
//!
//! [`bare`]: [`stages::core`] behind a socket, as a program that `loadgen run` measures: the
//! yardstick for the pipeline. [`record`]: measures every figure that is promised and writes it
//! down. [`ab`]: compares two states of the tree by the CPU time of the pipeline. [`trend`]: draws
//! the record.
//! [`gate`]: counts what repeats exactly and fails when it grew. [`budgets`]: what may be counted.
//! [`verify`]: whether programs were built from this tree, which all but [`bare`] look at
//! themselves.
#![forbid(unsafe_code)]

/// Digest of what this library was built from: a program compares it with that of its own sources.
pub const SOURCES: u64 = build_info_macro::sources!();

pub mod ab;
pub mod arch;
pub mod bare;
pub mod budgets;
pub mod failure;
pub mod gate;
pub mod record;
pub mod trend;
pub mod verify;

mod cargo;
mod child;
#[cfg(test)]
mod example;
mod instrument;
mod job;
mod provenance;
mod stop;
