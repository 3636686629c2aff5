//! Compares a number, as the body spells it, with the threshold.

use super::super::{Found, Number, Verdict, verdict};
use crate::threshold::Threshold;

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
        if !self.has_exponent && is_surely_below(self.text, threshold) {
            return Some(Verdict::Below);
        }
        judge_by_value(self.text, threshold)
    }
}

/// Kept apart from what nearly every message takes.
#[inline(never)]
fn judge_by_value(text: &[u8], threshold: Threshold) -> Option<Verdict> {
    let number = Number::from_json(str::from_utf8(text).ok()?);
    Some(verdict(Found::Number(number), threshold))
}

/// Whether the digits before the point alone tell that a number does not exceed `threshold`.
///
/// A number is less than the integer above its whole part, or at most its whole part if negative.
/// Both are exact as `f64`, and rounding keeps the order of a number and an `f64`.
#[inline(always)]
fn is_surely_below(text: &[u8], threshold: Threshold) -> bool {
    let (is_negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
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
