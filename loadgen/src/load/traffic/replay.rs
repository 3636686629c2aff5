//! Bodies from the rows of a CSV file, over and over.
//!
//! `{"machine":{"temperature":73.96732207},"recorded":"2013-12-02 21:15:00","timeCreated":…}`

use std::path::Path;

use sluicegate::files;

use super::error::TrafficError;
use super::pad::pad;
use super::simulated::{BEFORE_STAMP, shortest};
use super::stamp::{STAMP_BYTES, first_stamp};
use super::{BUILT_BYTES_MAX, SLOTS_MAX};
use crate::load::settings::{BODY_BYTES_MAX, TrafficSettings};

/// Digits up to which every integer is an `f64`; longer ones are rewritten, so that the text means
/// to every reader the number that was compared.
const EXACT_DIGITS: usize = 15;
/// What a row becomes, without its padding and what comes before its stamp.
const ROW_BYTES_MAX: usize = BODY_BYTES_MAX - BEFORE_STAMP.len() - STAMP_BYTES;

/// The rows of a file.
pub(super) struct Replay {
    /// All bodies one behind the other, up to where the padding begins.
    text: Vec<u8>,
    rows: Vec<Row>,
    /// Asked for, or none.
    size: Option<usize>,
    bytes_max: usize,
    random: fastrand::Rng,
}

/// Where a row's body ends in the text, and what it is.
struct Row {
    end: usize,
    is_alert: bool,
}

impl Replay {
    /// Reads `file`, whose first line names the columns of time and temperature.
    pub(super) fn read(
        file: &Path,
        [time, value]: [&str; 2],
        settings: &TrafficSettings,
    ) -> Result<Self, TrafficError> {
        let content = files::read(file, BUILT_BYTES_MAX as u64)
            .map_err(|problem| TrafficError::File { file: file.to_owned(), problem })?;
        let mut reader = csv::Reader::from_reader(content.as_slice());
        let header = reader.headers().map_err(|error| bad_row(file, &error))?.clone();
        let column = |name: &str| {
            header.iter().position(|have| have.trim() == name).ok_or_else(|| TrafficError::Column {
                file: file.to_owned(),
                column: name.to_owned(),
                have: header.iter().collect::<Vec<_>>().join(", "),
            })
        };
        let (time, value) = (column(time)?, column(value)?);
        let mut rows = Self {
            text: Vec::new(),
            rows: Vec::new(),
            size: settings.size,
            bytes_max: 0,
            random: fastrand::Rng::with_seed(settings.seed),
        };
        for record in reader.records() {
            let record = record.map_err(|error| bad_row(file, &error))?;
            rows.add(&record[time], &record[value], settings.threshold).map_err(|problem| {
                let line = record.position().map_or(0, csv::Position::line);
                TrafficError::Row { file: file.to_owned(), line, problem }
            })?;
        }
        if rows.rows.is_empty() {
            return Err(TrafficError::NoRows(file.to_owned()));
        }
        rows.sized()
    }

    fn add(&mut self, time: &str, value: &str, threshold: f64) -> Result<(), String> {
        let (text, number) = temperature(value)?;
        let start = self.text.len();
        let recorded = serde_json::Value::from(time);
        let body = format!(r#"{{"machine":{{"temperature":{text}}},"recorded":{recorded},"#);
        self.text.extend_from_slice(body.as_bytes());
        let end = self.text.len();
        if end - start > ROW_BYTES_MAX {
            return Err(format!("its body would be over {BODY_BYTES_MAX} bytes"));
        }
        if end > BUILT_BYTES_MAX || self.rows.len() == SLOTS_MAX as usize {
            return Err("no more rows can be built ahead: shorten the file".to_owned());
        }
        self.rows.push(Row { end, is_alert: number > threshold });
        self.bytes_max = self.bytes_max.max(end - start + BEFORE_STAMP.len() + STAMP_BYTES);
        Ok(())
    }

    /// Sees that every body fits in the size asked.
    fn sized(mut self) -> Result<Self, TrafficError> {
        if let Some(asked) = self.size {
            if !(self.bytes_max..=BODY_BYTES_MAX).contains(&asked) {
                return Err(TrafficError::Size { asked, minimum: self.bytes_max });
            }
            self.bytes_max = asked;
        }
        Ok(self)
    }

    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.rows.len()).expect("at most SLOTS_MAX")
    }

    pub(super) fn bytes_max(&self) -> usize {
        self.bytes_max
    }

    /// Appends the row of `slot`; from the last one on they begin again.
    pub(super) fn write(&mut self, slot: u32, out: &mut Vec<u8>) -> bool {
        let index = slot as usize % self.rows.len();
        let start = index.checked_sub(1).map_or(0, |before| self.rows[before].end);
        let row = &self.rows[index];
        let plain = &self.text[start..row.end];
        out.extend_from_slice(plain);
        if let Some(size) = self.size {
            let bytes = size - plain.len() - BEFORE_STAMP.len() - STAMP_BYTES;
            pad(out, bytes, &mut self.random);
        }
        out.extend_from_slice(BEFORE_STAMP.as_bytes());
        out.extend_from_slice(&first_stamp(slot));
        row.is_alert
    }
}

fn bad_row(file: &Path, error: &csv::Error) -> TrafficError {
    let line = error.position().map_or(1, csv::Position::line);
    let problem = match error.kind() {
        csv::ErrorKind::Utf8 { err, .. } => format!("column {} is not UTF-8", err.field() + 1),
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("it has {len} columns, the first line has {expected_len}")
        }
        _ => error.to_string(),
    };
    TrafficError::Row { file: file.to_owned(), line, problem }
}

/// A temperature as a JSON number, and what it is.
fn temperature(text: &str) -> Result<(String, f64), String> {
    let text = text.trim();
    let number: f64 = text.parse().map_err(|_| format!("{text:?} is no number"))?;
    if !number.is_finite() {
        return Err(format!("{text:?} is no finite number"));
    }
    let is_json = serde_json::from_str::<serde_json::Number>(text).is_ok();
    let is_exact = text.contains(['.', 'e', 'E']) || text.len() <= EXACT_DIGITS;
    let text = if is_json && is_exact { text.to_owned() } else { shortest(number) };
    Ok((text, number))
}

#[cfg(test)]
mod tests;
