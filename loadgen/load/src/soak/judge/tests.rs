//! Verdicts of soaks whose figures are known.

use std::time::Duration;

use super::*;
use crate::example;
use crate::outcome::{Counts, Others, Sample, Second};

/// Half an hour with a fault in each minute, recovered from in 2 s, and figures that a function of
/// the second makes of a flat one.
fn soak(change: impl Fn(f64, &mut Sample, &mut Second)) -> Soak {
    let mut settings = example::settings(1000.0, "program");
    settings.duration = Duration::from_secs(1800);
    let mut run = example::outcome(&settings, 1000.0, 300.0);
    run.others = None;
    let mut samples = Vec::new();
    for number in 0..1800u32 {
        let at_s = f64::from(number);
        let mut sample = Sample { at_s, rss_kib: 7000, descriptors: 10, threads: 4 };
        let mut second =
            Second { at_s, sent: 1000, alerts: 100, p50_us: 80.0, p99_us: 300.0, max_us: 400.0 };
        change(at_s, &mut sample, &mut second);
        samples.push(sample);
        run.series.push(second);
    }
    Soak {
        disturbances: example::disturbances(),
        capacity: None,
        measured_s: 1800.0,
        samples,
        faults: (1..30).map(|minute| fault(f64::from(minute * 60), Some(2.0))).collect(),
        thresholds: Some([25.0, 30.0]),
        patches: 59,
        patches_told: 58,
        renewals: 59,
        steadiness: Vec::new(),
        verdict: run.verdict.clone(),
        run,
    }
}

fn fault(at_s: f64, recovery_s: Option<f64>) -> Fault {
    Fault { kind: FaultKind::Stall, at_s, length_s: 1.0, recovery_s }
}

/// The verdict on it.
fn verdict(mut soak: Soak) -> Verdict {
    judge(&mut soak, None);
    soak.verdict
}

/// It fails for this one reason.
#[track_caller]
fn assert_fails(soak: Soak, reason: &str) {
    let verdict = verdict(soak);
    assert_eq!(verdict.standing, Standing::Failed);
    assert_eq!(verdict.reasons, [reason]);
}

#[test]
fn a_flat_one_passes() {
    let passed = Verdict { standing: Standing::Passed, reasons: Vec::new() };
    assert_eq!(verdict(soak(|_, _, _| ())), passed);
    // What swings about one value is flat.
    let swinging = soak(|at, sample, second| {
        sample.rss_kib += if at % 2.0 == 0.0 { 3000 } else { 0 };
        second.p50_us += at % 30.0;
    });
    assert_eq!(verdict(swinging), passed);
    // The first third is for filling up.
    let filling = soak(|at, sample, second| {
        if at < 600.0 {
            sample.rss_kib = 1000;
            sample.descriptors = 2;
            second.p50_us = 5.0;
        }
    });
    assert_eq!(verdict(filling), passed);
}

/// A page a second is far past 5 % of 7 MB after half an hour; a page in 8 s is not yet.
#[test]
fn a_growing_resident_set_fails() {
    let leak = |page_s: u64| {
        soak(move |at, sample, _| {
            sample.rss_kib += 4 * (Duration::from_secs_f64(at).as_secs() / page_s);
        })
    };
    assert_eq!(verdict(leak(8)).standing, Standing::Passed);
    let reason = "resident memory grew by 23 % from the second third to the last, from 10.4 MiB \
                  to 12.7 MiB; 5 % are allowed";
    assert_fails(leak(1), reason);
    let falling = soak(|at, sample, _| {
        if at >= 1200.0 {
            sample.rss_kib = 6000;
        }
    });
    let reason = "resident memory fell by 14 % from the second third to the last, from 6.8 MiB \
                  to 5.9 MiB; 5 % are allowed";
    assert_fails(falling, reason);
}

#[test]
fn growing_descriptors_and_threads_fail() {
    let late = |at: f64| u64::from(at >= 1200.0);
    let one_more = soak(|at, sample, _| sample.descriptors += late(at));
    assert_eq!(verdict(one_more).standing, Standing::Passed);
    let reason = "the number of open descriptors grew by 20 % from the second third to the last, \
                  from 10 to 12; 10 % are allowed";
    assert_fails(soak(|at, sample, _| sample.descriptors += 2 * late(at)), reason);
    let reason = "the number of threads grew by 25 % from the second third to the last, from 4 \
                  to 5; 10 % are allowed";
    assert_fails(soak(|at, sample, _| sample.threads += late(at)), reason);
}

#[test]
fn a_growing_latency_fails() {
    let slower = |times: f64| {
        soak(move |at, _, second| {
            if at >= 1200.0 {
                second.p50_us *= times;
            }
        })
    };
    assert_eq!(verdict(slower(1.49)).standing, Standing::Passed);
    assert_eq!(verdict(slower(0.3)).standing, Standing::Passed);
    let reason = "the median latency grew by 60 % from the second third to the last, from 80 µs \
                  to 128 µs; 50 % are allowed";
    assert_fails(slower(1.6), reason);
}

/// Whatever a fault costs is told by the time to recover, and by nothing else.
#[test]
fn seconds_of_faults_do_not_count() {
    let costly = soak(|at, sample, second| {
        if at >= 1200.0 && at % 60.0 <= 3.0 {
            sample.rss_kib = 1_000_000;
            sample.descriptors = 500;
            second.p50_us = 1e6;
        }
    });
    assert_eq!(verdict(costly).standing, Standing::Passed);
}

