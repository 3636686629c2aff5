//! The page of deadlines, docs/deadlines.md: each constant and each test that it names is in the
//! sources, each test goes by the clock that is said, and no duration of `src` is left out.
#![cfg(test)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Durations that are no waits: bounds of a setting.
const NO_WAITS: [&str; 2] =
    ["module/settings/hub::TOKEN_LIFETIME_MIN", "module/settings/hub::TOKEN_LIFETIME_MAX"];
/// What tests alone are built with.
const FOR_TESTS: [&str; 2] = ["testing", "simulation"];
/// Packages of other modules than the product's: one within another before that.
const PACKAGES: [&str; 5] = ["loadgen/hub", "loadgen/load", "loadgen/report", "loadgen", "perf"];

/// One entry.
struct Entry {
    deadline: String,
    /// Names with their modules, as all names here.
    constants: Vec<String>,
    clock: String,
    tests: Vec<String>,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn page() -> Vec<Entry> {
    let text = fs::read_to_string(root().join("docs/deadlines.md")).unwrap();
    text.split("\n### ").skip(1).map(entry).collect()
}

fn entry(text: &str) -> Entry {
    let all = |mark: &str| {
        let lines = text.lines().filter_map(|line| line.strip_prefix(mark));
        lines.map(|name| name.trim_matches('`').to_owned()).collect::<Vec<_>>()
    };
    let deadline = text.lines().next().unwrap_or_default().to_owned();
    let [clock] = &all("- clock: ")[..] else { panic!("one clock: {deadline}") };
    Entry { constants: all("- constant "), tests: all("- test "), clock: clock.clone(), deadline }
}

/// The text of a module, and the last part of the name.
fn find(name: &str) -> (String, &str) {
    let (module, item) = name.split_once("::").expect("a name with its module");
    let inside = |package| Some((package, module.strip_prefix(package)?.strip_prefix('/')?));
    let file = match PACKAGES.into_iter().find_map(inside) {
        Some((package, rest)) if rest.starts_with("tests/") => format!("{package}/{rest}.rs"),
        Some((package, rest)) => format!("{package}/src/{rest}.rs"),
        None => format!("src/{module}.rs"),
    };
    let text = fs::read_to_string(root().join(&file));
    (text.unwrap_or_else(|error| panic!("{name}: {file}: {error}")), item)
}

/// A test with its attributes.
fn text_of_test(name: &str) -> String {
    let (text, item) = find(name);
    let lines: Vec<&str> = text.lines().collect();
    let is_here = |line: &&str| line.contains(&format!("fn {item}("));
    let at = lines.iter().position(is_here).unwrap_or_else(|| panic!("there is no test {name}"));
    let attributes = lines[..at].iter().rev().take_while(|line| line.trim().starts_with("#["));
    let attributes: Vec<&str> = attributes.copied().collect();
    assert!(attributes.iter().any(|line| line.contains("test")), "{name} is no test");
    let indent = lines[at].len() - lines[at].trim_start().len();
    let end = format!("{}}}", " ".repeat(indent));
    let body = lines[at..].iter().take_while(|line| **line != end).copied();
    attributes.into_iter().chain(body).collect::<Vec<_>>().join("\n")
}

#[test]
fn each_deadline_has_the_tests_that_are_named() {
    let entries = page();
    assert!(entries.len() > 40, "{} entries", entries.len());
    for Entry { deadline, clock, tests, .. } in &entries {
        assert!(!tests.is_empty(), "no test: {deadline}");
        for name in tests {
            let text = text_of_test(name);
            let is_stopped = text.contains("start_paused = true") || text.contains("time::pause()");
            match clock.as_str() {
                "stopped" => assert!(is_stopped, "the clock of {name} runs"),
                "given" => assert!(!text.contains("sleep("), "{name} waits"),
                "wall" => {}
                other => panic!("no clock: {other:?} of {deadline}"),
            }
        }
    }
}

#[test]
fn each_constant_is_there() {
    for name in page().iter().flat_map(|entry| &entry.constants) {
        let (text, item) = find(name);
        assert!(text.contains(&format!("const {item}: ")), "there is no constant {name}");
    }
}

/// The sources of the product without their tests: each module's name and text.
fn modules(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path: PathBuf = entry.unwrap().path();
        if path.is_dir() {
            modules(&path, found);
            continue;
        }
        let module = path.with_extension("");
        let module = module.strip_prefix(root().join("src")).unwrap().to_str().unwrap().to_owned();
        if module.contains("tests") || FOR_TESTS.iter().any(|tests| module.starts_with(tests)) {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let product = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        found.push((module, product.to_owned()));
    }
}

#[test]
fn no_duration_is_left_out() {
    let entries = page();
    let known: BTreeSet<&str> = entries
        .iter()
        .flat_map(|entry| &entry.constants)
        .map(String::as_str)
        .chain(NO_WAITS)
        .collect();
    let mut found = Vec::new();
    modules(&root().join("src"), &mut found);
    let mut count = 0;
    for (module, text) in found {
        for line in text.lines() {
            let Some((_, rest)) = line.split_once("const ") else { continue };
            let Some((name, kind)) = rest.split_once(": ") else { continue };
            if kind.starts_with("Duration") || kind.starts_with("Bounds") {
                let name = format!("{module}::{name}");
                assert!(known.contains(name.as_str()), "{name} has no entry");
                count += 1;
            }
        }
    }
    assert!(count > 40, "{count} durations");
}

/// The clock of the runtime is the only one that waits go by.
#[test]
fn waits_go_by_one_clock() {
    let mut found = Vec::new();
    modules(&root().join("src"), &mut found);
    for (module, text) in found {
        let imports: Vec<&str> =
            text.lines().filter(|line| line.starts_with("use tokio::time")).collect();
        for line in text.lines().filter(|line| line.contains("Instant::now()")) {
            let is_runtimes = line.contains("tokio::time::Instant::now()")
                || imports.iter().any(|import| import.contains("Instant"));
            assert!(is_runtimes, "{module}: {line}");
        }
    }
}
