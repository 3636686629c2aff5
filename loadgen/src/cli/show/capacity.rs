//! The search of a capacity: a line for each probe, and the knee at the end.

use super::figures::{self, NONE, grouped, latency, percent, rate, reasons};
use crate::load::capacity::{CONFIRMATIONS, REFUSAL};
use crate::load::outcome::{Capacity, Probe, ProbeStep};

/// One probe as it was made.
pub(crate) fn probe_line(probe: &Probe) -> String {
    let step = match probe.step {
        ProbeStep::Climb => "climb",
        ProbeStep::Bisect => "bisect",
        ProbeStep::Confirm => "confirm",
        ProbeStep::Refuse => "refuse",
    };
    let held = if probe.held { "held" } else { "FAILED" };
    let mut text = format!("{step:7} {:>12}  {held:6}", rate(probe.rate));
    let [p50, p99, p99_9] = latencies(probe);
    text.push_str(&format!("  p50 {p50:>7}  p99 {p99:>7}  p99.9 {p99_9:>7}"));
    if !probe.held {
        text.push_str(&format!("  {}", reasons(&probe.reasons)));
    }
    text
}

/// The knee, by rate, and what was found.
pub(crate) fn capacity_text(capacity: &Capacity) -> String {
    let heading = ["rate", "sent", "p50", "p99", "p99.9", "CPU ns/message", "held"];
    let mut table = figures::table_with_remarks(heading);
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
        table.add_row([rate(probe.rate), rate(probe.achieved), p50, p99, p99_9, cpu, held]);
    }
    let mut text = format!("{}\n\n{}", table.trim_fmt(), found(capacity));
    for note in &capacity.notes {
        text.push_str(&format!("\n  {note}"));
    }
    text
}

fn found(capacity: &Capacity) -> String {
    let loss = match capacity.objective.loss {
        0.0 => "no alert".to_owned(),
        loss => format!("at most {} of alerts", percent(loss)),
    };
    let objective = format!("p99 at most {}, {loss} missing", latency(capacity.objective.p99_us));
    let Some(found) = capacity.rate else {
        return format!("NO CAPACITY FOUND for {objective}");
    };
    let mut text = format!("CAPACITY {}: {objective}; held {CONFIRMATIONS} times", rate(found));
    // Exactly the product that the search asks for, so that comparing is safe.
    let refused = |probe: &&Probe| {
        probe.step == ProbeStep::Refuse && !probe.held && probe.rate == found * REFUSAL
    };
    if let Some(refused) = capacity.probes.iter().find(refused) {
        text.push_str(&format!(", failed at {}", rate(refused.rate)));
    }
    text
}

/// Half, 99 % and 99.9 %; dashes without alerts.
fn latencies(probe: &Probe) -> [String; 3] {
    [probe.p50_us, probe.p99_us, probe.p99_9_us]
        .map(|us| if us > 0.0 { latency(us) } else { NONE.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::example;
    use crate::load::outcome::Objective;

    fn probe(step: ProbeStep, rate: f64, held: bool) -> Probe {
        let outcome = example::outcome(&example::settings(rate, "a"), rate, 312.0);
        Probe {
            step,
            rate,
            held,
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

    #[test]
    fn probes_are_lines() {
        let text = probe_line(&probe(ProbeStep::Climb, 2000.0, true));
        let expected = "climb        2,000/s  held    p50  156 µs  p99  312 µs  p99.9 1.25 ms";
        assert_eq!(text, expected);
        let text = probe_line(&probe(ProbeStep::Refuse, 2000.0, false));
        assert!(text.contains("FAILED  p50       -") && text.ends_with("  p99 5000 µs"), "{text}");
    }

    #[test]
    fn the_knee_is_sorted_by_rate() {
        let text = capacity_text(&capacity(Some(2000.0)));
        let at = |part: &str| text.find(part).unwrap_or_else(|| panic!("{part}: {text}"));
        assert!(at(" 2,000/s") < at(" 2,300/s"));
        assert!(at("500,000") < at("yes") && at("yes") < at("434,783"));
        at(
            "CAPACITY 2,000/s: p99 at most 1.00 ms, at most 0.1 % of alerts missing; held 3 times, \
            failed at 2,300/s\n  ended early",
        );
    }

    #[test]
    fn nothing_found_is_said() {
        let text = capacity_text(&capacity(None));
        assert!(text.contains("\nNO CAPACITY FOUND for p99 at most 1.00 ms"), "{text}");
    }
}
