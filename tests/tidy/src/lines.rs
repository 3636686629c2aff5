//! No line is too long to be read beside another file.
//!
//! Rust has 100 columns, Markdown 110, tables and blocks of code among them. A column is a
//! character. One line may be longer: that which holds a single word with `://` in it, behind a
//! mark such as `-` or `///`, for an address cannot be broken.

use crate::finding::Finding;
use crate::tree::Tree;

/// Columns of a kind of file, by its extension.
const LIMITS: [(&str, usize); 2] = [("rs", 100), ("md", 110)];

/// What a line may begin with in front of an address that fills it.
const MARKS: [&str; 8] = ["//", "///", "//!", "#", "-", "*", ">", "|"];

/// Lines that are longer than their kind of file may have them.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (extension, limit) in LIMITS {
        for (path, text) in tree.with_extension(extension) {
            for (index, line) in text.lines().enumerate() {
                let columns = line.chars().count();
                if columns > limit && !is_address(line) {
                    let what = format!("{columns} columns, {limit} are allowed: break the line");
                    findings.push(Finding::new(path, index + 1, what));
                }
            }
        }
    }
    findings
}

/// Whether a line holds one address and nothing else.
fn is_address(line: &str) -> bool {
    let is_mark =
        |word: &str| MARKS.contains(&word) || (word.starts_with('[') && word.ends_with("]:"));
    let mut words = line.split_whitespace().skip_while(|word| is_mark(word));
    words.next().is_some_and(|word| word.contains("://")) && words.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_file(path: &str, line: &str) -> Vec<String> {
        let text = format!("\n{line}\n");
        check(&Tree::of(&[(path, &text)])).iter().map(Finding::to_string).collect()
    }

    #[test]
    fn a_line_that_is_too_long_is_found() {
        let found = check_file("src/a.rs", &format!("// {}", "x".repeat(98)));
        assert_eq!(found, ["src/a.rs:2: 101 columns, 100 are allowed: break the line"]);
        let found = check_file("a.md", &format!("| {} |", "x".repeat(107)));
        assert_eq!(found, ["a.md:2: 111 columns, 110 are allowed: break the line"]);
    }

    #[test]
    fn columns_are_characters() {
        assert_eq!(check_file("a.rs", &"é".repeat(100)), [""; 0]);
        assert_eq!(check_file("a.md", &"é".repeat(110)), [""; 0]);
        assert_eq!(check_file("a.rs", &"é".repeat(101)).len(), 1);
    }

    #[test]
    fn an_address_alone_may_be_longer() {
        let address = format!("https://example.com/{}", "x".repeat(110));
        for mark in ["", "- ", "> - ", "//! ", "[here]: "] {
            assert_eq!(check_file("a.md", &format!("{mark}{address}")), [""; 0], "{mark}");
        }
        assert_eq!(
            check_file("a.md", &format!("see {address}")).len(),
            1,
            "words can be broken off"
        );
        assert_eq!(check_file("a.md", &"x".repeat(111)).len(), 1, "no address");
    }

    #[test]
    fn other_files_have_no_limit() {
        assert_eq!(check_file("a.csv", &"x".repeat(500)), [""; 0]);
    }
}
