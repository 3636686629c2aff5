use super::*;
use crate::example;
use crate::outcome::Verdict;

const START: f64 = 1000.0;

fn plan() -> CapacityPlan {
    CapacityPlan {
        settings: example::settings(1.0, "program"),
        objective: Objective { p99_us: 1000.0, loss: 0.0 },
        start: START,
        max: 10e6,
    }
}

fn asked(settings: &RunSettings) -> f64 {
    match settings.pace {
        Pace::Open { rate, .. } => rate,
        Pace::Closed => panic!("a closed loop"),
    }
}

/// A program that is quick up to `limit`, slow above it, and takes no more than twice that.
fn program(settings: &RunSettings, limit: f64) -> Outcome {
    let rate = asked(settings);
    let p99_us = if rate <= limit { 300.0 } else { 5000.0 };
    example::outcome(settings, rate.min(2.0 * limit), p99_us)
}

fn capacity(run: impl FnMut(&RunSettings) -> Result<Outcome, LoadError>) -> Capacity {
    let mut run = run;
    find(&plan(), &mut run, &mut |_| ()).unwrap()
}

fn invalid(mut outcome: Outcome) -> Outcome {
    outcome.verdict =
        Verdict { standing: Standing::Invalid, reasons: vec!["lag p99 2 ms".to_owned()] };
    outcome
}

#[test]
fn the_capacity_of_a_program_is_found() {
    let capacity = capacity(|settings| Ok(program(settings, 30_000.0)));
    let rate = capacity.rate.unwrap();
    assert!((30_000.0 / PRECISION..=30_000.0).contains(&rate), "{rate}");
    assert_eq!(capacity.notes, [""; 0]);
    let last = capacity.probes.last().unwrap();
    assert_eq!((last.step, last.held), (ProbeStep::Refuse, false));
    assert_eq!(last.reasons, ["p99 5000 µs"]);
    let first = &capacity.probes[0];
    assert_eq!((first.rate, first.held, first.achieved), (START, true, START));
    assert_eq!((first.p50_us, first.p99_us, first.p99_9_us), (150.0, 300.0, 450.0));
    assert!(first.cost.is_some());
}

type Change = fn(&mut Outcome);

/// Everything that an objective asks is asked, each by itself.
#[test]
fn what_breaks_an_objective() {
    let table: [(&str, Change); 10] = [
        ("p99 1001 µs", |o| o.latency.as_mut().unwrap().p99_us = 1001.0),
        ("no alert came back", |o| o.latency = None),
        ("11 of 1000 alerts missing", |o| o.counts.missing = 11),
        ("1 duplicated", |o| o.counts.duplicated = 1),
        ("1 false", |o| o.counts.false_alerts = 1),
        ("1 disordered", |o| o.counts.disordered = 1),
        ("1 corrupted", |o| o.counts.corrupted = 1),
        ("1 with wrong properties", |o| o.counts.wrong_properties = 1),
        ("1 unacknowledged", |o| o.counts.unacknowledged = 1),
        ("sent 9899/s of at least 9900/s", |o| o.rates.achieved = 9899.0),
    ];
    let mut plan = plan();
    plan.objective.loss = 0.01;
    let settings = plan.at(10_000.0);
    for (reason, change) in table {
        let mut outcome = example::outcome(&settings, 10_000.0, 1000.0);
        // Just within the objective in every way.
        outcome.counts.missing = 10;
        outcome.counts.duplicated_after_fault = 5;
        outcome.rates.achieved = 9900.0;
        assert_eq!(plan.broken(&outcome), [""; 0]);
        change(&mut outcome);
        assert_eq!(plan.broken(&outcome), [reason]);
    }
}

/// The number of events of a Poisson process is random: the schedule's own sway is no failure.
#[test]
fn poisson_rates_may_sway() {
    let plan = plan();
    let mut settings = plan.at(1000.0);
    let Pace::Open { arrivals, .. } = &mut settings.pace else { panic!("open") };
    *arrivals = Arrivals::Poisson;
    assert_eq!(plan.broken(&example::outcome(&settings, 960.0, 1.0)), [""; 0]);
    assert_eq!(plan.broken(&example::outcome(&settings, 940.0, 1.0)).len(), 1);
}

