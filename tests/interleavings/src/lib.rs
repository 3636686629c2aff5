//! The files of the product where threads meet, compiled once more with threads, channels and
//! wake-ups that [shuttle](https://docs.rs/shuttle) schedules.
//!
//! ```text
//! src/pipeline/pool.rs      ─┐ the same text    ┌─ crate::host::threads: shuttle's
//! src/pipeline/threshold.rs ─┴──────────────────┴─ crate::pipeline::limits: small
//! ```
//!
//! The product takes them from its own `host::threads`, so it has no line for the sake of this.
//! What is judged, and how, is the product's library itself.
#![forbid(unsafe_code)]

pub mod host;
pub mod pipeline;
