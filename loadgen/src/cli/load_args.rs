//! The flags that `loadgen run`, `capacity` and `compare` share, and the settings made of them.
//!
//! A flag by itself is checked by its value parser; what only several of them tell together is
//! checked here. Either way the command line is refused before anything starts.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::RangedU64ValueParser;
use clap::{Args, ValueEnum, value_parser};

use super::CommandError;
use super::text::parse_duration;
use loadgen_load::settings::{
    Arrivals, BODY_BYTES_MAX, Burst, CsvFormat, Pace, Profile, RunSettings, SENSORS_MAX, Target,
    TrafficSettings, WINDOW_DEFAULT, WINDOW_MAX,
};

mod broker;
mod parse;

pub(crate) use broker::{BrokerArgs, ENV_PASSWORD as ENV_BROKER_PASSWORD};
pub(crate) use parse::{Rate, parse_rate, parse_rate_or_max, parse_share, parse_time};
use parse::{parse_burst, parse_decimal, parse_delimiter, parse_number};

/// Share of alerts by default.
const ALERTS_DEFAULT: f64 = 0.1;

/// Everything but rate, length and the programs.
#[derive(Debug, Args)]
pub(crate) struct LoadArgs {
    /// Traffic at full pace before anything is measured; it is verified all the same
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = parse_duration)]
    warm_up: Duration,
    /// How long after the measured part messages may still come back
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = parse_time)]
    drain: Duration,
    /// Messages in flight: unacknowledged at QoS 1; at QoS 0 with `--rate max`, unanswered
    #[arg(long, value_name = "N", default_value_t = WINDOW_DEFAULT,
        value_parser = value_parser!(u32).range(1..=i64::from(WINDOW_MAX)))]
    window: u32,
    /// Address of the hub, TLS; the SDKs know port 8883 only: 127.0.0.2:8883
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// TCP instead of TLS, on a loopback address only
    #[arg(long)]
    plain: bool,
    /// How long the program may take to subscribe, or the broker to answer
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = parse_time)]
    start_wait: Duration,
    /// Cut the program's connection each time this has passed
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    cut_every: Option<Duration>,
    /// Verify the bodies of alerts, not their properties: for programs that pass messages on as
    /// they are
    #[arg(long)]
    no_verify_properties: bool,
    #[command(flatten)]
    schedule: ScheduleArgs,
    #[command(flatten)]
    traffic: TrafficArgs,
}

/// How messages follow each other.
#[derive(Debug, Args)]
struct ScheduleArgs {
    /// How the instants of sending are spread [default: fixed]
    #[arg(long, value_name = "HOW")]
    arrivals: Option<ArrivalsName>,
    /// All messages of each PERIOD within its first part, as 100ms/1s
    #[arg(long, value_name = "ON/PERIOD", value_parser = parse_burst)]
    burst: Option<Burst>,
}

