//! What a program of this workspace was built from.
//!
//! ```text
//! lib.rs:  sources!() --> Build (files, digest)         --> number in the library --.
//! main.rs: version!() --> Build (files, digest, commit) <-- compared with ----------'
//!                           '--> text in the program --> --version
//! perf:                   digest of the tree's files    <-- compared with -- sources() <--|
//! ```
//!
//! Cargo may build a program anew, and link it with a library that it takes for fresh by its time.
//! So each library has the digest as it was when that was compiled. A program with one that is not
//! of the program's own sources names it, and tells no digest.
//!
//! In: the folder of a workspace. Out: a digest of the files that a package is made of, and the
//! commit, where git knows the folder. Not its tests: they are in no program. Without git (a source
//! archive, a Dockerfile's copy) there is a digest and no commit.
#![forbid(unsafe_code)]

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha1::{Digest as _, Sha1};

/// The text of this file: digests can be compared only where they were taken in the same way.
pub const DEFINITION: &str = include_str!("lib.rs");
/// Where that text is in a workspace.
pub const DEFINITION_FILE: &str = "build-info/src/lib.rs";
/// Length of [`Build::text`], which does not depend on what it says: so two builds of the same
/// sources have everything in the same place.
pub const TEXT_BYTES: usize = 64;
/// Digits of a digest that are told.
const DIGITS: usize = 16;
/// Stands before a digest.
const MARK: &str = "sources ";
/// Stands before a library that was built from other sources than the program.
const STALE: &str = "stale library ";

const PRODUCT: [&str; 5] = ["Cargo.toml", "Cargo.lock", "allocator", "build-info", "src"];
const HUB: [&str; 2] = ["loadgen/hub/Cargo.toml", "loadgen/hub/src"];
const LOAD: [&str; 2] = ["loadgen/load/Cargo.toml", "loadgen/load/src"];
const REPORT: [&str; 2] = ["loadgen/report/Cargo.toml", "loadgen/report/src"];
const PAIRED: [&str; 2] = ["perf/paired/Cargo.toml", "perf/paired/src"];
const LOADGEN: [&str; 2] = ["loadgen/Cargo.toml", "loadgen/src"];
const STAGES: [&str; 2] = ["perf/stages/Cargo.toml", "perf/stages/src"];
const PERF: [&str; 2] = ["perf/Cargo.toml", "perf/src"];

/// Files and folders that a package is made of, those of packages that it is built on among them.
fn parts(package: &str) -> Option<Vec<&'static str>> {
    let more: &[&[&str]] = match package {
        "sluicegate" => &[],
        "loadgen-hub" => &[&HUB],
        "loadgen-load" => &[&PAIRED, &HUB, &LOAD],
        "loadgen-report" => &[&PAIRED, &HUB, &LOAD, &REPORT],
        "loadgen" => &[&PAIRED, &HUB, &LOAD, &REPORT, &LOADGEN],
        "paired" => return Some(PAIRED.to_vec()),
        "stages" => &[&STAGES],
        "perf" => &[&PAIRED, &HUB, &LOAD, &REPORT, &STAGES, &PERF],
        _ => return None,
    };
    Some([&PRODUCT[..], &more.concat()].concat())
}

/// The libraries of the workspace that are in the programs of a package.
fn libraries(package: &str) -> &'static [&'static str] {
    match package {
        "sluicegate" => &["sluicegate"],
        "loadgen" => {
            &["sluicegate", "paired", "loadgen-hub", "loadgen-load", "loadgen-report", "loadgen"]
        }
        "stages" => &["sluicegate", "stages"],
        "perf" => &[
            "sluicegate",
            "paired",
            "loadgen-hub",
            "loadgen-load",
            "loadgen-report",
            "stages",
            "perf",
        ],
        _ => &[],
    }
}

