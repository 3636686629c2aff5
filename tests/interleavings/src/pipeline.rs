//! What stands for the pipeline: two of its files, and what they take from the others.

pub mod limits;
#[path = "../../../src/pipeline/pool.rs"]
pub mod pool;
#[path = "../../../src/pipeline/threshold.rs"]
pub mod threshold;

pub use sluicegate::pipeline::{message, number, parse};
