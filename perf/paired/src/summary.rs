//! What the ratios of pairs say: their median, its interval, and whether chance explains it. Pure.

use fastrand::Rng;

use crate::quantile::median;

/// Sign flips of the permutation test.
pub const FLIPS: u32 = 20_000;
/// One in so many flips is chance enough.
pub const ENOUGH: u32 = 20;
/// Share of intervals that miss the true median: what the test allows as well.
pub const INTERVAL_MISSES: f64 = 0.01;

/// A set of ratios in short. A ratio is B's figure by A's in the same pair.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Summary {
    /// Ratios.
    pub pairs: usize,
    /// Their median.
    pub median: f64,
    /// Low end of the median's interval.
    pub low: f64,
    /// High end of the median's interval.
    pub high: f64,
    /// How likely ratios at least as lopsided are when A and B are alike.
    pub p: f64,
}

impl Summary {
    /// Of `ratios`, tested by so many sign flips; `None` without any, or when one is no positive
    /// number.
    pub fn of(ratios: &[f64], flips: u32, seed: u64) -> Option<Self> {
        if !ratios.iter().all(|ratio| ratio.is_finite() && *ratio > 0.0) {
            return None;
        }
        let median = median(ratios)?;
        let (low, high) = interval(ratios);
        let logarithms: Vec<f64> = ratios.iter().map(|ratio| ratio.ln()).collect();
        let p = permutation(&logarithms, flips, seed);
        Some(Self { pairs: ratios.len(), median, low, high, p })
    }
}

/// Values between which the true median lies, by order statistics: whatever the distribution, the
/// number of values below it is binomial with one half. All of them where so few allow nothing
/// less.
fn interval(values: &[f64]) -> (f64, f64) {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let (Some(first), Some(last)) = (sorted.first(), sorted.last()) else {
        return (f64::NAN, f64::NAN);
    };
    let (mut ends, mut below) = ((*first, *last), 0.0);
    // The probability of a value of rank `rank` and no more below the median.
    let mut chance = 0.5_f64.powf(float(sorted.len()));
    for rank in 0..sorted.len() / 2 {
        below += chance;
        if 2.0 * below > INTERVAL_MISSES {
            break;
        }
        ends = (sorted[rank], sorted[sorted.len() - 1 - rank]);
        chance *= float(sorted.len() - rank) / float(rank + 1);
    }
    ends
}

/// Paired permutation test about 0: were A and B alike, each value might as well have the other
/// sign. The sum of signed ranks is compared with that under random signs, so that one outlier
/// counts no more than the largest rank. Two-sided; never 0. It ends before all flips are made once
/// one in [`ENOUGH`] of them was as far: what is left then is a matter of chance at most.
pub fn permutation(values: &[f64], flips: u32, seed: u64) -> f64 {
    let ranks = signed_ranks(values);
    let found = ranks.iter().sum::<f64>().abs();
    let mut rng = Rng::with_seed(seed);
    let mut as_far = 0;
    for flip in 1..=flips {
        // Ranks are halves: sums are exact.
        if flipped(&ranks, &mut rng).abs() >= found {
            as_far += 1;
            if as_far * ENOUGH >= flips {
                return f64::from(as_far) / f64::from(flip);
            }
        }
    }
    f64::from(as_far + 1) / f64::from(flips + 1)
}

/// The sum with a random sign for each rank, 64 of them drawn at a time.
fn flipped(ranks: &[f64], rng: &mut Rng) -> f64 {
    let of_64 = |ranks: &[f64], signs: u64| -> f64 {
        let signed = ranks.iter().enumerate();
        signed.map(|(bit, rank)| if signs >> bit & 1 == 0 { *rank } else { -rank }).sum()
    };
    ranks.chunks(64).map(|ranks| of_64(ranks, rng.u64(..))).sum()
}

/// The rank of each value by size without its sign, from 1, with its sign; 0 where it is 0. Equal
/// ones share the mean of their ranks.
fn signed_ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_unstable_by(|a, b| values[*a].abs().total_cmp(&values[*b].abs()));
    let mut ranks = vec![0.0; values.len()];
    let mut done = 0;
    for same in order.chunk_by(|a, b| values[*a].abs() == values[*b].abs()) {
        let rank = float(2 * done + same.len() + 1) / 2.0;
        done += same.len();
        for index in same.iter().filter(|index| values[**index] != 0.0) {
            ranks[*index] = rank.copysign(values[*index]);
        }
    }
    ranks
}

#[expect(clippy::cast_precision_loss, reason = "a count of pairs is far below 2^53")]
fn float(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_have_their_signs() {
        assert_eq!(signed_ranks(&[0.3, -0.1, 0.0, 0.1, -9.0]), [4.0, -2.5, 0.0, 2.5, -5.0]);
        assert!(signed_ranks(&[]).is_empty());
    }

    /// With few values the test can be done by hand: of 2^n signs, two make the sum as large as
    /// when all are the same.
    #[test]
    fn chance_is_what_counting_says() {
        let all_up: Vec<f64> = (1..=8).map(f64::from).collect();
        let close = |found: f64, exact: f64| (found - exact).abs() < exact / 8.0;
        assert!(close(permutation(&all_up, FLIPS, 1), 2.0 / 256.0));
        // 1, 2 and -3 of 1 to 3: every sum is at least as far from 0.
        assert!(close(permutation(&[1.0, 2.0, -3.0], FLIPS, 1), 1.0));
        // Sums of -1, 2 and 3: 4; as far are 6, 4 and their negatives, of 8.
        assert!(close(permutation(&[-1.0, 2.0, 3.0], FLIPS, 1), 0.5));
        assert_eq!(permutation(&[0.0; 30], FLIPS, 1), 1.0);
        assert_eq!(permutation(&[], FLIPS, 1), 1.0);
        let down: Vec<f64> = all_up.iter().map(|value| -value).collect();
        assert_eq!(permutation(&down, 1000, 7), permutation(&all_up, 1000, 7));
    }

    /// 99 % intervals of the median by the table of the binomial distribution: of 30 values the
    /// 8th and the 23rd.
    #[test]
    fn the_interval_is_where_the_table_has_it() {
        let values = |count: u32| (1..=count).map(f64::from).rev().collect::<Vec<_>>();
        for (count, ends) in [
            (1, (1.0, 1.0)),
            (7, (1.0, 7.0)),
            (8, (1.0, 8.0)),
            (12, (2.0, 11.0)),
            (30, (8.0, 23.0)),
        ] {
            assert_eq!(interval(&values(count)), ends, "{count}");
        }
        assert_eq!(interval(&values(100)), (37.0, 64.0));
    }

    #[test]
    fn no_summary_of_what_is_no_ratio() {
        for bad in [&[][..], &[1.0, f64::NAN], &[1.0, 0.0], &[-1.0], &[f64::INFINITY]] {
            assert_eq!(Summary::of(bad, 100, 1), None, "{bad:?}");
        }
        let found = Summary::of(&[1.1, 1.2, 1.3], 100, 1).unwrap();
        assert_eq!((found.pairs, found.median, found.low, found.high), (3, 1.2, 1.1, 1.3));
    }
}
