//! The stages of a message's way, each alone, single-threaded, on bodies and packets that are
//! always the same: what a program that counts instructions or allocations is given to run.
//!
//! [`STAGES`] is the table. [`core`] is decode, judge, acknowledge and encode in one loop; the
//! stages `pipeline` and `pipeline_alerts` are the module itself on the hub link, from `poll_read`
//! to `poll_write`. What they leave out: sockets, TLS, WebSocket, timers, pauses (`linger`), parser
//! threads, and the connections to a broker.
//!
//! # Counting
//! `stages NAME 2N` less `stages NAME N` is N messages: set-up and warm-up cancel. Three things
//! differ from run to run otherwise, and must be kept from it:
//! - The environment is part of the stack: start with an empty one, but for what follows.
//! - glibc's `memcpy` goes by the sizes of caches, and callgrind counts a `rep movsb` byte by byte.
//!   `GLIBC_TUNABLES=glibc.cpu.x86_rep_movsb_threshold=0x40000000:`
//!   `glibc.cpu.x86_rep_stosb_threshold=0x40000000:glibc.cpu.x86_non_temporal_threshold=0x40000000`
//!   (one word) has it copy the same way everywhere, as far as the CPU has AVX2.
//! - Rust's start reads `/proc/self/maps`, where valgrind has a file whose name holds its process
//!   id: `valgrind --vgdb=no`.
//!
//! With these, callgrind gives the same number each time, to the instruction. Clocks are read and
//! not acted upon, random numbers are seeded, and no address is drawn (which is why `stages` runs
//! on the system's allocator).
#![forbid(unsafe_code)]

/// Digest of what this library was built from: a program compares it with that of its own sources.
pub const SOURCES: u64 = build_info_macro::sources!();

pub mod body;
pub mod core;
pub mod stage;

mod acknowledge;
mod decode;
mod encode;
mod judge;
mod pipeline;
mod table;
mod traffic;
mod twin;
mod whole;

pub use stage::{Stage, Work};
pub use table::STAGES;
