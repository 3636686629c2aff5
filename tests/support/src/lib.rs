//! What the tests of several packages share.
//!
//! [`program()`] finds a program under test, never one of other sources. [`Process`] is a running
//! one, [`kernel`] what is known of it outside. [`Mosquitto`] is a broker, and [`peer`] one by
//! script, as [`daemon`] and [`proxy`] are. [`Tree`] is a folder that stands for a work tree.
//! [`Wire`] is a wire with faults, [`Client`] a peer that bears them. [`wait_until`] waits on
//! conditions.
//!
//! Nothing here is in a program. This package knows neither sluicegate nor loadgen, so that both
//! can use it.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod client;
pub mod daemon;
pub mod kernel;
mod mosquitto;
pub mod peer;
mod process;
mod program;
pub mod proxy;
mod secrets;
mod tree;
mod wait;
mod wire;

use std::path::{Path, PathBuf};

pub use client::{Client, tls_trusting};
pub use mosquitto::{Access, BROKER_PASSWORD, BROKER_USER, Mosquitto};
pub use process::{Process, full_pipe, nobody};
pub use program::program;
pub use tree::{Tree, put_workspace, says_version, write_script};
pub use wait::{patience, wait_until, wait_until_for};
pub use wire::{Manner, Observer, Way, Wire};

/// The top folder of this workspace.
pub fn root() -> PathBuf {
    // Two folders up, without dots: it stands in messages.
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}
