//! The sensors' and the receiver's side of an MQTT broker.
//!
//! The connections that the sensors share publish; one more subscribes to the alerts. All have a
//! clean session and client ids of this run alone, so no other run's session is taken over. What
//! comes before the start is not of this run: the start waits until nothing came for [`QUIET_NS`].
//! Neither are retained messages, whenever they come.
//!
//! Bounded: the answers to CONNECT and SUBSCRIBE by the settings, quiet by [`QUIET_WAIT_NS`]; each
//! connection is pinged every [`PING_PERIOD_NS`] and must have answered by the next time. A
//! connection that is lost ends the run.

use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rumqttc::mqttbytes::v4::Connect;
use rustls::ClientConfig;

use super::error::LoadError;
use super::lane::Lane;
use super::settings::{BrokerUrl, Password};
use super::socket::Socket;
use super::wire::{Frame, append};
use alerts_topic::AlertsTopic;

mod alerts_topic;
mod control;
mod trust;

/// How long a TCP connection may take.
const CONNECT_WAIT: Duration = Duration::from_secs(5);
/// Nothing came for so long: what other runs left behind has been received.
const QUIET_NS: u64 = 200_000_000;
/// How long a run waits for such a silence.
const QUIET_WAIT_NS: u64 = 10_000_000_000;
/// The keep-alive announced: some brokers refuse clients without one.
const KEEP_ALIVE_S: u16 = 60;
/// How often each connection is pinged, and how long the answer may take.
const PING_PERIOD_NS: u64 = 20_000_000_000;
/// MQTT 3.1.1 §3.12 and §3.14.
const PINGREQ: [u8; 2] = [0xc0, 0];
const DISCONNECT: [u8; 2] = [0xe0, 0];

const _: () = assert!(PING_PERIOD_NS < KEEP_ALIVE_S as u64 * 1_000_000_000);

/// Where a broker is, and who logs in there.
#[derive(Debug, Clone)]
pub(super) struct Login {
    /// With the user.
    pub(super) url: BrokerUrl,
    /// Of the user.
    pub(super) password: Option<Password>,
}

/// A broker, and what is published and received there.
#[derive(Debug)]
pub(super) struct Broker {
    login: Login,
    addresses: Vec<SocketAddr>,
    tls: Option<Arc<ClientConfig>>,
    alerts: AlertsTopic,
    qos: u8,
    /// What client ids begin with.
    client_id: String,
    /// What comes now is of this run.
    begun: bool,
    quiet: Quiet,
    next_ping_ns: u64,
}

/// The wait for what other runs left behind.
#[derive(Debug, Default)]
struct Quiet {
    /// Messages that are not of this run.
    strays: u64,
    /// The number of strays at the last look, and the time at which it was last another one.
    last: Option<(u64, u64)>,
    since_ns: Option<u64>,
}

impl Broker {
    /// Resolves the broker's name and reads the roots to trust. Messages are sent on `topic`, in
    /// which `{sensor}` stands for the sensor's name; alerts are expected on `alerts_topic`, in
    /// which `{topic}` stands for the topic of the message.
    ///
    /// # Errors
    /// There is no such host, the roots cannot be had, or the two topics are one.
    pub(super) fn new(
        login: Login,
        ca_file: Option<&Path>,
        (topic, alerts_topic): (&str, &str),
        qos: u8,
    ) -> Result<Self, LoadError> {
        let url = &login.url;
        let tls = url.is_tls().then(|| trust::tls(ca_file)).transpose()?;
        let found = (url.host(), url.port())
            .to_socket_addrs()
            .map_err(|error| LoadError::Unavailable(format!("{url} cannot be found: {error}")))?;
        Ok(Self {
            addresses: found.collect(),
            tls,
            alerts: AlertsTopic::new(alerts_topic, topic).map_err(LoadError::Setting)?,
            qos,
            client_id: format!("loadgen{:08x}n", fastrand::u32(..)),
            begun: false,
            quiet: Quiet::default(),
            next_ping_ns: PING_PERIOD_NS,
            login,
        })
    }

