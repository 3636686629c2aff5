//! Functions, types and tests that documents name are there.
//!
//! What is meant: names joined by `::` (and, for files, by `/`) between backticks, as
//! `limits::HELD`, `Type::f` and `mqtt/session/tests::a_test`. The last is what is named; `*`
//! stands for any characters. Those before it must be the end of where it stands: of the file's
//! path without `src` and `.rs`, and of the modules and the type in the file. `tests` at its end
//! may be left out. The package's own name counts as its folder.

use std::collections::BTreeSet;

use crate::finding::Finding;
use crate::packages::packages;
use crate::pattern::matches;
use crate::tree::Tree;

/// What documents may name though it is another's. Each is in some document.
pub const EXTERNAL: [&str; 4] = ["usize::MAX", "str::parse", "watch::borrow", "BytesMut::split"];

/// Names that documents have and the tree does not.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let known = known(tree);
    let mut findings = Vec::new();
    let mut unused: BTreeSet<&str> = EXTERNAL.into();
    for document in tree.documents() {
        for span in &document.spans {
            if EXTERNAL.contains(&span.text.as_str()) {
                unused.remove(span.text.as_str());
            } else if let Some(path) = path(&span.text)
                && !known.iter().any(|known| is_named(known, &path))
            {
                let what = format!(
                    "nothing in the tree is called {}: write the name that it has now, or take it \
                     out",
                    span.text
                );
                findings.push(Finding::new(&document.path, span.line, what));
            }
        }
    }
    findings.extend(unused.into_iter().map(|name| {
        let what = format!("no document names {name} any more: take it off EXTERNAL");
        Finding::new("tests/tidy/src/items.rs", 0, what)
    }));
    findings
}

/// The segments of a span of code that names an item.
fn path(span: &str) -> Option<Vec<&str>> {
    let (before, name) = span.rsplit_once("::")?;
    let name = name.trim_end_matches("()").trim_end_matches('!');
    let mut path: Vec<&str> = before.split("::").flat_map(|part| part.split('/')).collect();
    path.push(name);
    let is_name = |part: &&str| {
        !part.is_empty()
            && part.chars().all(|c| c.is_ascii_alphanumeric() || ['_', '-', '*', '.'].contains(&c))
    };
    path.iter().all(is_name).then_some(path)
}

/// Whether the item at `known` is what `path` names.
fn is_named(known: &[String], path: &[&str]) -> bool {
    let Some((name, within)) = path.split_last() else { return false };
    let Some((known, parts)) = known.split_last() else { return false };
    let ends = |parts: &[String]| {
        let skipped = parts.len().checked_sub(within.len());
        skipped.is_some_and(|skipped| {
            let last = &parts[skipped..];
            last.iter().zip(within).all(|(part, asked)| part == asked.trim_end_matches(".rs"))
        })
    };
    let shorter = match parts.split_last() {
        Some((last, shorter)) if last == "tests" => shorter,
        _ => parts,
    };
    (ends(parts) || ends(shorter)) && matches(name, known)
}

/// Every item and module by where it stands.
fn known(tree: &Tree) -> Vec<Vec<String>> {
    let packages = packages(tree);
    let mut known = Vec::new();
    for outline in tree.outlines() {
        let module = module_path(&outline.path);
        let owner = packages
            .iter()
            .filter(|package| outline.path.starts_with(&package.folder))
            .max_by_key(|package| package.folder.len());
        let by_package = owner.map(|package| {
            let below = outline.path[package.folder.len()..].trim_start_matches('/');
            let name = package.name.replace('-', "_");
            std::iter::once(name).chain(module_path(below)).collect::<Vec<_>>()
        });
        for module in std::iter::once(module).chain(by_package) {
            known.extend(outline.names.iter().map(|name| [&module[..], name].concat()));
            known.push(module);
        }
    }
    known
}

/// The modules that a file's path stands for.
fn module_path(file: &str) -> Vec<String> {
    let parts = file.trim_end_matches(".rs").split('/');
    let mut parts: Vec<String> = parts.filter(|part| *part != "src").map(str::to_owned).collect();
    if parts.last().is_some_and(|last| ["lib", "main", "mod"].contains(&last.as_str())) {
        parts.pop();
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(span: &str) -> Vec<String> {
        let text = format!(
            "\nSee `{span}`, and {}.\n",
            EXTERNAL.map(|name| format!("`{name}`")).join(", ")
        );
        let tree = Tree::of(&[
            ("a.md", &text),
            ("Cargo.toml", "[package]\nname = \"top-most\""),
            ("src/lib.rs", "pub fn f() {}"),
            ("src/mqtt/session/tests.rs", "#[test] fn a_test() {}"),
            (
                "src/limits.rs",
                "pub const MAX: u8 = 1; struct S; impl S { fn g() {} } mod tests { fn h() {} }",
            ),
            ("tests/end_to_end/stop.rs", "proptest! { #[test] fn ends(x in 0..1) {} }"),
            ("tool/Cargo.toml", "[package]\nname = \"tool\""),
            ("tool/src/main.rs", "macro_rules! m { () => {}; } enum E { V }"),
        ]);
        check(&tree).iter().map(Finding::to_string).collect()
    }

    #[test]
    fn names_of_nothing_are_found() {
        for span in [
            "mqtt/session/tests::a_tes",
            "mqtt/sess/tests::a_test",
            "stop::end",
            "S::h",
            "limits::a_*",
            "other::f",
        ] {
            let expected = format!(
                "a.md:2: nothing in the tree is called {span}: write the name that it has now, or \
                 take it out"
            );
            assert_eq!(found(span), [expected], "{span}");
        }
    }

    #[test]
    fn items_and_tests_are_named_by_the_end_of_their_path() {
        for span in [
            "mqtt/session/tests::a_test",
            "session::a_test",
            "mqtt::session::tests::a_*",
            "limits::MAX",
            "top_most::limits::MAX",
            "top_most::f",
            "S::g()",
            "limits::h",
            "tests/end_to_end/stop::ends",
            "stop.rs::ends",
            "tool::m!",
            "E::V",
            "mqtt::session",
            "a::b c",
            "<T as U>::v",
        ] {
            let expected: &[&str] = if span == "mqtt::session" {
                &["a.md:2: nothing in the tree is called mqtt::session: write the name that it \
                     has now, or take it out"]
            } else {
                &[]
            };
            assert_eq!(found(span), expected, "{span}");
        }
    }

    #[test]
    fn exceptions_that_no_document_needs_are_found() {
        let found: Vec<_> =
            check(&Tree::of(&[("a.md", "`usize::MAX`")])).iter().map(Finding::to_string).collect();
        assert_eq!(found.len(), EXTERNAL.len() - 1);
        assert_eq!(
            found[0],
            "tests/tidy/src/items.rs:0: no document names BytesMut::split any more: take it off \
             EXTERNAL"
        );
    }
}
