//! Rate and 99th percentile second by second.

use super::axis::{Axis, Unit};
use super::plot::{Dots, Line, Plot, Rule};
use super::text::{self, float};
use loadgen_load::outcome::{Outcome, Second};

/// What a second shows, or nothing.
type Reading = fn(&Second) -> Option<f64>;

/// The plots of rate and of p99, over the same time, each run with its look.
pub(super) fn plots(runs: &[(usize, &Outcome)]) -> [Plot; 2] {
    let rates = lines(runs, |second| Some(float(second.sent)));
    // Zero stands for a second without alerts.
    let p99s = lines(runs, |second| Some(second.p99_us).filter(|us| *us > 0.0));
    let rules =
        asked_by_all(runs).map(|asked| Rule::Across(asked, format!("asked {}", text::rate(asked))));
    let rules: Vec<Rule> = rules.into_iter().collect();
    let rate_values = values(&rates).chain(asked_by_all(runs));
    let rate_axis = Axis::from_zero("messages per second", Unit::Plain, rate_values);
    let p99_values: Vec<f64> = values(&p99s).collect();
    let p99_axis = Axis::fitting("p99 latency", Unit::Micros, &p99_values);
    let (x, asides) = time(runs);
    [
        Plot { x: x.clone(), y: rate_axis, lines: rates, asides: asides.clone(), rules },
        Plot { x, y: p99_axis, lines: p99s, asides, rules: Vec::new() },
    ]
}

/// The axis of time, and its parts that are not measured.
pub(super) fn time(runs: &[(usize, &Outcome)]) -> (Axis, Vec<(f64, f64, &'static str)>) {
    let seconds = || runs.iter().flat_map(|(_, run)| &run.series).map(|second| second.at_s);
    let measured = runs.iter().map(|(_, run)| run.settings.duration.as_secs_f64());
    let from = seconds().fold(0.0, f64::min);
    let until = measured.clone().fold(0.0, f64::max);
    let to = seconds().map(|at| at + 1.0).fold(until, f64::max);
    let mut asides = Vec::new();
    if from < 0.0 {
        asides.push((from, 0.0, "warm-up"));
    }
    if to > until {
        asides.push((until, to, "drain"));
    }
    (Axis::between("seconds since the measured part began", Unit::Seconds, from, to), asides)
}

fn lines(runs: &[(usize, &Outcome)], reading: Reading) -> Vec<Line> {
    let line = |(look, run): &(usize, &Outcome)| Line {
        look: *look,
        pieces: pieces(&run.series, reading),
        dots: Dots::Sparse,
    };
    runs.iter().map(line).collect()
}

/// Most pieces of a line; with more gaps than that, none can be seen, and none is made.
const PIECES_MAX: usize = 200;

/// Steps, one for each second; the line breaks where there is no reading.
pub(super) fn pieces(
    series: &[Second],
    reading: impl Fn(&Second) -> Option<f64>,
) -> Vec<Vec<(f64, f64)>> {
    let readings: Vec<_> = series
        .iter()
        .map(|second| (second.at_s, reading(second).filter(|value| value.is_finite())))
        .collect();
    let pieces = readings.split(|(_, value)| value.is_none());
    // A second's reading holds for all of it, from its begin to its end.
    let known = |piece: &[(f64, Option<f64>)]| {
        let steps =
            piece.iter().filter_map(|(at, value)| Some([(*at, (*value)?), (*at + 1.0, (*value)?)]));
        steps.flatten().collect::<Vec<_>>()
    };
    let pieces: Vec<_> = pieces.map(known).filter(|piece| !piece.is_empty()).collect();
    if pieces.len() > PIECES_MAX { vec![pieces.concat()] } else { pieces }
}

pub(super) fn values(lines: &[Line]) -> impl Iterator<Item = f64> {
    lines.iter().flat_map(|line| line.pieces.iter().flatten()).map(|point| point.1)
}

fn asked_by_all(runs: &[(usize, &Outcome)]) -> Option<f64> {
    let (_, first) = runs.first()?;
    let same = runs.iter().all(|(_, run)| run.rates.asked == first.rates.asked);
    first.rates.asked.filter(|_| same)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(at_s: f64, p99_us: f64) -> Second {
        Second { at_s, p99_us, ..Second::default() }
    }

    #[test]
    fn a_second_without_alerts_breaks_the_line() {
        let series =
            [(0.0, 5.0), (1.0, 6.0), (2.0, 0.0), (3.0, 7.0)].map(|(at, us)| second(at, us));
        let reading: Reading = |second| Some(second.p99_us).filter(|us| *us > 0.0);
        let steps =
            [vec![(0.0, 5.0), (1.0, 5.0), (1.0, 6.0), (2.0, 6.0)], vec![(3.0, 7.0), (4.0, 7.0)]];
        assert_eq!(pieces(&series, reading), steps);
        assert!(pieces(&[], reading).is_empty());
        assert!(pieces(&[second(0.0, 0.0)], reading).is_empty());
        let holed: Vec<_> = (0..1000).map(|at| second(f64::from(at), f64::from(at % 2))).collect();
        assert_eq!(pieces(&holed, reading).len(), 1, "too many gaps are none");
    }
}
