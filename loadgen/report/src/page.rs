//! The page: verdicts first, then plots of all runs together, then each file in full.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::palette;
use super::plot::DrawError;
use super::plot::look::sample;
use super::{Input, percentiles, timeline};
use loadgen_load::outcome::{Distribution, Finding, Outcome};

mod calibrate;
mod capacity;
mod compare;
mod run;
mod settings;
mod soak;
mod verdict;

/// The whole document.
///
/// # Errors
/// When drawing fails.
pub(super) fn document(inputs: &[Input]) -> Result<String, DrawError> {
    let runs: Vec<Run<'_>> = inputs.iter().filter_map(Run::of).collect();
    let title = title(inputs);
    let mut articles = Vec::with_capacity(inputs.len());
    for (index, input) in inputs.iter().enumerate() {
        articles.push(article(index, input)?);
    }
    let body = html! {
        header { h1 { (title) } }
        (verdict::overview(inputs))
        (plots_of_runs(&runs, inputs.len() > 1)?)
        @for article in articles { (article) }
    };
    Ok(whole(&title, &body))
}

/// A document of this title around `body`, with the style of all reports.
pub fn whole(title: &str, body: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                // Nothing is loaded and nothing runs, whatever a file has in it.
                meta http-equiv="Content-Security-Policy"
                    content="default-src 'none'; style-src 'unsafe-inline'; img-src data:";
                link rel="icon" href="data:,";
                title { (title) }
                style { (PreEscaped(style())) }
            }
            body { main { (body) } }
        }
    };
    page.into_string()
}

/// A run with its name; its place among the runs decides its look.
#[derive(Debug, Clone, Copy)]
struct Run<'a> {
    name: &'a str,
    outcome: &'a Outcome,
}

impl<'a> Run<'a> {
    fn of(input: &'a Input) -> Option<Self> {
        match &input.document.result {
            Finding::Run(outcome) => Some(Self { name: &input.name, outcome }),
            _ => None,
        }
    }
}

fn title(inputs: &[Input]) -> String {
    match inputs {
        [only] => format!("Measurement {}", only.name),
        _ => "Measurements".to_owned(),
    }
}

fn style() -> String {
    let dark = palette::dark_rules();
    let sheet = include_str!("page/style.css");
    format!("{sheet}\n@media screen and (prefers-color-scheme: dark) {{\n{dark}}}\n")
}

/// Plots of all runs, with their names unless there is nothing else on the page.
fn plots_of_runs(runs: &[Run<'_>], named: bool) -> Result<Markup, DrawError> {
    let looks = || runs.iter().enumerate();
    let known: Vec<_> =
        looks().filter_map(|(look, run)| Some((look, run.outcome.latency.as_ref()?))).collect();
    let timed: Vec<_> = looks()
        .map(|(look, run)| (look, run.outcome))
        .filter(|(_, outcome)| !outcome.series.is_empty())
        .collect();
    let known_names: Vec<_> = known.iter().map(|(look, _)| (*look, runs[*look].name)).collect();
    let timed_names: Vec<_> = timed.iter().map(|(look, _)| (*look, runs[*look].name)).collect();
    let legend_of = |names| if named { legend(names) } else { Ok(html! {}) };
    Ok(html! {
        @if runs.len() > 1 {
            section { h2 { "Runs side by side" } (run::side_by_side(runs)) }
        }
        @if !known.is_empty() {
            (latency_by_percentile(&known, &known_names, &legend_of(&known_names)?)?)
        }
        @if !timed.is_empty() {
            (over_time(&timed, &timed_names, &legend_of(&timed_names)?)?)
        }
    })
}

fn latency_by_percentile(
    known: &[(usize, &Distribution)],
    names: &[(usize, &str)],
    legend: &Markup,
) -> Result<Markup, DrawError> {
    let plot = percentiles::plot(known, "latency");
    Ok(html! {
        section {
            h2 { "Latency by percentile" }
            figure {
                (legend)
                (plot.svg(&described("Latency by percentile", names))?)
                figcaption {
                    "To the receipt of the alert, from the instant at which its message was to be "
                    "sent; in a closed loop, from its sending. Each step to the right leaves a "
                    "tenth of the messages."
                }
            }
        }
    })
}

fn over_time(
    timed: &[(usize, &Outcome)],
    names: &[(usize, &str)],
    legend: &Markup,
) -> Result<Markup, DrawError> {
    let [rate, p99] = timeline::plots(timed);
    Ok(html! {
        section {
            h2 { "Rate and p99 over time" }
            figure {
                (legend)
                (rate.svg(&described("Messages sent per second over time", names))?)
                (p99.svg(&described("99th percentile of latency over time", names))?)
                figcaption {
                    "Second by second. The shaded parts, warm-up and drain, do not count into rate "
                    "and latency."
                }
            }
        }
    })
}

/// A plot's description for those who cannot see it.
fn described(what: &str, names: &[(usize, &str)]) -> String {
    let names: Vec<&str> = names.iter().map(|(_, name)| *name).collect();
    format!("{what}: {}", names.join(", "))
}

/// Names of looks.
fn legend(entries: &[(usize, &str)]) -> Result<Markup, DrawError> {
    Ok(html! {
        ul.legend {
            @for (look, name) in entries { li { (sample(*look, true, false)?) span { (name) } } }
        }
    })
}

fn article(index: usize, input: &Input) -> Result<Markup, DrawError> {
    let body = match &input.document.result {
        Finding::Run(outcome) => run::details(outcome),
        Finding::Capacity(found) => capacity::details(found)?,
        Finding::Compare(found) => compare::details(found)?,
        Finding::Calibrate(found) => calibrate::details(found)?,
        Finding::Soak(found) => soak::details(found)?,
    };
    Ok(html! {
        article id={ "file-" (index + 1) } {
            h2 { (input.name) }
            (body)
            (verdict::all_reasons(input))
            (settings::table(&input.document))
        }
    })
}
