//! Why traffic cannot be built, and what to do about it.

use std::path::PathBuf;

use sluicegate::host::files::FileProblem;

use super::{BUILT_BYTES_MAX, TOPIC_BYTES_MAX};
use crate::settings::{BODY_BYTES_MAX, SENSORS_MAX};

/// Why traffic cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum TrafficError {
    /// None, or more than [`SENSORS_MAX`].
    #[error("{0} sensors: choose from 1 to {SENSORS_MAX}")]
    Sensors(u32),
    /// Not a share.
    #[error("a share of alerts of {0}: choose from 0 to 1")]
    Alerts(f64),
    /// So small a share that a lap has none.
    #[error(
        "a share of alerts of {share} is none of the {messages} messages built ahead: choose at \
         least {}, or 0", 0.5 / f64::from(*messages)
    )]
    NoAlerts {
        /// As asked.
        share: f64,
        /// Of a lap.
        messages: u32,
    },
    /// Neither 0 nor 1.
    #[error("QoS {0}: choose 0 or 1")]
    Qos(u8),
    /// Infinite or not a number.
    #[error("a threshold of {0}: choose a finite number")]
    Threshold(f64),
    /// No temperatures fit above or below the threshold.
    #[error("a threshold of {0} leaves no room for temperatures beside it: choose one nearer to 0")]
    NoRoom(f64),
    /// No second threshold fits between the alerts.
    #[error(
        "too few temperatures exceed the threshold for a second one among them: give more alerts, \
         or let the threshold be"
    )]
    NoSplit,
    /// A body of a size that cannot be made.
    #[error("bodies of {asked} bytes: choose from {minimum} to {BODY_BYTES_MAX}")]
    Size {
        /// As asked.
        asked: usize,
        /// Smallest that can be made with these settings.
        minimum: usize,
    },
    /// More than [`BUILT_BYTES_MAX`].
    #[error(
        "{messages} messages of up to {packet_bytes} bytes must be built ahead, more than the \
         {} MiB that are allowed: lower the size of the bodies, the number of sensors, or for a \
         replay the rows of its file", BUILT_BYTES_MAX / 1024 / 1024
    )]
    TooLarge {
        /// The fewest that a lap needs.
        messages: u32,
        /// The largest of them.
        packet_bytes: usize,
    },
    /// A topic that cannot be published to, in part.
    #[error(
        "the topic {0:?}: it must not be empty, hold `+`, `#` or control characters, or be over \
         {TOPIC_BYTES_MAX} bytes"
    )]
    Topic(String),
    /// The file cannot be read.
    #[error("cannot read {}: {problem}", file.display())]
    File {
        /// Its name.
        file: PathBuf,
        /// Why not.
        problem: FileProblem,
    },
    /// The file has no such column.
    #[error("{} has no column {column:?}; its first line names {have}{advice}", file.display())]
    Column {
        /// Its name.
        file: PathBuf,
        /// As asked.
        column: String,
        /// The columns that there are.
        have: String,
        /// What may be meant; empty when nothing is known.
        advice: String,
    },
    /// A line of the file that is no reading.
    #[error("{}, line {line}{}: {problem}", file.display(), place(column.as_deref()))]
    Row {
        /// Its name.
        file: PathBuf,
        /// Counted from 1.
        line: u64,
        /// Which cell, where it is one.
        column: Option<String>,
        /// What is wrong.
        problem: String,
    },
    /// A file without readings.
    #[error("{} has no rows", .0.display())]
    NoRows(PathBuf),
    /// A file whose rows are all without a temperature.
    #[error("{}, column {column:?}: none of its {gaps} rows has a value", file.display())]
    NoValues {
        /// Its name.
        file: PathBuf,
        /// Of the temperature.
        column: String,
        /// Its rows.
        gaps: u64,
    },
}

/// A column behind a line.
fn place(column: Option<&str>) -> String {
    column.map(|column| format!(", column {column:?}")).unwrap_or_default()
}
