//! The programs of this workspace, as the tests of other packages find them.
//!
//! Cargo tells a test where the programs of its own package are (`CARGO_BIN_EXE_NAME`), and builds
//! them before it. Of another package it does neither. `cargo test --workspace` leaves all programs
//! beside the test's folder, with the features that its tests have; `cargo test -p end-to-end` may
//! leave old ones there, or none. So a program counts only when it tells the digest of the sources
//! as they are now. Otherwise Cargo is asked for it, once. It is not always asked: by itself it
//! would build the libraries with fewer features, all of them a second time.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use build_info::{digest, sources};

/// Prefixes of what Cargo tells the test about its own package. A build script that looks at them
/// would run again.
const OF_A_PACKAGE: [&str; 4] = ["CARGO_MANIFEST_", "CARGO_PKG_", "CARGO_BIN_", "CARGO_CRATE_"];

/// Those that are known to be of the sources as they are now.
static FOUND: Mutex<BTreeMap<String, PathBuf>> = Mutex::new(BTreeMap::new());

/// The program of `package` in this workspace, built from the sources as they are now.
///
/// # Panics
/// There is none, and Cargo cannot build it.
#[track_caller]
pub fn program(package: &str) -> PathBuf {
    // Held while Cargo builds: the other tests of this process need the same.
    let mut found = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(path) = found.get(package) {
        return path.clone();
    }
    let test = env::current_exe().unwrap();
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    // target/debug/deps/end_to_end-0123456789abcdef
    let folder = test.ancestors().nth(2).unwrap().to_owned();
    let path = Shelf { root: crate::root(), folder, cargo }.program(package);
    found.insert(package.to_owned(), path.clone());
    path
}

/// Where programs of a workspace are, and what builds them there.
struct Shelf {
    root: PathBuf,
    /// As `target/debug`.
    folder: PathBuf,
    cargo: OsString,
}

impl Shelf {
    #[track_caller]
    fn program(&self, package: &str) -> PathBuf {
        let path = self.folder.join(package);
        if self.is_current(&path, package) {
            return path;
        }
        self.build(package);
        assert!(
            self.is_current(&path, package),
            "{} is of other sources than {} has, and a build does not help",
            path.display(),
            self.root.display()
        );
        path
    }

    fn is_current(&self, program: &Path, package: &str) -> bool {
        let Ok(output) = Command::new(program).arg("--version").output() else { return false };
        let said = String::from_utf8_lossy(&output.stdout);
        sources(&said) == Some(digest(&self.root, package).unwrap().as_str())
    }

    #[track_caller]
    fn build(&self, package: &str) {
        let (target, profile) = (self.folder.parent().unwrap(), self.folder.file_name().unwrap());
        let profile = if profile == "debug" { "dev".as_ref() } else { profile };
        let mut command = Command::new(&self.cargo);
        command.args(["build", "-q", "--package", package, "--bin", package, "--profile"]);
        command.arg(profile).arg("--target-dir").arg(target).current_dir(&self.root);
        for (name, _) in env::vars_os() {
            let of_a_package = |name: &str| OF_A_PACKAGE.iter().any(|it| name.starts_with(it));
            if name.to_str().is_some_and(of_a_package) {
                command.env_remove(name);
            }
        }
        assert!(command.status().unwrap().success(), "{command:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tree;

    /// What stands for Cargo: it builds what lies in `made`, and notes its profile.
    const CARGO: &str = r#"package=$4
        while [ "$1" != --profile ]; do shift; done; echo "$2" >>profiles
        while [ "$1" != --target-dir ]; do shift; done
        mkdir -p "$2/debug" && cp "made/$package" "$2/debug/$package""#;

    fn shelf(tree: &Tree) -> Shelf {
        let cargo = tree.script("cargo", CARGO).into();
        Shelf { root: tree.root().to_owned(), folder: tree.path("target/debug"), cargo }
    }

    fn profiles(tree: &Tree) -> String {
        std::fs::read_to_string(tree.path("profiles")).unwrap_or_default()
    }

    /// One that is missing or of other sources is built, and one of these sources is not.
    #[test]
    fn only_what_is_old_is_built() {
        let tree = Tree::workspace();
        let shelf = shelf(&tree);
        tree.build("made", "sluicegate");
        let path = shelf.program("sluicegate");
        assert_eq!(
            (path.clone(), profiles(&tree)),
            (tree.path("target/debug/sluicegate"), "dev\n".into())
        );
        shelf.program("sluicegate");
        assert_eq!(profiles(&tree), "dev\n");
        tree.put("src/main.rs", "fn main() {}\n");
        tree.build("made", "sluicegate");
        assert!(!shelf.is_current(&path, "sluicegate"));
        shelf.program("sluicegate");
        assert_eq!(profiles(&tree), "dev\ndev\n");
        assert!(shelf.is_current(&path, "sluicegate"));
    }

    /// A build that leaves the old one there is no build.
    #[test]
    #[should_panic(expected = "a build does not help")]
    fn what_stays_old_is_refused() {
        let tree = Tree::workspace();
        tree.build("made", "sluicegate");
        tree.put("src/main.rs", "fn main() {}\n");
        shelf(&tree).program("sluicegate");
    }
}
