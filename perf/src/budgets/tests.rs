use std::fs;
use std::path::PathBuf;

use super::*;
use crate::gate::baseline::Baseline;
use crate::record::scenario::SCENARIOS;

fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn archs(budget: &Budget) -> Vec<Arch> {
    budget.arch.map_or(Arch::ALL.to_vec(), |arch| vec![arch])
}

/// Every budget that the gate proves has its baseline, which is within it.
#[test]
fn baselines_are_within_their_budgets() {
    for arch in Arch::ALL {
        let baseline = Baseline::read(&root().join("perf/baseline"), arch).unwrap();
        for budget in BUDGETS.iter().filter(|budget| budget.proof == Proof::Gate) {
            if !archs(budget).contains(&arch) {
                continue;
            }
            let Some(row) = baseline.row(budget.stage, budget.unit) else {
                panic!("no baseline of {} for {budget:?}: cargo perf gate --bless", arch.name());
            };
            let limit = budget.limit * budget.unit.scale();
            assert!(row.value <= limit, "{}: {row:?}, {budget:?}", arch.name());
        }
    }
}

/// Every stage that is counted has a budget for its instructions, on both architectures.
#[test]
fn every_stage_has_a_budget() {
    for stage in stages::STAGES {
        for arch in Arch::ALL {
            let limit = counted_limit(arch, stage.name, Unit::Instructions);
            assert!(limit.is_some(), "{} on {}: add one to BUDGETS", stage.name, arch.name());
        }
    }
}

/// No budget stands for nothing: stages, scenarios and tests exist, and no two budgets contradict
/// each other.
#[test]
fn every_proof_exists() {
    for (index, budget) in BUDGETS.iter().enumerate() {
        match budget.proof {
            Proof::Gate => {
                let is_known = budget.stage == PROGRAM
                    || stages::STAGES.iter().any(|stage| stage.name == budget.stage);
                assert!(is_known, "{budget:?}");
            }
            Proof::Record(name) => {
                let scenario = SCENARIOS.iter().find(|scenario| scenario.name == name);
                let floor = scenario.unwrap_or_else(|| panic!("{budget:?}")).floor;
                let scale = if budget.unit == Unit::RssBytes { 1e6 } else { 1.0 };
                assert!((floor * scale - budget.limit as f64).abs() < 1e-6, "{budget:?}, {floor}");
            }
            Proof::Test(test) => {
                let (file, name) = test.split_once("::").unwrap();
                let text = fs::read_to_string(root().join(file)).unwrap();
                assert!(text.contains(&format!("fn {name}(")), "{budget:?}");
            }
            Proof::Pending => {}
        }
        let is_other = |other: &Budget| {
            other.stage != budget.stage
                || other.unit != budget.unit
                || archs(other).iter().all(|arch| !archs(budget).contains(arch))
        };
        assert!(BUDGETS[..index].iter().all(is_other), "twice: {budget:?}");
    }
}

/// The page has the table as it is here.
#[test]
fn the_page_shows_the_budgets() {
    let text = fs::read_to_string(root().join(PAGE)).unwrap();
    let expected = replace(&text, &markdown()).expect("the page has the two marks");
    assert!(text == expected, "{PAGE} is not up to date: cargo perf budgets --write");
}

#[test]
fn a_table_is_replaced_between_its_marks() {
    let marked = |table: &str| replace("a\n", table);
    assert_eq!(marked("x"), None);
    let old = format!("a\n{}old\n{}z\n", table::BEGIN, table::END);
    let new = replace(&old, "new\n").unwrap();
    assert_eq!(new, old.replace("old", "new"));
    assert_eq!(replace(&new, "new\n").as_ref(), Some(&new));
}

#[test]
fn values_are_shown_in_their_scale() {
    assert_eq!(Unit::Instructions.text(1_234_567), "1,234.5");
    assert_eq!(Unit::HeapBytes.text(1_234_567), "1,234,567");
    assert_eq!([0, 999, 1000].map(grouped), ["0", "999", "1,000"]);
    let limit = counted_limit(Arch::Arm32, "core", Unit::Instructions);
    assert!(limit.is_some_and(|limit| limit <= 5_000_000), "{limit:?}");
}
