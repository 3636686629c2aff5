//! The command: files in, one file out, exit codes.

use std::path::Path;
use std::process::Command;

use loadgen::load::outcome::{Document, Finding};

use crate::fixtures;

/// Runs `loadgen report` in a folder; exit code, standard output and standard error.
fn report(folder: &Path, args: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
    let output = command.current_dir(folder).arg("report").args(args).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn save(folder: &Path, name: &str, document: &Document) {
    std::fs::write(folder.join(name), serde_json::to_vec(document).unwrap()).unwrap();
}

#[test]
fn files_go_in_and_one_page_comes_out() {
    let folder = tempfile::tempdir().unwrap();
    let run = Finding::Run(fixtures::run(200_000.0, 250.0, 0.5).into());
    save(folder.path(), "morning.json", &fixtures::document(run));
    let (code, out, err) = report(folder.path(), &["morning.json"]);
    assert_eq!((code, out.as_str(), err.as_str()), (Some(0), "wrote report.html\n", ""));
    let page = std::fs::read_to_string(folder.path().join("report.html")).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>") && page.contains("morning"));
    let (code, out, _) = report(folder.path(), &["morning.json", "-o", "other.html"]);
    assert_eq!((code, out.as_str()), (Some(0), "wrote other.html\n"));
    // Nothing half-written stays behind.
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3);
}
