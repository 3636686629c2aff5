//! The packages of a tree, and where the compiler begins to read each of their libraries and
//! programs.

use toml::{Table, Value};

use crate::tree::Tree;

/// A package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// As Cargo has it.
    pub name: String,
    /// Where its `Cargo.toml` is; empty at the top.
    pub folder: String,
    /// Files of its library and its programs, relative to the tree's root. Tests and benches have
    /// others.
    pub roots: Vec<String>,
}

/// The packages of `tree`, by folder.
pub fn packages(tree: &Tree) -> Vec<Package> {
    let manifests =
        tree.files().filter(|(path, _)| *path == "Cargo.toml" || path.ends_with("/Cargo.toml"));
    manifests.filter_map(|(path, text)| read(tree, path, text)).collect()
}

fn read(tree: &Tree, path: &str, text: &str) -> Option<Package> {
    let manifest: Table = text.parse().ok()?;
    let name = manifest.get("package")?.get("name")?.as_str()?.to_owned();
    let folder = path.trim_end_matches("Cargo.toml").trim_end_matches('/').to_owned();
    let path_of = |target: &Value| target.get("path").and_then(Value::as_str).map(str::to_owned);
    let programs = manifest.get("bin").and_then(Value::as_array).into_iter().flatten();
    let mut roots: Vec<String> = programs.filter_map(path_of).collect();
    roots.extend(manifest.get("lib").and_then(path_of));
    roots.extend(["src/lib.rs", "src/main.rs"].map(str::to_owned));
    let mut roots: Vec<String> = roots.iter().map(|root| join(&folder, root)).collect();
    let programs = join(&folder, "src/bin/");
    roots.extend(tree.with_extension("rs").filter_map(|(path, _)| {
        let below = path.strip_prefix(&programs)?;
        (!below.contains('/') || below.ends_with("/main.rs")).then(|| path.to_owned())
    }));
    roots.retain(|root| tree.text(root).is_some());
    roots.sort();
    roots.dedup();
    Some(Package { name, folder, roots })
}

/// `path` in `folder`.
pub fn join(folder: &str, path: &str) -> String {
    if folder.is_empty() { path.to_owned() } else { format!("{folder}/{path}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_are_those_that_are_there_or_named() {
        let tree = Tree::of(&[
            ("Cargo.toml", "[workspace]\n[package]\nname = \"top\""),
            ("src/main.rs", ""),
            ("src/bin/other.rs", ""),
            (
                "a/Cargo.toml",
                "[package]\nname = \"a\"\n[lib]\npath = \"all.rs\"\n[[test]]\npath = \"test.rs\"",
            ),
            ("a/all.rs", ""),
            ("a/test.rs", ""),
            ("b/Cargo.toml", "[workspace]"),
        ]);
        let package = |name: &str, folder: &str, roots: &[&str]| Package {
            name: name.to_owned(),
            folder: folder.to_owned(),
            roots: roots.iter().map(|root| (*root).to_owned()).collect(),
        };
        let expected = [
            package("top", "", &["src/bin/other.rs", "src/main.rs"]),
            package("a", "a", &["a/all.rs"]),
        ];
        assert_eq!(packages(&tree), expected);
    }
}
