//! The command line of `loadgen`, run as a user runs it.
#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod around;
mod commands;
mod control;
mod demo;
mod deployment;
mod descriptors;
mod durable;
mod hub;
mod limits;
mod measure;
mod report;
mod sink;
mod stuck;
mod support;
mod template;
