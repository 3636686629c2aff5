//! Compares a number, as the body spells it, with the threshold.

use super::super::{Found, Number, Verdict, verdict};
use crate::pipeline::threshold::Threshold;

/// A number by the JSON grammar.
#[derive(Clone, Copy)]
pub(super) struct NumberText<'a> {
    pub(super) text: &'a [u8],
    pub(super) has_exponent: bool,
}

impl NumberText<'_> {
    /// The verdict; none only if the number is not text, which the grammar rules out.
    #[inline(always)]
    pub(super) fn judge(self, threshold: Threshold) -> Option<Verdict> {
        if !self.has_exponent {
            let (is_negative, digits) = match self.text {
                [b'-', digits @ ..] => (true, digits),
                digits => (false, digits),
            };
            if is_surely_below(is_negative, digits, threshold) {
                return Some(Verdict::Below);
            }
            if let Some(size) = short_value(digits) {
                let value = if is_negative { -size } else { size };
                return Some(if value > threshold.value() {
                    Verdict::Alert(value)
                } else {
                    Verdict::Below
                });
            }
        }
        judge_any(self.text, threshold)
    }
}

/// Kept apart from what nearly every message takes.
#[inline(never)]
fn judge_any(text: &[u8], threshold: Threshold) -> Option<Verdict> {
    let number = Number::from_json(str::from_utf8(text).ok()?);
    Some(verdict(Found::Number(number), threshold))
}

/// Whether the digits before the point alone tell that a number does not exceed `threshold`.
///
/// A number is less than the integer above its whole part, or at most its whole part if negative.
/// Both are exact as `f64`, and rounding keeps the order of a number and an `f64`.
#[inline(always)]
fn is_surely_below(is_negative: bool, digits: &[u8], threshold: Threshold) -> bool {
    let mut whole = 0_u32;
    for digit in digits.iter().take_while(|byte| **byte != b'.') {
        let Some(next) =
            whole.checked_mul(10).and_then(|whole| whole.checked_add(u32::from(digit & 0x0f)))
        else {
            return false;
        };
        whole = next;
    }
    let whole = f64::from(whole);
    let bound = if is_negative { -whole } else { whole + 1.0 };
    bound <= threshold.value()
}

/// Most characters of a number that [`short_value`] reads, and most of those behind its point.
const SHORT_BYTES: usize = 16;

/// The powers of ten that may stand below a fraction of as many digits; all are exact.
const POWERS: [f64; SHORT_BYTES] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];

/// The nearest `f64` to a number without sign, if it is short and not zero.
///
/// Its digits make an integer of at most 53 bits, and so does the power of ten below them: both are
/// exact, and a division is rounded once. An integer that is read here is exact itself. Zero is
/// left out, since the integer -0 has no sign and the float has.
#[inline(always)]
#[expect(clippy::cast_precision_loss, reason = "at most 53 bits, see above")]
fn short_value(digits: &[u8]) -> Option<f64> {
    const INTEGERS_EXACT_TO: u64 = 1 << f64::MANTISSA_DIGITS;
    if digits.len() > SHORT_BYTES {
        return None;
    }
    let mut value = 0;
    let mut point = digits.len();
    for (at, byte) in digits.iter().enumerate() {
        if *byte == b'.' {
            point = at + 1;
        } else {
            value = value * 10 + u64::from(byte & 0x0f);
        }
    }
    let is_exact = (1..=INTEGERS_EXACT_TO).contains(&value);
    is_exact.then_some(value as f64 / POWERS.get(digits.len() - point)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Each number of few digits that is not zero is read here, and as the standard library
        /// reads it.
        #[test]
        fn short_numbers_are_read(value in 1_u64..1 << 50, point in 0_usize..16) {
            let mut text = value.to_string();
            if point > 0 && point < text.len() && text.len() < SHORT_BYTES {
                text.insert(text.len() - point, '.');
            }
            prop_assert_eq!(short_value(text.as_bytes()), text.parse().ok(), "{}", text);
        }

        /// A number is told by the digits before its point wherever they are enough: a positive
        /// one by the next integer, a negative one by its whole part.
        #[test]
        fn whole_digits_tell_what_they_can(whole: u32, is_negative: bool, limit in -1e10..1e10) {
            let digits = format!("{whole}.5");
            let threshold = Threshold::new(limit).expect("finite");
            let (below, above) = (f64::from(whole), f64::from(whole) + 1.0);
            let is_below = if is_negative { -below <= limit } else { above <= limit };
            prop_assert_eq!(is_surely_below(is_negative, digits.as_bytes(), threshold), is_below);
        }
    }
}
