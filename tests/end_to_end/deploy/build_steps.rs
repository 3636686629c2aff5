//! `deploy/build-steps` with a stand-in for Cargo, in a folder that stands for the repository.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use build_info::{Build, DEFINITION_FILE};
use tempfile::TempDir;

use super::repository;

struct Tree(TempDir);

impl Tree {
    /// With everything that is copied, and a program that was built from it.
    fn new() -> Self {
        let tree = Self(tempfile::tempdir().unwrap());
        for file in ["deploy/build-steps", "deploy/Dockerfile.amd64", ".dockerignore", "Cargo.toml"]
        {
            tree.put(file, &fs::read_to_string(repository().join(file)).unwrap());
        }
        // What is in no program is no part of the digest, here and there.
        let files = ["src/main.rs", "src/a/b.rs", "src/a.rs", "src/a/tests.rs", "src/tests/c.rs"];
        let others = ["allocator/a", "src/.main.rs.swp", "src/a.rs~", "src/.b/c.rs", "Cargo.lock"];
        for file in files.iter().chain(&others) {
            tree.put(file, file);
        }
        let ignore = fs::read_to_string(repository().join(".dockerignore")).unwrap();
        let manifests = ignore.lines().filter_map(|line| line.strip_prefix('!'));
        for manifest in manifests.filter(|file| file.ends_with("/Cargo.toml")) {
            tree.put(manifest, "");
        }
        tree.put(DEFINITION_FILE, "");
        for tool in ["strip", "ldd"] {
            tree.program(&format!("bin/{tool}"), "exit 0");
        }
        // Notes where it was told to build, and installs what lies in `program`.
        let root = tree.0.path().display();
        let cargo = format!(
            "echo \"$CARGO_TARGET_DIR\" >{root}/told
             mkdir -p out/bin && cp {root}/program out/bin/sluicegate"
        );
        tree.program("bin/cargo", &cargo);
        let text = Build::of(tree.0.path(), "sluicegate").unwrap().text(env!("CARGO_PKG_VERSION"));
        let said = format!("sluicegate {}", text.unwrap().trim_end());
        tree.program("program", &format!("[ \"$1\" = check ] || echo '{said}'"));
        tree
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn put(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Written by another process: a file that this one has open for writing, or a child that a
    /// test beside this one is just starting, cannot be executed.
    fn program(&self, name: &str, script: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let write = "printf '%s\\n' '#!/bin/sh' \"$1\" >\"$0\" && chmod 755 \"$0\"";
        let mut command = Command::new("sh");
        command.arg("-c").arg(write).arg(path).arg(script);
        assert!(command.status().unwrap().success());
    }

    /// Runs the build lines, as one who has a target folder for everything.
    fn build(&self) -> Output {
        let path = std::env::var("PATH").unwrap();
        let mut command = Command::new("bash");
        command.arg(self.path("deploy/build-steps")).current_dir(self.0.path());
        command.env("PATH", format!("{}:{path}", self.path("bin").display()));
        command.env("CARGO_TARGET_DIR", self.path("target")).env_remove("PROFILE");
        command.output().unwrap()
    }
}

/// Cargo would take the copy for the tree, and the tree for fresh whatever changed in it.
#[test]
fn images_have_a_target_folder_of_their_own() {
    let tree = Tree::new();
    let output = tree.build();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    let told = fs::read_to_string(tree.path("told")).unwrap();
    let own = tree.0.path().canonicalize().unwrap().join("target/images/target");
    assert_eq!(Path::new(told.trim()).to_owned(), own);
}

/// The script takes the digest as the program does, and believes no other.
#[test]
fn an_image_of_other_sources_is_refused() {
    let tree = Tree::new();
    tree.put("src/a.rs", "this is not rust");
    let output = tree.build();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("it was not built from this tree") && text.contains("rm -r"), "{text}");
}
