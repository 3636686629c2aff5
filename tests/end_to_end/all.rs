//! Behaviour of the module through its public surface: a real process, a real hub, real TLS.
//!
//! One binary, because each test binary links the whole product. The tests under [`interop`],
//! [`broker`] and [`readme`] need the tools that `tests/run tools` installs, those under [`arm32`]
//! what `tests/run arm32` builds; the others need nothing but the workspace.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod arm32;
mod broker;
mod delivery;
mod deploy;
mod early;
mod failures;
mod filter;
mod harness;
mod holes;
mod interop;
mod load;
mod plain;
mod readme;
mod real_data;
mod renewal;
mod routes;
mod runtime;
mod sensor;
mod shutdown;
mod start;
mod tests_run;
mod twin;
mod walk;
