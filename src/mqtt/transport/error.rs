//! Why there is no connection: by step, each with what to do about it and the settings to look at.

mod words;

use std::fmt;
use std::io;
use std::net::IpAddr;

use rustls::pki_types::InvalidDnsNameError;

use super::greeting::Stranger;
use super::names::{NamedSetting, Names, Peer, See};
use super::{CONNECT_TIMEOUT, Endpoint};

pub use words::ConnectStep;
pub(super) use words::is_closed;
pub(crate) use words::shortage;

/// Why there is no connection, with the names of the settings to look at.
#[derive(Debug, thiserror::Error)]
#[error("{}", words_of(failure, names))]
pub struct ConnectError {
    /// What failed.
    pub failure: Failure,
    /// What the endpoint's settings are called.
    pub names: &'static Names,
}

/// The whole line: what failed, and the settings to look at. A library's text may name a page of
/// its documents, which is of no use to whoever reads the log.
fn words_of(failure: &Failure, names: &'static Names) -> String {
    let mut text = words::without_addresses(&failure.to_string());
    let see = See(names, failure.settings()).to_string();
    match see.strip_prefix("; see").filter(|_| text.ends_with('?')) {
        Some(names) => text.push_str(&format!(" See{names}")),
        None => text.push_str(&see),
    }
    text
}

/// A host and its port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct At {
    /// Host as it was given.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl Endpoint {
    pub(super) fn at(&self) -> At {
        At { host: self.host.clone(), port: self.port }
    }

    pub(super) fn timeout(&self, step: ConnectStep) -> Failure {
        Failure::Timeout { step, at: self.at() }
    }
}

/// What failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The name does not resolve.
    #[error("cannot resolve host name {host}: {source}; check the name and this device's DNS")]
    Dns {
        /// The name that was looked up.
        host: String,
        /// The resolver's answer.
        source: io::Error,
    },
    /// Plain TCP was asked for, and the host is not this machine alone. Nothing was sent.
    #[error(
        "plain TCP to {at} refused: {} is {address}, no loopback address \
         (127.0.0.0/8, ::1); use 127.0.0.1, or leave plain TCP out",
        at.host
    )]
    NotLoopback {
        /// What was to be dialled.
        at: At,
        /// The first address that is not loopback.
        address: IpAddr,
    },
    /// Nothing takes the TCP connection.
    #[error("cannot connect to {at}: {source}; is the hub or broker running and the port open?")]
    Tcp {
        /// What was dialled.
        at: At,
        /// The system's answer.
        source: io::Error,
    },
    /// This process, or the system, has no file descriptor left for it.
    #[error("cannot connect to {to}: {source}: {}", words::shortage(source).unwrap_or_default())]
    Shortage {
        /// What was looked up or dialled.
        to: String,
        /// The system's answer.
        source: io::Error,
    },
    /// Nothing takes the TCP connection to the proxy, or its name does not resolve.
    #[error(
        "cannot connect to the proxy {proxy}: {source}; is it running, and is that its address?"
    )]
    ProxyAway {
        /// The proxy, without its credentials.
        proxy: String,
        /// The system's answer.
        source: io::Error,
    },
    /// The TLS handshake failed.
    #[error("TLS handshake with {at} failed: {}", words::tls(source))]
    Tls {
        /// What was dialled.
        at: At,
        /// What rustls found.
        source: io::Error,
    },
    /// The host is neither a DNS name nor an address.
    #[error("{host:?} is no host name that a certificate can carry: {source}")]
    HostName {
        /// The host as given.
        host: String,
        /// What is wrong with it.
        source: InvalidDnsNameError,
    },
    /// The peer took the connection and then said nothing.
    #[error("no {step} from {at} within {CONNECT_TIMEOUT:?}: {}", step.cause())]
    Timeout {
        /// What was waited for.
        step: ConnectStep,
        /// What was dialled.
        at: At,
    },
    /// The proxy did not open a way.
    #[error("proxy {proxy}: no way to {at}: {problem}")]
    Proxy {
        /// The proxy, without its credentials.
        proxy: String,
        /// What was to be reached.
        at: At,
        /// What the proxy said, or how it failed.
        problem: String,
    },
    /// The peer does not speak MQTT over WebSocket.
    #[error("no WebSocket with {at}: {problem}; does it serve MQTT over WebSocket?")]
    WebSocket {
        /// What was dialled.
        at: At,
        /// What was wrong with its answer.
        problem: String,
    },
    /// CONNACK with a code other than 0 (MQTT 3.1.1 §3.2.2.3).
    #[error("{at} refused {client_id:?}: {}", words::refusal(*code, *peer, *keep_alive_s))]
    Refused {
        /// What was dialled.
        at: At,
        /// The client id that was offered.
        client_id: String,
        /// The keep-alive that was offered, where it is a setting.
        keep_alive_s: Option<u16>,
        /// The return code, 1 to 5, or a reason code of MQTT 5, from 0x80 on.
        code: u8,
        /// What it should be.
        peer: Peer,
    },
    /// Something else than CONNACK came.
    #[error("{at} answered CONNECT {}", words::stranger(*what, *peer))]
    Stranger {
        /// What was dialled.
        at: At,
        /// What came.
        what: Stranger,
        /// What it should be.
        peer: Peer,
    },
    /// The connection ended in place of CONNACK.
    #[error(
        "{at} closed the connection at CONNECT without a word: it speaks no {spoken} at this port, \
         or refuses {client_id:?}{}", words::or_keep_alive(*keep_alive_s)
    )]
    Closed {
        /// What was dialled.
        at: At,
        /// What was spoken, and over what.
        spoken: &'static str,
        /// The client id that was offered.
        client_id: String,
        /// The keep-alive that was offered, where it is a setting.
        keep_alive_s: Option<u16>,
    },
    /// The connection failed in place of CONNACK.
    #[error("{at} did not answer CONNECT: {}", broken(source))]
    Broken {
        /// What was dialled.
        at: At,
        /// How it failed.
        source: io::Error,
    },
}

