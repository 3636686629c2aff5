//! Verdicts as text. Pure.

use comfy_table::{CellAlignment, Table, presets};

use super::judge::{Judged, THRESHOLD_MAX_PPM, Verdict};

/// Rows named in one line of advice.
const NAMES_MAX: usize = 10;

/// Every row that says something: what is and was 0 is left out.
pub(super) fn table(rows: &[Judged]) -> String {
    let mut table = Table::new();
    table.load_preset(presets::ASCII_MARKDOWN);
    table.set_header([
        "stage",
        "unit",
        "baseline",
        "now",
        "change",
        "threshold",
        "budget",
        "verdict",
    ]);
    for column in table.column_iter_mut().skip(2).take(5) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    for row in rows.iter().filter(|row| !is_nothing(row)) {
        table.add_row(cells(row));
    }
    table.trim_fmt()
}

fn is_nothing(row: &Judged) -> bool {
    row.now == Some(0) && row.baseline.unwrap_or(0) == 0
}

fn cells(row: &Judged) -> [String; 8] {
    let number = |value: Option<u64>| value.map_or("-".to_owned(), |value| row.unit.text(value));
    [
        row.stage.clone(),
        row.unit.title().to_owned(),
        number(row.baseline),
        number(row.now),
        row.baseline.zip(row.now).map_or("-".to_owned(), |(old, now)| change(old, now)),
        percent(row.threshold_ppm),
        number(row.budget),
        word(row.verdict).to_owned(),
    ]
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Same => "same",
        Verdict::Better => "better",
        Verdict::Worse => "WORSE",
        Verdict::OverBudget => "OVER BUDGET",
        Verdict::New => "NEW",
        Verdict::Gone => "GONE",
    }
}

fn percent(ppm: u64) -> String {
    format!("{:.2} %", ppm as f64 / 1e4)
}

/// In per cent with its sign; from nothing there is none.
fn change(old: u64, now: u64) -> String {
    match (old, now) {
        _ if old == now => "0 %".to_owned(),
        (0, _) => "from 0".to_owned(),
        _ => format!("{:+.2} %", (now as f64 - old as f64) / old as f64 * 100.0),
    }
}

/// How many rows stand how, in one line.
pub(super) fn summary(rows: &[Judged]) -> String {
    let count = |verdict| rows.iter().filter(|row| row.verdict == verdict).count();
    let counts = [
        ("worse", count(Verdict::Worse)),
        ("over budget", count(Verdict::OverBudget)),
        ("new", count(Verdict::New)),
        ("gone", count(Verdict::Gone)),
        ("better", count(Verdict::Better)),
        ("same", count(Verdict::Same)),
    ];
    let counted = counts.iter().filter(|(_, count)| *count > 0);
    let counted: Vec<String> = counted.map(|(word, count)| format!("{count} {word}")).collect();
    format!("{} rows: {}", rows.len(), counted.join(", "))
}

/// What to do about these verdicts, in a line for each kind.
pub(super) fn advice(rows: &[Judged]) -> Vec<String> {
    let named = |wanted: Verdict| -> String {
        let rows = rows.iter().filter(|row| row.verdict == wanted);
        let names: Vec<String> =
            rows.map(|row| format!("{}/{}", row.stage, row.unit.name())).collect();
        let more = match names.len().saturating_sub(NAMES_MAX) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        names[..names.len().min(NAMES_MAX)].join(" ") + &more
    };
    let noisy = |row: &&Judged| row.threshold_ppm >= THRESHOLD_MAX_PPM;
    let noisy: Vec<&str> = rows.iter().filter(noisy).map(|row| row.stage.as_str()).collect();
    let lines = [
        (
            named(Verdict::Worse),
            "past the threshold: mend it, or, where the cost is meant, bless it with the reason: \
             cargo perf gate --bless REASON",
        ),
        (
            named(Verdict::OverBudget),
            "over budget: no blessing helps; the budgets are in perf/src/budgets/table.rs",
        ),
        (named(Verdict::New), "without a baseline: add it: cargo perf gate --bless REASON"),
        (
            named(Verdict::Gone),
            "in the baseline and not counted any more: restore the stage, or drop the row: cargo \
             perf gate --bless REASON",
        ),
        (
            named(Verdict::Better),
            "better past the threshold: keep it that way: cargo perf gate --bless REASON",
        ),
        (
            noisy.join(" "),
            "too noisy, at a threshold of 3 % that grows no further: make what the stage runs \
             repeat exactly",
        ),
    ];
    lines
        .into_iter()
        .filter(|(names, _)| !names.is_empty())
        .map(|(names, what)| format!("{names}: {what}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budgets::Unit;

    fn row(
        stage: &str,
        unit: Unit,
        old: Option<u64>,
        now: Option<u64>,
        verdict: Verdict,
    ) -> Judged {
        Judged {
            stage: stage.to_owned(),
            unit,
            baseline: old,
            now,
            threshold_ppm: 5_000,
            budget: Some(2_800_000),
            verdict,
        }
    }

    #[test]
    fn rows_are_shown_in_their_units() {
        let rows = [
            row("core", Unit::Instructions, Some(1_600_000), Some(1_650_040), Verdict::Worse),
            row("core", Unit::Writes, Some(0), Some(0), Verdict::Same),
            row("core", Unit::Allocations, Some(0), Some(1), Verdict::Worse),
            row("twin", Unit::HeapBytes, None, Some(7), Verdict::New),
            row("old", Unit::HeapBytes, Some(7), None, Verdict::Gone),
        ];
        let text = table(&rows);
        let lines: Vec<Vec<&str>> =
            text.lines().skip(2).map(|line| line.split('|').map(str::trim).collect()).collect();
        assert_eq!(
            lines[0][1..9],
            ["core", "instructions", "1,600.0", "1,650.0", "+3.13 %", "0.50 %", "2,800.0", "WORSE"]
        );
        assert_eq!(lines[1][3..6], ["0", "1", "from 0"]);
        assert_eq!(lines[2][3..6], ["-", "7", "-"]);
        assert_eq!(lines[3][3..6], ["7", "-", "-"]);
        assert_eq!(lines.len(), 4, "{text}");
        assert_eq!(summary(&rows), "5 rows: 2 worse, 1 new, 1 gone, 1 same");
    }

    /// Each kind of trouble has its advice; where there is none, nothing is said.
    #[test]
    fn advice_names_the_rows() {
        let verdicts =
            [Verdict::Worse, Verdict::OverBudget, Verdict::New, Verdict::Gone, Verdict::Better];
        for verdict in verdicts {
            let lines = advice(&[row("core", Unit::Writes, Some(1), Some(2), verdict)]);
            assert_eq!(lines.len(), 1, "{lines:?}");
            assert!(lines[0].starts_with("core/writes: "), "{lines:?}");
            assert_eq!(lines[0].contains("--bless"), verdict != Verdict::OverBudget);
        }
        assert!(advice(&[row("core", Unit::Writes, Some(1), Some(1), Verdict::Same)]).is_empty());
        let noisy = Judged {
            threshold_ppm: THRESHOLD_MAX_PPM,
            ..row("core", Unit::Writes, Some(1), Some(1), Verdict::Same)
        };
        assert!(advice(&[noisy])[0].starts_with("core: too noisy"));
        let many = vec![row("core", Unit::Writes, None, Some(2), Verdict::New); NAMES_MAX + 3];
        assert!(advice(&many)[0].contains("core/writes and 3 more: "));
    }
}
