//! A comparison in full: every program against the first.

use maud::{Markup, html};

use super::settings::command_line;
use crate::bars::{self, BARS_MAX, Bar};
use crate::plot::DrawError;
use crate::text;
use loadgen_load::outcome::{Brief, Comparison, Contender, Ratio};

/// Everything about a comparison but its settings.
///
/// # Errors
/// When drawing fails.
pub(super) fn details(comparison: &Comparison) -> Result<Markup, DrawError> {
    let programs = &comparison.programs;
    if programs.is_empty() {
        return Ok(html! { p.muted { "No program was compared." } });
    }
    let bars: Vec<Bar> = programs.iter().map(bar).collect();
    let [wide, narrow] = bars::svg(&bars, "Messages per second of each program")?;
    Ok(html! {
        figure {
            (wide) (narrow)
            figcaption {
                "Messages per second: medians as bars, the slowest and the fastest run as thin \
                 lines."
                @if programs.len() > BARS_MAX { " Only the first " (BARS_MAX) " are drawn." }
            }
        }
        (table(programs))
        p.muted {
            "Ratios are medians over pairs of runs, against the first program’s run of the same \
             pair; "
            "the small figures their quartiles."
        }
        h3 { "Commands" }
        dl.facts {
            @for program in programs {
                dt { (program.name) }
                dd { (command_line(&program.command)) }
            }
        }
    })
}

fn bar(program: &Contender) -> Bar {
    Bar {
        name: program.name.clone(),
        value: program.median.rate,
        spread: spread(&program.runs),
        figure: text::rate(program.median.rate),
    }
}

fn spread(runs: &[Brief]) -> Option<(f64, f64)> {
    let rates = || runs.iter().map(|run| run.rate);
    Some((rates().reduce(f64::min)?, rates().reduce(f64::max)?))
}

fn table(programs: &[Contender]) -> Markup {
    html! {
        div.scroll role="region" aria-label="Medians" tabindex="0" {
            table {
                caption { "Medians" }
                thead {
                    tr {
                        th scope="col" { "program" }
                        @for name in
                            ["rate", "× first", "p50", "p99", "CPU/message", "× first", "memory"] {
                            th.number scope="col" { (name) }
                        }
                    }
                }
                tbody {
                    @for (index, program) in programs.iter().enumerate() { (row(index, program)) }
                }
            }
        }
    }
}

fn row(index: usize, program: &Contender) -> Markup {
    let Contender { median, runs, .. } = program;
    let or_none = |text: Option<String>| text.unwrap_or_else(|| text::NONE.to_owned());
    let cost = median.cost.as_ref();
    let passed = runs.iter().filter(|run| run.standing.exit_code() == 0).count();
    html! {
        tr {
            th.name scope="row" {
                (program.name)
                @if passed < runs.len() {
                    small.bad { "✕ " (passed) " of " (runs.len()) " runs passed" }
                }
            }
            td.number { (text::rate(median.rate)) }
            td.number { (ratio(index, program.rate_ratio)) }
            td.number { (or_none(median.p50_us.map(text::micros))) }
            td.number { (or_none(median.p99_us.map(text::micros))) }
            td.number { (or_none(cost.map(|cost| text::nanos(cost.cpu_ns_per_message)))) }
            td.number { (ratio(index, program.cpu_ratio)) }
            td.number { (or_none(cost.map(|cost| text::kib(cost.rss_peak_kib)))) }
        }
    }
}

fn ratio(index: usize, ratio: Option<Ratio>) -> Markup {
    html! {
        @match ratio {
            Some(Ratio { median, q1, q3 }) => {
                (text::number(median))
                small { (text::number(q1)) "–" (text::number(q3)) }
            },
            None => @if index == 0 { "1" } @else { (text::NONE) },
        }
    }
}
