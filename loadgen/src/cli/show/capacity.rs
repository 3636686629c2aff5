//! The search of a capacity: a line for each probe, and the knee at the end.

use super::figures::{self, NONE, grouped, latency, percent, rate, reasons};
use crate::cli::look::{BAD, DOUBTFUL, GOOD, Look};
use loadgen_load::capacity::{CONFIRMATIONS, REFUSAL};
use loadgen_load::outcome::{Capacity, Probe, ProbeStep, Standing};

/// One probe as it was made.
pub(crate) fn probe_line(probe: &Probe, look: Look) -> String {
    let step = match probe.step {
        ProbeStep::Climb => "climb",
        ProbeStep::Bisect => "bisect",
        ProbeStep::Confirm => "confirm",
        ProbeStep::Refuse => "refuse",
    };
    let held = match probe {
        Probe { held: true, .. } => "held  ".to_owned(),
        Probe { invalid: true, .. } => look.paint(DOUBTFUL, "INVALID"),
        _ => look.paint(BAD, "FAILED"),
    };
    let mut text = format!("{step:7} {:>12}  {held}", rate(probe.rate));
    let [p50, p99, p99_9] = latencies(probe);
    text.push_str(&format!("  p50 {p50:>7}  p99 {p99:>7}  p99.9 {p99_9:>7}"));
    if !probe.held {
        text.push_str(&format!("  {}", reasons(&probe.reasons)));
    }
    text
}

/// The knee, by rate, what was odd, and what was found.
pub(crate) fn capacity_text(capacity: &Capacity, look: Look) -> String {
    let heading = ["rate", "sent", "p50", "p99", "p99.9", "CPU ns/message", "held"];
    let mut rows = Vec::new();
    let mut probes: Vec<&Probe> = capacity.probes.iter().collect();
    probes.sort_by(|a, b| a.rate.total_cmp(&b.rate));
    for probe in probes {
        let [p50, p99, p99_9] = latencies(probe);
        let cpu = probe.cost.map_or(NONE.to_owned(), |cost| grouped(cost.cpu_ns_per_message));
        // The lines above have all the reasons.
        let held = match probe.reasons.first() {
            None => "yes".to_owned(),
            Some(reason) => reasons(std::slice::from_ref(reason)),
        };
        rows.push([rate(probe.rate), rate(probe.achieved), p50, p99, p99_9, cpu, held]);
    }
    let mut text = figures::table_with_remarks(look.width, heading, rows).trim_fmt();
    text.push('\n');
    for note in &capacity.notes {
        text.push_str(&format!("\n  {note}"));
    }
    if !capacity.notes.is_empty() {
        text.push('\n');
    }
    format!("{text}\n{}", found(capacity, look))
}

fn found(capacity: &Capacity, look: Look) -> String {
    let loss = match capacity.objective.loss {
        0.0 => "no alert".to_owned(),
        loss => format!("at most {} of alerts", percent(loss)),
    };
    let objective = format!("p99 at most {}, {loss} missing", latency(capacity.objective.p99_us));
    let Some(found) = capacity.rate else {
        return not_found(capacity, &objective, look);
    };
    let word = look.paint(GOOD, format_args!("CAPACITY {}", rate(found)));
    let mut text = format!("{word}: {objective}; held {CONFIRMATIONS} times");
    // Exactly the product that the search asks for, so that comparing is safe.
    let refused = |probe: &&Probe| {
        probe.step == ProbeStep::Refuse && !probe.held && probe.rate == found * REFUSAL
    };
    if let Some(refused) = capacity.probes.iter().find(refused) {
        let what = if refused.invalid {
            "; the program may take more: the instrument was the bottleneck at"
        } else {
            ", failed at"
        };
        text.push_str(&format!("{what} {}", rate(refused.rate)));
    }
    text
}

/// Why there is no rate, with the lowest that did not hold.
fn not_found(capacity: &Capacity, objective: &str, look: Look) -> String {
    let failed = capacity.probes.iter().filter(|probe| !probe.held).map(|probe| probe.rate);
    let lowest = failed.reduce(f64::min).map(rate);
    match (capacity.standing(), lowest) {
        (Standing::Invalid, Some(lowest)) => format!(
            "{}: no rate is known for {objective}: the instrument was the bottleneck at {lowest}",
            look.paint(DOUBTFUL, "INVALID")
        ),
        (_, lowest) => {
            let why = lowest.map(|rate| format!(": {rate} did not hold")).unwrap_or_default();
            format!("{} for {objective}{why}", look.paint(BAD, "NO CAPACITY FOUND"))
        }
    }
}

