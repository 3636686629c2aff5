use loadgen_load::outcome::{Finding, Standing};

use super::*;
use crate::example::outcome;
use crate::record::scenario::{SCENARIOS, select};

fn scenario(name: &str) -> Scenario {
    select(&[name.to_owned()]).unwrap()[0]
}

/// A round of `plain_qos1` with these standings, one try each.
fn round(rate: f64, standings: &[Standing]) -> Vec<Attempt> {
    let tries = standings.iter().map(|standing| {
        let finding = Finding::Run(Box::new(outcome(*standing, None, rate)));
        Attempt::of(&finding, scenario("plain_qos1").run, standing.exit_code().into())
    });
    tries.collect()
}

/// A row stands as its median does; without a figure of each round it does not stand at all, and a
/// rate that was not taken is a floor missed.
#[test]
fn a_row_stands_as_its_median() {
    use Standing::{Failed, Invalid, Passed, Saturated};
    let row = |rounds: &[Vec<Attempt>]| RecordRow::new(scenario("plain_qos1"), rounds);
    for (rates, status, code) in [
        ([3e6, 1.0, 4e6], Status::Aim, 0),
        ([1.2e6, 1.0, 4e6], Status::Floor, 0),
        ([1.1e6, 1.0, 4e6], Status::Missed, 1),
    ] {
        let found = row(&rates.map(|rate| round(rate, &[Passed])));
        assert_eq!((found.status, found.values.as_slice()), (status, &rates[..]));
        assert_eq!(exit_code(&[found]), code);
    }
    let repeated = row(&[round(4e6, &[Invalid, Passed]), round(4e6, &[Passed])]);
    assert_eq!((repeated.status, repeated.values.len()), (Status::Aim, 2));
    assert_eq!(repeated.verdicts, BTreeMap::from([("invalid", 1), ("passed", 2)]));
    assert_eq!(repeated.exit_codes, [2, 0, 0]);
    let lost = row(&[round(4e6, &[Failed, Failed]), round(4e6, &[Passed])]);
    assert_eq!((lost.status, lost.values.len()), (Status::Invalid, 1));
    let slow = row(&[round(4e6, &[Saturated])]);
    assert_eq!(slow.status, Status::Missed);
    assert_eq!(exit_code(&[slow, lost, repeated]), 2);
}

/// Of a figure that is better when lower, the floor is the highest that holds.
#[test]
fn less_cpu_is_better() {
    let row = RecordRow::new(scenario("cpu_max"), &[round(1.0, &[Standing::Passed])]);
    assert_eq!((row.values.as_slice(), row.status), (&[250.0][..], Status::Aim));
}

/// A line is one line, with everything that tells the figure from another.
#[test]
fn a_line_has_figure_and_facts() {
    let facts = RecordFacts {
        time: "2026-01-01T00:00:00Z".to_owned(),
        commit: "abc-dirty".to_owned(),
        built: true,
        machine: Machine { processor: "a CPU".to_owned(), cores: 2, ..Machine::default() },
        rustc: "rustc 1".to_owned(),
    };
    let rounds = [round(2e6, &[Standing::Passed]), round(4e6, &[Standing::Passed])];
    let row = RecordRow::new(scenario("plain_qos1"), &rounds);
    let line = line(&row, &facts, 5.0).unwrap();
    assert!(!line.contains('\n'));
    let found: serde_json::Value = serde_json::from_str(&line).unwrap();
    let expected = serde_json::json!({
        "time": "2026-01-01T00:00:00Z", "commit": "abc-dirty", "built": true, "rustc": "rustc 1",
        "machine": {
            "processor": "a CPU", "cores": 2, "memory_kib": 0, "system": "", "architecture": "",
            "load_percent": 0
        },
        "scenario": "plain_qos1", "title": "plain TCP, QoS 1", "unit": "msg/s", "for_s": 5.0,
        "values": [2e6, 4e6], "rates": [2e6, 4e6], "median": 3e6, "floor": 1.2e6,
        "aim": 3e6, "status": "aim",
        "verdicts": { "passed": 2 }, "loadgen_exit_codes": [0, 0]
    });
    assert_eq!(found, expected);
}

#[test]
fn the_table_shows_every_row() {
    let rounds = [round(2e6, &[Standing::Passed]), round(1e6, &[Standing::Passed])];
    let lacking = [vec![Attempt::without_result(vec![69], "no program".to_owned())]];
    let rows = [
        RecordRow::new(scenario("plain_qos1"), &rounds),
        RecordRow::new(scenario("rss_idle"), &lacking),
    ];
    let text = table(&rows);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[2],
        "| plain_qos1 | plain TCP, QoS 1 | msg/s | 1,500,000 | 1,000,000–2,000,000 | ≥ 1,200,000 \
         | ≥ 3,000,000 | floor met |"
    );
    assert_eq!(lines[3], "| rss_idle | peak memory, idle | MB | - | - | ≤ 10 | ≤ 6 | invalid |");
    let columns = |line: &&str| line.matches('|').count();
    assert!(lines.iter().all(|line| columns(line) == columns(&lines[0])), "{text}");
    assert_eq!(rows[1].exit_codes, [69]);
    assert_eq!(
        table(&SCENARIOS.map(|row| RecordRow::new(row, &[]))).lines().count(),
        2 + SCENARIOS.len()
    );
}

#[test]
fn numbers_are_short() {
    for (value, text) in [
        (0.0, "0"),
        (2.5, "2.5"),
        (2.345, "2.35"),
        (12.04, "12"),
        (99.94, "99.9"),
        (100.0, "100"),
        (999.0, "999"),
        (1_200_000.4, "1,200,000"),
    ] {
        assert_eq!(number(value), text, "{value}");
    }
}
