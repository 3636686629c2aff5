//! Bodies from the rows of a CSV file, over and over.
//!
//! `{"machine":{"temperature":73.96732207},"recorded":"2013-12-02 21:15:00","timeCreated":…}`

use std::borrow::Cow;
use std::path::Path;

use sluicegate::host::files;

use super::error::TrafficError;
use super::pad::pad;
use super::simulated::{BEFORE_STAMP, shortest};
use super::stamp::{STAMP_BYTES, first_stamp};
use super::{BUILT_BYTES_MAX, SLOTS_MAX};
use crate::settings::{BODY_BYTES_MAX, CsvFormat, TrafficSettings};

/// Digits up to which every integer is an `f64`; longer ones are rewritten, so that the text means
/// to every reader the number that was compared.
const EXACT_DIGITS: usize = 15;
/// What a row becomes, without its padding and what comes before its stamp.
const ROW_BYTES_MAX: usize = BODY_BYTES_MAX - BEFORE_STAMP.len() - STAMP_BYTES;

/// What programs write where there is no number, in lower case.
const GAPS: [&str; 12] =
    ["", "-", "--", "nan", "null", "nil", "none", "na", "n/a", "#n/a", "<na>", "\\n"];
/// What else stands between cells.
const DELIMITERS: [(char, &str); 4] = [(',', ","), (';', ";"), ('\t', "tab"), ('|', "|")];

/// The rows of a file.
pub(super) struct Replay {
    /// All bodies one behind the other, up to where the padding begins.
    text: Vec<u8>,
    rows: Vec<Row>,
    /// Rows that were passed over.
    gaps: u64,
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

/// What is wrong with a row, and in which column where it is one.
struct RowFault {
    column: Option<usize>,
    problem: String,
}

impl Replay {
    /// Reads `file`, whose first line names the columns of time and temperature. Rows without a
    /// temperature are passed over.
    pub(super) fn read(
        file: &Path,
        [time, value]: [&str; 2],
        format: CsvFormat,
        settings: &TrafficSettings,
    ) -> Result<Self, TrafficError> {
        let content = files::read(file, BUILT_BYTES_MAX as u64)
            .map_err(|problem| TrafficError::File { file: file.to_owned(), problem })?;
        let delimiter = u8::try_from(format.delimiter).unwrap_or(b',');
        // Lengths are looked at here: a line of blanks is no row.
        let mut builder = csv::ReaderBuilder::new();
        let mut reader =
            builder.delimiter(delimiter).flexible(true).from_reader(content.as_slice());
        let header = reader.headers().map_err(|error| bad_row(file, &content, &error))?.clone();
        let columns = [column(file, &header, time)?, column(file, &header, value)?];
        let mut rows = Self {
            text: Vec::new(),
            rows: Vec::new(),
            gaps: 0,
            size: settings.size,
            bytes_max: 0,
            random: fastrand::Rng::with_seed(settings.seed),
        };
        for record in reader.records() {
            let record = record.map_err(|error| bad_row(file, &content, &error))?;
            let decimal = format.decimal;
            rows.take(&record, header.len(), columns, decimal, settings.threshold).map_err(
                |RowFault { column, problem }| TrafficError::Row {
                    file: file.to_owned(),
                    line: record.position().map_or(1, |at| line_at(&content, at)),
                    column: column.and_then(|at| header.get(at)).map(|name| plain(name).to_owned()),
                    problem,
                },
            )?;
        }
        match (rows.rows.is_empty(), rows.gaps) {
            (false, _) => rows.sized(),
            (true, 0) => Err(TrafficError::NoRows(file.to_owned())),
            (true, gaps) => Err(TrafficError::NoValues {
                file: file.to_owned(),
                column: value.to_owned(),
                gaps,
            }),
        }
    }

    /// Takes in a row, which must have so many columns.
    fn take(
        &mut self,
        record: &csv::StringRecord,
        width: usize,
        [time, value]: [usize; 2],
        decimal: char,
        threshold: f64,
    ) -> Result<(), RowFault> {
        if record.len() == 1 && width > 1 && plain(&record[0]).is_empty() {
            return Ok(());
        }
        if record.len() != width {
            return Err(RowFault { column: None, problem: of_width(record.len(), width) });
        }
        if is_gap(&record[value]) {
            self.gaps += 1;
            return Ok(());
        }
        let (text, number) = temperature(&record[value], decimal)
            .map_err(|problem| RowFault { column: Some(value), problem })?;
        self.add(&record[time], &text, number > threshold)
            .map_err(|problem| RowFault { column: None, problem })
    }

