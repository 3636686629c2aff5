//! What stands in a certificate: read, not judged.
//!
//! WebPKI's library reads no X.509 v1, and tells neither names nor keys of what it refuses. A
//! library that reads all of X.509 would take more of the program's size than is left, so this one
//! reads what is asked for here (RFC 5280 §4.1). It never panics, whatever it is given.

mod der;

use std::fmt;
use std::net::IpAddr;
use std::time::UNIX_EPOCH;

use der::{Item, Reader};

/// What a certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Certificate {
    /// 1, 2 or 3.
    pub(crate) version: u8,
    /// Both as they are encoded.
    pub(crate) issuer: Vec<u8>,
    pub(crate) subject: Vec<u8>,
    /// Seconds of Unix time.
    pub(crate) not_before_s: u64,
    pub(crate) not_after_s: u64,
    pub(crate) common_name: Option<String>,
    /// DNS names and addresses of the extension subjectAltName.
    pub(crate) names: Vec<String>,
    /// It is that of a certification authority.
    pub(crate) is_authority: bool,
    /// No extended key usage forbids it.
    pub(crate) is_for_servers: bool,
    pub(crate) is_for_clients: bool,
    /// It has a critical extension that nobody here knows.
    pub(crate) is_beyond_us: bool,
    pub(crate) key: PublicKey,
}

/// The public key of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PublicKey {
    /// SubjectPublicKeyInfo as it is encoded.
    pub(crate) info: Vec<u8>,
    /// The content of its AlgorithmIdentifier.
    pub(crate) algorithm: Vec<u8>,
    /// The key itself.
    pub(crate) bits: Vec<u8>,
    pub(crate) kind: KeyKind,
}

/// What a key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyKind {
    /// With so many bits.
    Rsa(usize),
    /// On this curve.
    Ecdsa(&'static str),
    Ed25519,
    /// Another one.
    Other(&'static str),
}

impl KeyKind {
    /// Whether TLS here can work with it.
    pub(crate) fn is_taken(self) -> bool {
        match self {
            Self::Rsa(bits) => (2048..=8192).contains(&bits),
            Self::Ecdsa(curve) => matches!(curve, "P-256" | "P-384"),
            Self::Ed25519 => true,
            Self::Other(_) => false,
        }
    }
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rsa(bits) => write!(f, "RSA with {bits} bits"),
            Self::Ecdsa(curve) => write!(f, "ECDSA on {curve}"),
            Self::Ed25519 => f.write_str("Ed25519"),
            Self::Other(name) => f.write_str(name),
        }
    }
}

/// Object identifiers, as they are encoded.
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
const RSA_PSS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10];
const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
const CURVES: [(&[u8], &str); 4] = [
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7], "P-256"),
    (&[0x2b, 0x81, 4, 0, 34], "P-384"),
    (&[0x2b, 0x81, 4, 0, 35], "P-521"),
    (&[0x2b, 0x81, 4, 0, 10], "secp256k1"),
];
const OTHER_KEYS: [(&[u8], KeyKind); 4] = [
    (&[0x2b, 0x65, 0x70], KeyKind::Ed25519),
    (&[0x2b, 0x65, 0x71], KeyKind::Other("Ed448")),
    (&[0x2a, 0x86, 0x48, 0xce, 0x38, 4, 1], KeyKind::Other("DSA")),
    (RSA_PSS, KeyKind::Other("RSA for PSS alone")),
];
const COMMON_NAME: &[u8] = &[0x55, 4, 3];
const ALT_NAMES: &[u8] = &[0x55, 29, 17];
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 29, 19];
const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 29, 37];
/// Key usage, name constraints, CRL distribution points: known, and not looked at.
const KNOWN: [&[u8]; 3] = [&[0x55, 29, 15], &[0x55, 29, 30], &[0x55, 29, 31]];
const SERVERS: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 1];
const CLIENTS: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 2];
const ANY_PURPOSE: &[u8] = &[0x55, 29, 37, 0];

impl Certificate {
    /// `None` for what is no certificate.
    pub(crate) fn read(der: &[u8]) -> Option<Self> {
        let whole = Reader(der).tagged(der::SEQUENCE)?;
        let mut tbs = whole.inside().tagged(der::SEQUENCE)?.inside();
        let version = match tbs.optional(der::explicit(0)) {
            Some(item) => item.inside().tagged(der::INTEGER)?.content.last()?.checked_add(1)?,
            None => 1,
        };
        tbs.tagged(der::INTEGER)?;
        tbs.tagged(der::SEQUENCE)?;
        let issuer = tbs.tagged(der::SEQUENCE)?;
        let mut validity = tbs.tagged(der::SEQUENCE)?.inside();
        let subject = tbs.tagged(der::SEQUENCE)?;
        let mut read = Self {
            version,
            issuer: issuer.whole.to_vec(),
            subject: subject.whole.to_vec(),
            not_before_s: seconds(&validity.next()?)?,
            not_after_s: seconds(&validity.next()?)?,
            common_name: common_name(subject),
            names: Vec::new(),
            is_authority: false,
            is_for_servers: true,
            is_for_clients: true,
            is_beyond_us: false,
            key: PublicKey::read(&tbs.tagged(der::SEQUENCE)?)?,
        };
        tbs.optional(der::implicit(1));
        tbs.optional(der::implicit(2));
        if let Some(extensions) = tbs.optional(der::explicit(3)) {
            for extension in extensions.inside().tagged(der::SEQUENCE)?.inside() {
                read.extension(&extension)?;
            }
        }
        Some(read)
    }

