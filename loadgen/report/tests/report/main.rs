//! The report: read, drawn, written, and looked at in a browser.
#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod browser;
mod fixtures;
mod hostile;
