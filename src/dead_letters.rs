//! Alerts that their receiver does not take, as files: nothing of them is lost.
//!
//! - In: an alert with its topic and the reason. Out: one file for each, durable when
//!   [`DeadLetters::park`] returns: its first line is a JSON object, all behind it the body, byte for
//!   byte. `*.pending` is tried again, by a later process too; `*.refused` is for a person.
//! - On the ingest thread, which waits for the disk here: in the middle of a fault alone.
//! - Bounded: [`FILES_MAX`] and [`BYTES_MAX`] in the folder. When full, nothing is written.
//! - Processes may share a folder: each takes up the files for its own destination alone.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tracing::{info, warn};

/// Most files in the folder, refused ones included.
pub const FILES_MAX: usize = 1000;
/// Most bytes of them.
pub const BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Largest file that is read: an alert, and its first line.
const FILE_BYTES_MAX: u64 = 2 * 1024 * 1024;
/// Entries of the folder that are looked at, those of others included.
const ENTRIES_MAX: usize = 10 * FILES_MAX;
/// A file that was not finished in this time never will be: its process is gone.
const UNFINISHED_AGE: Duration = Duration::from_secs(600);

const PENDING: &str = "pending";
const REFUSED: &str = "refused";
const UNFINISHED: &str = "tmp";

/// What is told of an alert in the first line of its file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Where it was to go.
    pub destination: String,
    /// The topic that it was published on.
    pub topic: String,
    /// Its properties, decoded; none where the receiver knows none.
    pub properties: Vec<(String, Option<String>)>,
    /// Why it is here.
    pub reason: String,
    /// When that was.
    pub time: String,
    /// Length of the body, which follows.
    pub body_bytes: u64,
}

/// A file of the folder, without its ending.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Name(String);

