//! What the whole tree keeps to, each rule a function from the `Tree` to its `Finding`s:
//!
//! ```text
//! files ──► tree ──┬──► outline (Rust) ──┬──► sizes, types, circles
//!                  │                     ├──► constants, items
//!                  ├──► markdown ────────┴──► links, paths, sentences
//!                  └──────────────────────► lines, words, code_map, counters
//! ```
//!
//! `tests` runs every rule over the tree that this package is in, and shows all that a rule finds.
//! Each rule has tests of its own on small made trees, which show that it can fail.
#![forbid(unsafe_code)]

pub mod circles;
pub mod code_map;
pub mod constants;
pub mod counters;
pub mod finding;
pub mod items;
pub mod lines;
pub mod links;
pub mod markdown;
pub mod outline;
pub mod packages;
pub mod paths;
pub mod pattern;
pub mod sentences;
pub mod sizes;
pub mod tree;
pub mod types;
pub mod words;

#[cfg(test)]
mod tests;
