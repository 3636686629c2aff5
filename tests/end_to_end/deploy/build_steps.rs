//! `deploy/build-steps` with a stand-in for Cargo, in a folder that stands for the repository.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use build_info::{Build, DEFINITION_FILE};
use test_support::{Tree, root};

/// With everything that is copied, and a program that was built from it.
fn context() -> Tree {
    let tree = Tree::new();
    for file in ["deploy/build-steps", "deploy/Dockerfile.amd64", ".dockerignore", "Cargo.toml"] {
        tree.put(file, &fs::read_to_string(root().join(file)).unwrap());
    }
    // What is in no program is no part of the digest, here and there.
    let files = ["src/main.rs", "src/a/b.rs", "src/a.rs", "src/a/tests.rs", "src/tests/c.rs"];
    let others = ["allocator/a", "src/.main.rs.swp", "src/a.rs~", "src/.b/c.rs", "Cargo.lock"];
    for file in files.iter().chain(&others) {
        tree.put(file, file);
    }
    let ignore = fs::read_to_string(root().join(".dockerignore")).unwrap();
    let manifests = ignore.lines().filter_map(|line| line.strip_prefix('!'));
    for manifest in manifests.filter(|file| file.ends_with("/Cargo.toml")) {
        tree.put(manifest, "");
    }
    tree.put(DEFINITION_FILE, "");
    for tool in ["strip", "ldd"] {
        tree.script(&format!("bin/{tool}"), "exit 0");
    }
    // Notes where it was told to build, and installs what lies in `program`.
    let root = tree.root().display();
    let cargo = format!(
        "echo \"$CARGO_TARGET_DIR\" >{root}/told
             mkdir -p out/bin && cp {root}/program out/bin/sluicegate"
    );
    tree.script("bin/cargo", &cargo);
    let text = Build::of(tree.root(), "sluicegate").unwrap().text(env!("CARGO_PKG_VERSION"));
    let said = format!("sluicegate {}", text.unwrap().trim_end());
    tree.script("program", &format!("[ \"$1\" = check ] || echo '{said}'"));
    tree
}

/// Runs the build lines, as one who has a target folder for everything.
fn build(tree: &Tree) -> Output {
    let path = std::env::var("PATH").unwrap();
    let mut command = Command::new("bash");
    command.arg(tree.path("deploy/build-steps")).current_dir(tree.root());
    command.env("PATH", format!("{}:{path}", tree.path("bin").display()));
    command.env("CARGO_TARGET_DIR", tree.path("target")).env_remove("PROFILE");
    command.output().unwrap()
}

/// Cargo would take the copy for the tree, and the tree for fresh whatever changed in it.
#[test]
fn images_have_a_target_folder_of_their_own() {
    let tree = context();
    let output = build(&tree);
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    let told = fs::read_to_string(tree.path("told")).unwrap();
    let own = tree.root().canonicalize().unwrap().join("target/images/target");
    assert_eq!(Path::new(told.trim()).to_owned(), own);
}

/// The script takes the digest as the program does, and believes no other.
#[test]
fn an_image_of_other_sources_is_refused() {
    let tree = context();
    tree.put("src/a.rs", "this is not rust");
    let output = build(&tree);
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("it was not built from this tree") && text.contains("rm -r"), "{text}");
}
