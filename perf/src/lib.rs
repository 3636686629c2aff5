//! Performance measurements of sluicegate.
//!
//! [`core`]: what one QoS 1 message costs without sockets, threads and queues. It is the
//! yardstick for the pipeline, which adds exactly those; `loadgen run` measures that.
#![forbid(unsafe_code)]

pub mod core;
