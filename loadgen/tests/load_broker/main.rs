//! `loadgen run --broker`, as a user runs it: against Mosquitto, with `loadgen sink` as the program
//! behind it, and against brokers that are none.
//!
//! The tests under [`interop`] need the tools that `tests/run tools` installs.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod interop;
mod refusals;
mod support;
