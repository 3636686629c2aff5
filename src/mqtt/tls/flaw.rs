//! What is wrong with a certificate, in words, and what to do about it.

use std::fmt;
use std::time::{Duration, UNIX_EPOCH};

use rustls::CertificateError as Bad;
use rustls::pki_types::UnixTime;

use super::certificate::KeyKind;

/// Most names of a certificate that a message lists, and most characters of each.
const NAMES_SHOWN_MAX: usize = 10;
const NAME_CHARS_MAX: usize = 100;

/// Keys that TLS here can work with.
pub(crate) const KEYS_TAKEN: &str = "RSA with 2048 to 8192 bits, ECDSA P-256 or P-384, or Ed25519";

/// What WebPKI's library has no words for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Flaw {
    /// A version without extensions, so without names.
    #[error(
        "its certificate is X.509 v{0}, which carries no host names: give it one of v3 with its \
         names (subjectAltName), or, where its common name is the host, put this very certificate \
         into the file of trusted roots"
    )]
    Version(u8),
    /// A server has a certificate to sign others with.
    #[error(
        "its certificate is that of a certification authority (CA:TRUE): give it a server \
         certificate, or put this very certificate into the file of trusted roots"
    )]
    Authority,
    /// The first certificate is another one's, and one behind it is the server's.
    #[error(
        "its certificates are in the wrong order: the server's own must come first, and then those \
         that vouch for it"
    )]
    Order,
    /// A key of a kind that TLS here does not verify.
    #[error("the key of its certificate is {0}, which is not taken: give it one of {KEYS_TAKEN}")]
    Key(KeyKind),
    /// A certificate without the key that belongs to it.
    #[error(
        "it cannot prove that it has the key of its certificate: check certificate and key there, \
         and whether something else answers in its place"
    )]
    Proof,
    /// A name, but not where it belongs.
    #[error(
        "its certificate carries no host name but in its common name, {0:?}: give it one with its \
         names (subjectAltName), or, where that is the host, put this very certificate into the \
         file of trusted roots"
    )]
    CommonName(String),
}

impl From<Flaw> for rustls::Error {
    fn from(flaw: Flaw) -> Self {
        Bad::Other(rustls::OtherError(std::sync::Arc::new(flaw))).into()
    }
}

/// What to say of a peer's certificate.
pub(crate) fn certificate(bad: &Bad) -> String {
    const NOT_TRUSTED: &str = "its certificate is not signed by a trusted root: check the roots, \
         and whether a proxy answers in its place";
    let words = match bad {
        Bad::UnknownIssuer | Bad::BadSignature => NOT_TRUSTED,
        Bad::NotValidForNameContext { expected, presented } => {
            return wrong_name(&expected.to_str(), presented);
        }
        Bad::NotValidForName => {
            "its certificate does not carry this host name: connect by a name that it carries"
        }
        Bad::ExpiredContext { time, not_after } => return expired("its", *not_after, *time),
        Bad::NotValidYetContext { time, not_before } => return too_new("its", *not_before, *time),
        Bad::Expired | Bad::NotValidYet => "its certificate is not valid now: check both clocks",
        Bad::InvalidPurpose | Bad::InvalidPurposeContext { .. } => {
            "its certificate is not meant for servers: give it one whose extended key usage has \
             serverAuth"
        }
        Bad::UnsupportedSignatureAlgorithmContext { .. } => {
            "its certificate, or one that vouches for it, is signed in a way that is not taken, \
             such as with SHA-1: have it signed with SHA-256 or better"
        }
        Bad::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "its certificate, or one that vouches for it, has a key of a kind that is not taken: \
             RSA with 2048 to 8192 bits, ECDSA P-256 or P-384, and Ed25519 are"
        }
        Bad::Revoked => "its certificate is revoked: it needs another one",
        Bad::BadEncoding => {
            "its certificate is damaged, or not of X.509: have it issued anew, and look whether \
             the file that it comes from is whole"
        }
        Bad::UnhandledCriticalExtension => {
            "its certificate has a critical extension that is not known here: have it issued \
             without"
        }
        Bad::Other(other) => {
            return match other.0.downcast_ref::<Flaw>() {
                Some(flaw) => flaw.to_string(),
                None => "its certificate cannot be accepted: it needs another one".to_owned(),
            };
        }
        _ => "its certificate cannot be accepted: it needs another one",
    };
    words.to_owned()
}

