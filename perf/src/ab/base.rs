//! The two programs: of a commit, and of the work tree.
//!
//! The commit's files go to `target/ab/tree`, whose build has a target folder of its own beside it.
//! Both are kept, so that the next comparison with the same commit builds nothing, and with another
//! one the module alone; a target folder that has grown past [`TARGET_BYTES_MAX`] is begun anew.
//! The repository is only read. Cargo's settings of the work tree hold for the commit as well,
//! because its files lie below. What comes out of a build is not believed to be of its tree, but
//! verified.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use build_info::TEXT_BYTES;

use crate::cargo;
use crate::failure::Failure;
use crate::job;
use crate::provenance::{self, Sources};
use crate::stop::Stop;

/// Built anew past this.
const TARGET_BYTES_MAX: u64 = 2 << 30;
const BUILD_MAX: Duration = Duration::from_secs(3600);
/// How long another comparison may go on holding the lock, and how often it is tried meanwhile.
const LOCK_WAIT: Duration = Duration::from_secs(1);
const LOCK_TICK: Duration = Duration::from_millis(20);
const COPY_MAX: Duration = Duration::from_secs(120);

/// The repository, and where the commit to compare with is built.
pub(super) struct Workshop {
    root: PathBuf,
    cargo: PathBuf,
    folder: PathBuf,
    stop: Stop,
    /// Held while it lives: two comparisons would build over each other.
    _lock: File,
}

impl Workshop {
    /// In the repository at `root`.
    ///
    /// # Errors
    /// Another comparison is going on, or there is no room for it.
    pub(super) fn open(root: &Path, cargo: PathBuf, stop: Stop) -> Result<Self, Failure> {
        let folder = root.join("target/ab");
        let opened = || -> io::Result<File> {
            fs::create_dir_all(&folder)?;
            File::create(folder.join("lock"))
        };
        let failure =
            |error: io::Error| Failure::unavailable(format!("{}: {error}", folder.display()));
        let lock = opened().map_err(failure)?;
        let until = Instant::now() + LOCK_WAIT;
        loop {
            match lock.try_lock() {
                Ok(()) => break,
                // A process that is being started holds for a moment what its parent has open.
                Err(TryLockError::WouldBlock) if Instant::now() < until => thread::sleep(LOCK_TICK),
                Err(TryLockError::WouldBlock) => {
                    return Err(Failure::unavailable("another 'perf ab' is at work here"));
                }
                Err(TryLockError::Error(error)) => return Err(failure(error)),
            }
        }
        Ok(Self { root: root.to_owned(), cargo, folder, stop, _lock: lock })
    }

    /// Where files of a comparison may be; on the same file system as the programs.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Builds the module of `commit`; the program.
    ///
    /// # Errors
    /// It cannot be built, or is not of this commit.
    pub(super) fn build_commit(&self, commit: &str) -> Result<PathBuf, Failure> {
        let (tree, target) = (self.folder.join("tree"), self.folder.join("target"));
        self.check_out(commit, &tree)?;
        if bytes_of(&target) > TARGET_BYTES_MAX {
            fs::remove_dir_all(&target).map_err(Failure::unavailable)?;
        }
        // A commit from before programs told what they are made of can be compared with, too.
        let sources = Sources::of_any(&tree, "sluicegate")?;
        self.build(&tree, &target, "sluicegate", &sources)
    }

    /// Builds a program of the work tree.
    ///
    /// # Errors
    /// It cannot be built, or is not of the work tree.
    pub(super) fn build_work_tree(&self, package: &'static str) -> Result<PathBuf, Failure> {
        let sources = Sources::of(&self.root, package)?;
        self.build(&self.root, &self.root.join("target"), package, &sources)
    }

    /// Whether two programs are the same but for what tells where, and of which commit, they were
    /// built.
    pub(super) fn are_alike(&self, a: &Path, b: &Path) -> bool {
        let bare = |program: &Path| -> Result<Vec<u8>, String> {
            let bare = program.with_extension("bare");
            let mut command = Command::new("strip");
            command.args(["--strip-all", "--remove-section=.note.gnu.build-id", "-o"]);
            command.arg(&bare).arg(program);
            job::succeed(command, COPY_MAX, &self.stop)?;
            let bytes = fs::read(bare).map_err(|error| error.to_string())?;
            let version = provenance::version(program, &[], &self.stop);
            Ok(without_build(bytes, &version.map_err(|failure| failure.text)?))
        };
        match (fs::read(a), fs::read(b)) {
            (Ok(a), Ok(b)) if a == b => true,
            _ => bare(a).is_ok_and(|a| bare(b) == Ok(a)),
        }
    }

