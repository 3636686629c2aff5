//! What the tests of several packages share.
//!
//! [`program`] finds a program under test, never one of other sources. [`Tree`] is a folder that
//! stands for a work tree.
//!
//! Nothing here is in a program. This package knows neither sluicegate nor loadgen, so that both can
//! use it.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod program;
mod tree;

use std::path::{Path, PathBuf};

pub use program::program;
pub use tree::{Tree, write_script};

/// The top folder of this workspace.
pub fn root() -> PathBuf {
    // Two folders up, without dots: it stands in messages.
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}
