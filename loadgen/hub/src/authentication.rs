//! Who is connecting, and whether the token proves it (IoT Hub MQTT: using the MQTT protocol
//! directly; SAS tokens).

use std::borrow::Cow;
use std::time::Duration;

use sluicegate::azure::{Identity, Key, Token};

use crate::simulator::utc_text;

/// Ids from an MQTT username `{hub}/{device}[/{module}]/[?]api-version=...`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Username {
    /// IoT Hub name.
    pub hub: String,
    /// Device id.
    pub device: String,
    /// Module id; `None` for a device.
    pub module: Option<String>,
}

/// Why a CONNECT is refused. The text is for the hub's log and never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// CONNACK 3: anything but the credentials.
    Unavailable(Cow<'static, str>),
    /// CONNACK 5: the credentials, or an identity that does not fit them.
    NotAuthorized(Cow<'static, str>),
}

/// Why a CONNECT without user name is refused, and what to do.
pub const NO_USERNAME: &str =
    "no username: it must be {hub}/{device}[/{module}]/?api-version=2021-04-12";

/// The earliest api-version that IoT Hub had.
const VERSION_FIRST: &str = "2015-08-15";
/// A version that there is for certain, whatever the clock says.
const VERSION_KNOWN: &str = "2021-04-12";
/// How far ahead of this clock a version may be: clocks differ.
const DAY_S: u64 = 24 * 3600;
/// Characters of a refused version that the log shows.
const VERSION_CHARS: usize = 40;

/// Checks the `api-version` of a query `[?]name=value&...`, of which the first counts. IoT Hub's
/// are dates, so what is none, or lies in the future, is refused; any other one is taken.
pub(crate) fn check_version(query: &str, clock: Clock) -> Result<(), Refusal> {
    let query = query.strip_prefix('?').unwrap_or(query);
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let version = pairs.find(|(name, _)| *name == "api-version").map_or("", |(_, value)| value);
    let today = utc_text(Duration::from_secs(clock.now_unix_s.saturating_add(DAY_S)));
    let newest = today.get(..VERSION_KNOWN.len()).unwrap_or_default().max(VERSION_KNOWN);
    let date = version.strip_suffix("-preview").unwrap_or(version);
    if is_date(date) && (VERSION_FIRST..=newest).contains(&date) {
        return Ok(());
    }
    let found = match version {
        "" => "the username names no api-version".to_owned(),
        version => {
            let version: String = version.chars().take(VERSION_CHARS).collect();
            format!("the username's api-version {version:?} is none of IoT Hub's")
        }
    };
    let text = format!(
        "{found}: dates from {VERSION_FIRST} to today are taken, as api-version={VERSION_KNOWN}"
    );
    Err(Refusal::Unavailable(text.into()))
}

/// `YYYY-MM-DD`, of a month and day that there may be.
fn is_date(text: &str) -> bool {
    let shape = |(index, c): (usize, u8)| {
        if matches!(index, 4 | 7) { c == b'-' } else { c.is_ascii_digit() }
    };
    text.len() == VERSION_KNOWN.len()
        && text.bytes().enumerate().all(shape)
        && ("01"..="12").contains(&&text[5..7])
        && ("01"..="31").contains(&&text[8..])
}

/// A client with a certificate sends no password, or an empty one.
///
/// # Errors
/// Such a password.
pub fn require_password(password: &str) -> Result<(), Refusal> {
    if !password.is_empty() {
        return Ok(());
    }
    let why = "no password: X.509 is not supported here; use a key: `loadgen env MODULE` and \
               `loadgen enrol DEVICE` print what to connect with";
    Err(Refusal::NotAuthorized(why.into()))
}

impl Username {
    /// Parses as edgeHub does: three or four segments, the last of them a query. That must name an
    /// `api-version`; edgeHub takes any value, here it must be one that IoT Hub may have.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str, clock: Clock) -> Result<Self, Refusal> {
        let segments: Vec<&str> = text.split('/').collect();
        let (hub, device, module, query) = match segments[..] {
            [hub, device, query] => (hub, device, None, query),
            [hub, device, module, query] => (hub, device, Some(module), query),
            _ => return Err(Refusal::Unavailable("the username has not 3 or 4 segments".into())),
        };
        if hub.is_empty() || device.is_empty() || module.is_some_and(str::is_empty) {
            return Err(Refusal::Unavailable("a segment of the username is empty".into()));
        }
        check_version(query, clock)?;
        Ok(Self {
            hub: hub.to_owned(),
            device: device.to_owned(),
            module: module.map(str::to_owned),
        })
    }
}

/// The time against which tokens are judged.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    /// Seconds since 1970.
    pub now_unix_s: u64,
    /// Seconds past its expiry that a token is still accepted.
    pub skew_s: u64,
}

