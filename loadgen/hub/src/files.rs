//! Reading and atomically replacing the files of the state folder.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sluicegate::host::files;

use super::HubError;

/// Largest file of the state folder: a thousand devices and their twins have a tenth of it.
const STATE_BYTES_MAX: u64 = 256 << 20;

/// File whose lock says that a hub is using the folder.
const LOCK_FILE: &str = "hub.lock";

/// The lock of a state folder, which a hub holds as long as this lives.
#[derive(Debug)]
pub(super) struct FolderLock(File);

impl Drop for FolderLock {
    fn drop(&mut self) {
        // Closing the file would not do: a process that is being started has a copy of it open
        // until its program runs. On an error the lock ends with the last copy.
        let _ = self.0.unlock();
    }
}

/// Creates the state folder and takes its lock.
///
/// # Errors
/// When the folder cannot be made, or another hub holds it.
pub(super) fn lock_folder(state_dir: &Path) -> Result<FolderLock, HubError> {
    std::fs::create_dir_all(state_dir)
        .map_err(|error| HubError::state(state_dir, format!("cannot be created: {error}")))?;
    let path = state_dir.join(LOCK_FILE);
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        // What is no file must not hold the hub up.
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
        .open(&path)
        .map_err(|error| HubError::state(&path, format!("cannot be opened: {error}")))?;
    match file.try_lock() {
        Ok(()) => Ok(FolderLock(file)),
        Err(std::fs::TryLockError::WouldBlock) => {
            Err(HubError::state(&path, "is held by another hub that uses this state folder"))
        }
        Err(std::fs::TryLockError::Error(error)) => {
            Err(HubError::state(&path, format!("cannot be locked: {error}")))
        }
    }
}

/// The whole text of a file.
pub(super) fn read(path: &Path) -> Result<String, HubError> {
    files::read_text(path, STATE_BYTES_MAX)
        .map_err(|problem| HubError::state(path, format!("cannot be read: {problem}")))
}

/// The JSON value of a file, or the default when there is no such file.
///
/// # Errors
/// Names the file when it is not what a hub wrote.
pub(super) fn read_json<T: DeserializeOwned + Default>(path: &Path) -> Result<T, HubError> {
    if !path.try_exists().unwrap_or(true) {
        return Ok(T::default());
    }
    let text = read(path)?;
    serde_json::from_str(&text).map_err(|error| {
        // The parser's message names a place, never the text: keys stay out of it.
        HubError::state(path, format!("is damaged ({error}): repair or remove it"))
    })
}

/// Replaces a file by `content` in one step: a reader sees the old or the new, never a part.
pub(super) fn replace(path: &Path, content: &[u8]) -> Result<(), HubError> {
    write_then_rename(path, content, 0o644)
}

/// As [`replace`], readable by the owner only.
pub(super) fn replace_secret(path: &Path, content: &[u8]) -> Result<(), HubError> {
    write_then_rename(path, content, 0o600)
}

/// Replaces a file by `value` as JSON.
pub(super) fn replace_json<T: Serialize>(path: &Path, value: &T) -> Result<(), HubError> {
    replace(path, &to_json(path, value)?)
}

/// As [`replace_json`], readable by the owner only.
pub(super) fn replace_secret_json<T: Serialize>(path: &Path, value: &T) -> Result<(), HubError> {
    replace_secret(path, &to_json(path, value)?)
}

fn to_json<T: Serialize>(path: &Path, value: &T) -> Result<Vec<u8>, HubError> {
    let mut text = serde_json::to_vec_pretty(value)
        .map_err(|error| HubError::state(path, format!("cannot be written: {error}")))?;
    text.push(b'\n');
    Ok(text)
}

/// No `fsync`: the state of a development hub survives the process, not a power cut.
fn write_then_rename(path: &Path, content: &[u8], mode: u32) -> Result<(), HubError> {
    let temporary = temporary_name(path);
    let written = create(&temporary, mode)
        .and_then(|mut file| file.write_all(content))
        .and_then(|()| std::fs::rename(&temporary, path));
    written.map_err(|error| {
        // Half a file helps nobody, and on a full disk its room is wanted. It may not be there.
        let _ = std::fs::remove_file(&temporary);
        let reason = format!(
            "cannot be written: {error}: it is as it was; make room there, or make the folder \
             writable"
        );
        HubError::NotSaved { file: path.to_owned(), reason }
    })
}

fn temporary_name(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    PathBuf::from(name)
}

#[cfg(unix)]
fn create(path: &Path, mode: u32) -> std::io::Result<File> {
    // A leftover may have other permissions, which opening would keep.
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    OpenOptions::new().create_new(true).write(true).mode(mode).open(path)
}

#[cfg(not(unix))]
fn create(path: &Path, _mode: u32) -> std::io::Result<File> {
    File::create(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where nothing can be written, the old content stays and nothing else is left.
    #[test]
    fn what_cannot_be_written_leaves_no_trace() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.json");
        replace(&file, b"old").unwrap();
        // A folder cannot be replaced by a file: the last step fails.
        let target = folder.path().join("b.json");
        std::fs::create_dir_all(target.join("inside")).unwrap();
        let error = replace(&target, b"new").unwrap_err().to_string();
        assert!(error.contains("b.json cannot be written"), "{error}");
        // Nor can the temporary file be made where a folder has its name: the first step fails.
        std::fs::create_dir_all(temporary_name(&file).join("inside")).unwrap();
        assert!(replace_secret(&file, b"new").is_err());
        assert_eq!(std::fs::read(&file).unwrap(), b"old");
        std::fs::remove_dir_all(temporary_name(&file)).unwrap();
        assert!(replace(&folder.path().join("no/such.json"), b"new").is_err());
        let mut names: Vec<_> = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        assert_eq!(names, ["a.json", "b.json"]);
    }

    /// A hub that stops leaves its folder to the next one, though a process that is being started
    /// still has a copy of the file open.
    #[test]
    fn the_folder_is_free_when_its_hub_has_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let lock = lock_folder(folder.path()).unwrap();
        let of_a_child = lock.0.try_clone().unwrap();
        let error = lock_folder(folder.path()).unwrap_err().to_string();
        assert!(error.contains("is held by another hub"), "{error}");
        drop(lock);
        let next = lock_folder(folder.path()).unwrap();
        drop(of_a_child);
        assert!(
            lock_folder(folder.path()).is_err(),
            "the copy took the lock of the next hub along"
        );
        drop(next);
    }
}
