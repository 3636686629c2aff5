use super::*;
use crate::example;
use crate::outcome::Ratio;

fn plan(names: &[&str], pairs: u32) -> ComparePlan {
    let program = |name: &&str| Program {
        name: (*name).to_owned(),
        command: vec![(*name).to_owned(), "run".to_owned()],
    };
    ComparePlan {
        settings: example::settings(1000.0, ""),
        programs: names.iter().map(program).collect(),
        pairs,
    }
}

fn name(settings: &RunSettings) -> &str {
    match &settings.target {
        Target::Hub { command, .. } => &command[0],
        Target::Broker { .. } => panic!("a broker"),
    }
}

/// A takes 1000/s, B twice that.
fn measured(settings: &RunSettings) -> Outcome {
    let rate = if name(settings) == "B" { 2000.0 } else { 1000.0 };
    example::outcome(settings, rate, 300.0)
}

fn with(mut outcome: Outcome, standing: Standing) -> Outcome {
    outcome.verdict.standing = standing;
    outcome.verdict.reasons = vec!["because".to_owned()];
    outcome
}

#[test]
fn programs_take_turns_forth_and_back() {
    let mut order = String::new();
    let mut turns = Vec::new();
    let mut run = |settings: &RunSettings| {
        order.push_str(name(settings));
        Ok(measured(settings))
    };
    let plan = plan(&["A", "B", "C"], 2);
    let comparison =
        compare(&plan, &mut run, &mut |turn| turns.push((turn.pair, turn.forth))).unwrap();
    assert_eq!(order, "ABCCBAABCCBA");
    assert_eq!(turns[..4], [(1, true), (1, true), (1, true), (1, false)]);
    assert_eq!(turns[11], (2, false));
    let [a, b, c] = comparison.programs.as_slice() else { panic!("three programs") };
    assert!([a, b, c].iter().all(|program| program.runs.len() == 4));
    assert_eq!((a.rate_ratio, a.cpu_ratio), (None, None));
    assert_eq!(b.rate_ratio, Some(Ratio { median: 2.0, q1: 2.0, q3: 2.0 }));
    assert_eq!(b.cpu_ratio, Some(Ratio { median: 0.5, q1: 0.5, q3: 0.5 }));
    assert_eq!(c.rate_ratio.unwrap().median, 1.0);
    assert_eq!((b.median.rate, b.median.standing), (2000.0, Standing::Passed));
    assert_eq!(b.command, ["B", "run"]);
    assert_eq!(comparison.notes, [""; 0]);
    let Target::Hub { command, .. } = &comparison.settings.target else { panic!("a hub") };
    assert_eq!(command, &[""; 0]);
}

/// What one bad run costs is one more run; what stays bad is kept, noted and marked.
#[test]
fn doubtful_runs_are_made_again_once() {
    for standing in [Standing::Failed, Standing::Invalid] {
        let (mut runs, mut repeated) = (0, 0);
        let mut run = |settings: &RunSettings| {
            runs += 1;
            let bad = runs == 2 || runs >= 5;
            let outcome = measured(settings);
            Ok(if bad { with(outcome, standing) } else { outcome })
        };
        // A, B bad, B good, B, A bad, A bad.
        let comparison = compare(&plan(&["A", "B"], 1), &mut run, &mut |turn| {
            assert_eq!(turn.reasons.is_empty(), turn.brief.standing == Standing::Passed);
            repeated += u32::from(turn.repeated);
        })
        .unwrap();
        assert_eq!((runs, repeated), (6, 2));
        let [a, b] = comparison.programs.as_slice() else { panic!("two programs") };
        assert_eq!((a.median.standing, b.median.standing), (standing, Standing::Passed));
        assert_eq!((a.runs.len(), b.runs.len()), (2, 2));
        let notes = &comparison.notes;
        assert_eq!(notes.len(), 3);
        assert!(notes[0].starts_with("B, pair 1 forth: ") && notes[0].ends_with("made again"));
        assert!(notes[2].starts_with("A, pair 1 back: "), "{notes:?}");
        assert!(notes[2].ends_with("(because); it stays so"), "{notes:?}");
    }
}

