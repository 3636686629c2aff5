//! Compares counts with the baseline, row by row. Pure.

use super::baseline::{Baseline, Entry, Row};
use crate::arch::Arch;
use crate::budgets::Unit;

/// Smallest threshold, in millionths: what a compiler's mood may cost.
pub const THRESHOLD_MIN_PPM: u64 = 5_000;
/// Largest one. A row that is noisier than that must be mended, not tolerated.
pub const THRESHOLD_MAX_PPM: u64 = 30_000;
/// How often the largest noise of a row its threshold is.
pub const NOISE_FACTOR: u64 = 3;

/// What to make of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Within its threshold.
    Same,
    /// Less than the baseline by more than the threshold: to be blessed.
    Better,
    /// More than the baseline by more than the threshold.
    Worse,
    /// More than its budget, whatever the baseline says.
    OverBudget,
    /// Counted, and not in the baseline.
    New,
    /// In the baseline, and not counted any more.
    Gone,
}

/// One row with its verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// The stage.
    pub stage: String,
    /// What is counted.
    pub unit: Unit,
    /// `None` when the baseline has none.
    pub baseline: Option<u64>,
    /// `None` when it is not counted any more.
    pub now: Option<u64>,
    /// What it may be more by, in millionths of the baseline; 0 where the baseline is 0.
    pub threshold_ppm: u64,
    /// Most that it may ever be.
    pub budget: Option<u64>,
    /// What to make of it.
    pub verdict: Verdict,
}

/// What counts are compared with.
pub struct Expected<'a> {
    /// Of this architecture.
    pub arch: Arch,
    /// Its baseline.
    pub baseline: &'a Baseline,
    /// Of all architectures.
    pub history: &'a [Entry],
    /// The budget of a row, in its own scale.
    pub budget: &'a dyn Fn(Arch, &str, Unit) -> Option<u64>,
}

impl Expected<'_> {
    /// Judges every row that is counted now, and every row of the baseline that is of a stage that
    /// `is_asked`.
    pub fn judge(&self, counted: &[Row], is_asked: impl Fn(&str) -> bool) -> Vec<Judged> {
        let is_gone = |row: &&Row| {
            let is_it = |other: &Row| other.stage == row.stage && other.unit == row.unit;
            is_asked(&row.stage) && !counted.iter().any(is_it)
        };
        let gone = self.baseline.rows.iter().filter(is_gone).map(|row| Judged {
            stage: row.stage.clone(),
            unit: row.unit,
            baseline: Some(row.value),
            now: None,
            threshold_ppm: 0,
            budget: None,
            verdict: Verdict::Gone,
        });
        counted.iter().map(|row| self.judge_row(row)).chain(gone).collect()
    }

    fn judge_row(&self, row: &Row) -> Judged {
        let baseline = self.baseline.row(&row.stage, row.unit);
        let threshold_ppm = baseline.map_or(0, |baseline| self.threshold_ppm(baseline));
        let budget = (self.budget)(self.arch, &row.stage, row.unit);
        let verdict = if budget.is_some_and(|budget| row.value > budget) {
            Verdict::OverBudget
        } else {
            baseline.map_or(Verdict::New, |old| compare(old.value, row.value, threshold_ppm))
        };
        Judged {
            stage: row.stage.clone(),
            unit: row.unit,
            baseline: baseline.map(|row| row.value),
            now: Some(row.value),
            threshold_ppm,
            budget,
            verdict,
        }
    }

    /// From the noise of the row's whole history.
    fn threshold_ppm(&self, row: &Row) -> u64 {
        if row.value == 0 {
            return 0;
        }
        let is_its = |entry: &&Entry| {
            entry.arch == self.arch && entry.stage == row.stage && entry.unit == row.unit
        };
        let noises = self.history.iter().filter(is_its).map(|entry| (entry.noise, entry.value));
        let noises = noises.chain([(row.noise, row.value)]);
        let most = noises.map(|(noise, value)| ppm(noise, value)).max().unwrap_or_default();
        most.saturating_mul(NOISE_FACTOR).clamp(THRESHOLD_MIN_PPM, THRESHOLD_MAX_PPM)
    }
}

/// `part` of `whole` in millionths, rounded up.
pub fn ppm(part: u64, whole: u64) -> u64 {
    let ppm = (u128::from(part) * 1_000_000).div_ceil(u128::from(whole.max(1)));
    u64::try_from(ppm).unwrap_or(u64::MAX)
}

fn compare(old: u64, now: u64, threshold_ppm: u64) -> Verdict {
    // At most 3 % of it: no overflow once it is back in 64 bits.
    let allowed = u128::from(old) * u128::from(threshold_ppm) / 1_000_000;
    let allowed = u64::try_from(allowed).unwrap_or(u64::MAX);
    if now > old.saturating_add(allowed) {
        Verdict::Worse
    } else if now < old - allowed.min(old) {
        Verdict::Better
    } else {
        Verdict::Same
    }
}

/// The exit code that these verdicts, and so many stages that could not be counted, call for: 1
/// when something became worse, else 2 when something cannot be compared, else 0.
pub fn exit_code(rows: &[Judged], uncounted: usize) -> u8 {
    let has = |wanted: &[Verdict]| rows.iter().any(|row| wanted.contains(&row.verdict));
    if has(&[Verdict::Worse, Verdict::OverBudget]) {
        1
    } else if uncounted > 0 || has(&[Verdict::New, Verdict::Gone]) {
        2
    } else {
        0
    }
}

/// The exit code of several architectures together.
pub fn worst(codes: &[u8]) -> u8 {
    if codes.contains(&1) { 1 } else { codes.iter().copied().max().unwrap_or_default() }
}

#[cfg(test)]
mod tests;
