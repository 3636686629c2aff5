//! Who is connecting, and whether the token proves it (IoT Hub MQTT: using the MQTT protocol
//! directly; SAS tokens).

use sluicegate::azure::{Identity, Key, Token};

/// Ids from an MQTT username `{hub}/{device}[/{module}]/[?]api-version=...`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Username {
    /// IoT Hub name.
    pub(crate) hub: String,
    /// Device id.
    pub(crate) device: String,
    /// Module id; `None` for a device.
    pub(crate) module: Option<String>,
}

/// Why a CONNECT is refused. The text is for the hub's log and never holds a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// CONNACK 1: not MQTT 3.1.1.
    Protocol,
    /// CONNACK 3: anything but the credentials.
    Unavailable(&'static str),
    /// CONNACK 5: the credentials, or an identity that does not fit them.
    NotAuthorized(&'static str),
}

impl Username {
    /// Parses as edgeHub does: three or four segments, the last of them a query that must name
    /// an `api-version` of any value.
    pub(crate) fn parse(text: &str) -> Result<Self, Refusal> {
        let segments: Vec<&str> = text.split('/').collect();
        let (hub, device, module, query) = match segments[..] {
            [hub, device, query] => (hub, device, None, query),
            [hub, device, module, query] => (hub, device, Some(module), query),
            _ => return Err(Refusal::Unavailable("the username has not 3 or 4 segments")),
        };
        if hub.is_empty() || device.is_empty() || module.is_some_and(str::is_empty) {
            return Err(Refusal::Unavailable("a segment of the username is empty"));
        }
        let query = query.strip_prefix('?').unwrap_or(query);
        let versioned = query.split('&').any(|pair| {
            pair.split_once('=').is_some_and(|(k, v)| k == "api-version" && !v.is_empty())
        });
        if !versioned {
            return Err(Refusal::Unavailable("the username names no api-version"));
        }
        Ok(Self {
            hub: hub.to_owned(),
            device: device.to_owned(),
            module: module.map(str::to_owned),
        })
    }
}

/// The time against which tokens are judged.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    /// Seconds since 1970.
    pub(crate) now_unix_s: u64,
    /// Seconds past its expiry that a token is still accepted.
    pub(crate) skew_s: u64,
}

/// Checks a token against an identity and its key, and gives its expiry in Unix seconds.
///
/// The resource may name the hub or the gateway; ids compare without regard to letter case. The
/// signature covers the resource as it was written.
pub(crate) fn verify_token(
    password: &str,
    identity: &Identity,
    key: &Key,
    clock: Clock,
) -> Result<u64, Refusal> {
    let token = Token::parse(password)
        .map_err(|_| Refusal::NotAuthorized("the password is no shared access signature"))?;
    let resource = token.resource();
    let by_gateway = Identity { hub: identity.gateway.clone(), ..identity.clone() }.resource();
    if !resource.eq_ignore_ascii_case(&identity.resource())
        && !resource.eq_ignore_ascii_case(&by_gateway)
    {
        return Err(Refusal::NotAuthorized("the token is for another resource"));
    }
    if !token.verify(key) {
        return Err(Refusal::NotAuthorized("the token's signature is wrong"));
    }
    if token.is_expired(clock.now_unix_s, clock.skew_s) {
        return Err(Refusal::NotAuthorized("the token has expired"));
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
        let module = Username::parse("h/d/m/?api-version=2021-04-12&DeviceClientType=x").unwrap();
        assert_eq!(module.module.as_deref(), Some("m"));
        let device = Username::parse("h/d/api-version=1").unwrap();
        assert_eq!((device.device.as_str(), device.module), ("d", None));
        let cases = [
            "",
            "h/d",
            "h/d/m/x/?api-version=1",
            "h/d/?x=1",
            "h//?api-version=1",
            "h/d/m/?api-version=",
            "h/d/m/?api-version",
        ];
        for text in cases {
            assert!(matches!(Username::parse(text), Err(Refusal::Unavailable(_))), "{text}");
        }
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
