//! What goes wrong on purpose: the instrument must find each of them.

use std::num::NonZeroU64;
use std::time::Duration;

/// Longest catching up of a limited sink that was kept from running: more than that is lost.
const CATCH_UP_MAX: Duration = Duration::from_millis(100);

/// Faults on demand. All may be combined; `every` counts the alerts of the connection, from 1, and
/// hits each that it divides.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Faults {
    /// Alerts that are not forwarded. No other fault befalls them.
    pub drop_every: Option<NonZeroU64>,
    /// Alerts that are forwarded twice.
    pub duplicate_every: Option<NonZeroU64>,
    /// Alerts that go out behind the next one; or alone, when nothing comes for 100 ms. One that
    /// another goes behind is not itself put behind a third.
    pub swap_every: Option<NonZeroU64>,
    /// Alerts in whose body one bit of one byte is changed, each time of another byte.
    pub flip_every: Option<NonZeroU64>,
    /// Alerts without the property `MessageType`. A broker's have none in any case.
    pub strip_every: Option<NonZeroU64>,
    /// Alerts after which the next input that is none is forwarded as one.
    pub forge_every: Option<NonZeroU64>,
    /// Pauses.
    pub stall: Option<Stall>,
    /// How long after its input each answer leaves; `None`: at once.
    pub delay: Option<Duration>,
    /// Most inputs per second, taken at equal distances. Above 0.
    pub limit_rate: Option<f64>,
    /// The sink ends, without an error, when it has answered so many inputs.
    pub exit_after: Option<NonZeroU64>,
}

impl Faults {
    /// Whether any of them is about time.
    pub(super) fn need_a_clock(&self) -> bool {
        self.stall.is_some() || self.delay.is_some() || self.limit_rate.is_some()
    }
}

/// Whether a fault hits the alert of that number.
#[inline]
pub(super) fn hits(every: Option<NonZeroU64>, alert: u64) -> bool {
    every.is_some_and(|every| alert.is_multiple_of(every.get()))
}

/// Changes one bit of `body`; `number`, which counts these changes, says which.
pub(super) fn flip_bit(body: &mut [u8], number: u64) {
    // A stride without a common factor with usual lengths, so that every part is hit in turn.
    const STRIDE: u64 = 0x9e37_79b1;
    let length = body.len() as u64;
    let Some(at) = number.wrapping_mul(STRIDE).checked_rem(length) else { return };
    let at = usize::try_from(at).expect("below a length");
    body[at] ^= 1 << (number % 8);
}

/// Pauses at fixed instants: from the first input on, at the end of each period but within the
/// next, nothing is read or written for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stall {
    /// How long each pause is: below the period.
    pub pause: Duration,
    /// From the beginning of one to that of the next; also from the first input to the first pause.
    pub period: Duration,
}

impl Stall {
    /// When the pause ends that `now` falls into. Both count from the first input.
    pub(super) fn end(&self, now: Duration) -> Option<Duration> {
        let into = now.as_nanos().checked_rem(self.period.as_nanos())?;
        let into = Duration::from_nanos(u64::try_from(into).ok()?);
        (now >= self.period && into < self.pause).then(|| now.saturating_sub(into) + self.pause)
    }
}

/// Lets through a rate at equal distances. Late calls catch up, idle time is not saved.
///
/// In integers, so that the instant of the next one and how many there are at an instant agree.
pub(super) struct Limiter {
    /// Distance of two, in nanoseconds with [`FRACTION_BITS`] behind the point; at least 1.
    step: u128,
    /// From when on the rate counts, and what was spent since.
    since: Duration,
    spent: u64,
}

/// They make the rate right to one in a million even at a million per second.
const FRACTION_BITS: u32 = 20;

impl Limiter {
    /// A rate per second, above 0.
    #[expect(clippy::cast_sign_loss, clippy::cast_possible_truncation, reason = "saturates")]
    pub(super) fn new(rate: f64) -> Self {
        let step = (1e9 / rate * f64::from(1u32 << FRACTION_BITS)).round() as u64;
        Self { step: u128::from(step.max(1)), since: Duration::ZERO, spent: 0 }
    }

