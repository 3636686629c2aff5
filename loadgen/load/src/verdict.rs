//! What to make of a run: pure, from what was counted and measured.

use super::outcome::{Counts, Distribution, Others, Standing, Verdict};

/// Share of the reported 99th percentile that the instrument's own may be.
const LAG_SHARE_MAX: f64 = 0.1;
/// Share of the asked rate that must be reached.
const RATE_SHARE_MIN: f64 = 0.99;
/// From this share of a core on the instrument has no time left.
const BUSY: f64 = 0.9;
/// In a closed loop a program that is slower than the instrument holds it back at least so long.
const HELD_BACK_SHARE_MIN: f64 = 0.05;

/// What a verdict rests on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Evidence<'a> {
    /// Messages of the whole run.
    pub(super) counts: &'a Counts,
    /// Messages per second that were due by the schedule, and achieved; `None` in a closed loop.
    pub(super) rate: Option<(f64, f64)>,
    /// Of alerts.
    pub(super) latency: Option<&'a Distribution>,
    /// Of the instrument.
    pub(super) lag: Option<&'a Distribution>,
    /// Share of the measured part in which the program under test held back what was due.
    pub(super) held_back_share: f64,
    /// Share of one core that the instrument's thread used.
    pub(super) own_cpu_share: f64,
    /// Cores that the program under test used; `None` when it runs elsewhere.
    pub(super) program_cores: Option<f64>,
    /// What else went on here; `None` when that is not known.
    pub(super) others: Option<Others>,
}

/// Judges a run: failures go before invalidity, and that before saturation.
pub(super) fn judge(evidence: Evidence<'_>) -> Verdict {
    let failures = failures(evidence.counts);
    if !failures.is_empty() {
        return Verdict { standing: Standing::Failed, reasons: failures };
    }
    let mut invalid = Vec::new();
    let mut saturated = Vec::new();
    if let (Some(latency), Some(lag)) = (evidence.latency, evidence.lag)
        && lag.p99_us > LAG_SHARE_MAX * latency.p99_us
    {
        invalid.push(format!(
            "the instrument itself was late: its p99 of {} is over {:.0} % of the {} measured",
            time(lag.p99_us),
            LAG_SHARE_MAX * 100.0,
            time(latency.p99_us)
        ));
    }
    // A thread without a moment to spare, and a program with some: then it is we who are slow.
    let is_busy = evidence.own_cpu_share > BUSY;
    let program_is_idle = evidence.program_cores.is_some_and(|cores| cores < BUSY);
    match evidence.rate {
        Some((asked, achieved)) if achieved < RATE_SHARE_MIN * asked => {
            let short = 1.0 - achieved / asked;
            // The program under test explains the shortfall if it held messages back for as long.
            let explained = evidence.held_back_share >= short / 2.0;
            if explained && !(is_busy && program_is_idle) {
                saturated.push(format!(
                    "the program under test took {achieved:.0} messages/s of the {asked:.0} asked"
                ));
            } else {
                invalid.push(format!(
                    "the instrument itself reached {achieved:.0} messages/s of the {asked:.0} asked"
                ));
            }
        }
        Some(_) if evidence.counts.unsent > 0 => saturated.push(format!(
            "the program under test left {} messages that were due",
            evidence.counts.unsent
        )),
        None if is_busy && evidence.held_back_share < HELD_BACK_SHARE_MIN => invalid.push(
            "the instrument itself was the slower one: the program under test hardly held it back"
                .to_owned(),
        ),
        _ => {}
    }
    // What a saturated program's queue makes late is not the instrument's doing.
    let (standing, mut reasons) = match (invalid.is_empty(), saturated.is_empty()) {
        (false, _) => (Standing::Invalid, [invalid, saturated].concat()),
        (true, false) => (Standing::Saturated, saturated),
        (true, true) => (Standing::Passed, Vec::new()),
    };
    reasons.extend(advice(standing, &evidence));
    Verdict { standing, reasons }
}

