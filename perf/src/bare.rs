//! The bare loop as a program under test: what this machine gives to one thread that only reads,
//! judges and writes.
//!
//! ```text
//! hub --one read of at most 64 KiB--> buffer --core--> answers --one write--> hub
//! ```
//!
//! Everything that makes the module more than that is left out: queues, workers, the twin, TLS,
//! reconnecting, and the ledger. An input is acknowledged at once, the PUBACKs of alerts are passed
//! over. So nothing waits here, and its rate is the yardstick for the module's. Bounded: one packet
//! and one read.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use rumqttc::QoS;
use rumqttc::mqttbytes::v4::{ConnAck, Connect, ConnectReturnCode, Packet, Subscribe};
use sluicegate::mqtt::connection::PACKET_BYTES_MAX;
use sluicegate::pipeline::threshold::Threshold;
use stages::core::Core;

/// Most bytes of one read, as the module's.
const READ_BYTES_MAX: usize = 64 * 1024;
/// A packet that is all but whole, and one read more. The longest fixed header has five bytes.
const BUFFER_BYTES: usize = PACKET_BYTES_MAX + 5 + READ_BYTES_MAX;
/// How long TCP, and the answer to CONNECT, may take.
const CONNECT_WAIT: Duration = Duration::from_secs(10);
/// Announced to the hub, in seconds. A ping goes out when nothing was written for half of it.
const KEEP_ALIVE_S: u16 = 60;
/// MQTT 3.1.1 §3.12.
const PINGREQ: [u8; 2] = [0xc0, 0];
/// What the topic of an alert has behind what the instrument names.
const OUTPUT: &str = "%24.on=output1";

/// Where to connect and as whom. Holds a token, so it is never shown.
pub struct BareSettings {
    /// Name or address of the hub.
    pub host: String,
    /// Its port, without TLS.
    pub port: u16,
    /// MQTT client id.
    pub client_id: String,
    /// MQTT user name.
    pub username: String,
    /// MQTT password: the token.
    pub password: String,
    /// Filter of the inputs.
    pub subscribe: String,
    /// What the topics of all that is sent begin with.
    pub publish: String,
    /// What inputs are compared with.
    pub threshold: Threshold,
}

impl BareSettings {
    /// Reads what `loadgen run --plain` gives to programs without an SDK.
    ///
    /// # Errors
    /// Names the variable that is missing or wrong.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let required = |name: &str| {
            variable(name).ok_or_else(|| {
                format!("{name} is not set: start it with 'loadgen run --plain … -- perf bare'")
            })
        };
        if variable("LOADGEN_CA_FILE").is_some() {
            return Err("the bare loop has no TLS: give loadgen --plain".to_owned());
        }
        let port = required("LOADGEN_PORT")?;
        let threshold = required("LOADGEN_THRESHOLD")?;
        let threshold = threshold.parse().ok().and_then(Threshold::new);
        Ok(Self {
            host: required("LOADGEN_HOST")?,
            port: port.parse().map_err(|_| format!("LOADGEN_PORT is no port: {port}"))?,
            client_id: required("LOADGEN_CLIENT_ID")?,
            username: required("LOADGEN_USERNAME")?,
            password: required("LOADGEN_PASSWORD")?,
            subscribe: required("LOADGEN_SUBSCRIBE")?,
            publish: required("LOADGEN_PUBLISH")?,
            threshold: threshold.ok_or("LOADGEN_THRESHOLD is no finite number")?,
        })
    }
}

