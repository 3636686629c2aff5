//! sluicegate: forwards only the sensor messages that exceed a live threshold.
#![forbid(unsafe_code)]
pub mod azure;
pub mod mqtt;
pub mod parse;
pub mod threshold;
