//! Performance measurements of sluicegate.
//!
//! [`core`]: what one QoS 1 message costs without sockets, threads and queues. [`bare`]: the same
//! behind a socket, as a program that `loadgen run` measures. They are the yardsticks for the
//! pipeline. [`record`]: measures every figure that is promised and writes it down.
#![forbid(unsafe_code)]

pub mod bare;
pub mod core;
pub mod record;