/// What is sent.
#[derive(Debug, Args)]
#[command(next_help_heading = "Traffic")]
struct TrafficArgs {
    /// Sensor streams, each in order
    #[arg(long, value_name = "N", default_value_t = 100,
        value_parser = value_parser!(u32).range(1..=i64::from(SENSORS_MAX)))]
    sensors: u32,
    /// Share of messages that exceed the threshold, 0 to 1 [default: 0.1]
    #[arg(long, value_name = "SHARE", value_parser = parse_share)]
    alerts: Option<f64>,
    /// Length of the body [default: as it comes, about 140 bytes]
    #[arg(long, value_name = "BYTES",
        value_parser = RangedU64ValueParser::<usize>::new().range(1..=BODY_BYTES_MAX as u64))]
    size: Option<usize>,
    /// QoS of the messages
    #[arg(long, value_name = "0|1", default_value_t = 1,
        value_parser = value_parser!(u8).range(0..=1))]
    qos: u8,
    /// Same seed, same bytes
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// The threshold that the program compares with
    #[arg(long, value_name = "NUMBER", default_value = "25", allow_negative_numbers = true,
        value_parser = parse_number)]
    threshold: f64,
    /// Where bodies come from [default: simulated, or replay with --replay]
    #[arg(long, value_name = "NAME")]
    profile: Option<ProfileName>,
    /// CSV file whose rows are sent, over and over; its first line names the columns. A row without
    /// a temperature (nothing, -, NaN, null, n/a) is passed over
    #[arg(long, value_name = "FILE", conflicts_with = "alerts")]
    replay: Option<PathBuf>,
    /// Column of the time
    #[arg(long, value_name = "NAME", default_value = "timestamp", requires = "replay")]
    time_column: String,
    /// Column of the temperature
    #[arg(long, value_name = "NAME", default_value = "value", requires = "replay")]
    value_column: String,
    /// Character between its cells: , ; | tab ...
    #[arg(long, value_name = "CHARACTER", default_value = ",", requires = "replay",
        value_parser = parse_delimiter)]
    delimiter: char,
    /// Character before the decimals of its numbers: . or ,
    #[arg(long, value_name = "CHARACTER", default_value = ".", requires = "replay",
        value_parser = parse_decimal)]
    decimal: char,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ArrivalsName {
    /// At equal distances
    Fixed,
    /// At exponentially distributed distances
    Poisson,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ProfileName {
    /// The simulated temperature sensor's
    Simulated,
    /// Broken, odd and extreme bodies among good ones
    Hostile,
    /// The rows of --replay FILE
    Replay,
}

impl LoadArgs {
    /// The settings of a run at `rate` for `duration`, with a program or with a broker; clap sees
    /// to it that there is one of them.
    ///
    /// # Errors
    /// Flags that exclude each other.
    pub(crate) fn settings(
        &self,
        rate: Rate,
        duration: Duration,
        command: Vec<String>,
        broker: Option<&BrokerArgs>,
    ) -> Result<RunSettings, CommandError> {
        let broker = broker.map(BrokerArgs::target).transpose()?.flatten();
        let target = broker.map_or_else(|| self.hub(command), Ok)?;
        Ok(RunSettings {
            target,
            traffic: self.traffic.settings()?,
            pace: self.schedule.pace(rate)?,
            window: self.window,
            warm_up: self.warm_up,
            duration,
            drain: self.drain,
            verify_properties: !self.no_verify_properties,
            cut_every: self.cut_every,
            start_wait: self.start_wait,
        })
    }

    fn hub(&self, command: Vec<String>) -> Result<Target, CommandError> {
        if self.plain && !self.listen.ip().is_loopback() {
            let text = format!(
                "--plain sends keys and messages unencrypted and listens on a loopback address \
                 only, not on {}: leave one of them out",
                self.listen.ip()
            );
            return Err(CommandError::usage(text));
        }
        Ok(Target::Hub { listen: self.listen, plain: self.plain, command })
    }
}

impl ScheduleArgs {
    fn pace(&self, rate: Rate) -> Result<Pace, CommandError> {
        match rate {
            Rate::PerSecond(rate) => {
                let arrivals = match self.arrivals {
                    None | Some(ArrivalsName::Fixed) => Arrivals::Fixed,
                    Some(ArrivalsName::Poisson) => Arrivals::Poisson,
                };
                Ok(Pace::Open { rate, arrivals, burst: self.burst })
            }
            Rate::Max if self.arrivals.is_some() || self.burst.is_some() => {
                let text = "--arrivals and --burst spread messages in time and need a rate in \
                            numbers: with --rate max the window alone decides";
                Err(CommandError::usage(text.to_owned()))
            }
            Rate::Max => Ok(Pace::Closed),
        }
    }
}

impl TrafficArgs {
    fn settings(&self) -> Result<TrafficSettings, CommandError> {
        let profile = self.profile()?;
        if self.alerts.is_some() && profile != Profile::Simulated {
            let text = "--alerts is for simulated traffic: hostile bodies have their own verdicts";
            return Err(CommandError::usage(text.to_owned()));
        }
        Ok(TrafficSettings {
            profile,
            sensors: self.sensors,
            alerts: self.alerts.unwrap_or(ALERTS_DEFAULT),
            size: self.size,
            qos: self.qos,
            seed: self.seed,
            threshold: self.threshold,
        })
    }

    fn profile(&self) -> Result<Profile, CommandError> {
        match (self.profile, &self.replay) {
            (None | Some(ProfileName::Replay), Some(file)) => Ok(Profile::Replay {
                file: file.clone(),
                time_column: self.time_column.clone(),
                value_column: self.value_column.clone(),
                format: CsvFormat { delimiter: self.delimiter, decimal: self.decimal },
            }),
            (None | Some(ProfileName::Simulated), None) => Ok(Profile::Simulated),
            (Some(ProfileName::Hostile), None) => Ok(Profile::Hostile),
            (Some(ProfileName::Replay), None) => {
                Err(CommandError::usage("--profile replay needs --replay FILE".to_owned()))
            }
            (Some(_), Some(_)) => {
                Err(CommandError::usage("--replay has a profile of its own: drop --profile".into()))
            }
        }
    }
}

#[cfg(test)]
mod tests;