/// Who took the cores, where that may be why, and what to do about it.
fn advice(standing: Standing, evidence: &Evidence<'_>) -> Option<String> {
    let others = evidence.others.map(|others| {
        // Where it runs elsewhere, nobody knows which of the others it is.
        let among = match evidence.program_cores {
            None if others.taken > 0.0 => {
                ", the broker and its clients among them if they run here"
            }
            _ => "",
        };
        (others, format!("{others}{among}"))
    });
    let used = evidence.own_cpu_share + evidence.program_cores.unwrap_or(0.0);
    match (standing, others) {
        (Standing::Passed | Standing::Failed, _) => None,
        (_, Some((others, text))) if others.is_crowd(used) => {
            Some(format!("{text}: end them, or measure when they have ended"))
        }
        (Standing::Saturated, _) => None,
        (Standing::Invalid, Some((_, text))) => {
            Some(format!("{text}: ask for less, or give the instrument a core"))
        }
        (Standing::Invalid, None) => Some("ask for less, or give the instrument a core".to_owned()),
    }
}

/// For people: `312 µs`, `12.3 ms`.
fn time(us: f64) -> String {
    if us < 1e3 { format!("{us:.0} µs") } else { format!("{:.1} ms", us / 1e3) }
}

fn failures(counts: &Counts) -> Vec<String> {
    let counts_named = [
        (counts.missing, "alerts are missing"),
        (counts.duplicated, "alerts came back twice"),
        (counts.false_alerts, "messages came back that are no alerts"),
        (counts.disordered, "alerts came back behind a later one of their sensor"),
        (counts.corrupted, "bodies came back that were never sent so"),
        (counts.wrong_properties, "alerts came back with wrong properties or on a wrong topic"),
        (counts.unacknowledged, "messages were never acknowledged"),
    ];
    let counts_named = counts_named.iter().filter(|(count, _)| *count > 0);
    counts_named.map(|(count, what)| format!("{count} {what}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn distribution(p99_us: f64) -> Distribution {
        Distribution { count: 1, p99_us, ..Distribution::default() }
    }

    fn standing(rate: Option<(f64, f64)>, lag_us: f64, held_back_share: f64) -> Standing {
        let (latency, lag) = (distribution(100.0), distribution(lag_us));
        let evidence = Evidence {
            counts: &Counts::default(),
            rate,
            latency: Some(&latency),
            lag: Some(&lag),
            held_back_share,
            own_cpu_share: 0.5,
            program_cores: Some(0.5),
            others: None,
        };
        judge(evidence).standing
    }

    #[test]
    fn standings() {
        use Standing::{Invalid, Passed, Saturated};
        assert_eq!(standing(Some((1000.0, 991.0)), 10.0, 0.0), Passed);
        assert_eq!(standing(None, 10.0, 1.0), Passed);
        assert_eq!(standing(Some((1000.0, 1000.0)), 10.1, 0.0), Invalid);
        assert_eq!(standing(Some((1000.0, 980.0)), 1.0, 0.0), Invalid);
        assert_eq!(standing(Some((1000.0, 980.0)), 1.0, 0.011), Saturated);
        assert_eq!(standing(Some((1000.0, 500.0)), 1.0, 0.6), Saturated);
    }

    /// Whoever has no moment to spare is the slower one.
    #[test]
    fn a_busy_instrument_takes_the_blame() {
        let counts = Counts::default();
        let case = |rate, held_back_share, own_cpu_share, program_cores| {
            let evidence = Evidence {
                counts: &counts,
                rate,
                latency: None,
                lag: None,
                held_back_share,
                own_cpu_share,
                program_cores,
                others: None,
            };
            judge(evidence).standing
        };
        let short = Some((1000.0, 500.0));
        assert_eq!(case(short, 0.6, 0.95, Some(0.7)), Standing::Invalid);
        assert_eq!(case(short, 0.6, 0.95, Some(1.0)), Standing::Saturated);
        assert_eq!(case(short, 0.6, 0.95, None), Standing::Saturated);
        assert_eq!(case(None, 0.01, 0.95, Some(1.0)), Standing::Invalid);
        assert_eq!(case(None, 0.01, 0.5, Some(0.2)), Standing::Passed);
        assert_eq!(case(None, 0.6, 0.95, Some(1.0)), Standing::Passed);
    }

    #[test]
    fn what_was_never_sent_is_no_pass() {
        let counts = Counts { unsent: 1, ..Counts::default() };
        let evidence = Evidence {
            counts: &counts,
            rate: Some((1000.0, 1000.0)),
            latency: None,
            lag: None,
            held_back_share: 0.0,
            own_cpu_share: 0.5,
            program_cores: None,
            others: None,
        };
        assert_eq!(judge(evidence).standing, Standing::Saturated);
    }

    /// Who took the cores is told where it may be why, with what to do about it.
    #[test]
    fn other_programs_are_named_in_the_reason() {
        use Standing::{Failed, Invalid, Passed, Saturated};
        let late = Some((1000.0, 500.0));
        let in_time = Some((1000.0, 1000.0));
        let end_them = "cores: end them, or measure when they have ended";
        let ask_for_less = "cores: ask for less, or give the instrument a core";
        let table = [
            (late, 0.0, Some((1.5, 2)), Invalid, Some(end_them)),
            (late, 0.0, Some((1.5, 64)), Invalid, Some(ask_for_less)),
            (late, 0.0, Some((0.1, 2)), Invalid, Some(ask_for_less)),
            (late, 0.0, None, Invalid, Some("ask for less, or give the instrument a core")),
            (late, 0.6, Some((1.5, 2)), Saturated, Some(end_them)),
            (late, 0.6, Some((0.1, 2)), Saturated, None),
            (in_time, 0.0, Some((1.5, 2)), Passed, None),
            (in_time, 0.0, Some((1.5, 2)), Failed, None),
        ];
        for (rate, held_back_share, others, standing, advice) in table {
            let missing = u64::from(standing == Failed);
            let counts = Counts { missing, ..Counts::default() };
            let evidence = Evidence {
                counts: &counts,
                rate,
                latency: None,
                lag: None,
                held_back_share,
                own_cpu_share: 0.5,
                program_cores: Some(0.1),
                others: others.map(|(taken, cores)| Others { taken, cores, stolen: 0.0 }),
            };
            let verdict = judge(evidence);
            assert_eq!(verdict.standing, standing, "{others:?}");
            let last = verdict.reasons.last().map(String::as_str).unwrap_or_default();
            assert_eq!(last.contains("other programs took"), advice.is_some() && others.is_some());
            assert!(last.ends_with(advice.unwrap_or_default()), "{last}");
            let elsewhere = judge(Evidence { program_cores: None, ..evidence });
            let among =
                elsewhere.reasons.iter().any(|reason| reason.contains("the broker and its"));
            assert_eq!(among, advice.is_some() && others.is_some(), "{elsewhere:?}");
        }
    }

    /// A late instrument is told with its lag, and who made it late.
    #[test]
    fn lag_is_shown_with_the_other_programs() {
        let (latency, lag) = (distribution(900.0), distribution(450.0));
        let evidence = Evidence {
            counts: &Counts::default(),
            rate: Some((1000.0, 1000.0)),
            latency: Some(&latency),
            lag: Some(&lag),
            held_back_share: 0.0,
            own_cpu_share: 0.1,
            program_cores: Some(0.1),
            others: Some(Others { taken: 1.75, stolen: 0.5, cores: 2 }),
        };
        let expected = [
            "the instrument itself was late: its p99 of 450 µs is over 10 % of the 900 µs measured",
            "other programs took 1.8 of 2 cores (0.5 taken by other guests of the host): end them, \
             or measure when they have ended",
        ];
        assert_eq!(judge(evidence).reasons, expected);
    }

    #[test]
    fn each_failure_is_named_and_goes_first() {
        let fields: [fn(&mut Counts) -> &mut u64; 7] = [
            |c| &mut c.missing,
            |c| &mut c.duplicated,
            |c| &mut c.false_alerts,
            |c| &mut c.disordered,
            |c| &mut c.corrupted,
            |c| &mut c.wrong_properties,
            |c| &mut c.unacknowledged,
        ];
        for field in fields {
            let mut counts = Counts::default();
            assert!(counts.is_clean());
            *field(&mut counts) = 7;
            assert!(!counts.is_clean());
            let evidence = Evidence {
                counts: &counts,
                rate: Some((1000.0, 1.0)),
                latency: None,
                lag: None,
                held_back_share: 0.0,
                own_cpu_share: 1.0,
                program_cores: None,
                others: None,
            };
            let verdict = judge(evidence);
            assert_eq!((verdict.standing, verdict.reasons.len()), (Standing::Failed, 1));
            assert!(verdict.reasons[0].starts_with("7 "));
        }
    }

    #[test]
    fn duplicates_after_a_fault_are_no_failure() {
        let counts = Counts { duplicated_after_fault: 9, faults: 1, ..Counts::default() };
        assert!(counts.is_clean() && failures(&counts).is_empty());
    }
}
