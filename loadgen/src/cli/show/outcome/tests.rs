use super::*;
use loadgen_load::example;
use loadgen_load::settings::Pace;

fn text(change: impl FnOnce(&mut Outcome)) -> String {
    let mut outcome = example::outcome(&example::settings(200e3, "sluicegate"), 199_998.0, 312.0);
    change(&mut outcome);
    outcome_text(&outcome, Look { width: 120, colours: false })
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
    has(&text, "0.2 of 2 cores");
    let last = "\n\nPASSED: 199,998/s sent, 312 µs at p99, 1,000 of 1,000 alerts correct";
    assert!(text.ends_with(last), "{text}");
    assert!(!text.contains("missing") && !text.contains("connections"), "{text}");
}

#[test]
fn all_failures_are_shown() {
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
    let last = "\n\nFAILED: 199,998/s sent, 312 µs at p99, 1,000 of 1,000 alerts correct\n  7 \
                alerts are missing";
    assert!(text.ends_with(last), "{text}");
}

#[test]
fn absent_figures_are_shown_as_a_dash() {
    let text = text(|outcome| {
        outcome.settings.pace = Pace::Closed;
        outcome.settings.traffic.qos = 0;
        outcome.rates.asked = None;
        (outcome.latency, outcome.lag, outcome.cost) = (None, None, None);
    });
    has(&text, "as fast as the window allows");
    has(&text, "own lag    -");
    has(&text, "PASSED: 199,998/s sent, 1,000 of 1,000 alerts correct");
    has(&text, "10,000 sent, 1,000 of 1,000 alerts correct");
    assert!(!text.contains("ns per message") && !text.contains("held back"), "{text}");
}

/// An invalid result says that its figures say nothing, and who was in the way.
#[test]
fn an_invalid_result_is_said_in_a_sentence() {
    let change = |outcome: &mut Outcome| {
        outcome.verdict.standing = Standing::Invalid;
        outcome.verdict.reasons = vec!["other programs took 1.9 of 2 cores: end them".to_owned()];
        outcome.traffic.gaps = 3;
    };
    let text = text(change);
    let expected = "\n\nINVALID: the instrument was the bottleneck; 199,998/s and 312 µs at p99 \
        say nothing of the program\n  other programs took 1.9 of 2 cores: end them";
    assert!(text.ends_with(expected), "{text}");
    has(&text, "3 rows of the file have no value and were passed over");
}

/// The verdict alone is coloured, and only where colours are wanted.
#[test]
fn the_verdict_is_coloured() {
    let outcome = example::outcome(&example::settings(1e3, "a"), 1e3, 312.0);
    let text = outcome_text(&outcome, Look { width: 80, colours: true });
    assert!(text.contains("\n\u{1b}[1m\u{1b}[32mPASSED\u{1b}[0m: 1,000/s"), "{text:?}");
    let text = outcome_text(&outcome, Look { width: 80, colours: false });
    assert!(!text.contains('\u{1b}'), "{text:?}");
}

#[test]
fn no_line_of_the_tables_is_too_long() {
    let mut outcome = example::outcome(&example::settings(50e6, "a"), 50e6, 1e9);
    let most = 999_999_999_999;
    let counts = &mut outcome.counts;
    (counts.sent, counts.acknowledged, counts.unsent) = (most, most, most);
    (counts.alerts_expected, counts.alerts_correct, counts.missing) = (most, most, most);
    (counts.faults, counts.resent, counts.acknowledged_unknown) = (most, most, most);
    outcome.traffic.gaps = most;
    crate::cli::show::figures::assert_narrow(
        |look| {
            let text = outcome_text(&outcome, look);
            text.split("\n\n").take(2).collect::<Vec<_>>().join("\n")
        },
        &["999,999,999,999", "1000.00 s", "3000.00 s"],
    );
}