#[test]
fn saturation_is_a_finding_in_an_open_loop_only() {
    let mut runs = 0;
    let mut run = |settings: &RunSettings| {
        runs += 1;
        Ok(with(measured(settings), Standing::Saturated))
    };
    let mut plan = plan(&["A", "B"], 1);
    let comparison = compare(&plan, &mut run, &mut |_| ()).unwrap();
    assert_eq!(comparison.notes, [""; 0]);
    assert_eq!(comparison.programs[1].rate_ratio.unwrap().median, 2.0);
    plan.settings.pace = Pace::Closed;
    let comparison = compare(&plan, &mut run, &mut |_| ()).unwrap();
    assert_eq!((runs, comparison.notes.len()), (4 + 8, 8));
}

#[test]
fn a_program_that_cannot_run_any_more_has_failed() {
    let mut runs = 0;
    let mut run = |settings: &RunSettings| {
        runs += 1;
        let gone = name(settings) == "B" && runs > 2;
        if gone { Err(LoadError::Unavailable("it ended".into())) } else { Ok(measured(settings)) }
    };
    let comparison = compare(&plan(&["A", "B"], 1), &mut run, &mut |_| ()).unwrap();
    let b = &comparison.programs[1];
    assert_eq!((b.runs[1].rate, b.median.standing), (0.0, Standing::Failed));
    assert_eq!(b.rate_ratio.unwrap().median, 2.0, "of the pass in which it ran");
    assert!(comparison.notes[1].contains("it ended"), "{:?}", comparison.notes);
}

#[test]
fn a_program_that_never_runs_ends_it() {
    let mut run = |settings: &RunSettings| match name(settings) {
        "A" => Ok(measured(settings)),
        _ => Err(LoadError::Unavailable("no such file".into())),
    };
    let error = compare(&plan(&["A", "B"], 1), &mut run, &mut |_| ()).unwrap_err();
    assert_eq!(error, LoadError::Unavailable("B: no such file".into()));
}

#[test]
fn an_interruption_keeps_what_there_is() {
    let interrupted_after = |count: u32| {
        let mut runs = 0;
        let mut run = |settings: &RunSettings| {
            runs += 1;
            if runs > count { Err(LoadError::Interrupted) } else { Ok(measured(settings)) }
        };
        compare(&plan(&["A", "B"], 5), &mut run, &mut |_| ())
    };
    assert_eq!(interrupted_after(1), Err(LoadError::Interrupted));
    let comparison = interrupted_after(3).unwrap();
    assert_eq!(comparison.notes, ["ended early"]);
    // The second pass was not finished: only the first has a pair.
    assert_eq!((comparison.programs[0].runs.len(), comparison.programs[1].runs.len()), (1, 2));
    assert_eq!(comparison.programs[1].rate_ratio.unwrap().median, 2.0);
}

#[test]
fn plans_that_cannot_be_carried_out_are_refused() {
    let changes: [fn(&mut ComparePlan); 5] = [
        |plan| plan.programs.truncate(1),
        |plan| plan.programs = vec![plan.programs[0].clone(); PROGRAMS_MAX + 1],
        |plan| plan.programs[1].command.clear(),
        |plan| plan.pairs = 0,
        |plan| plan.pairs = PAIRS_MAX + 1,
    ];
    for change in changes {
        let mut plan = plan(&["A", "B"], 1);
        change(&mut plan);
        let compared = compare(&plan, &mut |_| panic!("run"), &mut |_| ());
        assert!(matches!(compared, Err(LoadError::Setting(_))), "{plan:?}");
    }
}

#[test]
fn the_worst_standing_counts() {
    use Standing::{Failed, Invalid, Passed, Saturated};
    assert_eq!(worst([Passed, Saturated, Failed, Invalid]), Failed);
    assert_eq!(worst([Invalid, Saturated]), Invalid);
    assert_eq!(worst([Saturated, Passed]), Saturated);
    assert_eq!(worst([]), Passed);
}

/// What of a replayed file was passed over is told once, whatever the number of runs.
#[test]
fn gaps_of_a_file_are_noted_once() {
    let mut run = |settings: &RunSettings| {
        let mut outcome = measured(settings);
        outcome.traffic.gaps = 1;
        Ok(outcome)
    };
    let comparison = compare(&plan(&["A", "B"], 2), &mut run, &mut |_| ()).unwrap();
    assert_eq!(comparison.notes, ["1 row of the file has no value and was passed over"]);
}
