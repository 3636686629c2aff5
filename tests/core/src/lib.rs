//! Tests of the core (decode, judge, acknowledge, name) that every architecture runs, under an
//! emulator where the processor is another one: few dependencies, no threads, no clock, no network,
//! and no test that relies on unwinding.
//!
//! This library is the [`corpus`] of message bodies and the [`readings`] of a machine; the tests
//! stand beside it.
#![forbid(unsafe_code)]

pub mod corpus;
pub mod readings;
