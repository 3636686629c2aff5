//! What the machine gives a process: files, a log, signals, the time of day.
//!
//! Knows nothing of MQTT, Azure or JSON, and nothing else in this crate: everything may use it.

pub mod duration;
pub mod files;
pub mod limits;
pub mod logging;
pub mod signals;
pub(crate) mod text;
pub mod threads;
pub mod utc;
