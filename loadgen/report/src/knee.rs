//! The knee of a capacity search: what each rate that was tried cost in latency and in CPU.

use super::axis::{Axis, Unit};
use super::plot::{Dots, Line, Plot, Rule};
use super::text;
use loadgen_load::outcome::{Capacity, Probe};

/// Names of the latency plot's lines, by their looks.
pub(super) const LATENCIES: [&str; 3] = ["p50", "p99", "p99.9"];
/// Most probes that are shown; a search makes some thirty.
pub(super) const PROBES_MAX: usize = 500;
/// Look of the line of CPU per message.
pub(super) const CPU_LOOK: usize = 3;

/// The plot of latency by rate.
pub(super) fn latency(capacity: &Capacity) -> Plot {
    let readings: [fn(&Probe) -> Option<f64>; 3] =
        [|probe| Some(probe.p50_us), |probe| Some(probe.p99_us), |probe| Some(probe.p99_9_us)];
    let looks = readings.into_iter().enumerate();
    let lines: Vec<Line> =
        looks.map(|(look, reading)| line(look, &capacity.probes, reading)).collect();
    let objective = capacity.objective.p99_us;
    let values: Vec<f64> = values(&lines).chain([objective]).collect();
    let mut rules =
        vec![Rule::Across(objective, format!("p99 at most {}", text::micros(objective)))];
    rules.extend(found(capacity));
    let y = Axis::fitting("latency", Unit::Micros, &values);
    Plot { x: rates(&capacity.probes), y, lines, asides: Vec::new(), rules }
}

/// The plot of CPU per message by rate; `None` when the program ran elsewhere.
pub(super) fn cpu(capacity: &Capacity) -> Option<Plot> {
    let reading = |probe: &Probe| probe.cost.as_ref().map(|cost| cost.cpu_ns_per_message);
    let lines = vec![line(CPU_LOOK, &capacity.probes, reading)];
    let y = Axis::fitting("CPU per message", Unit::Nanos, &values(&lines).collect::<Vec<f64>>());
    let seen = lines.iter().any(|line| !line.pieces.iter().all(Vec::is_empty));
    let (x, rules) = (rates(&capacity.probes), found(capacity).into_iter().collect());
    seen.then_some(Plot { x, y, lines, asides: Vec::new(), rules })
}

fn rates(probes: &[Probe]) -> Axis {
    let rates: Vec<f64> = probes.iter().map(|probe| probe.rate).collect();
    Axis::fitting("messages per second, asked", Unit::Plain, &rates)
}

fn found(capacity: &Capacity) -> Option<Rule> {
    capacity.rate.map(|rate| Rule::Upright(rate, format!("found {}", text::rate(rate))))
}

/// A marker for each probe, hollow where the objective did not hold, and a line through the medians
/// of the rates.
fn line(look: usize, probes: &[Probe], reading: impl Fn(&Probe) -> Option<f64>) -> Line {
    let known = probes.iter().filter_map(|probe| {
        let point = (probe.rate, reading(probe)?);
        (point.0.is_finite() && point.1.is_finite()).then_some((point, !probe.held))
    });
    let dots: Vec<_> = known.take(PROBES_MAX).collect();
    let mut points: Vec<(f64, f64)> = dots.iter().map(|(point, _)| *point).collect();
    points.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let by_rate = points.chunk_by(|a, b| a.0 == b.0);
    let medians = by_rate.map(|same| same[same.len() / 2]).collect();
    Line { look, pieces: vec![medians], dots: Dots::At(dots) }
}

fn values(lines: &[Line]) -> impl Iterator<Item = f64> {
    lines
        .iter()
        .filter_map(|line| match &line.dots {
            Dots::At(dots) => Some(dots.iter().map(|((_, y), _)| *y)),
            Dots::Sparse => None,
        })
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use loadgen_load::outcome::ProbeStep;

    fn probe(rate: f64, p99_us: f64, held: bool) -> Probe {
        Probe {
            step: ProbeStep::Climb,
            rate,
            held,
            invalid: false,
            reasons: Vec::new(),
            achieved: rate,
            p50_us: 1.0,
            p99_us,
            p99_9_us: 1.0,
            cost: None,
        }
    }

    #[test]
    fn probes_of_a_rate_meet_in_their_median() {
        let probes = [
            probe(20.0, 9.0, true),
            probe(10.0, 1.0, true),
            probe(20.0, 4.0, true),
            probe(20.0, 5.0, false),
        ];
        let line = line(1, &probes, |probe| Some(probe.p99_us));
        assert_eq!(line.pieces, [vec![(10.0, 1.0), (20.0, 5.0)]]);
        let Dots::At(dots) = line.dots else { panic!("every probe has its marker") };
        assert_eq!(dots.len(), 4);
        assert_eq!(dots.iter().filter(|(_, hollow)| *hollow).count(), 1);
    }
}