/// Checks a token against an identity and its key, and gives its expiry in Unix seconds.
///
/// The resource may name the hub or the gateway; ids compare without regard to letter case. The
/// signature covers the resource as it was written.
///
/// # Errors
/// What the token does not prove.
pub fn verify_token(
    password: &str,
    identity: &Identity,
    key: &Key,
    clock: Clock,
) -> Result<u64, Refusal> {
    let token = Token::parse(password)
        .map_err(|_| Refusal::NotAuthorized("the password is no shared access signature".into()))?;
    let resource = token.resource();
    let by_gateway = Identity { hub: identity.gateway.clone(), ..identity.clone() }.resource();
    if !resource.eq_ignore_ascii_case(&identity.resource())
        && !resource.eq_ignore_ascii_case(&by_gateway)
    {
        return Err(Refusal::NotAuthorized("the token is for another resource".into()));
    }
    if !token.verify(key) {
        return Err(Refusal::NotAuthorized("the token's signature is wrong".into()));
    }
    if token.is_expired(clock.now_unix_s, clock.skew_s) {
        return Err(Refusal::NotAuthorized("the token has expired".into()));
    }
    Ok(token.expiry_unix_s())
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluicegate::azure::sign_token;

    const KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
    const CLOCK: Clock = Clock { now_unix_s: 1_700_000_000, skew_s: 300 };

    fn identity() -> Identity {
        Identity {
            hub: "contoso.azure-devices.net".into(),
            gateway: "gw".into(),
            device: "edge1".into(),
            module: Some("mod1".into()),
        }
    }

    #[test]
    fn usernames() {
        let parse = |text: &str| Username::parse(text, CLOCK);
        let module = parse("h/d/m/?api-version=2021-04-12&DeviceClientType=x").unwrap();
        assert_eq!(module.module.as_deref(), Some("m"));
        let device = parse("h/d/api-version=2018-06-30").unwrap();
        assert_eq!((device.device.as_str(), device.module), ("d", None));
        let cases = [
            "",
            "h/d",
            "h/d/m/x/?api-version=2021-04-12",
            "h/d/?x=1",
            "h//?api-version=2021-04-12",
            "h/d/m/?api-version=",
            "h/d/m/?api-version",
        ];
        for text in cases {
            assert!(matches!(parse(text), Err(Refusal::Unavailable(_))), "{text}");
        }
    }

    /// Those of the SDKs, and every other that the service may have had by now.
    #[test]
    fn api_versions() {
        let taken = [
            "2016-11-14",
            "2018-06-30",
            "2019-10-01",
            "2020-09-30",
            "2021-04-12",
            "2020-05-31-preview",
            // The clock stands at 2023-11-14.
            "2023-11-15",
        ];
        for version in taken {
            let query = format!("?a=b&api-version={version}&api-version=1");
            assert_eq!(check_version(&query, CLOCK), Ok(()), "{version}");
        }
        // A clock that has forgotten the date does not lock anybody out.
        let lost = Clock { now_unix_s: 0, skew_s: 0 };
        assert_eq!(check_version("api-version=2021-04-12", lost), Ok(()));
        let refused = [
            "1",
            "v1",
            "2099-01-01",
            "2023-11-16",
            "1999-12-31",
            "2021-13-01",
            "2021-04-32",
            "2021-4-12",
            "20210412",
            "2021-04-12-beta",
            "2021\u{2011}04-12",
            "2021/04/12",
            "\u{7}",
        ];
        for version in refused {
            let Err(Refusal::Unavailable(why)) =
                check_version(&format!("?api-version={version}"), CLOCK)
            else {
                panic!("{version}");
            };
            assert!(why.contains(&format!("{version:?}")), "{why}");
            assert!(why.contains("dates from 2015-08-15 to today"), "{why}");
        }
        for query in ["", "?", "?api_version=2021-04-12", "?API-VERSION=2021-04-12", "?x=1"] {
            let Err(Refusal::Unavailable(why)) = check_version(query, CLOCK) else {
                panic!("{query}");
            };
            assert!(why.contains("names no api-version"), "{why}");
        }
    }

    #[test]
    fn a_client_with_a_certificate_is_refused_with_a_remedy() {
        let Err(Refusal::NotAuthorized(why)) = require_password("") else { panic!() };
        assert!(why.starts_with("no password: X.509 is not supported here"), "{why}");
        assert!(why.contains("loadgen env"), "{why}");
        assert_eq!(require_password("x"), Ok(()));
    }

    #[test]
    fn tokens() {
        let key = Key::from_base64(KEY).unwrap();
        let other = key.derive("other");
        let good = "contoso.azure-devices.net/devices/edge1/modules/mod1";
        let case = |key: &Key, resource: &str, expiry: u64| {
            let token = sign_token(key, resource, expiry, None);
            verify_token(&token, &identity(), &Key::from_base64(KEY).unwrap(), CLOCK).is_ok()
        };
        assert!(case(&key, good, 1_700_000_001));
        assert!(case(&key, "GW/devices/EDGE1/modules/mod1", 1_700_000_001));
        assert!(case(&key, good, 1_700_000_000 - 299));
        assert!(!case(&key, good, 1_700_000_000 - 301));
        assert!(!case(&other, good, 1_700_000_001));
        assert!(!case(&key, "contoso.azure-devices.net/devices/edge1", 1_700_000_001));
        assert!(!case(&key, "else.azure-devices.net/devices/edge1/modules/mod1", 1_700_000_001));
        assert!(verify_token("", &identity(), &key, CLOCK).is_err());
    }

    #[test]
    fn resource_is_verified_as_written() {
        // The Node SDK signs an unencoded resource; so the raw text must be what is verified.
        let key = Key::from_base64(KEY).unwrap();
        let raw = "contoso.azure-devices.net/devices/edge1/modules/mod1";
        let encoded = sign_token(&key, raw, 1_700_000_001, None);
        let swapped = encoded.replace("%2F", "/");
        assert!(verify_token(&encoded, &identity(), &key, CLOCK).is_ok());
        assert!(verify_token(&swapped, &identity(), &key, CLOCK).is_err());
    }
}