/// What a package in a workspace is made of, as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Build {
    root: PathBuf,
    /// Relative to the root, in order.
    files: Vec<String>,
    digest: String,
    /// With the digests of their packages.
    libraries: Vec<(&'static str, String)>,
    commit: Option<Commit>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Commit {
    id: String,
    /// Something differs from it.
    is_dirty: bool,
    /// What git changes when another one is checked out.
    marks: Vec<PathBuf>,
}

impl Build {
    /// Of the programs of `package`, in the workspace around `folder`.
    ///
    /// # Errors
    /// It is no package with a program of such a workspace, or a file cannot be read.
    pub fn of(folder: &Path, package: &str) -> Result<Self, String> {
        let mut build = Self::of_library(folder, package)?;
        let digest = |library: &&'static str| Ok((*library, digest(&build.root, library)?));
        build.libraries = libraries(package).iter().map(digest).collect::<Result<_, String>>()?;
        build.commit = parts(package).and_then(|parts| commit(&build.root, &parts));
        Ok(build)
    }

    /// Of the library of `package`: of no commit, so that none builds it anew.
    ///
    /// # Errors
    /// As [`Build::of`].
    pub fn of_library(folder: &Path, package: &str) -> Result<Self, String> {
        let mut above = folder.ancestors();
        let root = above.find(|above| above.join(DEFINITION_FILE).is_file());
        let root =
            root.ok_or_else(|| format!("no {DEFINITION_FILE} around {}", folder.display()))?;
        let parts =
            parts(package).ok_or_else(|| format!("build-info knows no package {package}"))?;
        let files = files(root, &parts)?;
        let digest = digest_of(root, &files)?;
        Ok(Self { root: root.to_owned(), files, digest, libraries: Vec::new(), commit: None })
    }

    /// The digest of all files.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The libraries in the programs, with the digest that each should have.
    pub fn libraries(&self) -> &[(&'static str, String)] {
        &self.libraries
    }

    /// Every file that decides about [`Build::text`].
    pub fn tracked(&self) -> Vec<PathBuf> {
        let sources = self.files.iter().map(|file| self.root.join(file));
        sources.chain(self.commit.iter().flat_map(|commit| commit.marks.clone())).collect()
    }

    /// `0.1.0 (6398993c0ffe, dirty, sources 0123456789abcdef)`, filled up with blanks. Without git:
    /// `0.1.0 (sources 0123456789abcdef)`.
    ///
    /// # Errors
    /// The version is too long.
    pub fn text(&self, version: &str) -> Result<String, String> {
        self.text_with(version, &format!("{MARK}{}", self.digest))
    }

    /// [`Build::text`] of a program whose `library` has another digest than it should have:
    /// `0.1.0 (6398993c0ffe, dirty, stale library sluicegate)`.
    ///
    /// # Errors
    /// The version is too long.
    pub fn stale_text(&self, version: &str, library: &str) -> Result<String, String> {
        self.text_with(version, &format!("{STALE}{library}"))
    }

    fn text_with(&self, version: &str, made_of: &str) -> Result<String, String> {
        let mut commit = String::new();
        if let Some(Commit { id, is_dirty, .. }) = &self.commit {
            commit = format!("{id}{}, ", if *is_dirty { ", dirty" } else { "" });
        }
        let text = format!("{version} ({commit}{made_of})");
        if text.len() > TEXT_BYTES {
            return Err(format!("'{text}' is longer than {TEXT_BYTES} bytes"));
        }
        Ok(format!("{text:TEXT_BYTES$}"))
    }
}

/// The digest of what `package` is made of in the workspace at `root`, as programs tell it.
///
/// # Errors
/// There is no such package, or a file cannot be read.
pub fn digest(root: &Path, package: &str) -> Result<String, String> {
    let parts = parts(package).ok_or_else(|| format!("build-info knows no package {package}"))?;
    digest_of(root, &files(root, &parts)?)
}

/// The digest in what a program says of its version.
pub fn sources(said: &str) -> Option<&str> {
    let digest = said.split_once(MARK)?.1.get(..DIGITS)?;
    digest.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(digest)
}

/// The library that is of other sources than the program, in what that says of its version.
pub fn stale_library(said: &str) -> Option<&str> {
    Some(said.split_once(STALE)?.1.split_once(')')?.0)
}

fn digest_of(root: &Path, files: &[String]) -> Result<String, String> {
    let mut sha = Sha1::new();
    for file in files {
        let path = root.join(file);
        let text = fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        // Names and lengths, too: the same bytes in other files are another program.
        sha.update(format!("{file}\n{}\n", text.len()));
        sha.update(text);
    }
    let mut digest = String::new();
    for byte in sha.finalize() {
        write!(digest, "{byte:02x}").map_err(|error| error.to_string())?;
    }
    digest.truncate(DIGITS);
    Ok(digest)
}

/// Whether what has this name can be a part of a program: tests, hidden files and what editors
/// leave cannot.
fn is_source(name: &str) -> bool {
    !name.starts_with('.') && !name.ends_with('~') && name != "tests" && name != "tests.rs"
}

/// All files of these parts, in order.
fn files(root: &Path, parts: &[&str]) -> Result<Vec<String>, String> {
    let mut files = Vec::new();
    for part in parts {
        collect(root, part, &mut files).map_err(|error| format!("{part}: {error}"))?;
    }
    files.sort_unstable();
    Ok(files)
}

fn collect(root: &Path, part: &str, files: &mut Vec<String>) -> io::Result<()> {
    if !fs::metadata(root.join(part))?.is_dir() {
        files.push(part.to_owned());
        return Ok(());
    }
    for entry in fs::read_dir(root.join(part))? {
        let name = entry?.file_name();
        let name = name.to_str().ok_or_else(|| io::Error::other("a name that is not UTF-8"))?;
        if is_source(name) {
            collect(root, &format!("{part}/{name}"), files)?;
        }
    }
    Ok(())
}

/// The commit that is checked out at `root`, if that is the top folder of a work tree. A copy that
/// lies somewhere in a work tree is none: its files are not the commit's.
fn commit(root: &Path, parts: &[&str]) -> Option<Commit> {
    let top = PathBuf::from(git(root, &["rev-parse", "--show-toplevel"])?);
    if top.canonicalize().ok()? != root.canonicalize().ok()? {
        return None;
    }
    let id = git(root, &["rev-parse", "--short=12", "HEAD"])?;
    let status = ["status", "--porcelain", "-z", "--no-renames", "--untracked-files=all", "--"];
    let changed = git(root, &[&status[..], parts].concat())?;
    // Each entry is two letters, a blank and a path.
    let is_part = |entry: &str| entry.get(3..).is_some_and(|path| path.split('/').all(is_source));
    let is_dirty = changed.split('\0').any(is_part);
    let marks = ["HEAD", "logs/HEAD"].into_iter().filter_map(|name| {
        let path = root.join(git(root, &["rev-parse", "--git-path", name])?);
        path.is_file().then_some(path)
    });
    Some(Commit { id, is_dirty, marks: marks.collect() })
}

/// What git says, unless it fails. It only reads: builds go on while others commit.
fn git(root: &Path, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new("git");
    command.arg("--no-optional-locks").arg("-C").arg(root).args(arguments);
    // A hook's: they would name another repository than that of the folder.
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"] {
        command.env_remove(name);
    }
    let output = command.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim_end().to_owned())
}

#[cfg(test)]
mod tests;
