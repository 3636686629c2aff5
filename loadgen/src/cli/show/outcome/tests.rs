use super::*;
use crate::load::example;
use crate::load::settings::Pace;

fn text(change: impl FnOnce(&mut Outcome)) -> String {
    let mut outcome = example::outcome(&example::settings(200e3, "sluicegate"), 199_998.0, 312.0);
    change(&mut outcome);
    outcome_text(&outcome)
}

fn has(text: &str, part: &str) {
    assert!(text.contains(part), "no `{part}` in\n{text}");
}

#[test]
fn a_clean_result_tells_its_figures() {
    let text = text(|_| {});
    for part in [
        "p99.99",
        "312 µs",
        "936 µs",
        "200,000/s",
        "199,998/s, 50.0 MB/s",
        "10,000 sent, 10,000 acknowledged, 1,000 of 1,000 alerts correct",
        "none",
        "5,000 ns per message, 25.0 % of the machine, 1,234 + 56 context switches",
        "10.0 MiB at most, 4 threads",
        "0.0 % of the time",
        "50.0 % of one core",
    ] {
        has(&text, part);
    }
    assert!(text.ends_with("\nPASSED"), "{text}");
    assert!(!text.contains("missing") && !text.contains("connections"), "{text}");
}

#[test]
fn failures_are_all_told() {
    let text = text(|outcome| {
        outcome.counts.missing = 7;
        outcome.counts.unsent = 3;
        outcome.counts.faults = 2;
        outcome.counts.resent = 40;
        outcome.verdict.standing = Standing::Failed;
        outcome.verdict.reasons = vec!["7 alerts are missing".to_owned()];
    });
    has(&text, "7 missing, 0 duplicated, 0 false, 0 disordered, 0 corrupted, 0 with wrong prop");
    has(&text, "3 never sent");
    has(&text, "2 lost or cut; 40 messages sent again, 0 alerts twice");
    assert!(text.ends_with("FAILED\n  7 alerts are missing"), "{text}");
}

#[test]
fn what_there_is_none_of_is_a_dash() {
    let text = text(|outcome| {
        outcome.settings.pace = Pace::Closed;
        outcome.settings.traffic.qos = 0;
        outcome.rates.asked = None;
        (outcome.latency, outcome.lag, outcome.cost) = (None, None, None);
    });
    has(&text, "as fast as the window allows");
    has(&text, "own lag    -    -");
    has(&text, "10,000 sent, 1,000 of 1,000 alerts correct");
    assert!(!text.contains("ns per message") && !text.contains("held back"), "{text}");
}
