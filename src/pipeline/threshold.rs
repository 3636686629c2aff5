//! The threshold in force, and the one comparison that uses it.
//!
//! The twin writes a [`Setting`] into the [`ThresholdCell`]; the pipeline reads it once a turn
//! of a connection, before the messages of that turn, and again behind each change that came in it.
//! A batch carries the threshold that was read last. So a message is judged by the setting that was
//! in force when it arrived, however long it waits for a parser.
//! The cell holds one setting: a newer one replaces it, nothing queues, nobody blocks.

use std::cmp::Ordering;
use std::fmt;

use crate::host::threads::ArcSwap;
use crate::pipeline::number::Number;

/// A finite temperature that a reading must exceed to be an alert, in the sensor's own unit.
///
/// It is an `f64`: an integer of more than 53 bits in the twin is rounded to the nearest one.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Threshold(f64);

impl Threshold {
    /// In force until the twin names another: the value that the deployment template carries.
    pub const DEFAULT: Threshold = Threshold(25.0);

    /// A threshold of `value`; none when it is infinite or not a number.
    pub fn new(value: f64) -> Option<Self> {
        value.is_finite().then_some(Self(value))
    }

    /// The value, always finite.
    pub fn value(self) -> f64 {
        self.0
    }
}

impl Default for Threshold {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Whether `number` is strictly greater than `threshold`: an integer by its exact value, any other
/// number by the nearest `f64`, which is all that [`Number::Float`] holds.
///
/// Rounding an integer to `f64` first would lose alerts: 9007199254740993 exceeds
/// 9007199254740992.0, although both are the same `f64`.
pub fn exceeds(number: Number<'_>, threshold: Threshold) -> bool {
    match number {
        Number::Float(value) => value > threshold.0,
        Number::Integer(value) => value > floor(threshold),
        Number::Long(digits) => long_exceeds(digits, threshold),
    }
}

/// An integer exceeds a real number exactly when it exceeds the integer below it.
///
/// Saturates at the ends of `i128`, which no 64-bit integer reaches.
#[expect(clippy::cast_possible_truncation, reason = "saturating is right here, see above")]
fn floor(threshold: Threshold) -> i128 {
    threshold.0.floor() as i128
}

/// Compares decimal texts: a longer one is larger, equal lengths compare digit by digit.
///
/// Linear in the length of `digits`; the threshold's own text has at most 310 characters.
fn long_exceeds(digits: &str, threshold: Threshold) -> bool {
    // Without a fraction to print, the text of an f64 is its exact value.
    let floor = format!("{:.0}", threshold.0.floor());
    match (digits.strip_prefix('-'), floor.strip_prefix('-')) {
        (None, Some(_)) => true,
        (Some(_), None) => false,
        (None, None) => compare_magnitudes(digits, &floor) == Ordering::Greater,
        (Some(digits), Some(floor)) => compare_magnitudes(digits, floor) == Ordering::Less,
    }
}

/// Orders two texts of decimal digits without leading zeros.
fn compare_magnitudes(left: &str, right: &str) -> Ordering {
    left.len().cmp(&right.len()).then_with(|| left.cmp(right))
}

/// A threshold together with the twin version that set it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Setting {
    /// The threshold in force.
    pub threshold: Threshold,
    /// The desired properties' `$version` it came from; none before the first twin was read.
    pub version: Option<u64>,
}

/// Where the twin puts a new [`Setting`] and the ingest thread finds it.
///
/// Readers and writers never wait for each other, and a setting is always seen whole.
#[derive(Debug, Default)]
pub struct ThresholdCell(ArcSwap<Setting>);

impl ThresholdCell {
    /// A cell that holds `setting`.
    pub fn new(setting: Setting) -> Self {
        Self(ArcSwap::from_pointee(setting))
    }

    /// The setting in force now. Take it once per batch.
    pub fn load(&self) -> Setting {
        **self.0.load()
    }

    /// Puts `setting` in force for every later [`load`](Self::load).
    pub fn store(&self, setting: Setting) {
        self.0.store(setting.into());
    }
}
