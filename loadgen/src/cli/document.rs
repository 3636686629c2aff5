//! Writing what was found to a file, by default below `target/`, where nothing is committed.

use std::fmt::Display;
use std::fs::Permissions;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use clap::Args;
use sluicegate::host::files;

use super::CommandError;
use super::output::note;
use loadgen_hub::simulator::utc_text;
use loadgen_load::machine::Machine;
use loadgen_load::outcome::{Document, FORMAT, Finding};
use loadgen_report::check_folder;

/// Readable by whom the umask lets.
const FILE_MODE: u32 = 0o666;

/// Below `target/` of the checkout that this is run in.
const RESULTS: &str = "target/results";

/// `--json`.
#[derive(Debug, Args)]
pub(crate) struct JsonArg {
    /// Write everything that was measured to this file; without FILE, below target/results of the
    /// checkout, or here outside of one
    #[arg(long, value_name = "FILE", num_args = 0..=1)]
    json: Option<Option<PathBuf>>,
}

impl JsonArg {
    /// The file, if one is asked for; a name that is not given is this one's.
    pub(crate) fn file(self, name: &str) -> Option<PathBuf> {
        self.json.map(|file| file.unwrap_or_else(|| result_file(&format!("{name}.json"))))
    }
}

/// Where a result goes whose place no flag names.
pub(crate) fn result_file(name: &str) -> PathBuf {
    let here = std::env::current_dir().ok();
    let checkout = here.as_deref().and_then(|here| checkout_of(here).map(|root| (here, root)));
    match checkout {
        // The shortest name that leads there.
        Some((here, root)) if here == root => Path::new(RESULTS).join(name),
        Some((_, root)) => root.join(RESULTS).join(name),
        None => PathBuf::from(name),
    }
}

/// The nearest folder, this one or one around it, that Cargo builds in.
fn checkout_of(folder: &Path) -> Option<&Path> {
    folder.ancestors().find(|folder| {
        folder.join("Cargo.lock").is_file() || folder.join("target/CACHEDIR.TAG").is_file()
    })
}

/// Makes the folder of a result whose place no flag names; any other folder must be there.
pub(crate) fn make_folder(file: &Path) -> io::Result<()> {
    match file.parent() {
        Some(folder) if folder.ends_with(RESULTS) => std::fs::create_dir_all(folder),
        _ => Ok(()),
    }
}

/// Where and when a measurement began: written in its file, and read before it puts load on
/// anything.
#[derive(Debug)]
pub(crate) struct Beginning {
    file: Option<PathBuf>,
    began: String,
    machine: Machine,
}

impl Beginning {
    /// Now and here, to be written to `file` if there is one.
    ///
    /// # Errors
    /// Nothing can be written there: found out now, not after the measurement.
    pub(crate) fn now(file: Option<PathBuf>) -> Result<Self, CommandError> {
        if let Some(file) = &file {
            files::check_replaceable(file).map_err(|problem| refused(file, &problem))?;
            make_folder(file).map_err(|error| refused(file, &error))?;
            // A file beside it, as at the end.
            temporary(file).map_err(|error| refused(file, &error))?;
        }
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let began = utc_text(since_epoch.unwrap_or_default());
        Ok(Self { file, began, machine: Machine::here() })
    }

    /// Writes the whole document, or leaves whatever the file was; nothing when no file was named.
    ///
    /// # Errors
    /// Nothing can be written there any more.
    pub(crate) fn write(&self, result: Finding) -> Result<(), CommandError> {
        let Some(file) = &self.file else { return Ok(()) };
        let document = Document {
            format: FORMAT,
            loadgen: env!("CARGO_PKG_VERSION").to_owned(),
            began: self.began.clone(),
            machine: self.machine.clone(),
            result,
        };
        let mut text =
            serde_json::to_vec_pretty(&document).map_err(|error| CommandError::internal(&error))?;
        text.push(b'\n');
        let write = || -> io::Result<()> {
            let mut beside = temporary(file)?;
            beside.write_all(&text)?;
            beside.persist(file)?;
            Ok(())
        };
        write().map_err(|error| {
            CommandError::internal(&format_args!("cannot write {}: {error}", file.display()))
        })?;
        note(format_args!("wrote {}", file.display()));
        Ok(())
    }
}

