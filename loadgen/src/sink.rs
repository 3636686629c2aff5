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
//! Bounded: one read (256 KiB), the packets ([`crate::load::wire::PACKET_BYTES_MAX`]) and
//! the alerts in flight, 65,535. At that bound inputs are kept, unacknowledged, until the peer
//! acknowledges alerts; the peer's own window holds it back, or 64 MiB of inputs end the sink.

use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rumqttc::mqttbytes::v4::ConnectReturnCode;
use serde::Serialize;

use crate::load::wire::WireError;
use buffer::ReadBuffer;
use filter::Filter;
use transport::Transport;

mod alert;
mod blocking;
mod buffer;
mod filter;
mod handshake;
mod route;
mod transport;

/// Keep alive that is announced.
const KEEP_ALIVE: Duration = Duration::from_secs(60);
/// How long nothing may be written before a ping is.
const IDLE_MAX: Duration = Duration::from_secs(30);
/// How long the answer to CONNECT may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// What the sink is told.
#[derive(Clone, PartialEq)]
pub struct SinkSettings {
    /// Name or address of the hub or broker.
    pub host: String,
    /// Its port.
    pub port: u16,
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
}

/// What the sink did. Written as JSON at its end.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
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
    /// CONNACK with a code other than 0 (MQTT 3.1.1 §3.2.2.3).
    #[error("the connection is refused: {0:?}")]
    Refused(ConnectReturnCode),
    /// Something else than CONNACK.
    #[error("CONNECT was answered with something else than CONNACK")]
    NoAnswer,
    /// SUBACK with the code 0x80.
    #[error("the subscription is refused")]
    SubscriptionRefused,
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
    #[error("the connection broke: {0}")]
    Io(#[from] io::Error),
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

/// Connects, and answers until [`Stop::stop`] or an error. What was done comes with both.
pub fn run(settings: &SinkSettings, stop: &Stop) -> (Counts, Result<(), SinkError>) {
    let mut filter = Filter::new(settings);
    let ended = connect_and_serve(settings, stop, &mut filter);
    // What a closed connection looks like depends on where it was noticed.
    let ended = if stop.is_asked() { Ok(()) } else { ended };
    (filter.counts().clone(), ended)
}

fn connect_and_serve(
    settings: &SinkSettings,
    stop: &Stop,
    filter: &mut Filter,
) -> Result<(), SinkError> {
    let mut transport = Transport::connect(settings)?;
    stop.arm(transport.closer()?);
    transport.set_read_timeout(HANDSHAKE_TIMEOUT)?;
    let mut buffer = ReadBuffer::new();
    handshake::shake_hands(&mut transport, &mut buffer, settings)?;
    blocking::serve(&mut transport, &mut buffer, filter)
}

#[cfg(test)]
mod tests;
