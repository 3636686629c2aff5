//! The fault planted: Cargo takes programs for fresh that were not built from the tree. Each
//! command that measures refuses them, and says what to do.
#![cfg(test)]

use std::fs;
use std::ops::Deref;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};

use build_info::Build;

#[path = "stale/libraries.rs"]
mod libraries;

const PERF: &str = env!("CARGO_BIN_EXE_perf");

/// A work tree whose only commit has some source in every package, with what stands for its
/// programs, and for a Cargo that always finds them fresh.
struct Tree(test_support::Tree);

impl Deref for Tree {
    type Target = test_support::Tree;
    fn deref(&self) -> &test_support::Tree {
        &self.0
    }
}

impl Tree {
    fn new() -> Self {
        let tree = Self(test_support::Tree::workspace());
        tree.put(".gitignore", "target\nbin\nstarted\n");
        tree.git(&["init", "-q"]);
        tree.commit();
        for tool in ["cargo", "valgrind", "mosquitto"] {
            tree.script(&format!("bin/{tool}"), "exit 0");
        }
        tree.build("target/release", &["sluicegate", "loadgen", "perf", "stages", "stages-heap"]);
        tree.build("target/ab/target/release", &["sluicegate"]);
        tree
    }

    /// Puts programs of the tree as it is now into a folder. All that they can is to tell so, and
    /// to note that they were started for something else.
    fn build(&self, folder: &str, programs: &[&str]) {
        for name in programs {
            let package = name.trim_end_matches("-heap");
            let text = Build::of(self.root(), package).unwrap().text("0.1.0").unwrap();
            let script = format!(
                "[ \"$1\" != --version ] || {{ echo '{name} {}'; exit; }}
                 echo {name} >>{}; exit 1",
                text.trim_end(),
                self.path("started").display()
            );
            self.script(&format!("{folder}/{name}"), &script);
        }
    }

    fn run(&self, program: &Path, arguments: &[&str]) -> Output {
        let path = std::env::var("PATH").unwrap();
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.root());
        command.env("PATH", format!("{}:{path}", self.path("bin").display()));
        command.env("CARGO", self.path("bin/cargo")).env_remove("CARGO_TARGET_DIR");
        command.output().unwrap()
    }

    fn perf(&self, arguments: &[&str]) -> Output {
        self.run(Path::new(PERF), arguments)
    }

    /// Whether a program was started for anything but its version.
    fn is_measured(&self) -> bool {
        self.path("started").exists()
    }

    #[track_caller]
    fn assert_refused(&self, output: &Output, code: i32, words: &[&str]) {
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{text}");
        for words in [&["was not built from", "cargo clean --release --package"], words].concat() {
            assert!(text.contains(words), "no '{words}': {text}");
        }
        assert!(!self.is_measured(), "{text}");
    }
}

/// What the tests below expect of a refusal, they see of none where everything is of the tree.
#[test]
fn programs_of_the_tree_are_measured() {
    let ways: [&[&str]; 3] = [
        &["ab", "HEAD", "--pairs", "6"],
        &["gate", "--arch", "amd64", "--only", "decode"],
        &["record", "--only", "plain_qos1", "--times", "1"],
    ];
    for arguments in ways {
        let tree = Tree::new();
        // No program that measures gives a figure: exit code 2.
        let output = tree.perf(arguments);
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
        assert!(tree.is_measured(), "{arguments:?}: {text}");
    }
}

#[test]
fn ab_refuses_a_work_tree_that_was_not_built() {
    let tree = Tree::new();
    tree.put("src/main.rs", "this is not rust");
    tree.assert_refused(&tree.perf(&["ab"]), 69, &["/target/release/sluicegate"]);
}

/// The instrument is of the work tree as well.
#[test]
fn ab_refuses_an_instrument_that_was_not_built() {
    let tree = Tree::new();
    tree.put("loadgen/src/main.rs", "this is not rust");
    tree.assert_refused(&tree.perf(&["ab"]), 69, &["/target/release/loadgen"]);
}

#[test]
fn ab_refuses_a_commit_that_was_not_built() {
    let tree = Tree::new();
    tree.put("src/main.rs", "fn main() { }");
    tree.commit();
    tree.build("target/release", &["sluicegate", "loadgen"]);
    tree.build("target/ab/target/release", &["sluicegate"]);
    tree.assert_refused(
        &tree.perf(&["ab", "HEAD~1"]),
        69,
        &["/target/ab/target/release/sluicegate"],
    );
}

#[test]
fn gate_refuses_programs_that_were_not_built() {
    let sources = [("src/main.rs", "stages"), ("perf/stages/src/main.rs", "stages")];
    for (source, program) in sources {
        for flags in [&[][..], &["--no-build"]] {
            let tree = Tree::new();
            tree.put(source, "this is not rust");
            let output = tree.perf(&[&["gate", "--arch", "amd64"], flags].concat());
            tree.assert_refused(&output, 69, &[&format!("/target/release/{program} ")]);
        }
    }
    // The module alone.
    let tree = Tree::new();
    tree.put("src/main.rs", "this is not rust");
    tree.build("target/release", &["stages", "stages-heap"]);
    let output = tree.perf(&["gate", "--arch", "amd64"]);
    tree.assert_refused(&output, 69, &["/target/release/sluicegate "]);
}

#[test]
fn record_refuses_programs_that_were_not_built() {
    for (source, program) in [
        ("src/main.rs", "loadgen"),
        ("loadgen/src/main.rs", "loadgen"),
        ("perf/src/main.rs", "perf"),
    ] {
        for flags in [&[][..], &["--build"]] {
            let tree = Tree::new();
            tree.put(source, "this is not rust");
            let output = tree.perf(&[&["record"], flags].concat());
            tree.assert_refused(&output, 69, &[&format!("target/release/{program} ")]);
            assert_eq!(fs::read_dir(tree.path("perf/record")).unwrap().count(), 0);
        }
    }
}

/// The script of this repository, in the planted tree.
fn peers(tree: &Tree) -> Output {
    let script = tree.path("perf/peers/run");
    fs::create_dir_all(script.parent().unwrap()).unwrap();
    fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/run"), &script).unwrap();
    fs::remove_file(tree.path("target/release/perf")).unwrap();
    symlink(PERF, tree.path("target/release/perf")).unwrap();
    tree.run(Path::new("bash"), &[script.to_str().unwrap(), "--only", "mosquitto_bridge"])
}

#[test]
fn peers_refuses_programs_that_were_not_built() {
    for source in ["src/main.rs", "loadgen/src/main.rs"] {
        let tree = Tree::new();
        tree.put(source, "this is not rust");
        tree.assert_refused(&peers(&tree), 1, &["perf/peers/run: nothing was compared"]);
    }
    let tree = Tree::new();
    peers(&tree);
    assert!(tree.is_measured());
}