/// Half, 99 % and 99.9 %; dashes without alerts.
fn latencies(probe: &Probe) -> [String; 3] {
    [probe.p50_us, probe.p99_us, probe.p99_9_us]
        .map(|us| if us > 0.0 { latency(us) } else { NONE.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use loadgen_load::example;
    use loadgen_load::outcome::Objective;

    fn probe(step: ProbeStep, rate: f64, held: bool) -> Probe {
        let outcome = example::outcome(&example::settings(rate, "a"), rate, 312.0);
        Probe {
            step,
            rate,
            held,
            invalid: false,
            reasons: if held { Vec::new() } else { vec!["p99 5000 µs".to_owned()] },
            achieved: rate,
            p50_us: if held { 156.0 } else { 0.0 },
            p99_us: 312.0,
            p99_9_us: 1250.0,
            cost: outcome.cost,
        }
    }

    fn capacity(rate: Option<f64>) -> Capacity {
        Capacity {
            settings: example::settings(1000.0, "a"),
            objective: Objective { p99_us: 1000.0, loss: 0.001 },
            probes: vec![
                probe(ProbeStep::Refuse, 2000.0 * REFUSAL, false),
                probe(ProbeStep::Confirm, 2000.0, true),
            ],
            rate,
            notes: vec!["ended early".to_owned()],
        }
    }

    const PLAIN: Look = Look { width: 120, colours: false };

    #[test]
    fn probes_are_lines() {
        let text = probe_line(&probe(ProbeStep::Climb, 2000.0, true), PLAIN);
        let expected = "climb        2,000/s  held    p50  156 µs  p99  312 µs  p99.9 1.25 ms";
        assert_eq!(text, expected);
        let text = probe_line(&probe(ProbeStep::Refuse, 2000.0, false), PLAIN);
        assert!(text.contains("FAILED  p50       -") && text.ends_with("  p99 5000 µs"), "{text}");
    }

    #[test]
    fn the_knee_is_sorted_by_rate() {
        let text = capacity_text(&capacity(Some(2000.0)), PLAIN);
        let at = |part: &str| text.find(part).unwrap_or_else(|| panic!("{part}: {text}"));
        assert!(at(" 2,000/s") < at(" 2,300/s"));
        assert!(at("500,000") < at("yes") && at("yes") < at("434,783"));
        at("\n\n  ended early\n\nCAPACITY 2,000/s: p99 at most 1.00 ms, at most 0.1 % of alerts \
            missing; held 3 times, failed at 2,300/s");
        let mut limited = capacity(Some(2000.0));
        limited.probes[0].invalid = true;
        let text = capacity_text(&limited, PLAIN);
        let more = "the program may take more: the instrument was the bottleneck at 2,300/s";
        assert!(text.ends_with(more), "{text}");
    }

    #[test]
    fn a_search_that_found_nothing_says_so() {
        let nothing = |invalid| {
            let mut capacity = capacity(None);
            capacity.probes[0].invalid = invalid;
            (capacity_text(&capacity, PLAIN), capacity.standing().exit_code())
        };
        let objective = "p99 at most 1.00 ms, at most 0.1 % of alerts missing";
        let (text, code) = nothing(false);
        let end = format!("\n\nNO CAPACITY FOUND for {objective}: 2,300/s did not hold");
        assert!(text.ends_with(&end) && code == 1, "{text}");
        let (text, code) = nothing(true);
        let end = format!(
            "\n\nINVALID: no rate is known for {objective}: the instrument was the bottleneck at \
             2,300/s"
        );
        assert!(text.ends_with(&end) && code == 2, "{text}");
        let none = Capacity { probes: Vec::new(), ..capacity(None) };
        let text = capacity_text(&none, PLAIN);
        assert!(text.ends_with(&format!("NO CAPACITY FOUND for {objective}")), "{text}");
    }

    #[test]
    fn no_line_of_the_knee_is_too_long() {
        let mut long = capacity(None);
        long.notes.clear();
        for probe in &mut long.probes {
            (probe.rate, probe.achieved) = (50e6, 50e6);
            (probe.p50_us, probe.p99_us, probe.p99_9_us) = (123_456.0, 60e6, 600e6);
            let reason =
                "999999999 of 9999999999 alerts missing because the program under test ended";
            probe.reasons = vec![reason.to_owned()];
            if let Some(cost) = &mut probe.cost {
                cost.cpu_ns_per_message = 999_999_999.0;
            }
        }
        let table = |look| {
            let text = capacity_text(&long, look);
            text.rsplit_once("\n\n").map(|(table, _)| table.to_owned()).unwrap_or_default()
        };
        figures::assert_narrow(table, &["50,000,000/s", "600.00 s", "999,999,999", "999999999 of"]);
    }
}