    fn add(&mut self, time: &str, text: &str, is_alert: bool) -> Result<(), String> {
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
        self.rows.push(Row { end, is_alert });
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

    /// Rows that were passed over, because they have no temperature.
    pub(super) fn gaps(&self) -> u64 {
        self.gaps
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

/// Where a column is.
fn column(file: &Path, header: &csv::StringRecord, name: &str) -> Result<usize, TrafficError> {
    let at = header.iter().position(|have| plain(have) == name.trim());
    at.ok_or_else(|| TrafficError::Column {
        file: file.to_owned(),
        column: name.to_owned(),
        have: header.iter().map(plain).collect::<Vec<_>>().join(", "),
        advice: delimiter_advice(header).unwrap_or_default(),
    })
}

/// A first line that is a single cell may be cut otherwise.
fn delimiter_advice(header: &csv::StringRecord) -> Option<String> {
    let only = header.get(0).filter(|_| header.len() == 1)?;
    let (_, name) = DELIMITERS.into_iter().find(|(delimiter, _)| only.contains(*delimiter))?;
    Some(format!("; if its cells are cut there, give --delimiter '{name}'"))
}

/// Said of a row with another number of columns than the first line.
fn of_width(have: usize, expected: usize) -> String {
    let advice = if have > expected {
        ": put cells that hold the delimiter in quotation marks, or cut them by another --delimiter"
    } else {
        ""
    };
    format!("it has {have} columns, the first line has {expected}{advice}")
}

/// A cell without what is around it. Quotation marks behind a blank are not the reader's.
fn plain(cell: &str) -> &str {
    let cell = cell.trim().trim_start_matches('\u{feff}');
    let quoted = cell.strip_prefix('"').and_then(|cell| cell.strip_suffix('"'));
    quoted.map_or(cell, str::trim)
}

/// Whether a cell says that there is no number.
fn is_gap(cell: &str) -> bool {
    let cell = plain(cell);
    GAPS.iter().any(|gap| cell.eq_ignore_ascii_case(gap))
}

/// The line of a record, counted from 1. The reader's own count is one too low where lines end in
/// CRLF, and stands before empty lines.
fn line_at(content: &[u8], position: &csv::Position) -> u64 {
    let at = usize::try_from(position.byte()).unwrap_or(usize::MAX).min(content.len());
    let is_end = |byte: &u8| matches!(byte, b'\r' | b'\n');
    let begin = at + content[at..].iter().take_while(|byte| is_end(byte)).count();
    let before = &content[..begin];
    let ends = before.iter().enumerate().filter(|(index, byte)| match byte {
        b'\n' => true,
        b'\r' => before.get(index + 1) != Some(&b'\n'),
        _ => false,
    });
    1 + ends.count() as u64
}

fn bad_row(file: &Path, content: &[u8], error: &csv::Error) -> TrafficError {
    let line = error.position().map_or(1, |at| line_at(content, at));
    let problem = match error.kind() {
        csv::ErrorKind::Utf8 { err, .. } => {
            format!("column {} is not UTF-8: save the file as UTF-8", err.field() + 1)
        }
        _ => error.to_string(),
    };
    TrafficError::Row { file: file.to_owned(), line, column: None, problem }
}

/// A temperature as a JSON number, and what it is.
fn temperature(cell: &str, decimal: char) -> Result<(String, f64), String> {
    let cell = plain(cell);
    let text = with_point(cell, decimal)?;
    let number: f64 = text.parse().map_err(|_| no_number(cell, decimal))?;
    if !number.is_finite() {
        return Err(format!("{cell:?} is no finite number"));
    }
    let is_json = serde_json::from_str::<serde_json::Number>(&text).is_ok();
    let is_exact = text.contains(['.', 'e', 'E']) || text.len() <= EXACT_DIGITS;
    let text = if is_json && is_exact { text.into_owned() } else { shortest(number) };
    Ok((text, number))
}

/// The number as everybody else writes it.
fn with_point(cell: &str, decimal: char) -> Result<Cow<'_, str>, String> {
    if decimal == '.' {
        return Ok(Cow::Borrowed(cell));
    }
    // It may group thousands or be the decimal sign itself: a factor of 1,000.
    if cell.contains('.') {
        return Err(format!("{cell:?} has a point, though its decimals follow `{decimal}`"));
    }
    Ok(Cow::Owned(cell.replace(decimal, ".")))
}

fn no_number(cell: &str, decimal: char) -> String {
    let is_foreign = decimal == '.' && cell.replacen(',', ".", 1).parse::<f64>().is_ok();
    let advice = if is_foreign { "; if its comma is a decimal one, give --decimal ," } else { "" };
    format!("{cell:?} is no number{advice}")
}

#[cfg(test)]
mod tests;
