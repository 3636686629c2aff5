//! The same traffic to several programs, interleaved, so that what else goes on in the machine
//! meets all of them alike.
//!
//! ```text
//!  pair 1: A B C | C B A    pair 2: A B C | C B A    ...
//!          forth   back
//! ```
//! A pair is a pass forth over all programs and a pass back. A program is compared with the first
//! one within the same pass, where both ran within moments of each other: each pass gives one
//! ratio, each pair two, and by turning round a machine that grows slower or faster favours nobody.

use super::error::LoadError;
use super::outcome::{Brief, Comparison, Contender, Outcome, Standing};
use super::settings::{Pace, RunSettings, Target};

mod statistics;

/// Fewest programs.
pub const PROGRAMS_MIN: usize = 2;
/// Most programs.
pub const PROGRAMS_MAX: usize = 16;
/// Most pairs.
pub const PAIRS_MAX: u32 = 100;
/// Runs in a pass of a program that fails or is not measured well.
pub const ATTEMPTS_MAX: u32 = 2;

/// What a comparison is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct ComparePlan {
    /// How each run is made; the command in it is that of each program in turn.
    pub settings: RunSettings,
    /// Programs; the others are compared with the first.
    pub programs: Vec<Program>,
    /// Passes forth and back.
    pub pairs: u32,
}

/// One of the programs that are compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// What it is called.
    pub name: String,
    /// It and its arguments.
    pub command: Vec<String>,
}

/// A run that was just made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Turn<'a> {
    /// Counted from 1.
    pub pair: u32,
    /// In the pass forth, or back.
    pub forth: bool,
    /// The program's name.
    pub name: &'a str,
    /// What was measured.
    pub brief: &'a Brief,
    /// What the verdict's reasons are, or the error's.
    pub reasons: &'a [String],
    /// It does not count: it is made again.
    pub repeated: bool,
}

/// Carries out the comparison. `run` measures once, or ends the comparison by
/// [`LoadError::Interrupted`]: what was found until then is given. `watch` sees each run as soon as
/// it is made.
///
/// A run that fails, is invalid or, in a closed loop, saturated is made again once, and noted. A
/// program that cannot be run any more, though it could before, has failed at rate 0.
///
/// # Errors
/// The plan cannot be carried out, a program's first run gave no result, or the end came before
/// each program had run.
pub fn compare(
    plan: &ComparePlan,
    run: &mut dyn FnMut(&RunSettings) -> Result<Outcome, LoadError>,
    watch: &mut dyn FnMut(&Turn<'_>),
) -> Result<Comparison, LoadError> {
    plan.check()?;
    let runs = vec![Vec::new(); plan.programs.len()];
    let mut runner = Runner { plan, run, watch, runs, gaps: None, notes: Vec::new() };
    match runner.run_all() {
        Err(LoadError::Interrupted) if runner.runs.iter().all(|runs| !runs.is_empty()) => {
            runner.notes.push("ended early".to_owned());
        }
        other => other?,
    }
    let first = &runner.runs[0];
    let contenders = plan.programs.iter().zip(&runner.runs).enumerate();
    let programs = contenders.map(|(index, (program, runs))| Contender {
        name: program.name.clone(),
        command: program.command.clone(),
        runs: runs.clone(),
        median: statistics::median_of_runs(runs),
        rate_ratio: (index > 0).then(|| statistics::rate_ratio(first, runs)).flatten(),
        cpu_ratio: (index > 0).then(|| statistics::cpu_ratio(first, runs)).flatten(),
    });
    Ok(Comparison {
        settings: plan.with(&[]),
        programs: programs.collect(),
        pairs: plan.pairs,
        notes: runner.gaps.into_iter().chain(runner.notes).collect(),
    })
}

/// The worst of some standings: what a series of runs amounts to. Failures go before invalidity,
/// and that before saturation.
pub fn worst(standings: impl IntoIterator<Item = Standing>) -> Standing {
    let rank = |standing: &Standing| match standing {
        Standing::Passed => 0,
        Standing::Saturated => 1,
        Standing::Invalid => 2,
        Standing::Failed => 3,
    };
    standings.into_iter().max_by_key(rank).unwrap_or(Standing::Passed)
}

impl ComparePlan {
    /// Whether it can be carried out; [`compare`] checks that as well.
    ///
    /// # Errors
    /// [`LoadError::Setting`] when not.
    pub fn check(&self) -> Result<(), LoadError> {
        let refused = |text: String| Err(LoadError::Setting(text));
        if !(PROGRAMS_MIN..=PROGRAMS_MAX).contains(&self.programs.len()) {
            return refused(format!(
                "{PROGRAMS_MIN} to {PROGRAMS_MAX} programs are compared, each after its own --: \
                 -- A -- B"
            ));
        }
        if self.programs.iter().any(|program| program.command.is_empty()) {
            return refused("there is no program after one of the --".to_owned());
        }
        if self.pairs == 0 || self.pairs > PAIRS_MAX {
            return refused(format!("1 to {PAIRS_MAX} pairs are made"));
        }
        if !matches!(self.settings.target, Target::Hub { .. }) {
            return refused("only programs that are started here can be compared".to_owned());
        }
        Ok(())
    }

    /// The settings of a run of this program.
    fn with(&self, program: &[String]) -> RunSettings {
        let mut settings = self.settings.clone();
        if let Target::Hub { command, .. } = &mut settings.target {
            *command = program.to_owned();
        }
        settings
    }

    /// Whether such a result is worth another run. In an open loop saturation is a finding.
    fn is_doubtful(&self, standing: Standing) -> bool {
        match standing {
            Standing::Passed => false,
            Standing::Failed | Standing::Invalid => true,
            Standing::Saturated => self.settings.pace == Pace::Closed,
        }
    }
}

/// Makes the runs, in order.
struct Runner<'a> {
    plan: &'a ComparePlan,
    run: &'a mut dyn FnMut(&RunSettings) -> Result<Outcome, LoadError>,
    watch: &'a mut dyn FnMut(&Turn<'_>),
    /// For each program, one of each pass.
    runs: Vec<Vec<Brief>>,
    /// What of a replayed file was passed over, the same in each run.
    gaps: Option<String>,
    notes: Vec<String>,
}

