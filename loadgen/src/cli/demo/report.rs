//! What the demo prints: the live lines, and at the end what was checked. Pure.

use std::fmt::{self, Write};
use std::time::Duration;

use super::ledger::Tally;
use crate::cli::text::{milliseconds, thousands};

/// Head of the live lines.
pub(super) const HEAD: &str =
    "    time   received     alerts  alerts/s   threshold    hottest  latency p50        p99";

/// One live line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line {
    pub(super) elapsed: Duration,
    /// Messages that the module acknowledged.
    pub(super) received: u64,
    pub(super) alerts: u64,
    pub(super) alerts_per_s: f64,
    /// As the module reports it; `None` before it has.
    pub(super) threshold: Option<f64>,
    pub(super) hottest: Option<f64>,
    /// Of the alerts since the last line, µs; `None` without any.
    pub(super) latency_us: Option<(u64, u64)>,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let degrees = |value: Option<f64>| value.map_or("-".into(), |v| format!("{v:.1} °C"));
        let latency = |us: Option<u64>| us.map_or("-".into(), milliseconds);
        write!(
            f,
            "{:>6.1} s {:>10} {:>10} {:>9.0} {:>11} {:>10} {:>12} {:>10}",
            self.elapsed.as_secs_f64(),
            thousands(self.received),
            thousands(self.alerts),
            self.alerts_per_s,
            degrees(self.threshold),
            degrees(self.hottest),
            latency(self.latency_us.map(|(p50, _)| p50)),
            latency(self.latency_us.map(|(_, p99)| p99)),
        )
    }
}

/// The silence after the raised threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Silence {
    /// The demo ended before it could show.
    NotShown,
    /// Alerts stopped for this long and came back.
    Seen(Duration),
    /// They did not stop, or did not come back.
    Missed,
}

/// How the module ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ModuleEnd {
    /// Exit status 0, by itself.
    pub(super) clean: bool,
    /// `exit status: 0 after 12 ms`.
    pub(super) text: String,
}

/// Everything the summary judges.
#[derive(Debug, Clone)]
pub(super) struct Outcome {
    pub(super) elapsed: Duration,
    pub(super) sensors: usize,
    pub(super) tally: Tally,
    /// Messages the hub did not take.
    pub(super) unpublished: u64,
    /// Messages that the module acknowledged.
    pub(super) received: u64,
    /// Threshold changes ordered and reported back.
    pub(super) changes: (u64, u64),
    pub(super) silence: Silence,
    /// p50, p99 and maximum over the whole run, µs; `None` without an alert.
    pub(super) latency_us: Option<(u64, u64, u64)>,
    pub(super) module_end: ModuleEnd,
}

impl Outcome {
    /// The checks, each with whether it held.
    fn checks(&self) -> Vec<(bool, String)> {
        let Tally { published, alerts, alerts_either, missing, .. } = self.tally;
        let wrong = self.tally.false_alerts + self.tally.disordered + self.tally.corrupted;
        let mut checks = vec![
            (
                published > 0 && self.unpublished == 0 && self.received == published,
                format!(
                    "the module acknowledged {} of {} messages",
                    thousands(self.received),
                    thousands(published)
                ),
            ),
            (
                alerts > 0 && missing == 0,
                format!(
                    "{} alerts arrived, {} missing ({} in flight at a change: either way is right)",
                    thousands(alerts),
                    thousands(missing),
                    thousands(alerts_either)
                ),
            ),
            (
                wrong == 0 && self.tally.duplicates == 0,
                format!(
                    "{} false, {} twice, {} out of order, {} changed on the way",
                    self.tally.false_alerts,
                    self.tally.duplicates,
                    self.tally.disordered,
                    self.tally.corrupted
                ),
            ),
            (
                self.changes.0 == self.changes.1,
                format!(
                    "the module reported {} of {} threshold changes",
                    self.changes.1, self.changes.0
                ),
            ),
        ];
        match self.silence {
            Silence::NotShown => {}
            Silence::Seen(time) => checks.push((
                true,
                format!(
                    "alerts stopped for {:.1} s when the threshold rose, and came back",
                    time.as_secs_f64()
                ),
            )),
            Silence::Missed => checks.push((
                false,
                "alerts did not stop and come back after the threshold rose".to_owned(),
            )),
        }
        checks.push((self.module_end.clean, format!("the module ended: {}", self.module_end.text)));
        checks
    }