    fn extension(&mut self, extension: &Item<'_>) -> Option<()> {
        let mut parts = extension.inside();
        let id = parts.tagged(der::OID)?.content;
        let critical = parts.optional(der::BOOLEAN);
        let is_critical = critical.is_some_and(|item| item.content != [0]);
        let value = Reader(parts.tagged(der::OCTETS)?.content).next()?;
        match id {
            ALT_NAMES => self.names = alt_names(&value),
            BASIC_CONSTRAINTS => {
                let flag = value.inside().optional(der::BOOLEAN);
                self.is_authority = flag.is_some_and(|item| item.content != [0]);
            }
            EXTENDED_KEY_USAGE => {
                let purposes: Vec<_> = value.inside().map(|item| item.content).collect();
                let allows = |purpose| purposes.iter().any(|p| [purpose, ANY_PURPOSE].contains(p));
                (self.is_for_servers, self.is_for_clients) = (allows(SERVERS), allows(CLIENTS));
            }
            _ if is_critical && !KNOWN.contains(&id) => self.is_beyond_us = true,
            _ => {}
        }
        Some(())
    }

    /// Whether its common name is `host`, in place of the names that it does not have. Certificates
    /// have long been told apart by their names (RFC 6125 §6.4.4), so it is for those alone that
    /// somebody chose.
    pub(crate) fn is_called(&self, host: &str) -> bool {
        let Some(name) = self.common_name.as_deref().filter(|_| self.names.is_empty()) else {
            return false;
        };
        match (name.parse::<IpAddr>(), host.parse::<IpAddr>()) {
            (Ok(name), Ok(host)) => name == host,
            (Err(_), Err(_)) => {
                name.trim_end_matches('.').eq_ignore_ascii_case(host.trim_end_matches('.'))
            }
            _ => false,
        }
    }
}

impl PublicKey {
    fn read(info: &Item<'_>) -> Option<Self> {
        let mut parts = info.inside();
        let algorithm = parts.tagged(der::SEQUENCE)?;
        // Before the key there is the number of bits that its last byte does not have.
        let (_, bits) = parts.tagged(der::BITS)?.content.split_first()?;
        let mut identifier = algorithm.inside();
        let id = identifier.tagged(der::OID)?.content;
        let known = |table: &[(&'static [u8], KeyKind)]| {
            table.iter().find(|(known, _)| *known == id).map(|(_, kind)| *kind)
        };
        let kind = match id {
            RSA => KeyKind::Rsa(modulus_bits(bits)?),
            EC => {
                let curve = identifier.optional(der::OID).map(|item| item.content);
                let named = CURVES.iter().find(|(known, _)| Some(*known) == curve);
                KeyKind::Ecdsa(named.map_or("another curve", |(_, name)| name))
            }
            _ => known(&OTHER_KEYS).unwrap_or(KeyKind::Other("of an unknown kind")),
        };
        let (info, algorithm) = (info.whole.to_vec(), algorithm.content.to_vec());
        Some(Self { info, algorithm, bits: bits.to_vec(), kind })
    }
}

fn modulus_bits(key: &[u8]) -> Option<usize> {
    let modulus = Reader(key).tagged(der::SEQUENCE)?.inside().tagged(der::INTEGER)?.content;
    let first = modulus.iter().position(|byte| *byte != 0)?;
    let modulus = &modulus[first..];
    Some(modulus.len() * 8 - usize::try_from(modulus.first()?.leading_zeros()).ok()?)
}

/// UTCTime and GeneralizedTime (RFC 5280 §4.1.2.5). What is before 1970 is 0.
fn seconds(time: &Item<'_>) -> Option<u64> {
    let text = std::str::from_utf8(time.content).ok()?.strip_suffix('Z')?;
    let year_digits = match time.tag {
        der::UTC_TIME => 2,
        der::GENERALIZED_TIME => 4,
        _ => return None,
    };
    if text.len() != year_digits + 10 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (year, rest) = text.split_at(year_digits);
    let year: u16 = year.parse().ok()?;
    let year = match year_digits {
        2 if year < 50 => 2000 + year,
        2 => 1900 + year,
        _ => year,
    };
    let part = |at: usize| rest.get(at..at + 2).unwrap_or_default();
    let [month, day, hour, minute, second] = [0, 2, 4, 6, 8].map(part);
    if year < 1970 {
        return Some(0);
    }
    let text = format!("{year:04}-{month}-{day}T{hour}:{minute}:{second}Z");
    let time = humantime::parse_rfc3339(&text).ok()?;
    time.duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs())
}

fn common_name(subject: Item<'_>) -> Option<String> {
    let parts = subject.inside().flat_map(|set| set.inside());
    let named = parts.filter_map(|part| {
        let mut part = part.inside();
        let is_name = part.tagged(der::OID)?.content == COMMON_NAME;
        let text = part.next().filter(|text| is_name && der::TEXTS.contains(&text.tag))?;
        std::str::from_utf8(text.content).ok().map(str::to_owned)
    });
    named.last()
}

fn alt_names(names: &Item<'_>) -> Vec<String> {
    let name = |item: Item<'_>| match item.tag {
        tag if tag == der::implicit(2) => Some(std::str::from_utf8(item.content).ok()?.to_owned()),
        tag if tag == der::implicit(7) => {
            let v4 = <[u8; 4]>::try_from(item.content).map(IpAddr::from);
            let v6 = || <[u8; 16]>::try_from(item.content).map(IpAddr::from);
            Some(v4.or_else(|_| v6()).ok()?.to_string())
        }
        _ => None,
    };
    names.inside().filter_map(name).collect()
}

#[cfg(test)]
pub(crate) mod tests;
