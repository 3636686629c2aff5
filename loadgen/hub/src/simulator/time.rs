//! Time text as the sensor writes it.

use std::time::{Duration, UNIX_EPOCH};

use jiff::Timestamp;

/// `2020-06-01T12:00:00.1234567Z` for a time since 1970-01-01 UTC: seven fraction digits. Times
/// behind the year 9999 are its end.
pub fn utc_text(since_epoch: Duration) -> String {
    let at = UNIX_EPOCH.checked_add(since_epoch);
    let at = at.and_then(|at| Timestamp::try_from(at).ok()).unwrap_or(Timestamp::MAX);
    format!("{at:.7}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_instants() {
        let table = [
            (0, 0, "1970-01-01T00:00:00.0000000Z"),
            (951_782_400, 0, "2000-02-29T00:00:00.0000000Z"),
            (951_868_799, 999_999_999, "2000-02-29T23:59:59.9999999Z"),
            (951_868_800, 0, "2000-03-01T00:00:00.0000000Z"),
            (1_591_012_800, 123_456_789, "2020-06-01T12:00:00.1234567Z"),
            (1_704_067_199, 0, "2023-12-31T23:59:59.0000000Z"),
            (4_107_542_400, 0, "2100-03-01T00:00:00.0000000Z"),
            (253_402_000_000, 0, "9999-12-28T12:26:40.0000000Z"),
            (u64::MAX, 0, "9999-12-30T22:00:00.9999999Z"),
        ];
        for (seconds, nanos, text) in table {
            assert_eq!(utc_text(Duration::new(seconds, nanos)), text);
        }
    }
}
