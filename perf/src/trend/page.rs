//! The page: newest figures first, then each scenario's course as a plot and a table.

use jiff::tz::TimeZone;
use loadgen_report::chart::{
    Axis, Dots, DrawError, Line as Drawn, Plot, Rule, Unit, sample, short, whole,
};
use maud::{Markup, html};

use super::history::{Course, History, PlacedLine};
use super::read::{Records, VALUES_MAX};
use crate::record::row::{Status, number};

const TITLE: &str = "History of the figures";
/// Digits of a commit on an axis, and in a table.
const COMMIT_DIGITS: (usize, usize) = (7, 18);

/// The whole document.
///
/// # Errors
/// When drawing fails, which a drawing in memory has no cause for.
pub fn html(records: &Records) -> Result<String, DrawError> {
    let history = History::of(&records.lines);
    let mut courses = Vec::with_capacity(history.scenarios.len());
    for (index, course) in history.scenarios.iter().enumerate() {
        courses.push(section(index, course, &history)?);
    }
    let machines = legend(&history)?;
    let body = html! {
        header { h1 { (TITLE) } }
        (problems(records, &history))
        @if history.scenarios.is_empty() {
            p.muted { "Nothing is recorded." }
        } @else {
            (overview(&history))
            section { h2 { "Machines" } (machines) }
        }
        @for course in courses { (course) }
    };
    Ok(whole(TITLE, &body))
}

/// What is not on the page.
fn problems(records: &Records, history: &History) -> Markup {
    html! {
        @if records.left_out > 0 {
            div.verdict.odd {
                p.standing { strong { "Incomplete" } "lines left out: " (records.left_out) }
                ul {
                    @for problem in &records.problems { li { (problem.to_string()) } }
                    @let more = records.left_out - records.problems.len();
                    @if more > 0 { li { "and " (more) " more" } }
                }
            }
        }
        @if history.hidden > 0 {
            p.muted { "Older or further entries that are not shown: " (history.hidden) "." }
        }
    }
}

/// The newest figure of every scenario.
fn overview(history: &History) -> Markup {
    html! {
        section {
            h2 { "Newest figures" }
            div.scroll role="region" aria-label="Newest figures" tabindex="0" {
                table {
                    thead {
                        tr {
                            th scope="col" { "figure" }
                            @for name in ["median", "change", "floor", "aim"] {
                                th.number scope="col" { (name) }
                            }
                            th scope="col" { "status" }
                            th scope="col" { "recorded" }
                        }
                    }
                    tbody {
                        @for (index, course) in history.scenarios.iter().enumerate() {
                            @if let Some(newest) = course.newest() {
                                    (overview_row(index, course, newest))
                                }
                        }
                    }
                }
            }
        }
    }
}

fn overview_row(index: usize, course: &Course, newest: &PlacedLine) -> Markup {
    let line = &newest.line;
    let unit = &line.unit;
    html! {
        tr {
            th.name scope="row" {
                a href={ "#scenario-" (index + 1) } { (line.title) }
                small { (line.scenario) ", " (unit) }
            }
            td.number { (figure(line.median)) }
            td.number { (change(course, course.entries.len() - 1)) }
            td.number { (number(line.floor)) }
            td.number { (number(line.aim)) }
            td { (status(line.status)) }
            td { (time(newest)) small { (cut(&line.commit, COMMIT_DIGITS.1)) } }
        }
    }
}

fn legend(history: &History) -> Result<Markup, DrawError> {
    let mut samples = Vec::with_capacity(history.machines.len());
    for (look, name) in history.machines.iter().enumerate() {
        samples.push((sample(look, true, false)?, name));
    }
    Ok(html! {
        ul.legend { @for (sample, name) in samples { li { (sample) span { (name) } } } }
        p.muted {
            "Filled markers are medians, with a line from each to the next of the same machine; \
             hollow "
            "ones are single runs. Dashed lines are the newest floor and aim. Changes are against \
             the "
            "record before of the same machine."
        }
    })
}

fn section(index: usize, course: &Course, history: &History) -> Result<Markup, DrawError> {
    let Some(PlacedLine { line, .. }) = course.newest() else { return Ok(html! {}) };
    let drawing = plot(course, history).svg(&format!("{} over time", line.title))?;
    let rows = course.entries.iter().enumerate().rev();
    Ok(html! {
        article id={ "scenario-" (index + 1) } {
            h2 { (line.title) }
            p.figures {
                span { (line.scenario) } " "
                span { (figure(line.median)) " " (line.unit) } " "
                span { (change(course, course.entries.len() - 1)) } " "
                span { (status(line.status)) }
            }
            figure { (drawing) }
            details {
                summary { "All records" }
                div.scroll role="region" aria-label="All records" tabindex="0" {
                    table {
                        thead {
                            tr {
                                @for name in ["recorded", "commit", "machine"] {
                                    th scope="col" { (name) }
                                }
                                @for name in ["median", "change", "runs"] {
                                    th.number scope="col" { (name) }
                                }
                                th scope="col" { "status" }
                            }
                        }
                        tbody {
                            @for (index, entry) in rows { (row(index, entry, course, history)) }
                        }
                    }
                }
            }
        }
    })
}

