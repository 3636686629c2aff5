//! Performance measurements of sluicegate.
//!
//! [`bare`]: [`stages::core`] behind a socket, as a program that `loadgen run` measures: the yardstick
//! for the pipeline. [`record`]: measures every figure that is promised and writes it down. [`gate`]:
//! counts what repeats exactly and fails when it grew. [`budgets`]: what each stage may cost at most.
#![forbid(unsafe_code)]

pub mod bare;
pub mod budgets;
pub mod gate;
pub mod record;

#[cfg(test)]
mod example;
mod instrument;
mod job;
mod stop;
