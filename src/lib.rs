//! sluicegate: forwards only the sensor messages that exceed a live threshold.
#![forbid(unsafe_code)]
pub mod mqtt;
pub mod parse;
pub mod threshold;
