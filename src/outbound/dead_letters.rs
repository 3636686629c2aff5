//! Alerts that their receiver does not take, as files: nothing of them is lost.
//!
//! - In: an alert with its topic and the reason. Out: one file for each, durable when
//!   [`DeadLetters::park`] returns: its first line is a JSON object, all behind it the body, byte
//!   for byte. `*.pending` is tried again, by a later process too; `*.refused` is for a person.
//! - On the ingest thread, which waits for the disk here: in the middle of a fault alone.
//! - Bounded: [`FILES_MAX`] and [`BYTES_MAX`] in the folder. When full, nothing is written. What it
//!   holds is kept in memory, and counted anew once in `RECOUNT_INTERVAL`.
//! - Processes may share a folder: each takes up the files for its own destination alone.
//! - Anybody may put anything there: what is no regular file of that size is named in the log, and
//!   stays.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use humantime::format_rfc3339;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use tracing::{info, warn};

use crate::azure::members::problem;
use crate::host::files::{self, FileProblem};
use crate::host::utc;

/// Most files in the folder, refused ones included.
pub const FILES_MAX: usize = 1000;
/// Most bytes of them.
pub const BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Largest file that is read: an alert, and its first line.
const FILE_BYTES_MAX: u64 = 2 * 1024 * 1024;
/// Entries of the folder that are looked at, those of others included.
const ENTRIES_MAX: usize = 10 * FILES_MAX;
/// How long the count of what the folder holds is good: other processes and people use it too.
const RECOUNT_INTERVAL: Duration = Duration::from_secs(60);
/// The same, once it is full or cannot be written: somebody may mend that.
const RECOUNT_INTERVAL_MIN: Duration = Duration::from_secs(1);
/// Of how many files that cannot be read the log has a line each, at a start.
const LINES_MAX: usize = 10;
/// A file that was not finished in this time never will be: its process is gone.
const UNFINISHED_AGE: Duration = Duration::from_secs(600);

const PENDING: &str = "pending";
const REFUSED: &str = "refused";
const UNFINISHED: &str = "tmp";

/// What the first line of a file says of its alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
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
pub struct FileName(String);

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
    usage: Option<Usage>,
}

/// What the folder holds, as far as is known.
#[derive(Debug)]
struct Usage {
    files: usize,
    bytes: u64,
    counted: Instant,
    /// It is full, or was not writable.
    is_stuck: bool,
}

impl Usage {
    fn is_old(&self) -> bool {
        let most = if self.is_stuck { RECOUNT_INTERVAL_MIN } else { RECOUNT_INTERVAL };
        self.counted.elapsed() >= most
    }
}

impl DeadLetters {
    /// The files in `folder` for `destination`. Nothing is made before there is something to write.
    pub fn new(folder: impl Into<PathBuf>, destination: impl Into<String>) -> Self {
        Self { folder: folder.into(), destination: destination.into(), usage: None }
    }

    /// Writes an alert down. Once this returns its name, it is on the disk.
    ///
    /// # Errors
    /// When the folder is full or cannot be written; there is no file then.
    pub fn park(
        &mut self,
        topic: &str,
        properties: Vec<(String, Option<String>)>,
        reason: &str,
        body: &[u8],
    ) -> Result<FileName, Problem> {
        let head = Header {
            destination: self.destination.clone(),
            topic: topic.to_owned(),
            properties,
            reason: reason.to_owned(),
            time: format_rfc3339(utc::now()).to_string(),
            body_bytes: body.len() as u64,
        };
        self.check_room(body.len())?;
        let millis =
            utc::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis();
        let name = FileName(format!("{millis}-{:08x}", fastrand::u32(..)));
        let written = self.write(&name, PENDING, &head, body);
        if let Some(usage) = &mut self.usage {
            match &written {
                Ok(bytes) => (usage.files, usage.bytes) = (usage.files + 1, usage.bytes + bytes),
                Err(_) => usage.is_stuck = true,
            }
        }
        written.map_err(|error| self.io(error))?;
        Ok(name)
    }

