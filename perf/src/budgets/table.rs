//! The budgets themselves, and their table in Markdown. Pure.

use super::{Budget, Proof, Unit, grouped};
use crate::gate::arch::Arch;

pub(super) const BEGIN: &str = "<!-- budgets: cargo perf budgets --write -->\n";
pub(super) const END: &str = "<!-- end of budgets -->\n";

/// Every budget, in the order shown.
pub const BUDGETS: [Budget; 4] = [
    instructions("judge_140_hit", Arch::Amd64, 2800, "140 B, an alert"),
    instructions("judge_140_hit", Arch::Arm32, 3200, "140 B, an alert"),
    instructions("core", Arch::Amd64, 4000, "QoS 1, one alert in ten"),
    instructions("core", Arch::Arm32, 5000, "QoS 1, one alert in ten"),
];

const fn instructions(
    stage: &'static str,
    arch: Arch,
    limit: u64,
    condition: &'static str,
) -> Budget {
    Budget { stage, unit: Unit::Instructions, limit, arch: Some(arch), condition, proof: Proof::Gate }
}

/// The table.
pub fn markdown() -> String {
    let mut text = String::from("| stage | of | unit | budget | on | proven by |\n|---|---|---|---|---|---|\n");
    for budget in &BUDGETS {
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
