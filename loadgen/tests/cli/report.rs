//! `loadgen report`: files in, one file out, exit codes.

use std::path::Path;
use std::process::Command;

use loadgen_load::example;
use loadgen_load::machine::Machine;
use loadgen_load::outcome::{Document, FORMAT, Finding};

/// Runs `loadgen report` in a folder; exit code, standard output and standard error.
fn report(folder: &Path, args: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
    let output = command.current_dir(folder).arg("report").args(args).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn save(folder: &Path, name: &str) {
    let settings = example::settings(200_000.0, "sluicegate");
    let document = Document {
        format: FORMAT,
        loadgen: "0.1.0".to_owned(),
        began: "2026-05-04T09:30:00Z".to_owned(),
        machine: Machine::here(),
        result: Finding::Run(example::outcome(&settings, 200_000.0, 250.0).into()),
    };
    std::fs::write(folder.join(name), serde_json::to_vec(&document).unwrap()).unwrap();
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn files_go_in_and_one_page_comes_out() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("evening")).unwrap();
    save(folder.path(), "run.json");
    save(folder.path(), "evening/run.json");
    let (code, out, err) = report(folder.path(), &["run.json", "evening/run.json"]);
    assert_eq!((code, out.as_str(), err.as_str()), (Some(0), "wrote report.html\n", ""));
    let page = std::fs::read_to_string(folder.path().join("report.html")).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>"));
    assert!(page.contains("<h2>run</h2>") && page.contains("<h2>run (2)</h2>"), "told apart");
    let (code, out, _) = report(folder.path(), &["run.json", "-o", "evening/other.html"]);
    assert_eq!((code, out.as_str()), (Some(0), "wrote evening/other.html\n"));
    // Nothing half-written stays behind.
    assert_eq!(names(folder.path()), ["evening", "report.html", "run.json"]);
    assert_eq!(names(&folder.path().join("evening")), ["other.html", "run.json"]);
}

#[test]
fn failures_have_their_exit_codes_and_leave_the_old_report() {
    let folder = tempfile::tempdir().unwrap();
    save(folder.path(), "run.json");
    std::fs::write(folder.path().join("bad.json"), r#"{"format": 99}"#).unwrap();
    std::fs::write(folder.path().join("report.html"), "old").unwrap();
    let many = ["run.json"; 65];
    let table: [(&[&str], i32, &str); 5] = [
        (&[], 64, "required"),
        (&many, 64, "loadgen: 65 files are more than the 64 that one report shows\n"),
        (
            &["run.json", "bad.json"],
            65,
            "loadgen: bad.json: has format 99; this loadgen reads format 1\n",
        ),
        (&["none.json"], 65, "loadgen: none.json: cannot be read: "),
        (
            &["run.json", "-o", "no/such/folder.html"],
            1,
            "loadgen: cannot write no/such/folder.html: ",
        ),
    ];
    for (args, code, text) in table {
        let (found, out, err) = report(folder.path(), args);
        assert_eq!((found, out.as_str()), (Some(code), ""), "{err}");
        assert!(err.contains(text), "{err}");
    }
    assert_eq!(std::fs::read_to_string(folder.path().join("report.html")).unwrap(), "old");
    assert_eq!(names(folder.path()), ["bad.json", "report.html", "run.json"]);
}
