//! What a result of the instrument says, and whether it may be believed. Pure.

use loadgen_load::outcome::{Capacity, Comparison, Finding, Outcome, Standing};

use super::scenario::{Figure, Run};

/// Share of the asked rate that must have been reached for figures that hold at that rate alone.
const RATE_SHARE_MIN: f64 = 0.99;

/// Everything that figures are made of.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Reading {
    /// Messages per second that the module took.
    pub rate: f64,
    /// Microseconds; `None` without alerts.
    pub p50_us: Option<f64>,
    /// Microseconds; `None` without alerts.
    pub p99_us: Option<f64>,
    /// Of the module; `None` behind a broker.
    pub cpu_ns: Option<f64>,
    /// Of the module; `None` behind a broker.
    pub rss_bytes: Option<f64>,
    /// From the module's start to its subscription; `None` behind a broker.
    pub startup_ms: Option<f64>,
    /// Rate against another program's, per cent.
    pub share: Option<f64>,
}

/// One try of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    /// Of every `loadgen` that it took; -1 when a signal ended it.
    pub exit_codes: Vec<i32>,
    /// What each of its results said.
    pub standings: Vec<Standing>,
    /// What was read, or why nothing counts.
    pub reading: Result<Reading, String>,
}

impl Attempt {
    /// One that gave no result at all.
    pub fn without_result(exit_codes: Vec<i32>, why: String) -> Self {
        Self { exit_codes, standings: Vec::new(), reading: Err(why) }
    }

    /// One with a result.
    pub fn of(finding: &Finding, run: Run, exit_code: i32) -> Self {
        let (standings, reading) = match finding {
            Finding::Run(outcome) => (vec![outcome.verdict.standing], read(outcome, run)),
            Finding::Compare(comparison) => {
                let runs = comparison.programs.iter().flat_map(|program| &program.runs);
                (runs.map(|run| run.standing).collect(), compare(comparison))
            }
            Finding::Capacity(capacity) => (Vec::new(), search(capacity)),
            Finding::Calibrate(_) | Finding::Soak(_) => {
                (Vec::new(), Err("a result of another kind".to_owned()))
            }
        };
        Self { exit_codes: vec![exit_code], standings, reading }
    }

    /// Whether the module did not take what it was to take.
    pub fn is_saturated(&self) -> bool {
        self.standings.contains(&Standing::Saturated)
    }
}

impl Reading {
    /// The figure in its unit, if this run has it.
    pub fn figure(&self, figure: Figure) -> Option<f64> {
        match figure {
            Figure::Rate => Some(self.rate),
            Figure::CpuNs => self.cpu_ns,
            Figure::CpuUs => self.cpu_ns.map(|ns| ns / 1e3),
            Figure::P50 => self.p50_us,
            Figure::P99 => self.p99_us,
            Figure::RssMb => self.rss_bytes.map(|bytes| bytes / 1e6),
            Figure::StartupMs => self.startup_ms,
            Figure::Share => self.share,
        }
    }
}

/// Reads a `loadgen run`. What a saturated module does counts: it is its own fault.
///
/// # Errors
/// Why it does not count.
pub fn read(outcome: &Outcome, run: Run) -> Result<Reading, String> {
    match outcome.verdict.standing {
        Standing::Passed | Standing::Saturated => {}
        Standing::Invalid if run.tolerates_lateness() && reached_rate(outcome) => {}
        Standing::Invalid | Standing::Failed => return Err(outcome.verdict.reasons.join("; ")),
    }
    let latency = outcome.latency.as_ref();
    Ok(Reading {
        rate: outcome.rates.achieved,
        p50_us: latency.map(|latency| latency.p50_us),
        p99_us: latency.map(|latency| latency.p99_us),
        cpu_ns: outcome.cost.map(|cost| cost.cpu_ns_per_message),
        rss_bytes: outcome.cost.map(|cost| kib(cost.rss_peak_kib)),
        startup_ms: outcome.startup_ms,
        share: None,
    })
}

/// Everything due was sent, and about in time: all but 1 %, or a single message.
fn reached_rate(outcome: &Outcome) -> bool {
    let Some(asked) = outcome.rates.asked else { return false };
    let seconds = outcome.settings.duration.as_secs_f64();
    let late = (asked - outcome.rates.achieved) * seconds;
    let late_max = ((1.0 - RATE_SHARE_MIN) * asked * seconds).max(1.0);
    outcome.counts.unsent == 0 && late < late_max + 1e-6
}

/// Reads a comparison of the module with the bare loop: the ratio of their median rates.
fn compare(comparison: &Comparison) -> Result<Reading, String> {
    let [module, bare] = &comparison.programs[..] else {
        return Err("not a comparison of two programs".to_owned());
    };
    for program in [module, bare] {
        match program.median.standing {
            Standing::Passed | Standing::Saturated => {}
            bad @ (Standing::Failed | Standing::Invalid) => {
                return Err(format!("{} {}", program.name, word(bad)));
            }
        }
    }
    share(module.median.rate, bare.median.rate)
}

/// Reads a search for the highest rate: the one found.
fn search(capacity: &Capacity) -> Result<Reading, String> {
    let found = capacity.rate.map(|rate| Reading { rate, ..Reading::default() });
    found.ok_or_else(|| format!("no rate was held: {}", capacity.notes.join("; ")))
}

/// The share of one rate in another.
///
/// # Errors
/// The other one is 0.
pub fn share(rate: f64, of: f64) -> Result<Reading, String> {
    if of > 0.0 {
        Ok(Reading { rate, share: Some(100.0 * rate / of), ..Reading::default() })
    } else {
        Err("the program to compare with took nothing".to_owned())
    }
}

/// As the record counts it.
pub fn word(standing: Standing) -> &'static str {
    match standing {
        Standing::Passed => "passed",
        Standing::Failed => "failed",
        Standing::Invalid => "invalid",
        Standing::Saturated => "saturated",
    }
}

#[expect(clippy::cast_precision_loss, reason = "no machine has 2^53 KiB")]
fn kib(count: u64) -> f64 {
    count as f64 * 1024.0
}

#[cfg(test)]
mod tests;