#[test]
fn a_slow_recovery_fails() {
    let slow = |recoveries: &[Option<f64>]| {
        let mut soak = soak(|_, _, _| ());
        for (fault, recovery) in soak.faults.iter_mut().zip(recoveries) {
            fault.recovery_s = *recovery;
        }
        soak
    };
    assert_eq!(verdict(slow(&[Some(10.0)])).standing, Standing::Passed);
    let reason = "1 fault was not recovered from within 10 s (hub stalled at 60 s: 10.1 s)";
    assert_fails(slow(&[Some(10.1)]), reason);
    let four = slow(&[Some(11.0), Some(12.0), Some(13.0), Some(14.0)]);
    let verdict = verdict(four);
    assert!(verdict.reasons[0].starts_with("4 faults were not recovered from"), "{verdict:?}");
    assert!(!verdict.reasons[0].contains("14.0 s"), "{verdict:?}");
    let mut never = soak(|_, _, _| ());
    never.faults = vec![fault(1700.0, None)];
    let reason = "1 fault was not recovered from within 10 s (hub stalled at 1700 s: never back)";
    assert_fails(never, reason);
}

/// What the ledger found goes first, and stays.
#[test]
fn a_lost_message_fails() {
    let mut lost = soak(|_, _, _| ());
    lost.run.counts = Counts { missing: 1, ..lost.run.counts };
    lost.run.verdict =
        Verdict { standing: Standing::Failed, reasons: vec!["1 alerts are missing".to_owned()] };
    assert_fails(lost, "1 alerts are missing");
}

#[test]
fn a_program_that_did_not_stay_fails() {
    let mut soak = soak(|_, _, _| ());
    judge(&mut soak, Some("the program under test ended: exit status: 1".to_owned()));
    assert_eq!(soak.verdict.standing, Standing::Failed);
    let reason = "it did not stay: the program under test ended: exit status: 1";
    assert_eq!(soak.verdict.reasons, [reason]);
}

/// An instrument that was the bottleneck says nothing of what is late; what piles up fails.
#[test]
fn the_verdict_of_the_run_stays_unless_something_is_worse() {
    for (standing, when_late) in
        [(Standing::Invalid, Standing::Invalid), (Standing::Saturated, Standing::Failed)]
    {
        let odd = || {
            let mut soak = soak(|_, _, _| ());
            soak.run.verdict = Verdict { standing, reasons: vec!["odd".to_owned()] };
            soak
        };
        assert_eq!(verdict(odd()), odd().run.verdict);
        let mut slow = odd();
        slow.faults[0].recovery_s = Some(11.0);
        let slow = verdict(slow);
        assert_eq!((slow.standing, slow.reasons.len()), (when_late, 2));
        assert_eq!(slow.reasons[1], "odd");
        let mut leaking = odd();
        leaking.samples.iter_mut().skip(1200).for_each(|it| it.threads = 9);
        assert_eq!(verdict(leaking).standing, Standing::Failed);
    }
}

/// Where others had the cores, who is slow is not known; who loses something is.
#[test]
fn a_crowd_excuses_what_is_late_and_nothing_else() {
    let crowded = |recovery_s, threads| {
        let mut soak = soak(|_, _, _| ());
        soak.run.others = Some(Others { taken: 1.8, stolen: 0.0, cores: 2 });
        soak.faults[0].recovery_s = Some(recovery_s);
        soak.samples.iter_mut().skip(1200).for_each(|it| it.threads = threads);
        verdict(soak)
    };
    assert_eq!(crowded(2.0, 4).standing, Standing::Passed);
    let late = crowded(11.0, 4);
    assert_eq!((late.standing, late.reasons.len()), (Standing::Invalid, 2));
    assert!(late.reasons[1].starts_with("other programs took 1.8 of 2 cores"), "{late:?}");
    assert_eq!(crowded(2.0, 9).standing, Standing::Failed);
    assert_eq!(crowded(11.0, 9).standing, Standing::Failed);
}

/// The thirds are those of what was measured.
#[test]
fn what_was_ended_early_is_judged_by_what_there_is() {
    let mut early = soak(|at, sample, _| sample.threads += u64::from(at >= 400.0));
    early.measured_s = 600.0;
    early.samples.truncate(600);
    early.run.series.truncate(600);
    early.faults.truncate(9);
    let reason = "the number of threads grew by 25 % from the second third to the last, from 4 \
                  to 5; 10 % are allowed";
    assert_fails(early, reason);
}

/// A program that wants to know nothing of the twin was not verified by it.
#[test]
fn a_threshold_that_reached_no_program_is_not_judged() {
    let mut untold = soak(|_, _, _| ());
    untold.patches_told = 0;
    let untold = verdict(untold);
    assert_eq!(untold.standing, Standing::Invalid);
    let reason = "the program was told no change of the threshold, for it subscribes to none: \
                  give --patch-every 0";
    assert_eq!(untold.reasons, [reason]);
    let mut unpatched = soak(|_, _, _| ());
    (unpatched.patches, unpatched.patches_told) = (0, 0);
    assert_eq!(verdict(unpatched).standing, Standing::Passed);
}

#[test]
fn without_undisturbed_seconds_nothing_is_said() {
    let mut dense = soak(|_, _, _| ());
    dense.faults = (1..1800).map(|second| fault(f64::from(second), Some(2.0))).collect();
    let verdict = verdict(dense);
    assert_eq!(verdict.standing, Standing::Invalid);
    let reason = "only 0 and 0 undisturbed seconds are left of the last two thirds, too few to \
                  say whether resident memory stayed flat: soak for longer, or with fewer faults";
    assert_eq!(verdict.reasons, [reason]);
}
