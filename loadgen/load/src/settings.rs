//! What a run is asked for, and the limits of what can be asked. Written into every result as it
//! is.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::fault::FaultKind;

mod broker_url;

pub use broker_url::{BrokerUrl, UrlError};
pub use sluicegate::mqtt::url::Password;

/// Most sensor streams.
pub const SENSORS_MAX: u32 = 100_000;
/// Largest body: what a hub takes, less the room for topic and properties.
pub const BODY_BYTES_MAX: usize = 250 * 1024;
/// Most messages in flight at QoS 1: all packet ids of MQTT 3.1.1.
pub const WINDOW_MAX: u32 = 65_535;
/// Messages in flight unless told otherwise.
pub const WINDOW_DEFAULT: u32 = 20_000;
/// How long the program under test may take to subscribe, unless told otherwise: a runtime that
/// compiles, a container that is fetched.
pub const START_WAIT_DEFAULT: Duration = Duration::from_secs(60);
/// Highest rate that can be asked, in messages per second.
pub const RATE_MAX: f64 = 50e6;

/// Everything a run is asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunSettings {
    /// What is driven.
    pub target: Target,
    /// What is sent.
    pub traffic: TrafficSettings,
    /// When it is sent.
    pub pace: Pace,
    /// Messages in flight, 1 to [`WINDOW_MAX`]: sent at QoS 1 and not acknowledged. In a closed
    /// loop also, at either QoS, messages sent since the first one whose alert is awaited.
    pub window: u32,
    /// Traffic at full pace before anything is counted into rate, latency and cost; it is verified
    /// all the same.
    #[serde(rename = "warm_up_s", with = "seconds")]
    pub warm_up: Duration,
    /// Length of the measured part.
    #[serde(rename = "for_s", with = "seconds")]
    pub duration: Duration,
    /// How long after it messages may still be sent, acknowledged and come back; and for as long as
    /// something comes back at least once a second, up to a minute more, to come back.
    #[serde(rename = "drain_s", with = "seconds")]
    pub drain: Duration,
    /// Whether the properties of alerts are verified, or their bodies alone (for programs without
    /// a rule, which pass everything on as it is).
    pub verify_properties: bool,
    /// Cuts the connection of the program under test each time this has passed.
    #[serde(rename = "cut_every_s", with = "optional_seconds", default)]
    pub cut_every: Option<Duration>,
    /// How long the program under test may take to subscribe, and a broker to answer.
    #[serde(rename = "start_wait_s", with = "seconds", default = "start_wait_default")]
    pub start_wait: Duration,
}

impl RunSettings {
    /// Asks for another rate, in an open loop.
    pub fn set_rate(&mut self, per_second: f64) {
        if let Pace::Open { rate, .. } = &mut self.pace {
            *rate = per_second;
        }
    }
}

/// What a soak does to the program under test and its hub, besides the traffic.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Disturbances {
    /// From the begin of one fault to that of the next, once the first is recovered from.
    #[serde(rename = "fault_every_s", with = "seconds")]
    pub fault_every: Duration,
    /// Which kinds are made, in an order that the traffic's seed decides; empty: none.
    pub faults: Vec<FaultKind>,
    /// Changes the threshold in the twin each time this has passed.
    #[serde(rename = "patch_every_s", with = "optional_seconds")]
    pub patch_every: Option<Duration>,
    /// The program is told a token lifetime of which it renews its token so often.
    #[serde(rename = "renew_every_s", with = "optional_seconds")]
    pub renew_every: Option<Duration>,
}

/// What is driven.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// A program that is started, and for which this is the hub.
    Hub {
        /// Where the hub listens; SDKs know no other port than 8883.
        listen: SocketAddr,
        /// Without TLS, on loopback only.
        plain: bool,
        /// The program and its arguments.
        command: Vec<String>,
    },
    /// A program that runs elsewhere, behind an MQTT broker.
    Broker {
        /// Where it is, and who logs in.
        url: BrokerUrl,
        /// The roots that are trusted with TLS; `None`: the system's.
        #[serde(default)]
        ca_file: Option<PathBuf>,
        /// Of the user that the URL names. Neither written nor shown.
        #[serde(skip)]
        password: Option<Password>,
        /// Connections that the sensors share.
        connections: u32,
        /// Topic of a sensor; `{sensor}` stands for its name.
        topic: String,
        /// Topic of its alerts; `{topic}` stands for the sensor's topic.
        alerts_topic: String,
    },
}

