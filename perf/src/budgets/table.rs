//! The budgets themselves, and their table in Markdown. Pure.

use super::budget::Unit::{
    Allocations, BinaryBytes, HeapBytes, Instructions, QueuedBytes, RssBytes, StartupMs, Writes,
};
use super::budget::{Budget, PROGRAM, Proof, Unit, grouped};
use crate::arch::Arch;

pub(super) const BEGIN: &str = "<!-- budgets: cargo perf budgets --write -->\n";
pub(super) const END: &str = "<!-- end of budgets -->\n";

/// Every budget, in the order shown. Those of parse and decide at 140 bytes and of the core were
/// set before there was anything to count; the others are what was first counted and 10 to 15 %
/// more.
pub const BUDGETS: &[Budget] = &[
    amd64("decode", "140 B", Instructions, 400),
    arm32("decode", "140 B", Instructions, 415),
    amd64("judge_140_hit", "140 B, an alert", Instructions, 2_800),
    arm32("judge_140_hit", "140 B, an alert", Instructions, 3_200),
    amd64("judge_140_miss", "140 B, no alert", Instructions, 2_800),
    arm32("judge_140_miss", "140 B, no alert", Instructions, 3_200),
    amd64("judge_140_malformed", "140 B, malformed at its end", Instructions, 8_350),
    arm32("judge_140_malformed", "140 B, malformed at its end", Instructions, 6_250),
    amd64("judge_1k_hit", "1 KB, an alert", Instructions, 9_900),
    arm32("judge_1k_hit", "1 KB, an alert", Instructions, 13_500),
    amd64("judge_1k_miss", "1 KB, no alert", Instructions, 9_800),
    arm32("judge_1k_miss", "1 KB, no alert", Instructions, 13_000),
    amd64("judge_1k_malformed", "1 KB, malformed at its end", Instructions, 54_000),
    arm32("judge_1k_malformed", "1 KB, malformed at its end", Instructions, 39_000),
    amd64("judge_8k_hit", "8 KB, an alert", Instructions, 77_000),
    arm32("judge_8k_hit", "8 KB, an alert", Instructions, 105_000),
    amd64("judge_8k_miss", "8 KB, no alert", Instructions, 77_000),
    arm32("judge_8k_miss", "8 KB, no alert", Instructions, 105_000),
    amd64("judge_8k_malformed", "8 KB, malformed at its end", Instructions, 425_000),
    arm32("judge_8k_malformed", "8 KB, malformed at its end", Instructions, 305_000),
    amd64("encode_alert", "140 B, topic and all", Instructions, 1_100),
    arm32("encode_alert", "140 B, topic and all", Instructions, 1_600),
    amd64("acknowledge", "from receipt to PUBACK", Instructions, 150),
    arm32("acknowledge", "from receipt to PUBACK", Instructions, 140),
    amd64("twin_patch", "patch to cell and report", Instructions, 18_500),
    arm32("twin_patch", "patch to cell and report", Instructions, 21_500),
    amd64("core", "140 B, QoS 1, one alert in ten", Instructions, 4_000),
    arm32("core", "140 B, QoS 1, one alert in ten", Instructions, 5_000),
    amd64("pipeline", "the module but sockets, one alert in ten", Instructions, 2_450),
    arm32("pipeline", "the module but sockets, one alert in ten", Instructions, 3_200),
    amd64("pipeline_alerts", "the module but sockets, all alerts", Instructions, 4_100),
    arm32("pipeline_alerts", "the module but sockets, all alerts", Instructions, 5_500),
    both("decode", "140 B", Allocations, 0),
    both("judge_140_hit", "140 B, an alert", Allocations, 0),
    both("judge_140_miss", "140 B, no alert", Allocations, 0),
    both("judge_140_malformed", "140 B, malformed at its end", Allocations, 2_200),
    amd64("judge_140_malformed", "140 B, malformed at its end", HeapBytes, 88_000),
    arm32("judge_140_malformed", "140 B, malformed at its end", HeapBytes, 44_000),
    both("judge_1k_hit", "1 KB, an alert", Allocations, 0),
    both("judge_1k_miss", "1 KB, no alert", Allocations, 0),
    both("judge_1k_malformed", "1 KB, malformed at its end", Allocations, 3_350),
    amd64("judge_1k_malformed", "1 KB, malformed at its end", HeapBytes, 97_000),
    arm32("judge_1k_malformed", "1 KB, malformed at its end", HeapBytes, 53_000),
    both("judge_8k_hit", "8 KB, an alert", Allocations, 0),
    both("judge_8k_miss", "8 KB, no alert", Allocations, 0),
    both("judge_8k_malformed", "8 KB, malformed at its end", Allocations, 3_350),
    amd64("judge_8k_malformed", "8 KB, malformed at its end", HeapBytes, 97_000),
    arm32("judge_8k_malformed", "8 KB, malformed at its end", HeapBytes, 53_000),
    both("encode_alert", "140 B, topic and all", Allocations, 0),
    both("acknowledge", "from receipt to PUBACK", Allocations, 0),
    both("twin_patch", "patch to cell and report", Allocations, 25_500),
    amd64("twin_patch", "patch to cell and report", HeapBytes, 2_700_000),
    arm32("twin_patch", "patch to cell and report", HeapBytes, 1_950_000),
    both("core", "140 B, QoS 1, one alert in ten", Allocations, 0),
    both("pipeline", "the module but sockets, one alert in ten", Allocations, 0),
    both("pipeline_alerts", "the module but sockets, all alerts", Allocations, 0),
    both("pipeline", "the module but sockets, one alert in ten", Writes, 6),
    both("pipeline", "the module but sockets, one alert in ten", QueuedBytes, 20_600),
    both("pipeline_alerts", "the module but sockets, all alerts", Writes, 6),
    both("pipeline_alerts", "the module but sockets, all alerts", QueuedBytes, 188_500),
    amd64(PROGRAM, "release build, stripped", BinaryBytes, 4_600_000),
    arm32(PROGRAM, "release build, stripped", BinaryBytes, 3_550_000),
    record("rss_idle", "idle, TLS", RssBytes, 10_000_000),
    record("startup", "from exec to subscribed, TLS", StartupMs, 500),
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

const fn record(scenario: &'static str, condition: &'static str, unit: Unit, limit: u64) -> Budget {
    let (arch, proof) = (Some(Arch::Amd64), Proof::Record(scenario));
    Budget { stage: PROGRAM, unit, limit, arch, condition, proof }
}

/// The table: a line for each stage and unit.
pub fn markdown() -> String {
    let mut text = String::from(
        "| stage | of | unit | amd64 | arm32 | proven by |\n|---|---|---|---|---|---|\n",
    );
    let is_same = |budget: &Budget, other: &Budget| {
        budget.stage == other.stage && budget.unit == other.unit && budget.proof == other.proof
    };
    for (index, budget) in BUDGETS.iter().enumerate() {
        if BUDGETS[..index].iter().any(|earlier| is_same(earlier, budget)) {
            continue;
        }
        let on = |arch| {
            let is_its = |other: &&Budget| {
                is_same(other, budget) && other.arch.is_none_or(|its| its == arch)
            };
            BUDGETS.iter().find(is_its).map_or("-".to_owned(), |budget| grouped(budget.limit))
        };
        let Budget { stage, unit, condition, proof, .. } = budget;
        let (amd64, arm32) = (on(Arch::Amd64), on(Arch::Arm32));
        let (unit, proof) = (unit.title(), proof_text(*proof));
        text += &format!("| `{stage}` | {condition} | {unit} | {amd64} | {arm32} | {proof} |\n");
    }
    text
}

fn proof_text(proof: Proof) -> String {
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