/// Why an alert cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// No folder is known.
    #[error("no folder for refused alerts is set")]
    NoFolder,
    /// It holds as much as it may.
    #[error("{0} is full ({FILES_MAX} files or {BYTES_MAX} bytes): move away what it holds")]
    Full(PathBuf),
    /// The system refuses it.
    #[error("{path} cannot be written ({error}): make it writable, or set --refused-dir")]
    Io {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

/// The folder, as one process sees it.
#[derive(Debug)]
pub struct DeadLetters {
    folder: PathBuf,
    destination: String,
}

impl DeadLetters {
    /// The files in `folder` for `destination`. Nothing is made before there is something to write.
    pub fn new(folder: impl Into<PathBuf>, destination: impl Into<String>) -> Self {
        Self { folder: folder.into(), destination: destination.into() }
    }

    /// Writes an alert down. Once this returns its name, it is on the disk.
    ///
    /// # Errors
    /// When the folder is full or cannot be written; there is no file then.
    pub fn park(
        &self,
        topic: &str,
        properties: Vec<(String, Option<String>)>,
        reason: &str,
        body: &[u8],
    ) -> Result<Name, Problem> {
        let head = Head {
            destination: self.destination.clone(),
            topic: topic.to_owned(),
            properties,
            reason: reason.to_owned(),
            time: Timestamp::now().to_string(),
            body_bytes: body.len() as u64,
        };
        self.check_room(body.len())?;
        let millis = Timestamp::now().as_millisecond();
        let name = Name(format!("{millis}-{:08x}", fastrand::u32(..)));
        self.write(&name, PENDING, &head, body).map_err(|error| self.io(error))?;
        Ok(name)
    }

    /// What waits for this destination since an earlier run, oldest first. What cannot be read, or
    /// waits for another one, is told of and stays.
    pub fn pending(&self) -> Vec<(Name, Head, Vec<u8>)> {
        let files = match self.files() {
            Ok(files) => files,
            Err(error) if error.kind() == ErrorKind::NotFound => return Vec::new(),
            Err(error) => {
                warn!("refused alerts of earlier runs are not tried again: {}", self.io(error));
                return Vec::new();
            }
        };
        let (mut pending, mut elsewhere) = (Vec::new(), 0);
        for file in files {
            if file.ending == UNFINISHED {
                self.clear_away(&file);
            }
            if file.ending != PENDING {
                continue;
            }
            match self.read(&file.name) {
                Ok((head, body)) if head.destination == self.destination => {
                    pending.push((file.name, head, body));
                }
                Ok(_) => elsewhere += 1,
                Err(error) => {
                    warn!("{} is left: {error}", self.path(&file.name, PENDING).display())
                }
            }
        }
        let folder = self.folder.display();
        if elsewhere > 0 {
            warn!("{elsewhere} alerts in {folder} wait for other destinations, or client ids");
        }
        if !pending.is_empty() {
            info!("{} alerts in {folder} are tried again", pending.len());
        }
        pending.sort_by(|(a, ..), (b, ..)| a.0.cmp(&b.0));
        pending
    }

    /// A pending alert: its first line and its body.
    ///
    /// # Errors
    /// When it is gone, or not whole.
    pub fn read(&self, name: &Name) -> io::Result<(Head, Vec<u8>)> {
        let path = self.path(name, PENDING);
        let broken = |why: &str| io::Error::new(ErrorKind::InvalidData, why.to_owned());
        if fs::metadata(&path)?.len() > FILE_BYTES_MAX {
            return Err(broken("it is too large for an alert"));
        }
        let mut bytes = fs::read(path)?;
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let end = end.ok_or_else(|| broken("it has no first line"))?;
        let head: Head = serde_json::from_slice(&bytes[..end])
            .map_err(|error| broken(&format!("its first line is not what is written: {error}")))?;
        bytes.drain(..=end);
        if bytes.len() as u64 != head.body_bytes {
            return Err(broken("it is cut off"));
        }
        Ok((head, bytes))
    }

    /// A pending alert has arrived: its file is removed.
    pub fn delivered(&self, name: &Name) {
        let path = self.path(name, PENDING);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                warn!("{} has arrived and stays, to be sent again: {error}", path.display());
            }
            _ => {}
        }
    }

    /// A pending alert is given up: it is kept, and not tried any more. Gives its path.
    ///
    /// # Errors
    /// When the folder cannot be written; it is pending then, as before.
    pub fn refuse(&self, name: &Name, reason: &str) -> Result<PathBuf, Problem> {
        let refuse = || {
            let (head, body) = self.read(name)?;
            let (reason, time) = (reason.to_owned(), Timestamp::now().to_string());
            self.write(name, REFUSED, &Head { reason, time, ..head }, &body)?;
            fs::remove_file(self.path(name, PENDING))
        };
        refuse().map_err(|error| self.io(error))?;
        Ok(self.path(name, REFUSED))
    }

    /// Where a pending alert is.
    pub fn pending_path(&self, name: &Name) -> PathBuf {
        self.path(name, PENDING)
    }

    /// Under another name until it is whole and on the disk, so that no crash leaves a part.
    fn write(&self, name: &Name, ending: &str, head: &Head, body: &[u8]) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        let unfinished = self.path(name, UNFINISHED);
        let written = || {
            let mut file = OpenOptions::new().write(true).create_new(true).open(&unfinished)?;
            let mut line = serde_json::to_vec(head)?;
            line.push(b'\n');
            file.write_all(&line)?;
            file.write_all(body)?;
            file.sync_all()?;
            fs::rename(&unfinished, self.path(name, ending))?;
            File::open(&self.folder)?.sync_all()
        };
        written().inspect_err(|_| {
            let _ = fs::remove_file(&unfinished);
        })
    }

    fn check_room(&self, body_bytes: usize) -> Result<(), Problem> {
        let files = match self.files() {
            Ok(files) => files,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(self.io(error)),
        };
        let bytes: u64 = files.iter().map(|file| file.bytes).sum();
        if files.len() >= FILES_MAX || bytes + body_bytes as u64 > BYTES_MAX {
            return Err(Problem::Full(self.folder.clone()));
        }
        Ok(())
    }

    /// Everything of ours in the folder.
    fn files(&self) -> io::Result<Vec<Found>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.folder)?.take(ENTRIES_MAX) {
            let entry = entry?;
            let path = entry.path();
            let part = |part: Option<&std::ffi::OsStr>| Some(part?.to_str()?.to_owned());
            let (Some(stem), Some(ending)) = (part(path.file_stem()), part(path.extension()))
            else {
                continue;
            };
            let is_ours = [PENDING, REFUSED, UNFINISHED].contains(&ending.as_str());
            // It may be gone by now.
            if let (true, Ok(data)) = (is_ours, entry.metadata()) {
                let (name, modified) = (Name(stem), data.modified().ok());
                files.push(Found { name, ending, bytes: data.len(), modified });
            }
        }
        Ok(files)
    }

    /// Removes what a process left that ended while it wrote; its input is not acknowledged.
    fn clear_away(&self, file: &Found) {
        let age = file.modified.and_then(|time| SystemTime::now().duration_since(time).ok());
        if age.is_some_and(|age| age > UNFINISHED_AGE) {
            let _ = fs::remove_file(self.path(&file.name, UNFINISHED));
        }
    }

    fn path(&self, name: &Name, ending: &str) -> PathBuf {
        Path::new(&self.folder).join(format!("{}.{ending}", name.0))
    }

    fn io(&self, error: io::Error) -> Problem {
        Problem::Io { path: self.folder.clone(), error }
    }
}