/// Why the loop ended.
#[derive(Debug, thiserror::Error)]
pub enum BareError {
    /// CONNECT was answered with something else than a CONNACK of success.
    #[error("the hub refuses the connection")]
    Refused,
    /// The hub has closed the connection.
    #[error("the hub has closed the connection")]
    Closed,
    /// What came is no MQTT.
    #[error("the hub sent something that is no MQTT: {0}")]
    NotMqtt(#[from] rumqttc::mqttbytes::Error),
    /// The connection broke, or was never made.
    #[error("the connection broke: {0}")]
    Io(#[from] io::Error),
}

/// Connects and answers until the connection ends. SIGTERM ends the process as it ends any.
///
/// # Errors
/// There is no other end than one of [`BareError`].
pub fn run(settings: &BareSettings) -> Result<(), BareError> {
    let mut tcp = TcpStream::connect((settings.host.as_str(), settings.port))?;
    tcp.set_nodelay(true)?;
    tcp.set_read_timeout(Some(CONNECT_WAIT))?;
    let mut input = Input::new();
    connect(&mut tcp, &mut input, settings)?;
    let idle_max = Duration::from_secs(u64::from(KEEP_ALIVE_S) / 2);
    tcp.set_read_timeout(Some(idle_max))?;
    let mut core = Core::new(settings.threshold, format!("{}{OUTPUT}", settings.publish));
    let mut output = Vec::with_capacity(2 * READ_BYTES_MAX);
    let mut written = Instant::now();
    loop {
        let used = core.run(input.unused(), &mut output)?;
        input.consume(used);
        let now = Instant::now();
        if output.is_empty() && now.duration_since(written) >= idle_max {
            output.extend_from_slice(&PINGREQ);
        }
        if !output.is_empty() {
            tcp.write_all(&output)?;
            output.clear();
            written = now;
        }
        input.read_from(&mut tcp)?;
    }
}

/// Says who it is and asks for the inputs. The answer to the subscription is passed over later.
fn connect(
    tcp: &mut TcpStream,
    input: &mut Input,
    settings: &BareSettings,
) -> Result<(), BareError> {
    let mut bytes = BytesMut::new();
    let mut connect = Connect::new(settings.client_id.as_str());
    connect.keep_alive = KEEP_ALIVE_S;
    connect.set_login(settings.username.as_str(), settings.password.as_str());
    connect.write(&mut bytes)?;
    tcp.write_all(&bytes)?;
    let deadline = Instant::now() + CONNECT_WAIT;
    loop {
        let mut received = BytesMut::from(input.unused());
        match Packet::read(&mut received, PACKET_BYTES_MAX) {
            Ok(Packet::ConnAck(ConnAck { code: ConnectReturnCode::Success, .. })) => {
                input.consume(input.unused().len() - received.len());
                break;
            }
            Ok(_) => return Err(BareError::Refused),
            Err(rumqttc::mqttbytes::Error::InsufficientBytes(_)) if Instant::now() < deadline => {}
            Err(error) => return Err(error.into()),
        }
        input.read_from(tcp)?;
    }
    bytes.clear();
    let mut subscribe = Subscribe::new(settings.subscribe.as_str(), QoS::AtLeastOnce);
    subscribe.pkid = 1;
    subscribe.write(&mut bytes)?;
    Ok(tcp.write_all(&bytes)?)
}

/// Bytes read and not yet used, in one piece.
struct Input {
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Input {
    fn new() -> Self {
        Self { bytes: vec![0; BUFFER_BYTES].into_boxed_slice(), start: 0, end: 0 }
    }

    fn unused(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    fn consume(&mut self, count: usize) {
        self.start += count;
        assert!(self.start <= self.end, "used what was not read");
    }

    /// Reads once; nothing when nothing comes in time. What is unused moves to the front: the part
    /// of one packet.
    fn read_from(&mut self, source: &mut impl Read) -> Result<(), BareError> {
        self.bytes.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        let room = self.bytes.len().min(self.end + READ_BYTES_MAX);
        match source.read(&mut self.bytes[self.end..room]) {
            Ok(0) => Err(BareError::Closed),
            Ok(count) => {
                self.end += count;
                Ok(())
            }
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => Ok(()),
                _ => Err(error.into()),
            },
        }
    }
}

#[cfg(test)]
mod tests;