impl Runner<'_> {
    fn run_all(&mut self) -> Result<(), LoadError> {
        let count = self.plan.programs.len();
        for pair in 1..=self.plan.pairs {
            for index in 0..count {
                self.run_program(pair, true, index)?;
            }
            for index in (0..count).rev() {
                self.run_program(pair, false, index)?;
            }
        }
        Ok(())
    }

    /// Runs a program, and once more if that gave nothing to rely on.
    fn run_program(&mut self, pair: u32, forth: bool, index: usize) -> Result<(), LoadError> {
        let plan = self.plan;
        let Program { name, command } = &plan.programs[index];
        let settings = plan.with(command);
        let mut attempt = 0;
        loop {
            attempt += 1;
            let (brief, reasons) = match (self.run)(&settings) {
                Ok(outcome) => {
                    self.gaps = outcome.traffic.gaps_text();
                    (brief(&outcome), outcome.verdict.reasons)
                }
                Err(LoadError::Unavailable(why)) if !self.runs[index].is_empty() => {
                    (without_result(), vec![why])
                }
                Err(LoadError::Unavailable(why)) => {
                    return Err(LoadError::Unavailable(format!("{name}: {why}")));
                }
                Err(other) => return Err(other),
            };
            let is_doubtful = plan.is_doubtful(brief.standing);
            let repeated = is_doubtful && attempt < ATTEMPTS_MAX;
            let reasons = reasons.as_slice();
            (self.watch)(&Turn { pair, forth, name, brief: &brief, reasons, repeated });
            if is_doubtful {
                let pass = if forth { "forth" } else { "back" };
                let what = word(brief.standing);
                let then = if repeated { "made again" } else { "it stays so" };
                let why = reasons.join("; ");
                self.notes.push(format!("{name}, pair {pair} {pass}: {what} ({why}); {then}"));
            }
            if !repeated {
                self.runs[index].push(brief);
                return Ok(());
            }
        }
    }
}

fn brief(outcome: &Outcome) -> Brief {
    Brief {
        rate: outcome.rates.achieved,
        p50_us: outcome.latency.as_ref().map(|latency| latency.p50_us),
        p99_us: outcome.latency.as_ref().map(|latency| latency.p99_us),
        cost: outcome.cost,
        standing: outcome.verdict.standing,
    }
}

fn without_result() -> Brief {
    Brief { rate: 0.0, p50_us: None, p99_us: None, cost: None, standing: Standing::Failed }
}

fn word(standing: Standing) -> &'static str {
    match standing {
        Standing::Passed => "passed",
        Standing::Failed => "failed",
        Standing::Invalid => "invalid",
        Standing::Saturated => "saturated",
    }
}

#[cfg(test)]
mod tests;
