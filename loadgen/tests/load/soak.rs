//! Short soaks: of the real module, which survives every fault, and of programs that do not.

use loadgen_load::fault::FaultKind;
use loadgen_load::outcome::Standing;

use crate::support::{
    LOADGEN, Ran, alone, assert_clean_but_for_faults, best_of, ensure, loadgen, sink,
};

/// The real module.
fn module() -> Vec<String> {
    [LOADGEN, "module", "run"].map(str::to_owned).into()
}

/// A soak at a rate that any machine holds, with these further flags.
#[track_caller]
fn soak(flags: &[&str], command: &[String]) -> Ran {
    loadgen("soak", &[&["--rate", "2k", "--warm-up", "1s"], flags].concat(), command)
}

/// A kill first, and two faults more; the threshold changes each 2 s, and the token soon.
/// Nothing is lost in any run, and everything stays flat in the best.
#[test]
fn the_module_survives_every_fault_and_stays_as_it_was() {
    let _alone = alone();
    let flags = ["--for", "18s", "--fault-every", "4s", "--patch-every", "2s"];
    let flags = [&flags[..], &["--renew-every", "2s"]].concat();
    let ran = best_of(
        || {
            let ran = soak(&flags, &module());
            let soak = ran.soak();
            assert_clean_but_for_faults(&soak.run.counts);
            let kinds: Vec<_> = soak.faults.iter().map(|fault| fault.kind).collect();
            assert_eq!(kinds.first(), Some(&FaultKind::Kill), "{kinds:?}");
            assert!(soak.faults.iter().all(|fault| fault.recovery_s.is_some()), "{soak:?}");
            assert!(soak.patches >= 6 && soak.patches_told > 0, "{soak:?}");
            let [low, high] = soak.thresholds.unwrap();
            assert!(low < high, "{low} {high}");
            // As many alerts as there would be without any change are more than were expected.
            let alerts = soak.run.counts.sent / 10;
            assert!(soak.run.counts.alerts_expected < alerts, "{:?}", soak.run.counts);
            assert!(soak.samples.iter().all(|it| it.rss_kib > 0 && it.descriptors > 0), "{soak:?}");
            ran
        },
        |ran| {
            let soak = ran.soak();
            let is_whole = soak.faults.len() == 3 && soak.renewals > 0;
            ensure(is_whole, || format!("{:?}, {} renewals", soak.faults, soak.renewals))?;
            let passed = soak.verdict.standing == Standing::Passed;
            ensure(passed && ran.exit_code() == 0, || format!("{:?}", soak.verdict))
        },
    );
    assert!(
        ran.stdout.contains("PASSED: 0 alerts lost in 3 faults, full rate back"),
        "{}",
        ran.stdout
    );
}

/// Beside the module something grows by 1 MB each second, in the tree of its processes.
#[test]
fn a_leak_fails() {
    let _alone = alone();
    let script = "(x=; while sleep 0.1; do x=$x$(head -c 100000 /dev/zero | tr '\\0' x); done) & \
                  exec \"$@\"";
    let leaking = ["sh", "-c", script, "leaking"].map(str::to_owned);
    let flags = ["--for", "12s", "--fault-every", "4s", "--faults", "stop,cut"];
    let ran = soak(&flags, &[&leaking[..], &module()].concat());
    let soak = ran.soak();
    assert_clean_but_for_faults(&soak.run.counts);
    assert_eq!(soak.verdict.standing, Standing::Failed, "{:?}", soak.verdict);
    let is_reported =
        soak.verdict.reasons.iter().any(|why| why.starts_with("resident memory grew by"));
    assert!(is_reported, "{:?}", soak.verdict);
    assert!(ran.stdout.contains("FAILED: 0 alerts lost in 2 faults"), "{}", ran.stdout);
    assert_eq!(ran.exit_code(), 1);
}

#[test]
fn a_lost_alert_fails() {
    let _alone = alone();
    let flags = ["--for", "6s", "--fault-every", "2s", "--faults", "stop", "--patch-every", "0"];
    let ran = soak(&flags, &sink(&["--drop-every", "997"]));
    let soak = ran.soak();
    assert_eq!((soak.run.counts.missing, ran.exit_code()), (1, 1), "{:?}", soak.run.counts);
    assert_eq!(soak.verdict.standing, Standing::Failed);
    assert!(soak.verdict.reasons.contains(&"1 alerts are missing".to_owned()), "{soak:?}");
}

/// The sink ends with its first connection: the rest of the run is no reason to say nothing.
#[test]
fn a_program_that_does_not_stay_fails() {
    let _alone = alone();
    let flags = ["--for", "30s", "--fault-every", "1s", "--faults", "cut", "--patch-every", "0"];
    let ran = soak(&flags, &sink(&[]));
    let soak = ran.soak();
    assert_eq!((soak.verdict.standing, ran.exit_code()), (Standing::Failed, 1));
    let first = &soak.verdict.reasons[0];
    assert!(first.starts_with("it did not stay: the program under test ended: exit"), "{first}");
    assert_eq!((soak.faults.len(), soak.recovery_max_s()), (1, None));
}

/// What cannot be soaked is refused at once.
#[test]
fn impossible_flags_are_refused() {
    for (flags, reason) in [
        (&["--qos", "0"][..], "a soak needs --qos 1"),
        (&["--cut-every", "1s"], "--faults cut"),
        (&["--alerts", "0"], "--alerts above 0"),
        (&["--fault-every", "999ms"], "no closer than 1 s"),
        (&["--renew-every", "399ms"], "no closer than 400 ms"),
        (&["--profile", "hostile"], "--patch-every 0"),
        (&["--faults", "cut,flood"], "choose from cut, reset, stall, restart, stop, kill, or none"),
    ] {
        let ran = soak(flags, &module());
        assert_eq!(ran.exit_code(), 64, "{flags:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(reason), "{flags:?}: {}", ran.stderr);
    }
}
