//! Performance measurements of sluicegate.
//!
//! [`bare`]: [`stages::core`] behind a socket, as a program that `loadgen run` measures: the yardstick
//! for the pipeline. [`record`]: measures every figure that is promised and writes it down.
#![forbid(unsafe_code)]

pub mod bare;
pub mod record;

#[cfg(test)]
mod example;
mod instrument;
mod job;
mod stop;
