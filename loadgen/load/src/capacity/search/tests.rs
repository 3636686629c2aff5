use proptest::prelude::*;

use super::*;
use crate::capacity::RUNS_MAX;
use crate::settings::RATE_MAX;

/// Searches to the end; what was tried, with what came of it.
fn search(
    start: f64,
    max: f64,
    mut holds: impl FnMut(f64) -> bool,
) -> (Search, Vec<(ProbeStep, f64, bool)>) {
    let mut search = Search::new(start, max);
    let mut tried = Vec::new();
    while let Some((step, rate)) = search.next() {
        assert!(rate >= 1e-3 && rate <= max, "{rate}");
        assert!(tried.len() < 1000, "no end: {tried:?}");
        let held = holds(rate);
        search.record(held);
        tried.push((step, rate, held));
    }
    (search, tried)
}

fn count(tried: &[(ProbeStep, f64, bool)], step: ProbeStep) -> usize {
    tried.iter().filter(|(other, ..)| *other == step).count()
}

#[test]
fn the_steps_of_a_search() {
    let (search, tried) = search(1000.0, 10e6, |rate| rate <= 5000.0);
    let climb: Vec<f64> = tried.iter().take(4).map(|(_, rate, _)| *rate).collect();
    assert_eq!(climb, [1000.0, 2000.0, 4000.0, 8000.0]);
    assert_eq!(count(&tried, ProbeStep::Climb), 4);
    assert_eq!(count(&tried, ProbeStep::Bisect), 4);
    assert_eq!(count(&tried, ProbeStep::Confirm), 3);
    let rate = search.confirmed().unwrap();
    assert_eq!(tried.last(), Some(&(ProbeStep::Refuse, rate * REFUSAL, false)));
    assert_eq!(search.notes(), [""; 0]);
}

#[test]
fn nothing_holds() {
    let (search, tried) = search(1000.0, 10e6, |_| false);
    assert_eq!((search.confirmed(), tried.len()), (None, 2));
    assert!(search.notes()[0].contains("even 1000/s"), "{:?}", search.notes());
}

#[test]
fn one_slip_at_the_start_is_forgiven() {
    let mut first = true;
    let (search, _) = search(1000.0, 10e6, |rate| rate <= 5000.0 && !std::mem::take(&mut first));
    assert!(search.confirmed().unwrap() > 4700.0);
}

#[test]
fn nothing_fails() {
    let (search, tried) = search(1000.0, 10_000.0, |_| true);
    assert_eq!(search.confirmed(), Some(10_000.0));
    assert_eq!(count(&tried, ProbeStep::Climb), 5);
    assert_eq!(count(&tried, ProbeStep::Refuse), 0);
    assert!(search.notes()[0].contains("no rate above 10000/s"), "{:?}", search.notes());
}

/// A failure by chance in the climb hides most of the capacity; the refusal finds out.
#[test]
fn a_rate_that_should_fail_and_holds_goes_on_up() {
    let mut calls = 0;
    let (search, tried) = search(1000.0, 10e6, |rate| {
        calls += 1;
        calls != 3 && rate <= 50_000.0
    });
    let rate = search.confirmed().unwrap();
    assert!((50_000.0 / PRECISION..=50_000.0).contains(&rate), "{rate} {tried:?}");
    assert_eq!(count(&tried, ProbeStep::Refuse), 2);
}

/// What holds once and never again is lowered step by step, and not for ever.
#[test]
fn what_cannot_be_confirmed_is_lowered() {
    let mut steps = 0;
    let mut search = Search::new(1000.0, 10e6);
    let mut rates = Vec::new();
    while let Some((step, rate)) = search.next() {
        steps += 1;
        rates.push(rate);
        search.record(step != ProbeStep::Confirm && rate <= 5000.0);
    }
    assert_eq!(search.confirmed(), None);
    assert!(search.notes()[0].contains("unsteady"), "{:?}", search.notes());
    assert_eq!(steps, 4 + 4 + 1 + DESCENTS_MAX);
    let last = rates.windows(2).last().unwrap();
    assert!((last[0] / last[1] - PRECISION).abs() < 1e-9, "{last:?}");
}

proptest! {
    /// A sharp limit is found within 5 %, wherever it is, in a bounded number of probes: every
    /// climb from it, at most five halvings, three confirmations and a refusal.
    #[test]
    fn a_sharp_limit_is_found(start in 1.0..1e4_f64, times in 1.0..1000.0_f64) {
        let truth = start * times;
        let (search, tried) = search(start, RATE_MAX, |rate| rate <= truth);
        let rate = search.confirmed().unwrap();
        prop_assert!((truth / PRECISION..=truth).contains(&rate), "{} of {}", rate, truth);
        prop_assert!(tried.len() as f64 <= times.log2().floor() + 2.0 + 5.0 + 3.0 + 1.0);
    }

    /// A limit that sways by 2 % either way is found within 5 % of its lowest and its highest.
    #[test]
    fn a_swaying_limit_is_found(truth in 2e3..1e6_f64, seed: u64) {
        let mut random = fastrand::Rng::with_seed(seed);
        let sway = 0.02;
        let (search, tried) = search(1000.0, RATE_MAX, |rate| {
            rate <= truth * (1.0 + sway * (2.0 * random.f64() - 1.0))
        });
        let rate = search.confirmed().unwrap();
        let range = truth * (1.0 - sway) / PRECISION..=truth * (1.0 + sway);
        prop_assert!(range.contains(&rate), "{} of {}: {:?}", rate, truth, tried);
    }

    /// Failures by chance, one probe in ten, never make a search claim more than there is, nor
    /// endless; where none was confirmed it says why.
    #[test]
    fn chance_failures_never_raise_the_rate(truth in 2e3..1e6_f64, seed: u64) {
        let mut random = fastrand::Rng::with_seed(seed);
        let (search, _) = search(1000.0, RATE_MAX, |rate| rate <= truth && random.f64() > 0.1);
        match search.confirmed() {
            Some(rate) => prop_assert!(rate <= truth),
            None => prop_assert_eq!(search.notes().len(), 1),
        }
    }

    /// Any answers whatever come to an end, within the bound on runs.
    #[test]
    fn any_answers_come_to_an_end(start in 1.0..1e6_f64, share in 0.0..=1.0_f64, seed: u64) {
        let mut random = fastrand::Rng::with_seed(seed);
        let (_, tried) = search(start, RATE_MAX, |_| random.f64() < share);
        prop_assert!(tried.len() <= RUNS_MAX as usize, "{}", tried.len());
    }
}
