//! From a host name to an MQTT connection that the peer accepted: DNS, TCP, a proxy's tunnel, TLS,
//! WebSocket, CONNECT.
//!
//! ```text
//! Route::Direct        MQTT                 over TLS over TCP
//! Route::WebSocket     MQTT over WebSocket  over TLS over TCP, or over a tunnel through a proxy
//! Route::Plain         MQTT                 over TCP, to loopback addresses alone
//! Route::Tcp           MQTT                 over TCP, to any address
//! ```
//! Every step is bounded by [`CONNECT_TIMEOUT`]. Each failure names the step, the host and what to
//! do about it.

mod early;
mod error;
mod greeting;
mod lookup;
mod names;
mod plain;
mod proxy;
mod websocket;

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rumqttc::mqttbytes::v4::{ConnAck, Connect, ConnectReturnCode};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::connection::{ByteStream, Connection};
use greeting::{Greeting, greet};
use lookup::Lookups;
use websocket::WebSocket;

pub use early::{FIRST_ANSWER_WAIT, HOLD_BACK_MAX, PEERS_MAX};
pub(crate) use error::shortage;
pub use error::{Answer, At, ConnectError, ConnectStep, Failure};
pub use greeting::Stranger;
pub use lookup::LOOKUPS_MAX;
pub(crate) use names::{NamedSetting, See};
pub use names::{Names, Peer};
pub use proxy::{Proxy, ProxyUrlError};

/// Longest time for each of: name look-up with TCP connect, tunnel, TLS handshake, WebSocket
/// handshake, CONNACK.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(6);
/// Shortest time that one address of a name is given to take the TCP connection. A name with more
/// addresses than seconds are left is not tried to its end.
const ADDRESS_TIMEOUT_MIN: Duration = Duration::from_secs(1);

/// Where to connect to.
#[derive(Clone)]
pub struct Endpoint {
    /// Host name or address; also the name that the certificate must carry.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// How to get there.
    pub route: Route,
    /// TLS settings, with the roots that are trusted; the ways without TLS have no use for them.
    pub tls: Arc<rustls::ClientConfig>,
    /// What it shares with the other connections of the process.
    pub peers: Peers,
    /// What the settings are called that all of this comes from.
    pub names: &'static Names,
}

/// What the connections of a process share: what they have learnt of their peers, and the name
/// look-ups under way. Make one for each process; clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Peers {
    habits: early::Habits,
    lookups: lookup::Lookups,
}

#[cfg(test)]
impl Peers {
    /// Whether what the one learns the other knows.
    pub(crate) fn are_those_of(&self, other: &Self) -> bool {
        self.habits.are_those_of(&other.habits) && self.lookups.are_those_of(&other.lookups)
    }
}

/// The way to a host.
#[derive(Debug, Clone, Default)]
pub enum Route {
    /// MQTT over TLS.
    #[default]
    Direct,
    /// MQTT over WebSocket over TLS, for networks that let nothing but HTTPS out.
    WebSocket {
        /// The proxy to go through.
        proxy: Option<Proxy>,
    },
    /// MQTT over TCP without TLS, for measurements on one machine. No MQTT leaves it: what the
    /// host resolves to is checked at each connect, and all of it must be loopback (127.0.0.0/8,
    /// ::1).
    Plain,
    /// MQTT over TCP without TLS, to any host: what is sent, a password among it, crosses the
    /// network in clear. For brokers whose users chose that, never for a hub.
    Tcp,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{} over {}", self.host, self.port, self.route)
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Direct => f.write_str("TLS"),
            Self::WebSocket { proxy: None } => f.write_str("WebSocket"),
            Self::WebSocket { proxy: Some(proxy) } => write!(f, "WebSocket through proxy {proxy}"),
            Self::Plain => f.write_str("plain TCP"),
            Self::Tcp => f.write_str("TCP without TLS"),
        }
    }
}

/// The byte stream that a connection runs on.
#[derive(Debug)]
pub struct Stream(Inner);