    /// Whether every check held.
    pub(super) fn holds(&self) -> bool {
        self.checks().iter().all(|(held, _)| *held)
    }

    /// The summary, several lines.
    pub(super) fn summary(&self) -> String {
        let mut text = format!(
            "summary: {:.1} s, {} sensors, {} messages, {} alerts",
            self.elapsed.as_secs_f64(),
            self.sensors,
            thousands(self.tally.published),
            thousands(self.tally.alerts)
        );
        if let Some((p50, p99, max)) = self.latency_us {
            let (p50, p99, max) = (milliseconds(p50), milliseconds(p99), milliseconds(max));
            text.push_str(&format!(
                "\n  latency from the sensor's publish to the alert's arrival: \
                 p50 {p50}, p99 {p99}, max {max}"
            ));
        }
        for (held, check) in self.checks() {
            let mark = if held { "ok    " } else { "FAILED" };
            // Writing to a String cannot fail.
            let _ = write!(text, "\n  {mark} {check}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clean() -> Outcome {
        Outcome {
            elapsed: Duration::from_millis(20_040),
            sensors: 101,
            tally: Tally { published: 20_000, alerts: 9000, alerts_either: 3, ..Tally::default() },
            unpublished: 0,
            received: 20_000,
            changes: (2, 2),
            silence: Silence::Seen(Duration::from_millis(2400)),
            latency_us: Some((310, 905, 4001)),
            module_end: ModuleEnd { clean: true, text: "exit status: 0 after 12 ms".to_owned() },
        }
    }

    #[test]
    fn a_clean_run_passes() {
        let outcome = clean();
        assert!(outcome.holds());
        let summary = outcome.summary();
        assert!(summary.starts_with("summary: 20.0 s, 101 sensors, 20,000 messages, 9,000 alerts"));
        assert!(summary.contains("p50 0.31 ms, p99 0.90 ms, max 4.00 ms"), "{summary}");
        assert!(summary.contains("ok     alerts stopped for 2.4 s"), "{summary}");
        assert!(!summary.contains("FAILED"));
        let cut_short = Outcome { silence: Silence::NotShown, ..clean() };
        assert!(cut_short.holds(), "what could not be shown is not a fault");
    }

    /// Each fault alone fails the demo.
    #[test]
    fn each_fault_fails_it() {
        let tally = clean().tally;
        let faults: [fn(&mut Outcome); 12] = [
            |o| o.received -= 1,
            |o| o.received += 1,
            |o| o.unpublished = 1,
            |o| (o.tally.published, o.received) = (0, 0),
            |o| o.tally.alerts = 0,
            |o| o.tally.missing = 1,
            |o| o.tally.false_alerts = 1,
            |o| o.tally.duplicates = 1,
            |o| o.tally.disordered = 1,
            |o| o.tally.corrupted = 1,
            |o| o.changes.1 = 1,
            |o| o.silence = Silence::Missed,
        ];
        for (number, fault) in faults.into_iter().enumerate() {
            let mut outcome = clean();
            fault(&mut outcome);
            assert!(!outcome.holds(), "fault {number}: {:?} {tally:?}", outcome.tally);
            assert!(outcome.summary().contains("FAILED"));
        }
        let module_end = ModuleEnd { clean: false, text: "killed".to_owned() };
        assert!(!Outcome { module_end, ..clean() }.holds());
    }

    #[test]
    fn lines_fit_their_head() {
        let line = Line {
            elapsed: Duration::from_millis(12_300),
            received: 12_345_678,
            alerts: 123_456,
            alerts_per_s: 998.6,
            threshold: Some(25.0),
            hottest: Some(101.25),
            latency_us: Some((310, 12_900)),
        };
        let width = |text: &str| text.chars().count();
        assert_eq!(width(&line.to_string()), width(HEAD), "{line}");
        let empty = Line { threshold: None, hottest: None, latency_us: None, ..line };
        assert_eq!(width(&empty.to_string()), width(HEAD), "{empty}");
    }
}
