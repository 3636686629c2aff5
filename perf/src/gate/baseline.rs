//! `perf/baseline`: what is expected of each row, and how that came about. Pure but for the files.
//!
//! `{arch}.csv` holds one row per stage and unit, headed by the facts that the counts depend on as
//! comments. `history.csv` grows by every row that a blessing changed, with the reason; how much a
//! row's own counts have differed there is what its threshold is made of.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::arch::Arch;
use crate::budgets::Unit;

/// One count, for 1,000 messages where its unit is one of messages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// The stage, or [`crate::budgets::PROGRAM`].
    pub stage: String,
    /// What is counted.
    pub unit: Unit,
    /// How many.
    pub value: u64,
    /// Largest difference between counts of the same programs.
    pub noise: u64,
}

/// A row of the history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When, RFC 3339 in UTC.
    pub time: String,
    /// What was checked out, with `-dirty` when something was changed.
    pub commit: String,
    /// Of which programs.
    pub arch: Arch,
    /// As in [`Row`].
    pub stage: String,
    /// As in [`Row`].
    pub unit: Unit,
    /// As in [`Row`].
    pub value: u64,
    /// As in [`Row`].
    pub noise: u64,
    /// Why it was blessed.
    pub reason: String,
}

/// What counts depend on beside the code. Unknown ones are empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Compiler that built the programs.
    pub rustc: String,
    /// The program that counts.
    pub counter: String,
    /// C library that they ran with.
    pub libc: String,
    /// Libraries choose their code by it.
    pub processor: String,
}

/// The baseline of one architecture.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Baseline {
    /// How it was counted.
    pub facts: Facts,
    /// In the order of the way.
    pub rows: Vec<Row>,
}

impl Facts {
    fn named(&self) -> [(&'static str, &str); 4] {
        let Self { rustc, counter, libc, processor } = self;
        [("rustc", rustc), ("counter", counter), ("libc", libc), ("processor", processor)]
    }

    fn set(&mut self, name: &str, value: &str) {
        let field = match name {
            "rustc" => &mut self.rustc,
            "counter" => &mut self.counter,
            "libc" => &mut self.libc,
            "processor" => &mut self.processor,
            _ => return,
        };
        value.clone_into(field);
    }

    /// One line for each that is another one than `expected` has.
    pub fn differences(&self, expected: &Self) -> Vec<String> {
        let pairs = self.named().into_iter().zip(expected.named());
        pairs
            .filter(|((_, now), (_, then))| now != then)
            .map(|((name, now), (_, then))| format!("{name}: {now}; the baseline's: {then}"))
            .collect()
    }
}

impl Baseline {
    /// Reads the text of a baseline.
    ///
    /// # Errors
    /// It is not one.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut facts = Facts::default();
        for line in text.lines().map_while(|line| line.strip_prefix("# ")) {
            if let Some((name, value)) = line.split_once(": ") {
                facts.set(name, value);
            }
        }
        Ok(Self { facts, rows: parse(text)? })
    }

    /// As written in its file.
    ///
    /// # Errors
    /// None of which is known: the rows are plain texts and numbers.
    pub fn text(&self) -> Result<String, String> {
        let facts = self.facts.named().map(|(name, value)| format!("# {name}: {value}\n"));
        Ok(facts.concat() + &csv_text(&self.rows, true)?)
    }

    /// Reads it from its file; an empty one when there is none yet.
    ///
    /// # Errors
    /// The file cannot be read or is no baseline.
    pub fn read(folder: &Path, arch: Arch) -> Result<Self, String> {
        read(&file(folder, arch))
            .and_then(|text| Self::parse(&text).map_err(naming(&file(folder, arch))))
    }

    /// Writes its file.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, folder: &Path, arch: Arch) -> Result<(), String> {
        let (file, text) = (file(folder, arch), self.text()?);
        let written = fs::create_dir_all(folder).and_then(|()| fs::write(&file, text));
        written.map_err(|error| naming(&file)(error.to_string()))
    }

    /// The row of this stage and unit.
    pub fn row(&self, stage: &str, unit: Unit) -> Option<&Row> {
        self.rows.iter().find(|row| row.stage == stage && row.unit == unit)
    }

    /// This baseline with `counted` in place of the rows of the stages that `is_asked`; the rest
    /// stays as it is. `order` is that of the stages.
    pub fn blessed(
        &self,
        counted: Vec<Row>,
        facts: Facts,
        order: &[&str],
        is_asked: impl Fn(&str) -> bool,
    ) -> Self {
        let kept = self.rows.iter().filter(|row| !is_asked(&row.stage)).cloned();
        let mut rows: Vec<Row> = kept.chain(counted).collect();
        rows.sort_by_key(|row| order.iter().position(|stage| *stage == row.stage));
        Self { facts, rows }
    }

    /// Rows that `before` has not, or has with another value or noise.
    pub fn changed_since(&self, before: &Self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| before.row(&row.stage, row.unit) != Some(*row))
    }
}

/// All entries there are.
///
/// # Errors
/// The file cannot be read or holds something else.
pub fn read_history(folder: &Path) -> Result<Vec<Entry>, String> {
    let file = folder.join("history.csv");
    read(&file).and_then(|text| parse(&text).map_err(naming(&file)))
}

/// Adds `entries` behind those that are there.
///
/// # Errors
/// The file cannot be written.
pub fn append_history(folder: &Path, entries: &[Entry]) -> Result<(), String> {
    let file = folder.join("history.csv");
    let text = csv_text(entries, !file.exists())?;
    let mut options = OpenOptions::new();
    let written = options
        .create(true)
        .append(true)
        .open(&file)
        .and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| naming(&file)(error.to_string()))
}

fn file(folder: &Path, arch: Arch) -> PathBuf {
    folder.join(format!("{}.csv", arch.name()))
}

fn naming(file: &Path) -> impl Fn(String) -> String {
    move |error| format!("{}: {error}", file.display())
}

fn read(file: &Path) -> Result<String, String> {
    match fs::read_to_string(file) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(naming(file)(error.to_string())),
    }
}

fn parse<T: DeserializeOwned>(text: &str) -> Result<Vec<T>, String> {
    let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).from_reader(text.as_bytes());
    reader.deserialize().collect::<Result<_, _>>().map_err(|error| error.to_string())
}

fn csv_text<T: Serialize>(rows: &[T], headed: bool) -> Result<String, String> {
    let mut writer = csv::WriterBuilder::new().has_headers(headed).from_writer(Vec::new());
    for row in rows {
        writer.serialize(row).map_err(|error| error.to_string())?;
    }
    let bytes = writer.into_inner().map_err(|error| error.to_string())?;
    String::from_utf8(bytes).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests;
