//! Threads, and what they meet by: queues, wake-ups, a cell.
//!
//! Where threads share something, it comes from here. So `tests/interleavings` can compile those
//! very files with others, whose every step it schedules.

pub use std::thread::{Builder, JoinHandle};

pub use arc_swap::ArcSwap;
pub use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
pub use tokio::sync::Notify;
