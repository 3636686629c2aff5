//! What people see of measurements: a bar or lines meanwhile on standard error, tables at the end.

mod calibration;
mod capacity;
mod compare;
mod figures;
mod live;
mod outcome;
mod soak;

pub(crate) use calibration::calibration_text;
pub(crate) use capacity::{capacity_text, probe_line};
pub(crate) use compare::{comparison_text, turn_line};
pub(crate) use figures::rate;
pub(crate) use live::Live;
pub(crate) use outcome::outcome_text;
pub(crate) use soak::soak_text;
