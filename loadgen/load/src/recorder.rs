//! Latencies as HDR histograms: of the measured part, and of each second.
//!
//! Values are nanoseconds with three significant digits, so 1 us apart up to 2 ms and 0.1 % beyond;
//! anything over an hour counts as an hour. Recording allocates nothing.

use hdrhistogram::Histogram;

use super::outcome::{CurvePoint, Distribution, Second};

/// Largest value that is recorded as it is: one hour.
const VALUE_NS_MAX: u64 = 3_600_000_000_000;
/// Significant decimal digits.
const DIGITS: u8 = 3;
/// Points of a curve for each halving of the distance to 100 %.
const CURVE_POINTS_PER_HALVING: u32 = 8;
/// Seconds that have a histogram each; later ones count into the last.
pub(super) const SECONDS_MAX: usize = 24 * 3600;
const SECOND_NS: u64 = 1_000_000_000;

/// An empty histogram of nanoseconds with this module's bounds.
pub(super) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, VALUE_NS_MAX, DIGITS).expect("the bounds are constants that fit")
}

/// A histogram of nanoseconds in short and in full; `None` when it is empty.
pub(super) fn distribution(histogram: &Histogram<u64>) -> Option<Distribution> {
    if histogram.is_empty() {
        return None;
    }
    let at = |quantile| microseconds(histogram.value_at_quantile(quantile));
    let curve = histogram.iter_quantiles(CURVE_POINTS_PER_HALVING).map(|step| CurvePoint {
        quantile: step.quantile_iterated_to(),
        us: microseconds(step.value_iterated_to()),
    });
    Some(Distribution {
        count: histogram.len(),
        mean_us: histogram.mean() / 1e3,
        p50_us: at(0.5),
        p90_us: at(0.9),
        p99_us: at(0.99),
        p99_9_us: at(0.999),
        p99_99_us: at(0.9999),
        max_us: microseconds(histogram.max()),
        curve: curve.collect(),
    })
}

#[expect(clippy::cast_precision_loss, reason = "an hour in nanoseconds is far below 2^53")]
fn microseconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e3
}

/// What one thread records.
#[derive(Debug)]
pub(super) struct Recorder {
    /// The measured part, on the run's clock.
    measured_ns: std::ops::Range<u64>,
    latency: Histogram<u64>,
    lag: Histogram<u64>,
    /// The second under way.
    second: Histogram<u64>,
    second_number: u64,
    second_sent: u64,
    series: Vec<Second>,
}

impl Recorder {
    /// Records latencies of messages that were due within this part of the run, nanoseconds on its
    /// clock.
    pub(super) fn new(measured_ns: std::ops::Range<u64>) -> Self {
        let seconds = usize::try_from(measured_ns.end / SECOND_NS).unwrap_or(SECONDS_MAX) + 64;
        Self {
            measured_ns,
            latency: histogram(),
            lag: histogram(),
            second: histogram(),
            second_number: 0,
            second_sent: 0,
            series: Vec::with_capacity(seconds.min(SECONDS_MAX)),
        }
    }

    /// An alert came back at `now_ns` that was due at `intended_ns`.
    #[inline]
    pub(super) fn alert(&mut self, intended_ns: u64, now_ns: u64) {
        let latency = now_ns.saturating_sub(intended_ns);
        self.second.saturating_record(latency);
        if self.measured_ns.contains(&intended_ns) {
            self.latency.saturating_record(latency);
        }
    }

    /// Messages due at `intended_ns` were sent `lag_ns` later than they could have been.
    #[inline]
    pub(super) fn lag(&mut self, intended_ns: u64, lag_ns: u64) {
        if self.measured_ns.contains(&intended_ns) {
            self.lag.saturating_record(lag_ns);
        }
    }

    /// So many messages were sent.
    #[inline]
    pub(super) fn sent(&mut self, count: u64) {
        self.second_sent += count;
    }

    /// Time goes on: closes the seconds that are over.
    #[inline]
    pub(super) fn tick(&mut self, now_ns: u64) {
        if now_ns / SECOND_NS != self.second_number {
            self.close_second(now_ns / SECOND_NS);
        }
    }

    /// The 99th percentile of the second under way in nanoseconds; 0 when no alert came back.
    pub(super) fn p99_ns(&self) -> u64 {
        self.second.value_at_quantile(0.99)
    }

    /// Latency, lag and the seconds.
    pub(super) fn finish(mut self) -> (Option<Distribution>, Option<Distribution>, Vec<Second>) {
        self.close_second(self.second_number + 1);
        (distribution(&self.latency), distribution(&self.lag), self.series)
    }

    #[cold]
    fn close_second(&mut self, next: u64) {
        let (second, begin_ns) = (&self.second, self.measured_ns.start);
        if self.series.len() < SECONDS_MAX {
            #[expect(clippy::cast_precision_loss, reason = "a day in nanoseconds is below 2^53")]
            let at_s = (self.second_number * SECOND_NS) as f64 / 1e9 - begin_ns as f64 / 1e9;
            self.series.push(Second {
                at_s,
                sent: self.second_sent,
                alerts: second.len(),
                p50_us: microseconds(second.value_at_quantile(0.5)),
                p99_us: microseconds(second.value_at_quantile(0.99)),
                max_us: microseconds(second.max()),
            });
        }
        self.second.reset();
        self.second_sent = 0;
        self.second_number = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_microseconds() {
        let mut recorder = Recorder::new(0..10 * SECOND_NS);
        for number in 1..=1000u64 {
            recorder.alert(5_000, 5_000 + number * 1_000);
        }
        let (latency, lag, _) = recorder.finish();
        let latency = latency.unwrap();
        assert_eq!((latency.count, lag), (1000, None));
        assert!((latency.p50_us - 500.0).abs() < 1.0, "{latency:?}");
        assert!((latency.p99_us - 990.0).abs() < 1.0, "{latency:?}");
        assert!((latency.max_us - 1000.0).abs() < 1.0, "{latency:?}");
        let last = latency.curve.last().unwrap();
        assert!((last.quantile - 1.0).abs() < 1e-9 && (last.us - latency.max_us).abs() < 1e-9);
        assert!(latency.curve.is_sorted_by(|a, b| a.quantile <= b.quantile && a.us <= b.us));
    }

    #[test]
    fn the_warm_up_is_left_out_but_of_the_series() {
        let mut recorder = Recorder::new(SECOND_NS..2 * SECOND_NS);
        recorder.tick(0);
        recorder.sent(3);
        recorder.alert(10, 20);
        recorder.tick(SECOND_NS);
        recorder.sent(4);
        recorder.alert(SECOND_NS + 5, SECOND_NS + 2_005);
        recorder.tick(2 * SECOND_NS);
        recorder.alert(2 * SECOND_NS, 3 * SECOND_NS);
        let (latency, _, series) = recorder.finish();
        assert_eq!(latency.unwrap().count, 1);
        let shown: Vec<_> = series.iter().map(|s| (s.at_s, s.sent, s.alerts)).collect();
        assert_eq!(shown, [(-1.0, 3, 1), (0.0, 4, 1), (1.0, 0, 1)]);
    }

    #[test]
    fn absurd_values_are_held_within_the_bounds() {
        let mut recorder = Recorder::new(0..SECOND_NS);
        recorder.alert(0, u64::MAX);
        recorder.alert(7, 3);
        let latency = recorder.finish().0.unwrap();
        assert!(latency.max_us <= 3.61e9 && latency.count == 2, "{latency:?}");
    }
}
