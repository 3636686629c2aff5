//! Files that documents name are there.
//!
//! What is meant: a path between backticks that begins with a folder at the top of the tree, or
//! with one that holds modules (as `mqtt/session`). It is read from the top, from the document's
//! folder, and from each package and its `src`, with or without `.rs`. `*` and `{name}` stand for
//! any characters, `{a,b}` for both. What `.gitignore` names need not be there: it is made.

use std::collections::BTreeSet;
use std::path::Path;

use crate::finding::Finding;
use crate::links::resolve;
use crate::packages::{join, packages};
use crate::pattern::{expand, is_pattern, matches};
use crate::tree::Tree;

/// Paths that documents have and the tree does not.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let known = Known::of(tree);
    let mut findings = Vec::new();
    for document in tree.documents() {
        for span in document.spans.iter().filter(|span| known.is_path(&span.text)) {
            let missing = expand(&span.text).into_iter().find(|path| {
                let from_here = resolve(&document.path, path);
                let mut all = from_here.into_iter().chain(known.readings(path));
                !all.any(|path| known.is_there(&path))
            });
            if let Some(missing) = missing {
                let what = format!(
                    "there is no {missing} in the tree: write where it is now, or take it out"
                );
                findings.push(Finding::new(&document.path, span.line, what));
            }
        }
    }
    findings
}

struct Known<'a> {
    tree: &'a Tree,
    /// Folders of packages.
    packages: Vec<String>,
    /// Folders at the top.
    tops: BTreeSet<&'a str>,
    /// Folders with modules, at the top of a package's `src`.
    rooms: BTreeSet<&'a str>,
    /// What `.gitignore` names from the top, or anywhere: files that are made.
    made: Vec<&'a str>,
}

impl<'a> Known<'a> {
    fn of(tree: &'a Tree) -> Self {
        let packages: Vec<String> =
            packages(tree).into_iter().map(|package| package.folder).collect();
        let first = |path: &'a str| path.split_once('/').map(|(first, _)| first);
        let tops = tree.files().filter_map(|(path, _)| first(path)).collect();
        let rooms = packages.iter().flat_map(|package| {
            let source = join(package, "src/");
            tree.files().filter_map(move |(path, _)| first(path.strip_prefix(&source)?))
        });
        let rooms = rooms.collect();
        let made = tree.text(".gitignore").unwrap_or_default().lines();
        let made = made.filter(|line| !line.starts_with('#')).collect();
        Self { tree, packages, tops, rooms, made }
    }

    /// Whether a span of code is a path in the tree.
    fn is_path(&self, span: &str) -> bool {
        let Some((first, _)) = span.split_once('/') else { return false };
        let is_module = |c: char| c.is_ascii_alphanumeric() || "_./*{},".contains(c);
        (self.tops.contains(first) && span.chars().all(|c| is_module(c) || c == '-'))
            || (self.rooms.contains(first) && span.chars().all(is_module))
    }

    /// The paths from the top that `path` may stand for.
    fn readings(&self, path: &str) -> Vec<String> {
        let within = |package: &String| {
            let below = path.strip_prefix(package.as_str())?.strip_prefix('/')?;
            Some(join(package, &format!("src/{below}")))
        };
        let sources = self.packages.iter().map(|package| join(package, &format!("src/{path}")));
        let packages = self.packages.iter().filter_map(within);
        let folders = self.packages.iter().map(|package| join(package, path));
        sources.chain(packages).chain(folders).chain([path.to_owned()]).collect()
    }

    fn is_there(&self, path: &str) -> bool {
        if is_pattern(path) {
            return self.tree.files().any(|(file, _)| matches(path, file));
        }
        let is_made = self.made.iter().any(|made| match made.strip_prefix('/') {
            Some(made) => Path::new(path).starts_with(made),
            None => Path::new(path).file_name().is_some_and(|name| name == *made),
        });
        is_made || self.tree.has(path) || self.tree.has(&format!("{path}.rs"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(span: &str) -> Vec<String> {
        let text = format!("\nSee `{span}`.\n");
        let tree = Tree::of(&[
            ("docs/a.md", &text),
            ("docs/pictures/p.svg", ""),
            ("Cargo.toml", "[package]\nname = \"top\""),
            ("src/lib.rs", ""),
            ("src/mqtt/session.rs", ""),
            ("tool/Cargo.toml", "[package]\nname = \"tool\""),
            ("tool/src/hub/state.rs", ""),
            ("tests/run", ""),
            ("tool/tests/cli.rs", ""),
            (".gitignore", "# Made.\n/target\n/tool/made\n.env\n"),
        ]);
        check(&tree).iter().map(Finding::to_string).collect()
    }

    #[test]
    fn paths_to_nothing_are_found() {
        for (span, missing) in [
            ("tests/walk", "tests/walk"),
            ("src/mqtt/sess.rs", "src/mqtt/sess.rs"),
            ("mqtt/sess", "mqtt/sess"),
            ("hub/{state,link}", "hub/link"),
            ("tests/*.py", "tests/*.py"),
            ("tests/{name}.py", "tests/*.py"),
            ("tool/link", "tool/link"),
        ] {
            let expected = format!(
                "docs/a.md:2: there is no {missing} in the tree: write where it is now, or take it \
                 out"
            );
            assert_eq!(found(span), [expected], "{span}");
        }
    }

    #[test]
    fn paths_to_something_and_what_is_no_path_are_left_alone() {
        for span in [
            "tests/run",
            "tests/",
            "src/mqtt/session.rs",
            "mqtt/session",
            "hub/state",
            "src/{lib,mqtt/session}.rs",
            "src/*.rs",
            "pictures/p.svg",
            "sensors/hall/1",
            "tests/run --quick",
            "tests/{name}=1",
            "src/{name}.rs",
            "tool/hub/state",
            "mqtt/max-size",
            "tool/made/by/hand",
            "tool/.env",
            "tests/cli",
        ] {
            assert_eq!(found(span), [""; 0], "{span}");
        }
    }
}
