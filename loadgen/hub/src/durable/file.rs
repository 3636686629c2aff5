//! The file: three tables of an embedded store, which survives a kill between any two writes.
//!
//! Made with the first message that has to be kept, and removed once it holds none at a start or
//! an end, so that an idle hub leaves nothing behind.

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use bytes::Bytes;
use redb::backends::FileBackend;
use redb::{Database, ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition};
use rustix::fs::OFlags;
use sluicegate::azure::Properties;

use super::super::HubError;
use super::super::telemetry::UpstreamMessage;
use super::batch::{Batch, KeptInput};

/// Name of the file in the state folder; readable by the owner only.
pub(crate) const MESSAGES_FILE: &str = "messages.redb";
/// Memory for pages of the file.
const CACHE_BYTES: usize = 8 << 20;
/// Number of the form in which messages are written.
const FORMAT: u64 = 1;

/// Client id, topic and body, by number.
const INPUTS: TableDefinition<'_, u64, (&str, &str, &[u8])> = TableDefinition::new("inputs");
/// Device, module, output, property bag and body, by number.
const UPSTREAM: TableDefinition<'_, u64, UpstreamRow<'_>> = TableDefinition::new("upstream");
/// What the file is.
const ABOUT: TableDefinition<'_, &str, u64> = TableDefinition::new("about");
const FORMAT_KEY: &str = "format";

type UpstreamRow<'a> = (&'a str, Option<&'a str>, Option<&'a str>, &'a str, &'a [u8]);

/// What a file held, each in the order in which it was taken.
#[derive(Default)]
pub(crate) struct Kept {
    pub(crate) inputs: Vec<KeptInput>,
    pub(crate) upstream: Vec<UpstreamMessage>,
}

/// The file, open or not.
pub(crate) struct MessageFile {
    path: PathBuf,
    database: Option<Database>,
}

impl MessageFile {
    /// A file that is opened, or made, when something is to be written.
    pub(crate) fn closed(path: PathBuf) -> Self {
        Self { path, database: None }
    }

    /// Opens the file, if there is one, and reads it.
    ///
    /// # Errors
    /// It is damaged, of another form, in use, or cannot be read.
    pub(crate) fn open(path: PathBuf) -> Result<(Self, Kept), HubError> {
        if !path.try_exists().unwrap_or(true) {
            return Ok((Self::closed(path), Kept::default()));
        }
        let database = open(&path, true).map_err(|problem| refused(&path, &problem))?;
        let kept = read(&database).map_err(|problem| refused(&path, &problem))?;
        let mut file = Self { path, database: Some(database) };
        if kept.inputs.is_empty() && kept.upstream.is_empty() {
            file.close();
        }
        Ok((file, kept))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a batch and waits until it is on disk.
    ///
    /// # Errors
    /// All of it is there or nothing. The next call opens the file anew: no write of this store
    /// succeeds behind one that failed.
    pub(crate) fn apply(&mut self, batch: &Batch) -> Result<(), HubError> {
        let database = match self.database.take() {
            Some(database) => Ok(database),
            None => make(&self.path).and_then(|()| open(&self.path, false)),
        };
        let written = database.and_then(|database| {
            write(&database, batch)?;
            Ok(database)
        });
        match written {
            Ok(database) => {
                self.database = Some(database);
                Ok(())
            }
            Err(problem) => {
                let reason = format!("cannot be written: {problem}; make room there");
                Err(HubError::NotSaved { file: self.path.clone(), reason })
            }
        }
    }

    /// Closes the file, and removes it when it holds nothing.
    pub(crate) fn close(&mut self) {
        let Some(database) = self.database.take() else { return };
        let is_empty = is_empty(&database).unwrap_or(false);
        drop(database);
        if is_empty {
            // One that stays is found empty at the next start.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn refused(path: &Path, problem: &redb::Error) -> HubError {
    let reason = match problem {
        redb::Error::DatabaseAlreadyOpen => "is in use by another program".to_owned(),
        redb::Error::UpgradeRequired(_)
        | redb::Error::TableTypeMismatch { .. }
        | redb::Error::TableDoesNotExist(_) => format!(
            "is of another version ({problem}): start the `loadgen` that wrote it, or remove the \
             file and with it the messages"
        ),
        redb::Error::Corrupted(_) => format!(
            "is damaged ({problem}): move it away, and with it the messages that were not \
             delivered"
        ),
        _ => format!("cannot be read: {problem}; it is also written to, which takes some room"),
    };
    HubError::state(path, reason)
}

fn open(path: &Path, is_checked: bool) -> Result<Database, redb::Error> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        // What is no file must not hold the hub up.
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
        .open(path)?;
    if !file.metadata()?.is_file() {
        return Err(redb::Error::Io(std::io::Error::other("it is no file")));
    }
    let backend = FileBackend::new(file)?;
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE_BYTES).set_check_integrity_on_open(is_checked);
    Ok(builder.create_with_backend(backend)?)
}

/// Makes the file whole or not at all, where there is none.
fn make(path: &Path) -> Result<(), redb::Error> {
    if path.try_exists()? {
        return Ok(());
    }
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let new = PathBuf::from(new);
    let made = make_at(&new).and_then(|()| {
        std::fs::rename(&new, path)?;
        // The name is to outlive a power cut as well.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
        Ok(())
    });
    if made.is_err() {
        // Half a file helps nobody, and on a full disk its room is wanted. It may not be there.
        let _ = std::fs::remove_file(&new);
    }
    made
}

fn make_at(path: &Path) -> Result<(), redb::Error> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    OpenOptions::new().create_new(true).write(true).mode(0o600).open(path)?;
    let database = open(path, false)?;
    let transaction = database.begin_write()?;
    transaction.open_table(INPUTS)?;
    transaction.open_table(UPSTREAM)?;
    transaction.open_table(ABOUT)?.insert(FORMAT_KEY, FORMAT)?;
    transaction.commit()?;
    database.close()?;
    Ok(())
}

