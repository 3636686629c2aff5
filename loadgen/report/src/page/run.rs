//! A run in full: what was counted and measured.

use maud::{Markup, html};

use super::Run;
use super::verdict::badge;
use crate::text;
use loadgen_load::outcome::{Cost, Counts, Distribution, Outcome};
use loadgen_load::settings::Pace;

/// Everything about a run but its settings.
pub(super) fn details(outcome: &Outcome) -> Markup {
    let since = match outcome.settings.pace {
        Pace::Open { .. } => "from the intended instant",
        Pace::Closed => "from the sending",
    };
    let latency = table_of_percentiles(
        "Latency",
        &[(since, outcome.latency.as_ref()), ("the instrument’s own lag", outcome.lag.as_ref())],
    );
    html! {
        (latency)
        (counts(&outcome.counts))
        (figures(outcome))
    }
}

/// Several runs side by side.
pub(super) fn side_by_side(runs: &[Run<'_>]) -> Markup {
    let columns = ["asked", "achieved", "p50", "p99", "p99.9", "max", "CPU/message", "memory"];
    html! {
        div.scroll role="region" aria-label="Runs side by side" tabindex="0" {
            table {
                thead {
                    tr {
                        th scope="col" { "run" }
                        @for name in columns { th.number scope="col" { (name) } }
                    }
                }
                tbody { @for run in runs { (row_of_run(run)) } }
            }
        }
    }
}

fn row_of_run(run: &Run<'_>) -> Markup {
    let outcome = run.outcome;
    let (mood, mark, word) = badge(outcome.verdict.standing);
    let or_none = |text: Option<String>| text.unwrap_or_else(|| text::NONE.to_owned());
    let latency = |of: fn(&Distribution) -> f64| {
        or_none(outcome.latency.as_ref().map(|latency| text::micros(of(latency))))
    };
    let cost = outcome.cost.as_ref();
    html! {
        tr {
            th.name scope="row" {
                span class={ "mark " (mood) } role="img" aria-label=(word) title=(word) { (mark) }
                (run.name)
            }
            td.number { (or_none(outcome.rates.asked.map(text::rate))) }
            td.number { (text::rate(outcome.rates.achieved)) }
            td.number { (latency(|of| of.p50_us)) }
            td.number { (latency(|of| of.p99_us)) }
            td.number { (latency(|of| of.p99_9_us)) }
            td.number { (latency(|of| of.max_us)) }
            td.number { (or_none(cost.map(|cost| text::nanos(cost.cpu_ns_per_message)))) }
            td.number { (or_none(cost.map(|cost| text::kib(cost.rss_peak_kib)))) }
        }
    }
}

/// Distributions, each in a row with its name.
pub(super) fn table_of_percentiles(
    caption: &str,
    rows: &[(&str, Option<&Distribution>)],
) -> Markup {
    html! {
        div.scroll role="region" aria-label=(caption) tabindex="0" {
            table {
                caption { (caption) }
                thead {
                    tr {
                        th scope="col" { "" }
                        @for name in
                            ["values", "mean", "p50", "p90", "p99", "p99.9", "p99.99", "max"] {
                            th.number scope="col" { (name) }
                        }
                    }
                }
                tbody { @for (name, of) in rows { (row_of_percentiles(name, *of)) } }
            }
        }
    }
}

/// One distribution in a row.
fn row_of_percentiles(name: &str, distribution: Option<&Distribution>) -> Markup {
    let Some(of) = distribution else {
        return html! { tr { th scope="row" { (name) } td.muted colspan="8" { "not measured" } } };
    };
    let times = [of.mean_us, of.p50_us, of.p90_us, of.p99_us, of.p99_9_us, of.p99_99_us, of.max_us];
    html! {
        tr {
            th scope="row" { (name) }
            td.number { (text::count(of.count)) }
            @for us in times { td.number { (text::micros(us)) } }
        }
    }
}

/// A count, what it means, and whether it is a failure.
type Row = (&'static str, u64, &'static str, bool);

fn rows(counts: &Counts) -> Vec<Row> {
    vec![
        ("sent", counts.sent, "handed to the socket", false),
        ("unsent", counts.unsent, "due, but the program took no more", false),
        ("acknowledged", counts.acknowledged, "at QoS 1", false),
        ("unacknowledged", counts.unacknowledged, "at QoS 1, never", true),
        (
            "acknowledged out of order",
            counts.acknowledged_out_of_order,
            "told, not held against anybody",
            false,
        ),
        ("acknowledged unknown", counts.acknowledged_unknown, "of nothing in flight; told", false),
        ("sent again", counts.resent, "after a lost connection", false),
        ("alerts expected", counts.alerts_expected, "of the messages sent", false),
        ("alerts correct", counts.alerts_correct, "came back as they must", false),
        ("missing", counts.missing, "expected, never back", true),
        ("duplicated", counts.duplicated, "back more than once", true),
        ("duplicated after a fault", counts.duplicated_after_fault, "allowed at QoS 1", false),
        ("false alerts", counts.false_alerts, "back, though no alert", true),
        ("disordered", counts.disordered, "behind a later one of the same sensor", true),
        ("corrupted", counts.corrupted, "another body, or one never sent", true),
        ("wrong properties", counts.wrong_properties, "or another topic, or a lower QoS", true),
        ("undecided", counts.undecided, "between two thresholds; told", false),
        ("faults", counts.faults, "connections lost or cut", false),
    ]
}

fn counts(counts: &Counts) -> Markup {
    html! {
        div.scroll role="region" aria-label="Messages of the whole run" tabindex="0" {
            table {
                caption { "Messages of the whole run" }
                tbody {
                    @for (name, count, meaning, failure) in rows(counts) {
                        tr.bad[failure && count > 0].zero[count == 0] {
                            th scope="row" { @if failure && count > 0 { "✕ " } (name) }
                            td.number { (text::count(count)) }
                            td.muted { (meaning) }
                        }
                    }
                }
            }
        }
    }
}

fn figures(outcome: &Outcome) -> Markup {
    let asked = outcome.rates.asked.map_or("as fast as it goes".to_owned(), text::rate);
    html! {
        h3 { "Measured part" }
        dl.facts {
            dt { "rate asked" } dd { (asked) }
            dt { "rate achieved" } dd { (text::rate(outcome.rates.achieved)) }
            dt { "alerts back" } dd { (text::rate(outcome.rates.alerts)) }
            dt { "bytes sent" } dd { (text::bytes(outcome.rates.sent_bytes)) "/s" }
            @if let Some(cost) = &outcome.cost { (cost_facts(cost)) }
            dt { "held back by the program" }
            dd { (text::percent(outcome.held_back_share)) " of the time" }
            dt { "the instrument’s own CPU" }
            dd { (text::percent(outcome.own_cpu_share)) " of a core" }
            @if let Some(others) = &outcome.others {
                dt { "other programs" } dd { (others.share()) }
            }
        }
    }
}

fn cost_facts(cost: &Cost) -> Markup {
    html! {
        dt { "CPU of the program" }
        dd {
            (text::nanos(cost.cpu_ns_per_message)) " a message, "
            (text::seconds(cost.cpu_s)) " in all, "
            (text::percent(cost.cpu_share)) " of the machine"
        }
        dt { "memory, at most" } dd { (text::kib(cost.rss_peak_kib)) }
        dt { "threads" } dd { (text::count(cost.threads)) }
        dt { "context switches" }
        dd {
            (text::count(cost.context_switches_voluntary)) " voluntary, "
            (text::count(cost.context_switches_involuntary)) " not"
        }
    }
}
