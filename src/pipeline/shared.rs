//! One pipeline for all connections, which take turns with it on one thread.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Pipeline;

/// The pipeline as its connections share it.
#[derive(Clone)]
pub struct SharedPipeline(Arc<Mutex<Pipeline>>);

impl SharedPipeline {
    /// Shares `pipeline`.
    pub fn new(pipeline: Pipeline) -> Self {
        Self(Arc::new(Mutex::new(pipeline)))
    }

    /// The pipeline, for as long as one turn works with it. Never waits: its users take turns on
    /// one thread.
    pub fn lock(&self) -> MutexGuard<'_, Pipeline> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