    /// Puts the files of `commit` into `tree`, unless they are there already.
    fn check_out(&self, commit: &str, tree: &Path) -> Result<(), Failure> {
        let mark = self.folder.join("tree.commit");
        if tree.is_dir() && fs::read_to_string(&mark).is_ok_and(|marked| marked == commit) {
            return Ok(());
        }
        let room = || -> io::Result<()> {
            if mark.exists() {
                fs::remove_file(&mark)?;
            }
            if tree.exists() {
                fs::remove_dir_all(tree)?;
            }
            fs::create_dir(tree)
        };
        room().map_err(Failure::unavailable)?;
        let archive = self.folder.join("tree.tar");
        let mut git = Command::new("git");
        git.arg("-C").arg(&self.root).args(["archive", "--format=tar", "-o"]);
        git.arg(&archive).arg(commit);
        self.succeed(git, COPY_MAX)?;
        // The time of a file is now, not the commit's: Cargo takes what is older than its last
        // build for known.
        let mut tar = Command::new("tar");
        tar.args(["-x", "-m", "-f"]).arg(&archive).arg("-C").arg(tree);
        self.succeed(tar, COPY_MAX)?;
        let marked = fs::remove_file(&archive).and_then(|()| fs::write(&mark, commit));
        marked.map_err(Failure::unavailable)
    }

    /// Each package alone: what others ask of a dependency must not make the two programs differ.
    fn build(
        &self,
        tree: &Path,
        target: &Path,
        package: &str,
        sources: &Sources,
    ) -> Result<PathBuf, Failure> {
        let mut command = cargo::command(&self.cargo);
        command.args(["build", "-q", "--release", "-p", package, "--target-dir"]);
        command.arg(target).current_dir(tree);
        self.succeed(command, BUILD_MAX)?;
        let program = target.join("release").join(package);
        if !program.is_file() {
            return Err(Failure::unavailable(format!("{} is missing", program.display())));
        }
        sources.verify(&program, &[], &self.stop)?;
        Ok(program)
    }

    fn succeed(&self, command: Command, limit: Duration) -> Result<(), Failure> {
        job::succeed(command, limit, &self.stop).map_err(|why| {
            if self.stop.is_asked() {
                Failure::internal("stopped: no answer")
            } else {
                Failure::unavailable(why)
            }
        })
    }
}

/// A program's bytes without what it tells of its build, which has the same length in each.
fn without_build(mut bytes: Vec<u8>, version: &str) -> Vec<u8> {
    let text = version.split_once(' ').map_or("", |(_, text)| text);
    let text = format!("{text:TEXT_BYTES$}").into_bytes();
    let mut from = 0;
    while let Some(at) = bytes[from..].windows(text.len()).position(|window| window == text) {
        bytes[from + at..from + at + text.len()].fill(b' ');
        from += at + text.len();
    }
    bytes
}

/// Of all files below a folder; what cannot be looked at counts nothing.
fn bytes_of(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let size = |entry: fs::DirEntry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => bytes_of(&entry.path()),
        _ => entry.metadata().map_or(0, |facts| facts.len()),
    };
    entries.map(size).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of the same sources, within git and without.
    #[test]
    fn programs_that_differ_in_their_commit_alone_are_alike() {
        let bytes =
            |text: &str| format!("code {text:TEXT_BYTES$}{text:TEXT_BYTES$} data").into_bytes();
        let failure =
            ["0.1.0 (sources 0123456789abcdef)", "0.1.0 (ab, dirty, sources 0123456789abcdef)"];
        let [a, b] = failure.map(|text| without_build(bytes(text), &format!("sluicegate {text}")));
        assert_eq!(a, b);
        assert!(a.starts_with(b"code  ") && a.ends_with(b"  data"));
        assert_eq!(without_build(bytes("else"), "sluicegate 0.1.0"), bytes("else"));
    }
}
