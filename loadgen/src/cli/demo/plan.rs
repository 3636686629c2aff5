//! What the demo shows when: how many sensors, and the two changes of the threshold. Pure.

use std::time::Duration;

/// Threshold at the start of each round, °C: the module's default.
pub(super) const THRESHOLD_START: f64 = 25.0;
/// How far above the hottest sensor the threshold is raised, °C.
const RAISE_BY: f64 = 12.0;
/// How far below the hottest sensor it is put when the sensors do not get there by themselves.
const LOWER_BY: f64 = 10.0;
/// Messages a sensor takes from its coldest to its hottest, on average: 79 °C at 0.5 °C each.
const RAMP_MESSAGES: f64 = 158.0;
/// Part of a round in which the sensors climb.
const RAMP_PART: f64 = 0.8;
/// Most sensors: each is a module of the hub.
const SENSORS_MAX: usize = 500;
/// One round of an endless demo.
const ROUND_DEFAULT: Duration = Duration::from_secs(20);
/// Shortest demo in which everything can be seen to happen.
pub(super) const DURATION_MIN: Duration = Duration::from_secs(2);

/// The script of a demo.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Plan {
    /// Simulated sensors.
    pub(super) sensors: usize,
    /// Time between two messages of one sensor.
    pub(super) message_delay: Duration,
    /// Rounds repeat when the demo is endless; otherwise there is one.
    pub(super) round: Duration,
    /// No end but a signal.
    pub(super) endless: bool,
}

/// What happens next in a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Half way: raise the threshold above every sensor.
    Raise,
    /// At three quarters: if no alert came back, lower it below the hottest sensor.
    Relieve,
    /// The round is over.
    End,
}

impl Step {
    /// When in a round the step is due.
    pub(super) fn due(self, round: Duration) -> Duration {
        match self {
            Self::Raise => round / 2,
            Self::Relieve => round * 3 / 4,
            Self::End => round,
        }
    }

    /// The step after this one; after the last comes the first of the next round.
    pub(super) fn next(self) -> Self {
        match self {
            Self::Raise => Self::Relieve,
            Self::Relieve => Self::End,
            Self::End => Self::Raise,
        }
    }
}

impl Plan {
    /// A demo of `duration` (zero: endless) at `rate` messages per second over all sensors.
    ///
    /// The sensors' pace is such that they climb for most of a round, so that they pass the raised
    /// threshold by themselves before its end.
    pub(super) fn new(duration: Duration, rate: u32) -> Self {
        let endless = duration.is_zero();
        let round = if endless { ROUND_DEFAULT } else { duration };
        let sensor_rate = RAMP_MESSAGES / (RAMP_PART * round.as_secs_f64());
        let wanted = f64::from(rate) / sensor_rate;
        let sensors = (1..SENSORS_MAX).find(|n| *n as f64 + 0.5 > wanted).unwrap_or(SENSORS_MAX);
        let message_delay = Duration::from_secs_f64(sensors as f64 / f64::from(rate.max(1)));
        Self { sensors, message_delay, round, endless }
    }

    /// Shortest silence after the raised threshold that counts as one.
    pub(super) fn silence_min(&self) -> Duration {
        self.round / 50
    }

    /// Time between two live lines.
    pub(super) fn line_interval(&self) -> Duration {
        (self.round / 10).min(Duration::from_secs(1))
    }
}

/// Threshold above every sensor, whole degrees.
pub(super) fn raised(hottest: f64) -> f64 {
    (hottest + RAISE_BY).ceil()
}

/// Threshold below the hottest sensor, whole degrees.
pub(super) fn relieved(hottest: f64) -> f64 {
    (hottest - LOWER_BY).floor()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sensor_rate(plan: &Plan) -> f64 {
        plan.message_delay.as_secs_f64().recip()
    }

    #[test]
    fn the_default_demo_climbs_most_of_its_time() {
        let plan = Plan::new(Duration::from_secs(20), 1000);
        assert!((95..=105).contains(&plan.sensors), "{plan:?}");
        assert!((9.0..11.0).contains(&sensor_rate(&plan)), "{plan:?}");
        assert_eq!(plan.line_interval(), Duration::from_secs(1));
    }

    /// At every duration and rate the total rate is as asked, and the sensors are bounded.
    #[test]
    fn the_rate_is_as_asked() {
        for seconds in [0, 2, 3, 20, 60, 3600] {
            for rate in [1, 50, 1000, 10_000] {
                let plan = Plan::new(Duration::from_secs(seconds), rate);
                assert!((1..=SENSORS_MAX).contains(&plan.sensors), "{plan:?}");
                let total = sensor_rate(&plan) * plan.sensors as f64;
                assert!((total - f64::from(rate)).abs() < 0.01 * f64::from(rate), "{plan:?}");
                assert_eq!(plan.endless, seconds == 0);
            }
        }
    }

    #[test]
    fn steps_go_round() {
        let round = Duration::from_secs(20);
        let steps: Vec<Step> =
            std::iter::successors(Some(Step::Raise), |s| Some(s.next())).take(4).collect();
        assert_eq!(steps, [Step::Raise, Step::Relieve, Step::End, Step::Raise]);
        assert!(steps[..3].is_sorted_by_key(|step| step.due(round)));
        assert_eq!(Step::End.due(round), round);
    }

    #[test]
    fn thresholds_are_on_the_right_side() {
        assert_eq!(raised(80.2), 93.0);
        assert_eq!(relieved(100.2), 90.0);
    }
}
