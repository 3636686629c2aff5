//! Why there is no connection: by step, each with what to do about it.

use std::io;
use std::net::IpAddr;

use rumqttc::mqttbytes::v4::ConnectReturnCode;
use rustls::pki_types::InvalidDnsNameError;

use super::super::connection::ConnectionError;
use super::CONNECT_TIMEOUT;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
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
        "plain TCP to {host}:{port} refused: {host} is {address}, no loopback address \
         (127.0.0.0/8, ::1); use 127.0.0.1, or leave plain TCP out"
    )]
    NotLoopback {
        /// The host that was looked up.
        host: String,
        /// Port that was to be dialled.
        port: u16,
        /// The first address that is not loopback.
        address: IpAddr,
    },
    /// Nothing takes the TCP connection.
    #[error(
        "cannot connect to {host}:{port}: {source}; is the hub or broker running and the port open?"
    )]
    Tcp {
        /// Host that was dialled.
        host: String,
        /// Port that was dialled.
        port: u16,
        /// The system's answer.
        source: io::Error,
    },
    /// The TLS handshake failed.
    #[error("TLS handshake with {host}:{port} failed: {source}; {advice}", advice = tls_advice(source))]
    Tls {
        /// Host that was dialled.
        host: String,
        /// Port that was dialled.
        port: u16,
        /// What rustls found.
        source: io::Error,
    },
    /// The host is neither a DNS name nor an address.
    #[error("{host:?} is not a host name: {source}")]
    HostName {
        /// The host as given.
        host: String,
        /// What is wrong with it.
        source: InvalidDnsNameError,
    },
    /// The peer took the connection and then said nothing.
    #[error("no {step} from {host}:{port} within {CONNECT_TIMEOUT:?}")]
    Timeout {
        /// What was waited for.
        step: &'static str,
        /// Host that was dialled.
        host: String,
        /// Port that was dialled.
        port: u16,
    },
    /// The proxy did not open a way.
    #[error("proxy {proxy}: no way to {host}:{port}: {problem}")]
    Proxy {
        /// The proxy, without its credentials.
        proxy: String,
        /// Host that was to be reached.
        host: String,
        /// Port that was to be reached.
        port: u16,
        /// What the proxy said, or how it failed.
        problem: String,
    },
    /// The peer does not speak MQTT over WebSocket.
    #[error("no WebSocket with {host}:{port}: {problem}; does it serve MQTT over WebSocket?")]
    WebSocket {
        /// Host that was dialled.
        host: String,
        /// Port that was dialled.
        port: u16,
        /// What was wrong with its answer.
        problem: String,
    },
    /// CONNACK with a code other than 0 (MQTT 3.1.1 §3.2.2.3).
    #[error("{host}:{port} refused {client_id:?}: CONNACK {code} ({meaning})")]
    Refused {
        /// Host that was dialled.
        host: String,
        /// Port that was dialled.
        port: u16,
        /// The client id that was offered.
        client_id: String,
        /// The return code, 1 to 5.
        code: u8,
        /// The code in words, and what to do.
        meaning: &'static str,
    },
    /// The connection ended, or something else than CONNACK came.
    #[error("{host}:{port} did not answer CONNECT: {source}")]
    Broken {
        /// Host that was dialled.
        host: String,
        /// Port that was dialled.
        port: u16,
        /// How it ended.
        source: ConnectionError,
    },
}

/// What the peer answered an attempt to connect: how long to wait is judged by that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Nobody answered: no address, or nothing takes the TCP connection.
    Nothing,
    /// Somebody took the TCP connection, and there is no MQTT connection all the same. It may pass.
    Refusal,
    /// The identity was refused: only a person can mend that.
    Identity,
}

