//! When the messages of an open loop are due: instants fixed ahead, whatever happens meanwhile.
//!
//! Rate, arrivals, burst and seed enter; nanoseconds after the start leave, one by one and never
//! decreasing. Pure: no clock, no thread, no memory that grows. A schedule has no end; after
//! 584 years its instants stay where they are.

use super::settings::{Arrivals, Burst, RATE_MAX};

/// Lowest rate, in messages per second: below it a run would see no message.
pub const RATE_MIN: f64 = 0.001;

/// Keeps the gaps independent of what traffic draws from the same seed.
const SEED_SALT: u64 = 0x5eed_0f5c_4ed0_1e00;
const NANOS_PER_SECOND: u64 = 1_000_000_000;
/// 2⁶⁴ ns as bits: the fraction of [`Arrival::Fixed`].
const FRACTION_BITS: u32 = 64;

/// The intended instants of an open loop.
#[derive(Debug, Clone)]
pub struct Schedule {
    due: u64,
    arrival: Arrival,
    burst: Option<Window>,
}

/// What cannot be scheduled.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum ScheduleError {
    /// Not a number from [`RATE_MIN`] to [`RATE_MAX`].
    #[error("a rate of {0} messages/s: choose one from {RATE_MIN} to {RATE_MAX}")]
    Rate(f64),
    /// The part with messages is empty, longer than the period, or the period is over 584 years.
    #[error("a burst of {:?} in every {:?}: its length must be above 0 and at most the period",
        .0.on, .0.period)]
    Burst(Burst),
}

/// How one base instant follows the other.
#[derive(Debug, Clone)]
enum Arrival {
    /// Both in 2⁻⁶⁴ ns. Adding a gap that is right to 2⁻⁶⁴ ns drifts by less than 1 ns in 10¹⁹
    /// messages, where a multiplied `f64` would be off by 100 ns after 10⁹ messages at 1/s.
    Fixed { at: u128, gap: u128 },
    /// `rest` is the part of a nanosecond by which the exact instant is later than `at`; carried
    /// on, so that rounding does not change the mean.
    Poisson { at: u64, rest: f64, mean: f64, random: fastrand::Rng },
}

/// A [`Burst`] in nanoseconds.
#[derive(Debug, Clone, Copy)]
struct Window {
    on: u64,
    period: u64,
}

impl Schedule {
    /// A schedule of `rate` messages per second. Fixed arrivals: message i is due at i/rate
    /// seconds, to the nearest nanosecond. Poisson: at exponentially distributed distances of mean
    /// 1/rate, which `seed` fixes. A burst then squeezes every period into its first part.
    ///
    /// # Errors
    /// A rate or burst out of its limits.
    pub fn new(
        rate: f64,
        arrivals: Arrivals,
        burst: Option<Burst>,
        seed: u64,
    ) -> Result<Self, ScheduleError> {
        if !(RATE_MIN..=RATE_MAX).contains(&rate) {
            return Err(ScheduleError::Rate(rate));
        }
        let burst = burst.map(Window::new).transpose()?;
        let arrival = match arrivals {
            // Begins half a nanosecond later: cutting the fraction off then rounds.
            Arrivals::Fixed => {
                Arrival::Fixed { at: 1 << (FRACTION_BITS - 1), gap: exact_gap(rate) }
            }
            Arrivals::Poisson => {
                let random = fastrand::Rng::with_seed(seed ^ SEED_SALT);
                Arrival::Poisson { at: 0, rest: 0.0, mean: 1e9 / rate, random }
            }
        };
        let mut schedule = Self { due: 0, arrival, burst };
        if arrivals == Arrivals::Poisson {
            // Nothing is special about the start: the first message comes a gap after it.
            schedule.advance();
        }
        Ok(schedule)
    }

    /// When the next message is due, in nanoseconds after the start.
    #[inline]
    pub fn peek(&self) -> u64 {
        self.due
    }

    /// Goes on to the message after it.
    #[inline]
    pub fn advance(&mut self) {
        let base = self.arrival.next();
        self.due = self.burst.map_or(base, |burst| burst.squeeze(base));
    }
}

impl Arrival {
    #[inline]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "gaps are positive; `as` saturates, which only the end of time can reach"
    )]
    fn next(&mut self) -> u64 {
        match self {
            Self::Fixed { at, gap } => {
                *at = at.saturating_add(*gap);
                (*at >> FRACTION_BITS) as u64
            }
            Self::Poisson { at, rest, mean, random } => {
                // 1 - u lies in (0, 1], where the logarithm is finite.
                let gap = *rest - (1.0 - random.f64()).ln() * *mean;
                let whole = gap as u64;
                *rest = gap - whole as f64;
                *at = at.saturating_add(whole);
                *at
            }
        }
    }
}

impl Window {
    fn new(burst: Burst) -> Result<Self, ScheduleError> {
        let error = ScheduleError::Burst(burst);
        let on = u64::try_from(burst.on.as_nanos()).map_err(|_| error)?;
        let period = u64::try_from(burst.period.as_nanos()).map_err(|_| error)?;
        if on == 0 || on > period {
            return Err(error);
        }
        Ok(Self { on, period })
    }

    /// The instant of a period that is as far into its first part as `base` is into the whole.
    #[inline]
    fn squeeze(self, base: u64) -> u64 {
        let into = base % self.period;
        let squeezed = match into.checked_mul(self.on) {
            Some(product) => product / self.period,
            None => {
                let product = u128::from(into) * u128::from(self.on);
                u64::try_from(product / u128::from(self.period))
                    .expect("at most `into`, since the part is at most the period")
            }
        };
        base - into + squeezed
    }
}

/// 10⁹ / `rate` in units of 2⁻⁶⁴, rounded up, from the exact value of the `f64`.
fn exact_gap(rate: f64) -> u128 {
    // A normal number of RATE_MIN to RATE_MAX: rate = mantissa · 2^-shift, the mantissa of 53 bits.
    const MANTISSA_BITS: u32 = f64::MANTISSA_DIGITS - 1;
    let bits = rate.to_bits();
    let mantissa = u128::from(bits & ((1 << MANTISSA_BITS) - 1) | 1 << MANTISSA_BITS);
    let exponent = u32::try_from(bits >> MANTISSA_BITS).expect("positive: eleven bits are left");
    let shift = (1023 + MANTISSA_BITS) - exponent;
    // (10⁹ · 2^64 · 2^shift) / mantissa in two steps: at once it would not fit in 128 bits.
    let numerator = u128::from(NANOS_PER_SECOND) << FRACTION_BITS;
    let (quotient, rest) = (numerator / mantissa, numerator % mantissa);
    (quotient << shift) + (rest << shift).div_ceil(mantissa)
}

const _: () = {
    // What `exact_gap` counts on: shifts of 27 to 62 bits; no bit is lost then.
    assert!(RATE_MIN > 1.0 / 1024.0 && RATE_MAX < (1u64 << 26) as f64);
};

#[cfg(test)]
mod tests;
