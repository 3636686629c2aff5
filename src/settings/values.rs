//! From a text to a checked value; the error says what is wanted.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

pub(crate) fn text(error: impl Display) -> String {
    error.to_string()
}

pub(crate) fn number<T>(text: &str, range: RangeInclusive<T>) -> Result<T, String>
where
    T: FromStr + PartialOrd + Display,
{
    let number = text.trim().parse().ok().filter(|number| range.contains(number));
    number.ok_or_else(|| {
        format!("{text:?} is not a whole number from {} to {}", range.start(), range.end())
    })
}

pub(crate) fn duration(text: &str, seconds: RangeInclusive<u64>) -> Result<Duration, String> {
    duration_within(
        text,
        Duration::from_secs(*seconds.start()),
        Duration::from_secs(*seconds.end()),
    )
}

pub(crate) fn duration_within(
    text: &str,
    least: Duration,
    most: Duration,
) -> Result<Duration, String> {
    let duration = crate::host::duration::parse(text)?;
    if (least..=most).contains(&duration) {
        return Ok(duration);
    }
    let unit = match text.trim().bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        true => ": without a unit it is seconds",
        false => "",
    };
    Err(format!(
        "{text:?} is not from {} to {}{unit}",
        humantime::format_duration(least),
        humantime::format_duration(most)
    ))
}

pub(crate) fn switch(text: &str) -> Result<bool, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err(format!("{text:?} is neither true nor false (nor 1, 0, yes, no, on, off)")),
    }
}
