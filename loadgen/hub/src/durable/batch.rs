//! What changes on disk with one commit. Pure.
//!
//! A message that was delivered before its batch is written never gets to the disk: its insertion
//! and its removal cancel each other.

use std::collections::{BTreeMap, HashSet};

use super::super::telemetry::UpstreamMessage;

/// Messages in one batch; a publisher beyond them waits.
const MESSAGES_MAX: usize = 65_536;
/// Bytes of topics, bodies and names in one batch; a publisher beyond them waits.
const BYTES_MAX: usize = 16 << 20;

/// A message in the store of a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeptInput {
    /// Its place in the order of all messages.
    pub(crate) number: u64,
    /// Client id of the module.
    pub(crate) client_id: String,
    pub(crate) topic: String,
    pub(crate) body: Vec<u8>,
}

/// Insertions and removals.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    inputs: BTreeMap<u64, KeptInput>,
    upstream: BTreeMap<u64, UpstreamMessage>,
    /// Messages on disk that were delivered, or dropped for others.
    done: Vec<u64>,
    /// Messages upstream with a lower number were read.
    pub(crate) upstream_from: u64,
    /// Some of those may be on disk.
    pub(crate) upstream_moved: bool,
    /// Messages below this number may be on disk, though their commit failed.
    doubtful_below: u64,
    bytes: usize,
}

impl Batch {
    pub(crate) fn inputs(&self) -> impl Iterator<Item = &KeptInput> {
        self.inputs.values()
    }

    pub(crate) fn upstream(&self) -> impl Iterator<Item = &UpstreamMessage> {
        self.upstream.values()
    }

    pub(crate) fn done(&self) -> &[u64] {
        &self.done
    }

    /// Messages to be inserted.
    pub(crate) fn len(&self) -> usize {
        self.inputs.len() + self.upstream.len()
    }

    /// Whether a message is to be inserted.
    pub(crate) fn inserts(&self) -> bool {
        !self.inputs.is_empty() || !self.upstream.is_empty()
    }

    /// Whether anything is to be removed.
    pub(crate) fn removes(&self) -> bool {
        !self.done.is_empty() || self.upstream_moved
    }

    /// Whether another message may be inserted. A batch without any takes one of every size.
    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        !self.inserts()
            || (self.len() < MESSAGES_MAX && self.bytes.saturating_add(bytes) <= BYTES_MAX)
    }

    pub(crate) fn insert_input(&mut self, input: KeptInput) {
        self.bytes += size_of_input(&input);
        self.inputs.insert(input.number, input);
    }

    pub(crate) fn insert_upstream(&mut self, message: UpstreamMessage) {
        if message.number >= self.upstream_from {
            self.bytes += message.bytes();
            self.upstream.insert(message.number, message);
        }
    }

    /// A message was delivered, or dropped for another.
    pub(crate) fn remove(&mut self, number: u64) {
        if let Some(input) = self.inputs.remove(&number) {
            self.bytes -= size_of_input(&input);
        } else if let Some(message) = self.upstream.remove(&number) {
            self.bytes -= message.bytes();
        } else {
            self.done.push(number);
            return;
        }
        if number < self.doubtful_below {
            self.done.push(number);
        }
    }

    /// Messages upstream below this number were read.
    pub(crate) fn release_upstream(&mut self, from: u64) {
        if from <= self.upstream_from {
            return;
        }
        self.upstream_from = from;
        self.upstream_moved = true;
        while let Some(first) = self.upstream.first_entry() {
            if *first.key() >= from {
                break;
            }
            self.bytes -= first.remove().bytes();
        }
    }

    /// Gives the batch away and begins the next one.
    pub(crate) fn take(&mut self) -> Self {
        let next = Self { upstream_from: self.upstream_from, ..Self::default() };
        std::mem::replace(self, next)
    }

    /// Puts a batch back whose commit failed, before what has come since. Whether it is on disk
    /// after all is not known: what is delivered by now or later is removed there as well.
    pub(crate) fn put_back(&mut self, failed: &Self) {
        let done: HashSet<u64> = self.done.iter().copied().collect();
        for input in failed.inputs().filter(|input| !done.contains(&input.number)) {
            self.insert_input(input.clone());
        }
        for message in failed.upstream().filter(|message| !done.contains(&message.number)) {
            self.insert_upstream(message.clone());
        }
        self.done.extend_from_slice(&failed.done);
        let last = failed.inputs.keys().chain(failed.upstream.keys()).max();
        self.doubtful_below = self.doubtful_below.max(last.map_or(0, |last| last + 1));
        self.upstream_moved |= failed.upstream_moved;
    }
}

fn size_of_input(input: &KeptInput) -> usize {
    input.client_id.len() + input.topic.len() + input.body.len()
}