/// An unnamed file in the folder of `file`, which goes away unless it takes its place.
fn temporary(file: &Path) -> io::Result<tempfile::NamedTempFile> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    check_folder(folder)?;
    let mut builder = tempfile::Builder::new();
    builder.permissions(Permissions::from_mode(FILE_MODE)).prefix(".loadgen-");
    builder.tempfile_in(folder)
}

fn refused(file: &Path, error: &dyn Display) -> CommandError {
    CommandError::usage(format!(
        "--json {}: {error}: name a file in a folder that exists and can be written to",
        file.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use loadgen_load::outcome::Calibration;

    fn finding() -> Finding {
        Finding::Calibrate(Box::new(Calibration {
            clock_resolution_ns: 1,
            clock_read_ns: 2.0,
            sleep_overrun: Default::default(),
            stolen: Default::default(),
            qos0: Default::default(),
            qos1: Default::default(),
            others: None,
        }))
    }

    #[test]
    fn the_document_takes_the_place_of_an_old_one() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.json");
        std::fs::write(&file, "old").unwrap();
        let beginning = Beginning::now(Some(file.clone())).unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "old");
        beginning.write(finding()).unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        let document: Document = serde_json::from_str(&text).unwrap();
        assert_eq!((document.format, document.result), (FORMAT, finding()));
        assert!(document.began.starts_with("20") && document.began.ends_with('Z'));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
    }

    /// A checkout is known by what Cargo leaves in it, from any folder below it.
    #[test]
    fn a_checkout_is_found_from_below() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let below = root.join("a/b");
        std::fs::create_dir_all(&below).unwrap();
        assert_eq!(checkout_of(&below), None);
        std::fs::create_dir_all(root.join("target")).unwrap();
        assert_eq!(checkout_of(&below), None, "a folder of that name is none of Cargo's");
        std::fs::write(root.join("target/CACHEDIR.TAG"), "").unwrap();
        assert_eq!(checkout_of(&below), Some(root));
        std::fs::write(root.join("a/Cargo.lock"), "").unwrap();
        assert_eq!(checkout_of(&below), Some(root.join("a").as_path()), "the nearest one");
        assert_eq!(checkout_of(root), Some(root));
    }

    #[test]
    fn a_folder_is_made_below_target_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("target/results/run.json");
        assert!(Beginning::now(Some(file.clone())).is_ok());
        assert!(file.parent().unwrap().is_dir());
        assert!(Beginning::now(Some(folder.path().join("other/run.json"))).is_err());
        assert!(!folder.path().join("other").exists());
    }

    #[test]
    fn a_file_that_cannot_be_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        for file in [folder.path().to_owned(), folder.path().join("no/such.json")] {
            let error = Beginning::now(Some(file)).unwrap_err();
            assert_eq!(error.code, 64);
            assert!(error.text.contains("a folder that exists"), "{error}");
            assert!(!error.text.contains(".loadgen-"), "the name of a file of ours: {error}");
        }
        assert!(Beginning::now(None).unwrap().write(finding()).is_ok());
    }

    /// What a file cannot replace is left as it is, and told before anything is measured.
    #[test]
    fn what_is_no_regular_file_is_refused_at_once_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        let made = std::process::Command::new("mkfifo").arg(&fifo).status().unwrap();
        assert!(made.success());
        let socket = folder.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&fifo, &link).unwrap();
        let before = std::fs::read_dir(folder.path()).unwrap().count();
        let rows = [
            (fifo.as_path(), "a FIFO"),
            (&link, "a FIFO"),
            (&socket, "a socket"),
            (Path::new("/dev/null"), "a device"),
            (folder.path(), "a directory"),
        ];
        for (path, what) in rows {
            let error = Beginning::now(Some(path.to_owned())).unwrap_err();
            assert_eq!(error.code, 64);
            let expected = format!("{}: it is {what}, not a regular file", path.display());
            assert!(error.text.contains(&expected), "{error}");
            let report = loadgen_report::write(path, "<html>").unwrap_err().to_string();
            assert!(report.contains(&format!("it is {what}")), "{report}");
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), before);
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
    }
}
