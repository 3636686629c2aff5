//! What stands for the pipeline.

#[path = "../../../src/pipeline/pool.rs"]
pub mod pool;
#[path = "../../../src/pipeline/threshold.rs"]
pub mod threshold;

pub use sluicegate::pipeline::{message, number, parse};

/// Bounds so small that few batches reach them.
pub mod limits {
    /// Batches handed to the pool and not yet back.
    pub const PIPELINE_BATCHES_MAX: usize = 2;
}
