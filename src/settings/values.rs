//! From a text to a checked value; the error says what is wanted.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use crate::pipeline::threshold::Threshold;

/// Most parser threads: more than any edge device has cores.
const WORKERS_MAX: usize = 64;

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

pub(crate) fn threshold(text: &str) -> Result<Threshold, String> {
    let number = text.trim().parse().ok().and_then(Threshold::new);
    number.ok_or_else(|| format!("{text:?} is not a finite number"))
}

pub(crate) fn workers(text: &str) -> Result<usize, String> {
    if text.trim() == "auto" {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        return Ok(workers_auto(cores));
    }
    number(text, 0..=WORKERS_MAX).map_err(|error| format!("{error}, nor auto"))
}

/// Parser threads that pay on a machine with this many cores. Measured on two cores: there a
/// message costs less on the ingest thread than its way to another one. Beyond two, one core is
/// left to the ingest thread and one to the broker, the hub or the kernel; that is not measured.
fn workers_auto(cores: usize) -> usize {
    cores.saturating_sub(2).min(WORKERS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_are_shared_with_the_ingest_thread_and_its_peer() {
        let cases = [(1, 0), (2, 0), (3, 1), (4, 2), (8, 6), (66, 64), (67, 64), (256, 64)];
        for (cores, workers) in cases {
            assert_eq!(workers_auto(cores), workers, "{cores}");
        }
    }
}