/// A run that the instrument spoilt says nothing against the program.
#[test]
fn spoilt_probes_are_repeated() {
    let mut calls = 0;
    let capacity = capacity(|settings| {
        calls += 1;
        // The second probe needs three runs.
        let spoilt = calls == 2 || calls == 3;
        Ok(if spoilt { invalid(program(settings, 1.0)) } else { program(settings, 30_000.0) })
    });
    assert!(capacity.rate.unwrap() > 28_000.0);
    assert_eq!(capacity.notes.len(), 1);
    assert!(capacity.notes[0].starts_with("2000/s: the instrument"), "{:?}", capacity.notes);
    assert_eq!(calls, capacity.probes.len() + 2);
}

/// What of a replayed file was passed over is told once, whatever the number of runs.
#[test]
fn gaps_of_a_file_are_noted_once() {
    let capacity = capacity(|settings| {
        let mut outcome = program(settings, 30_000.0);
        outcome.traffic.gaps = 2;
        Ok(outcome)
    });
    assert_eq!(capacity.notes, ["2 rows of the file have no value and were passed over"]);
}

/// Without a rate, it is the instrument's fault if it was in the way at the lowest one.
#[test]
fn a_search_without_a_rate_is_failed_or_invalid() {
    let of = |spoilt: fn(u32) -> bool| {
        let mut calls = 0;
        let capacity = capacity(|settings| {
            calls += 1;
            let outcome = program(settings, 1.0);
            Ok(if spoilt(calls) { invalid(outcome) } else { outcome })
        });
        assert_eq!(capacity.rate, None);
        (capacity.standing().exit_code(), capacity.probes.len())
    };
    assert_eq!(of(|_| false), (1, 2), "the program is too slow");
    assert_eq!(of(|_| true), (2, 2), "nothing is known of it");
    assert_eq!(of(|call| call > 1), (2, 2), "one failure is not enough");
    assert_eq!(of(|call| call < 4), (2, 2), "nor is the second one");
    assert_eq!(of(|call| call < 3), (1, 2), "measured again, both failed");
    let found = capacity(|settings| {
        let outcome = program(settings, 30_000.0);
        Ok(if asked(settings) > 30_000.0 { invalid(outcome) } else { outcome })
    });
    assert_eq!((found.rate.is_some(), found.standing().exit_code()), (true, 0));
    let early = capacity(|_| Err(LoadError::Interrupted));
    assert_eq!(early.standing().exit_code(), 1);
}

/// Who took the cores is told with what is not known.
#[test]
fn other_programs_are_named_in_the_note_on_a_spoilt_probe() {
    let capacity = capacity(|settings| Ok(invalid(program(settings, 1.0))));
    let note = "what the program does there is not known; other programs took 0.2 of 2 cores";
    assert!(capacity.notes[0].ends_with(note), "{:?}", capacity.notes);
}

/// What holds in spite of a late instrument holds: its lateness is part of the latency.
#[test]
fn an_objective_that_holds_in_spite_of_the_instrument_holds() {
    let mut calls = 0;
    let capacity = capacity(|settings| {
        calls += 1;
        let outcome = program(settings, 30_000.0);
        Ok(if asked(settings) <= START { invalid(outcome) } else { outcome })
    });
    assert!(capacity.rate.unwrap() > 28_000.0);
    assert_eq!(calls, capacity.probes.len());
    assert!(capacity.notes[0].starts_with("1 of "), "{:?}", capacity.notes);
}

