//! What is measured of one run: latencies, lag, and sums over its measured part.

use std::ops::Range;

use rustix::time::{ClockId, clock_gettime};

use super::recorder::Recorder;

/// A message that was due at the end of the measured part may be sent so much later.
const GRACE_NS: u64 = 5_000_000;

/// Messages that one turn adds, but for very small ones.
const ADDED_EXPECTED: usize = 4096;

/// The sums of one run, on its clock in nanoseconds.
#[derive(Debug)]
pub(super) struct Meter {
    pub(super) recorder: Recorder,
    /// The measured part, shorter than asked when ended early.
    pub(super) measured_ns: Range<u64>,
    /// Messages that were due in it and sent, sooner or later.
    pub(super) due: u64,
    /// Messages sent in it, and their bytes: those due in it, and those due before that the program
    /// under test had not taken yet.
    pub(super) sent: u64,
    pub(super) sent_bytes: u64,
    /// Alerts that came back in it.
    pub(super) alerts: u64,
    /// Time of it in which messages were due and the program under test took none.
    pub(super) held_back_ns: u64,
    /// CPU time of this thread in it.
    pub(super) own_cpu_ns: u64,
    /// Since when the messages of this turn should have been sent; their number is bounded by what
    /// a socket's buffer takes in one turn.
    added: Vec<u64>,
    /// Alerts that came back in the whole run.
    pub(super) alerts_back: u64,
    blocked_since: Option<u64>,
    /// When the program under test last took nothing, or began to take again.
    refused_at: u64,
    cpu_at_begin_ns: u64,
}

impl Meter {
    /// Nothing yet.
    pub(super) fn new(measured_ns: Range<u64>) -> Self {
        Self {
            recorder: Recorder::new(measured_ns.clone()),
            measured_ns,
            due: 0,
            sent: 0,
            sent_bytes: 0,
            alerts: 0,
            held_back_ns: 0,
            own_cpu_ns: 0,
            added: Vec::with_capacity(ADDED_EXPECTED),
            alerts_back: 0,
            blocked_since: None,
            refused_at: 0,
            cpu_at_begin_ns: 0,
        }
    }

    /// The measured part begins.
    pub(super) fn begin(&mut self) {
        self.cpu_at_begin_ns = thread_cpu_ns();
    }

    /// The measured part is over.
    pub(super) fn end(&mut self, now: u64) {
        self.own_cpu_ns = thread_cpu_ns() - self.cpu_at_begin_ns;
        // A program that takes nothing to the very end held back until then.
        if let Some(since) = self.blocked_since {
            self.held_back(since, now);
            self.blocked_since = Some(now);
        }
    }

    /// The run ends now, before its time.
    pub(super) fn cut_short(&mut self, now: u64) {
        self.measured_ns.end = now.clamp(self.measured_ns.start, self.measured_ns.end);
    }

    /// A message of so many bytes was sent that was due at this instant.
    #[inline]
    pub(super) fn message(&mut self, due: u64, now: u64, bytes: usize) {
        self.due += u64::from(self.measured_ns.contains(&due));
        let counts = if due < self.measured_ns.start {
            // Those that are late by our own fault would make up for a rate that was not kept.
            self.measured_ns.contains(&now) && self.refused_at > due
        } else {
            due < self.measured_ns.end && now < self.measured_ns.end + GRACE_NS
        };
        if counts {
            self.sent += 1;
            self.sent_bytes += bytes as u64;
        }
    }

    /// A message that was due at this instant waits for the end of the turn.
    #[inline]
    pub(super) fn added(&mut self, due: u64) {
        self.added.push(due.max(self.refused_at));
    }

    /// What was added goes to the system: how late that was by our own fault, since it was due and
    /// the program under test would take it.
    pub(super) fn handed_over(&mut self, now: u64) {
        for since in self.added.drain(..) {
            self.recorder.lag(since, now.saturating_sub(since));
        }
    }

