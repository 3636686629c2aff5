//! The highest rate at which a program still holds an objective.
//!
//! ```text
//!  Search (which rate next) --rate--> run --outcome--> judge (did it hold) --held--> Search
//! ```
//! The search climbs by [`CLIMB_FACTOR`] until a rate fails, halves the distance to the last one
//! that held until they are [`PRECISION`] apart, and then has to prove the rate found: it must hold
//! [`CONFIRMATIONS`] times more, and [`REFUSAL`] times it must fail. Runs are bounded by
//! [`RUNS_MAX`].

use super::error::LoadError;
use super::outcome::{Capacity, Counts, Objective, Outcome, Probe, ProbeStep, Standing};
use super::settings::{Arrivals, Pace, RATE_MAX, RunSettings};

mod search;

use search::Search;
pub use search::{
    CLIMB_FACTOR, CLIMBS_AGAIN_MAX, CONFIRMATIONS, DESCENTS_MAX, PRECISION, REFUSAL, START_TRIES,
};

/// Most runs of a whole search, repeated ones included.
pub const RUNS_MAX: u32 = 120;
/// Most runs at one rate while the instrument is the bottleneck.
pub const RUNS_PER_PROBE_MAX: u32 = 3;
/// Share of the rate asked that must be achieved.
pub const ACHIEVED_MIN: f64 = 0.99;

/// What a search is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct CapacityPlan {
    /// How each probe is run; its pace must be open, and the rate in it does not matter.
    pub settings: RunSettings,
    /// What must hold.
    pub objective: Objective,
    /// The first and lowest rate that is climbed from.
    pub start: f64,
    /// No rate above this is tried.
    pub max: f64,
}

/// Finds the capacity. `run` measures once, or ends the search by [`LoadError::Interrupted`]: what
/// was found until then is given. `watch` sees each probe as soon as it is judged.
///
/// A program that ends, or cannot be reached any more, in any run but the first does not hold that
/// rate. Where the instrument was the bottleneck and the objective held all the same, it holds:
/// latencies count from the intended instant, so that the instrument's own lateness only adds to
/// them. Where it did not hold the run is made again, [`RUNS_PER_PROBE_MAX`] times in all, and then
/// the rate counts as not held.
///
/// # Errors
/// The plan cannot be carried out, or the first run gave no result.
pub fn find(
    plan: &CapacityPlan,
    run: &mut dyn FnMut(&RunSettings) -> Result<Outcome, LoadError>,
    watch: &mut dyn FnMut(&Probe),
) -> Result<Capacity, LoadError> {
    plan.check()?;
    let mut search = Search::new(plan.start, plan.max);
    let mut prober =
        Prober { plan, run, runs: 0, measured: false, late: 0, gaps: None, notes: Vec::new() };
    let mut probes = Vec::new();
    while let Some((step, rate)) = search.next() {
        let Some(probe) = prober.probe(step, rate)? else { break };
        watch(&probe);
        search.record(probe.held);
        probes.push(probe);
    }
    let mut notes = prober.notes;
    notes.extend(prober.gaps);
    if prober.late > 0 {
        notes.push(format!(
            "{} of {} probes held although the instrument was late: that is part of the latency \
             shown",
            prober.late,
            probes.len()
        ));
    }
    notes.extend(search.notes().iter().cloned());
    Ok(Capacity {
        settings: plan.at(plan.start),
        objective: plan.objective,
        probes,
        rate: search.confirmed(),
        notes,
    })
}

impl CapacityPlan {
    /// Whether it can be carried out; [`find`] checks that as well.
    ///
    /// # Errors
    /// [`LoadError::Setting`] when not.
    pub fn check(&self) -> Result<(), LoadError> {
        let refused = |text: &str| Err(LoadError::Setting(text.to_owned()));
        if !matches!(self.settings.pace, Pace::Open { .. }) {
            return refused("a capacity is searched in an open loop: a rate must be asked");
        }
        if !(self.start > 0.0 && self.start <= self.max && self.max <= RATE_MAX) {
            return refused("the search starts at a rate above 0 and not above its highest");
        }
        if self.settings.traffic.alerts == 0.0 {
            return refused("without alerts there is no latency: give --alerts above 0");
        }
        Ok(())
    }

    /// The settings of a probe.
    fn at(&self, rate: f64) -> RunSettings {
        let mut settings = self.settings.clone();
        settings.set_rate(rate);
        settings
    }

