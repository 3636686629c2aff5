//! The tree that this package is in.

use std::path::Path;
use std::sync::LazyLock;

use crate::finding::Finding;
use crate::tree::Tree;
use crate::*;

static TREE: LazyLock<Tree> = LazyLock::new(|| {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    Tree::load(&root).expect("the tree can be read")
});

/// Shows all that a rule finds.
fn assert_tidy(check: fn(&Tree) -> Vec<Finding>) {
    let mut findings = check(&TREE);
    findings.sort();
    let shown: Vec<_> = findings.iter().map(|finding| format!("{finding}\n")).collect();
    assert!(shown.is_empty(), "{} to mend:\n{}", shown.len(), shown.concat());
}

#[test]
fn lines_are_short() {
    assert_tidy(lines::check);
}

#[test]
fn functions_are_short() {
    assert_tidy(sizes::check_functions);
}

#[test]
fn files_are_short() {
    assert_tidy(sizes::check_files);
}

#[test]
fn types_have_their_own_names() {
    assert_tidy(types::check);
}

#[test]
fn modules_make_no_circles() {
    assert_tidy(circles::check);
}

#[test]
fn the_code_map_has_every_module() {
    assert_tidy(code_map::check);
}

#[test]
fn counters_are_explained() {
    assert_tidy(counters::check);
}

#[test]
fn links_lead_somewhere() {
    assert_tidy(links::check);
}

#[test]
fn sentences_are_short() {
    assert_tidy(sentences::check);
}

#[test]
fn constants_in_documents_are_there() {
    assert_tidy(constants::check);
}

#[test]
fn items_and_tests_in_documents_are_there() {
    assert_tidy(items::check);
}

#[test]
fn files_in_documents_are_there() {
    assert_tidy(paths::check);
}

#[test]
fn words_say_something() {
    assert_tidy(words::check);
}
