//! From a host name to an MQTT connection that the peer accepted: DNS, TCP, TLS, CONNECT.
//!
//! Every step is bounded by [`CONNECT_TIMEOUT`]. Each failure names the step, the host and what to
//! do about it.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rumqttc::mqttbytes::v4::{ConnAck, Connect, ConnectReturnCode, Packet};
use rustls::pki_types::{InvalidDnsNameError, ServerName};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::connection::{ByteStream, Connection, ConnectionError};

/// Longest time for each of: name look-up with TCP connect, TLS handshake, CONNACK.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Where to connect to.
#[derive(Clone)]
pub struct Endpoint {
    /// Host name or address; also the name that the certificate must carry.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// TLS settings, with the roots that are trusted.
    pub tls: Arc<rustls::ClientConfig>,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// The byte stream that a connection runs on.
#[derive(Debug)]
pub struct Stream(Box<TlsStream<TcpStream>>);

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0).poll_write(cx, bytes)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_shutdown(cx)
    }
}

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
    /// Nothing takes the TCP connection.
    #[error("cannot connect to {host}:{port}: {source}; is the hub running and the port open?")]
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

/// Connects, and returns the connection with its CONNACK (return code 0). Publishes may already
/// wait in `inbox`: a peer that kept the session sends them right behind CONNACK.
///
/// # Errors
/// [`ConnectError`], by the step that failed; the socket is closed then.
pub async fn connect(
    endpoint: &Endpoint,
    hello: Connect,
    inbox: &mut Vec<Packet>,
) -> Result<(Connection<Stream>, ConnAck), ConnectError> {
    let name = ServerName::try_from(endpoint.host.clone())
        .map_err(|source| ConnectError::HostName { host: endpoint.host.clone(), source })?;
    let step_timeout = |step| {
        let host = endpoint.host.clone();
        ConnectError::Timeout { step, host, port: endpoint.port }
    };
    let tcp = timeout(CONNECT_TIMEOUT, dial(endpoint))
        .await
        .map_err(|_| step_timeout("TCP connection"))??;
    let handshake = TlsConnector::from(endpoint.tls.clone()).connect(name, tcp);
    let tls = timeout(CONNECT_TIMEOUT, handshake)
        .await
        .map_err(|_| step_timeout("TLS handshake"))?
        .map_err(|source| {
            let host = endpoint.host.clone();
            ConnectError::Tls { host, port: endpoint.port, source }
        })?;
    let keep_alive = Duration::from_secs(u64::from(hello.keep_alive));
    let mut connection = Connection::new(Stream(Box::new(tls)), keep_alive);
    let client_id = hello.client_id.clone();
    let acknowledged = timeout(CONNECT_TIMEOUT, greet(&mut connection, hello, inbox))
        .await
        .map_err(|_| step_timeout("CONNACK"))?
        .map_err(|source| {
            let host = endpoint.host.clone();
            ConnectError::Broken { host, port: endpoint.port, source }
        })?;
    match refusal(acknowledged.code) {
        None => Ok((connection, acknowledged)),
        Some((code, meaning)) => {
            let host = endpoint.host.clone();
            Err(ConnectError::Refused { host, port: endpoint.port, client_id, code, meaning })
        }
    }
}

async fn dial(endpoint: &Endpoint) -> Result<TcpStream, ConnectError> {
    let Endpoint { host, port, .. } = endpoint;
    let addresses = tokio::net::lookup_host((host.as_str(), *port))
        .await
        .map_err(|source| ConnectError::Dns { host: host.clone(), source })?;
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(tcp) => {
                // Batches are written whole: Nagle's algorithm would only hold back their ends.
                let _ = tcp.set_nodelay(true);
                return Ok(tcp);
            }
            Err(error) => last = error,
        }
    }
    Err(ConnectError::Tcp { host: host.clone(), port: *port, source: last })
}

/// Sends CONNECT and waits for CONNACK, which must come first (MQTT 3.1.1 §3.2.0).
async fn greet(
    connection: &mut Connection<impl ByteStream>,
    hello: Connect,
    inbox: &mut Vec<Packet>,
) -> Result<ConnAck, ConnectionError> {
    connection.send(&Packet::Connect(hello))?;
    let never = Notify::new();
    inbox.clear();
    while inbox.is_empty() {
        connection.turn(inbox, &never, true).await?;
    }
    match inbox.remove(0) {
        Packet::ConnAck(acknowledged) => Ok(acknowledged),
        _ => Err(ConnectionError::Protocol(rumqttc::mqttbytes::Error::IncorrectPacketFormat)),
    }
}

fn refusal(code: ConnectReturnCode) -> Option<(u8, &'static str)> {
    match code {
        ConnectReturnCode::Success => None,
        ConnectReturnCode::RefusedProtocolVersion => {
            Some((1, "unacceptable protocol version: it does not speak MQTT 3.1.1"))
        }
        ConnectReturnCode::BadClientId => {
            Some((2, "identifier rejected: is this module in the deployment?"))
        }
        ConnectReturnCode::ServiceUnavailable => Some((3, "server unavailable: it may come back")),
        ConnectReturnCode::BadUserNamePassword => {
            Some((4, "bad user name or password: check the shared access key and this clock"))
        }
        ConnectReturnCode::NotAuthorized => {
            Some((5, "not authorized: check device, module, shared access key and this clock"))
        }
    }
}

#[cfg(test)]
mod tests;
