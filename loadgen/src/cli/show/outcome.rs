//! The result of one run.

use comfy_table::Table;

use super::figures::{self, NONE, grouped, latency, mebibytes, percent, rate};
use crate::cli::look::{Look, style_of};
use loadgen_load::outcome::{Cost, Counts, Distribution, Outcome, Standing, Verdict};

/// Tables and the verdict, over several lines.
pub(crate) fn outcome_text(outcome: &Outcome, look: Look) -> String {
    let verdict = verdict(&outcome.verdict, &sentence(outcome), look);
    format!("{}\n\n{verdict}", tables(outcome, look))
}

/// The tables alone.
pub(super) fn tables(outcome: &Outcome, look: Look) -> String {
    let latencies = latencies(outcome, look.width).trim_fmt();
    let facts = figures::list(look.width, facts(outcome)).trim_fmt();
    format!("{latencies}\n\n{facts}")
}

/// Of the answers, and of the instrument itself.
fn latencies(outcome: &Outcome, width: u16) -> Table {
    let row = |name: &str, distribution: &Option<Distribution>| {
        let none = [NONE; 6].map(str::to_owned);
        let figures = distribution.as_ref().map_or(none, |it| quantiles(it).map(latency));
        let [p50, p90, p99, p99_9, p99_99, max] = figures;
        [name.to_owned(), p50, p90, p99, p99_9, p99_99, max]
    };
    let rows = vec![row("latency", &outcome.latency), row("own lag", &outcome.lag)];
    figures::table(width, ["", "p50", "p90", "p99", "p99.9", "p99.99", "max"], rows)
}

fn quantiles(of: &Distribution) -> [f64; 6] {
    [of.p50_us, of.p90_us, of.p99_us, of.p99_9_us, of.p99_99_us, of.max_us]
}

/// One row for each thing that was measured or counted.
fn facts(outcome: &Outcome) -> Vec<(&'static str, String)> {
    let (rates, counts) = (&outcome.rates, &outcome.counts);
    let mut rows = Vec::new();
    let mut row = |name, text| rows.push((name, text));
    let asked = rates.asked.map_or("as fast as the window allows".to_owned(), rate);
    row("rate asked", asked);
    row("rate sent", format!("{}, {:.1} MB/s", rate(rates.achieved), rates.sent_bytes / 1e6));
    row("alerts back", rate(rates.alerts));
    row("messages", messages(counts, outcome.settings.traffic.qos));
    if let Some(gaps) = outcome.traffic.gaps_text() {
        row("replayed file", gaps);
    }
    let wrong = wrong(counts);
    row("wrong", if wrong.is_empty() { "none".to_owned() } else { wrong });
    if counts.undecided > 0 {
        row("undecided", format!("{} alerts, by a threshold unknown", number(counts.undecided)));
    }
    if counts.faults > 0 {
        row("connections", format!("{} lost or cut; {}", counts.faults, after_faults(counts)));
    }
    if let Some(cost) = &outcome.cost {
        row("program's CPU", cpu_text(cost));
        let memory = mebibytes(cost.rss_peak_kib);
        row("its memory", format!("{memory} at most, {} threads", cost.threads));
    }
    if let Some(ms) = outcome.startup_ms {
        row("subscribed", format!("{ms:.1} ms after its start"));
    }
    // In a closed loop it always does: the window says how much.
    if rates.asked.is_some() {
        row("it held back", percent(outcome.held_back_share) + " of the time");
    }
    row("instrument's CPU", percent(outcome.own_cpu_share) + " of one core");
    if let Some(others) = &outcome.others {
        row("other programs", others.share());
    }
    rows
}

fn messages(counts: &Counts, qos: u8) -> String {
    let mut text = format!("{} sent", number(counts.sent));
    if qos > 0 {
        text.push_str(&format!(", {} acknowledged", number(counts.acknowledged)));
    }
    let (correct, expected) = (number(counts.alerts_correct), number(counts.alerts_expected));
    text.push_str(&format!(", {correct} of {expected} alerts correct"));
    for (count, name) in [
        (counts.unsent, "never sent"),
        (counts.acknowledged_out_of_order, "acknowledged out of order"),
        (counts.acknowledged_unknown, "acknowledgements of nothing"),
    ] {
        if count > 0 {
            text.push_str(&format!(", {} {name}", number(count)));
        }
    }
    text
}

/// Every count that fails a run; empty when clean. When anything is wrong all are told, so that
/// what did not happen is seen as well.
fn wrong(counts: &Counts) -> String {
    if counts.is_clean() {
        return String::new();
    }
    counts.failures().map(|(count, name)| format!("{} {name}", number(count))).join(", ")
}

fn after_faults(counts: &Counts) -> String {
    format!(
        "{} messages sent again, {} alerts twice (allowed)",
        number(counts.resent),
        number(counts.duplicated_after_fault)
    )
}

fn cpu_text(cost: &Cost) -> String {
    format!(
        "{} ns per message, {} of the machine, {} + {} context switches",
        grouped(cost.cpu_ns_per_message),
        percent(cost.cpu_share),
        number(cost.context_switches_voluntary),
        number(cost.context_switches_involuntary),
    )
}

/// One sentence, and its reasons below.
pub(super) fn verdict(verdict: &Verdict, sentence: &str, look: Look) -> String {
    let word = look.paint(style_of(verdict.standing), standing(verdict.standing));
    let mut text = format!("{word}: {sentence}");
    for reason in &verdict.reasons {
        text.push_str("\n  ");
        text.push_str(reason);
    }
    text
}

fn sentence(outcome: &Outcome) -> String {
    let sent = rate(outcome.rates.achieved);
    let p99 = outcome.latency.as_ref().map(|of| latency(of.p99_us));
    if outcome.verdict.standing == Standing::Invalid {
        let figures = match p99 {
            Some(p99) => format!("{sent} and {p99} at p99 say"),
            None => format!("{sent} says"),
        };
        return format!("the instrument was the bottleneck; {figures} nothing of the program");
    }
    let counts = &outcome.counts;
    let (correct, expected) = (number(counts.alerts_correct), number(counts.alerts_expected));
    let p99 = p99.map(|p99| format!("{p99} at p99, ")).unwrap_or_default();
    format!("{sent} sent, {p99}{correct} of {expected} alerts correct")
}

/// A standing in the words of a verdict.
pub(super) fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::Passed => "PASSED",
        Standing::Failed => "FAILED",
        Standing::Invalid => "INVALID",
        Standing::Saturated => "SATURATED",
    }
}

fn number(count: u64) -> String {
    crate::cli::text::thousands(count)
}

#[cfg(test)]
mod tests;
