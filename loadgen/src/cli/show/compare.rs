//! A comparison: a line for each run, and a table at the end.

use comfy_table::Table;

use super::figures::{self, NONE, grouped, latency, mebibytes, rate, reasons};
use super::outcome::standing;
use crate::cli::look::{GOOD, Look, style_of};
use loadgen_load::compare::{Turn, worst};
use loadgen_load::outcome::{Brief, Comparison, Contender, Ratio, Standing};

/// One run as it was made, of `pairs` pairs of programs whose names are at most this wide.
pub(crate) fn turn_line(turn: &Turn<'_>, pairs: u32, width: usize, look: Look) -> String {
    let pass = if turn.forth { "forth" } else { "back" };
    let mut text = format!("pair {}/{pairs} {pass:5}  {:width$}", turn.pair, turn.name);
    let [p50, p99, cpu, _] = figures_of(turn.brief);
    let rate = rate(turn.brief.rate);
    text.push_str(&format!("  {rate:>12}  p50 {p50:>7}  p99 {p99:>7}  {cpu:>7} ns CPU  "));
    let standing = look.paint(style_of(turn.brief.standing), standing(turn.brief.standing));
    text.push_str(&standing);
    if !turn.reasons.is_empty() {
        text.push_str(&format!(": {}", reasons(turn.reasons)));
    }
    if turn.repeated {
        text.push_str("; again");
    }
    text
}

/// Medians, ratios, what was odd, and what that amounts to in a sentence.
pub(crate) fn comparison_text(comparison: &Comparison, look: Look) -> String {
    let mut text = medians(comparison, look.width).trim_fmt();
    if comparison.programs.len() > 1 {
        text.push_str(&format!("\n\n{}", ratios(comparison, look.width).trim_fmt()));
    }
    text.push('\n');
    for note in &comparison.notes {
        text.push_str(&format!("\n  {note}"));
    }
    if !comparison.notes.is_empty() {
        text.push('\n');
    }
    format!("{text}\n{}", result(comparison, look))
}

fn medians(comparison: &Comparison, width: u16) -> Table {
    let heading = ["medians", "rate", "p50", "p99", "CPU ns/message", "RSS", "runs"];
    let row = |program: &Contender| {
        let [p50, p99, cpu, rss] = figures_of(&program.median);
        let (name, speed) = (program.name.clone(), rate(program.median.rate));
        [name, speed, p50, p99, cpu, rss, runs_text(program)]
    };
    figures::table_with_remarks(width, heading, comparison.programs.iter().map(row).collect())
}

fn ratios(comparison: &Comparison, width: u16) -> Table {
    let first = comparison.programs.first().map(|program| program.name.as_str());
    let heading = [
        &format!("against {}", first.unwrap_or(NONE)),
        "rate",
        "quartiles",
        "CPU a message",
        "quartiles",
    ];
    let row = |program: &Contender| {
        let [rate, rates] = ratio_texts(program.rate_ratio);
        let [cpu, cpus] = ratio_texts(program.cpu_ratio);
        [program.name.clone(), rate, rates, cpu, cpus]
    };
    figures::table(width, heading, comparison.programs.iter().skip(1).map(row).collect())
}

/// What the comparison amounts to.
fn result(comparison: &Comparison, look: Look) -> String {
    let programs = &comparison.programs;
    let worst = worst(programs.iter().map(|program| program.median.standing));
    let Some((first, others)) = programs.split_first() else { return "RESULT: none".to_owned() };
    let others: Vec<_> = others.iter().map(|program| against(program, &first.name)).collect();
    let others = others.join("; ");
    let what = match worst {
        Standing::Passed | Standing::Saturated => {
            return format!("{}: {others}", look.paint(GOOD, "RESULT"));
        }
        Standing::Failed => "verification failed",
        Standing::Invalid => "the instrument was the bottleneck",
    };
    let word = look.paint(style_of(worst), standing(worst));
    format!("{word}: {what} in {}; without them, {others}", bad_runs(programs, worst))
}

/// `2 of 10 runs of ours, 1 of 10 runs of theirs`.
fn bad_runs(programs: &[Contender], bad: Standing) -> String {
    let counts = programs.iter().filter_map(|program| {
        let count = program.runs.iter().filter(|run| run.standing == bad).count();
        (count > 0).then(|| format!("{count} of {} runs of {}", program.runs.len(), program.name))
    });
    counts.collect::<Vec<_>>().join(", ")
}

/// A program beside the first one, in words and figures.
fn against(program: &Contender, first: &str) -> String {
    let Contender { name, rate_ratio, cpu_ratio, .. } = program;
    let Some(rates) = rate_ratio else { return format!("{name} has no ratio to {first}") };
    let speed = word(rates, ["slower", "as fast", "faster"]);
    let mut text = format!("{name} makes {:.3} times the rate of {first} ({speed})", rates.median);
    if let Some(cpus) = cpu_ratio {
        let cost = word(cpus, ["less", "as much", "more"]);
        text.push_str(&format!(" at {:.3} times its CPU a message ({cost})", cpus.median));
    }
    text
}

