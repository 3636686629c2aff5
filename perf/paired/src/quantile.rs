//! The middle of values, and of their halves.

/// The middle one, or the mean of the two in the middle; `None` of nothing.
pub fn median(values: &[f64]) -> Option<f64> {
    middle(&sorted(values))
}

/// Between the two in the middle, rounded down; 0 of nothing.
pub fn median_whole(values: impl IntoIterator<Item = u64>) -> u64 {
    let mut values: Vec<u64> = values.into_iter().collect();
    values.sort_unstable();
    let Some(last) = values.len().checked_sub(1) else { return 0 };
    values[last / 2].midpoint(values[last.div_ceil(2)])
}

/// The first quartile, the median and the third quartile; `None` of nothing.
pub fn quartiles(values: &[f64]) -> Option<[f64; 3]> {
    let sorted = sorted(values);
    Some([quantile(&sorted, 0.25)?, middle(&sorted)?, quantile(&sorted, 0.75)?])
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted
}

fn middle(sorted: &[f64]) -> Option<f64> {
    let middle = sorted.len() / 2;
    let upper = *sorted.get(middle)?;
    Some(if sorted.len() % 2 == 1 { upper } else { f64::midpoint(sorted[middle - 1], upper) })
}

/// A quantile of sorted values, between its two neighbours in proportion (as R's type 7, and
/// NumPy's default); `None` of nothing.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a place between 0 and the number of values, which fits in memory"
)]
fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let place = last as f64 * share;
    let (below, above) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    Some(below + (above - below) * place.fract())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        for (values, expected) in [
            (&[][..], None),
            (&[3.0], Some(3.0)),
            (&[3.0, 1.0], Some(2.0)),
            (&[9.0, 1.0, 2.0], Some(2.0)),
            (&[4.0, 1.0, 9.0, 2.0], Some(3.0)),
        ] {
            assert_eq!(median(values), expected, "{values:?}");
        }
        for (values, expected) in [(&[][..], 0), (&[5], 5), (&[9, 1, 4], 4), (&[1, 4], 2)] {
            assert_eq!(median_whole(values.iter().copied()), expected, "{values:?}");
        }
    }

    /// Known values of type 7.
    #[test]
    fn quantiles() {
        let sorted = [1.0, 2.0, 4.0, 8.0];
        let of = |share| quantile(&sorted, share).unwrap();
        assert_eq!((of(0.0), of(0.25), of(0.5), of(0.75), of(1.0)), (1.0, 1.75, 3.0, 5.0, 8.0));
        assert_eq!((quantile(&[7.0], 0.25), quantile(&[], 0.5)), (Some(7.0), None));
        assert_eq!(quartiles(&[8.0, 2.0, 1.0, 4.0]), Some([1.75, 3.0, 5.0]));
        assert_eq!(quartiles(&[]), None);
    }
}
