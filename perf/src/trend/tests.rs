use loadgen_load::machine::Machine;
use tempfile::TempDir;

use super::read::{FILE_BYTES_MAX, FILES_MAX, Line, PROBLEMS_MAX, Records};
use super::*;
use crate::record::reading::Attempt;
use crate::record::row::{self, RecordFacts, RecordRow};
use crate::record::scenario::SCENARIOS;

/// A line with these values.
pub(super) fn line(scenario: &str, time: &str, values: &[f64]) -> Line {
    Line {
        time: time.parse().unwrap(),
        commit: "0123456789ab".to_owned(),
        machine: Machine::default(),
        scenario: scenario.to_owned(),
        title: format!("title of {scenario}"),
        unit: "msg/s".to_owned(),
        values: values.to_vec(),
        median: paired::median(values),
        floor: 1.0,
        aim: 2.0,
        status: row::Status::Aim,
    }
}

/// As `perf record` writes them: every scenario, with these commits.
fn recorded(commits: &[&str]) -> String {
    let mut text = String::new();
    for (index, commit) in commits.iter().enumerate() {
        let facts = RecordFacts {
            time: format!("2026-01-{:02}T00:00:00.5Z", index + 1),
            commit: (*commit).to_owned(),
            built: true,
            machine: Machine { processor: "a <CPU>".to_owned(), ..Machine::default() },
            rustc: String::new(),
        };
        for scenario in SCENARIOS {
            let none = Attempt::without_result(vec![1], String::new());
            let mut row = RecordRow::new(scenario, &[vec![none]]);
            row.values = vec![scenario.aim, scenario.floor, scenario.aim * 1.1];
            row.status = row::Status::Aim;
            text.push_str(&row::line(&row, &facts, 5.0).unwrap());
            text.push('\n');
        }
    }
    text
}

struct Files {
    folder: TempDir,
}

impl Files {
    fn new(contents: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in contents {
            fs::write(folder.path().join(name), text).unwrap();
        }
        Self { folder }
    }

    /// Exit code or failure, and the page.
    fn draw(&self, names: &[&str]) -> (Result<u8, Failure>, String) {
        let out = self.folder.path().join("new/trend.html");
        let files = names.iter().map(|name| self.folder.path().join(name)).collect();
        let code = run(&TrendArgs { out: out.clone(), files });
        (code, fs::read_to_string(out).unwrap_or_default())
    }
}

/// What the record writes is read, and each scenario has its plot, its figures and its commits.
#[test]
fn every_scenario_is_drawn() {
    let files = Files::new(&[("a.jsonl", &recorded(&["aaaaaaaaaaaa", "bbbbbbbbbbbb-dirty"]))]);
    let (code, page) = files.draw(&["a.jsonl"]);
    assert_eq!(code, Ok(0));
    assert_eq!(page.matches("role=\"img\"").count(), 2 * SCENARIOS.len(), "wide and narrow");
    for scenario in SCENARIOS {
        assert_eq!(page.matches(&format!(">{}<", scenario.name)).count(), 1, "{}", scenario.name);
    }
    for text in
        ["bbbbbbbbbbbb-dirty", "2026-01-02 00:00", "3,000,000", "+0.0 %", "✓", "a &lt;CPU&gt;"]
    {
        assert!(page.contains(text), "{text}");
    }
    assert!(!page.contains("<script") && !page.contains("http://") && !page.contains("https://"));
    assert_eq!(recorded_in(files.folder.path()), ["a.jsonl"]);
}

fn recorded_in(folder: &Path) -> Vec<String> {
    let names = super::recorded(folder).into_iter();
    names.map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect()
}

