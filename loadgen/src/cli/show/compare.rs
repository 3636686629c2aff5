//! A comparison: a line for each run, and a table at the end.

use super::figures::{self, NONE, grouped, latency, mebibytes, rate, reasons};
use super::outcome::standing;
use crate::load::compare::Turn;
use crate::load::outcome::{Brief, Comparison, Contender, Ratio};

/// One run as it was made, of `pairs` pairs of programs whose names are at most this wide.
pub(crate) fn turn_line(turn: &Turn<'_>, pairs: u32, width: usize) -> String {
    let pass = if turn.forth { "forth" } else { "back" };
    let mut text = format!("pair {}/{pairs} {pass:5}  {:width$}", turn.pair, turn.name);
    let [p50, p99, cpu, _] = figures_of(turn.brief);
    let rate = rate(turn.brief.rate);
    text.push_str(&format!("  {rate:>12}  p50 {p50:>7}  p99 {p99:>7}  {cpu:>7} ns CPU  "));
    text.push_str(standing(turn.brief.standing));
    if !turn.reasons.is_empty() {
        text.push_str(&format!(": {}", reasons(turn.reasons)));
    }
    if turn.repeated {
        text.push_str("; again");
    }
    text
}

/// Medians and ratios, and what was odd.
pub(crate) fn comparison_text(comparison: &Comparison) -> String {
    let heading = [
        "medians",
        "rate",
        "p50",
        "p99",
        "CPU ns/message",
        "RSS",
        "rate ratio [q1..q3]",
        "CPU ratio [q1..q3]",
        "runs",
    ];
    let mut table = figures::table_with_remarks(heading);
    for (index, program) in comparison.programs.iter().enumerate() {
        let [p50, p99, cpu, rss] = figures_of(&program.median);
        let ratio = |of: Option<Ratio>| {
            let none = if index == 0 { "1" } else { NONE };
            of.map_or(none.to_owned(), ratio_text)
        };
        let (rates, cpus) = (ratio(program.rate_ratio), ratio(program.cpu_ratio));
        let (name, speed) = (program.name.clone(), rate(program.median.rate));
        table.add_row([name, speed, p50, p99, cpu, rss, rates, cpus, runs_text(program)]);
    }
    let mut text = table.trim_fmt();
    for note in &comparison.notes {
        text.push_str(&format!("\n  {note}"));
    }
    text
}

/// `4 PASSED`, or `3 PASSED, 1 FAILED`.
fn runs_text(program: &Contender) -> String {
    use crate::load::outcome::Standing::{Failed, Invalid, Passed, Saturated};
    let counts = [Passed, Saturated, Invalid, Failed].map(|of| {
        let count = program.runs.iter().filter(|run| run.standing == of).count();
        (count > 0).then(|| format!("{count} {}", standing(of)))
    });
    counts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn ratio_text(ratio: Ratio) -> String {
    format!("{:.3} [{:.3}..{:.3}]", ratio.median, ratio.q1, ratio.q3)
}

/// p50, p99, CPU per message and resident set.
fn figures_of(brief: &Brief) -> [String; 4] {
    let none = || NONE.to_owned();
    [
        brief.p50_us.map_or_else(none, latency),
        brief.p99_us.map_or_else(none, latency),
        brief.cost.map_or_else(none, |cost| grouped(cost.cpu_ns_per_message)),
        brief.cost.map_or_else(none, |cost| mebibytes(cost.rss_peak_kib)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::example;
    use crate::load::outcome::Standing;

    fn brief(standing: Standing) -> Brief {
        let outcome = example::outcome(&example::settings(1e3, "a"), 200e3, 312.0);
        Brief {
            rate: 200e3,
            p50_us: Some(156.0),
            p99_us: Some(312.0),
            cost: outcome.cost,
            standing,
        }
    }

    #[test]
    fn runs_are_lines() {
        let brief = brief(Standing::Failed);
        let reasons = ["2 alerts are missing".to_owned()];
        let turn = Turn {
            pair: 2,
            forth: false,
            name: "ours",
            brief: &brief,
            reasons: &reasons,
            repeated: true,
        };
        let expected = "pair 2/5 back   ours       200,000/s  p50  156 µs  p99  312 µs    \
            5,000 ns CPU  FAILED: 2 alerts are missing; again";
        assert_eq!(turn_line(&turn, 5, 6), expected);
    }

    #[test]
    fn the_table_has_every_program() {
        let program = |name: &str, rate_ratio| Contender {
            name: name.to_owned(),
            command: Vec::new(),
            runs: vec![brief(Standing::Passed), brief(Standing::Failed), brief(Standing::Passed)],
            median: Brief { p99_us: None, ..brief(Standing::Failed) },
            rate_ratio,
            cpu_ratio: None,
        };
        let ratio = Ratio { median: 0.5, q1: 0.4, q3: 0.61 };
        let comparison = Comparison {
            settings: example::settings(1e3, ""),
            programs: vec![program("ours", None), program("theirs", Some(ratio))],
            pairs: 3,
            notes: vec!["ended early".to_owned()],
        };
        let text = comparison_text(&comparison);
        for part in ["ours", "200,000/s", "10.0 MiB", "0.500 [0.400..0.610]", "2 PASSED, 1 FAILED"]
        {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(text.ends_with("\n  ended early"), "{text}");
    }
}
