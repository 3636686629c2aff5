//! Figures as people read them: three digits and a unit.

/// Shown where there is no figure.
pub(super) const NONE: &str = "–";

/// Numbers from here on, and those smaller than its inverse, are written with an exponent.
const PLAIN_MAX: f64 = 1e15;

/// A number with three significant digits, large ones in full with separators: `0.0123`, `12.3`,
/// `12,345`.
pub fn number(value: f64) -> String {
    if !value.is_finite() {
        return NONE.to_owned();
    }
    let size = value.abs();
    if size == 0.0 {
        return "0".to_owned();
    }
    if !(1e-6..PLAIN_MAX).contains(&size) {
        return format!("{value:.2e}");
    }
    // What would be rounded up to the next power of ten needs one decimal less.
    let decimals = (0..=8).rev().find(|decimals| size * 10f64.powi(*decimals) < 999.5);
    let decimals = usize::try_from(decimals.unwrap_or(0)).unwrap_or(0);
    grouped(&format!("{value:.decimals$}"))
}

/// The same without zeros at its end: `1.2`, `5`.
pub fn short(value: f64) -> String {
    let text = number(value);
    if text.contains('.') && !text.contains('e') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// A count with separators.
pub(super) fn count(value: u64) -> String {
    grouped(&value.to_string())
}

/// A count of things: `1 probe`, `15 probes`.
pub(super) fn many(value: usize, thing: &str) -> String {
    let plural = if value == 1 { "" } else { "s" };
    format!("{} {thing}{plural}", count(value as u64))
}

/// Microseconds in the unit that suits them: `312 µs`, `1.24 ms`, `3.00 s`.
pub(super) fn micros(us: f64) -> String {
    with_unit(us, &MICROS)
}

/// Nanoseconds in the unit that suits them.
pub(super) fn nanos(ns: f64) -> String {
    with_unit(ns, &NANOS)
}

/// Seconds as they are: `10 s`, `0.25 s`.
pub(super) fn seconds(s: f64) -> String {
    format!("{} s", short(s))
}

/// Messages per second.
pub(super) fn rate(per_second: f64) -> String {
    format!("{}/s", number(per_second))
}

/// Bytes in the unit that suits them.
pub(super) fn bytes(bytes: f64) -> String {
    let kib = 1024.0;
    with_unit(bytes, &[(kib * kib * kib, "GiB"), (kib * kib, "MiB"), (kib, "KiB"), (1.0, "bytes")])
}

/// KiB in the unit that suits them.
pub(super) fn kib(kib: u64) -> String {
    bytes(float(kib) * 1024.0)
}

/// A share as a percentage: `0.1` is `10 %`.
pub(super) fn percent(share: f64) -> String {
    if (share * 100.0).is_finite() {
        format!("{} %", short(share * 100.0))
    } else {
        NONE.to_owned()
    }
}

/// Exact up to 2^53, which no figure here needs to pass.
#[expect(clippy::cast_precision_loss, reason = "a figure is shown with three digits")]
pub(super) fn float(value: u64) -> f64 {
    value as f64
}

/// Units of microseconds, largest first.
pub(super) const MICROS: [(f64, &str); 3] = [(1e6, "s"), (1e3, "ms"), (1.0, "µs")];
/// Units of nanoseconds, largest first.
pub(super) const NANOS: [(f64, &str); 4] = [(1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1.0, "ns")];

fn with_unit(value: f64, units: &[(f64, &str)]) -> String {
    if !value.is_finite() {
        return NONE.to_owned();
    }
    let (scale, unit) = unit_for(value, units);
    format!("{} {unit}", number(value / scale))
}

/// The largest unit of which the value has at least one, else the smallest.
pub(super) fn unit_for<'a>(value: f64, units: &[(f64, &'a str)]) -> (f64, &'a str) {
    // What would be rounded up to 1000 of a unit belongs to the next.
    let fits = units.iter().find(|(scale, _)| value.abs() >= scale * 0.9995);
    fits.or(units.last()).copied().unwrap_or((1.0, ""))
}

/// Puts separators into the digits before the point.
fn grouped(text: &str) -> String {
    let end = text.find('.').unwrap_or(text.len());
    let start = usize::from(text.starts_with('-'));
    let mut out = String::with_capacity(text.len() + text.len() / 3);
    for (index, c) in text.char_indices() {
        if index > start && index < end && (end - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits() {
        let table = [
            (0.0, "0"),
            (-0.0, "0"),
            (0.012_345, "0.0123"),
            (0.002_418, "0.00242"),
            (0.000_001, "0.00000100"),
            (0.5, "0.500"),
            (1.0, "1.00"),
            (9.994, "9.99"),
            (9.996, "10.0"),
            (12.345, "12.3"),
            (99.96, "100"),
            (1234.5, "1,234"),
            (-1_234_567.0, "-1,234,567"),
            (1e15, "1.00e15"),
            (f64::MAX, "1.80e308"),
            (1e-7, "1.00e-7"),
            (f64::NAN, NONE),
            (f64::INFINITY, NONE),
        ];
        for (value, text) in table {
            assert_eq!(number(value), text, "{value}");
        }
    }

    #[test]
    fn short_numbers_end_without_zeros() {
        for (value, text) in [(1.0, "1"), (1.5, "1.5"), (100.0, "100"), (0.05, "0.05")] {
            assert_eq!(short(value), text, "{value}");
        }
    }

    #[test]
    fn units_suit_the_size() {
        assert_eq!(micros(0.0), "0 µs");
        assert_eq!(micros(999.4), "999 µs");
        assert_eq!(micros(999.7), "1.00 ms");
        assert_eq!(micros(3_000_000.0), "3.00 s");
        assert_eq!(micros(f64::NAN), NONE);
        assert_eq!(nanos(41.2), "41.2 ns");
        assert_eq!(kib(12_345), "12.1 MiB");
        assert_eq!(
            kib(u64::MAX),
            "1.76e13 GiB".replace("1.76e13", &number(float(u64::MAX) / 1048576.0))
        );
        assert_eq!(percent(0.1), "10 %");
        assert_eq!(percent(f64::MAX), NONE);
        assert_eq!(
            (many(1, "probe"), many(1500, "probe")),
            ("1 probe".into(), "1,500 probes".into())
        );
        assert_eq!(rate(200_000.4), "200,000/s");
        assert_eq!(seconds(10.0), "10 s");
    }
}
