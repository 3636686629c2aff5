//! What a durable hub has acknowledged, and not delivered, on disk.
//!
//! ```text
//!  publish --> stores in memory (from which alone it delivers)
//!     |              |
//!     v              v delivered
//!   batch <----------'        PUBACK once the batch is on disk
//!     '--> writer --> messages.redb --(next start)--> stores
//! ```
//!
//! A publish that was stored gets a ticket, the number of the batch that it is in. Its PUBACK goes
//! out when that batch is on disk. Tickets never fall, so PUBACKs stay in order. Bounded: the
//! batch that fills, the one that is written, and on disk by the stores in memory.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::HubError;
use super::telemetry::UpstreamMessage;

mod batch;
mod file;

pub(super) use batch::KeptInput;
pub(super) use file::{Kept, MESSAGES_FILE};

pub(super) use batch::Batch;
pub(super) use file::MessageFile;

/// How long the removal of what was delivered may wait for messages to be written with it.
const REMOVAL_WAIT: Duration = Duration::from_secs(1);

/// The hub thread's side.
pub(super) struct Durable {
    /// The writer's, once that runs.
    pub(super) file: Option<MessageFile>,
    /// What changes with the next commit.
    batch: Batch,
    /// The next message's.
    number: u64,
    /// The batch that fills.
    filling: u64,
    /// The last batch into which a message came.
    last_used: u64,
    /// All batches up to this one are on disk.
    stored: u64,
    /// When removals are written, whatever comes.
    removal_at: Option<Instant>,
    /// The last batch could not be written: not tried before.
    pub(super) retry_at: Option<Instant>,
    pub(super) is_stopping: bool,
    /// Wakes the writer.
    pub(super) work: Arc<Notify>,
    /// Messages upstream below this number were read.
    released: Arc<AtomicU64>,
}

/// What the writer does next.
pub(super) enum Next {
    Write(Batch),
    /// Everything was delivered before it was written: who waits is answered.
    Stored,
    /// Until there is work, or until then.
    Wait(Option<Instant>),
    End,
}

impl Durable {
    /// Opens the state folder's file and gives what it holds. `released` tells which messages
    /// upstream have been read.
    ///
    /// # Errors
    /// The file is damaged, of another version, in use, or cannot be read.
    pub(super) fn open(dir: &Path, released: Arc<AtomicU64>) -> Result<(Self, Kept), HubError> {
        let (file, kept) = MessageFile::open(dir.join(MESSAGES_FILE))?;
        let inputs = kept.inputs.iter().map(|input| input.number);
        let upstream = kept.upstream.iter().map(|message| message.number);
        let number = inputs.chain(upstream).max().map_or(1, |last| last + 1);
        let durable = Self {
            file: Some(file),
            batch: Batch::default(),
            number,
            filling: 1,
            last_used: 0,
            stored: 0,
            removal_at: None,
            retry_at: None,
            is_stopping: false,
            work: Arc::new(Notify::new()),
            released,
        };
        Ok((durable, kept))
    }

    /// Whether a message of this size may be added now.
    pub(super) fn has_room(&self, bytes: usize) -> bool {
        self.batch.has_room(bytes)
    }

    /// Adds a message to a module's store and gives its number.
    pub(super) fn keep_input(&mut self, client_id: String, topic: &str, body: &[u8]) -> u64 {
        let number = self.next_number();
        let (topic, body) = (topic.to_owned(), body.to_owned());
        self.batch.insert_input(KeptInput { number, client_id, topic, body });
        number
    }

    /// Numbers a message that goes upstream and adds it.
    pub(super) fn keep_upstream(&mut self, message: &mut UpstreamMessage) {
        message.number = self.next_number();
        self.batch.insert_upstream(message.clone());
    }

    fn next_number(&mut self) -> u64 {
        let number = self.number;
        self.number += 1;
        self.last_used = self.filling;
        self.work.notify_one();
        number
    }

    /// Messages were delivered, or dropped for others: they need not be on disk.
    pub(super) fn remove(&mut self, numbers: impl Iterator<Item = u64>) {
        for number in numbers {
            self.batch.remove(number);
            self.work.notify_one();
        }
    }

    /// Takes note of what has been read upstream.
    pub(super) fn release_upstream(&mut self) {
        let from = self.released.load(Ordering::Acquire);
        if from > self.batch.upstream_from {
            self.batch.release_upstream(from);
            self.work.notify_one();
        }
    }

    /// Whatever was taken so far is stored with this ticket.
    pub(super) fn ticket(&self) -> u64 {
        self.last_used
    }

    /// Whether what has this ticket is on disk, or need not be there any more.
    pub(super) fn is_stored(&self, ticket: u64) -> bool {
        ticket <= self.stored
    }

    /// Has the writer write what is left, and end.
    pub(super) fn stop(&mut self) {
        self.release_upstream();
        self.is_stopping = true;
        self.retry_at = None;
        self.work.notify_one();
    }

    pub(super) fn next(&mut self, now: Instant) -> Next {
        if !self.batch.inserts() && self.last_used > self.stored {
            (self.stored, self.filling) = (self.filling, self.filling + 1);
            return Next::Stored;
        }
        let due = if self.batch.inserts() {
            Some(now)
        } else if self.batch.removes() {
            Some(*self.removal_at.get_or_insert(now + REMOVAL_WAIT))
                .map(|at| if self.is_stopping { now } else { at })
        } else {
            None
        };
        let due = due.map(|due| self.retry_at.map_or(due, |retry| due.max(retry)));
        match due {
            Some(due) if due <= now => {
                self.removal_at = None;
                self.filling += 1;
                Next::Write(self.batch.take())
            }
            None if self.is_stopping => Next::End,
            due => Next::Wait(due),
        }
    }

    /// The batch that was given away is on disk.
    pub(super) fn committed(&mut self) {
        self.stored = self.filling - 1;
        self.retry_at = None;
    }

    /// It is not: it goes with what has come since.
    pub(super) fn failed(&mut self, batch: &Batch, retry_at: Instant) {
        self.batch.put_back(batch);
        self.retry_at = Some(retry_at);
    }
}

#[cfg(test)]
mod tests;
