//! Latency by percentile, on HdrHistogram's logarithmic axis.

use super::axis::{Axis, Unit};
use super::plot::{Dots, Line, Plot};
use super::text::float;
use loadgen_load::outcome::Distribution;

/// Where the quarter of the smallest values ends, which the latency axis need not have room for:
/// there the line lies at the edge.
const X_PLOTTED_MIN: f64 = 1.0 / (1.0 - 0.25);

/// The plot of all these distributions, each with its look, of what `title` says.
pub(super) fn plot(distributions: &[(usize, &Distribution)], title: &'static str) -> Plot {
    let lines: Vec<Line> =
        distributions.iter().map(|(look, distribution)| line(*look, distribution)).collect();
    let points = || lines.iter().flat_map(|line| line.pieces.iter().flatten());
    let x_max = points().map(|point| point.0).fold(0.0, f64::max);
    // A few lucky values may be a hundredth of the rest; the plot is about the others.
    let plotted = points().filter(|point| point.0 >= X_PLOTTED_MIN).map(|point| point.1);
    let ys: Vec<f64> = plotted.collect();
    Plot {
        x: Axis::quantiles(x_max),
        y: Axis::fitting(title, Unit::Micros, &ys),
        lines,
        asides: Vec::new(),
        rules: Vec::new(),
    }
}

fn line(look: usize, distribution: &Distribution) -> Line {
    // The largest of n values stands where the n-th would, not at infinity.
    let x_max = float(distribution.count.max(1));
    let points = distribution.curve.iter().filter(|point| {
        (0.0..=1.0).contains(&point.quantile) && point.us.is_finite() && point.us >= 0.0
    });
    let points = points.map(|point| (((1.0 - point.quantile).recip()).min(x_max), point.us));
    Line { look, pieces: vec![points.collect()], dots: Dots::Sparse }
}

#[cfg(test)]
mod tests {
    use super::*;
    use loadgen_load::outcome::CurvePoint;

    fn distribution(count: u64, curve: &[(f64, f64)]) -> Distribution {
        let curve = curve.iter().map(|&(quantile, us)| CurvePoint { quantile, us }).collect();
        Distribution { count, curve, ..Distribution::default() }
    }

    #[test]
    fn the_largest_value_stands_at_the_count() {
        let found = distribution(1000, &[(0.0, 10.0), (0.9, 20.0), (0.999, 30.0), (1.0, 40.0)]);
        let plot = plot(&[(0, &found)], "latency");
        let xs: Vec<f64> = plot.lines[0].pieces[0].iter().map(|p| p.0.round()).collect();
        assert_eq!(xs, [1.0, 10.0, 1000.0, 1000.0]);
        let labels: Vec<_> = plot.x.ticks(9).into_iter().map(|tick| tick.label).collect();
        assert_eq!(labels, ["0 %", "90 %", "99 %", "99.9 %"]);
    }

    #[test]
    fn points_without_a_value_are_left_out() {
        let odd = [(f64::NAN, 1.0), (-0.1, 1.0), (1.1, 1.0), (0.5, f64::INFINITY), (0.5, -1.0)];
        for found in [distribution(0, &odd), distribution(0, &[]), distribution(7, &odd)] {
            assert!(plot(&[(0, &found)], "latency").lines[0].pieces[0].is_empty());
        }
    }
}
