//! The command lines of measurements: what they accept, what they refuse, what they tell.

use std::path::Path;
use std::process::Stdio;

use loadgen_load::outcome::{Counts, Document, Finding, Outcome, Standing};
use rustix::process::Signal;

use crate::support::{loadgen, run, signal, texts, wait_for};

/// The program that is measured: this one as the filter module, over TCP.
pub(crate) const PROGRAM: [&str; 3] = [env!("CARGO_BIN_EXE_loadgen"), "module", "run"];

pub(crate) fn finding(file: &Path) -> Finding {
    let text = std::fs::read_to_string(file).unwrap();
    serde_json::from_str::<Document>(&text).unwrap().result
}

/// Nothing was lost or wrong. What a busy machine makes of rate and lag is not this test's matter.
fn assert_verified(outcome: &Outcome) {
    let Counts { sent, alerts_expected, alerts_correct, .. } = outcome.counts;
    assert!(sent > 0 && alerts_expected > 0, "{outcome:?}");
    assert_eq!(alerts_correct, alerts_expected, "{outcome:?}");
    assert!(outcome.counts.is_clean() && outcome.verdict.standing != Standing::Failed);
}

/// A refused command line has exit code 64 and says why on standard error.
fn refused(line: &str, part: &str) {
    let words: Vec<&str> = line.split_whitespace().collect();
    let (code, out, err) = run(&words);
    assert_eq!((code, out.as_str()), (64, ""), "{line}: {err}");
    assert!(err.contains(part), "{line}: {err}");
}

/// The help of a command, without its line ends, which are where the width puts them.
fn help(command: &str) -> String {
    let (code, out, _) = run(&[command, "--help"]);
    assert_eq!(code, 0);
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn help_tells_flags_and_exit_codes() {
    let out = help("run");
    for part in ["--rate", "--sensors", "--broker", "-- <COMMAND>", "LOADGEN_HOST", "2 invalid"] {
        assert!(out.contains(part), "{part}: {out}");
    }
}

#[test]
fn one_thing_is_measured() {
    refused("run --rate max", "<COMMAND>");
    refused("run --rate max --broker mqtt://localhost -- true", "cannot be used with");
    refused("run -- true", "--rate <N|max>");
}

#[test]
fn values_are_checked_before_anything_starts() {
    refused("run --rate 0 -- true", "200k");
    refused("run --rate max --for 1ms -- true", "from 10ms to 24h");
    refused("run --rate max --burst 1s/2s -- true", "need a rate");
    refused("run --rate 1k --plain --listen 0.0.0.0:0 -- true", "loopback");
    refused("run --rate 1k --json /no/such/folder/a.json -- true", "name a file in a folder");
    for command in ["run --rate 1k", "capacity", "compare --rate 1k -- true", "calibrate"] {
        refused(
            &format!("{command} --for 0").replace(" -- true --for 0", " --for 0 -- true"),
            "10ms",
        );
    }
}

#[test]
fn a_capacity_has_an_objective_and_a_range() {
    let out = help("capacity");
    for part in [
        "--p99",
        "--loss",
        "--start",
        "--max",
        "--broker",
        "At most 120 runs",
        "1 none was",
        "2 invalid",
    ] {
        assert!(out.contains(part), "{part}: {out}");
    }
    refused("capacity", "<COMMAND>");
    refused("capacity --p99 0 -- true", "above 0");
    refused("capacity --loss 2 -- true", "from 0 to 1");
    refused("capacity --start 2k --max 1k -- true", "2,000/s is above --max 1,000/s");
    refused("capacity --alerts 0 -- true", "--alerts above 0");
    refused("capacity --rate 1k -- true", "--rate");
}

#[test]
fn programs_are_compared_two_or_more_at_a_time() {
    let out = help("compare");
    for part in ["--pairs", "--name", "-- A -- B", "A pair is a pass forth", "2 a run stayed"] {
        assert!(out.contains(part), "{part}: {out}");
    }
    assert!(!out.contains("--broker"), "{out}");
    refused("compare --rate max", "<COMMAND>");
    refused("compare --rate max -- true", "2 to 16 programs");
    refused("compare --rate max -- true --", "no program after one of the --");
    refused("compare --rate max --name a -- true -- false", "1 times for 2 programs");
    refused("compare --rate max --pairs 0 -- true -- false", "--pairs");
    refused("compare -- true -- false", "--rate <N|max>");
}

#[test]
fn a_run_is_shown_and_written() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("run.json");
    let flags =
        ["run", "--plain", "--rate", "2k", "--for", "500ms", "--warm-up", "100ms", "--json"];
    let output = loadgen().args(flags).arg(&file).arg("--").args(PROGRAM).output().unwrap();
    let (code, out, err) = texts(output);
    let Finding::Run(outcome) = finding(&file) else { panic!("no run") };
    assert_eq!(code, i32::from(outcome.verdict.standing.exit_code()), "{out}{err}");
    assert_verified(&outcome);
    for part in ["p99.99", "rate asked        2,000/s", "wrong             none", "its memory"] {
        assert!(out.contains(part), "{part}: {out}");
    }
}

