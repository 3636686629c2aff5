//! A soak in full: its plots, its faults, and what stayed flat.

use maud::{Markup, html};

use super::run;
use crate::plot::DrawError;
use crate::plot::look::sample;
use crate::{endurance, text};
use loadgen_load::outcome::{Figure, OfKind, Soak, Steadiness};

/// Everything about a soak but its settings.
///
/// # Errors
/// When drawing fails.
pub(super) fn details(soak: &Soak) -> Result<Markup, DrawError> {
    let mut plots = Vec::new();
    for (label, plot) in endurance::plots(soak) {
        plots.push((label, plot.svg(label)?));
    }
    let legend = |names: [&str; 2]| -> Result<Markup, DrawError> {
        Ok(html! {
            ul.legend {
                @for (look, name) in names.into_iter().enumerate() {
                    li { (sample(look, true, false)?) span { (name) } }
                }
            }
        })
    };
    let mut marks = Vec::new();
    for (kind, look) in endurance::kinds(soak) {
        marks.push((sample(look, false, false)?, kind.text()));
    }
    let (latencies, counts) = (legend(endurance::LATENCIES)?, legend(endurance::COUNTS)?);
    Ok(html! {
        figure {
            ul.legend { @for (mark, name) in &marks { li { (mark) span { (name) } } } }
            @for (index, (_, plot)) in plots.iter().enumerate() {
                @if index == 1 { (latencies) }
                @if index == 3 { (counts) }
                (plot)
            }
            figcaption {
                "Second by second. What is shaded within the measured part is a fault with the "
                "recovery from it; its marker is on the axis of the first plot, and hollow where "
                "there was no recovery."
                @if soak.faults.len() > endurance::FAULTS_MAX {
                    " Only the first " (endurance::FAULTS_MAX) " faults are shaded."
                }
            }
        }
        (steadiness(&soak.steadiness))
        (faults(&soak.by_kind()))
        (facts(soak))
        (run::details(&soak.run))
    })
}

fn steadiness(figures: &[Steadiness]) -> Markup {
    html! {
        div.scroll role="region" aria-label="What must stay flat" tabindex="0" {
            table {
                caption { "What must stay flat" }
                thead {
                    tr {
                        th scope="col" { "figure" }
                        @for name in ["second third", "last third", "change", "seconds"] {
                            th.number scope="col" { (name) }
                        }
                        th scope="col" { "flat" }
                    }
                }
                tbody { @for figure in figures { (row(figure)) } }
            }
        }
    }
}

fn row(it: &Steadiness) -> Markup {
    html! {
        tr.bad[it.held == Some(false)] {
            th scope="row" { (name(it.figure)) }
            td.number { (figure_text(it.figure, it.second)) }
            td.number { (figure_text(it.figure, it.last)) }
            td.number { (text::percent(it.last / it.second - 1.0)) }
            td.number { (text::count(it.seconds[0])) " and " (text::count(it.seconds[1])) }
            td {
                @match it.held {
                    Some(true) => "yes",
                    Some(false) => "✕ no",
                    None => "too few seconds",
                }
            }
        }
    }
}

fn name(figure: Figure) -> &'static str {
    match figure {
        Figure::Rss => "resident memory, mean",
        Figure::Descriptors => "descriptors, median",
        Figure::Threads => "threads, median",
        Figure::P50 => "p50, median of the seconds",
    }
}

fn figure_text(figure: Figure, value: f64) -> String {
    match figure {
        Figure::Rss => text::bytes(value * 1024.0),
        Figure::Descriptors | Figure::Threads => text::number(value),
        Figure::P50 => text::micros(value),
    }
}

fn faults(kinds: &[OfKind]) -> Markup {
    if kinds.is_empty() {
        return html! { p.muted { "No fault was made." } };
    }
    let seconds = |time: Option<f64>| time.map_or(text::NONE.to_owned(), text::seconds);
    html! {
        div.scroll role="region" aria-label="Faults" tabindex="0" {
            table {
                caption { "Faults, and the time from their end to full rate" }
                thead {
                    tr {
                        th scope="col" { "fault" }
                        @for name in ["times", "median", "worst", "never recovered from"] {
                            th.number scope="col" { (name) }
                        }
                    }
                }
                tbody {
                    @for of in kinds {
                        tr.bad[of.never_back > 0] {
                            th scope="row" { (of.kind.text()) }
                            td.number { (text::count(of.count as u64)) }
                            td.number { (seconds(of.median_s)) }
                            td.number { (seconds(of.worst_s)) }
                            td.number { (text::count(of.never_back as u64)) }
                        }
                    }
                }
            }
        }
    }
}

fn facts(soak: &Soak) -> Markup {
    html! {
        dl.facts {
            @if let Some([low, high]) = soak.thresholds {
                dt { "threshold" }
                dd {
                    "changed " (text::count(soak.patches)) " times between " (text::short(low))
                    " and " (text::short(high))
                }
            }
            dt { "token renewals" } dd { (text::count(soak.renewals)) }
            dt { "undecided alerts" }
            dd { (text::count(soak.run.counts.undecided)) ", by a threshold unknown" }
            @if let Some(capacity) = soak.capacity {
                dt { "capacity" } dd { (text::rate(capacity)) ", half of which was asked" }
            }
        }
    }
}
