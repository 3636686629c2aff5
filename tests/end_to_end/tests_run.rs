//! The last lines of `tests/run`, in a folder that stands for the repository, with a stand-in for
//! Cargo.

use std::fs;
use std::path::Path;
use std::process::Command;

use core_tests::readings::FILE;
use tempfile::TempDir;

fn tree() -> TempDir {
    let tree = tempfile::tempdir().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/run");
    fs::create_dir_all(tree.path().join("tree/tests")).unwrap();
    fs::copy(script, tree.path().join("tree/tests/run")).unwrap();
    // Written by another process: a file that this one has open for writing, or a child that a test
    // beside this one is just starting, cannot be executed.
    let write = "mkdir bin && printf '%s\\n' '#!/bin/sh' \
        'echo test result: ok. 3 passed\\; 0 failed' >bin/cargo && chmod 755 bin/cargo";
    let mut command = Command::new("sh");
    command.args(["-c", write]).current_dir(tree.path());
    assert!(command.status().unwrap().success());
    tree
}

/// Runs one step, which needs no tools; all that it says, line by line.
#[track_caller]
fn run(tree: &TempDir, step: &str, data: Option<&str>) -> Vec<String> {
    let path = std::env::var("PATH").unwrap();
    let mut command = Command::new("bash");
    command.arg(tree.path().join("tree/tests/run")).arg(step);
    command.env("PATH", format!("{}:{path}", tree.path().join("bin").display()));
    match data {
        Some(folder) => command.env("SLUICEGATE_TEST_DATA", tree.path().join(folder)),
        None => command.env_remove("SLUICEGATE_TEST_DATA"),
    };
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    text.lines().map(str::to_owned).collect()
}

/// Nothing is red, nothing silent: the lines before the last say that readings were made.
#[test]
fn absent_readings_are_told_at_the_end() {
    let tree = tree();
    fs::create_dir_all(tree.path().join("empty")).unwrap();
    for data in [None, Some("empty")] {
        let lines = run(&tree, "unit", data);
        let [.., note, source, last] = &lines[..] else { panic!("{lines:?}") };
        assert_eq!(last, "3 passed, 0 failed");
        assert!(note.starts_with("NOTE: ") && note.ends_with(" is absent."), "{note}");
        assert!(note.contains(data.unwrap_or("../shared/data")), "{note}");
        assert!(source.contains("Numenta Anomaly Benchmark"), "{source}");
    }
}

#[test]
fn readings_that_are_there_or_not_asked_for_are_not_told() {
    let tree = tree();
    let there = tree.path().join("shared/data");
    let lines = run(&tree, "fmt", None);
    assert!(!lines.concat().contains("NOTE"), "{lines:?}");
    fs::create_dir_all(&there).unwrap();
    fs::write(there.join(FILE), "").unwrap();
    let lines = run(&tree, "unit", None);
    assert!(!lines.concat().contains("NOTE"), "{lines:?}");
    assert_eq!(lines.last().map(String::as_str), Some("3 passed, 0 failed"));
}
