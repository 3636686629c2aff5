//! The fault planted with Cargo itself: it builds a program anew, and takes the library in it for
//! fresh, where all that is measured lives.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, SystemTime};

use super::PERF;

const MANIFEST: &str = r#"
[workspace]
members = ["build-info", "build-info/macro"]
resolver = "3"
[workspace.package]
version = "0.1.0"
edition = "2024"
rust-version = "1.95"
license = "MIT OR Apache-2.0"
publish = false
[workspace.lints]
[workspace.dependencies]
build-info = { path = "build-info" }
sha1 = { version = "0.10", default-features = false }
tempfile = "3"
[package]
name = "sluicegate"
version.workspace = true
edition.workspace = true
[dependencies]
build-info-macro = { path = "build-info/macro" }
"#;
const LIB: &str = "pub mod ingest; pub const SOURCES: u64 = build_info_macro::sources!();";
/// Its version, and what its library does.
const MAIN: &str = r#"fn main() {
    if std::env::args().len() > 1 {
        return println!("sluicegate {}", build_info_macro::version!().trim_end());
    }
    println!("{}", sluicegate::ingest::WHAT);
}"#;

/// A work tree of a small `sluicegate`, which has the package `build-info` of this one.
struct Tree(test_support::Tree);

impl Tree {
    /// Whose library does `what`. All its files are older than any build.
    fn new(what: &str) -> Self {
        let tree = Self(test_support::Tree::new());
        let top = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        for name in
            ["Cargo.toml", "src/lib.rs", "src/tests.rs"].map(|it| format!("build-info/{it}"))
        {
            tree.put(&name, &fs::read_to_string(top.join(&name)).unwrap());
        }
        for name in ["Cargo.toml", "src/lib.rs"].map(|it| format!("build-info/macro/{it}")) {
            tree.put(&name, &fs::read_to_string(top.join(&name)).unwrap());
        }
        tree.put("allocator/src/lib.rs", "");
        tree.put("Cargo.toml", MANIFEST);
        // The same versions as ours: no registry is asked.
        tree.put("Cargo.lock", &fs::read_to_string(top.join("Cargo.lock")).unwrap());
        tree.put("src/lib.rs", LIB);
        tree.put("src/main.rs", MAIN);
        tree.edit(what);
        tree.run("cargo", &["metadata", "-q", "--offline", "--format-version", "1"], None);
        tree.age("Cargo.lock");
        tree.put(".gitignore", "target\n");
        tree.0.git(&["init", "-q"]);
        tree
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path(name)
    }

    fn put(&self, name: &str, text: &str) {
        self.0.put(name, text);
        self.age(name);
    }

    fn age(&self, name: &str) {
        let time = SystemTime::now() - Duration::from_secs(86_400);
        File::options().write(true).open(self.path(name)).unwrap().set_modified(time).unwrap();
    }

    fn edit(&self, what: &str) {
        self.put("src/ingest.rs", &format!("pub const WHAT: &str = \"{what}\";"));
    }

    fn commit(&self) {
        self.0.commit();
    }

    #[track_caller]
    fn run(&self, program: &str, arguments: &[&str], target: Option<&Path>) -> String {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.0.root());
        command.env("CARGO_TARGET_DIR", target.unwrap_or(&self.path("target")));
        command.env_remove("CARGO_BUILD_TARGET").env_remove("RUSTFLAGS");
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program} {arguments:?}: {text}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Builds into a target folder; what the program's library does.
    #[track_caller]
    fn build(&self, target: &Path) -> String {
        let build = ["build", "-q", "--offline", "--release", "--package", "sluicegate"];
        self.run("cargo", &build, Some(target));
        let program = target.join("release/sluicegate");
        self.run(program.to_str().unwrap(), &[], None).trim().to_owned()
    }

    fn verify(&self, target: &Path) -> Output {
        let mut command = Command::new(PERF);
        command.args(["verify", "sluicegate", "--bin-dir"]).arg(target.join("release"));
        command.current_dir(self.0.root()).output().unwrap()
    }

    #[track_caller]
    fn assert_believed(&self, target: &Path) {
        let output = self.verify(target);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Refused by the library's name; what is advised helps.
    #[track_caller]
    fn assert_library_refused(&self, target: &Path, what: &str) {
        let output = self.verify(target);
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(69), "{text}");
        assert!(text.contains("its library sluicegate is of other sources"), "{text}");
        assert!(text.contains("'cargo clean --release --package sluicegate'"), "{text}");
        let program = target.join("release/sluicegate");
        let said = self.run(program.to_str().unwrap(), &["--version"], None);
        assert!(said.contains("stale library sluicegate)"), "{said}");
        let clean = ["clean", "-q", "--offline", "--release", "--package", "sluicegate"];
        self.run("cargo", &clean, Some(target));
        assert_eq!(self.build(target), what);
        self.assert_believed(target);
    }
}

/// A file's time goes back, as with a copy that keeps times, and something builds the program anew.
#[test]
fn a_library_that_is_older_than_its_sources_say_is_refused() {
    let tree = Tree::new("one");
    let target = tree.path("target");
    tree.commit();
    assert_eq!(tree.build(&target), "one");
    tree.assert_believed(&target);
    // Nothing says to Cargo that the library changed, and the commit builds `main.rs` alone.
    tree.edit("two");
    tree.commit();
    assert_eq!(tree.build(&target), "one", "Cargo takes the library for fresh");
    tree.assert_library_refused(&target, "two");
    // The library is built anew with its package's `main.rs`.
    tree.edit("three");
    File::options()
        .write(true)
        .open(tree.path("src/main.rs"))
        .unwrap()
        .set_modified(SystemTime::now())
        .unwrap();
    assert_eq!(tree.build(&target), "three");
    tree.assert_believed(&target);
}

/// Two trees are one to Cargo in one target folder.
#[test]
fn a_library_of_another_tree_with_the_same_target_folder_is_refused() {
    let target = tempfile::tempdir().unwrap();
    let [one, two] = ["one", "two"].map(Tree::new);
    one.commit();
    assert_eq!(one.build(target.path()), "one");
    one.assert_believed(target.path());
    two.commit();
    assert_eq!(two.build(target.path()), "one", "Cargo takes the library for fresh");
    two.assert_library_refused(target.path(), "two");
}