impl Target {
    /// The program and its arguments, if it is started here.
    pub fn command(&self) -> Option<&[String]> {
        match self {
            Self::Hub { command, .. } => Some(command),
            Self::Broker { .. } => None,
        }
    }
}

/// What is sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrafficSettings {
    /// Where bodies come from.
    pub profile: Profile,
    /// Streams, 1 to [`SENSORS_MAX`].
    pub sensors: u32,
    /// Share of messages that exceed the threshold, 0 to 1; replays and hostile traffic have their
    /// own.
    pub alerts: f64,
    /// Bytes of a body; `None`: what the profile makes by itself.
    pub size: Option<usize>,
    /// QoS of the messages, 0 or 1.
    pub qos: u8,
    /// Same seed, same bytes.
    pub seed: u64,
    /// The threshold that the program under test compares with.
    pub threshold: f64,
}

/// Where bodies come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// The simulated temperature sensor's.
    Simulated,
    /// The rows of a CSV file, over and over.
    Replay {
        /// The file; its first line names the columns.
        file: PathBuf,
        /// Column of the time, which goes into the body as it is.
        time_column: String,
        /// Column of the temperature.
        value_column: String,
        /// How it is written.
        #[serde(default)]
        format: CsvFormat,
    },
    /// Broken, odd and extreme bodies among good ones, each with a known verdict.
    Hostile,
}

/// How a CSV file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CsvFormat {
    /// Between two cells: ASCII.
    pub delimiter: char,
    /// Before the decimals: a point or a comma.
    pub decimal: char,
}

impl Default for CsvFormat {
    fn default() -> Self {
        Self { delimiter: ',', decimal: '.' }
    }
}

/// When messages are sent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pace {
    /// Open loop: at instants fixed ahead, whatever the program under test does.
    Open {
        /// Messages per second over all sensors.
        rate: f64,
        /// How the instants are spread.
        arrivals: Arrivals,
        /// All messages of a period within its first part.
        burst: Option<Burst>,
    },
    /// Closed loop: as fast as the window allows. Latency then counts from the sending.
    Closed,
}

/// How the instants of an open loop are spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arrivals {
    /// At equal distances.
    Fixed,
    /// At exponentially distributed distances.
    Poisson,
}

/// All messages of a period come within its first part.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Burst {
    /// The part with messages; above 0, at most the period.
    #[serde(rename = "on_s", with = "seconds")]
    pub on: Duration,
    /// The whole.
    #[serde(rename = "period_s", with = "seconds")]
    pub period: Duration,
}

impl Default for TrafficSettings {
    fn default() -> Self {
        Self {
            profile: Profile::Simulated,
            sensors: 100,
            alerts: 0.1,
            size: None,
            qos: 1,
            seed: 1,
            threshold: 25.0,
        }
    }
}

/// For files that were written before it could be set.
fn start_wait_default() -> Duration {
    START_WAIT_DEFAULT
}

/// Durations as numbers of seconds.
mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_f64(time.as_secs_f64())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        Duration::try_from_secs_f64(f64::deserialize(from)?).map_err(Error::custom)
    }
}

/// As [`seconds`], or null.
mod optional_seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[expect(clippy::ref_option, reason = "the signature that serde asks for")]
    pub(super) fn serialize<S: Serializer>(
        time: &Option<Duration>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => to.serialize_some(&time.as_secs_f64()),
            None => to.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Duration>, D::Error> {
        let seconds = Option::<f64>::deserialize(from)?;
        seconds.map(|s| Duration::try_from_secs_f64(s).map_err(Error::custom)).transpose()
    }
}
