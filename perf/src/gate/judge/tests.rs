use super::*;
use crate::gate::baseline::Facts;

fn row(stage: &str, value: u64, noise: u64) -> Row {
    Row { stage: stage.to_owned(), unit: Unit::Instructions, value, noise }
}

fn judge(old: &[Row], history: &[Entry], budget: Option<u64>, now: &[Row]) -> Vec<Judged> {
    let baseline = Baseline { facts: Facts::default(), rows: old.to_vec() };
    let budget = |_, _: &str, _| budget;
    let expected = Expected { arch: Arch::Amd64, baseline: &baseline, history, budget: &budget };
    expected.judge(now, |stage| stage != "left out")
}

fn verdict(old: u64, noise: u64, now: u64) -> Verdict {
    judge(&[row("core", old, noise)], &[], None, &[row("core", now, 0)])[0].verdict
}

/// Up to the threshold itself nothing is said, in either direction; one more is told.
#[test]
fn thresholds_hold_to_the_instruction() {
    use Verdict::{Better, Same, Worse};
    for (old, noise, now, expected) in [
        (200_000, 0, 200_000, Same),
        (200_000, 0, 201_000, Same),
        (200_000, 0, 201_001, Worse),
        (200_000, 0, 199_000, Same),
        (200_000, 0, 198_999, Better),
        // Three times a noise of 0.5 %.
        (200_000, 1000, 203_000, Same),
        (200_000, 1000, 203_001, Worse),
        // Never more than 3 %.
        (200_000, 100_000, 206_000, Same),
        (200_000, 100_000, 206_001, Worse),
        // Small counts are exact, and none means none.
        (199, 0, 199, Same),
        (199, 0, 200, Worse),
        (32, 0, 33, Worse),
        (0, 0, 0, Same),
        (0, 5, 1, Worse),
        (5, 0, 0, Better),
        (u64::MAX, 0, u64::MAX, Same),
        (1000, u64::MAX, 1031, Worse),
    ] {
        assert_eq!(verdict(old, noise, now), expected, "{old} ± {noise}, {now}");
    }
}

/// The noisiest blessing of this very row makes its threshold, however long ago it was.
#[test]
fn the_history_of_the_row_counts() {
    let entry = |arch, stage: &str, unit, noise| Entry {
        time: String::new(),
        commit: String::new(),
        arch,
        stage: stage.to_owned(),
        unit,
        value: 1_000_000,
        noise,
        reason: String::new(),
    };
    let history = [
        entry(Arch::Amd64, "core", Unit::Instructions, 4_000),
        entry(Arch::Amd64, "core", Unit::Instructions, 3_000),
        entry(Arch::Arm32, "core", Unit::Instructions, 9_000),
        entry(Arch::Amd64, "decode", Unit::Instructions, 9_000),
        entry(Arch::Amd64, "core", Unit::HeapBytes, 9_000),
    ];
    let rows = judge(&[row("core", 200_000, 0)], &history, None, &[row("core", 202_400, 0)]);
    assert_eq!((rows[0].threshold_ppm, rows[0].verdict), (12_000, Verdict::Same));
}

/// Over its budget a row fails whatever was blessed; at it, it does not.
#[test]
fn budgets_are_above_baselines() {
    let old = [row("core", 500, 0)];
    let judged = |now| judge(&old, &[], Some(500), &[row("core", now, 0)])[0].verdict;
    assert_eq!(judged(500), Verdict::Same);
    assert_eq!(judged(501), Verdict::OverBudget);
    let new = judge(&[], &[], Some(500), &[row("core", 501, 0)]);
    assert_eq!(new[0].verdict, Verdict::OverBudget);
}

#[test]
fn rows_on_one_side_alone_are_new_or_gone() {
    let old = [row("core", 1, 0), row("old", 1, 0), row("left out", 1, 0)];
    let rows = judge(&old, &[], None, &[row("core", 1, 0), row("young", 1, 0)]);
    let found: Vec<(&str, Verdict)> =
        rows.iter().map(|row| (row.stage.as_str(), row.verdict)).collect();
    use Verdict::{Gone, New, Same};
    assert_eq!(found, [("core", Same), ("young", New), ("old", Gone)]);
}

/// A regression is not hidden by what could not be compared.
#[test]
fn exit_codes_tell_the_worst() {
    let with = |verdict| Judged {
        stage: String::new(),
        unit: Unit::Writes,
        baseline: None,
        now: None,
        threshold_ppm: 0,
        budget: None,
        verdict,
    };
    use Verdict::{Better, Gone, New, OverBudget, Same, Worse};
    for (verdicts, uncounted, code) in [
        (&[][..], 0, 0),
        (&[Same, Better], 0, 0),
        (&[Same], 1, 2),
        (&[New, Same], 0, 2),
        (&[Gone], 0, 2),
        (&[Worse, New], 1, 1),
        (&[Same, OverBudget], 0, 1),
    ] {
        let rows: Vec<Judged> = verdicts.iter().copied().map(with).collect();
        assert_eq!(exit_code(&rows, uncounted), code, "{verdicts:?}, {uncounted}");
    }
    assert_eq!([worst(&[0, 0]), worst(&[0, 2]), worst(&[1, 2]), worst(&[])], [0, 2, 1, 0]);
}