/// Of below, about and above 1: half of all ratios are between the quartiles.
fn word(ratio: &Ratio, [below, about, above]: [&'static str; 3]) -> &'static str {
    match ratio {
        Ratio { q3, .. } if *q3 < 1.0 => below,
        Ratio { q1, .. } if *q1 > 1.0 => above,
        _ => about,
    }
}

/// `4 PASSED`, or `3 PASSED, 1 FAILED`.
fn runs_text(program: &Contender) -> String {
    use loadgen_load::outcome::Standing::{Failed, Invalid, Passed, Saturated};
    let counts = [Passed, Saturated, Invalid, Failed].map(|of| {
        let count = program.runs.iter().filter(|run| run.standing == of).count();
        (count > 0).then(|| format!("{count} {}", standing(of)))
    });
    counts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// The median, and the quartiles.
fn ratio_texts(ratio: Option<Ratio>) -> [String; 2] {
    let none = || [NONE, NONE].map(str::to_owned);
    ratio.map_or_else(none, |Ratio { median, q1, q3 }| {
        [format!("{median:.3}"), format!("{q1:.3} to {q3:.3}")]
    })
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
    use loadgen_load::example;

    const PLAIN: Look = Look { width: 120, colours: false };

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
        assert_eq!(turn_line(&turn, 5, 6, PLAIN), expected);
    }

    fn program(name: &str, ratio: Option<[f64; 3]>, standings: [Standing; 3]) -> Contender {
        let ratio = ratio.map(|[q1, median, q3]| Ratio { median, q1, q3 });
        Contender {
            name: name.to_owned(),
            command: Vec::new(),
            runs: standings.map(brief).into(),
            median: Brief { p99_us: None, ..brief(worst(standings)) },
            rate_ratio: ratio,
            cpu_ratio: ratio,
        }
    }

    fn comparison(programs: Vec<Contender>) -> Comparison {
        let notes = vec!["ended early".to_owned()];
        Comparison { settings: example::settings(1e3, ""), programs, pairs: 3, notes }
    }

    #[test]
    fn the_tables_have_every_program() {
        use Standing::{Failed, Passed};
        let ours = program("ours", None, [Passed; 3]);
        let theirs = program("theirs", Some([0.4, 0.5, 0.61]), [Passed, Failed, Passed]);
        let text = comparison_text(&comparison(vec![ours, theirs]), PLAIN);
        for part in ["200,000/s", "10.0 MiB", "0.500", "0.400 to 0.610", "2 PASSED, 1 FAILED"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(text.contains("against ours") && text.contains("\n\n  ended early\n\n"), "{text}");
    }

    #[test]
    fn it_ends_with_a_sentence() {
        use Standing::{Failed, Invalid, Passed, Saturated};
        let last = |ratio, standings| {
            let programs =
                vec![program("ours", None, [Passed; 3]), program("theirs", ratio, standings)];
            let text = comparison_text(&comparison(programs), PLAIN);
            text.lines().last().unwrap_or_default().to_owned()
        };
        let table = [
            ([0.4, 0.5, 0.6], "slower", "less"),
            ([1.5, 2.0, 2.5], "faster", "more"),
            ([0.9, 0.95, 1.1], "as fast", "as much"),
            ([1.0, 1.0, 1.0], "as fast", "as much"),
        ];
        for (ratio, speed, cost) in table {
            let median = ratio[1];
            let expected = format!(
                "RESULT: theirs makes {median:.3} times the rate of ours ({speed}) at {median:.3} \
                 times its CPU a message ({cost})"
            );
            for standing in [Passed, Saturated] {
                assert_eq!(last(Some(ratio), [standing; 3]), expected);
            }
        }
        assert_eq!(last(None, [Passed; 3]), "RESULT: theirs has no ratio to ours");
        let failed = "FAILED: verification failed in 2 of 3 runs of theirs; without them, theirs \
            has no ratio to ours";
        assert_eq!(last(None, [Failed, Invalid, Failed]), failed);
        let invalid = "INVALID: the instrument was the bottleneck in 1 of 3 runs of theirs; \
            without them, theirs makes 0.500 times the rate of ours (slower) at 0.500 times its \
            CPU a message (less)";
        assert_eq!(last(Some([0.4, 0.5, 0.6]), [Passed, Invalid, Saturated]), invalid);
    }

    #[test]
    fn no_line_of_the_tables_is_too_long() {
        let long =
            "a-program-with-a-long-name --and --many --arguments --that --go --on --and --on";
        let mut programs: Vec<_> = [None, Some([0.123, 1000.5, 99_999.9]), Some([1.0; 3])]
            .into_iter()
            .map(|ratio| program(long, ratio, [Standing::Passed; 3]))
            .collect();
        for program in &mut programs {
            let median = &mut program.median;
            (median.rate, median.p50_us, median.p99_us) = (50e6, Some(60e6), Some(600e6));
            if let Some(cost) = &mut median.cost {
                (cost.cpu_ns_per_message, cost.rss_peak_kib) = (9_999_999.0, 99_999_999);
            }
        }
        let comparison = comparison(programs);
        let tables = |look| {
            let text = comparison_text(&comparison, look);
            text.split("\n\n").take(2).collect::<Vec<_>>().join("\n")
        };
        figures::assert_narrow(tables, &["50,000,000/s", "600.00 s", "9,999,999", "97656.2 MiB"]);
    }
}
