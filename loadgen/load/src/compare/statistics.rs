//! Medians over runs, and the ratios of runs that belong together.
//!
//! An invalid run says nothing: it counts neither into a median, unless there is no other, nor into
//! a ratio.

use paired::{median_whole, quartiles};

use super::worst;
use crate::outcome::{Brief, Cost, Ratio, Standing};

/// Medians, figure by figure, and the worst standing. `runs` is not empty.
pub(super) fn median_of_runs(runs: &[Brief]) -> Brief {
    let valid: Vec<&Brief> = runs.iter().filter(|run| run.standing != Standing::Invalid).collect();
    let used = if valid.is_empty() { runs.iter().collect() } else { valid };
    let costs: Vec<Cost> = used.iter().filter_map(|run| run.cost).collect();
    Brief {
        rate: median(used.iter().map(|run| run.rate)).unwrap_or_default(),
        p50_us: median(used.iter().filter_map(|run| run.p50_us)),
        p99_us: median(used.iter().filter_map(|run| run.p99_us)),
        cost: (!costs.is_empty()).then(|| median_of_costs(&costs)),
        standing: worst(runs.iter().map(|run| run.standing)),
    }
}

fn median_of_costs(costs: &[Cost]) -> Cost {
    let real = |of: fn(&Cost) -> f64| median(costs.iter().map(of)).unwrap_or_default();
    let whole = |of: fn(&Cost) -> u64| median_whole(costs.iter().map(of));
    Cost {
        cpu_s: real(|cost| cost.cpu_s),
        cpu_ns_per_message: real(|cost| cost.cpu_ns_per_message),
        cpu_share: real(|cost| cost.cpu_share),
        rss_peak_kib: whole(|cost| cost.rss_peak_kib),
        threads: whole(|cost| cost.threads),
        context_switches_voluntary: whole(|cost| cost.context_switches_voluntary),
        context_switches_involuntary: whole(|cost| cost.context_switches_involuntary),
    }
}

/// Rates against those of the same passes of the first program.
pub(super) fn rate_ratio(first: &[Brief], runs: &[Brief]) -> Option<Ratio> {
    ratio(first, runs, |run| Some(run.rate))
}

/// CPU per message in the same way.
pub(super) fn cpu_ratio(first: &[Brief], runs: &[Brief]) -> Option<Ratio> {
    ratio(first, runs, |run| run.cost.map(|cost| cost.cpu_ns_per_message))
}

/// Passes in which either program has no such figure above 0 are left out.
fn ratio(first: &[Brief], runs: &[Brief], of: fn(&Brief) -> Option<f64>) -> Option<Ratio> {
    let figure = |run: &Brief| {
        let valid = Some(run).filter(|run| run.standing != Standing::Invalid);
        valid.and_then(of).filter(|figure| *figure > 0.0)
    };
    let passes = first.iter().zip(runs);
    let ratios: Vec<f64> =
        passes.filter_map(|(first, run)| Some(figure(run)? / figure(first)?)).collect();
    let [q1, median, q3] = quartiles(&ratios)?;
    Some(Ratio { median, q1, q3 })
}

fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    paired::median(&values.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn run(rate: f64, cpu_ns: f64, standing: Standing) -> Brief {
        let cost = Cost { cpu_ns_per_message: cpu_ns, rss_peak_kib: 10, ..Cost::default() };
        Brief { rate, p50_us: Some(rate), p99_us: None, cost: Some(cost), standing }
    }

    fn passed(rate: f64) -> Brief {
        run(rate, 100.0, Standing::Passed)
    }

    /// The ratio is taken within each pass: a machine that slows down to a tenth does not show.
    #[test]
    fn ratios_are_of_the_same_pass() {
        let first = [100.0, 50.0, 10.0].map(passed);
        let second = [200.0, 100.0, 20.0].map(passed);
        let ratio = rate_ratio(&first, &second).unwrap();
        assert_eq!(ratio, Ratio { median: 2.0, q1: 2.0, q3: 2.0 });
        let slower: Vec<Brief> = [120.0, 110.0].map(|ns| run(1.0, ns, Standing::Passed)).to_vec();
        let ratio = cpu_ratio(&first, &slower).unwrap();
        assert!((ratio.median - 1.15).abs() < 1e-9 && ratio.q1 < ratio.q3, "{ratio:?}");
    }

    #[test]
    fn invalid_runs_say_nothing() {
        let invalid = |rate| run(rate, 1.0, Standing::Invalid);
        let first = vec![passed(100.0), invalid(1.0), passed(100.0)];
        let second = vec![invalid(1.0), passed(300.0), passed(150.0)];
        assert_eq!(rate_ratio(&first, &second).unwrap().median, 1.5);
        assert_eq!(cpu_ratio(&first, &second).unwrap().median, 1.0);
        let median = median_of_runs(&second);
        assert_eq!((median.rate, median.standing), (225.0, Standing::Invalid));
        assert_eq!(median.p50_us, Some(225.0));
        assert_eq!(median.p99_us, None);
        assert_eq!(median.cost.unwrap().rss_peak_kib, 10);
        let all = [invalid(5.0)];
        assert_eq!((median_of_runs(&all).rate, rate_ratio(&all, &all)), (5.0, None));
        let dead = [run(0.0, 0.0, Standing::Failed)];
        assert_eq!(rate_ratio(&dead, &dead), None);
    }

    proptest! {
        /// Quartiles are in order and within the values; the same runs have the ratio 1; turning
        /// the comparison round turns the median of its ratios round, when their number is odd.
        #[test]
        fn ratios_are_consistent(
            rates in proptest::collection::vec((1.0..1e6_f64, 1.0..1e6_f64), 1..21)
        ) {
            let first: Vec<Brief> = rates.iter().map(|(rate, _)| passed(*rate)).collect();
            let second: Vec<Brief> = rates.iter().map(|(_, rate)| passed(*rate)).collect();
            let there = rate_ratio(&first, &second).unwrap();
            let ratios: Vec<f64> = rates.iter().map(|(a, b)| b / a).collect();
            let low = ratios.iter().copied().fold(f64::INFINITY, f64::min);
            let high = ratios.iter().copied().fold(0.0, f64::max);
            let order = [low, there.q1, there.median, there.q3, high];
            prop_assert!(order.windows(2).all(|w| w[0] <= w[1] * (1.0 + 1e-12)), "{:?}", order);
            let same = rate_ratio(&first, &first).unwrap();
            prop_assert_eq!(same, Ratio { median: 1.0, q1: 1.0, q3: 1.0 });
            if rates.len() % 2 == 1 {
                let back = rate_ratio(&second, &first).unwrap();
                prop_assert!((there.median * back.median - 1.0).abs() < 1e-9);
            }
        }
    }
}
