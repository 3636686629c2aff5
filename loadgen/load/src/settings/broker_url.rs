//! The address of a broker as a URL, and who logs in there.

use std::fmt;
use std::str::FromStr;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use sluicegate::broker::BrokerAddress;
use sluicegate::mqtt::url::UrlProblem;

/// `mqtt://[user@]host[:port]`, or `mqtts://` with TLS, as the module reads it. It never holds a
/// password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BrokerUrl(BrokerAddress);

/// Why a text is no [`BrokerUrl`]. The text itself is not repeated: it may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// A colon before the `@`.
    #[error(
        "a password does not belong into the broker's URL: write mqtt://user@host, and give the \
         password in LOADGEN_BROKER_PASSWORD or in the file named by --broker-password-file"
    )]
    Password,
    /// It cannot be read.
    #[error("no broker's URL: {0}")]
    Url(#[from] UrlProblem),
}

impl BrokerUrl {
    /// Whether the connection is TLS.
    pub fn is_tls(&self) -> bool {
        self.0.is_tls()
    }

    /// The user name, decoded.
    pub fn user(&self) -> Option<&str> {
        self.0.user()
    }

    /// The host's name or address, an IPv6 address without its brackets.
    pub fn host(&self) -> &str {
        self.0.host()
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.0.port()
    }
}

impl FromStr for BrokerUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        match text.parse::<BrokerAddress>() {
            Err(problem @ UrlProblem::Scheme(_)) => Err(problem.into()),
            // Even where it is what cannot be read, it is what has to go.
            _ if has_password(text) => Err(UrlError::Password),
            read => Ok(Self(read?)),
        }
    }
}

/// Whether there is a colon between the scheme and the last `@`.
fn has_password(text: &str) -> bool {
    let login = text.split_once("://").and_then(|(_, rest)| rest.rsplit_once('@'));
    login.is_some_and(|(login, _)| login.contains(':'))
}

impl fmt::Display for BrokerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_tls() { "mqtts://" } else { "mqtt://" })?;
        if let Some(user) = self.user() {
            write!(f, "{}@", utf8_percent_encode(user, NON_ALPHANUMERIC))?;
        }
        match self.host().contains(':') {
            true => write!(f, "[{}]:{}", self.host(), self.port()),
            false => write!(f, "{}:{}", self.host(), self.port()),
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

    /// Whatever the module's reader says of a text without password, this one says too.
    #[test]
    fn every_text_is_read_as_the_module_reads_it() {
        let texts = [
            "",
            "localhost",
            "http://h",
            "MQTT://h",
            "mqtt://@h",
            "mqtt://%ff@h",
            "mqtt://%00@h",
            "mqtt://50%@h",
            "mqtt://%4@h",
            "mqtt://%zz@h",
            "mqtt://a%40b@h",
            "mqtt://",
            "mqtt://:1",
            "mqtt://::1",
            "mqtt://a b",
            "mqtt://h/x",
            "mqtt://u/v@h",
            "mqtt://u#v@h",
            "mqtt://[h]",
            "mqtt://[::1",
            "mqtt://u@",
            "mqtt://h?x",
            "mqtt://a:0",
            "mqtt://a:65536",
            "mqtt://a:b",
            "mqtt://a:+1",
            "mqtt://a:",
            "mqtt://[::1]1",
            "mqtt://[fe80::1%25eth0]",
            "mqtts://a@b@h:7",
        ];
        for text in texts {
            let expected = text.parse::<BrokerAddress>().map(BrokerUrl).map_err(UrlError::Url);
            assert_eq!(read(text), expected, "{text}");
        }
        assert_eq!(read("mqtt://50%@h"), Err(UrlError::Url(UrlProblem::Percent)));
        let long = "u".repeat(65_536);
        assert_eq!(read(&format!("mqtt://{long}@h")), Err(UrlError::Url(UrlProblem::User)));
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
