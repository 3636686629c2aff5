//! What there is to know of a broker: where it is, who logs in there, what is taken from it, and,
//! without a hub, the topics that stand in for the hub.

use std::net::IpAddr;

use super::{AlertsTopic, Password, TopicFilter};
use crate::host::files::reread::Reread;
use crate::mqtt::Route;
use crate::mqtt::tls::TlsSettings;

/// What the client id of the second connection ends with, on which alerts leave.
pub(crate) const OUTLET_ENDING: &str = "-out";

/// What there is to know of the broker.
#[derive(Clone)]
pub struct BrokerSettings {
    /// Host name or address; IPv6 without its brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// The way to it: TLS or not.
    pub route: Route,
    /// Trusted roots, and the client certificate where there is one.
    pub tls: Reread<TlsSettings>,
    /// User name.
    pub user: Option<String>,
    /// Password; never without a user name.
    pub password: Option<Reread<Password>>,
    /// Client id of a session that is kept; none: a random one, and a session that ends.
    pub client_id: Option<String>,
    /// The random one.
    pub random_id: String,
    /// What to subscribe to; at least one, each once.
    pub filters: Vec<TopicFilter>,
    /// Where alerts go and thresholds come from; there exactly when there is no hub.
    pub standalone: Option<Standalone>,
}

/// The topics that stand in for a hub. None of them can come back through a subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standalone {
    /// Where alerts go.
    pub alerts: AlertsTopic,
    /// Where patches come from.
    pub control: String,
    /// Where they are acknowledged.
    pub reported: String,
}

impl BrokerSettings {
    /// The client id of the first connection.
    pub fn client_id(&self) -> &str {
        self.client_id.as_ref().unwrap_or(&self.random_id)
    }

    /// Whether the password can be read on its way: no TLS, and a host that is not this machine.
    pub fn sends_password_in_clear(&self) -> bool {
        let is_here = self.host.eq_ignore_ascii_case("localhost")
            || self.host.parse().is_ok_and(|address: IpAddr| address.is_loopback());
        matches!(self.route, Route::Tcp) && self.password.is_some() && !is_here
    }
}

/// A client id that no other process is likely to have.
pub fn random_client_id() -> String {
    format!("sg-{:012x}", fastrand::u64(..1 << 48))
}
