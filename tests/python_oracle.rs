//! CPython decides: its `json` module and its `>` judge the same bodies as
//! `sluicegate::pipeline::parse`.
//!
//! Every verdict must be equal, but for the differences that `sluicegate::pipeline::parse`
//! documents; each of those has a rule here that says what to expect instead.
#![cfg(test)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use core_tests::corpus::{CorpusEntry, THRESHOLDS, corpus};
use sluicegate::pipeline::parse::{Malformed, Parser, Verdict};
use sluicegate::pipeline::threshold::Threshold;

/// Bodies per run; `SLUICEGATE_ORACLE_BODIES` asks for more.
const BODIES: usize = 5_000;
/// Generous: 5,000 bodies take Python about a second.
const PATIENCE: Duration = Duration::from_secs(300);

/// What the oracle printed for one body.
struct Opinion {
    rule: String,
    /// One word per threshold.
    words: Vec<String>,
}

/// For all bodies and thresholds: our verdict is CPython's, or the documented one.
#[test]
fn verdicts_are_those_of_cpython() {
    let seed = setting("SLUICEGATE_ORACLE_SEED").unwrap_or(1);
    let count =
        setting("SLUICEGATE_ORACLE_BODIES").map_or(BODIES, |count| usize::try_from(count).unwrap());
    println!("seed {seed}, {count} bodies");
    let entries = corpus(seed, count);
    let opinions = ask_python(&entries);
    assert_eq!(opinions.len(), entries.len(), "the oracle lost count");

    let mut parser = Parser::default();
    let mut rules: BTreeMap<&str, usize> = BTreeMap::new();
    for (entry, opinion) in entries.iter().zip(&opinions) {
        *rules.entry(&opinion.rule).or_default() += 1;
        assert_eq!(opinion.words.len(), THRESHOLDS.len());
        for (threshold, word) in THRESHOLDS.into_iter().zip(&opinion.words) {
            let verdict = parser.judge(&entry.body, Threshold::new(threshold).unwrap());
            let expected = expected(&opinion.rule, word);
            let body = String::from_utf8_lossy(&entry.body);
            assert_eq!(name(verdict), expected, "> {threshold}: {} {body}", entry.kind);
        }
        check_kind(entry, opinion);
    }
    println!("{rules:?}");
    for rule in ["same", "limit", "constant", "not-an-object", "boolean"] {
        assert!(
            rules.get(rule).is_some_and(|count| *count >= 5),
            "{rule} was hardly met: {rules:?}"
        );
    }
}

/// The verdict to expect where Python found `word` and `rule` says why we may differ.
fn expected<'w>(rule: &str, word: &'w str) -> &'w str {
    match rule {
        "same" | "limit" => word,
        "constant" => "not-json",
        "not-an-object" => "absent",
        "boolean" => "not-a-number",
        _ => panic!("the oracle knows a rule that this test does not: {rule}"),
    }
}

fn name(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Alert(_) => "alert",
        Verdict::Below => "below",
        Verdict::NoTemperature => "absent",
        Verdict::Malformed(Malformed::NotUtf8) => "not-utf8",
        Verdict::Malformed(Malformed::NotJson) => "not-json",
        Verdict::Malformed(Malformed::TemperatureNotANumber) => "not-a-number",
    }
}

/// The corpus promises which kinds may make Python forward a different set at threshold 25.
fn check_kind(entry: &CorpusEntry, opinion: &Opinion) {
    let python_forwards = opinion.rule != "limit" && opinion.words[0] == "alert";
    let we_forward = expected(&opinion.rule, &opinion.words[0]) == "alert";
    let body = String::from_utf8_lossy(&entry.body);
    assert!(python_forwards == we_forward || entry.kind.differs_from_python(), "{body}");
}

/// Runs `tests/python/oracle.py` over all bodies.
fn ask_python(entries: &[CorpusEntry]) -> Vec<Opinion> {
    let folder = tempfile::tempdir().unwrap();
    let (bodies, answers) = (folder.path().join("bodies"), folder.path().join("answers"));
    std::fs::write(&bodies, hex_lines(entries)).unwrap();
    let mut python = Command::new("python3")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/oracle.py"))
        .arg(&bodies)
        .args(THRESHOLDS.map(|threshold| format!("{threshold:e}")))
        .stdin(Stdio::null())
        .stdout(File::create(&answers).unwrap())
        .spawn()
        .unwrap_or_else(|error| {
            panic!("this test needs `python3` on PATH (Debian: apt-get install python3): {error}")
        });

    let deadline = Instant::now() + PATIENCE;
    let status = loop {
        if let Some(status) = python.try_wait().unwrap() {
            break status;
        }
        if Instant::now() > deadline {
            python.kill().unwrap();
            python.wait().unwrap();
            panic!("the oracle took longer than {PATIENCE:?}");
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    assert!(status.success(), "the oracle failed: {status}");
    std::fs::read_to_string(&answers).unwrap().lines().map(opinion).collect()
}

fn hex_lines(entries: &[CorpusEntry]) -> String {
    let mut text = String::new();
    for entry in entries {
        for byte in &entry.body {
            write!(text, "{byte:02x}").unwrap();
        }
        text.push('\n');
    }
    text
}

fn opinion(line: &str) -> Opinion {
    let mut words = line.split_ascii_whitespace().map(str::to_owned);
    Opinion { rule: words.next().unwrap_or_default(), words: words.collect() }
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}
