//! Proof that the instrument is right: it measures programs whose faults, delays and limits are
//! known, and must find exactly these.
//!
//! The program under test is `loadgen sink`. Counts must hold in every run. Figures of time are
//! asserted in one direction in every run and in the other in the best of several, because whatever
//! else goes on here can only make messages later, never earlier: see [`support::best_of`].
#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod arithmetic;
mod calibrate;
mod document;
mod faults;
mod limits;
mod programs;
mod rates;
mod sensors;
mod soak;
mod support;
