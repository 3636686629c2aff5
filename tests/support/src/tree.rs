//! A folder that stands for a work tree, with scripts that stand for programs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use build_info::{Build, DEFINITION, DEFINITION_FILE};
use tempfile::TempDir;

/// A folder that is removed when the test ends.
#[derive(Debug)]
pub struct Tree(TempDir);

impl Tree {
    /// An empty one.
    #[expect(clippy::new_without_default, reason = "a folder on the disk is no default value")]
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// One with some source in every package that programs are made of.
    pub fn workspace() -> Self {
        let tree = Self::new();
        put_workspace(tree.root());
        tree
    }

    /// Its top folder.
    pub fn root(&self) -> &Path {
        self.0.path()
    }

    /// The path of a file in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file, with the folders above it.
    pub fn put(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        put(&path, text);
        path
    }

    /// Writes a script of the shell that can be executed, with the folders above it.
    pub fn script(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        write_script(&path, text);
        path
    }

    /// Puts a program of `package` into a folder. All that it can is to tell that it is of the
    /// sources as they are now.
    pub fn build(&self, folder: &str, package: &str) -> PathBuf {
        self.script(&format!("{folder}/{package}"), &says_version(self.root(), package))
    }

    /// Runs git in it.
    #[track_caller]
    pub fn git(&self, arguments: &[&str]) {
        let who = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"];
        let mut command = Command::new("git");
        command.arg("-C").arg(self.root()).args(who).args(arguments);
        assert!(command.status().unwrap().success(), "git {arguments:?}");
    }

    /// Commits everything.
    #[track_caller]
    pub fn commit(&self) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", "a commit"]);
    }
}

/// Of the packages that are in a program.
const FOLDERS: [&str; 8] = [
    "",
    "loadgen",
    "loadgen/hub",
    "loadgen/load",
    "loadgen/report",
    "perf",
    "perf/paired",
    "perf/stages",
];

/// Makes `root` a workspace with some source in every package that programs are made of.
pub fn put_workspace(root: &Path) {
    for folder in FOLDERS {
        put(&root.join(folder).join("Cargo.toml"), "");
        put(&root.join(folder).join("src/main.rs"), "fn main() {}");
    }
    put(&root.join("Cargo.lock"), "");
    put(&root.join(DEFINITION_FILE), DEFINITION);
    put(&root.join("allocator/src/lib.rs"), "");
}

fn put(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// The line with which a script tells that it was built, as a program of `package`, from the
/// workspace at `root` as it is now.
pub fn says_version(root: &Path, package: &str) -> String {
    let text = Build::of(root, package).unwrap().text("0.1.0").unwrap();
    format!("[ \"$1\" != --version ] || {{ echo '{package} {}'; exit; }}", text.trim_end())
}

/// Written by another process: a file that this one has open for writing, or a child that a test
/// beside this one is just starting, cannot be executed.
#[track_caller]
pub fn write_script(path: &Path, text: &str) {
    let write = "printf '%s\\n' '#!/bin/sh' \"$1\" >\"$0\" && chmod 755 \"$0\"";
    let mut command = Command::new("sh");
    command.arg("-c").arg(write).arg(path).arg(text);
    assert!(command.status().unwrap().success(), "{}", path.display());
}
