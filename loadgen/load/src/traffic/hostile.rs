//! Broken, odd and extreme bodies among good ones.
//!
//! One body in two is a good one of the simulated sensor, so that what a broken body leaves behind
//! shows in the next. The others come from a table of cases, each as often as the other.

mod cases;

use super::error::TrafficError;
use super::simulated::Simulated;
use crate::settings::TrafficSettings;
use cases::{Case, Expect};

/// Share of alerts among the good ones.
const GOOD_ALERTS: f64 = 0.1;

/// Writes the mix.
pub(super) struct Hostile {
    good: Simulated,
    good_left: u32,
    left: u32,
    cases: Vec<Case>,
    /// Indices of the cases; when all had their turn, all come again in another order.
    order: Vec<usize>,
    turn: usize,
    random: fastrand::Rng,
}

impl Hostile {
    pub(super) fn new(settings: &TrafficSettings) -> Result<Self, TrafficError> {
        let good = Simulated::new(settings, GOOD_ALERTS)?;
        let cases = cases::all(settings.threshold);
        let order: Vec<usize> = (0..cases.len()).collect();
        // Not the numbers that the good ones are drawn with.
        let random = fastrand::Rng::with_seed(!settings.seed);
        let turn = order.len();
        Ok(Self { good, good_left: 0, left: 0, cases, order, turn, random })
    }

    pub(super) fn bytes_max(&self) -> usize {
        let largest = self.cases.iter().map(Case::bytes).max().unwrap_or(0);
        largest.max(self.good.bytes_max())
    }

    /// So many bodies will be written, half of them good.
    pub(super) fn begin(&mut self, bodies: u32) -> Result<(), TrafficError> {
        self.left = bodies;
        self.good_left = bodies.div_ceil(2);
        self.good.begin(self.good_left)
    }

    /// Appends the body of `slot`, and tells whether it is an alert.
    pub(super) fn write(&mut self, slot: u32, out: &mut Vec<u8>) -> bool {
        // Drawn, not in turn: each sensor must get both.
        let is_good = self.random.u32(0..self.left) < self.good_left;
        self.left -= 1;
        if is_good {
            self.good_left -= 1;
            return self.good.write(slot, out);
        }
        if self.turn == self.order.len() {
            self.shuffle();
        }
        let case = &self.cases[self.order[self.turn]];
        self.turn += 1;
        case.write(slot, out);
        case.expect == Expect::Alert
    }

    /// All draws are of 32 bits, so that a 32-bit machine gets the same bytes.
    fn shuffle(&mut self) {
        for last in (1..self.order.len()).rev() {
            let bound = u32::try_from(last).expect("the table is short");
            self.order.swap(last, self.random.u32(0..=bound) as usize);
        }
        self.turn = 0;
    }
}

#[cfg(test)]
mod tests;