/// A line that is none is named with its file and line, counted, and all others are drawn.
#[test]
fn bad_lines_are_named_and_left_out() {
    let good = recorded(&["aaaaaaaaaaaa"]);
    let first = good.lines().next().unwrap();
    let huge = first.replace("\"title\":\"", &format!("\"title\":\"{}", "x".repeat(300)));
    let many = first.replace("\"values\":[", &format!("\"values\":[{}", "1.0,".repeat(100)));
    let text = [
        first,
        "",
        "{not json",
        "\u{0}",
        &first.replace("2026-01-01T", "yesterday "),
        &first.replace("\"floor\":1200000.0", "\"floor\":1e999"),
        &first.replace("\"aim\",", "\"splendid\","),
        &huge,
        &many,
        "[]",
        first,
    ];
    let mut found = Records::default();
    found.add(Path::new("some.jsonl"), text.join("\n").as_bytes());
    found.add(Path::new("other.jsonl"), b"\xff\xfe\r\n");
    let places: Vec<String> = found.problems.iter().map(ToString::to_string).collect();
    assert_eq!((found.lines.len(), found.left_out), (2, 9), "{places:#?}");
    for (place, at) in places.iter().zip([3, 4, 5, 6, 7, 8, 9, 10]) {
        assert!(place.starts_with(&format!("some.jsonl:{at}: ")), "{place}");
    }
    assert!(places[8].starts_with("other.jsonl:1: "), "{places:?}");
    let files = Files::new(&[("a.jsonl", &text.join("\n"))]);
    let (code, page) = files.draw(&["a.jsonl"]);
    assert_eq!(code, Ok(1));
    assert!(page.contains("lines left out: 8") && page.contains("a.jsonl:3: "), "{page}");
    assert!(page.contains("plain_qos1"));
    let mut found = Records::default();
    found.add(Path::new("a"), "x\n".repeat(1000).as_bytes());
    assert_eq!((found.problems.len(), found.left_out), (PROBLEMS_MAX, 1000));
}

/// Whatever a record says, the page runs nothing, loads nothing, and can be drawn.
#[test]
fn hostile_lines_are_only_text() {
    let evil = "</title><script>alert(1)</script><img src=x onerror=alert(1)>\"'&";
    let mut lines = Vec::new();
    for (median, values) in [
        (Some(f64::MAX), vec![f64::MAX, -f64::MAX, 0.0]),
        (None, Vec::new()),
        (Some(f64::MIN_POSITIVE), vec![f64::MIN_POSITIVE, -1.0]),
        (Some(0.0), vec![0.0; 99]),
    ] {
        let mut line = line(evil, "2026-01-01T00:00:00Z", &values);
        line.median = median;
        line.machine.processor = evil.to_owned();
        line.machine.system = evil.to_owned();
        line.machine.memory_kib = u64::MAX;
        (line.commit, line.title, line.unit) = (evil.to_owned(), evil.to_owned(), evil.to_owned());
        (line.floor, line.aim) = (f64::MAX, -f64::MAX);
        lines.push(line);
    }
    let page = page::html(&Records { lines, ..Records::default() }).unwrap();
    assert!(!page.contains("<script") && !page.contains("<img") && page.contains("&lt;script&gt;"));
    assert!(page.contains("default-src 'none'"));
}

/// Without records there is nothing to draw, and nothing is.
#[test]
fn without_records_there_is_no_page() {
    let files = Files::new(&[("empty.jsonl", "\n")]);
    let (refused, page) = files.draw(&["none.jsonl"]);
    assert!(refused.unwrap_err().code == 64 && page.is_empty());
    let names = ["empty.jsonl"; FILES_MAX + 1];
    assert_eq!(files.draw(&names).0.unwrap_err().code, 64);
    let (code, page) = files.draw(&["empty.jsonl"]);
    assert!(code == Ok(0) && page.contains("Nothing is recorded"));
    let large = fs::File::create(files.folder.path().join("large")).unwrap();
    large.set_len(FILE_BYTES_MAX + 1).unwrap();
    assert_eq!(files.draw(&["large"]).0.unwrap_err().code, 64);
    assert!(recorded_in(Path::new("/nowhere")).is_empty());
}
