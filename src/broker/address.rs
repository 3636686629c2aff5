//! Where a broker is and who logs in there: `mqtt[s]://[user[:password]@]host[:port]`.

use std::str::FromStr;

use crate::mqtt::url::{Password, Schemes, ServerUrl, UrlProblem};

/// With the ports that stand for them (IANA: mqtt, secure-mqtt).
const SCHEMES: Schemes =
    Schemes { known: &[("mqtt", 1883), (TLS, 8883)], wanted: "mqtt:// or, for TLS, with mqtts://" };
const TLS: &str = "mqtts";

/// The parts of a broker's URL. `Debug` tells only whether there are a user and a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerAddress(ServerUrl);

impl BrokerAddress {
    /// Whether MQTT runs over TLS.
    pub fn is_tls(&self) -> bool {
        self.0.scheme == TLS
    }

    /// Host name or address; IPv6 without its brackets.
    pub fn host(&self) -> &str {
        &self.0.host
    }

    /// TCP port.
    pub fn port(&self) -> u16 {
        self.0.port
    }

    /// User name, percent-decoded.
    pub fn user(&self) -> Option<&str> {
        self.0.user.as_deref()
    }

    /// Password, percent-decoded.
    pub fn password(&self) -> Option<&Password> {
        self.0.password.as_ref()
    }
}

impl FromStr for BrokerAddress {
    type Err = UrlProblem;

    fn from_str(text: &str) -> Result<Self, UrlProblem> {
        ServerUrl::read(text, &SCHEMES).map(Self)
    }
}
