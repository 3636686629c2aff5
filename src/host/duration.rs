//! Durations as people write them, in every setting and flag of every program.

use std::time::Duration;

/// Reads `500us`, `250ms`, `1.5s`, `1h30m` or `2days`. A number alone is seconds, as nearly every
/// other program has it: the limits of a setting refuse what was meant in another unit.
///
/// # Errors
/// A sentence that shows the text and what is accepted.
pub fn parse(text: &str) -> Result<Duration, String> {
    let number = text.trim();
    let seconds = is_number(number).then(|| format!("{number}s"));
    humantime::parse_duration(seconds.as_deref().unwrap_or(number)).map_err(|error| {
        format!(
            "{text:?} is not a duration: write a number and a unit (us, ms, s, m, h), as 5s or \
             1h30m, or seconds without unit: {error}"
        )
    })
}

/// Digits, and a point between them at most.
fn is_number(text: &str) -> bool {
    let are_digits =
        |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.split_once('.') {
        Some((whole, fraction)) => are_digits(whole) && are_digits(fraction),
        None => are_digits(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_are_read() {
        let cases = [
            ("0", 0),
            ("8", 8_000_000),
            (" 60\r\n", 60_000_000),
            ("1.5", 1_500_000),
            ("007", 7_000_000),
            ("0s", 0),
            ("500us", 500),
            ("250ms", 250_000),
            ("1.5s", 1_500_000),
            ("5 s", 5_000_000),
            ("2m", 120_000_000),
            ("1h30m", 5_400_000_000),
            ("30days", 2_592_000_000_000),
        ];
        for (text, us) in cases {
            assert_eq!(parse(text), Ok(Duration::from_micros(us)), "{text:?}");
        }
    }

    #[test]
    fn a_text_that_is_no_duration_is_refused_with_the_units() {
        let texts = [
            "",
            "s",
            "-1",
            "-1s",
            "1e3",
            "1e3s",
            "inf",
            "NaNs",
            "1..2",
            "1.",
            ".5",
            "1,5s",
            "5 sek",
            "\"5s\"",
            "99999999999999999999",
            "0x10",
        ];
        for text in texts {
            let error = parse(text).unwrap_err();
            assert!(error.starts_with(&format!("{text:?} is not a duration: ")), "{error}");
            assert!(error.contains("us, ms, s, m, h"), "{error}");
        }
    }

    proptest! {
        /// A bare number says the same as the number in seconds, and no text makes a panic.
        #[test]
        fn a_bare_number_is_seconds(
            number in "[0-9]{1,6}(\\.[0-9]{1,9})?",
            any in any::<String>(),
        ) {
            prop_assert_eq!(parse(&number).unwrap(), parse(&format!("{number}s")).unwrap());
            let _ = parse(&any);
        }
    }
}
