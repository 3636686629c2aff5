//! Bodies of the simulated temperature sensor, around a threshold.
//!
//! Each sensor has two random walks with the simulator's steps: a quiet one within four degrees
//! below the threshold, and one above it, which its alerts take. Temperatures are counted in
//! hundredths, as integers; what is compared in the end is their text, so nothing hangs on
//! rounding.

use super::error::TrafficError;
use super::pad::pad;
use super::stamp::{STAMP_BYTES, first_stamp};
use crate::settings::{BODY_BYTES_MAX, TrafficSettings};

/// Size of a body, unless the threshold's neighbours take more digits than it leaves.
const BODY_BYTES_DEFAULT: usize = 140;
const BEFORE_TEMPERATURE: &str = r#"{"machine":{"temperature":"#;
const BEFORE_PRESSURE: &str = r#","pressure":"#;
const BEFORE_AMBIENT: &str = r#"},"ambient":{"temperature":"#;
const BEFORE_HUMIDITY: &str = r#","humidity":"#;
const BEFORE_PADDING: &str = "},";
pub(super) const BEFORE_STAMP: &str = r#""timeCreated":""#;
/// All that is the same in every body, by length: pressure as `1.5`, humidity as `24`.
const FIXED_BYTES: usize = BEFORE_TEMPERATURE.len()
    + BEFORE_PRESSURE.len()
    + 3
    + BEFORE_AMBIENT.len()
    + BEFORE_HUMIDITY.len()
    + 2
    + BEFORE_PADDING.len()
    + BEFORE_STAMP.len()
    + STAMP_BYTES;
/// The ambient temperature takes what is left, at least as in `20.7`.
const AMBIENT_BYTES_MIN: usize = 4;

/// Hundredths from the lowest quiet reading to the threshold: 21 to 25 by default, as the sensor.
const QUIET_SPAN: i64 = 400;
/// Hundredths from the threshold to the hottest reading: 25 to 100 by default, as the sensor.
const ALERT_SPAN: i64 = 7_500;
/// One quiet reading in as many equals the threshold exactly.
const EQUAL_ONE_IN: u32 = 16;
/// Thresholds from here on are written with an exponent.
const PLAIN_MAX: f64 = 1e12;

/// Writes the bodies of all sensors.
pub(super) struct Simulated {
    scale: Scale,
    body_bytes: usize,
    /// Of it without padding.
    plain_bytes: usize,
    share: f64,
    alerts_left: u32,
    slots_left: u32,
    walks: Vec<Walk>,
    random: fastrand::Rng,
}

/// Where a sensor's two walks are, in hundredths.
struct Walk {
    quiet: i64,
    alert: i64,
}

impl Simulated {
    /// Of which `share` will be alerts.
    pub(super) fn new(settings: &TrafficSettings, share: f64) -> Result<Self, TrafficError> {
        let scale = Scale::new(settings.threshold)?;
        let minimum = FIXED_BYTES + scale.text_bytes_max() + AMBIENT_BYTES_MIN;
        let default = minimum.max(BODY_BYTES_DEFAULT);
        let body_bytes = settings.size.unwrap_or(default);
        if !(minimum..=BODY_BYTES_MAX).contains(&body_bytes) {
            return Err(TrafficError::Size { asked: body_bytes, minimum });
        }
        let mut random = fastrand::Rng::with_seed(settings.seed);
        let walks = (0..settings.sensors)
            .map(|_| Walk {
                quiet: scale.floor - i64::from(random.u32(0..=400)),
                alert: scale.floor + i64::from(random.u32(1..=400)),
            })
            .collect();
        let plain_bytes = body_bytes.min(default);
        let (alerts_left, slots_left) = (0, 0);
        Ok(Self { scale, body_bytes, plain_bytes, share, alerts_left, slots_left, walks, random })
    }

    pub(super) fn bytes_max(&self) -> usize {
        self.body_bytes
    }