fn write(database: &Database, batch: &Batch) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    {
        let mut inputs = transaction.open_table(INPUTS)?;
        let mut upstream = transaction.open_table(UPSTREAM)?;
        for number in batch.done() {
            inputs.remove(number)?;
            upstream.remove(number)?;
        }
        if batch.upstream_moved {
            upstream.retain_in(..batch.upstream_from, |_, _| false)?;
        }
        for input in batch.inputs() {
            let row = (&*input.client_id, &*input.topic, &*input.body);
            inputs.insert(input.number, row)?;
        }
        let mut bag = String::new();
        for message in batch.upstream() {
            bag.clear();
            message.properties.encode(&mut bag);
            let UpstreamMessage { number, device, module, output, body, .. } = message;
            let row = (&**device, module.as_deref(), output.as_deref(), &*bag, &**body);
            upstream.insert(number, row)?;
        }
    }
    transaction.commit()?;
    Ok(())
}

fn read(database: &Database) -> Result<Kept, redb::Error> {
    let transaction = database.begin_read()?;
    let format = transaction.open_table(ABOUT)?.get(FORMAT_KEY)?.map(|format| format.value());
    if format != Some(FORMAT) {
        let what = format!("format {format:?} in place of {FORMAT}");
        return Err(redb::Error::TableDoesNotExist(what));
    }
    let mut kept = Kept::default();
    for entry in transaction.open_table(INPUTS)?.iter()? {
        let (number, row) = entry?;
        let (client_id, topic, body) = row.value();
        kept.inputs.push(KeptInput {
            number: number.value(),
            client_id: client_id.to_owned(),
            topic: topic.to_owned(),
            body: body.to_owned(),
        });
    }
    for entry in transaction.open_table(UPSTREAM)?.iter()? {
        let (number, row) = entry?;
        let (device, module, output, bag, body) = row.value();
        kept.upstream.push(UpstreamMessage {
            number: number.value(),
            device: device.to_owned(),
            module: module.map(str::to_owned),
            output: output.map(str::to_owned),
            body: Bytes::copy_from_slice(body),
            properties: Properties::decode(bag),
            received_at: Instant::now(),
        });
    }
    Ok(kept)
}

fn is_empty(database: &Database) -> Result<bool, redb::Error> {
    let transaction = database.begin_read()?;
    let inputs = transaction.open_table(INPUTS)?.is_empty()?;
    Ok(inputs && transaction.open_table(UPSTREAM)?.is_empty()?)
}

#[cfg(test)]
mod tests;
