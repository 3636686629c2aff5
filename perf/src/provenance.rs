//! Whether a program was built from the tree that it is measured for.
//!
//! Cargo may take another tree's build for this one's: it knows a package by its place in its
//! workspace, and files by their times. So what a program tells of its sources (`--version`) is
//! compared with the files. Each of its libraries has the digest that it was compiled with: a
//! program that was built anew around an old one says so. The digest of the files is taken before
//! Cargo is asked to build: what was changed meanwhile may be in the program or not.
//!
//! Commits from before programs told so are judged by Cargo's list of the files behind the program:
//! all of them must lie in the tree.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use build_info::{DEFINITION, DEFINITION_FILE, digest, sources, stale_library};

use crate::child::{self, Bounds};
use crate::failure::Failure;
use crate::stop::Stop;

/// Longest time until a program has told its version, under emulation on a busy machine.
const VERSION_MAX: Duration = Duration::from_secs(60);

/// The sources of a package, as they were at one moment.
#[derive(Debug)]
pub(crate) struct Sources {
    root: PathBuf,
    package: &'static str,
    /// `None` where digests are taken in another way than ours, or in none.
    digest: Option<String>,
}

impl Sources {
    /// Of `package` in the workspace at `root`, now.
    ///
    /// # Errors
    /// A file cannot be read, or digests are taken in another way there.
    pub(crate) fn of(root: &Path, package: &'static str) -> Result<Self, Failure> {
        let sources = Self::of_any(root, package)?;
        if sources.digest.is_some() {
            return Ok(sources);
        }
        Err(Failure::unavailable(format!(
            "this perf was not built from {}: its {DEFINITION_FILE} is another one. Build perf \
             there, and run that one",
            sources.root.display()
        )))
    }

    /// The same for a tree that may be older or newer than this program.
    ///
    /// # Errors
    /// A file cannot be read.
    pub(crate) fn of_any(root: &Path, package: &'static str) -> Result<Self, Failure> {
        let root = root
            .canonicalize()
            .map_err(|error| Failure::unavailable(format!("{}: {error}", root.display())))?;
        let is_ours =
            fs::read(root.join(DEFINITION_FILE)).is_ok_and(|it| it == DEFINITION.as_bytes());
        let digest = is_ours.then(|| digest(&root, package)).transpose();
        Ok(Self { package, digest: digest.map_err(Failure::unavailable)?, root })
    }

    /// Whether `program` was built from them, and they are still the same. `emulator` is what
    /// stands before a program to run it.
    ///
    /// # Errors
    /// It was not, or does not tell.
    pub(crate) fn verify(
        &self,
        program: &Path,
        emulator: &[String],
        stop: &Stop,
    ) -> Result<(), Failure> {
        let Some(expected) = &self.digest else {
            return self.verify_list(program);
        };
        let said = version(program, emulator, stop)?;
        let refuse = |why: String| Err(Failure::unavailable(why + &advice(self.package)));
        if let Some(library) = stale_library(&said) {
            return Err(Failure::unavailable(format!(
                "{} was not built from {} as it is now: its library {library} is of other sources \
                 than its main.rs{}",
                program.display(),
                self.root.display(),
                advice(library)
            )));
        }
        match sources(&said) {
            None => refuse(format!(
                "{} does not tell what it was built from ('{said}')",
                program.display()
            )),
            Some(known) if known != expected => refuse(format!(
                "{} was not built from {} as it is now: its sources are {known}, not {expected}",
                program.display(),
                self.root.display()
            )),
            Some(_) if digest(&self.root, self.package).as_ref() != Ok(expected) => {
                refuse(format!(
                    "the sources in {} changed while {} was built",
                    self.root.display(),
                    program.display()
                ))
            }
            Some(_) => Ok(()),
        }
    }

    /// As [`Self::verify`], by what Cargo has written beside the program.
    fn verify_list(&self, program: &Path) -> Result<(), Failure> {
        let list = program.with_extension("d");
        let text = fs::read_to_string(&list)
            .map_err(|error| Failure::unavailable(format!("{}: {error}", list.display())))?;
        let files = files_in(&text);
        // A copy of the tree may be below its target folder.
        let is_foreign = |file: &&PathBuf| {
            file.strip_prefix(&self.root).map_or(true, |file| file.starts_with("target"))
        };
        match files.iter().find(is_foreign) {
            Some(foreign) => Err(Failure::unavailable(format!(
                "{} was not built from {}: it is made of {}{}",
                program.display(),
                self.root.display(),
                foreign.display(),
                advice(self.package)
            ))),
            None if files.is_empty() => {
                Err(Failure::unavailable(format!("{} names no file", list.display())))
            }
            None => Ok(()),
        }
    }
}

fn advice(package: &str) -> String {
    format!(
        ". Build it again; where Cargo takes it for fresh, 'cargo clean --release --package \
         {package}' first, with the same --target and target folder"
    )
}

/// What a program tells of its version, in one line.
///
/// # Errors
/// It cannot be run, or we were asked to stop.
pub(crate) fn version(program: &Path, emulator: &[String], stop: &Stop) -> Result<String, Failure> {
    let words: Vec<&str> = emulator.iter().map(String::as_str).collect();
    let mut command = match words.split_first() {
        Some((first, rest)) => {
            let mut command = Command::new(first);
            command.args(rest).arg(program);
            command
        }
        None => Command::new(program),
    };
    command.arg("--version");
    let is_stopped = || stop.is_asked();
    match child::run(command, Bounds { time: VERSION_MAX, is_stopped: &is_stopped }) {
        Ok(said) => Ok(said.stdout.trim().to_owned()),
        Err(_) if stop.is_asked() => Err(Failure::internal("stopped")),
        Err(why) => Err(Failure::unavailable(format!("{} --version: {why}", program.display()))),
    }
}

/// The files behind a program, in Cargo's list: `program: file file`, blanks within names escaped.
fn files_in(list: &str) -> Vec<PathBuf> {
    let first = list.lines().next().unwrap_or_default();
    let files = first.split_once(": ").map_or("", |(_, files)| files);
    let files = files.replace("\\ ", "\0");
    files.split_whitespace().map(|file| PathBuf::from(file.replace('\0', " "))).collect()
}

#[cfg(test)]
mod tests;