    /// So many bodies will be written.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a u32, from 0 to 1"
    )]
    pub(super) fn begin(&mut self, bodies: u32) -> Result<(), TrafficError> {
        self.slots_left = bodies;
        self.alerts_left = (f64::from(bodies) * self.share).round() as u32;
        if self.alerts_left == 0 && self.share > 0.0 {
            return Err(TrafficError::NoAlerts { share: self.share, messages: bodies });
        }
        Ok(())
    }

    /// Appends the next body of the sensor of `slot`, and tells whether it is an alert.
    pub(super) fn write(&mut self, slot: u32, out: &mut Vec<u8>) -> bool {
        let is_alert = self.draw_alert();
        let hundredths = self.step(slot, is_alert);
        let text = if !is_alert && self.random.u32(0..EQUAL_ONE_IN) == 0 {
            self.scale.equal.clone()
        } else {
            self.scale.text(hundredths)
        };
        let start = out.len();
        self.write_members(hundredths, &text, out);
        pad(out, self.body_bytes - self.plain_bytes, &mut self.random);
        out.extend_from_slice(BEFORE_STAMP.as_bytes());
        out.extend_from_slice(&first_stamp(slot));
        debug_assert_eq!(out.len() - start, self.body_bytes);
        is_alert
    }

    /// Selection sampling: every choice of exactly so many among all slots is equally likely.
    fn draw_alert(&mut self) -> bool {
        let is_alert = self.random.u32(0..self.slots_left) < self.alerts_left;
        self.slots_left -= 1;
        self.alerts_left -= u32::from(is_alert);
        is_alert
    }

    fn step(&mut self, slot: u32, is_alert: bool) -> i64 {
        let sensor = slot as usize % self.walks.len();
        let (walk, floor) = (&mut self.walks[sensor], self.scale.floor);
        if is_alert {
            let highest = floor + ALERT_SPAN;
            let lowest_step = if walk.alert >= highest { -50 } else { -25 };
            let step = i64::from(self.random.i32(lowest_step..=lowest_step + 150));
            walk.alert = (walk.alert + step).clamp(floor + 1, highest);
            walk.alert
        } else {
            let step = i64::from(self.random.i32(-25..=25));
            walk.quiet = (walk.quiet + step).clamp(floor - QUIET_SPAN, floor);
            walk.quiet
        }
    }

    /// All before the padding; [`FIXED_BYTES`] and `plain_bytes` count them.
    fn write_members(&mut self, hundredths: i64, temperature: &str, out: &mut Vec<u8>) {
        // 1 to 10 over the range of the temperature, as the sensor does.
        let above_lowest = hundredths - (self.scale.floor - QUIET_SPAN);
        let tenths = (10 + above_lowest * 90 / (QUIET_SPAN + ALERT_SPAN)).min(99);
        out.extend_from_slice(BEFORE_TEMPERATURE.as_bytes());
        out.extend_from_slice(temperature.as_bytes());
        out.extend_from_slice(BEFORE_PRESSURE.as_bytes());
        out.extend_from_slice(format!("{}.{}", tenths / 10, tenths % 10).as_bytes());
        out.extend_from_slice(BEFORE_AMBIENT.as_bytes());
        out.extend_from_slice(if self.random.bool() { b"20." } else { b"21." });
        for _ in 0..self.plain_bytes - FIXED_BYTES - temperature.len() - "20.".len() {
            out.push(self.random.u8(b'0'..=b'9'));
        }
        out.extend_from_slice(BEFORE_HUMIDITY.as_bytes());
        out.extend_from_slice(format!("{}", self.random.u32(24..=26)).as_bytes());
        out.extend_from_slice(BEFORE_PADDING.as_bytes());
    }
}

/// How temperatures near a threshold are written.
struct Scale {
    /// A temperature is so many times ten to this.
    exponent: i32,
    /// The largest that does not exceed the threshold.
    floor: i64,
    /// A text of exactly the threshold.
    equal: String,
}

impl Scale {
    #[expect(clippy::cast_possible_truncation, reason = "of at most 15 digits; `settle` checks it")]
    fn new(threshold: f64) -> Result<Self, TrafficError> {
        let size = threshold.abs();
        let (exponent, floor) = if size < PLAIN_MAX {
            (-2, (threshold * 100.0).floor() as i64)
        } else {
            // Twelve digits before the exponent: coarser than f64, finer than the walks.
            let exponent = size.log10().floor() as i32 - 11;
            (exponent, (threshold / 10f64.powi(exponent)).floor() as i64)
        };
        let scale = Self { exponent, floor, equal: shortest(threshold) };
        scale.settle(threshold).ok_or(TrafficError::NoRoom(threshold))
    }

    /// Corrects what rounding did to `floor`, and sees that all temperatures to come can be
    /// written.
    fn settle(mut self, threshold: f64) -> Option<Self> {
        const STEPS_MAX: i64 = 8;
        let near = self.floor - STEPS_MAX..=self.floor + STEPS_MAX;
        self.floor = near.rev().find(|&value| self.value(value) <= threshold)?;
        let [low, high] = [self.floor - QUIET_SPAN, self.floor + ALERT_SPAN];
        let fits = self.value(low).is_finite()
            && self.value(low) < threshold
            && self.value(self.floor + 1) > threshold
            && self.value(high).is_finite()
            && self.value(high) > self.value(self.floor + 1);
        fits.then_some(self)
    }

    /// What a program must read in the text.
    fn value(&self, count: i64) -> f64 {
        self.text(count).parse().expect("decimal digits, point and exponent")
    }

    fn text(&self, count: i64) -> String {
        if self.exponent != -2 {
            return format!("{count}e{}", self.exponent);
        }
        let (sign, size) = (if count < 0 { "-" } else { "" }, count.unsigned_abs());
        format!("{sign}{}.{:02}", size / 100, size % 100)
    }

    /// Longest of all temperatures to come: the outermost, and the threshold.
    fn text_bytes_max(&self) -> usize {
        let [low, high] = [self.floor - QUIET_SPAN, self.floor + ALERT_SPAN];
        self.text(low).len().max(self.text(high).len()).max(self.equal.len())
    }
}

/// A JSON text of exactly `value`, which must be finite: the shorter of two. From 2⁵³ on it has an
/// exponent, since a plain one might be rounded, and readers that compare integers digit by digit
/// would see another number.
pub(super) fn shortest(value: f64) -> String {
    const INTEGERS_EXACT_TO: f64 = 9_007_199_254_740_992.0;
    let (plain, scientific) = (format!("{value}"), format!("{value:e}"));
    let is_plain = value.abs() < INTEGERS_EXACT_TO && plain.len() <= scientific.len();
    if is_plain { plain } else { scientific }
}

#[cfg(test)]
mod tests;
