//! Fewer points for the same picture.

/// Most points of one drawn line.
pub(super) const POINTS_MAX: usize = 2000;

/// At most `most` (and [`POINTS_MAX`]) of the points, in their order. The first and the last stay,
/// and of each stretch between them the lowest and the highest: no peak goes missing.
pub(super) fn thinned(points: &[(f64, f64)], most: usize) -> Vec<(f64, f64)> {
    let most = most.clamp(4, POINTS_MAX);
    if points.len() <= most {
        return points.to_vec();
    }
    let inner = &points[1..points.len() - 1];
    let stretches = (most - 2) / 2;
    let mut kept = Vec::with_capacity(most);
    kept.push(points[0]);
    for stretch in 0..stretches {
        let from = stretch * inner.len() / stretches;
        let to = (stretch + 1) * inner.len() / stretches;
        kept.extend(extremes(&inner[from..to]));
    }
    kept.push(points[points.len() - 1]);
    kept
}

/// The lowest and the highest point, in their order; one, when they are the same.
fn extremes(stretch: &[(f64, f64)]) -> impl Iterator<Item = (f64, f64)> {
    let by_y = |a: &usize, b: &usize| stretch[*a].1.total_cmp(&stretch[*b].1);
    let low = (0..stretch.len()).min_by(by_y);
    let high = (0..stretch.len()).max_by(by_y);
    let (first, second) = if low <= high { (low, high) } else { (high, low) };
    first.into_iter().chain(second.filter(|_| first != second)).map(|index| stretch[index])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Thinned points are few, a part of the whole in its order, and have its first, its last
        /// and its extremes.
        #[test]
        fn thinning_keeps_what_is_seen(
            ys in prop::collection::vec(-1e6..1e6f64, 0..5000), most in 0..3000usize,
        ) {
            let points: Vec<_> = ys.iter().enumerate().map(|(x, y)| (x as f64, *y)).collect();
            let thin = thinned(&points, most);
            prop_assert!(thin.len() <= points.len().min(most.clamp(4, POINTS_MAX)));
            let mut rest = points.iter();
            prop_assert!(thin.iter().all(|point| rest.any(|other| other == point)), "in order");
            prop_assert_eq!(thin.first(), points.first());
            prop_assert_eq!(thin.last(), points.last());
            let extremes = |points: &[(f64, f64)]| {
                let ys = || points.iter().map(|point| point.1);
                (ys().reduce(f64::min), ys().reduce(f64::max))
            };
            prop_assert_eq!(extremes(&thin), extremes(&points));
        }
    }

    #[test]
    fn a_lone_peak_stays() {
        let mut points: Vec<_> = (0..10_000).map(|x| (f64::from(x), 1.0)).collect();
        points[4321].1 = 100.0;
        let thin = thinned(&points, 500);
        assert!(thin.contains(&(4321.0, 100.0)), "the peak is drawn");
        assert!(thin.len() <= 500);
    }
}