    /// An alert came back that was due at this instant.
    #[inline]
    pub(super) fn alert(&mut self, due: u64, now: u64) {
        self.recorder.alert(due, now);
        self.alerts_back += 1;
        self.alerts += u64::from(self.measured_ns.contains(&now));
    }

    /// Whether messages are due that the program under test does not take.
    #[inline]
    pub(super) fn blocked(&mut self, blocked: bool, now: u64) {
        if blocked {
            self.blocked_since.get_or_insert(now);
        } else if let Some(since) = self.blocked_since.take() {
            self.held_back(since, now);
        } else {
            return;
        }
        self.refused_at = now;
    }

    fn held_back(&mut self, since: u64, now: u64) {
        let within = |instant: u64| instant.clamp(self.measured_ns.start, self.measured_ns.end);
        self.held_back_ns += within(now) - within(since);
    }

    /// The wait for the program under test to take something is over.
    pub(super) fn awoke(&mut self, now: u64) {
        if self.is_blocked() {
            self.refused_at = now;
        }
    }

    /// Whether they are, at the last look.
    pub(super) fn is_blocked(&self) -> bool {
        self.blocked_since.is_some()
    }
}

fn thread_cpu_ns() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000_000
        + u64::try_from(time.tv_nsec).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_measured_part_is_summed_up() {
        let mut meter = Meter::new(100..200);
        for (due, now) in [(99, 99), (100, 150), (199, 199), (200, 200)] {
            meter.message(due, now, 10);
        }
        meter.message(150, 200 + GRACE_NS, 10);
        assert_eq!((meter.due, meter.sent, meter.sent_bytes), (3, 2, 20));
        meter.message(90, 150, 10);
        assert_eq!((meter.due, meter.sent), (3, 2));
        for now in [99, 100, 199, 200] {
            meter.alert(120, now);
        }
        assert_eq!((meter.alerts, meter.alerts_back), (2, 4));
    }

    /// What a program takes that is behind is its rate, though all of it was due long ago.
    #[test]
    fn what_was_held_back_counts_when_it_is_taken() {
        let mut meter = Meter::new(100..200);
        meter.blocked(true, 50);
        for (due, now) in [(40, 60), (45, 120), (50, 130), (51, 140), (60, 210)] {
            meter.message(due, now, 10);
        }
        assert_eq!(meter.sent, 1);
    }

    #[test]
    fn time_held_back_counts_within_the_measured_part() {
        let mut meter = Meter::new(100..200);
        for (blocked, now) in [
            (false, 50),
            (true, 90),
            (true, 95),
            (false, 110),
            (true, 150),
            (false, 160),
            (true, 190),
        ] {
            meter.blocked(blocked, now);
        }
        assert!(meter.is_blocked());
        meter.blocked(false, 300);
        assert_eq!(meter.held_back_ns, 10 + 10 + 10);
    }

    #[test]
    fn lag_does_not_count_while_nothing_was_taken() {
        let mut meter = Meter::new(0..1_000_000);
        meter.blocked(true, 10_000);
        meter.blocked(false, 50_000);
        meter.added(20_000);
        meter.handed_over(53_000);
        meter.added(52_000);
        meter.handed_over(53_000);
        let (_, lag, _) = meter.recorder.finish();
        let lag = lag.unwrap();
        assert!((lag.max_us - 3.0).abs() < 0.1 && (lag.p50_us - 1.0).abs() < 0.1, "{lag:?}");
    }

    /// A program that takes some each time and never all is refusing all the while.
    #[test]
    fn lag_does_not_count_while_some_are_taken() {
        let mut meter = Meter::new(0..1_000_000);
        meter.blocked(true, 10_000);
        meter.added(5_000);
        meter.handed_over(12_000);
        meter.blocked(true, 12_000);
        meter.awoke(90_000);
        meter.added(6_000);
        meter.handed_over(91_000);
        let (_, lag, _) = meter.recorder.finish();
        let lag = lag.unwrap();
        assert!((lag.max_us - 2.0).abs() < 0.1 && (lag.p50_us - 1.0).abs() < 0.1, "{lag:?}");
    }
}
