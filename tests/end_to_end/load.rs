//! The module under the measuring instrument: nothing is lost, made up, mixed up or changed,
//! whatever the messages are and however often the connection breaks.
//!
//! The loop is closed, so that the verdict hangs on what came back alone and not on how busy this
//! machine is.

use std::ops::ControlFlow;
use std::time::Duration;

use core_tests::readings::THRESHOLD;
use loadgen_load::outcome::{Counts, Outcome, Standing};
use loadgen_load::run;
use loadgen_load::settings::{
    Pace, Profile, RunSettings, START_WAIT_DEFAULT, Target, TrafficSettings,
};

use crate::harness::Program;
use crate::real_data;

/// A closed loop with a module, over TLS or plain TCP.
pub(crate) fn settings(program: &Program, plain: bool, traffic: TrafficSettings) -> RunSettings {
    let command = [program.words(), &["run".to_owned()]].concat();
    RunSettings {
        target: Target::Hub { listen: ([127, 0, 0, 1], 0).into(), plain, command },
        traffic,
        pace: Pace::Closed,
        window: 2_000,
        warm_up: Duration::ZERO,
        duration: Duration::from_secs(1),
        drain: Duration::from_secs(30),
        verify_properties: true,
        cut_every: None,
        start_wait: START_WAIT_DEFAULT,
    }
}

/// Runs, and sees that everything came back as it must.
#[track_caller]
fn check(settings: &RunSettings) -> Outcome {
    let outcome = run(settings, &mut |_| ControlFlow::Continue(())).unwrap();
    let counts = &outcome.counts;
    assert_eq!(outcome.verdict.standing, Standing::Passed, "{:?}: {counts:?}", outcome.verdict);
    assert_clean(counts);
    outcome
}

/// There were alerts, and each came back once, as it must.
#[track_caller]
pub(crate) fn assert_clean(counts: &Counts) {
    assert!(counts.is_clean(), "{counts:?}");
    assert!(counts.alerts_expected > 0, "{counts:?}");
    assert_eq!(counts.alerts_correct, counts.alerts_expected, "{counts:?}");
}

/// As [`check`], over TLS and over plain TCP, without faults.
#[track_caller]
fn check_both(traffic: &TrafficSettings) {
    for plain in [false, true] {
        let counts = check(&settings(&Program::host(), plain, traffic.clone())).counts;
        assert_eq!((counts.faults, counts.duplicated_after_fault), (0, 0), "{counts:?}");
        assert_eq!(counts.acknowledged, counts.sent, "{counts:?}");
    }
}

/// Broken, odd and extreme bodies are told from good ones, and harm none of them.
#[test]
fn hostile_messages_have_the_verdicts_they_must() {
    check_both(&TrafficSettings { profile: Profile::Hostile, ..TrafficSettings::default() });
}

/// 22,695 real readings, over and over, at a threshold that the twin sets.
#[test]
fn real_readings_are_filtered_lap_after_lap() {
    let file = real_data::file();
    let profile = Profile::Replay {
        file: file.path().to_owned(),
        time_column: "timestamp".to_owned(),
        value_column: "value".to_owned(),
        format: Default::default(),
    };
    let threshold = THRESHOLD.into();
    check_both(&TrafficSettings { profile, threshold, sensors: 1, ..TrafficSettings::default() });
}

/// Connections that break in full flow cost no message: what was not acknowledged is sent again and
/// filtered again, and only then may an alert come twice.
#[test]
fn cut_connections_lose_nothing() {
    for plain in [false, true] {
        let mut settings = settings(&Program::host(), plain, TrafficSettings::default());
        settings.cut_every = Some(Duration::from_millis(400));
        settings.duration = Duration::from_secs(2);
        let counts = check(&settings).counts;
        assert!(counts.faults >= 2, "{counts:?}");
        // A closed loop has messages in flight at each instant.
        assert!(counts.resent > 0, "{counts:?}");
    }
}
