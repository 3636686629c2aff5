//! A soak second by second: rate, latency, memory, descriptors and threads, its faults shaded.

use super::axis::{Axis, Unit};
use super::plot::{Dots, Line, Plot, Point, Rule};
use super::text::{self, float};
use super::timeline;
use loadgen_load::fault::FaultKind;
use loadgen_load::outcome::{Fault, Sample, Soak};

/// Names of the lines of the plot of latencies, and of that of counts.
pub(super) const LATENCIES: [&str; 2] = ["p50", "p99"];
pub(super) const COUNTS: [&str; 2] = ["descriptors", "threads"];

/// Most faults that are shaded: more leave nothing between them.
pub(super) const FAULTS_MAX: usize = 1000;
/// Most faults that have a marker each: more would hide each other.
const MARKED_MAX: usize = 120;
/// A fault is shaded at least so wide, as a share of the axis: what is over at once is seen.
const WIDTH_MIN: f64 = 1.0 / 400.0;

/// What a plot shows, to those who cannot see it.
type Named = (&'static str, Plot);

/// The plots, one above another.
pub(super) fn plots(soak: &Soak) -> Vec<Named> {
    let (x, asides) = timeline::time(&[(0, &soak.run)]);
    let asides = [asides, faults(soak, x.span())].concat();
    let plot = |y, lines, rules| Plot { x: x.clone(), y, lines, asides: asides.clone(), rules };
    let mut plots = vec![
        ("Messages sent per second over time", rate(soak, &plot)),
        ("Latency over time: p50 and p99", latency(soak, &plot)),
    ];
    if !soak.samples.is_empty() {
        plots.push(("Resident memory of the program over time", memory(soak, &plot)));
        plots.push(("Open descriptors and threads of the program over time", counts(soak, &plot)));
    }
    plots
}

type Make<'a> = dyn Fn(Axis, Vec<Line>, Vec<Rule>) -> Plot + 'a;

fn rate(soak: &Soak, plot: &Make<'_>) -> Plot {
    let rates = timeline::pieces(&soak.run.series, |second| Some(float(second.sent)));
    let asked = soak.run.rates.asked;
    let rule = asked.map(|rate| Rule::Across(rate, format!("asked {}", text::rate(rate))));
    let mut lines = vec![line(0, rates)];
    lines.extend(kinds(soak).into_iter().map(|(kind, look)| marks(soak, kind, look)));
    let values = timeline::values(&lines).chain(asked);
    let axis = Axis::from_zero("messages per second", Unit::Plain, values);
    plot(axis, lines, rule.into_iter().collect())
}

/// The kinds that have markers, with their looks: none where there are too many faults.
pub(super) fn kinds(soak: &Soak) -> Vec<(FaultKind, usize)> {
    if soak.faults.len() > MARKED_MAX {
        return Vec::new();
    }
    // Behind that of the line.
    let looks = FaultKind::ALL.into_iter().zip(1..);
    looks.filter(|(kind, _)| soak.faults.iter().any(|fault| fault.kind == *kind)).collect()
}

/// The faults of a kind on the axis of time, hollow where they were never recovered from.
fn marks(soak: &Soak, kind: FaultKind, look: usize) -> Line {
    let of_kind = soak.faults.iter().filter(|fault| fault.kind == kind && fault.at_s.is_finite());
    let dot = |fault: &Fault| ((fault.at_s, 0.0), fault.recovery_s.is_none());
    Line { look, pieces: Vec::new(), dots: Dots::At(of_kind.map(dot).collect()) }
}

fn latency(soak: &Soak, plot: &Make<'_>) -> Plot {
    // Zero stands for a second without alerts.
    let known = |us: f64| Some(us).filter(|us| *us > 0.0);
    let p50 = timeline::pieces(&soak.run.series, |second| known(second.p50_us));
    let p99 = timeline::pieces(&soak.run.series, |second| known(second.p99_us));
    let lines = vec![line(0, p50), line(1, p99)];
    let values: Vec<f64> = timeline::values(&lines).collect();
    plot(Axis::fitting("latency", Unit::Micros, &values), lines, Vec::new())
}

fn memory(soak: &Soak, plot: &Make<'_>) -> Plot {
    let lines = vec![line(0, points(soak, |sample| float(sample.rss_kib) / 1024.0))];
    let axis = Axis::from_zero("resident memory, MiB", Unit::Plain, timeline::values(&lines));
    plot(axis, lines, Vec::new())
}

fn counts(soak: &Soak, plot: &Make<'_>) -> Plot {
    let lines = vec![
        line(0, points(soak, |sample| float(sample.descriptors))),
        line(1, points(soak, |sample| float(sample.threads))),
    ];
    let axis = Axis::from_zero("descriptors, threads", Unit::Plain, timeline::values(&lines));
    plot(axis, lines, Vec::new())
}

fn points(soak: &Soak, reading: fn(&Sample) -> f64) -> Vec<Vec<Point>> {
    let known = soak.samples.iter().filter(|sample| sample.at_s.is_finite());
    vec![known.map(|sample| (sample.at_s, reading(sample))).collect()]
}

fn line(look: usize, pieces: Vec<Vec<Point>>) -> Line {
    Line { look, pieces, dots: Dots::Sparse }
}

/// Each fault with the recovery from it.
fn faults(soak: &Soak, span: f64) -> Vec<(f64, f64, &'static str)> {
    let ends = soak.faults.iter().take(FAULTS_MAX).map(|fault| {
        let end = fault.at_s + fault.length_s + fault.recovery_s.unwrap_or(f64::INFINITY);
        (fault.at_s, end.max(fault.at_s + span * WIDTH_MIN), fault.kind.name())
    });
    ends.filter(|(from, to, _)| from <= to).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use loadgen_load::fault::FaultKind;
    use loadgen_load::outcome::Fault;

    #[test]
    fn faults_are_shaded_until_they_are_recovered_from() {
        let mut soak = loadgen_load::example::soak(1000.0, "program");
        let fault =
            |at_s, recovery_s| Fault { kind: FaultKind::Stall, at_s, length_s: 2.0, recovery_s };
        soak.faults = vec![fault(20.0, Some(1.0)), fault(40.0, None), fault(f64::NAN, None)];
        let shaded = faults(&soak, 400.0);
        assert_eq!(shaded, [(20.0, 23.0, "stall"), (40.0, f64::INFINITY, "stall")]);
        soak.faults[0].length_s = 0.0;
        assert_eq!(faults(&soak, 4000.0)[0], (20.0, 30.0, "stall"), "it can be seen");
    }
}
