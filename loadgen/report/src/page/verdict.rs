//! What to make of each file, before anything else.

use maud::{Markup, html};

use crate::{Input, text};
use loadgen_load::outcome::{Calibration, Capacity, Comparison, Finding, Outcome, Soak, Standing};

/// Most reasons in a block; the others follow with the file's details.
const REASONS_SHOWN: usize = 4;

/// One block for each file: its verdict in a word, its figures in a line, its reasons.
pub(super) fn overview(inputs: &[Input]) -> Markup {
    html! {
        section.verdicts {
            @for (index, input) in inputs.iter().enumerate() {
                (block(index, input))
            }
        }
    }
}

/// A verdict as it is shown.
#[derive(Debug, PartialEq)]
struct Block {
    /// Class of the style sheet.
    mood: &'static str,
    /// Says the same as the colour.
    mark: &'static str,
    word: String,
    figures: Vec<String>,
    reasons: Vec<String>,
}

fn block(index: usize, input: &Input) -> Markup {
    let block = of(input);
    let place = format!("#file-{}", index + 1);
    html! {
        div.verdict.(block.mood) {
            p.standing {
                span.mark aria-hidden="true" { (block.mark) }
                strong { (block.word) }
                " "
                a href=(place) { (input.name) }
            }
            p.figures { @for figure in &block.figures { span { (figure) } " " } }
            @if !block.reasons.is_empty() {
                ul {
                    @for reason in block.reasons.iter().take(REASONS_SHOWN) { li { (reason) } }
                    @if let more @ 1.. = block.reasons.len().saturating_sub(REASONS_SHOWN) {
                        li { a href=(place) { (more) " more" } }
                    }
                }
            }
        }
    }
}

/// All reasons of a file, where its block has no room for them.
pub(super) fn all_reasons(input: &Input) -> Markup {
    let reasons = of(input).reasons;
    html! {
        @if reasons.len() > REASONS_SHOWN {
            h3 { "Notes" }
            ul.notes { @for reason in reasons { li { (reason) } } }
        }
    }
}

fn of(input: &Input) -> Block {
    match &input.document.result {
        Finding::Run(outcome) => of_run(outcome),
        Finding::Capacity(capacity) => of_capacity(capacity),
        Finding::Compare(comparison) => of_comparison(comparison),
        Finding::Calibrate(calibration) => of_calibration(calibration),
        Finding::Soak(soak) => of_soak(soak),
    }
}

/// Class, mark and word of a standing.
pub(super) fn badge(standing: Standing) -> (&'static str, &'static str, &'static str) {
    match standing {
        Standing::Passed => ("good", "✓", "passed"),
        Standing::Failed => ("bad", "✕", "failed"),
        Standing::Invalid => ("odd", "?", "invalid"),
        Standing::Saturated => ("odd", "▲", "saturated"),
    }
}

fn of_run(outcome: &Outcome) -> Block {
    let (mood, mark, word) = badge(outcome.verdict.standing);
    let asked = outcome.rates.asked.map(|asked| format!(" of {} asked", text::rate(asked)));
    let mut figures =
        vec![format!("{}{}", text::rate(outcome.rates.achieved), asked.unwrap_or_default())];
    if let Some(latency) = &outcome.latency {
        figures.push(format!("p50 {}", text::micros(latency.p50_us)));
        figures.push(format!("p99 {}", text::micros(latency.p99_us)));
        figures.push(format!("max {}", text::micros(latency.max_us)));
    }
    if let Some(cost) = &outcome.cost {
        figures.push(format!("CPU {}/message", text::nanos(cost.cpu_ns_per_message)));
    }
    let reasons = outcome.verdict.reasons.clone();
    Block { mood, mark, word: word.to_owned(), figures, reasons }
}

fn of_soak(soak: &Soak) -> Block {
    let (mood, mark, word) = badge(soak.verdict.standing);
    let run = &soak.run;
    let mut figures = vec![
        format!("{} for {}", text::rate(run.rates.achieved), text::seconds(seconds_of(run))),
        format!("{} lost", text::count(run.counts.missing)),
        text::many(soak.faults.len(), "fault"),
    ];
    if let Some(worst) = soak.recovery_max_s() {
        figures.push(format!("recovery at most {}", text::seconds(worst)));
    }
    if let Some(latency) = &run.latency {
        figures.push(format!("p50 {}", text::micros(latency.p50_us)));
    }
    let reasons = soak.verdict.reasons.clone();
    Block { mood, mark, word: word.to_owned(), figures, reasons }
}

fn seconds_of(run: &Outcome) -> f64 {
    run.settings.duration.as_secs_f64()
}

fn of_capacity(capacity: &Capacity) -> Block {
    let objective = capacity.objective;
    let figures = vec![
        format!("p99 at most {}", text::micros(objective.p99_us)),
        format!("loss at most {}", text::percent(objective.loss)),
        text::many(capacity.probes.len(), "probe"),
    ];
    let reasons = capacity.notes.clone();
    match capacity.rate {
        Some(rate) => Block {
            mood: "good",
            mark: "✓",
            word: format!("holds {}", text::rate(rate)),
            figures,
            reasons,
        },
        None => {
            Block { mood: "bad", mark: "✕", word: "no rate held".to_owned(), figures, reasons }
        }
    }
}

fn of_comparison(comparison: &Comparison) -> Block {
    let mut reasons = comparison.notes.clone();
    let mut worst = ("good", "✓");
    for program in &comparison.programs {
        let odd = program.runs.iter().map(|run| run.standing);
        for standing in [Standing::Failed, Standing::Invalid, Standing::Saturated] {
            let times = odd.clone().filter(|found| *found == standing).count();
            if times == 0 {
                continue;
            }
            let (mood, mark, word) = badge(standing);
            if worst.0 != "bad" {
                worst = (mood, mark);
            }
            reasons.push(format!(
                "{}: {times} of {} runs {word}",
                program.name,
                program.runs.len()
            ));
        }
    }
    let figures = vec![
        text::many(comparison.programs.len(), "program"),
        format!("{}, each forth and back", text::many(comparison.pairs as usize, "round")),
    ];
    Block { mood: worst.0, mark: worst.1, word: "compared".to_owned(), figures, reasons }
}

fn of_calibration(calibration: &Calibration) -> Block {
    let figures = vec![
        format!("QoS 0 {}", text::rate(calibration.qos0.rate)),
        format!("QoS 1 {}", text::rate(calibration.qos1.rate)),
        format!("clock {} ns", text::count(calibration.clock_resolution_ns)),
    ];
    Block { mood: "good", mark: "✓", word: "calibrated".to_owned(), figures, reasons: Vec::new() }
}
