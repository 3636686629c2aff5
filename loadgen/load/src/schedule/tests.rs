use std::time::Duration;

use proptest::prelude::*;

use super::*;

const SECOND: u64 = NANOS_PER_SECOND;

fn instants(schedule: Schedule) -> impl Iterator<Item = u64> {
    let mut schedule = schedule;
    std::iter::repeat_with(move || {
        let due = schedule.peek();
        schedule.advance();
        due
    })
}

fn fixed(rate: f64) -> Schedule {
    Schedule::new(rate, Arrivals::Fixed, None, 0).unwrap()
}

/// i · 10⁹ / rate to the nearest integer, halves up.
fn exactly(i: u64, rate: u64) -> u64 {
    let (i, rate) = (u128::from(i), u128::from(rate));
    u64::try_from((2 * i * u128::from(SECOND) + rate) / (2 * rate)).unwrap()
}

#[test]
fn limits() {
    for rate in [0.0, -1.0, RATE_MIN / 2.0, RATE_MAX * 1.001, f64::NAN, f64::INFINITY] {
        let error = Schedule::new(rate, Arrivals::Fixed, None, 0).unwrap_err();
        assert!(matches!(error, ScheduleError::Rate(_)), "{rate}: {error}");
    }
    let seconds = Duration::from_secs;
    for (on, period) in [(0, 1), (2, 1), (0, 0), (1, u64::MAX)] {
        let burst = Burst { on: seconds(on), period: seconds(period) };
        let error = Schedule::new(1.0, Arrivals::Fixed, Some(burst), 0).unwrap_err();
        assert_eq!(error, ScheduleError::Burst(burst));
        assert!(error.to_string().contains("at most the period"), "{error}");
    }
    for rate in [RATE_MIN, RATE_MAX] {
        let schedule = fixed(rate);
        assert_eq!(schedule.peek(), 0);
        let second = instants(schedule).nth(1).unwrap();
        assert!((second as f64 - 1e9 / rate).abs() < 1.0);
    }
}

/// After a billion messages, hours later, the instant is still the exact one.
#[test]
fn no_drift() {
    for rate in [1u64, 3, 7, 48_000, 123_457, 999_983, 50_000_000] {
        let gap = exact_gap(rate as f64);
        for i in [1u64, 2, 1_000, 1_000_000_007, 10_000_000_000] {
            let due = (gap * u128::from(i) + (1 << (FRACTION_BITS - 1))) >> FRACTION_BITS;
            assert_eq!(due, u128::from(exactly(i, rate)), "message {i} at {rate}/s");
        }
    }
    // A rate that is no integer, against its exact value as a fraction of integers.
    let gap = exact_gap(0.1);
    let due = (gap * 1_000_000_000) >> FRACTION_BITS;
    let exact = ((u128::from(SECOND) * 1_000_000_000) << 56) / 0x0019_9999_9999_999a;
    assert!(due.abs_diff(exact) <= 1, "{due} {exact}");
}

/// Instants stop at the end of time instead of beginning again.
#[test]
fn saturates() {
    for arrivals in [Arrivals::Fixed, Arrivals::Poisson] {
        let mut schedule = Schedule::new(RATE_MIN, arrivals, None, 0).unwrap();
        match &mut schedule.arrival {
            Arrival::Fixed { at, .. } => *at = u128::MAX - 1,
            Arrival::Poisson { at, .. } => *at = u64::MAX - 1,
        }
        schedule.advance();
        schedule.advance();
        assert_eq!(schedule.peek(), u64::MAX);
    }
}

