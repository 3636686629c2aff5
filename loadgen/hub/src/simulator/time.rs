//! Time text as the sensor writes it.

use std::time::Duration;

/// `2020-06-01T12:00:00.1234567Z` for a time since 1970-01-01 UTC: seven fraction digits.
pub fn utc_text(since_epoch: Duration) -> String {
    let seconds = since_epoch.as_secs();
    let (year, month, day) = civil_date(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    let fraction = since_epoch.subsec_nanos() / 100;
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction:07}Z")
}

/// Year, month and day of a day number since 1970-01-01 (Gregorian calendar).
///
/// Counted in years that begin in March, so that the leap day is the last day of the year.
fn civil_date(days_since_epoch: u64) -> (u64, u64, u64) {
    const DAYS_0000_03_01_TO_EPOCH: u64 = 719_468;
    const DAYS_PER_ERA: u64 = 146_097;
    let days = days_since_epoch + DAYS_0000_03_01_TO_EPOCH;
    let (era, day_of_era) = (days / DAYS_PER_ERA, days % DAYS_PER_ERA);
    let leap_days = day_of_era / 1460 - day_of_era / 36_524 + day_of_era / (DAYS_PER_ERA - 1);
    // Leap days are counted back out; what is left are years of 365 days.
    let year_of_era = (day_of_era - leap_days) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
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
        ];
        for (seconds, nanos, text) in table {
            assert_eq!(utc_text(Duration::new(seconds, nanos)), text);
        }
    }

    /// Against counting days one by one, over four centuries and more.
    #[test]
    fn dates_equal_a_naive_count() {
        let leap =
            |y: u64| y.is_multiple_of(4) && (!y.is_multiple_of(100) || y.is_multiple_of(400));
        let (mut year, mut month, mut day) = (1970, 1, 1);
        for days in 0..180_000 {
            assert_eq!(civil_date(days), (year, month, day));
            let length = match month {
                2 => 28 + u64::from(leap(year)),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            day += 1;
            if day > length {
                (day, month) = (1, month + 1);
            }
            if month > 12 {
                (month, year) = (1, year + 1);
            }
        }
    }
}
