//! Bounds so small that few batches reach them.

/// Batches handed to the pool and not yet back.
pub const PIPELINE_BATCHES_MAX: usize = 2;
