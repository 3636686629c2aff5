//! One comparison: exact for integers of any size, by the nearest double for all other numbers.

use sluicegate::pipeline::parse::Number;
use sluicegate::pipeline::threshold::{Setting, Threshold, ThresholdCell, exceeds};

fn check(number: Number<'_>, threshold: f64, expected: bool) {
    let threshold = Threshold::new(threshold).unwrap();
    assert_eq!(exceeds(number, threshold), expected, "{number:?} > {threshold}");
}

/// Only finite values are thresholds.
#[test]
fn infinities_and_nan_are_no_thresholds() {
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(Threshold::new(value), None);
    }
    assert_eq!(Threshold::new(25.0), Some(Threshold::DEFAULT));
    assert_eq!(Threshold::new(f64::MAX).map(Threshold::value), Some(f64::MAX));
}

/// A float exceeds a threshold if and only if it is strictly greater; infinity exceeds them all.
#[test]
fn floats_compare_strictly() {
    check(Number::Float(25.0), 25.0, false);
    check(Number::Float(25.000000000000004), 25.0, true);
    check(Number::Float(24.999999999999996), 25.0, false);
    check(Number::Float(-0.0), 0.0, false);
    check(Number::Float(0.0), -0.0, false);
    check(Number::Float(f64::INFINITY), f64::MAX, true);
    check(Number::Float(f64::NEG_INFINITY), f64::MIN, false);
    check(Number::Float(5e-324), 0.0, true);
}

/// An integer compares by its exact value, not by the `f64` next to it.
#[test]
fn integers_compare_exactly() {
    check(Number::Integer(25), 25.0, false);
    check(Number::Integer(26), 25.0, true);
    check(Number::Integer(25), 24.5, true);
    check(Number::Integer(24), 24.5, false);
    check(Number::Integer(-24), -24.5, true);
    check(Number::Integer(-25), -24.5, false);
    check(Number::Integer(0), -0.0, false);
    check(Number::Integer((1 << 53) + 1), 9_007_199_254_740_992.0, true);
    check(Number::Integer(1 << 53), 9_007_199_254_740_992.0, false);
    check(Number::Integer(i128::from(u64::MAX)), 18_446_744_073_709_551_616.0, false);
    check(Number::Integer(i128::from(u64::MAX)), f64::MAX, false);
    check(Number::Integer(i128::from(i64::MIN)), f64::MIN, true);
    check(Number::Integer(i128::from(i64::MIN)), i64::MIN as f64, false);
}

/// An integer of any length compares as the number its digits spell.
#[test]
fn long_integers_compare_exactly() {
    // 2^100 is an f64; its neighbours are not.
    let two_to_100 = 1_267_650_600_228_229_401_496_703_205_376.0;
    check(Number::Long("1267650600228229401496703205375"), two_to_100, false);
    check(Number::Long("1267650600228229401496703205376"), two_to_100, false);
    check(Number::Long("1267650600228229401496703205377"), two_to_100, true);
    check(Number::Long("-1267650600228229401496703205375"), -two_to_100, true);
    check(Number::Long("-1267650600228229401496703205376"), -two_to_100, false);
    check(Number::Long("-1267650600228229401496703205377"), -two_to_100, false);

    let digits = "9".repeat(5_000);
    let negative = format!("-{digits}");
    for threshold in [f64::MIN, -1.5, -0.0, 0.0, 25.0, f64::MAX] {
        check(Number::Long(&digits), threshold, true);
        check(Number::Long(&negative), threshold, false);
    }
    // The largest f64 has 309 digits.
    let largest = format!("{:.0}", f64::MAX);
    check(Number::Long(&largest), f64::MAX, false);
    check(Number::Long(&largest.replace("79769", "79770")), f64::MAX, true);
}

/// A setting is read back whole, and the newest one wins.
#[test]
fn cell_holds_the_last_setting() {
    let cell = ThresholdCell::default();
    assert_eq!(cell.load(), Setting { threshold: Threshold::DEFAULT, version: None });
    let newer = Setting { threshold: Threshold::new(90.5).unwrap(), version: Some(7) };
    cell.store(newer);
    assert_eq!(cell.load(), newer);
    assert_eq!(ThresholdCell::new(newer).load(), newer);
}
