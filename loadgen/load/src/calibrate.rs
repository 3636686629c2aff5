//! What the instrument can do on this machine: its clock, how punctual a thread is here, and how
//! fast the engine drives and verifies a sink that does next to nothing.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use rustix::thread::{NanosleepRelativeResult, clock_nanosleep_relative};
use rustix::time::{ClockId, Timespec};

use super::cost::Usage;
use super::engine::nanoseconds;
use super::error::LoadError;
use super::others::Reading;
use super::outcome::{Calibration, Distribution, Drive, Outcome, Standing};
use super::progress::Progress;
use super::recorder::{distribution, histogram};
use super::settings::{
    Pace, RunSettings, START_WAIT_DEFAULT, Target, TrafficSettings, WINDOW_DEFAULT,
};

/// How often the clock is read to measure it.
const CLOCK_READINGS: u32 = 1_000_000;
/// How long each measured sleep is asked to be.
const SLEEP_TIME: Duration = Duration::from_millis(1);
/// The shortest gap between two readings of the clock that another program, or the machine, must
/// have made.
const STOLEN_NS_MIN: u64 = 2_000;
/// Bytes of a body.
const BODY_BYTES: usize = 140;
/// The warm-up of the sinks' runs.
const WARM_UP: Duration = Duration::from_millis(500);
/// Their drain.
const DRAIN: Duration = Duration::from_secs(5);

/// Measures everything; the sink is started as `sink` (a program and its arguments) for each of the
/// two drives of this length.
///
/// # Errors
/// As a run, or the sink was found wrong.
pub fn calibrate(
    sink: &[String],
    time: Duration,
    watch: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
) -> Result<Calibration, LoadError> {
    // With the sinks, which are its children.
    let reading = || Reading::now(Usage::of(std::process::id()).cpu_s());
    let begin = reading();
    let (clock_resolution_ns, clock_read_ns) = clock();
    let mut calibration = Calibration {
        clock_resolution_ns,
        clock_read_ns,
        sleep_overrun: sleep_overrun(time),
        stolen: stolen(time),
        qos0: drive(sink, time, 0, watch)?,
        qos1: drive(sink, time, 1, watch)?,
        others: None,
    };
    calibration.others = reading().zip(begin).and_then(|(end, begin)| end.since(&begin));
    Ok(calibration)
}

/// Smallest step that was seen, and the cost of a reading.
fn clock() -> (u64, f64) {
    let start = Instant::now();
    let (mut last, mut step) = (start, u64::MAX);
    for _ in 0..CLOCK_READINGS {
        let now = Instant::now();
        let gap = nanoseconds(now - last);
        if gap > 0 {
            step = step.min(gap);
        }
        last = now;
    }
    (step, (last - start).as_secs_f64() * 1e9 / f64::from(CLOCK_READINGS))
}

/// How much later than asked a sleep ends, as the engine sleeps.
fn sleep_overrun(time: Duration) -> Distribution {
    // Without the right to be punctual it measures the lack of it.
    let _ = rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1));
    let mut overrun = histogram();
    let start = Instant::now();
    let request = Timespec { tv_sec: 0, tv_nsec: i64::from(SLEEP_TIME.subsec_nanos()) };
    while start.elapsed() < time {
        let before = Instant::now();
        let slept = clock_nanosleep_relative(ClockId::Monotonic, &request);
        if matches!(slept, NanosleepRelativeResult::Ok) {
            overrun.saturating_record(nanoseconds(before.elapsed().saturating_sub(SLEEP_TIME)));
        }
    }
    distribution(&overrun).unwrap_or_default()
}

/// Pauses of a thread that does nothing but read the clock.
fn stolen(time: Duration) -> Distribution {
    let mut pauses = histogram();
    let start = Instant::now();
    let mut last = start;
    while last - start < time {
        let now = Instant::now();
        let gap = nanoseconds(now - last);
        if gap >= STOLEN_NS_MIN {
            pauses.saturating_record(gap);
        }
        last = now;
    }
    distribution(&pauses).unwrap_or_default()
}

fn drive(
    sink: &[String],
    time: Duration,
    qos: u8,
    watch: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
) -> Result<Drive, LoadError> {
    let settings = RunSettings {
        target: Target::Hub {
            listen: ([127, 0, 0, 1], 0).into(),
            plain: true,
            command: sink.to_vec(),
        },
        traffic: TrafficSettings { size: Some(BODY_BYTES), qos, ..TrafficSettings::default() },
        pace: Pace::Closed,
        window: WINDOW_DEFAULT,
        warm_up: WARM_UP,
        duration: time,
        drain: DRAIN,
        verify_properties: true,
        cut_every: None,
        start_wait: START_WAIT_DEFAULT,
    };
    let outcome = super::run(&settings, watch)?;
    // That the sink was the faster one, which makes any other run invalid, is what is wanted here.
    if outcome.verdict.standing == Standing::Failed {
        let text = format!("the null sink was found wrong: {}", outcome.verdict.reasons.join("; "));
        return Err(LoadError::Internal(text));
    }
    Ok(figures(&outcome))
}

fn figures(outcome: &Outcome) -> Drive {
    let rate = outcome.rates.achieved;
    let own_cpu_ns_per_message = outcome.own_cpu_share * 1e9 / rate.max(1.0);
    #[expect(clippy::cast_precision_loss, reason = "a machine has far fewer than 2^53 cores")]
    let cores = std::thread::available_parallelism().map_or(1, usize::from) as f64;
    Drive {
        rate,
        own_cpu_ns_per_message,
        rate_per_core: 1e9 / own_cpu_ns_per_message.max(1e-3),
        sink_cpu_share: outcome.cost.map_or(0.0, |cost| cost.cpu_share * cores),
    }
}
