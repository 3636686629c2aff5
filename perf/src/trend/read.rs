//! Records from files, line by line; a line that is none is a problem, not an end.

use std::fmt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use loadgen_load::machine::Machine;
use serde::de::{Deserialize, Deserializer, Error};
use sluicegate::host::files;

use crate::record::row::Status;

/// Most files.
pub const FILES_MAX: usize = 64;
/// Largest file.
pub const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Most values of a line.
pub const VALUES_MAX: usize = 99;
/// Problems that are told; the others are counted.
pub const PROBLEMS_MAX: usize = 20;

/// A line of a record: a scenario's figures at one time.
#[derive(Debug, Clone, PartialEq, serde::Deserialize)]
pub struct Line {
    /// When it was recorded.
    #[serde(deserialize_with = "timestamp")]
    pub time: Timestamp,
    /// Of what.
    pub commit: String,
    /// Where.
    pub machine: Machine,
    /// Name of the figure.
    pub scenario: String,
    /// The same for people.
    pub title: String,
    /// Of all values.
    pub unit: String,
    /// Of every run.
    pub values: Vec<f64>,
    /// `None` when no run gave a figure.
    pub median: Option<f64>,
    /// Good enough, then.
    pub floor: f64,
    /// To be reached, then.
    pub aim: f64,
    /// How it stood.
    pub status: Status,
}

/// Why a line is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// In which file.
    pub file: PathBuf,
    /// Counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub why: String,
}

/// Everything that was read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Records {
    /// In the order of the files.
    pub lines: Vec<Line>,
    /// The first [`PROBLEMS_MAX`].
    pub problems: Vec<Problem>,
    /// Lines that are left out.
    pub left_out: usize,
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}: {}", self.file.display(), self.line, self.why)
    }
}

/// Reads these files.
///
/// # Errors
/// There are too many, or one cannot be read or is too large.
pub fn read(files: &[PathBuf]) -> Result<Records, String> {
    if files.len() > FILES_MAX {
        return Err(format!("{} files are more than {FILES_MAX}", files.len()));
    }
    let mut found = Records::default();
    for file in files {
        let bytes = files::read(file, FILE_BYTES_MAX)
            .map_err(|problem| format!("{}: {problem}", file.display()))?;
        found.add(file, &bytes);
    }
    Ok(found)
}

impl Records {
    /// Adds the lines of a file.
    pub fn add(&mut self, file: &Path, bytes: &[u8]) {
        for (index, text) in bytes.split(|byte| *byte == b'\n').enumerate() {
            if text.trim_ascii().is_empty() {
                continue;
            }
            match line(text) {
                Ok(line) => self.lines.push(line),
                Err(why) => {
                    self.left_out += 1;
                    if self.problems.len() < PROBLEMS_MAX {
                        let file = file.to_owned();
                        self.problems.push(Problem { file, line: index + 1, why });
                    }
                }
            }
        }
    }
}

/// RFC 3339.
fn timestamp<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
    String::deserialize(from)?.parse().map_err(D::Error::custom)
}

/// What a line says; text that nobody would write by hand is none.
fn line(text: &[u8]) -> Result<Line, String> {
    /// Longest text of a line.
    const TEXT_MAX: usize = 200;
    let line: Line = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    let machine = &line.machine;
    let texts = [&line.commit, &line.scenario, &line.title, &line.unit, &machine.processor];
    let texts = texts.into_iter().chain([&machine.system, &machine.architecture]);
    if texts.map(String::len).any(|length| length > TEXT_MAX) {
        return Err(format!("a text of more than {TEXT_MAX} bytes"));
    }
    if line.values.len() > VALUES_MAX {
        return Err(format!("more than {VALUES_MAX} values"));
    }
    Ok(line)
}
