//! Budgets: what a stage may cost at most, where, under which condition, and where that is proven.
//! Pure.
//!
//! [`BUDGETS`] is the table. docs/budgets.md shows it; `cargo perf budgets` prints it as it is
//! there.

use crate::arch::Arch;

mod budget;
mod table;

pub use budget::{Budget, PROGRAM, Proof, Unit, grouped};
pub use table::{BUDGETS, markdown, replace};

/// The page that shows the table, from the top of the repository.
pub const PAGE: &str = "docs/budgets.md";

/// The least budget that the gate holds a row to, in counted values.
pub fn counted_limit(arch: Arch, stage: &str, unit: Unit) -> Option<u64> {
    let is_its = |budget: &&Budget| {
        budget.proof == Proof::Gate
            && budget.stage == stage
            && budget.unit == unit
            && budget.arch.is_none_or(|its| its == arch)
    };
    BUDGETS.iter().filter(is_its).map(|budget| budget.limit * unit.scale()).min()
}

#[cfg(test)]
mod tests;