    /// Connects as client `number` of this run and sends CONNECT.
    ///
    /// # Errors
    /// Nobody listens there.
    pub(super) fn open(&self, number: u32) -> Result<Socket, LoadError> {
        let mut socket = self
            .connect()
            .map_err(|error| self.unavailable(format_args!("cannot be reached: {error}")))?;
        let mut connect = Connect::new(format!("{}{number}", self.client_id));
        connect.keep_alive = KEEP_ALIVE_S;
        connect.clean_session = true;
        if let Some(user) = self.login.url.user() {
            let password = self.login.password.as_ref().map_or("", Password::reveal);
            connect.set_login(user, password);
        }
        append(socket.out(), |buffer| connect.write(buffer));
        Ok(socket)
    }

    fn connect(&self) -> io::Result<Socket> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in &self.addresses {
            match TcpStream::connect_timeout(address, CONNECT_WAIT) {
                Ok(tcp) => {
                    return match &self.tls {
                        Some(tls) => Socket::client(tcp, tls, self.login.url.host()),
                        None => Socket::plain(tcp),
                    };
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Whether the run may begin: all connections are ready, which takes `wait` at most, and
    /// nothing comes any more.
    ///
    /// # Errors
    /// An answer is too late, or there is no end of messages that are not of this run.
    pub(super) fn is_ready(
        &mut self,
        lanes: &[Lane],
        now_ns: u64,
        wait: Duration,
    ) -> Result<bool, LoadError> {
        if lanes.iter().all(|lane| lane.link.is_ready()) {
            return self.is_quiet(now_ns);
        }
        if Duration::from_nanos(now_ns) > wait {
            return Err(self.unavailable(format_args!("did not answer within {wait:?}")));
        }
        Ok(false)
    }

    fn is_quiet(&mut self, now_ns: u64) -> Result<bool, LoadError> {
        let strays = self.quiet.strays;
        let since_ns = *self.quiet.since_ns.get_or_insert(now_ns);
        let (heard_ns, before) = *self.quiet.last.get_or_insert((now_ns, strays));
        if strays != before {
            self.quiet.last = Some((now_ns, strays));
        } else if now_ns - heard_ns >= QUIET_NS {
            return Ok(true);
        }
        if now_ns - since_ns > QUIET_WAIT_NS {
            return Err(self.unavailable(format_args!(
                "gives messages on {} before any was sent, {strays} in {} s: something else \
                 publishes there; end it, or choose another --alerts-topic",
                self.alerts.filter(),
                QUIET_WAIT_NS / 1_000_000_000
            )));
        }
        Ok(false)
    }

    /// From now on messages are of this run.
    pub(super) fn begin(&mut self) {
        self.begun = true;
    }

    /// Whether a message that the receiver got is of this run.
    #[inline]
    pub(super) fn is_ours(&self, frame: Frame<'_>) -> bool {
        self.begun && !frame.is_retained()
    }

    /// Pings all connections, when it is time to.
    ///
    /// # Errors
    /// One has not answered the last ping.
    pub(super) fn ping(&mut self, lanes: &mut [Lane], now_ns: u64) -> Result<(), LoadError> {
        if now_ns < self.next_ping_ns {
            return Ok(());
        }
        self.next_ping_ns = now_ns + PING_PERIOD_NS;
        if lanes.iter().any(|lane| lane.link.pinged) {
            let text =
                format_args!("has not answered a ping for {} s", PING_PERIOD_NS / 1_000_000_000);
            return Err(self.unavailable(text));
        }
        // Where bytes wait to be sent, a ping would wait as well, and TCP notices a broken line.
        for lane in lanes.iter_mut().filter(|lane| lane.socket.is_flushed()) {
            lane.socket.out().extend_from_slice(&PINGREQ);
            lane.link.pinged = true;
        }
        Ok(())
    }

    /// Says goodbye, so that the broker does not take the end for a failure.
    pub(super) fn leave(lanes: &mut [Lane]) {
        for lane in lanes {
            lane.socket.out().extend_from_slice(&DISCONNECT);
            // The run is over: nothing depends on it any more.
            let _ = lane.socket.write();
        }
    }

    /// Whether an alert whose message had `topic` came on the topic that it must.
    #[inline]
    pub(super) fn is_alerts_topic(&self, received: &[u8], topic: &[u8]) -> bool {
        self.alerts.is_of(received, topic)
    }

    /// The run cannot go on; the text follows the broker's URL.
    fn unavailable(&self, what: std::fmt::Arguments<'_>) -> LoadError {
        LoadError::Unavailable(format!("{} {what}", self.login.url))
    }
}

#[cfg(test)]
mod tests;