proptest! {
    /// For every integer rate, message i is due at round(i · 10⁹ / rate).
    #[test]
    fn fixed_is_exact(rate in 1u64..50_000_000) {
        for (i, due) in (0u64..).zip(instants(fixed(rate as f64)).take(1_000)) {
            prop_assert_eq!(due, exactly(i, rate), "message {}", i);
        }
    }

    /// For every rate, fixed instants are less than a nanosecond from i / rate.
    #[test]
    fn fixed_is_near(rate in RATE_MIN..RATE_MAX) {
        for (i, due) in (0u32..).zip(instants(fixed(rate)).take(100)) {
            let exact = f64::from(i) * (1e9 / rate);
            prop_assert!((due as f64 - exact).abs() <= 0.5 + exact * 1e-15, "{due} {exact}");
        }
    }

    /// The number of Poisson arrivals within a time is within five standard deviations of its
    /// mean, whatever the rate; instants never decrease.
    #[test]
    fn poisson_has_its_rate(rate in 1.0f64..RATE_MAX, seed: u64) {
        const MEAN: u32 = 10_000;
        let time = f64::from(MEAN) / rate * 1e9;
        let mut schedule = Schedule::new(rate, Arrivals::Poisson, None, seed).unwrap();
        let (mut count, mut before) = (0u32, 0);
        while (schedule.peek() as f64) < time {
            prop_assert!(schedule.peek() >= before);
            before = schedule.peek();
            count += 1;
            schedule.advance();
        }
        let sigmas = (f64::from(count) - f64::from(MEAN)) / f64::from(MEAN).sqrt();
        prop_assert!(sigmas.abs() < 5.0, "{count} arrivals at {rate}/s with seed {seed}");
    }

    /// Every instant lies in the first part of its period, every period holds the same number of
    /// messages, and the order stays.
    #[test]
    fn bursts_keep_their_periods(
        on_share in 0.001f64..=1.0,
        period_ms in 1u64..100_000,
        count in 1u64..50,
    ) {
        let period = Duration::from_millis(period_ms);
        let burst = Burst { on: period.mul_f64(on_share), period };
        let rate = count as f64 / period.as_secs_f64();
        let schedule = Schedule::new(rate, Arrivals::Fixed, Some(burst), 0).unwrap();
        let [on, period] = [burst.on, period].map(|time| u64::try_from(time.as_nanos()).unwrap());
        let mut before = 0;
        for (i, due) in (0u64..).zip(instants(schedule).take(500)) {
            prop_assert!(due >= before && due % period < on.max(1), "message {i} at {due}");
            prop_assert_eq!(due / period, i / count, "message {} at {}", i, due);
            before = due;
        }
    }

    /// Squeezing is the formula, for periods of any length.
    #[test]
    fn squeezing(base: u64, period in 1u64.., on in 1u64..) {
        let (on, period) = (on.min(period), period.max(on));
        let (into, exact) = (base % period, u128::from(base % period) * u128::from(on));
        let squeezed = Window { on, period }.squeeze(base);
        prop_assert_eq!(u128::from(squeezed), u128::from(base - into) + exact / u128::from(period));
    }
}

/// The gaps are exponentially distributed: as many above each multiple of the mean as there must
/// be.
#[test]
fn poisson_gaps_are_exponential() {
    const GAPS: u32 = 200_000;
    let rate = 1_000.0;
    for seed in [1, 2, 3] {
        let schedule = Schedule::new(rate, Arrivals::Poisson, None, seed).unwrap();
        let instants: Vec<u64> = instants(schedule).take(GAPS as usize + 1).collect();
        let gaps: Vec<f64> =
            instants.windows(2).map(|pair| (pair[1] - pair[0]) as f64 * rate / 1e9).collect();
        for multiple in [0.1, 0.5, 1.0, 2.0, 4.0] {
            let share = f64::exp(-multiple);
            let count = gaps.iter().filter(|gap| **gap > multiple).count() as f64;
            let expected = share * f64::from(GAPS);
            let sigma = (expected * (1.0 - share)).sqrt();
            let off = (count - expected).abs();
            assert!(
                off < 5.0 * sigma,
                "{count} gaps over {multiple}, not {expected} (seed {seed})"
            );
        }
    }
}

/// Same seed, same instants; another seed, others.
#[test]
fn the_seed_decides() {
    let draw = |seed| {
        let schedule = Schedule::new(1e6, Arrivals::Poisson, None, seed).unwrap();
        instants(schedule).take(1_000).collect::<Vec<_>>()
    };
    assert_eq!(draw(1), draw(1));
    assert_ne!(draw(1), draw(2));
}