    /// What waits for this destination since an earlier run, oldest first. What cannot be read, or
    /// waits for another one, is named in the log and stays.
    pub fn pending(&self) -> Vec<(FileName, Header, Vec<u8>)> {
        let files = match self.files() {
            Ok(files) => files,
            Err(error) => {
                warn!("refused alerts of earlier runs are not tried again: {}", self.io(error));
                return Vec::new();
            }
        };
        let mut names = Vec::new();
        for file in files {
            match file.ending.as_str() {
                UNFINISHED => self.clear_away(&file),
                PENDING => names.push(file.name),
                _ => {}
            }
        }
        names.sort_by(|a, b| a.0.cmp(&b.0));
        let (mut pending, mut bytes) = (Vec::new(), 0);
        let (mut elsewhere, mut unread, mut beyond) = (0, 0, 0);
        for name in names {
            if pending.len() >= FILES_MAX || bytes > BYTES_MAX {
                beyond += 1;
                continue;
            }
            match self.read(&name) {
                Ok((head, body)) if head.destination == self.destination => {
                    bytes += body.len() as u64;
                    pending.push((name, head, body));
                }
                Ok(_) => elsewhere += 1,
                Err(error) => {
                    unread += 1;
                    if unread <= LINES_MAX {
                        warn!("{} is left: {error}", self.path(&name, PENDING).display());
                    }
                }
            }
        }
        let folder = self.folder.display();
        if unread > LINES_MAX {
            warn!("{} more files in {folder} are left, which cannot be read", unread - LINES_MAX);
        }
        if beyond > 0 {
            warn!("{beyond} more alerts in {folder} wait for a later start");
        }
        if elsewhere > 0 {
            warn!("{elsewhere} alerts in {folder} wait for other destinations, or client ids");
        }
        if !pending.is_empty() {
            info!("{} alerts in {folder} are tried again", pending.len());
        }
        pending
    }

    /// A pending alert: its first line and its body.
    ///
    /// # Errors
    /// When it is gone, or not whole.
    pub fn read(&self, name: &FileName) -> io::Result<(Header, Vec<u8>)> {
        let path = self.path(name, PENDING);
        let broken = |why: &str| io::Error::new(ErrorKind::InvalidData, why.to_owned());
        let mut bytes = files::read(&path, FILE_BYTES_MAX).map_err(|problem| match problem {
            FileProblem::Io(error) => error,
            other => broken(&other.to_string()),
        })?;
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let end = end.ok_or_else(|| broken("it has no first line"))?;
        let head: Header = serde_json::from_slice(&bytes[..end])
            .map_err(|error| broken(&format!("its first line {}", problem(&error))))?;
        bytes.drain(..=end);
        if bytes.len() as u64 != head.body_bytes {
            return Err(broken("it is cut off"));
        }
        Ok((head, bytes))
    }

