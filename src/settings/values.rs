//! From a text to a checked value; the error says what is wanted.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
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
        return Ok(workers_auto(cores));
    }
    number(text, 0..=WORKERS_MAX).map_err(|error| format!("{error}, nor auto"))
}

/// Parser threads that pay on a machine with this many cores. Measured on two cores: there a message
/// costs less on the ingest thread than its way to another one. Beyond two, one core is left to the
/// ingest thread and one to the broker, the hub or the kernel; that is not measured.
fn workers_auto(cores: usize) -> usize {
    cores.saturating_sub(2).min(WORKERS_MAX)
}

pub(crate) fn log_level(text: &str) -> Result<LevelFilter, String> {
    let named = |(name, _): &&(&str, _)| name.eq_ignore_ascii_case(text.trim());
    LEVELS.iter().find(named).map(|(_, level)| *level).ok_or_else(|| {
        let names: Vec<_> = LEVELS.iter().map(|(name, _)| *name).collect();
        format!("{text:?} is none of {}", names.join(", "))
    })
}

/// The certificates in a file, each of which can be a root.
pub(crate) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let found = certificate_chain(path)?;
    let mut roots = RootCertStore::empty();
    for certificate in &found {
        roots.add(certificate.clone()).map_err(|error| {
            format!("{} holds a certificate that cannot be a root: {error}", path.display())
        })?;
    }
    Ok(found)
}

/// The certificates in a file, in their order; at least one.
pub(crate) fn certificate_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let shown = path.display();
    let certificates: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    match certificates {
        Err(error) => Err(format!("cannot read certificates from {shown}: {}", pem(&error))),
        Ok(found) if found.is_empty() => {
            Err(format!("{shown} holds no PEM certificate (-----BEGIN CERTIFICATE-----)"))
        }
        Ok(found) => Ok(found),
    }
}

/// The first private key in a file.
pub(crate) fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, String> {
    let shown = path.display();
    PrivateKeyDer::from_pem_file(path).map_err(|error| match error {
        rustls::pki_types::pem::Error::NoItemsFound => {
            format!("{shown} holds no PEM key that is not encrypted (-----BEGIN PRIVATE KEY-----)")
        }
        error => format!("cannot read the key from {shown}: {}", pem(&error)),
    })
}

/// What is wrong with a PEM file. The error's own text may show a piece of it, which may be a key.
fn pem(error: &rustls::pki_types::pem::Error) -> String {
    match error {
        rustls::pki_types::pem::Error::Io(error) => error.to_string(),
        _ => "it is not PEM, or is cut off".to_owned(),
    }
}

/// What the system trusts. `instead` names the setting that would replace it.
pub(crate) fn system_roots(instead: &str) -> Result<RootCertStore, String> {
    let system = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // Stores carry a few that rustls cannot use; the others do.
    let (added, _) = roots.add_parsable_certificates(system.certs);
    if added > 0 {
        return Ok(roots);
    }
    let cause = system.errors.first().map_or_else(String::new, |error| format!(": {error}"));
    Err(format!(
        "the system has no root certificates{cause}; install ca-certificates or set {instead}"
    ))
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
