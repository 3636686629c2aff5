//! No two types of a package have one name, so that a reader who looks for a name finds one thing.
//!
//! What is meant: structs, enums, unions, traits and aliases at the top of a file in the package's
//! `src`. Tests may name what they need; what a trait makes its users name is the trait's.

use std::collections::BTreeMap;

use crate::finding::Finding;
use crate::tree::Tree;

/// Types whose name an earlier file of their package has.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut first: BTreeMap<(&str, &str), (&str, usize)> = BTreeMap::new();
    let mut findings = Vec::new();
    for outline in tree.outlines() {
        let Some(package) = package_of(&outline.path) else { continue };
        for (name, line) in &outline.types {
            if let Some((path, line_there)) = first.get(&(package, name.as_str())) {
                let what = format!(
                    "`{name}` is at {path}:{line_there} too: name each by what it is in MQTT or \
                     Azure"
                );
                findings.push(Finding::new(&outline.path, *line, what));
            } else {
                first.insert((package, name), (&outline.path, *line));
            }
        }
    }
    findings
}

/// The folder of the package whose `src` this file is in; `None` for any other file, and for tests.
fn package_of(path: &str) -> Option<&str> {
    let (package, inside) = path
        .strip_prefix("src/")
        .map(|inside| ("", inside))
        .or_else(|| path.split_once("/src/"))?;
    (!inside.split('/').any(is_of_tests)).then_some(package)
}

/// Whether a file or folder of that name holds tests, or what they play with. The simulation is a
/// test by another name: its model has words of its own.
pub(crate) fn is_of_tests(name: &str) -> bool {
    let name = name.trim_end_matches(".rs");
    ["testing", "simulation", "tests"].contains(&name) || name.ends_with("_tests")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_type_of_a_name_is_found() {
        let tree = Tree::of(&[
            ("src/a.rs", "struct Link; impl T for Link { type Stream = u8; }\nenum Stream {}"),
            ("src/b.rs", "\nmod tests { struct Stream; }\npub type Link = u8;"),
            ("src/b/tests.rs", "struct Link;"),
            ("src/b/more_tests.rs", "struct Link;"),
            ("src/testing/link.rs", "struct Link;"),
            ("perf/src/a.rs", "struct Link;"),
            ("tests/support/src/a.rs", "struct Link;"),
            ("tests/support/src/b.rs", "struct Link;"),
            ("tests/support/tests/src.rs", "struct Link;"),
        ]);
        let shown: Vec<_> = check(&tree).iter().map(Finding::to_string).collect();
        let expected = [
            "src/b.rs:3: `Link` is at src/a.rs:1 too: name each by what it is in MQTT or Azure",
            "tests/support/src/b.rs:1: `Link` is at tests/support/src/a.rs:1 too: name each by \
             what it is in MQTT or Azure",
        ];
        assert_eq!(shown, expected);
        let kinds = "enum A {}\nunion B { b: u8 }\ntrait C {}\ntype D = u8;\nstruct E;";
        let tree = Tree::of(&[("src/a.rs", kinds), ("src/b.rs", kinds)]);
        assert_eq!(check(&tree).len(), 5);
    }
}
