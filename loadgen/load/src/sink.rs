//! A program under test that does next to nothing: what the instrument is calibrated with.
//!
//! ```text
//! hub or broker --bytes--> buffer --packets--> filter --bytes--> hub or broker
//! ```
//!
//! One thread, one connection: a read of what is there, a decision about each message by a scan for
//! its temperature, and one write of all answers. Alerts are forwarded with the body unchanged, and
//! every input at QoS 1 is acknowledged, in order. As it is only a sink, the acknowledgement of an
//! input does not wait for that of its alert: a real filter must not do so.
//!
//! Faults on demand ([`Faults`]) change what is sent or when. Those in time have a loop of their
//! own, as they cost a clock and a poll.
//!
//! Bounded: the wait for an answer to CONNECT (10 s), and to SUBSCRIBE and each ping (half a
//! keep-alive, in which anything must have come); one read (256 KiB), the packets
//! ([`crate::wire::PACKET_BYTES_MAX`]) and the alerts in flight, 65,535. At that bound inputs are
//! kept, unacknowledged, until the peer acknowledges alerts; the peer's own window holds it back,
//! or 64 MiB of inputs end the sink. Answers that are delayed: 64 MiB or a million instants; at
//! that bound nothing is read.

use std::io;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rumqttc::mqttbytes::v4::ConnectReturnCode;
use serde::Serialize;

use crate::wire::WireError;
use buffer::ReadBuffer;
pub use faults::{Faults, Stall};
use filter::Filter;
use timed::Timed;
use transport::Transport;

mod alert;
mod answers;
mod blocking;
mod buffer;
mod faults;
pub(crate) mod filter;
mod handshake;
mod route;
mod timed;
mod transport;

/// How long an alert waits for the one that it is to go behind.
const HOLD_MAX: Duration = Duration::from_millis(100);
/// A PINGREQ (MQTT 3.1.1 §3.12).
const PINGREQ: [u8; 2] = [0xc0, 0];
/// How long the answer to CONNECT may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// What the sink is told.
#[derive(Clone, PartialEq)]
pub struct SinkSettings {
    /// Name or address of the hub or broker.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Certificates of the authorities to trust, in PEM; `None`: plain TCP.
    pub ca_file: Option<PathBuf>,
    /// MQTT client id.
    pub client_id: String,
    /// MQTT user name; empty: none, and no password.
    pub username: String,
    /// MQTT password.
    pub password: String,
    /// Topic filter of the inputs. One that begins with `devices/` is an edge hub's: then topics
    /// carry properties.
    pub subscribe: String,
    /// Topic of alerts. An edge hub's is followed by the properties; in any other `{topic}` stands
    /// for the input's topic.
    pub publish: String,
    /// Messages with a higher temperature are alerts.
    pub threshold: f64,
    /// Keep alive that is announced (MQTT 3.1.1 §3.1.2.10), in whole seconds from 1 to 65,535. A
    /// ping goes out when nothing was written for half of it.
    pub keep_alive: Duration,
    /// What goes wrong on purpose.
    pub faults: Faults,
}

impl SinkSettings {
    /// How long nothing may be written before a ping is.
    fn idle_max(&self) -> Duration {
        self.keep_alive / 2
    }
}

/// What the sink did. Written as JSON at its end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct SinkCounts {
    /// Messages received.
    pub inputs: u64,
    /// Those above the threshold.
    pub alerts: u64,
    /// Messages sent.
    pub forwarded: u64,
    /// Messages sent that the peer acknowledged.
    pub acknowledged: u64,
    /// Alerts not sent, as with their properties they would be too large for MQTT or for a hub.
    pub too_large: u64,
    /// Alerts not sent on purpose.
    pub dropped: u64,
    /// Alerts sent twice.
    pub duplicated: u64,
    /// Alerts put behind the next one.
    pub swapped: u64,
    /// Alerts with one bit of the body changed.
    pub flipped: u64,
    /// Alerts without their property.
    pub stripped: u64,
    /// Messages sent that are no alerts.
    pub forged: u64,
    /// How exact the delays were: from the instant when the first answer of a write was due, to the
    /// end of the write. Zeros without [`Faults::delay`].
    pub late_ns: Lateness,
}

/// Nanoseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Lateness {
    /// Median.
    pub p50: u64,
    /// 99th percentile.
    pub p99: u64,
    /// Most.
    pub max: u64,
}

/// Why the sink ended.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// No connection.
    #[error("cannot connect to {address}: {error}")]
    Connect {
        /// Host and port.
        address: String,
        /// What the system says.
        error: io::Error,
    },
    /// No TLS connection.
    #[error("no TLS connection to {address}: {reason}")]
    Tls {
        /// Host and port.
        address: String,
        /// What is wrong.
        reason: String,
    },
    /// CONNACK with a code other than 0 (MQTT 3.1.1 §3.2.2.3).
    #[error("the connection is refused: {0:?}")]
    Refused(ConnectReturnCode),
    /// Something else than CONNACK.
    #[error("CONNECT was answered with something else than CONNACK")]
    NoAnswer,
    /// SUBACK with the code 0x80.
    #[error("the subscription is refused")]
    SubscriptionRefused,
    /// SUBACK with a QoS below that asked for.
    #[error("the subscription is granted at QoS 0 alone, and QoS 1 was asked for")]
    LowerQos,
    /// SUBACK with another packet id, number of codes or code than SUBSCRIBE asked for.
    #[error("SUBSCRIBE with one filter was answered with something else than one code for it")]
    OtherSubscription,
    /// Neither SUBACK nor the answer to a ping, nor anything else.
    #[error("the peer has sent nothing for half a keep-alive, and was asked to")]
    Silent,
    /// The bytes received are no MQTT.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// No packet id is free for alerts, and inputs still come.
    #[error("65,535 alerts are not acknowledged, and 64 MiB of inputs wait for them")]
    Unacknowledged,
    /// End of the stream.
    #[error("the peer has closed the connection")]
    Closed,
    /// The connection broke.
    #[error("the connection broke: {}", broke(.0))]
    Io(#[from] io::Error),
}

/// What the TLS library says of an end without a word names a page of its documents.
fn broke(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => "the peer closed it without a word".to_owned(),
        _ => error.to_string(),
    }
}

/// Ends a sink from another thread.
#[derive(Default)]
pub struct Stop {
    asked: AtomicBool,
    close: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl Stop {
    /// Ends the sink now or, when it is not yet connected, as soon as it is.
    pub fn stop(&self) {
        self.asked.store(true, Ordering::SeqCst);
        if let Some(close) = self.locked().take() {
            close();
        }
    }

    fn is_asked(&self) -> bool {
        self.asked.load(Ordering::SeqCst)
    }

    fn arm(&self, close: impl FnOnce() + Send + 'static) {
        *self.locked() = Some(Box::new(close));
        // Asked between the two steps of `stop`, or before.
        if self.is_asked()
            && let Some(close) = self.locked().take()
        {
            close();
        }
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Option<Box<dyn FnOnce() + Send>>> {
        // What it guards is whole at any time.
        self.close.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Connects, and answers until [`Stop::stop`], [`Faults::exit_after`] or an error. What was done
/// comes with both.
pub fn run(settings: &SinkSettings, stop: &Stop) -> (SinkCounts, Result<(), SinkError>) {
    let mut filter = Filter::new(settings);
    let ended = connect_and_serve(settings, stop, &mut filter);
    // What a closed connection looks like depends on where it was noticed.
    let ended = if stop.is_asked() { Ok(()) } else { ended };
    (filter.counts(), ended)
}

fn connect_and_serve(
    settings: &SinkSettings,
    stop: &Stop,
    filter: &mut Filter,
) -> Result<(), SinkError> {
    let mut transport = Transport::connect(settings)?;
    stop.arm(transport.closer()?);
    let mut buffer = ReadBuffer::new();
    handshake::shake_hands(&mut transport, &mut buffer, settings)?;
    if settings.faults.need_a_clock() {
        let mut timed = Timed::new(&mut transport, &mut buffer, filter, settings);
        let ended = timed.serve(stop);
        let late = timed.lateness();
        filter.set_lateness(late);
        ended
    } else {
        blocking::serve(&mut transport, &mut buffer, filter, settings)
    }
}

#[cfg(test)]
mod tests;
