//! ARCHITECTURE.md's code map names every module, and no module that is not there.
//!
//! What is meant: the lists of the section `Code map`. A heading says whose modules its lists name:
//! a package's folder, as in `### loadgen/hub: ...`, or a room of `src`, as in `### mqtt: ...`.
//! Under any other heading they are those at the root of `src`.
//!
//! A line names modules between backticks, by their places below its heading. It may name those
//! beside or below the first one that it names by what is left of their places: `lookup` behind
//! `transport/early`, `chunks` behind `connection`. What stands before the first `:` must be
//! modules. Tests and `src/testing` need no line.

use std::collections::BTreeSet;

use crate::finding::Finding;
use crate::tree::Tree;
use crate::types::is_of_tests;

const DOCUMENT: &str = "ARCHITECTURE.md";
/// Packages whose modules the map has, by the folders of their sources. The product is the first.
const SOURCES: [&str; 8] = [
    "src",
    "loadgen/hub/src",
    "loadgen/load/src",
    "loadgen/report/src",
    "loadgen/src",
    "perf/src",
    "perf/stages/src",
    "perf/paired/src",
];

/// Modules without a place in the map, and names in it that no module has.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let Some(text) = tree.text(DOCUMENT) else { return Vec::new() };
    let mut findings = Vec::new();
    let named = named(tree, text, &mut findings);
    for (path, _) in tree.with_extension("rs") {
        if is_mapped(path) && !named.contains(path) {
            let what = format!("a module without a line in the code map of {DOCUMENT}: add one");
            findings.push(Finding::new(path, 1, what));
        }
    }
    findings
}

/// Whether the map must name the file at `path`.
fn is_mapped(path: &str) -> bool {
    let within =
        |folder: &&str| path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
    SOURCES.iter().any(within) && !path.split('/').any(is_of_tests)
}

/// The files that the map names.
fn named(tree: &Tree, text: &str, findings: &mut Vec<Finding>) -> BTreeSet<String> {
    let mut named = BTreeSet::new();
    let mut place = String::new();
    for (line, item) in items(text) {
        if let Some(heading) = item.strip_prefix("### ") {
            place = place_of(tree, heading);
            named.extend(own_file(tree, &place));
            continue;
        }
        let mut first: Option<&str> = None;
        for (is_before_colon, span) in spans(&item) {
            let found = file_of(tree, &place, first, span);
            if found.is_none() && is_before_colon {
                let what = format!("no module `{span}` is in {place}: write the place that it has");
                findings.push(Finding::new(DOCUMENT, line, what));
            }
            named.extend(found);
            first = first.or(Some(span));
        }
    }
    named
}

/// The headings and the lines of lists in the code map, each list's line whole.
fn items(text: &str) -> Vec<(usize, String)> {
    let mut items: Vec<(usize, String)> = Vec::new();
    let mut is_map = false;
    for (number, line) in text.lines().enumerate() {
        if line.starts_with("## ") {
            is_map = line == "## Code map";
        } else if is_map && (line.starts_with("### ") || line.starts_with("- ")) {
            items.push((number + 1, line.to_owned()));
        } else if is_map && line.starts_with("  ") {
            let (_, item) = items.last_mut().expect("a line goes on behind its beginning");
            item.push_str(line);
        }
    }
    items
}

/// The folder that a heading's modules lie in.
fn place_of(tree: &Tree, heading: &str) -> String {
    let name = heading.split(':').next().unwrap_or_default();
    let source = format!("{name}/src");
    let room = format!("src/{name}");
    if SOURCES.contains(&source.as_str()) {
        source
    } else if tree.has(&format!("{room}.rs")) {
        room
    } else {
        "src".to_owned()
    }
}

/// The file of the room, or the root of the package.
fn own_file(tree: &Tree, place: &str) -> Vec<String> {
    let files = [format!("{place}.rs"), format!("{place}/lib.rs"), format!("{place}/main.rs")];
    files.into_iter().filter(|file| tree.text(file).is_some()).collect()
}

/// What is between backticks in a list's line, and whether the line's first `:` is still to come.
fn spans(item: &str) -> Vec<(bool, &str)> {
    let mut is_before_colon = true;
    let mut spans = Vec::new();
    for (number, part) in item.split('`').enumerate() {
        if number % 2 == 1 {
            spans.push((is_before_colon, part));
        } else if part.contains(':') {
            is_before_colon = false;
        }
    }
    spans
}

/// The file of the module that `span` names in a line whose first module is `first`: the nearest.
fn file_of(tree: &Tree, place: &str, first: Option<&str>, span: &str) -> Option<String> {
    let mut folders = Vec::new();
    if let Some(first) = first {
        folders.push(format!("{place}/{first}"));
        folders.extend(first.rsplit_once('/').map(|(folder, _)| format!("{place}/{folder}")));
    }
    folders.push(place.to_owned());
    let mut files = folders.iter().map(|folder| format!("{folder}/{span}.rs"));
    files.find(|file| tree.text(file).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAP: &str = "\
# A

- `nowhere`: not in the map.

## Code map

### mqtt: connections

- `wire`: bytes. *As `nowhere` says.*
- `tls`, `url`: TLS. `pem`:
  `pem/content` is read.
- `transport/early`: peers. `lookup`: names.

### perf/paired: pairs

- `summary`: what ratios say.

### The rest

- `cli`: the commands.

## Why

- `nowhere`: not in the map either.
";

    const MODULES: [&str; 14] = [
        "src/cli.rs",
        "src/lib.rs",
        "src/main.rs",
        "src/mqtt.rs",
        "src/mqtt/tls.rs",
        "src/mqtt/tls/pem.rs",
        "src/mqtt/tls/pem/content.rs",
        "src/mqtt/transport/early.rs",
        "src/mqtt/transport/lookup.rs",
        "src/mqtt/url.rs",
        "src/mqtt/wire.rs",
        "src/mqtt/wire_tests.rs",
        "perf/paired/src/lib.rs",
        "perf/paired/src/summary.rs",
    ];

    fn found(map: &str, more: &[&str]) -> Vec<String> {
        let paths = MODULES.iter().chain(more);
        let mut files: Vec<_> = paths.map(|path| (*path, "")).collect();
        files.push((DOCUMENT, map));
        check(&Tree::of(&files)).iter().map(Finding::to_string).collect()
    }

    #[test]
    fn modules_are_named_by_place_beside_and_below() {
        let others = ["src/testing/broker.rs", "src/mqtt/tls/tests.rs", "tests/a.rs", "build.rs"];
        assert_eq!(found(MAP, &others), [""; 0]);
    }

    #[test]
    fn a_module_without_a_line_is_found() {
        let new =
            ["src/mqtt/tls/own.rs", "src/pem.rs", "src/mqtt/early.rs", "perf/paired/src/cli.rs"];
        for path in new {
            let expected =
                format!("{path}:1: a module without a line in the code map of {DOCUMENT}: add one");
            assert_eq!(found(MAP, &[path]), [expected]);
        }
    }

    #[test]
    fn a_name_of_no_module_is_found() {
        let map = MAP.replace("- `tls`, `url`:", "- `tls`, `urls`:");
        let unnamed = "src/mqtt/url.rs:1: a module without a line in the code map of \
                       ARCHITECTURE.md: add one";
        let wrong = "ARCHITECTURE.md:10: no module `urls` is in src/mqtt: write the place that it \
                     has";
        assert_eq!(found(&map, &[]), [wrong, unnamed]);
    }
}
