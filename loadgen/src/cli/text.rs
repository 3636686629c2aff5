//! Reading and writing the small texts of the command line: durations and counts.

use std::time::Duration;

/// Longest duration accepted: far beyond any use, and safe to add to any instant.
const DURATION_MAX: Duration = Duration::from_secs(365 * 86_400);

/// Reads a duration as the module does: `500us`, `250ms`, `1h30m`, or seconds without unit.
///
/// # Errors
/// A text that shows the accepted form.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let duration = sluicegate::host::duration::parse(text)?;
    if duration <= DURATION_MAX { Ok(duration) } else { Err("at most 365days".to_owned()) }
}

/// `1234567` as `1,234,567`.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Microseconds as milliseconds with two digits: `0.31 ms`.
pub(crate) fn milliseconds(us: u64) -> String {
    format!("{}.{:02} ms", us / 1000, us % 1000 / 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read() {
        let table = [
            ("0", 0),
            ("0s", 0),
            ("250ms", 250),
            ("30s", 30_000),
            ("1.5s", 1500),
            ("8", 8000),
            ("2m", 120_000),
            ("1h", 3_600_000),
        ];
        for (text, ms) in table {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        for text in ["", "s", "-1s", "1e3s", "infs", "NaNs", "1..2s", "9999999h"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn counts_are_grouped() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(thousands(number), text);
        }
        assert_eq!(milliseconds(314), "0.31 ms");
        assert_eq!(milliseconds(12_005), "12.00 ms");
    }
}