    /// When the next one is let through.
    pub(super) fn next(&self) -> Duration {
        let ns = (u128::from(self.spent) * self.step) >> FRACTION_BITS;
        self.since + Duration::from_nanos(u64::try_from(ns).unwrap_or(u64::MAX))
    }

    /// How many are let through at `now`.
    pub(super) fn available(&mut self, now: Duration) -> u64 {
        let Some(late) = now.checked_sub(self.next()) else { return 0 };
        self.since += late.saturating_sub(CATCH_UP_MAX);
        // Number n, from 0, is let through at the whole nanosecond at or before n steps.
        let ns = now.saturating_sub(self.since).as_nanos();
        let earned = (((ns + 1) << FRACTION_BITS) - 1) / self.step + 1;
        u64::try_from(earned).unwrap_or(u64::MAX).saturating_sub(self.spent)
    }

    /// Takes `count` as let through.
    pub(super) fn spend(&mut self, count: u64) {
        self.spent += count;
    }

    /// Says that there was nothing to let through at `now`.
    pub(super) fn idle(&mut self, now: Duration) {
        if now >= self.next() {
            (self.since, self.spent) = (now, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn pauses_come_once_a_period() {
        let stall = Stall { pause: MS(200), period: MS(1000) };
        let table = [
            (0, None),
            (100, None),
            (999, None),
            (1000, Some(1200)),
            (1199, Some(1200)),
            (1200, None),
            (1999, None),
            (7050, Some(7200)),
        ];
        for (now, expected) in table {
            assert_eq!(stall.end(MS(now)), expected.map(MS), "{now} ms");
        }
    }

    #[test]
    fn one_bit_changes_and_not_always_the_same() {
        let mut positions = std::collections::BTreeSet::new();
        for number in 1..=1000 {
            let mut body = [0; 140];
            flip_bit(&mut body, number);
            assert_eq!(body.iter().map(|byte| byte.count_ones()).sum::<u32>(), 1);
            positions.insert(body.iter().position(|byte| *byte != 0));
        }
        assert!(positions.len() > 100, "{}", positions.len());
        flip_bit(&mut [], 1);
    }

    #[test]
    fn late_calls_catch_up_and_idle_time_is_lost() {
        let mut limiter = Limiter::new(1000.0);
        assert_eq!(limiter.available(MS(0)), 1);
        limiter.spend(1);
        assert_eq!((limiter.available(MS(0)), limiter.next()), (0, MS(1)));
        assert_eq!(limiter.available(MS(10)), 10);
        limiter.spend(10);
        assert_eq!(limiter.available(MS(10)), 0);
        limiter.idle(MS(10));
        assert_eq!(limiter.available(MS(10)), 0, "idleness pays no debt");
        limiter.idle(MS(500));
        assert_eq!(limiter.available(MS(500)), 1);
        assert_eq!(limiter.available(MS(510)), 11);
        assert_eq!(limiter.available(MS(9000)), 101, "catching up is bounded");
    }

    proptest! {
        /// Whenever it is called, a busy limiter lets through its rate, and one is due at `next`.
        #[test]
        fn the_rate_is_kept(
            rate in 1u32..2_000_000,
            steps in proptest::collection::vec(1u64..50_000, 1..200),
        ) {
            let rate = f64::from(rate);
            let (mut limiter, mut now, mut total) = (Limiter::new(rate), Duration::ZERO, 0);
            for step in steps {
                now += Duration::from_micros(step);
                let count = limiter.available(now);
                limiter.spend(count);
                total += count;
                prop_assert!(limiter.next() > now, "{count} at {now:?}");
            }
            let expected = now.as_secs_f64() * rate;
            prop_assert!((total as f64 - expected).abs() <= 2.0, "{total} of {expected}");
            prop_assert!(limiter.available(limiter.next()) >= 1);
        }
    }
}
