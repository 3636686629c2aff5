//! The budgets themselves, and their table in Markdown. Pure.

use super::Unit::{
    Allocations, BinaryBytes, HeapBytes, Instructions, QueuedBytes, RssBytes, StartupMs, Writes,
};
use super::{Budget, Proof, Unit, grouped};
use crate::gate::PROGRAM;
use crate::gate::arch::Arch;

pub(super) const BEGIN: &str = "<!-- budgets: cargo perf budgets --write -->\n";
pub(super) const END: &str = "<!-- end of budgets -->\n";

/// Every budget, in the order shown. Those of parse and decide at 140 bytes and of the core were set
/// before there was anything to count; the others are what was first counted and 10 to 15 % more.
pub const BUDGETS: &[Budget] = &[

];

const fn gate(
    stage: &'static str,
    condition: &'static str,
    unit: Unit,
    arch: Option<Arch>,
    limit: u64,
) -> Budget {
    Budget { stage, unit, limit, arch, condition, proof: Proof::Gate }
}

const fn amd64(stage: &'static str, condition: &'static str, unit: Unit, limit: u64) -> Budget {
    gate(stage, condition, unit, Some(Arch::Amd64), limit)
}

const fn arm32(stage: &'static str, condition: &'static str, unit: Unit, limit: u64) -> Budget {
    gate(stage, condition, unit, Some(Arch::Arm32), limit)
}

const fn both(stage: &'static str, condition: &'static str, unit: Unit, limit: u64) -> Budget {
    gate(stage, condition, unit, None, limit)
}

/// The table.
pub fn markdown() -> String {
    let mut text = String::from("| stage | of | unit | budget | on | proven by |\n|---|---|---|---|---|---|\n");
    for budget in BUDGETS {
        let Budget { stage, unit, limit, arch, condition, proof } = budget;
        let on = arch.map_or("both", Arch::name);
        let (unit, limit) = (unit.title(), grouped(*limit));
        text += &format!("| `{stage}` | {condition} | {unit} | {limit} | {on} | {} |\n", told(*proof));
    }
    text
}

fn told(proof: Proof) -> String {
    match proof {
        Proof::Gate => "gate".to_owned(),
        Proof::Record(scenario) => format!("record: `{scenario}`"),
        Proof::Test(test) => format!("test: `{test}`"),
        Proof::Pending => "pending".to_owned(),
    }
}

/// `text` with `table` between its two marks; `None` when it has them not.
pub fn replace(text: &str, table: &str) -> Option<String> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}{table}{END}{after}"))
}
