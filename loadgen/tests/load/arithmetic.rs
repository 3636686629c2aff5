//! Latencies that can be computed: of a program that stalls, and of one that delays.

use std::time::Duration;

use loadgen_load::outcome::{Distribution, Outcome, Standing};
use loadgen_load::settings::{Pace, RunSettings, WINDOW_DEFAULT};

use crate::support::{alone, best_of, ensure, measure_clean, settings, sink};

/// The sink neither reads nor writes for the first 200 ms of each second.
const STALL: [&str; 2] = ["--stall", "200ms/1s"];
const PAUSE_US: f64 = 200_000.0;
const PERIOD_US: f64 = 1_000_000.0;
const RATE: f64 = 10_000.0;
/// Pauses within the measured part. It begins and ends half a period away from them.
const PAUSES: u64 = 3;
/// How far below its computed value a percentile may be: one distance of two messages.
const GAP_US: f64 = 1e6 / RATE;
/// How far above, besides the 99th percentile of what the instrument says of its own lateness (and
/// that is at most a tenth of the latency's, or the run is invalid): the bucket of a histogram
/// (0.1 %), a time slice of somebody else for the sink, and the backlog of 2,000 messages after
/// each pause, on which sink and instrument in a debug build spend some 5 us each.
const LATE_US: f64 = 10_000.0;

/// What a quantile of latency must be.
///
/// Messages are due at equal distances, whatever the program does. One that is due `u` into a pause
/// is answered `PAUSE - u` later, one that is due outside at once. So the share of messages that
/// wait longer than `x` is `(PAUSE - x) / PERIOD`, and the latency that a share `q` does not exceed
/// is
fn expected_us(q: f64) -> f64 {
    PAUSE_US - (1.0 - q) * PERIOD_US
}

fn stalled(qos: u8, window: u32) -> RunSettings {
    let mut settings = settings(RATE, sink(&STALL));
    settings.traffic.qos = qos;
    settings.window = window;
    settings.warm_up = Duration::from_millis(500);
    settings.duration = Duration::from_secs(PAUSES);
    settings
}

fn latency(outcome: &Outcome) -> &Distribution {
    outcome.latency.as_ref().expect("every message is an alert")
}

/// Share of the messages that took longer than `us`.
fn share_above(latency: &Distribution, us: f64) -> f64 {
    let below = latency.curve.iter().take_while(|point| point.us <= us).last();
    1.0 - below.map_or(0.0, |point| point.quantile)
}

/// The reported percentiles are those of the arithmetic: where the buffers of the sockets take what
/// is due in a pause, and where a window of 50 lets almost none of it be sent before the pause is
/// over.
#[test]
fn a_stall_shows_in_every_percentile_it_reaches() {
    let _alone = alone();
    for (qos, window) in [(0, WINDOW_DEFAULT), (1, 50)] {
        best_of(
            || {
                let outcome = measure_clean(&stalled(qos, window));
                let latency = latency(&outcome);
                assert_eq!(latency.count, 10_000 * PAUSES);
                for (name, found, expected) in percentiles(latency) {
                    assert!(found >= expected - GAP_US, "{name} is {found} us of {expected} us");
                }
                // 2,000 messages are due in each pause: no fewer than these wait.
                let waited = share_above(latency, 10_000.0);
                assert!(waited >= 0.185, "{waited} of the messages waited");
                outcome
            },
            |outcome| {
                let verdict = &outcome.verdict;
                ensure(verdict.standing == Standing::Passed, || format!("{verdict:?}"))?;
                let own_late = outcome.lag.as_ref().expect("an open loop has lag").p99_us;
                for (name, found, expected) in percentiles(latency(outcome)) {
                    ensure(found <= expected + LATE_US + own_late, || {
                        format!(
                            "QoS {qos}: {name} is {found} us instead of {expected} us, of which \
                             {own_late} us are our own"
                        )
                    })?;
                }
                Ok(())
            },
        );
    }
}

fn percentiles(latency: &Distribution) -> [(&'static str, f64, f64); 5] {
    [
        ("p90", latency.p90_us, expected_us(0.9)),
        ("p99", latency.p99_us, expected_us(0.99)),
        ("p99.9", latency.p99_9_us, expected_us(0.999)),
        ("p99.99", latency.p99_99_us, expected_us(0.9999)),
        ("max", latency.max_us, PAUSE_US),
    ]
}

/// Why the intended instants matter: who sends one message after the other, each when the last one
/// is answered, meets each pause with a single message and tells a fine 99th percentile.
#[test]
fn a_closed_loop_would_hardly_notice_the_stall() {
    let _alone = alone();
    let mut settings = stalled(1, 1);
    settings.pace = Pace::Closed;
    best_of(
        || {
            let outcome = measure_clean(&settings);
            let latency = latency(&outcome);
            assert!(latency.max_us >= PAUSE_US - GAP_US, "{}", latency.max_us);
            outcome
        },
        |outcome| {
            let latency = latency(outcome);
            let (p99, expected) = (latency.p99_us, expected_us(0.99));
            ensure(p99 < expected / 10.0, || format!("p99 is {p99} us of {expected} us"))?;
            #[expect(clippy::cast_precision_loss, reason = "thousands")]
            let waited = share_above(latency, 100_000.0) * latency.count as f64;
            ensure(waited < 10.0, || format!("{waited} messages waited"))
        },
    );
}

/// A program that delays each message by 5 ms is told to take 5 ms. The rate is low, so that both
/// mostly sleep: on a busy machine who always runs is kept waiting.
#[test]
fn a_delay_is_measured_to_a_tenth_of_a_millisecond() {
    const DELAY_US: f64 = 5_000.0;
    let _alone = alone();
    let settings = settings(500.0, sink(&["--delay", "5ms"]));
    best_of(
        || {
            let outcome = measure_clean(&settings);
            let latency = latency(&outcome);
            assert!(latency.p50_us >= DELAY_US, "{}", latency.p50_us);
            outcome
        },
        |outcome| {
            let p50 = latency(outcome).p50_us;
            ensure(p50 <= DELAY_US + 100.0, || format!("p50 is {p50} us"))
        },
    );
}
