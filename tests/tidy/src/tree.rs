//! The files that the rules look at.
//!
//! In: a folder. Out: every file in it but for what `.gitignore` names, as text where it is text.
//! Whether git knows the folder does not matter, so a source archive is read alike, and a new file
//! counts before it is committed.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use crate::markdown::Document;
use crate::outline::Outline;

/// The files of a folder, by their paths relative to it.
#[derive(Debug, Default)]
pub struct Tree {
    files: BTreeMap<String, String>,
    outlines: OnceLock<Vec<Outline>>,
    documents: OnceLock<Vec<Document>>,
}

impl Tree {
    /// Reads the folder `root`.
    ///
    /// # Errors
    /// Something in it cannot be read.
    pub fn load(root: &Path) -> Result<Self, String> {
        let walk = ignore::WalkBuilder::new(root)
            .standard_filters(false)
            .git_ignore(true)
            .require_git(false)
            .filter_entry(|entry| entry.file_name() != ".git")
            .build();
        let mut files = BTreeMap::new();
        for entry in walk {
            let entry = entry.map_err(|error| error.to_string())?;
            if entry.file_type().is_some_and(|kind| kind.is_file()) {
                let path = entry.path();
                let bytes =
                    fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
                let name = path.strip_prefix(root).expect("the walk begins at the root");
                // What is no text has no lines: only its name counts.
                let text = String::from_utf8(bytes).unwrap_or_default();
                files.insert(name.display().to_string(), text);
            }
        }
        Ok(Self { files, ..Self::default() })
    }

    /// A made tree.
    pub fn of(files: &[(&str, &str)]) -> Self {
        let files = files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned()));
        Self { files: files.collect(), ..Self::default() }
    }

    /// Every file: its path and its text.
    pub fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// Every file whose name ends with `.extension`.
    pub fn with_extension(&self, extension: &str) -> impl Iterator<Item = (&str, &str)> {
        self.files().filter(move |(path, _)| has_extension(path, extension))
    }

    /// The text of the file at `path`.
    pub fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }

    /// Whether `path` is a file, or a folder with files in it.
    pub fn has(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        self.files.contains_key(path) || self.has_folder(path)
    }

    /// Whether `path` is a folder with files in it. The root is one.
    pub fn has_folder(&self, path: &str) -> bool {
        let folder = format!("{path}/");
        path.is_empty()
            || self
                .files
                .range(folder.clone()..)
                .next()
                .is_some_and(|(file, _)| file.starts_with(&folder))
    }

    /// Every Rust file, read.
    pub fn outlines(&self) -> &[Outline] {
        self.outlines.get_or_init(|| {
            self.with_extension("rs").map(|(path, text)| Outline::of(path, text)).collect()
        })
    }

    /// Every Markdown file, read.
    pub fn documents(&self) -> &[Document] {
        self.documents.get_or_init(|| {
            self.with_extension("md").map(|(path, text)| Document::of(path, text)).collect()
        })
    }
}

/// Whether the name of the file at `path` ends with `.extension`.
pub fn has_extension(path: &str, extension: &str) -> bool {
    Path::new(path).extension().is_some_and(|found| found == extension)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_git_ignores_is_left_out_with_and_without_git() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let tree = Tree::load(&root).unwrap();
        assert!(tree.text("tests/tidy/src/tree.rs").unwrap().contains("fn load"));
        assert!(tree.has(".gitignore") && tree.has("tests/tidy"), "hidden files and folders count");
        assert!(!tree.has("target") && !tree.has(".git"), "neither builds nor git's own files");
    }

    #[test]
    fn folders_are_seen_through_their_files() {
        let tree = Tree::of(&[("a/b.rs", ""), ("ab.rs", "")]);
        assert!(tree.has("a") && tree.has("a/") && tree.has("a/b.rs") && tree.has_folder(""));
        assert!(!tree.has("b.rs") && !tree.has("a/b"));
    }
}