    /// Why the objective did not hold; empty when it did.
    fn broken(&self, outcome: &Outcome) -> Vec<String> {
        let counts = &outcome.counts;
        let mut reasons = Vec::new();
        let sent_min = ACHIEVED_MIN * due_min(&outcome.settings);
        if outcome.rates.achieved < sent_min {
            let achieved = outcome.rates.achieved;
            reasons.push(format!("sent {achieved:.0}/s of at least {sent_min:.0}/s"));
        }
        match &outcome.latency {
            None => reasons.push("no alert came back".to_owned()),
            Some(latency) if latency.p99_us > self.objective.p99_us => {
                reasons.push(format!("p99 {:.0} µs", latency.p99_us));
            }
            Some(_) => {}
        }
        let loss = counts.missing as f64 / (counts.alerts_expected as f64).max(1.0);
        if loss > self.objective.loss {
            reasons
                .push(format!("{} of {} alerts missing", counts.missing, counts.alerts_expected));
        }
        // What is missing has an objective of its own.
        let others = Counts { missing: 0, ..outcome.counts }.failures();
        let wrong = others.iter().filter(|(count, _)| *count > 0);
        reasons.extend(wrong.map(|(count, name)| format!("{count} {name}")));
        reasons
    }
}

/// The least rate of messages due in the measured part: the rate asked, and in a Poisson process
/// three standard deviations less, as the number of its events is random.
fn due_min(settings: &RunSettings) -> f64 {
    match settings.pace {
        Pace::Open { rate, arrivals: Arrivals::Fixed, .. } => rate,
        Pace::Open { rate, arrivals: Arrivals::Poisson, .. } => {
            let seconds = settings.duration.as_secs_f64().max(f64::EPSILON);
            rate - 3.0 * (rate / seconds).sqrt()
        }
        Pace::Closed => 0.0,
    }
}

/// Runs and judges.
struct Prober<'a> {
    plan: &'a CapacityPlan,
    run: &'a mut dyn FnMut(&RunSettings) -> Result<Outcome, LoadError>,
    runs: u32,
    measured: bool,
    /// Probes that held in spite of the instrument.
    late: u32,
    /// What of a replayed file was passed over, the same in each run.
    gaps: Option<String>,
    notes: Vec<String>,
}

impl Prober<'_> {
    /// Measures at a rate until there is something to judge; `None` when there is no other run.
    fn probe(&mut self, step: ProbeStep, rate: f64) -> Result<Option<Probe>, LoadError> {
        let settings = self.plan.at(rate);
        let mut attempt = 0;
        loop {
            attempt += 1;
            if self.runs == RUNS_MAX {
                self.notes.push(format!("ended after {RUNS_MAX} runs, the most that are made"));
                return Ok(None);
            }
            self.runs += 1;
            let outcome = match (self.run)(&settings) {
                Err(LoadError::Interrupted) => {
                    self.notes.push("ended early".to_owned());
                    return Ok(None);
                }
                Err(LoadError::Unavailable(why)) if self.measured => {
                    return Ok(Some(without_result(step, rate, why)));
                }
                other => other?,
            };
            self.measured = true;
            self.gaps = outcome.traffic.gaps_text();
            let mut reasons = self.plan.broken(&outcome);
            let invalid = outcome.verdict.standing == Standing::Invalid;
            if invalid && !reasons.is_empty() && attempt < RUNS_PER_PROBE_MAX {
                continue;
            }
            if invalid {
                reasons = self.judge_invalid(rate, reasons, &outcome);
            } else if attempt > 1 {
                let text = "the instrument was the bottleneck at first: measured again";
                self.notes.push(format!("{rate:.0}/s: {text}"));
            }
            return Ok(Some(probe(step, rate, reasons, &outcome)));
        }
    }

    /// What is said of a run, the last one at a rate, in which the instrument was the bottleneck.
    fn judge_invalid(&mut self, rate: f64, reasons: Vec<String>, outcome: &Outcome) -> Vec<String> {
        if reasons.is_empty() {
            self.late += 1;
            return reasons;
        }
        let others = outcome.others.map(|others| format!("; {others}")).unwrap_or_default();
        self.notes.push(format!(
            "{rate:.0}/s: the instrument was the bottleneck {RUNS_PER_PROBE_MAX} times: what the \
             program does there is not known{others}"
        ));
        std::iter::once("the instrument was the bottleneck".to_owned()).chain(reasons).collect()
    }
}

fn probe(step: ProbeStep, rate: f64, reasons: Vec<String>, outcome: &Outcome) -> Probe {
    let latency = outcome.latency.clone().unwrap_or_default();
    Probe {
        step,
        rate,
        held: reasons.is_empty(),
        reasons,
        invalid: outcome.verdict.standing == Standing::Invalid,
        achieved: outcome.rates.achieved,
        p50_us: latency.p50_us,
        p99_us: latency.p99_us,
        p99_9_us: latency.p99_9_us,
        cost: outcome.cost,
    }
}

fn without_result(step: ProbeStep, rate: f64, why: String) -> Probe {
    Probe {
        step,
        rate,
        held: false,
        reasons: vec![why],
        invalid: false,
        achieved: 0.0,
        p50_us: 0.0,
        p99_us: 0.0,
        p99_9_us: 0.0,
        cost: None,
    }
}

#[cfg(test)]
mod tests;