/// What to say of an error of rustls that is not about a handshake.
pub(crate) fn words_of(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(bad) => certificate(bad),
        rustls::Error::AlertReceived(alert) => {
            format!("TLS alert: {}", spaced(&format!("{alert:?}")))
        }
        other => spaced(&format!("{other:?}")),
    }
}

/// `HandshakeFailure` as `handshake failure`: what a library calls a case, without what it holds.
pub(crate) fn spaced(name: &str) -> String {
    let name = name.split(['(', '{']).next().unwrap_or_default().trim();
    let mut words = String::with_capacity(name.len() + 8);
    let mut was_upper = true;
    for char in name.chars() {
        if char.is_uppercase() && !was_upper {
            words.push(' ');
        }
        was_upper = char.is_uppercase();
        words.extend(char.to_lowercase());
    }
    words
}

fn wrong_name(expected: &str, presented: &[String]) -> String {
    if presented.is_empty() {
        return format!(
            "its certificate carries no host name, and is to carry {expected}: give it one with \
             its names (subjectAltName)"
        );
    }
    let listed: Vec<_> = presented.iter().take(NAMES_SHOWN_MAX).map(|name| shown(name)).collect();
    let more = match presented.len() - listed.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!(
        "its certificate does not carry the host name {expected}, but {}{more}: connect by a name \
         that it carries, or have it issued for this one",
        listed.join(", ")
    )
}

/// A name that a peer sent: printable, and cut.
pub(crate) fn shown(name: &str) -> String {
    let printable = |char: char| if char.is_control() { '?' } else { char };
    name.chars().take(NAME_CHARS_MAX).map(printable).collect()
}

/// `whose` certificate is too old.
pub(crate) fn expired(whose: &str, not_after: UnixTime, now: UnixTime) -> String {
    format!(
        "{whose} certificate, or one that vouches for it, expired at {}, and the clock here says \
         {}: renew it, or set the clock",
        PointInTime(not_after.as_secs()),
        PointInTime(now.as_secs())
    )
}

/// `whose` certificate is not valid yet.
pub(crate) fn too_new(whose: &str, not_before: UnixTime, now: UnixTime) -> String {
    format!(
        "{whose} certificate, or one that vouches for it, is valid from {} on, and the clock here \
         says {}: set the clock",
        PointInTime(not_before.as_secs()),
        PointInTime(now.as_secs())
    )
}

/// The last second of the year 9999.
const YEAR_9999_S: u64 = 253_402_300_799;

/// A time in seconds since 1970, as people write it.
struct PointInTime(u64);

impl fmt::Display for PointInTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Beyond the year 9999 the library has no text.
        let Some(time) = (self.0 <= YEAR_9999_S).then(|| UNIX_EPOCH + Duration::from_secs(self.0))
        else {
            return f.write_str("the end of days");
        };
        // "2026-01-02T03:04:05Z"
        let text = humantime::format_rfc3339_seconds(time).to_string();
        let (date, time) = text.split_once('T').unwrap_or_default();
        write!(f, "{date} {} UTC", time.get(..5).unwrap_or(time))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_library_calls_a_case_becomes_words() {
        for (name, words) in [
            ("HandshakeFailure", "handshake failure"),
            ("UnknownCA", "unknown ca"),
            ("Unknown(0xc8)", "unknown"),
            ("Other(OtherError(CaUsedAsEndEntity))", "other"),
            ("ServerDoesNotSupportTls12Or13", "server does not support tls12 or13"),
            ("Context { a: 1 }", "context"),
            ("", ""),
        ] {
            assert_eq!(spaced(name), words, "{name}");
        }
    }

    #[test]
    fn points_in_time_are_shown_as_dates() {
        assert_eq!(PointInTime(0).to_string(), "1970-01-01 00:00 UTC");
        assert_eq!(PointInTime(1_767_225_600).to_string(), "2026-01-01 00:00 UTC");
        assert_eq!(PointInTime(u64::MAX).to_string(), "the end of days");
    }

    #[test]
    fn names_of_a_peer_are_few_short_and_printable() {
        let names: Vec<_> = (0..13).map(|n| format!("h{n}\n{}", "x".repeat(200))).collect();
        let listed = wrong_name("here", &names);
        assert!(listed.contains(" and 3 more: "), "{listed}");
        assert!(!listed.contains('\n') && listed.len() < 1500, "{listed}");
    }
}
