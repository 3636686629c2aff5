//! No function is longer than a screen, no file longer than an idea.
//!
//! A function's lines are those from its `fn` (or what stands before it, as `pub`) to its last
//! brace. One that a macro takes as an argument is not seen.

use crate::finding::Finding;
use crate::tree::Tree;

const FUNCTION_LINES_MAX: usize = 70;
/// Tests, scripts and style sheets among them.
const FILE_LINES_MAX: usize = 500;
const SOURCES: [&str; 5] = ["rs", "py", "js", "c", "sh"];

/// Functions with too many lines.
pub fn check_functions(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for outline in tree.outlines() {
        if let Some((line, error)) = &outline.error {
            findings.push(Finding::new(&outline.path, *line, format!("this is no Rust: {error}")));
        }
        for function in &outline.functions {
            if function.lines > FUNCTION_LINES_MAX {
                let what = format!(
                    "`{}` has {} lines, {FUNCTION_LINES_MAX} are allowed: take a leaf out of it",
                    function.name, function.lines
                );
                findings.push(Finding::new(&outline.path, function.line, what));
            }
        }
    }
    findings
}

/// Files with too many lines.
pub fn check_files(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.files() {
        let lines = text.lines().count();
        if lines > FILE_LINES_MAX && is_source(path, text) {
            let what =
                format!("{lines} lines, {FILE_LINES_MAX} are allowed: part the file at a seam");
            findings.push(Finding::new(path, lines, what));
        }
    }
    findings
}

fn is_source(path: &str, text: &str) -> bool {
    let extension = path.rsplit_once('.').map_or("", |(_, extension)| extension);
    SOURCES.contains(&extension) || text.starts_with("#!")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(findings: &[Finding]) -> Vec<String> {
        findings.iter().map(Finding::to_string).collect()
    }

    fn function(lines: usize) -> String {
        format!(
            "/// Documented.\n#[must_use]\npub fn long() {{\n{}}}\n",
            "    x();\n".repeat(lines - 2)
        )
    }

    #[test]
    fn a_long_function_is_found_wherever_it_stands() {
        let long = function(71);
        let method =
            format!("impl S {{\n{long}}}\nmod m {{\n{long}}}\nfn outer() {{\n{}}}\n", function(69));
        let tree = Tree::of(&[("a.rs", &long), ("b.rs", &method), ("ok.rs", &function(70))]);
        let expected = "`long` has 71 lines, 70 are allowed: take a leaf out of it";
        let nested = "`outer` has 73 lines, 70 are allowed: take a leaf out of it";
        assert_eq!(
            found(&check_functions(&tree)),
            [
                format!("a.rs:3: {expected}"),
                format!("b.rs:4: {expected}"),
                format!("b.rs:79: {expected}"),
                format!("b.rs:151: {nested}"),
            ]
        );
    }

    #[test]
    fn a_long_file_is_found_and_data_are_not() {
        let long = "\n".repeat(501);
        let script = format!("#!/bin/sh{long}");
        let tree = Tree::of(&[
            ("src/tests.rs", &long),
            ("ok.rs", &long[1..]),
            ("run", &script),
            ("data.csv", &long),
        ]);
        assert_eq!(
            found(&check_files(&tree)),
            [
                "run:501: 501 lines, 500 are allowed: part the file at a seam",
                "src/tests.rs:501: 501 lines, 500 are allowed: part the file at a seam",
            ]
        );
    }
}
