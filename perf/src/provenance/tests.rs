use tempfile::TempDir;
use test_support::{put_workspace, says_version, write_script};

use super::*;

fn workspace() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    put_workspace(folder.path());
    folder
}

/// A program that tells of what is in the workspace now.
fn build(root: &Path) -> PathBuf {
    let program = root.join("program");
    write_script(&program, &says_version(root, "sluicegate"));
    program
}

fn verify(sources: &Sources, program: &Path) -> Result<(), Failure> {
    sources.verify(program, &[], &Stop::default())
}

#[track_caller]
fn assert_refused(found: Result<(), Failure>, what: &str) {
    let failure = found.unwrap_err();
    assert_eq!(failure.code, 69, "{failure}");
    assert!(failure.text.contains(what), "{failure}");
}

#[test]
fn a_program_of_this_tree_is_believed() {
    let folder = workspace();
    let sources = Sources::of(folder.path(), "sluicegate").unwrap();
    let program = build(folder.path());
    assert_eq!(verify(&sources, &program), Ok(()));
    // What starts it, as an emulator does.
    let emulator = ["/bin/sh".to_owned()];
    assert_eq!(sources.verify(&program, &emulator, &Stop::default()), Ok(()));
}

#[test]
fn a_program_of_other_sources_is_refused_with_what_to_do() {
    let folder = workspace();
    let program = build(folder.path());
    fs::write(folder.path().join("src/main.rs"), "this is not rust").unwrap();
    let sources = Sources::of(folder.path(), "sluicegate").unwrap();
    assert_refused(verify(&sources, &program), "was not built from");
    assert_refused(verify(&sources, &program), "'cargo clean --release --package sluicegate'");
}

/// The program's own sources may be of the tree, and what is measured of another.
#[test]
fn a_stale_library_is_refused_by_name() {
    let folder = workspace();
    let sources = Sources::of(folder.path(), "loadgen").unwrap();
    let program = folder.path().join("program");
    let build = build_info::Build::of(folder.path(), "loadgen").unwrap();
    let text = build.stale_text("0.1.0", "sluicegate").unwrap();
    write_script(&program, &format!("echo 'loadgen {}'", text.trim_end()));
    assert_refused(verify(&sources, &program), "its library sluicegate is of other sources");
    assert_refused(verify(&sources, &program), "'cargo clean --release --package sluicegate'");
}

/// Whether the program has the change nobody knows.
#[test]
fn sources_that_change_while_they_are_built_are_refused() {
    let folder = workspace();
    let sources = Sources::of(folder.path(), "sluicegate").unwrap();
    let before = build(folder.path());
    fs::write(folder.path().join("src/main.rs"), "fn main() { }").unwrap();
    assert_refused(verify(&sources, &before), "changed while");
    assert_refused(verify(&sources, &build(folder.path())), "was not built from");
}

#[test]
fn a_program_that_does_not_tell_is_refused() {
    let folder = workspace();
    let sources = Sources::of(folder.path(), "sluicegate").unwrap();
    assert_refused(verify(&sources, Path::new("/bin/echo")), "does not tell");
    assert_refused(verify(&sources, Path::new("/bin/false")), "--version: ");
    assert_refused(verify(&sources, Path::new("/no/such")), "cannot start");
}

/// Where digests are taken in another way, comparing them says nothing.
#[test]
fn another_definition_of_the_digest_is_not_compared() {
    let folder = workspace();
    fs::write(folder.path().join(DEFINITION_FILE), "another").unwrap();
    let refused = Sources::of(folder.path(), "sluicegate").map(drop);
    assert_refused(refused, "this perf was not built from");
}

/// A commit from before programs told their digest is judged by Cargo's list of files.
#[test]
fn a_list_that_names_another_tree_is_refused() {
    let folder = tempfile::Builder::new().prefix("a b").tempdir().unwrap();
    let sources = Sources::of_any(folder.path(), "sluicegate").unwrap();
    let program = folder.path().join("sluicegate");
    let root = folder.path().canonicalize().unwrap().display().to_string().replace(' ', "\\ ");
    let list = |files: &str| {
        let text = format!("{}: {files}\n", program.display().to_string().replace(' ', "\\ "));
        fs::write(program.with_extension("d"), text).unwrap();
    };
    assert_refused(verify(&sources, &program), "sluicegate.d: ");
    list("");
    assert_refused(verify(&sources, &program), "names no file");
    list(&format!("{root}/src/lib.rs {root}/src/main.rs"));
    assert_eq!(verify(&sources, &program), Ok(()));
    // The copy that images are built from lies within the tree.
    for foreign in ["/elsewhere/src/lib.rs", &format!("{root}/target/images/build/src/lib.rs")] {
        list(&format!("{root}/src/main.rs {foreign}"));
        assert_refused(verify(&sources, &program), "it is made of ");
    }
}
