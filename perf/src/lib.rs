//! Performance measurements of sluicegate.
//!
//! [`core`]: what one QoS 1 message costs without sockets, threads and queues. It is the
//! yardstick for the pipeline, which adds exactly those. [`through_hub`]: the module behind the
//! local hub, with all of them.
#![forbid(unsafe_code)]

pub mod core;
pub mod through_hub;
