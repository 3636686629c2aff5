use super::*;

fn filled(threshold: f64, temperatures: &[f64]) -> Ledger {
    let mut ledger = Ledger::new(threshold);
    for (number, temperature) in (0..).zip(temperatures) {
        let body = temperature.to_string();
        assert_eq!(ledger.publish(*temperature, body.as_bytes(), Instant::now()), number);
    }
    ledger
}

fn arrive(ledger: &mut Ledger, number: u64, temperature: f64) -> bool {
    ledger.arrive(number, temperature.to_string().as_bytes()).is_some()
}

#[test]
fn a_clean_run_tallies_clean() {
    let mut ledger = filled(25.0, &[24.0, 25.0, 26.0, 27.0]);
    assert!(arrive(&mut ledger, 2, 26.0));
    assert_eq!(ledger.final_tally().missing, 1);
    assert!(arrive(&mut ledger, 3, 27.0));
    let expected = Tally { published: 4, alerts: 2, ..Tally::default() };
    assert_eq!(ledger.final_tally(), expected);
}

/// Each fault is counted as itself and as nothing else.
#[test]
fn each_fault_has_its_count() {
    let temperatures = [24.0, 26.0, 27.0, 28.0];
    let table: [(&[(u64, f64)], Tally); 6] = [
        (&[(1, 26.0), (2, 27.0)], Tally { alerts: 2, missing: 1, ..Tally::default() }),
        (
            &[(0, 24.0), (1, 26.0), (2, 27.0), (3, 28.0)],
            Tally { alerts: 4, false_alerts: 1, ..Tally::default() },
        ),
        (
            &[(1, 26.0), (2, 27.0), (2, 27.0), (3, 28.0)],
            Tally { alerts: 3, duplicates: 1, ..Tally::default() },
        ),
        (
            &[(2, 27.0), (1, 26.0), (3, 28.0)],
            Tally { alerts: 3, disordered: 1, ..Tally::default() },
        ),
        (
            &[(1, 26.0), (2, 99.0), (2, 27.0), (3, 28.0)],
            Tally { alerts: 3, corrupted: 1, ..Tally::default() },
        ),
        (
            &[(1, 26.0), (2, 27.0), (3, 28.0), (4, 29.0)],
            Tally { alerts: 3, corrupted: 1, ..Tally::default() },
        ),
    ];
    for (arrivals, expected) in table {
        let mut ledger = filled(25.0, &temperatures);
        for (number, temperature) in arrivals {
            arrive(&mut ledger, *number, *temperature);
        }
        assert_eq!(ledger.final_tally(), Tally { published: 4, ..expected }, "{arrivals:?}");
    }
}

/// Only messages in flight at the change may go either way.
#[test]
fn a_change_is_ambiguous_only_in_flight() {
    let mut ledger = filled(25.0, &[30.0; 6]);
    // Four messages are acknowledged, two are in flight, two more follow before the report.
    ledger.begin_change(50.0, 2);
    let publish = |ledger: &mut Ledger| ledger.publish(30.0, b"30", Instant::now());
    publish(&mut ledger);
    publish(&mut ledger);
    ledger.end_change();
    publish(&mut ledger);
    let verdicts: Vec<Verdict> = (0..9).map(|number| ledger.verdict(number, 30.0)).collect();
    let (alert, either, silent) = (Verdict::Alert, Verdict::Either, Verdict::Silent);
    assert_eq!(verdicts, [alert, alert, alert, alert, either, either, either, either, silent]);
    assert_eq!(ledger.final_tally().missing, 4);
    assert!(arrive(&mut ledger, 4, 30.0));
    assert_eq!(ledger.tally().alerts_either, 1);
    assert!(!arrive(&mut ledger, 8, 30.0));
}

/// While the module has not reported, everything new is ambiguous; after two changes in a row a
/// message may have met any of three thresholds.
#[test]
fn overlapping_changes_add_up() {
    let mut ledger = filled(25.0, &[30.0]);
    ledger.begin_change(50.0, 1);
    ledger.begin_change(20.0, 1);
    assert_eq!(ledger.verdict(0, 30.0), Verdict::Either);
    ledger.end_change();
    let number = ledger.publish(30.0, b"", Instant::now());
    assert_eq!(ledger.verdict(number, 30.0), Verdict::Alert, "the last change rules alone");
}

/// Past the bound the oldest is judged and forgotten, and the epochs that ended with it.
#[test]
fn memory_is_bounded() {
    let mut ledger = Ledger::new(25.0);
    let now = Instant::now();
    for round in 0..4 {
        ledger.begin_change(25.0 + f64::from(round), 0);
        ledger.end_change();
        for _ in 0..LEDGER_MESSAGES_MAX / 2 {
            ledger.publish(99.0, b"", now);
        }
    }
    assert_eq!(ledger.entries.len(), LEDGER_MESSAGES_MAX);
    assert!(ledger.epochs.len() <= 3, "{:?}", ledger.epochs);
    let published = 2 * LEDGER_MESSAGES_MAX as u64;
    assert_eq!(ledger.final_tally(), Tally { published, missing: published, ..Tally::default() });
    assert_eq!(ledger.arrive(0, b""), None, "forgotten");
}