impl ConnectError {
    /// What the peer answered.
    pub fn answer(&self) -> Answer {
        match self {
            Self::Dns { .. }
            | Self::NotLoopback { .. }
            | Self::HostName { .. }
            | Self::Tcp { .. } => Answer::Nothing,
            _ if self.is_authentication() || self.asks_for_certificate() => Answer::Identity,
            Self::Tls { .. }
            | Self::Timeout { .. }
            | Self::Proxy { .. }
            | Self::WebSocket { .. }
            | Self::Refused { .. }
            | Self::Broken { .. } => Answer::Refusal,
        }
    }
}

impl ConnectError {
    /// Whether the peer refused this identity (CONNACK 2, 4 or 5): only a person can mend that.
    pub fn is_authentication(&self) -> bool {
        matches!(self, Self::Refused { code: 2 | 4 | 5, .. })
    }
}

impl ConnectError {
    /// Whether no trusted root vouches for the peer's certificate: other roots might.
    pub fn is_untrusted(&self) -> bool {
        use rustls::CertificateError::{BadSignature, UnknownIssuer};
        let Self::Tls { source, .. } = self else { return false };
        // A new root of the old name shows as a bad signature.
        matches!(certificate_error(source), Some(UnknownIssuer | BadSignature))
    }
}

impl ConnectError {
    /// Whether the peer ended the handshake over our certificate, or for want of one. TLS 1.3 tells
    /// it only after the handshake is over on this side (RFC 8446 §4.4.2.4).
    pub fn asks_for_certificate(&self) -> bool {
        use rustls::AlertDescription as Alert;
        let (Self::Tls { source, .. } | Self::Broken { source: ConnectionError::Io(source), .. }) =
            self
        else {
            return false;
        };
        let error = source.get_ref().and_then(|error| error.downcast_ref());
        matches!(
            error,
            Some(rustls::Error::AlertReceived(
                Alert::CertificateRequired
                    | Alert::BadCertificate
                    | Alert::UnknownCA
                    | Alert::CertificateUnknown
                    | Alert::CertificateExpired
                    | Alert::CertificateRevoked
                    | Alert::HandshakeFailure
            ))
        )
    }
}

fn certificate_error(error: &io::Error) -> Option<&rustls::CertificateError> {
    match error.get_ref()?.downcast_ref()? {
        rustls::Error::InvalidCertificate(error) => Some(error),
        _ => None,
    }
}

fn tls_advice(error: &io::Error) -> &'static str {
    use rustls::CertificateError as Bad;
    match certificate_error(error) {
        Some(Bad::UnknownIssuer | Bad::BadSignature) => {
            "its certificate is not signed by a trusted root: check the CA certificate file, or \
             the runtime's trust bundle"
        }
        Some(Bad::NotValidForName | Bad::NotValidForNameContext { .. }) => {
            "its certificate does not carry the gateway's host name"
        }
        Some(
            Bad::Expired
            | Bad::ExpiredContext { .. }
            | Bad::NotValidYet
            | Bad::NotValidYetContext { .. },
        ) => "its certificate is not valid now: check both clocks",
        Some(_) => "its certificate is refused",
        None => "is this port a TLS port?",
    }
}

/// The code and meaning of a CONNACK that refuses.
pub(super) fn refusal(code: ConnectReturnCode) -> Option<(u8, &'static str)> {
    match code {
        ConnectReturnCode::Success => None,
        ConnectReturnCode::RefusedProtocolVersion => {
            Some((1, "unacceptable protocol version: it does not speak MQTT 3.1.1"))
        }
        ConnectReturnCode::BadClientId => Some((
            2,
            "identifier rejected: is this module in the deployment, or this client id allowed?",
        )),
        ConnectReturnCode::ServiceUnavailable => Some((3, "server unavailable: it may come back")),
        ConnectReturnCode::BadUserNamePassword => Some((
            4,
            "bad user name or password: check them; for a hub, the shared access key and this clock",
        )),
        ConnectReturnCode::NotAuthorized => Some((
            5,
            "not authorized: check who may connect; for a hub, device, module, shared access key and this clock",
        )),
    }
}
