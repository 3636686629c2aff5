//! Reading the values of flags. Every refusal says what is accepted.

use std::convert::Infallible;
use std::time::Duration;

use sluicegate::mqtt::topics::check_topic;

use crate::cli::text::parse_duration;
use loadgen_load::settings::{BrokerUrl, Burst, RATE_MAX, UrlError};

/// Lowest rate that can be asked.
const RATE_MIN: f64 = 1.0;
/// Shortest length of anything that is measured or awaited.
const TIME_MIN: Duration = Duration::from_millis(10);
/// Longest: one day, so that second-by-second figures and the numbers of messages stay bounded.
const TIME_MAX: Duration = Duration::from_secs(86_400);
/// Longest topic with its stand-ins, far below MQTT's 65,535 bytes.
const TOPIC_BYTES_MAX: usize = 1000;

/// `--rate`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Rate {
    /// As fast as the window allows.
    Max,
    /// Messages per second.
    PerSecond(f64),
}

/// Reads `max` or a rate.
pub(crate) fn parse_rate_or_max(text: &str) -> Result<Rate, String> {
    if text == "max" {
        return Ok(Rate::Max);
    }
    parse_rate(text).map(Rate::PerSecond).map_err(|why| format!("{why}, or max"))
}

/// Reads `200000`, `200k` or `1.5M`: messages per second.
pub(crate) fn parse_rate(text: &str) -> Result<f64, String> {
    let (digits, factor) = match text.as_bytes() {
        [.., b'k' | b'K'] => (&text[..text.len() - 1], 1e3),
        [.., b'M'] => (&text[..text.len() - 1], 1e6),
        _ => (text, 1.0),
    };
    let rate = plain_number(digits).map(|number| number * factor);
    rate.filter(|rate| (RATE_MIN..=RATE_MAX).contains(rate)).ok_or_else(|| {
        format!(
            "`{text}` is no rate: write messages a second, {RATE_MIN} to {}M, as 200000, 200k or \
             1.5M",
            RATE_MAX / 1e6
        )
    })
}

/// Reads a duration that something can be measured in.
pub(crate) fn parse_time(text: &str) -> Result<Duration, String> {
    let time = parse_duration(text)?;
    if (TIME_MIN..=TIME_MAX).contains(&time) {
        Ok(time)
    } else {
        Err("from 10ms to 24h".to_owned())
    }
}

/// Reads a share, 0 to 1.
pub(crate) fn parse_share(text: &str) -> Result<f64, String> {
    let share = plain_number(text).filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| format!("`{text}` is no share: write a number from 0 to 1, as 0.1"))
}

/// Reads any finite number.
pub(super) fn parse_number(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number: &f64| number.is_finite());
    number.ok_or_else(|| format!("`{text}` is no finite number"))
}

/// Reads `100ms/1s`.
pub(super) fn parse_burst(text: &str) -> Result<Burst, String> {
    let refused = || format!("`{text}` is no burst: write ON/PERIOD, as 100ms/1s");
    let (on, period) = text.split_once('/').ok_or_else(refused)?;
    let (on, period) = (parse_duration(on)?, parse_time(period)?);
    if on.is_zero() || on > period {
        return Err(format!("{}, ON above 0 and at most PERIOD", refused()));
    }
    Ok(Burst { on, period })
}

/// Reads what stands between the cells of a file: a character, or the name of one that is hard to
/// type.
pub(super) fn parse_delimiter(text: &str) -> Result<char, String> {
    let refused = || {
        format!(
            "`{}` is no delimiter: write one character, as , or ; or |, or tab",
            text.escape_debug()
        )
    };
    match text {
        "tab" | "\\t" => return Ok('\t'),
        "space" => return Ok(' '),
        _ => {}
    }
    let mut characters = text.chars();
    let (Some(only), None) = (characters.next(), characters.next()) else { return Err(refused()) };
    // What numbers and quoted cells are made of cuts them.
    let cuts =
        (only.is_ascii_punctuation() && !"\"'.+-#".contains(only)) || only == '\t' || only == ' ';
    if cuts { Ok(only) } else { Err(refused()) }
}

/// Reads what stands before decimals.
pub(super) fn parse_decimal(text: &str) -> Result<char, String> {
    match text {
        "." | "point" => Ok('.'),
        "," | "comma" => Ok(','),
        _ => Err(format!("`{}` is no decimal sign: write . or ,", text.escape_debug())),
    }
}

/// Reads a broker's URL. What is wrong with it is said later: the parser of the command line would
/// repeat the text, which may hold a password.
#[expect(clippy::unnecessary_wraps, reason = "the shape that clap asks for")]
pub(super) fn parse_broker(text: &str) -> Result<Result<BrokerUrl, UrlError>, Infallible> {
    Ok(text.parse())
}

