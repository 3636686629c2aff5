//! From a text to a checked value; the error says what is wanted.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tracing_subscriber::filter::LevelFilter;

use crate::logging::LEVELS;
use crate::threshold::Threshold;

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
    let duration = humantime::parse_duration(text.trim())
        .map_err(|error| format!("{text:?} is not a duration such as 5s or 1h30m: {error}"))?;
    if (least..=most).contains(&duration) {
        return Ok(duration);
    }
    Err(format!(
        "{text:?} is not from {} to {}",
        humantime::format_duration(least),
        humantime::format_duration(most)
    ))
}

pub(crate) fn switch(text: &str) -> Result<bool, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(format!("{text:?} is neither true nor false")),
    }
}

pub(crate) fn threshold(text: &str) -> Result<Threshold, String> {
    let number = text.trim().parse().ok().and_then(Threshold::new);
    number.ok_or_else(|| format!("{text:?} is not a finite number"))
}

pub(crate) fn workers(text: &str) -> Result<usize, String> {
    if text.trim() == "auto" {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        return Ok(cores.min(WORKERS_MAX));
    }
    number(text, 1..=WORKERS_MAX).map_err(|error| format!("{error}, nor auto"))
}

pub(crate) fn log_level(text: &str) -> Result<LevelFilter, String> {
    let named = |(name, _): &&(&str, _)| name.eq_ignore_ascii_case(text.trim());
    LEVELS.iter().find(named).map(|(_, level)| *level).ok_or_else(|| {
        let names: Vec<_> = LEVELS.iter().map(|(name, _)| *name).collect();
        format!("{text:?} is none of {}", names.join(", "))
    })
}

pub(crate) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let shown = path.display();
    let certificates: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    match certificates {
        Err(error) => Err(format!("cannot read certificates from {shown}: {error}")),
        Ok(found) if found.is_empty() => {
            Err(format!("{shown} holds no PEM certificate (-----BEGIN CERTIFICATE-----)"))
        }
        Ok(found) => {
            let mut roots = rustls::RootCertStore::empty();
            for certificate in &found {
                roots.add(certificate.clone()).map_err(|error| {
                    format!("{shown} holds a certificate that cannot be a root: {error}")
                })?;
            }
            Ok(found)
        }
    }
}
