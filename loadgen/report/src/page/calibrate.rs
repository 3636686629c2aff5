//! A calibration in full: what the instrument and its machine can do.

use maud::{Markup, html};

use super::run::table_of_percentiles;
use super::{described, legend};
use crate::plot::DrawError;
use crate::{percentiles, text};
use loadgen_load::outcome::{Calibration, Drive};

const OVERRUN: &str = "overrun of a 1 ms sleep";
const STOLEN: &str = "pauses of a busy thread";

/// Everything about a calibration.
///
/// # Errors
/// When drawing fails.
pub(super) fn details(of: &Calibration) -> Result<Markup, DrawError> {
    let names = [(0, OVERRUN), (1, STOLEN)];
    let noise = [(0, &of.sleep_overrun), (1, &of.stolen)];
    let drawn = noise.iter().any(|(_, distribution)| !distribution.curve.is_empty());
    let plot = percentiles::plot(&noise, "time");
    let table = table_of_percentiles(
        "Noise of the machine",
        &[(OVERRUN, Some(&of.sleep_overrun)), (STOLEN, Some(&of.stolen))],
    );
    Ok(html! {
        (drives(of))
        dl.facts {
            dt { "smallest step of the clock" }
            dd { (text::count(of.clock_resolution_ns)) " ns" }
            dt { "reading the clock" } dd { (text::nanos(of.clock_read_ns)) }
            @if let Some(others) = &of.others { dt { "other programs" } dd { (others.share()) } }
        }
        (table)
        @if drawn {
            figure {
                (legend(&names)?)
                (plot.svg(&described("Noise of the machine by percentile", &names))?)
                figcaption {
                    "How much later than asked a sleeping thread wakes, and what others take from \
                     a "
                    "thread that does nothing but read the clock."
                }
            }
        }
    })
}

fn drives(of: &Calibration) -> Markup {
    html! {
        div.scroll role="region" aria-label="Against a null sink" tabindex="0" {
            table {
                caption { "Against a null sink that forwards one message in ten" }
                thead {
                    tr {
                        th scope="col" { "" }
                        @for name in
                            ["rate", "own CPU/message", "rate of a whole core", "sink’s CPU"] {
                            th.number scope="col" { (name) }
                        }
                    }
                }
                tbody {
                    (drive("QoS 0", &of.qos0))
                    (drive("QoS 1, window 20,000", &of.qos1))
                }
            }
        }
    }
}

fn drive(name: &str, of: &Drive) -> Markup {
    html! {
        tr {
            th scope="row" { (name) }
            td.number { (text::rate(of.rate)) }
            td.number { (text::nanos(of.own_cpu_ns_per_message)) }
            td.number { (text::rate(of.rate_per_core)) }
            td.number { (text::percent(of.sink_cpu_share)) " of a core" }
        }
    }
}
