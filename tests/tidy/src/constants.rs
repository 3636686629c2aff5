//! Constants, settings and variables that documents name are there.
//!
//! What is meant: a name in capitals with a `_` in it, between backticks, alone or behind `::`,
//! with or without `=VALUE`. It must be a constant of a Rust file, or a text between quotation
//! marks there, or stand in a file that is neither: a script, a Dockerfile, a manifest.

use std::collections::BTreeSet;

use crate::finding::Finding;
use crate::tree::{Tree, has_extension};

/// Names that documents have and the tree does not.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let known = known(tree);
    let mut findings = Vec::new();
    for document in tree.documents() {
        for span in &document.spans {
            let Some(name) = constant(&span.text) else { continue };
            if !known.contains(name) {
                let what = format!(
                    "nothing in the tree is called {name}: write the name that it has now, or take \
                     it out"
                );
                findings.push(Finding::new(&document.path, span.line, what));
            }
        }
    }
    findings
}

/// The name in capitals that a span of code is about.
fn constant(span: &str) -> Option<&str> {
    let name = span.split('=').next().unwrap_or_default();
    let name = name.rsplit("::").next().unwrap_or_default().trim_start_matches('$');
    (is_constant(name) && !span.contains(' ')).then_some(name)
}

fn is_constant(name: &str) -> bool {
    name.contains('_')
        && name.starts_with(|c: char| c.is_ascii_uppercase())
        && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

fn known(tree: &Tree) -> BTreeSet<&str> {
    let outlines = tree.outlines().iter();
    let mut known: BTreeSet<&str> = outlines
        .flat_map(|outline| {
            let names = outline.names.iter().filter_map(|path| path.last()).map(String::as_str);
            // `NAME` and `NAME=` by themselves, and not what a sentence speaks of.
            names.chain(outline.literals.iter().map(|text| text.trim_end_matches('=')))
        })
        .collect();
    let others =
        tree.files().filter(|(path, _)| !has_extension(path, "rs") && !has_extension(path, "md"));
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    known.extend(
        others
            .flat_map(|(_, text)| text.split(move |c| !is_part(c)))
            .filter(|word| is_constant(word)),
    );
    known
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(span: &str) -> Vec<String> {
        let text = format!("\nSee `{span}`.\n");
        let tree = Tree::of(&[
            ("a.md", &text),
            (
                "a.rs",
                "const A_1: u8 = 1; fn f() { g(\"B_2\", \"not C_3\"); } impl S { const D_4: u8 = \
                 1; }",
            ),
            ("run", "exec env E_5=1"),
        ]);
        check(&tree).iter().map(Finding::to_string).collect()
    }

    #[test]
    fn names_of_nothing_are_found() {
        for span in ["A_2", "C_3", "m::A_2", "A_2=1", "$A_2"] {
            let name = constant(span).unwrap();
            let expected = format!(
                "a.md:2: nothing in the tree is called {name}: write the name that it has now, or \
                 take it out"
            );
            assert_eq!(found(span), [expected], "{span}");
        }
    }

    #[test]
    fn constants_texts_and_variables_are_names() {
        for span in ["A_1", "m::A_1", "B_2", "S::D_4", "E_5=2", "CONNACK", "Not_it", "A_2 = 1"] {
            assert_eq!(found(span), [""; 0], "{span}");
        }
    }
}
