//! Performance measurements of sluicegate.
//!
//! The bare core: what one QoS 1 message costs without sockets, threads and queues. It is the
//! yardstick for the pipeline, which adds exactly those.
#![forbid(unsafe_code)]

pub mod core;