    /// A pending alert has arrived: its file is removed.
    pub fn delivered(&mut self, name: &FileName) {
        let path = self.path(name, PENDING);
        let bytes = fs::symlink_metadata(&path).map_or(0, |data| data.len());
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                warn!("{} has arrived and stays, to be sent again: {error}", path.display());
            }
            Err(_) => {}
            Ok(()) => {
                if let Some(usage) = &mut self.usage {
                    usage.files = usage.files.saturating_sub(1);
                    usage.bytes = usage.bytes.saturating_sub(bytes);
                }
            }
        }
    }

    /// A pending alert is given up: it is kept, and not tried any more. Gives its path.
    ///
    /// # Errors
    /// When the folder cannot be written; it is pending then, as before.
    pub fn refuse(&self, name: &FileName, reason: &str) -> Result<PathBuf, Problem> {
        let refuse = || {
            let (head, body) = self.read(name)?;
            let (reason, time) = (reason.to_owned(), format_rfc3339(utc::now()).to_string());
            self.write(name, REFUSED, &Header { reason, time, ..head }, &body)?;
            fs::remove_file(self.path(name, PENDING))
        };
        refuse().map_err(|error| self.io(error))?;
        Ok(self.path(name, REFUSED))
    }

    /// Where a pending alert is.
    pub fn pending_path(&self, name: &FileName) -> PathBuf {
        self.path(name, PENDING)
    }

    /// Under another name until it is whole and on the disk, so that no crash leaves a part. Gives
    /// the length of the file.
    fn write(&self, name: &FileName, ending: &str, head: &Header, body: &[u8]) -> io::Result<u64> {
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
            File::open(&self.folder)?.sync_all()?;
            Ok((line.len() + body.len()) as u64)
        };
        written().inspect_err(|_| {
            let _ = fs::remove_file(&unfinished);
        })
    }

    fn check_room(&mut self, body_bytes: usize) -> Result<(), Problem> {
        if self.usage.as_ref().is_none_or(Usage::is_old) {
            self.usage = Some(self.count()?);
        }
        let Some(usage) = &mut self.usage else { return Ok(()) };
        if usage.files >= FILES_MAX || usage.bytes + body_bytes as u64 > BYTES_MAX {
            usage.is_stuck = true;
            return Err(Problem::Full(self.folder.clone()));
        }
        Ok(())
    }

    fn count(&self) -> Result<Usage, Problem> {
        let files = self.files().map_err(|error| self.io(error))?;
        let bytes = files.iter().map(|file| file.bytes).sum();
        Ok(Usage { files: files.len(), bytes, counted: Instant::now(), is_stuck: false })
    }

    /// Everything of ours in the folder; nothing where there is none, as before the first fault.
    fn files(&self) -> io::Result<Vec<FolderEntry>> {
        let mut files = Vec::new();
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(files),
            Err(error) => return Err(error),
        };
        for (index, entry) in entries.enumerate() {
            let entry = entry?;
            if index == ENTRIES_MAX {
                let folder = self.folder.display();
                warn!("{folder} holds over {ENTRIES_MAX} files: no more are looked at; clear it");
                break;
            }
            let path = entry.path();
            let part = |part: Option<&std::ffi::OsStr>| Some(part?.to_str()?.to_owned());
            let (Some(stem), Some(ending)) = (part(path.file_stem()), part(path.extension()))
            else {
                continue;
            };
            let is_ours = [PENDING, REFUSED, UNFINISHED].contains(&ending.as_str());
            // It may be gone by now.
            if let (true, Ok(data)) = (is_ours, entry.metadata()) {
                let (name, modified) = (FileName(stem), data.modified().ok());
                let is_regular = data.is_file();
                files.push(FolderEntry { name, ending, bytes: data.len(), modified, is_regular });
            }
        }
        Ok(files)
    }

    /// Removes what a process left that ended while it wrote; its input is not acknowledged.
    fn clear_away(&self, file: &FolderEntry) {
        let age = file.modified.and_then(|time| SystemTime::now().duration_since(time).ok());
        if file.is_regular && age.is_some_and(|age| age > UNFINISHED_AGE) {
            let _ = fs::remove_file(self.path(&file.name, UNFINISHED));
        }
    }

    fn path(&self, name: &FileName, ending: &str) -> PathBuf {
        Path::new(&self.folder).join(format!("{}.{ending}", name.0))
    }

    fn io(&self, error: io::Error) -> Problem {
        Problem::Io { path: self.folder.clone(), error }
    }
}

/// A file found in the folder.
struct FolderEntry {
    name: FileName,
    ending: String,
    bytes: u64,
    modified: Option<SystemTime>,
    /// And no symbolic link.
    is_regular: bool,
}

#[cfg(test)]
mod tests;