/// Ctrl-C ends a run of an hour with what was measured until then.
#[test]
fn a_run_can_be_ended_early() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("run.json");
    let log = folder.path().join("err.txt");
    let flags = ["run", "--plain", "--rate", "1k", "--for", "1h", "--json"];
    let child = loadgen()
        .args(flags)
        .arg(&file)
        .arg("--")
        .args(PROGRAM)
        .stdout(Stdio::piped())
        .stderr(std::fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    wait_for("it measures", || std::fs::read_to_string(&log).unwrap().contains("measuring"));
    signal(&child, Signal::INT);
    let (code, out, _) = texts(child.wait_with_output().unwrap());
    let Finding::Run(outcome) = finding(&file) else { panic!("no run") };
    assert_eq!(code, i32::from(outcome.verdict.standing.exit_code()), "{out}");
    assert!(out.trim_end().ends_with("ended early"), "{out}");
    assert_verified(&outcome);
}

#[test]
fn a_program_that_ends_or_does_not_exist_is_unavailable() {
    for (program, part) in [("false", "ended"), ("/no/such/program", "cannot start")] {
        let (code, out, err) = run(&["run", "--plain", "--rate", "1k", "--", program]);
        assert_eq!((code, out.as_str()), (69, ""), "{err}");
        let shown = err.lines().any(|line| line.starts_with("loadgen: ") && line.contains(part));
        assert!(shown, "{err}");
    }
}

/// A program that is not there is told at once, though others would come first.
#[test]
fn every_program_is_looked_for_before_anything_runs() {
    for line in [
        "run --rate 1k --for 1h -- /no/such/program",
        "capacity --for 1h -- no-such-program",
        "compare --rate 1k --for 1h -- sleep 3600 -- /no/such/program",
        "compare --rate 1k --for 1h -- sleep 3600 -- sleep 3600 -- /etc",
    ] {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (code, out, err) = run(&words);
        assert_eq!((code, out.as_str()), (69, ""), "{line}: {err}");
        assert!(err.contains("give the path of a program that can be run"), "{line}: {err}");
    }
}

/// An objective that any machine holds, at the one rate that may be tried.
#[test]
fn a_capacity_is_searched_and_written() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("capacity.json");
    let flags = "capacity --plain --p99 30s --start 1k --max 1k --for 200ms --warm-up 0 --json";
    let output =
        loadgen().args(flags.split(' ')).arg(&file).arg("--").args(PROGRAM).output().unwrap();
    let (code, out, err) = texts(output);
    let Finding::Capacity(capacity) = finding(&file) else { panic!("no capacity") };
    let lines = out.lines().take_while(|line| !line.is_empty()).count();
    assert_eq!(lines, capacity.probes.len(), "{out}");
    assert_eq!(code, i32::from(capacity.standing().exit_code()), "{out}{err}");
    assert!(out.contains("climb") && out.contains("CAPACITY"), "{out}{err}");
}

#[test]
fn programs_are_compared_and_written() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("compare.json");
    let flags = "compare --plain --rate max --window 100 --pairs 1 --for 200ms --warm-up 0 --name \
        a --name b --json";
    let output = loadgen()
        .args(flags.split_whitespace())
        .arg(&file)
        .arg("--")
        .args(PROGRAM)
        .arg("--")
        .args(PROGRAM)
        .output()
        .unwrap();
    let (code, out, err) = texts(output);
    assert_eq!(code, 0, "{out}{err}");
    let Finding::Compare(comparison) = finding(&file) else { panic!("no comparison") };
    let names: Vec<&str> = comparison.programs.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
    assert!(comparison.programs.iter().all(|it| it.runs.len() == 2), "{out}");
    assert!(comparison.programs[1].rate_ratio.unwrap().median > 0.0, "{out}");
    assert!(out.contains("pair 1/1 back   b") && out.contains("2 PASSED"), "{out}");
}