fn broken(source: &io::Error) -> String {
    match words::tls_error(source) {
        Some(_) => words::tls(source),
        None => format!("the connection failed ({source})"),
    }
}

/// What the peer answered an attempt to connect: how long to wait is judged by that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Nobody answered: no address, no TCP connection, or one that ended or stayed silent before
    /// its peer had said a word, as behind a proxy whose broker is away.
    Nothing,
    /// Somebody answered, and there is no MQTT connection all the same. It may pass.
    Refusal,
    /// The identity was refused: only a person can mend that.
    Identity,
}

impl ConnectError {
    /// A CONNACK with this code.
    #[cfg(test)]
    pub(crate) fn refused(code: u8) -> Self {
        let at = At { host: "h".to_owned(), port: 1 };
        let (client_id, peer) = ("c".to_owned(), Peer::Broker);
        let failure = Failure::Refused { at, client_id, keep_alive_s: None, code, peer };
        Self { failure, names: &Names::NONE }
    }

    /// What the peer answered.
    pub fn answer(&self) -> Answer {
        match self.failure {
            Failure::Dns { .. }
            | Failure::NotLoopback { .. }
            | Failure::HostName { .. }
            | Failure::Tcp { .. }
            | Failure::Shortage { .. }
            | Failure::ProxyAway { .. }
            | Failure::Timeout { .. }
            | Failure::Closed { .. } => Answer::Nothing,
            Failure::Tls { ref source, .. } | Failure::Broken { ref source, .. }
                if words::tls_error(source).is_none() =>
            {
                Answer::Nothing
            }
            _ if self.is_authentication() || self.asks_for_certificate() => Answer::Identity,
            _ => Answer::Refusal,
        }
    }

    /// Whether the peer refused this identity (CONNACK 2, 4 or 5): only a person can mend that.
    pub fn is_authentication(&self) -> bool {
        matches!(self.failure, Failure::Refused { code, .. }
            if matches!(words::return_code(code), 2 | 4 | 5))
    }

    /// Whether no trusted root vouches for the peer's certificate: other roots might.
    pub fn is_untrusted(&self) -> bool {
        use rustls::CertificateError::{BadSignature, Other, UnknownIssuer};
        let Failure::Tls { source, .. } = &self.failure else { return false };
        // A new root of the old name shows as a bad signature.
        matches!(
            words::tls_error(source),
            Some(rustls::Error::InvalidCertificate(UnknownIssuer | BadSignature | Other(_)))
        )
    }

    /// Whether the peer ended the handshake over our certificate, or for want of one. TLS 1.3 tells
    /// it only after the handshake is over on this side (RFC 8446 §4.4.2.4).
    pub fn asks_for_certificate(&self) -> bool {
        match &self.failure {
            Failure::Tls { source, .. } | Failure::Broken { source, .. } => {
                words::is_about_our_certificate(source)
            }
            _ => false,
        }
    }
}

impl Failure {
    /// A name that was not found.
    pub(super) fn dns(host: &str, source: io::Error) -> Self {
        let host = host.to_owned();
        if words::shortage(&source).is_some() {
            return Self::Shortage { to: host, source };
        }
        Self::Dns { host, source }
    }

    /// A TCP connection that nothing took.
    pub(super) fn tcp(at: At, source: io::Error) -> Self {
        if words::shortage(&source).is_some() {
            return Self::Shortage { to: at.to_string(), source };
        }
        Self::Tcp { at, source }
    }

    /// There was an end in place of an answer to CONNECT.
    pub(super) fn unanswered(
        endpoint: &Endpoint,
        client_id: String,
        keep_alive_s: u16,
        source: io::Error,
    ) -> Self {
        let at = endpoint.at();
        if words::tls_error(&source).is_none() && words::is_closed(&source) {
            let spoken = words::spoken(&endpoint.route);
            let keep_alive_s = endpoint.names.has_keep_alive().then_some(keep_alive_s);
            return Self::Closed { at, spoken, client_id, keep_alive_s };
        }
        Self::Broken { at, source }
    }

    /// The settings that have to do with it.
    fn settings(&self) -> &'static [NamedSetting] {
        match self {
            Self::Dns { .. } | Self::HostName { .. } => &[NamedSetting::Host],
            Self::NotLoopback { .. } => &[NamedSetting::Host, NamedSetting::Way],
            Self::Tcp { .. } => &[NamedSetting::Host, NamedSetting::Port],
            Self::ProxyAway { .. } | Self::Proxy { .. } => &[NamedSetting::Proxy],
            Self::Tls { source, .. } => words::tls_settings(source),
            Self::Timeout { step, .. } => step.settings(),
            Self::WebSocket { .. } | Self::Stranger { .. } => {
                &[NamedSetting::Port, NamedSetting::Way]
            }
            Self::Refused { code, .. } => words::refusal_settings(*code),
            Self::Closed { .. } => &[
                NamedSetting::Port,
                NamedSetting::Way,
                NamedSetting::Identity,
                NamedSetting::KeepAlive,
            ],
            Self::Broken { source, .. } if words::is_about_our_certificate(source) => {
                &[NamedSetting::Certificate]
            }
            Self::Broken { .. } | Self::Shortage { .. } => &[],
        }
    }
}