/// A file found in the folder.
struct Found {
    name: Name,
    ending: String,
    bytes: u64,
    modified: Option<SystemTime>,
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = b"{\"machine\":\n{\"temperature\":99}}\xff\n\n";

    fn park(letters: &DeadLetters) -> Result<Name, Problem> {
        let properties = vec![("n".to_owned(), Some("1".to_owned())), ("bare".to_owned(), None)];
        letters.park("alerts/a b/\u{e4}", properties, "it hung up", BODY)
    }

    /// Topic, properties, reason and body come back byte for byte, in a later process too, and in
    /// the order of writing; what goes elsewhere is left alone.
    #[test]
    fn a_parked_alert_is_on_disk_byte_for_byte() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("made/when/needed");
        let letters = DeadLetters::new(&folder, "here");
        assert!(letters.pending().is_empty() && !folder.exists());
        let name = park(&letters).unwrap();
        park(&DeadLetters::new(&folder, "there")).unwrap();
        let again = DeadLetters::new(&folder, "here").pending();
        let [(found, head, body)] = &again[..] else { panic!("{again:?}") };
        assert_eq!((found, &body[..]), (&name, BODY));
        assert_eq!((head.topic.as_str(), head.reason.as_str()), ("alerts/a b/ä", "it hung up"));
        assert_eq!(head.properties.len(), 2);
        let file = fs::read(letters.pending_path(&name)).unwrap();
        assert!(file.ends_with(BODY));

        let path = letters.refuse(&name, "for good").unwrap();
        let file = fs::read(path).unwrap();
        let line = file.split(|byte| *byte == b'\n').next().unwrap();
        let head: Head = serde_json::from_slice(line).unwrap();
        assert_eq!((head.reason.as_str(), head.topic.as_str()), ("for good", "alerts/a b/ä"));
        assert_eq!(&file[line.len() + 1..], BODY);
        assert!(letters.pending().is_empty());
    }

    #[test]
    fn what_has_arrived_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let letters = DeadLetters::new(folder.path(), "here");
        let name = park(&letters).unwrap();
        letters.delivered(&name);
        letters.delivered(&name);
        assert!(letters.pending().is_empty());
    }

    /// Files of any kind fill it; then nothing more is written, and the problem says what to do.
    #[test]
    fn a_full_folder_takes_no_more() {
        let folder = tempfile::tempdir().unwrap();
        let letters = DeadLetters::new(folder.path(), "here");
        for n in 1..FILES_MAX {
            File::create(folder.path().join(format!("{n}.refused"))).unwrap();
        }
        File::create(folder.path().join("a note")).unwrap();
        let name = park(&letters).unwrap();
        let problem = park(&letters).unwrap_err().to_string();
        assert!(problem.contains("full") && problem.contains("move away"), "{problem}");
        letters.delivered(&name);
        File::create(folder.path().join("1.refused")).unwrap().set_len(BYTES_MAX).unwrap();
        assert!(matches!(park(&letters), Err(Problem::Full(_))));
    }

    /// Where there can be no folder the problem names it, and what to do.
    #[test]
    fn a_folder_that_cannot_be_written_is_told() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let letters = DeadLetters::new(file.path().join("below"), "here");
        let problem = park(&letters).unwrap_err().to_string();
        assert!(problem.contains("cannot be written") && problem.contains("--refused-dir"));
        assert!(letters.pending().is_empty());
    }

    /// A file that is no alert, or was cut off, is left alone.
    #[test]
    fn a_broken_file_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let letters = DeadLetters::new(folder.path(), "here");
        let name = park(&letters).unwrap();
        let path = letters.pending_path(&name);
        let whole = fs::read(&path).unwrap();
        for part in [&whole[..whole.len() - 1], &whole[..20], b"{}\n", b""] {
            fs::write(&path, part).unwrap();
            assert!(letters.read(&name).is_err());
            assert!(letters.pending().is_empty() && path.exists());
        }
        File::create(&path).unwrap().set_len(FILE_BYTES_MAX + 1).unwrap();
        assert!(letters.read(&name).is_err());
    }
}
