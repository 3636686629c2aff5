//! The address of a broker as a URL, and who logs in there.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use rustls::pki_types::ServerName;
use serde::{Deserialize, Serialize};

/// The ports of MQTT without and with TLS (IANA: mqtt, secure-mqtt).
const PORTS: (u16, u16) = (1883, 8883);
/// Longest user name, decoded.
const USER_BYTES_MAX: usize = 1000;

/// `mqtt://[user@]host[:port]`, or `mqtts://` with TLS. It never holds a password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BrokerUrl {
    tls: bool,
    user: Option<String>,
    host: String,
    port: u16,
}

/// Why a text is no [`BrokerUrl`]. The text itself is not repeated: it may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Neither `mqtt://` nor `mqtts://`.
    #[error("the broker's URL begins with mqtt:// or, with TLS, mqtts://")]
    Scheme,
    /// A colon before the `@`.
    #[error(
        "a password does not belong into the broker's URL: write mqtt://user@host, and give the \
         password in LOADGEN_BROKER_PASSWORD or in the file named by --broker-password-file"
    )]
    Password,
    /// An empty or endless user name, or one that is not percent-encoded UTF-8.
    #[error(
        "the broker's URL has no user name before the @: write mqtt://user@host, percent-encoded"
    )]
    User,
    /// No host name or address, or something behind it.
    #[error("the broker's URL names no host: write mqtt://host:port, as mqtt://127.0.0.1:1883")]
    Host,
    /// None of 1 to 65535.
    #[error("the port in the broker's URL is none of 1 to 65535: write mqtt://host:port")]
    Port,
}

impl BrokerUrl {
    /// Whether the connection is TLS.
    pub fn is_tls(&self) -> bool {
        self.tls
    }

    /// The user name, decoded.
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// The host's name or address, an IPv6 address without its brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl FromStr for BrokerUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let (tls, rest) = match (text.strip_prefix("mqtt://"), text.strip_prefix("mqtts://")) {
            (Some(rest), _) => (false, rest),
            (_, Some(rest)) => (true, rest),
            (None, None) => return Err(UrlError::Scheme),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        // Whatever a password in there is made of, it is before the last of these.
        let (user, authority) = match rest.rsplit_once('@') {
            Some((user, authority)) => (Some(read_user(user)?), authority),
            None => (None, rest),
        };
        // An IPv6 address stands in brackets and has colons of its own.
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, read_port(port)?),
            _ => (authority, if tls { PORTS.1 } else { PORTS.0 }),
        };
        let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(address) => {
                address.parse::<Ipv6Addr>().map_err(|_| UrlError::Host)?;
                address
            }
            None if host.contains(':') => return Err(UrlError::Host),
            None => host,
        };
        ServerName::try_from(host).map_err(|_| UrlError::Host)?;
        Ok(Self { tls, user, host: host.to_owned(), port })
    }
}

fn read_user(text: &str) -> Result<String, UrlError> {
    if text.contains(':') {
        return Err(UrlError::Password);
    }
    let user = percent_decode_str(text).decode_utf8().map_err(|_| UrlError::User)?;
    let is_user = (1..=USER_BYTES_MAX).contains(&user.len()) && !user.contains(char::is_control);
    if is_user { Ok(user.into_owned()) } else { Err(UrlError::User) }
}

fn read_port(text: &str) -> Result<u16, UrlError> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|port| digits && *port > 0).ok_or(UrlError::Port)
}

impl fmt::Display for BrokerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.tls { "mqtts://" } else { "mqtt://" })?;
        if let Some(user) = &self.user {
            write!(f, "{}@", utf8_percent_encode(user, NON_ALPHANUMERIC))?;
        }
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

impl TryFrom<String> for BrokerUrl {
    type Error = UrlError;

    fn try_from(text: String) -> Result<Self, UrlError> {
        text.parse()
    }
}

impl From<BrokerUrl> for String {
    fn from(url: BrokerUrl) -> Self {
        url.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<BrokerUrl, UrlError> {
        text.parse()
    }

    #[test]
    fn what_is_left_out_is_filled_in() {
        let table = [
            ("mqtt://127.0.0.1:1883", "mqtt://127.0.0.1:1883"),
            ("mqtt://localhost", "mqtt://localhost:1883"),
            ("mqtts://broker.example", "mqtts://broker.example:8883"),
            ("mqtt://[::1]/", "mqtt://[::1]:1883"),
            ("mqtts://[::1]:99", "mqtts://[::1]:99"),
            ("mqtt://me@h", "mqtt://me@h:1883"),
            ("mqtts://m%40e%3a@h:7", "mqtts://m%40e%3A@h:7"),
        ];
        for (text, shown) in table {
            let url = read(text).unwrap();
            assert_eq!(url.to_string(), shown);
            assert_eq!(url.is_tls(), text.starts_with("mqtts"));
        }
        assert_eq!(read("mqtts://m%40e%3a@h:7").unwrap().user(), Some("m@e:"));
        assert_eq!(read("mqtt://[::1]").unwrap().host(), "::1");
    }

    #[test]
    fn the_rest_is_refused() {
        let table = [
            (UrlError::Scheme, vec!["", "localhost", "http://h", "MQTT://h", "tcp://u:p@h"]),
            (UrlError::User, vec!["mqtt://@h", "mqtt://%ff@h", "mqtt://%00@h"]),
            (
                UrlError::Host,
                vec!["mqtt://", "mqtt://:1", "mqtt://::1", "mqtt://a b", "mqtt://h/x"],
            ),
            (UrlError::Host, vec!["mqtt://[h]", "mqtt://[::1", "mqtt://u@", "mqtt://h?x"]),
            (UrlError::Port, vec!["mqtt://a:0", "mqtt://a:65536", "mqtt://a:b", "mqtt://a:+1"]),
        ];
        for (error, texts) in table {
            for text in texts {
                assert_eq!(read(text), Err(error), "{text}");
            }
        }
        assert_eq!(read(&format!("mqtt://{}@h", "u".repeat(1001))), Err(UrlError::User));
    }

    #[test]
    fn a_password_is_refused_and_never_repeated() {
        for text in [
            "mqtt://me:hush@host",
            "mqtts://me:hu/sh@host/",
            "mqtt://me:h@hush@h",
            "mqtt://:hush@h",
        ] {
            let error = read(text).unwrap_err();
            assert_eq!(error, UrlError::Password, "{text}");
            assert!(!error.to_string().contains("hu"), "{error}");
        }
    }

    proptest! {
        /// No text makes a panic, and what is read is shown so that it is read the same.
        #[test]
        fn any_text_is_read_or_refused(text in "mqtts?://([a-z%0-9]{0,4}@)?\\PC{0,12}") {
            if let Ok(url) = read(&text) {
                prop_assert_eq!(read(&url.to_string()), Ok(url));
            }
        }
    }
}
