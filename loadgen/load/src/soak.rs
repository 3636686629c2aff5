//! A long run with faults, at a rate that the program holds with ease: what it loses, how long it
//! takes to recover, and whether it stays as it was.
//!
//! ```text
//!  plan (which fault when) --> conductor --orders---> engine --> recoveries --\
//!                                   \------signals--> program --> samples -----+-> judge
//! ```
//! All that is kept of a run is a second's figures for each of its seconds, at most a day.

use std::ops::ControlFlow;
use std::time::Duration;

use super::error::LoadError;
use super::outcome::Soak;
use super::progress::Progress;
use super::run::{Disturbed, disturbed};
use super::settings::{Disturbances, Pace, Profile, RunSettings, Target};

mod judge;

pub use judge::{
    COUNT_RATIO_MAX, P50_RATIO_MAX, RECOVERY_S_MAX, RSS_CHANGE_MAX, SECONDS_MIN, judge,
};

/// Longest run: as long as seconds are told one by one.
pub const TIME_MAX: Duration = Duration::from_secs(24 * 3600);
/// Faults come no closer.
pub const FAULT_EVERY_MIN: Duration = Duration::from_secs(1);
/// Renewals come no closer: the module takes no shorter token lifetime.
pub const RENEW_EVERY_MIN: Duration = Duration::from_millis(400);

/// Soaks once. `capacity` is told in the result.
///
/// # Errors
/// What is asked is impossible, or the program under test did not start or subscribe. That it ends
/// later on is part of the result.
pub fn soak(
    settings: &RunSettings,
    asked: &Disturbances,
    capacity: Option<f64>,
    watch: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
) -> Result<Soak, LoadError> {
    check(settings, asked)?;
    let Disturbed { outcome, measured_s, found, samples, thresholds, ended } =
        disturbed(settings, Some(asked), watch)?;
    let mut soak = Soak {
        disturbances: asked.clone(),
        capacity,
        measured_s,
        samples,
        faults: found.faults,
        thresholds,
        patches: found.patches,
        patches_told: found.patches_told,
        renewals: found.renewals,
        steadiness: Vec::new(),
        verdict: outcome.verdict.clone(),
        run: outcome,
    };
    judge(&mut soak, ended);
    Ok(soak)
}

/// Whether it can be carried out; [`soak`] checks that as well.
///
/// # Errors
/// [`LoadError::Setting`] when not.
pub fn check(settings: &RunSettings, asked: &Disturbances) -> Result<(), LoadError> {
    let refused = |text: &str| Err(LoadError::Setting(text.to_owned()));
    if !matches!(settings.target, Target::Hub { .. }) {
        return refused("a soak starts the program and is its hub: give a command, no broker");
    }
    if settings.traffic.qos == 0 {
        return refused("at QoS 0 a fault loses what is on its way: a soak needs --qos 1");
    }
    if settings.pace == Pace::Closed {
        return refused("a soak compares latencies over time at one rate: give it in numbers");
    }
    if settings.cut_every.is_some() {
        return refused("a soak cuts connections by itself: give --faults cut, not --cut-every");
    }
    if settings.duration > TIME_MAX {
        return refused("a soak lasts 24 hours at most");
    }
    if settings.traffic.alerts == 0.0 {
        return refused("without alerts there is no latency: give --alerts above 0");
    }
    if asked.patch_every.is_some() && settings.traffic.profile == Profile::Hostile {
        return refused(
            "hostile bodies have their verdicts by one threshold: give --patch-every 0 with them",
        );
    }
    if asked.fault_every < FAULT_EVERY_MIN {
        return refused("faults come no closer than 1 s");
    }
    if asked.renew_every.is_some_and(|every| every < RENEW_EVERY_MIN) {
        return refused("renewals come no closer than 400 ms");
    }
    Ok(())
}

/// Half of a capacity: a program has the other half to catch up with after a fault.
pub fn half(capacity: f64) -> f64 {
    capacity / 2.0
}