#[derive(Debug)]
enum Inner {
    Tls(Box<TlsStream<TcpStream>>),
    WebSocket(Box<WebSocket<TlsStream<TcpStream>>>),
    Tcp(TcpStream),
}

impl Stream {
    fn stream(&mut self) -> Pin<&mut dyn ByteStream> {
        match &mut self.0 {
            Inner::Tls(stream) => Pin::new(stream.as_mut()),
            Inner::WebSocket(stream) => Pin::new(stream.as_mut()),
            Inner::Tcp(stream) => Pin::new(stream),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.stream().poll_read(cx, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.stream().poll_write(cx, bytes)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_shutdown(cx)
    }
}

/// Connects, and returns the connection with its CONNACK (return code 0). Publishes may already
/// wait in it: a peer that kept the session sends them right behind CONNACK.
///
/// # Errors
/// [`ConnectError`], by the step that failed; the socket is closed then.
pub async fn connect(
    endpoint: &Endpoint,
    hello: Connect,
) -> Result<(Connection<Stream>, ConnAck), ConnectError> {
    let connected = open(endpoint, &hello).await;
    connected.map_err(|failure| ConnectError { failure, names: endpoint.names })
}

async fn open(
    endpoint: &Endpoint,
    hello: &Connect,
) -> Result<(Connection<Stream>, ConnAck), Failure> {
    let Endpoint { host, port, route, peers: Peers { lookups, .. }, .. } = endpoint;
    let tls = |hold_back| shake_hands(endpoint, hold_back);
    let stream = match route {
        Route::Plain => Inner::Tcp(plain::dial(lookups, host, *port).await?),
        Route::Tcp => Inner::Tcp(dial(lookups, host, *port).await?),
        Route::Direct => {
            let say = |tls| introduce(endpoint, Inner::Tls(Box::new(tls)), hello);
            return early::first_answer(endpoint, tls, say, endpoint.timeout(ConnectStep::Connack))
                .await;
        }
        Route::WebSocket { .. } => {
            let (say, silence) =
                (|tls| upgrade(endpoint, tls), endpoint.timeout(ConnectStep::WebSocket));
            let websocket = early::first_answer(endpoint, tls, say, silence).await?;
            Inner::WebSocket(Box::new(websocket))
        }
    };
    timeout(CONNECT_TIMEOUT, introduce(endpoint, stream, hello))
        .await
        .map_err(|_| endpoint.timeout(ConnectStep::Connack))?
}

/// TCP, a proxy's tunnel, TLS, with its version. With `hold_back` it takes as long as nothing is to
/// be said.
async fn shake_hands(
    endpoint: &Endpoint,
    hold_back: bool,
) -> Result<(TlsStream<TcpStream>, &'static str), Failure> {
    let Endpoint { host, port, route, tls, peers: Peers { lookups, .. }, .. } = endpoint;
    let name = ServerName::try_from(host.clone())
        .map_err(|source| Failure::HostName { host: host.clone(), source })?;
    let tcp = match route {
        Route::WebSocket { proxy: Some(proxy) } => {
            let tcp = dial(lookups, &proxy.host, proxy.port).await.map_err(|away| proxy.away(away));
            let tunnel = timeout(CONNECT_TIMEOUT, proxy.tunnel(tcp?, endpoint.at())).await;
            tunnel.map_err(|_| endpoint.timeout(ConnectStep::Tunnel))??
        }
        _ => dial(lookups, host, *port).await?,
    };
    let handshake = TlsConnector::from(Arc::clone(tls)).connect(name, tcp);
    let tls = timeout(CONNECT_TIMEOUT, handshake)
        .await
        .map_err(|_| endpoint.timeout(ConnectStep::Tls))?
        .map_err(|source| Failure::Tls { at: endpoint.at(), source })?;
    let (tcp, session) = tls.get_ref();
    let version = early::version(session);
    if hold_back {
        early::hold_back(tcp).await;
    }
    Ok((tls, version))
}

async fn upgrade(
    endpoint: &Endpoint,
    tls: TlsStream<TcpStream>,
) -> Result<WebSocket<TlsStream<TcpStream>>, Failure> {
    let Endpoint { host, port, .. } = endpoint;
    let upgraded = WebSocket::open(tls, host, *port).await;
    upgraded.map_err(|problem| Failure::WebSocket { at: endpoint.at(), problem })
}

/// CONNECT and its answer, which must be CONNACK (MQTT 3.1.1 §3.2.0).
async fn introduce(
    endpoint: &Endpoint,
    stream: Inner,
    hello: &Connect,
) -> Result<(Connection<Stream>, ConnAck), Failure> {
    let (at, client_id) = (endpoint.at(), hello.client_id.clone());
    let (mut stream, keep_alive_s) = (Stream(stream), hello.keep_alive);
    match greet(&mut stream, hello).await {
        Ok(Greeting::Accepted { session_present }) => {
            let keep_alive = Duration::from_secs(u64::from(keep_alive_s));
            let accepted = ConnAck::new(ConnectReturnCode::Success, session_present);
            Ok((Connection::new(stream, keep_alive), accepted))
        }
        Ok(Greeting::Refused(code)) => {
            let peer = endpoint.names.peer;
            let keep_alive_s = endpoint.names.has_keep_alive().then_some(keep_alive_s);
            Err(Failure::Refused { at, client_id, keep_alive_s, code, peer })
        }
        Ok(Greeting::Stranger(what)) => {
            Err(Failure::Stranger { at, what, peer: endpoint.names.peer })
        }
        Err(source) => Err(Failure::unanswered(endpoint, client_id, keep_alive_s, source)),
    }
}

async fn dial(lookups: &Lookups, host: &str, port: u16) -> Result<TcpStream, Failure> {
    let deadline = Instant::now() + CONNECT_TIMEOUT;
    let addresses = resolve(lookups, host, port, deadline).await?;
    dial_resolved(host, port, &addresses, deadline).await
}

async fn resolve(
    lookups: &Lookups,
    host: &str,
    port: u16,
    deadline: Instant,
) -> Result<Vec<SocketAddr>, Failure> {
    let mut addresses = lookups
        .find(host, deadline, |host| Ok((host, 0).to_socket_addrs()?.collect()))
        .await
        .map_err(|source| Failure::dns(host, source))?;
    addresses.iter_mut().for_each(|address| address.set_port(port));
    Ok(addresses)
}

async fn dial_resolved(
    host: &str,
    port: u16,
    addresses: &[SocketAddr],
    deadline: Instant,
) -> Result<TcpStream, Failure> {
    let tcp = dial_each(addresses, deadline, TcpStream::connect)
        .await
        .map_err(|source| Failure::tcp(At { host: host.to_owned(), port }, source))?;
    // Batches are written whole: Nagle's algorithm would only hold back their ends.
    let _ = tcp.set_nodelay(true);
    Ok(tcp)
}

/// The first connection that one of `addresses` takes, in their order. Each has an equal share of
/// the time left, so that one which swallows packets cannot use up that of the others; the error
/// is the last address's.
async fn dial_each<T, F: Future<Output = io::Result<T>>>(
    addresses: &[SocketAddr],
    deadline: Instant,
    connect: impl Fn(SocketAddr) -> F,
) -> io::Result<T> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for (&address, addresses_left) in addresses.iter().zip((1..=addresses.len()).rev()) {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        let share = left / u32::try_from(addresses_left).unwrap_or(u32::MAX);
        let share = share.max(ADDRESS_TIMEOUT_MIN).min(left);
        match timeout(share, connect(address)).await {
            Ok(Ok(connection)) => return Ok(connection),
            Ok(Err(error)) => last = error,
            Err(_) => last = no_answer(share),
        }
    }
    Err(last)
}

fn no_answer(waited: Duration) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("no answer in {:.1} s", waited.as_secs_f64()))
}

#[cfg(test)]
mod tests;