/// Where the instrument never keeps up the program's limit is not known, and that is said.
#[test]
fn an_instrument_that_stays_the_bottleneck_does_not_hold() {
    let capacity = capacity(|settings| {
        let spoilt = asked(settings) > 20_000.0;
        Ok(if spoilt { invalid(program(settings, 1.0)) } else { program(settings, 1e6) })
    });
    assert!((19_000.0..=20_000.0).contains(&capacity.rate.unwrap()));
    let failed = capacity.probes.iter().find(|probe| !probe.held).unwrap();
    assert_eq!(failed.reasons[0], "the instrument was the bottleneck");
    assert_eq!(failed.reasons[2], "p99 5000 µs");
    assert!(capacity.notes.iter().any(|note| note.contains("3 times")), "{:?}", capacity.notes);
}

#[test]
fn a_program_that_falls_over_does_not_hold() {
    let capacity = capacity(|settings| {
        if asked(settings) > 5000.0 {
            return Err(LoadError::Unavailable("the program ended".to_owned()));
        }
        Ok(program(settings, 30_000.0))
    });
    assert!((5000.0 / PRECISION..=5000.0).contains(&capacity.rate.unwrap()));
    assert_eq!(capacity.probes.last().unwrap().reasons, ["the program ended"]);
}

#[test]
fn errors_of_the_first_run_and_of_settings_end_it() {
    let all = [LoadError::Unavailable("u".into()), LoadError::Internal("i".into())];
    for error in all {
        let found = find(&plan(), &mut |_| Err(error.clone()), &mut |_| ());
        assert_eq!(found, Err(error));
    }
    let mut calls = 0;
    let mut run = |settings: &RunSettings| {
        calls += 1;
        if calls == 3 { Err(LoadError::Internal("i".into())) } else { Ok(program(settings, 1e6)) }
    };
    assert!(find(&plan(), &mut run, &mut |_| ()).is_err());
}

#[test]
fn plans_that_cannot_be_carried_out_are_refused() {
    let changes: [fn(&mut CapacityPlan); 4] = [
        |plan| plan.settings.pace = Pace::Closed,
        |plan| plan.start = 0.0,
        |plan| plan.max = 10.0,
        |plan| plan.settings.traffic.alerts = 0.0,
    ];
    for change in changes {
        let mut plan = plan();
        change(&mut plan);
        let found = find(&plan, &mut |_| panic!("run"), &mut |_| ());
        assert!(matches!(found, Err(LoadError::Setting(_))), "{plan:?}");
    }
}

/// The run that an interruption cut short is not believed; what came before it is kept.
#[test]
fn an_interruption_keeps_what_there_is() {
    let (mut runs, mut seen) = (0, 0);
    let mut run = |settings: &RunSettings| {
        runs += 1;
        if runs == 4 { Err(LoadError::Interrupted) } else { Ok(program(settings, 1e6)) }
    };
    let capacity = find(&plan(), &mut run, &mut |_| seen += 1).unwrap();
    assert_eq!((capacity.probes.len(), capacity.rate, seen), (3, None, 3));
    assert_eq!(capacity.notes, ["ended early"]);
}

/// The longest way, with a detour and an instrument that keeps up only every third time, meets the
/// bound on runs; what was confirmed until then is given.
#[test]
fn runs_are_bounded() {
    let mut plan = plan();
    (plan.start, plan.max) = (1.0, RATE_MAX);
    let mut runs = 0;
    let mut run = |settings: &RunSettings| {
        runs += 1;
        // The twentieth probe fails by chance, far below the limit.
        let probe = (runs - 1) / RUNS_PER_PROBE_MAX;
        let limit = if probe == 20 { 1.0 } else { 40e6 };
        let spoilt = runs % RUNS_PER_PROBE_MAX != 0;
        Ok(if spoilt { invalid(program(settings, 0.1)) } else { program(settings, limit) })
    };
    let capacity = find(&plan, &mut run, &mut |_| ()).unwrap();
    assert_eq!(runs, RUNS_MAX);
    assert_eq!(capacity.probes.len(), 40);
    assert!(capacity.rate.is_some(), "{:?}", capacity.notes);
    assert!(capacity.notes.iter().any(|note| note.contains("120 runs")), "{:?}", capacity.notes);
}