/// Reads the topic of messages to publish, with stand-ins.
pub(super) fn parse_topic(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > TOPIC_BYTES_MAX {
        return Err(format!("a topic has 1 to {TOPIC_BYTES_MAX} bytes"));
    }
    check_topic(text).map(|()| text.to_owned()).map_err(|problem| problem.to_string())
}

/// Digits and at most one point: neither a sign nor an exponent, `inf` nor `NaN`.
fn plain_number(text: &str) -> Option<f64> {
    let plain = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    text.parse().ok().filter(|_| plain)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rates() {
        let table =
            [("200000", 200e3), ("200k", 200e3), ("1.5M", 1.5e6), ("1", 1.0), ("50M", RATE_MAX)];
        for (text, rate) in table {
            assert_eq!(parse_rate(text), Ok(rate), "{text}");
            assert_eq!(parse_rate_or_max(text), Ok(Rate::PerSecond(rate)));
        }
        assert_eq!(parse_rate_or_max("max"), Ok(Rate::Max));
        for text in
            ["", "k", "0", "0.5", "-1", "1e6", "inf", "NaN", "51M", "1 k", "1kk", "2m", "MAX"]
        {
            assert!(parse_rate_or_max(text).unwrap_err().contains("as 200000, 200k"), "{text}");
        }
    }

    #[test]
    fn times_and_bursts() {
        assert_eq!(parse_time("10ms"), Ok(Duration::from_millis(10)));
        assert!(parse_time("0").is_err() && parse_time("9ms").is_err());
        assert!(parse_time("24h").is_ok() && parse_time("25h").is_err());
        let burst = parse_burst("100ms/1s").unwrap();
        assert_eq!((burst.on.as_millis(), burst.period.as_millis()), (100, 1000));
        assert!(parse_burst("1s/1s").is_ok());
        for text in ["", "1s", "/", "0/1s", "2s/1s", "1s/0", "1s/1s/1s"] {
            assert!(parse_burst(text).is_err(), "{text}");
        }
    }

    #[test]
    fn delimiters_and_decimal_signs() {
        let delimiters = [
            (",", ','),
            (";", ';'),
            ("|", '|'),
            ("tab", '\t'),
            ("\\t", '\t'),
            ("\t", '\t'),
            (":", ':'),
        ];
        for (text, delimiter) in delimiters {
            assert_eq!(parse_delimiter(text), Ok(delimiter), "{text}");
        }
        for text in ["", ",,", "\"", "'", ".", "-", "+", "5", "e", "\n", "\r", "\0", "→", "tabs"]
        {
            assert!(parse_delimiter(text).unwrap_err().contains("one character"), "{text}");
        }
        for (text, decimal) in [(".", '.'), (",", ','), ("comma", ','), ("point", '.')] {
            assert_eq!(parse_decimal(text), Ok(decimal));
        }
        for text in ["", ";", ",,", "٫", "\n", "0"] {
            assert!(parse_decimal(text).unwrap_err().contains("write . or ,"), "{text}");
        }
    }

    #[test]
    fn topics_have_no_wildcards_or_control_characters() {
        assert_eq!(parse_topic("a/{sensor}").as_deref(), Ok("a/{sensor}"));
        let control = ["a\0", "a\n", "\ta", "a\u{7f}", "a\u{85}", "a\u{fffe}", "\u{fdd0}"];
        let others = ["", "a/+", "a/#", &"x".repeat(1001)];
        for text in others.into_iter().chain(control) {
            assert!(parse_topic(text).is_err(), "{text}");
        }
    }

    proptest! {
        /// Every rate within the limits is read as it was written, in each of its forms.
        #[test]
        fn any_rate_is_read(tenths in 10_u32..=500_000_000) {
            let rate = f64::from(tenths) / 10.0;
            for (text, tolerance) in [
                (format!("{rate}"), 0.0),
                (format!("{}k", rate / 1e3), 1e-6),
                (format!("{}M", rate / 1e6), 1e-6),
            ] {
                let read = parse_rate(&text).unwrap();
                prop_assert!((read - rate).abs() <= tolerance, "{} {}", text, read);
            }
        }

        /// No text makes a panic, and what is accepted is within the limits.
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,12}|[0-9.kMms/:]{0,12}") {
            if let Ok(rate) = parse_rate(&text) {
                prop_assert!((RATE_MIN..=RATE_MAX).contains(&rate));
            }
            if let Ok(time) = parse_time(&text) {
                prop_assert!((TIME_MIN..=TIME_MAX).contains(&time));
            }
            if let Ok(share) = parse_share(&text) {
                prop_assert!((0.0..=1.0).contains(&share));
            }
            if let Ok(burst) = parse_burst(&text) {
                prop_assert!(!burst.on.is_zero() && burst.on <= burst.period);
            }
            let _ = (parse_number(&text), parse_topic(&text));
        }
    }
}
