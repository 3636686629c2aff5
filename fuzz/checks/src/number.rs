//! The one comparison, against exact decimals of any size.

use std::cmp::Ordering;
use std::str::FromStr;

use bigdecimal::BigDecimal;
use bigdecimal::num_bigint::BigInt;
use serde::de::IgnoredAny;
use sluicegate::pipeline::parse::{JsonPath, LONG_DIGITS, Number, Parser, Verdict, Ways};
use sluicegate::pipeline::threshold::Threshold;

/// From here on powers of ten are told by their size alone: no double is near.
const EXPONENT_MAX: i64 = 5_000;

/// The first eight bytes of `data` are the threshold, the rest is the text of a number.
pub fn check(data: &[u8]) {
    let Some((bits, text)) = data.split_first_chunk::<8>() else { return };
    let Some(threshold) = Threshold::new(f64::from_bits(u64::from_be_bytes(*bits))) else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    if !is_number(text) {
        return;
    }
    let expected = exceeds(text, threshold.value());
    let body = format!("{{\"machine\":{{\"temperature\":{text}}}}}");
    for ways in Ways::ALL {
        let verdict = Parser::by(ways, JsonPath::default()).judge(body.as_bytes(), threshold);
        let is_alert = matches!(verdict, Verdict::Alert(_));
        assert!(is_alert || verdict == Verdict::Below, "{text}: {verdict:?}");
        assert_eq!(is_alert, expected, "{text} > {threshold} by {ways:?}");
    }
    let number = number(text);
    assert_eq!(sluicegate::pipeline::threshold::exceeds(number, threshold), expected, "{text}");
}

/// Whether it is a number of JSON and nothing else, of any size.
fn is_number(text: &str) -> bool {
    let is_of_numbers = |byte: u8| byte.is_ascii_digit() || b"+-.eE".contains(&byte);
    text.bytes().all(is_of_numbers) && serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// The number as the pipeline has it.
fn number(text: &str) -> Number<'_> {
    if text.contains(['.', 'e', 'E']) {
        return Number::Float(text.parse().expect("a JSON float"));
    }
    match text.parse() {
        Ok(value) if text.len() < LONG_DIGITS => Number::Integer(value),
        _ => Number::Long(text),
    }
}

/// Whether the number that `text` spells is strictly greater than `threshold`: an integer by its
/// value, any other by the nearest double.
pub(crate) fn exceeds(text: &str, threshold: f64) -> bool {
    if !text.contains(['.', 'e', 'E']) {
        let integer = BigInt::from_str(text).expect("a JSON integer");
        return BigDecimal::from(integer) > exactly(threshold);
    }
    let nearest: f64 = text.parse().expect("a JSON float");
    check_nearest(text, nearest);
    nearest > threshold
}

fn exactly(value: f64) -> BigDecimal {
    BigDecimal::try_from(value).expect("a finite double is a decimal")
}

/// That no double is nearer to what `text` spells than `nearest`.
fn check_nearest(text: &str, nearest: f64) {
    let Some(exact) = decimal(text) else { return };
    let sign = if text.starts_with('-') { -1.0 } else { 1.0 };
    let size = exact.abs();
    let found = nearest * sign;
    assert!(found >= 0.0, "{text}: {nearest}");
    // Half of the last step lies behind the largest double; from there on it is infinity.
    let beyond = exactly(f64::MAX) + exactly(f64::MAX - f64::MAX.next_down()) / 2;
    if found.is_infinite() {
        assert!(size >= beyond, "{text}");
        return;
    }
    assert!(size < beyond, "{text}");
    let distance = |double: f64| (exactly(double) - &size).abs();
    let mine = distance(found);
    if found > 0.0 {
        assert_ne!(distance(found.next_down()).cmp(&mine), Ordering::Less, "{text}");
    }
    if found < f64::MAX {
        assert_ne!(distance(found.next_up()).cmp(&mine), Ordering::Less, "{text}");
    }
}

/// What `text` spells; `None` where its exponent alone decides, or would take too much memory.
fn decimal(text: &str) -> Option<BigDecimal> {
    let exponent = text.split_once(['e', 'E']).map_or("0", |(_, exponent)| exponent);
    let exponent = i64::from_str(exponent).ok()?;
    let is_small = exponent.abs() <= EXPONENT_MAX && text.len() <= 1_000;
    is_small.then(|| BigDecimal::from_str(text).ok())?
}
