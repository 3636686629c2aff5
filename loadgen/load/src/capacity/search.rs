//! Which rate is tried next. Pure: a rate goes out, whether it held comes in.
//!
//! ```text
//!         held             failed, one held       1.05 apart          3 times
//! +--> Climb (x 2) ---> Bisect (geometric mean) ---> Confirm ---> Refuse (x 1.15) --failed--> over
//! |                                                   ^  | failed     |
//! |                                                   +--+ -5 %       | held
//! +-------------------------------------------------------------------+
//! ```
//! A program whose limit is sharp at C, between the lowest and the highest rate, is found within C
//! / [`PRECISION`] and C. Every loop back is bounded, so that any sequence of answers comes to an
//! end.

use crate::outcome::ProbeStep;

/// From one rate of the climb to the next.
pub const CLIMB_FACTOR: f64 = 2.0;
/// Tries at the first rate of all, where a single failure would end the search.
pub const START_TRIES: u32 = 2;
/// The bisection ends when what failed is at most this times what held; and a rate that cannot be
/// confirmed is lowered by it.
pub const PRECISION: f64 = 1.05;
/// Times that the rate found must hold again.
pub const CONFIRMATIONS: u32 = 3;
/// What times the rate found must fail.
pub const REFUSAL: f64 = 1.15;
/// Times in all that a rate is lowered because it could not be confirmed.
pub const DESCENTS_MAX: u32 = 8;
/// Times in all that the climb goes on from a rate that should have failed.
pub const CLIMBS_AGAIN_MAX: u32 = 3;

// The bisection leaves less than that between the rate found and one that failed already.
const _: () = assert!(REFUSAL > PRECISION && PRECISION > 1.0 && CLIMB_FACTOR > 1.0);

/// A search on its way.
#[derive(Debug, Clone)]
pub(super) struct Search {
    max: f64,
    step: Step,
    start_tries: u32,
    descents: u32,
    climbs_again: u32,
    confirmed: Option<f64>,
    notes: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Step {
    /// `held` is the highest rate that did, if there is one.
    Climb {
        held: Option<f64>,
        rate: f64,
    },
    Bisect {
        held: f64,
        failed: f64,
        rate: f64,
    },
    /// It held `times` so far.
    Confirm {
        rate: f64,
        times: u32,
    },
    /// `rate` is the one that was confirmed.
    Refuse {
        rate: f64,
    },
    Over,
}

impl Search {
    /// From `start`, which is above 0, to `max`, which is not below it.
    pub(super) fn new(start: f64, max: f64) -> Self {
        assert!(0.0 < start && start <= max, "{start} to {max} is no range");
        Self {
            max,
            step: Step::Climb { held: None, rate: start },
            start_tries: 0,
            descents: 0,
            climbs_again: 0,
            confirmed: None,
            notes: Vec::new(),
        }
    }

    /// What to try now; `None` when the search is over.
    pub(super) fn next(&self) -> Option<(ProbeStep, f64)> {
        match self.step {
            Step::Climb { rate, .. } => Some((ProbeStep::Climb, rate)),
            Step::Bisect { rate, .. } => Some((ProbeStep::Bisect, rate)),
            Step::Confirm { rate, .. } => Some((ProbeStep::Confirm, rate)),
            Step::Refuse { rate } => Some((ProbeStep::Refuse, rate * REFUSAL)),
            Step::Over => None,
        }
    }

    /// The highest rate that was confirmed so far.
    pub(super) fn confirmed(&self) -> Option<f64> {
        self.confirmed
    }

    /// What was odd so far.
    pub(super) fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Takes in whether the rate given by [`Self::next`] held.
    pub(super) fn record(&mut self, held: bool) {
        self.step = match self.step {
            Step::Climb { rate, .. } if held => self.climb_from(rate),
            Step::Climb { held: Some(held), rate } => narrow(held, rate),
            Step::Climb { held: None, rate } => self.start_failed(rate),
            Step::Bisect { failed, rate, .. } if held => narrow(rate, failed),
            Step::Bisect { held, rate, .. } => narrow(held, rate),
            Step::Confirm { rate, times } if held => self.confirmed_once_more(rate, times + 1),
            Step::Confirm { rate, .. } => self.descend(rate),
            Step::Refuse { rate } if held => self.climb_again(rate),
            Step::Refuse { .. } | Step::Over => Step::Over,
        };
    }

    fn climb_from(&self, held: f64) -> Step {
        if held >= self.max {
            return Step::Confirm { rate: held, times: 0 };
        }
        Step::Climb { held: Some(held), rate: (held * CLIMB_FACTOR).min(self.max) }
    }

    fn start_failed(&mut self, rate: f64) -> Step {
        self.start_tries += 1;
        if self.start_tries < START_TRIES {
            return Step::Climb { held: None, rate };
        }
        self.over(format!("even {rate:.0}/s, the lowest rate tried, did not hold"))
    }

    fn confirmed_once_more(&mut self, rate: f64, times: u32) -> Step {
        if times < CONFIRMATIONS {
            return Step::Confirm { rate, times };
        }
        self.confirmed = Some(rate);
        if rate * REFUSAL > self.max {
            let max = self.max;
            return self.over(format!(
                "no rate above {max:.0}/s was tried: {REFUSAL} times the rate found is not known \
                 to fail"
            ));
        }
        Step::Refuse { rate }
    }

    fn descend(&mut self, rate: f64) -> Step {
        let lower = rate / PRECISION;
        self.descents += 1;
        if let Some(confirmed) = self.confirmed.filter(|confirmed| lower <= *confirmed) {
            return self.over(format!(
                "{:.0}/s held once, but no rate above {confirmed:.0}/s could be confirmed: the \
                 program or the machine is unsteady",
                confirmed * REFUSAL
            ));
        }
        if self.descents > DESCENTS_MAX {
            return self.over(format!(
                "no rate held {CONFIRMATIONS} times again, down to {rate:.0}/s: the program or the \
                 machine is unsteady"
            ));
        }
        Step::Confirm { rate: lower, times: 0 }
    }

    fn climb_again(&mut self, rate: f64) -> Step {
        self.climbs_again += 1;
        if self.climbs_again > CLIMBS_AGAIN_MAX {
            return self.over(format!(
                "{REFUSAL} times the rate found held as well, {} times over: the program or the \
                 machine is unsteady",
                self.climbs_again
            ));
        }
        self.climb_from(rate * REFUSAL)
    }

    fn over(&mut self, note: String) -> Step {
        self.notes.push(note);
        Step::Over
    }
}

/// What comes between a rate that held and one that failed.
fn narrow(held: f64, failed: f64) -> Step {
    if failed <= held * PRECISION {
        return Step::Confirm { rate: held, times: 0 };
    }
    Step::Bisect { held, failed, rate: (held * failed).sqrt() }
}

#[cfg(test)]
mod tests;
