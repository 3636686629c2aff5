//! The steps and the last lines of `tests/run`, in a folder that stands for the repository, with a
//! stand-in for Cargo; and the help of every script.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use core_tests::readings::FILE;
use test_support::{Tree, root};

fn tree() -> Tree {
    let tree = Tree::new();
    fs::create_dir_all(tree.path("tree/tests")).unwrap();
    fs::copy(root().join("tests/run"), tree.path("tree/tests/run")).unwrap();
    tree.script("bin/cargo", "echo 'test result: ok. 3 passed; 0 failed'");
    tree
}

/// Runs one step, which needs no tools; all that it says, line by line.
#[track_caller]
fn run(tree: &Tree, step: &str, data: Option<&str>) -> Vec<String> {
    let path = std::env::var("PATH").unwrap();
    let mut command = Command::new("bash");
    command.arg(tree.path("tree/tests/run")).arg(step);
    command.env("PATH", format!("{}:{path}", tree.path("bin").display()));
    match data {
        Some(folder) => command.env("SLUICEGATE_TEST_DATA", tree.path(folder)),
        None => command.env_remove("SLUICEGATE_TEST_DATA"),
    };
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    text.lines().map(str::to_owned).collect()
}

/// Nothing is red, nothing silent: the lines before the last say that readings were made.
#[test]
fn absent_readings_are_noted_at_the_end() {
    let tree = tree();
    fs::create_dir_all(tree.path("empty")).unwrap();
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
fn readings_that_are_there_or_not_asked_for_are_not_noted() {
    let tree = tree();
    let there = tree.path("shared/data");
    let lines = run(&tree, "fmt", None);
    assert!(!lines.concat().contains("NOTE"), "{lines:?}");
    fs::create_dir_all(&there).unwrap();
    fs::write(there.join(FILE), "").unwrap();
    let lines = run(&tree, "unit", None);
    assert!(!lines.concat().contains("NOTE"), "{lines:?}");
    assert_eq!(lines.last().map(String::as_str), Some("3 passed, 0 failed"));
}

/// The quick steps install nothing, and each of them runs once.
#[test]
fn quick_steps_need_no_tools() {
    let tree = tree();
    let lines = run(&tree, "--quick", None);
    let steps: Vec<_> = lines.iter().filter_map(|line| line.strip_prefix("== ")).collect();
    assert_eq!(steps, ["fmt", "clippy", "doc", "unit"], "{lines:?}");
    assert_eq!(lines.last().map(String::as_str), Some("12 passed, 0 failed"));
}

/// The scripts that a person may start.
fn scripts(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let is_left_out = |path: &Path| path.ends_with("target") || path.ends_with(".git");
    entries.fold(Vec::new(), |mut found, entry| {
        let (path, kind) = (entry.path(), entry.file_type().unwrap());
        if kind.is_dir() && !is_left_out(&path) {
            found.extend(scripts(&path));
        } else if kind.is_file() && entry.metadata().unwrap().permissions().mode() & 0o100 != 0 {
            found.push(path);
        }
        found
    })
}

/// Every script but the one of continuous integration, which takes no arguments, tells what it does
/// and how it is called, wherever it is called from.
#[test]
fn every_script_has_help() {
    let root = root();
    let all = scripts(&root);
    let asked: Vec<_> = all.iter().filter(|path| !path.ends_with(".ci/run")).collect();
    assert!(asked.len() > 5, "{all:?}");
    for script in asked {
        let name = script.strip_prefix(&root).unwrap().display().to_string();
        for flag in ["--help", "-h"] {
            let mut command = Command::new(script);
            let output = command.arg(flag).current_dir("/").output().unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            assert!(output.status.success() && output.stderr.is_empty(), "{name} {flag}: {text}");
            assert!(text.lines().count() >= 3 && !text.contains("set -e"), "{name} {flag}: {text}");
            assert!(text.contains(&name) || name.ends_with("/start"), "{name} {flag}: {text}");
        }
    }
}
