//! A capacity search in full: its knee and every probe.

use maud::{Markup, html};

use crate::plot::DrawError;
use crate::plot::look::sample;
use crate::{knee, text};
use loadgen_load::outcome::{Capacity, Probe, ProbeStep};

/// Everything about a search but its settings.
///
/// # Errors
/// When drawing fails.
pub(super) fn details(capacity: &Capacity) -> Result<Markup, DrawError> {
    if capacity.probes.is_empty() {
        return Ok(html! { p.muted { "No probe was made." } });
    }
    let cpu = knee::cpu(capacity);
    Ok(html! {
        figure {
            ul.legend {
                @for (look, name) in knee::LATENCIES.into_iter().enumerate() {
                    li { (sample(look, true, false)?) span { (name) } }
                }
                li { (sample(1, false, false)?) span { "held" } }
                li { (sample(1, false, true)?) span { "did not hold" } }
            }
            (knee::latency(capacity).svg("Latency by rate: p50, p99 and p99.9 of every probe")?)
            @if let Some(cpu) = cpu {
                (cpu.svg("CPU time of the program for each message, by rate")?)
            }
            figcaption {
                "One marker for each probe. The lines go through the medians where a rate was \
                 tried "
                "more than once."
                @if capacity.probes.len() > knee::PROBES_MAX {
                    " Only the first " (knee::PROBES_MAX) " probes are shown."
                }
            }
        }
        (table(&capacity.probes))
    })
}

fn table(probes: &[Probe]) -> Markup {
    html! {
        div.scroll role="region" aria-label="Probes" tabindex="0" {
            table {
                caption { "Probes, in the order made" }
                thead {
                    tr {
                        th scope="col" { "step" }
                        @for name in ["asked", "achieved", "p50", "p99", "p99.9", "CPU/message"] {
                            th.number scope="col" { (name) }
                        }
                        th scope="col" { "objective" }
                    }
                }
                tbody { @for probe in probes.iter().take(knee::PROBES_MAX) { (row(probe)) } }
            }
        }
    }
}

fn row(probe: &Probe) -> Markup {
    let cpu = probe.cost.as_ref().map(|cost| text::nanos(cost.cpu_ns_per_message));
    html! {
        tr {
            td { (step(probe.step)) }
            td.number { (text::rate(probe.rate)) }
            td.number { (text::rate(probe.achieved)) }
            @for us in [probe.p50_us, probe.p99_us, probe.p99_9_us] {
                td.number { (text::micros(us)) }
            }
            td.number { (cpu.as_deref().unwrap_or(text::NONE)) }
            td.long {
                @if probe.held { "held" } @else { "✕ " (probe.reasons.join("; ")) }
            }
        }
    }
}

fn step(step: ProbeStep) -> &'static str {
    match step {
        ProbeStep::Climb => "climb",
        ProbeStep::Bisect => "bisect",
        ProbeStep::Confirm => "confirm",
        ProbeStep::Refuse => "refuse",
    }
}
