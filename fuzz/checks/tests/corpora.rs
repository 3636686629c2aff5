//! Every seed and every finding of the fuzzers, through the function that its folder is named by.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeSet;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use fuzz_checks::{TARGETS, Target};

/// Bytes that all seeds may have together.
const BYTES_MAX: u64 = 1_000_000;

fn corpora() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpora")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// What is wrong with the inputs of a target: names of files.
fn failures(Target { name, check }: Target) -> Vec<String> {
    let folder = corpora().join(name);
    let inputs = files(&folder);
    assert!(!inputs.is_empty(), "{} is empty", folder.display());
    let fails = |path: &PathBuf| {
        let input = fs::read(path).unwrap();
        catch_unwind(|| check(&input)).is_err()
    };
    inputs.iter().filter(|path| fails(path)).map(|path| path.display().to_string()).collect()
}

/// For each input of each target: what must hold of it holds.
#[test]
fn every_input_holds() {
    let threads = TARGETS.map(|target| std::thread::spawn(move || failures(target)));
    let failures = threads.into_iter().flat_map(|thread| thread.join().unwrap());
    let failures: Vec<_> = failures.collect();
    assert!(failures.is_empty(), "inputs that fail:\n{}", failures.join("\n"));
}

/// Each target has a folder and a fuzzer, and nothing else has.
#[test]
fn targets_folders_and_fuzzers_are_the_same() {
    let names: BTreeSet<_> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
    let stem = |path: &PathBuf| path.file_stem().unwrap().to_string_lossy().into_owned();
    let folders: BTreeSet<_> = files(&corpora()).iter().map(stem).collect();
    assert_eq!(folders, names);
    let fuzzers = files(&corpora().join("../fuzz_targets"));
    for path in &fuzzers {
        let (name, text) = (stem(path), fs::read_to_string(path).unwrap());
        assert!(text.contains(&format!("fuzz_checks::{name}::check(data)")), "{}", path.display());
    }
    assert_eq!(fuzzers.iter().map(stem).collect::<BTreeSet<_>>(), names);
}

#[test]
fn the_corpora_are_small() {
    let inputs = files(&corpora()).into_iter().flat_map(|folder| files(&folder));
    let bytes: u64 = inputs.map(|path| fs::metadata(path).unwrap().len()).sum();
    assert!(bytes <= BYTES_MAX, "{bytes} bytes");
}
