//! The command lines of measurements: what they accept, what they refuse, what they tell.

use crate::support::run;

/// A refused command line has exit code 64 and says why on standard error.
fn refused(line: &str, part: &str) {
    let words: Vec<&str> = line.split_whitespace().collect();
    let (code, out, err) = run(&words);
    assert_eq!((code, out.as_str()), (64, ""), "{line}: {err}");
    assert!(err.contains(part), "{line}: {err}");
}

#[test]
fn help_tells_flags_and_exit_codes() {
    let (code, out, _) = run(&["run", "--help"]);
    assert_eq!(code, 0);
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
}

#[test]
fn a_capacity_has_an_objective_and_a_range() {
    let (code, out, _) = run(&["capacity", "--help"]);
    assert_eq!(code, 0);
    for part in
        ["--p99", "--loss", "--start", "--max", "--broker", "At most 120 runs", "1 none was"]
    {
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
    let (code, out, _) = run(&["compare", "--help"]);
    assert_eq!(code, 0);
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