fn row(index: usize, entry: &PlacedLine, course: &Course, history: &History) -> Markup {
    let line = &entry.line;
    let runs: Vec<String> = line.values.iter().map(|value| number(*value)).collect();
    html! {
        tr {
            td { (time(entry)) }
            td { (cut(&line.commit, COMMIT_DIGITS.1)) }
            td.long {
                (history.machines.get(entry.machine).map_or("", |name| name))
                small { (line.machine.system) ", load " (line.machine.load_percent) " %" }
            }
            td.number { (figure(line.median)) }
            td.number { (change(course, index)) }
            td.number.long { (runs.join(" ")) }
            td { (status(line.status)) }
        }
    }
}

/// Entries from left to right at equal distances: records come in bursts.
fn plot(course: &Course, history: &History) -> Plot {
    let places = || course.entries.iter().enumerate();
    let used = |look: &usize| course.entries.iter().any(|entry| entry.machine == *look);
    let lines = (0..history.machines.len()).filter(used).map(|look| {
        let mine = || places().filter(|(_, entry)| entry.machine == look);
        let medians: Vec<_> =
            mine().filter_map(|(at, entry)| Some((place(at), entry.line.median?))).collect();
        let runs = mine()
            .flat_map(|(at, entry)| entry.line.values.iter().map(move |run| (place(at), *run)));
        let runs = runs.take(VALUES_MAX * super::history::ENTRIES_MAX).map(|point| (point, true));
        // Medians are drawn on top of the runs.
        let dots = runs.chain(medians.iter().map(|point| (*point, false))).collect();
        Drawn { look, pieces: vec![medians], dots: Dots::At(dots) }
    });
    let lines: Vec<Drawn> = lines.collect();
    let newest = course.newest().map(|entry| &entry.line);
    // The two may lie close together; their names must not meet.
    let marks = newest.into_iter().flat_map(|line| {
        let (floor, aim) =
            (format!("floor {}", short(line.floor)), format!("aim {}", short(line.aim)));
        [Rule::AcrossNamedRight(line.floor, floor), Rule::Across(line.aim, aim)]
    });
    let rules: Vec<Rule> = marks.collect();
    let values = course.entries.iter().flat_map(|entry| entry.line.values.iter().copied());
    let marked = newest.into_iter().flat_map(|line| [line.floor, line.aim]);
    let values: Vec<f64> = values.chain(marked).collect();
    let unit = newest.map(|line| line.unit.clone()).unwrap_or_default();
    let names = course.entries.iter().map(|entry| cut(&entry.line.commit, COMMIT_DIGITS.0));
    let x = Axis::places("commit, by the time of the record", names.collect());
    let y = Axis::fitting(unit, Unit::Plain, &values);
    Plot { x, y, lines, asides: Vec::new(), rules }
}

#[expect(clippy::cast_precision_loss, reason = "entries are bounded, far below 2^53")]
fn place(index: usize) -> f64 {
    index as f64
}

fn figure(value: Option<f64>) -> String {
    value.map_or("–".to_owned(), number)
}

/// `+3.1 %`, in the colour of good or bad.
fn change(course: &Course, index: usize) -> Markup {
    let Some(change) = course.change(index) else { return html! { "–" } };
    let text = format!("{:+.1} %", change * 100.0).replace('-', "−");
    match course.is_better(index) {
        Some(true) => html! { span.good { span.mood { (text) } } },
        Some(false) => html! { span.bad { span.mood { (text) } } },
        None => html! { (text) },
    }
}

fn status(status: Status) -> Markup {
    let (class, mark, text) = match status {
        Status::Aim => ("good", "✓", "aim met"),
        Status::Floor => ("good", "✓", "floor met"),
        Status::Missed => ("bad", "✕", "missed"),
        Status::Invalid => ("odd", "?", "no figure"),
    };
    html! { span class=(class) { span.mark { (mark) } (text) } }
}

fn time(entry: &PlacedLine) -> String {
    entry.line.time.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M").to_string()
}

fn cut(text: &str, characters: usize) -> String {
    text.chars().take(characters).collect()
}
