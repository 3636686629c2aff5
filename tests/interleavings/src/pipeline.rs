//! What stands for the pipeline: two of its files, and what they take from the others.

#[path = "../../../src/pipeline/threshold.rs"]
pub mod cell;
pub mod limits;
#[path = "../../../src/pipeline/pool.rs"]
pub mod pool;

pub use sluicegate::pipeline::{message, number, parse, threshold};
