//! The stages of a message's way, each alone, single-threaded, on bodies and packets that are always
//! the same: what a program that counts instructions or allocations is given to run.
//!
//! [`STAGES`] is the table. [`core`] is decode, judge, acknowledge and encode in one loop.
#![forbid(unsafe_code)]

pub mod body;
pub mod core;
pub mod stage;

mod acknowledge;
mod decode;
mod encode;
mod judge;
mod pipeline;
mod traffic;
mod twin;
mod whole;

pub use stage::{STAGES, Stage, Work};
