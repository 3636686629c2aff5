//! A long run with faults: the tables of a run, its faults, what stayed flat, and the verdict.

use comfy_table::Table;

use super::figures::{self, NONE, latency, mebibytes, rate};
use super::outcome::{tables, verdict};
use crate::cli::look::Look;
use crate::cli::text::thousands;
use loadgen_load::outcome::{Figure, OfKind, Soak, Standing, Steadiness};

/// Tables and the verdict, over several lines.
pub(crate) fn soak_text(soak: &Soak, look: Look) -> String {
    let mut parts = vec![tables(&soak.run, look)];
    if !soak.faults.is_empty() {
        parts.push(faults(soak, look.width).trim_fmt());
    }
    parts.push(steadiness(soak, look.width).trim_fmt());
    parts.push(figures::list(look.width, control(soak)).trim_fmt());
    parts.push(verdict(&soak.verdict, &sentence(soak), look));
    parts.join("\n\n")
}

/// Each kind in a row.
fn faults(soak: &Soak, width: u16) -> Table {
    let seconds = |time: Option<f64>| time.map_or(NONE.to_owned(), |s| format!("{s:.2} s"));
    let row = |of: OfKind| {
        let OfKind { kind, count, never_back, median_s, worst_s } = of;
        let counts = [count, never_back].map(|count| thousands(count as u64));
        let [count, never_back] = counts;
        [kind.text().to_owned(), count, seconds(median_s), seconds(worst_s), never_back]
    };
    let heading = ["fault", "times", "recovery, median", "worst", "never"];
    figures::table(width, heading, soak.by_kind().into_iter().map(row).collect())
}

/// Each figure in a row.
fn steadiness(soak: &Soak, width: u16) -> Table {
    let row = |it: &Steadiness| {
        let [second, last] = [it.second, it.last].map(|value| figure_text(it.figure, value));
        let held = match it.held {
            Some(true) => "yes",
            Some(false) => "NO",
            None => "too few seconds",
        };
        [name(it.figure).to_owned(), second, last, change(it), held.to_owned()]
    };
    let heading = ["figure", "second third", "last third", "change", "flat"];
    figures::table(width, heading, soak.steadiness.iter().map(row).collect())
}

fn name(figure: Figure) -> &'static str {
    match figure {
        Figure::Rss => "resident memory",
        Figure::Descriptors => "descriptors",
        Figure::Threads => "threads",
        Figure::P50 => "p50",
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "KiB of a process; what is no number is 0"
)]
fn figure_text(figure: Figure, value: f64) -> String {
    match figure {
        Figure::Rss => mebibytes(value as u64),
        Figure::Descriptors | Figure::Threads => format!("{value:.0}"),
        Figure::P50 => latency(value),
    }
}

fn change(it: &Steadiness) -> String {
    let change = (it.last / it.second - 1.0) * 100.0;
    if change.is_finite() { format!("{change:+.1} %") } else { NONE.to_owned() }
}

/// What was changed in the twin, and how often the program renewed its token.
fn control(soak: &Soak) -> Vec<(&'static str, String)> {
    let mut rows = Vec::new();
    if let Some([low, high]) = soak.thresholds {
        let patches = thousands(soak.patches);
        rows.push(("threshold", format!("changed {patches} times between {low} and {high}")));
    }
    rows.push(("renewals", format!("{} by the program", thousands(soak.renewals))));
    if let Some(capacity) = soak.capacity {
        rows.push(("capacity", format!("{}; half of it was asked", rate(capacity))));
    }
    rows
}

fn sentence(soak: &Soak) -> String {
    let counts = &soak.run.counts;
    if soak.verdict.standing == Standing::Invalid {
        return "the figures say nothing of the program".to_owned();
    }
    let lost = thousands(counts.missing);
    let faults = match soak.faults.len() {
        0 => return format!("{lost} alerts lost, without any fault"),
        1 => "1 fault".to_owned(),
        count => format!("{} faults", thousands(count as u64)),
    };
    let worst = match soak.recovery_max_s() {
        Some(seconds) => format!(", full rate back within {seconds:.2} s"),
        None => String::new(),
    };
    format!("{lost} alerts lost in {faults}{worst}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use loadgen_load::example;
    use loadgen_load::fault::FaultKind;
    use loadgen_load::outcome::{Fault, Verdict};

    const PLAIN: Look = Look { width: 120, colours: false };

    fn text(change: impl FnOnce(&mut Soak)) -> String {
        let mut soak = example::soak(200e3, "sluicegate");
        change(&mut soak);
        soak_text(&soak, PLAIN)
    }

    /// Whatever its columns are apart.
    #[track_caller]
    fn assert_has(text: &str, part: &str) {
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains(part), "no `{part}` in\n{text}");
    }

    #[test]
    fn a_clean_result_tells_its_figures() {
        let text = text(|_| {});
        for part in [
            "199,998/s",
            "connection cut 2 0.20 s 0.30 s 0",
            "program killed 1 0.50 s 0.50 s 0",
            "resident memory 6.8 MiB 6.9 MiB +1.4 % yes",
            "p50 80 µs 84 µs +5.0 % yes",
            "changed 59 times between 25 and 30.5",
            "59 by the program",
            "400,000/s; half of it was asked",
        ] {
            assert_has(&text, part);
        }
        let last = "\n\nPASSED: 0 alerts lost in 3 faults, full rate back within 0.50 s";
        assert!(text.ends_with(last), "{text}");
    }

    #[test]
    fn what_is_wrong_is_said() {
        let text = text(|soak| {
            soak.steadiness[0].held = Some(false);
            soak.steadiness[1].held = None;
            soak.faults.push(Fault {
                kind: FaultKind::Kill,
                at_s: 700.0,
                length_s: 0.0,
                recovery_s: None,
            });
            soak.verdict =
                Verdict { standing: Standing::Failed, reasons: vec!["it grew".to_owned()] };
        });
        assert_has(&text, "program killed 2 0.50 s 0.50 s 1");
        assert_has(&text, "+1.4 % NO");
        assert_has(&text, "too few seconds");
        let last = "FAILED: 0 alerts lost in 4 faults\n  it grew";
        assert!(text.ends_with(last), "{text}");
    }

    #[test]
    fn no_line_is_too_long() {
        let mut soak = example::soak(200e3, "sluicegate");
        soak.patches = u64::MAX;
        soak.renewals = u64::MAX;
        soak.thresholds = Some([-1.234_567_89e-7, 1.234_567_89e12]);
        figures::assert_narrow(
            |look| soak_text(&soak, look),
            &["resident memory", "program killed"],
        );
    }
}
