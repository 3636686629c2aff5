//! Rows of the record: medians, verdicts, the JSON line and the table. Pure.

use std::collections::BTreeMap;

use loadgen_load::machine::Machine;
use paired::median;
use serde::{Deserialize, Serialize};

use super::reading::{Attempt, word};
use super::scenario::Scenario;

/// One scenario with all that its rounds gave.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordRow {
    /// What it is.
    pub scenario: Scenario,
    /// Of the rounds that count, in their order.
    pub values: Vec<f64>,
    /// Messages per second that the module took meanwhile.
    pub rates: Vec<f64>,
    /// How it stands.
    pub status: Status,
    /// How often the instrument said what.
    pub verdicts: BTreeMap<&'static str, u32>,
    /// Of every `loadgen`.
    pub exit_codes: Vec<i32>,
}

/// How a row stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The median reaches the aim.
    Aim,
    /// The median reaches the floor.
    Floor,
    /// It does not, or the module did not take the rate.
    Missed,
    /// A round gave no figure, not even when repeated.
    Invalid,
}

impl RecordRow {
    /// What `rounds` say of `scenario`: of each round the tries of its run, of which the last
    /// counts.
    pub fn new(scenario: Scenario, rounds: &[Vec<Attempt>]) -> Self {
        let last: Vec<&Attempt> = rounds.iter().filter_map(|tries| tries.last()).collect();
        let readings = last.iter().filter_map(|attempt| attempt.reading.as_ref().ok());
        let counted =
            readings.filter_map(|reading| Some((reading.figure(scenario.figure)?, reading.rate)));
        let (values, rates): (Vec<f64>, Vec<f64>) = counted.unzip();
        let mut verdicts = BTreeMap::new();
        for standing in rounds.iter().flatten().flat_map(|attempt| &attempt.standings) {
            *verdicts.entry(word(*standing)).or_default() += 1;
        }
        let saturated = last.iter().any(|attempt| attempt.is_saturated());
        let status = if values.len() < rounds.len() {
            Status::Invalid
        } else {
            status(&scenario, median(&values), saturated)
        };
        let exit_codes =
            rounds.iter().flatten().flat_map(|attempt| attempt.exit_codes.clone()).collect();
        Self { scenario, values, rates, status, verdicts, exit_codes }
    }
}

fn status(scenario: &Scenario, median: Option<f64>, saturated: bool) -> Status {
    match median {
        None => Status::Invalid,
        Some(_) if saturated => Status::Missed,
        Some(value) if scenario.reaches(value, scenario.aim) => Status::Aim,
        Some(value) if scenario.reaches(value, scenario.floor) => Status::Floor,
        Some(_) => Status::Missed,
    }
}

/// Exit code of the record: 2 when a row has no figure for every round, else 1 when one missed its
/// floor, else 0.
pub fn exit_code(rows: &[RecordRow]) -> u8 {
    let has = |status| rows.iter().any(|row| row.status == status);
    match (has(Status::Invalid), has(Status::Missed)) {
        (true, _) => 2,
        (false, true) => 1,
        (false, false) => 0,
    }
}

/// What all lines of one record share.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RecordFacts {
    /// When it began, RFC 3339 in UTC.
    pub time: String,
    /// What was checked out, with `-dirty` when something was changed.
    pub commit: String,
    /// Whether the programs were built of it for this record; else they are whatever was there.
    pub built: bool,
    /// Where.
    pub machine: Machine,
    /// The compiler in use.
    pub rustc: String,
}

#[derive(Serialize)]
struct WrittenLine<'a> {
    #[serde(flatten)]
    facts: &'a RecordFacts,
    scenario: &'a str,
    title: &'a str,
    unit: &'a str,
    /// Length of the measured part of each run.
    for_s: f64,
    values: &'a [f64],
    /// Messages per second that the module took meanwhile.
    rates: &'a [f64],
    median: Option<f64>,
    floor: f64,
    aim: f64,
    status: Status,
    verdicts: &'a BTreeMap<&'static str, u32>,
    loadgen_exit_codes: &'a [i32],
}

/// The row as one line of JSON, without its end.
///
/// # Errors
/// None of which is known: all keys are texts.
pub fn line(row: &RecordRow, facts: &RecordFacts, for_s: f64) -> serde_json::Result<String> {
    serde_json::to_string(&WrittenLine {
        facts,
        scenario: row.scenario.name,
        title: row.scenario.title,
        unit: row.scenario.figure.unit(),
        for_s,
        values: &row.values,
        rates: &row.rates,
        median: median(&row.values),
        floor: row.scenario.floor,
        aim: row.scenario.aim,
        status: row.status,
        verdicts: &row.verdicts,
        loadgen_exit_codes: &row.exit_codes,
    })
}

/// The rows as a table in Markdown.
pub fn table(rows: &[RecordRow]) -> String {
    let mut text = String::from(
        "| scenario | what | unit | median | min–max | floor | aim | \
         |\n|---|---|---|---|---|---|---|---|\n",
    );
    for row in rows {
        let Scenario { name, title, figure, floor, aim, .. } = row.scenario;
        let mark = if figure.more_is_better() { '≥' } else { '≤' };
        let middle = median(&row.values).map_or("-".to_owned(), number);
        let least = row.values.iter().copied().reduce(f64::min);
        let most = row.values.iter().copied().reduce(f64::max);
        let spread = least
            .zip(most)
            .map_or("-".to_owned(), |(least, most)| format!("{}–{}", number(least), number(most)));
        let status = match row.status {
            Status::Aim => "aim met",
            Status::Floor => "floor met",
            Status::Missed => "missed",
            Status::Invalid => "invalid",
        };
        let (floor, aim, unit) = (number(floor), number(aim), figure.unit());
        text.push_str(&format!(
            "| {name} | {title} | {unit} | {middle} | {spread} | {mark} {floor} | {mark} {aim} | \
             {status} |\n",
        ));
    }
    text
}

/// Whole from a hundred on, with a comma every three digits; else three digits.
pub fn number(value: f64) -> String {
    let decimals = match value.abs() {
        100.0.. => 0,
        10.0.. => 1,
        _ => 2,
    };
    let text = format!("{value:.decimals$}");
    if decimals > 0 {
        return text.trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    let mut grouped = String::new();
    for (index, digit) in text.char_indices() {
        if index > 0 && (text.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests;
