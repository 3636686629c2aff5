//! Messages that went upstream, for the monitors: those that none has shown yet, and a few more.
//!
//! ```text
//!   front                        read                               back
//!   [ shown, for a slow monitor ][ unread ][ unread ] ...
//! ```
//!
//! A monitor begins at the first unread message, so none is passed over between two monitors. It
//! tells of each message that it has shown.
//! Bounded by count and bytes: at the bound the oldest goes. A monitor that is slower than another
//! one loses what is more than [`BEHIND_MAX`] behind, and is told how many.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use loadgen_hub::UpstreamMessage;

/// Messages sent to one monitor of which it may still tell that it has shown them.
const OUTSTANDING_MAX: usize = 65_536;
/// Messages that a monitor may be behind the fastest one.
const BEHIND_MAX: u64 = 1024;
/// Unread messages that are kept.
const MESSAGES_MAX: usize = 65_536;
/// Bytes of them.
const BYTES_MAX: usize = 64 << 20;

/// The messages, shared by whoever brings and takes them.
#[derive(Debug)]
pub(super) struct Unread {
    list: Mutex<List>,
    /// Something came, or no more will.
    changed: Notify,
}

#[derive(Debug)]
struct List {
    /// Whether messages wait for a monitor when there is none.
    keeps: bool,
    messages: VecDeque<Arc<UpstreamMessage>>,
    bytes: usize,
    /// Position of the first of them.
    front: u64,
    /// Those before it were shown by a monitor.
    read: u64,
    /// Next position of each monitor.
    monitors: BTreeMap<u64, u64>,
    monitors_made: u64,
    /// Unread messages that were dropped for others.
    dropped: u64,
    is_closed: bool,
}

/// What a monitor has to say next.
#[derive(Debug)]
pub(super) enum Next {
    Message(Arc<UpstreamMessage>),
    /// Messages that it does not get.
    Lost(u64),
}

/// A monitor's place; dropped, it is gone.
#[derive(Debug)]
pub(super) struct Reader {
    unread: Arc<Unread>,
    id: u64,
    /// Positions and numbers of what was sent and not shown.
    outstanding: VecDeque<(u64, u64)>,
}

impl Unread {
    /// An empty list; with `keeps`, messages wait for a monitor when there is none.
    pub(super) fn new(keeps: bool) -> Self {
        let list = List {
            keeps,
            messages: VecDeque::new(),
            bytes: 0,
            front: 0,
            read: 0,
            monitors: BTreeMap::new(),
            monitors_made: 0,
            dropped: 0,
            is_closed: false,
        };
        Self { list: Mutex::new(list), changed: Notify::new() }
    }

    fn list(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a message. Gives the number of the last one that nobody will be sent any more, if that
    /// has changed, and how many unread ones were dropped so far.
    pub(super) fn push(&self, message: UpstreamMessage) -> (Option<u64>, u64) {
        let mut list = self.list();
        let gone = list.push(message);
        let dropped = list.dropped;
        drop(list);
        self.changed.notify_waiters();
        (gone, dropped)
    }

    /// Tells monitors that no more will come.
    pub(super) fn close(&self) {
        self.list().is_closed = true;
        self.changed.notify_waiters();
    }

    /// A place at the first unread message, and how many there are; with `passes_over`, behind
    /// them, and then the number of the last.
    pub(super) fn read(self: &Arc<Self>, passes_over: bool) -> (Reader, u64, Option<u64>) {
        let mut list = self.list();
        let mut last = None;
        if passes_over {
            last = list.messages.back().map(|message| message.number);
            list.read = list.end();
            list.trim();
        }
        let id = list.monitors_made;
        list.monitors_made += 1;
        let read = list.read;
        list.monitors.insert(id, read);
        let unread = list.end() - read;
        let unread_list = Arc::clone(self);
        (Reader { unread: unread_list, id, outstanding: VecDeque::new() }, unread, last)
    }
}

impl List {
    fn end(&self) -> u64 {
        self.front + self.messages.len() as u64
    }

    fn push(&mut self, message: UpstreamMessage) -> Option<u64> {
        if !self.keeps && self.monitors.is_empty() {
            return Some(message.number);
        }
        self.bytes += message.bytes();
        self.messages.push_back(Arc::new(message));
        let mut gone = None;
        while self.messages.len() > 1
            && (self.messages.len() > MESSAGES_MAX || self.bytes > BYTES_MAX)
        {
            gone = self.drop_front();
        }
        gone
    }

    /// Drops the first message, and gives its number if it was unread.
    fn drop_front(&mut self) -> Option<u64> {
        let message = self.messages.pop_front()?;
        self.bytes -= message.bytes();
        self.front += 1;
        if self.read >= self.front {
            return None;
        }
        self.read = self.front;
        self.dropped += 1;
        Some(message.number)
    }

    /// Drops what no monitor needs.
    fn trim(&mut self) {
        let slowest = self.monitors.values().copied().min().unwrap_or(self.read);
        let needed = slowest.min(self.read).max(self.read.saturating_sub(BEHIND_MAX));
        while self.front < needed {
            self.drop_front();
        }
    }

    fn next(&mut self, id: u64) -> Option<Next> {
        let front = self.front;
        let position = self.monitors.get_mut(&id)?;
        if *position < front {
            let lost = front - *position;
            *position = front;
            return Some(Next::Lost(lost));
        }
        let index = usize::try_from(*position - front).ok()?;
        self.messages.get(index).map(|message| Next::Message(Arc::clone(message)))
    }

    /// A monitor was sent the message that it had next; gives its position.
    fn sent(&mut self, id: u64) -> Option<u64> {
        let next = self.monitors.get_mut(&id)?;
        let position = *next;
        *next += 1;
        self.trim();
        Some(position)
    }

    /// A monitor has shown what is at this position; whether it was the first to.
    fn shown(&mut self, position: u64) -> bool {
        let is_first = position >= self.read;
        if is_first {
            self.read = position + 1;
            self.trim();
        }
        is_first
    }
}

impl Reader {
    /// The next thing to say; `None` when no more will come.
    pub(super) async fn next(&self) -> Option<Next> {
        loop {
            let changed = self.unread.changed.notified();
            let mut changed = std::pin::pin!(changed);
            changed.as_mut().enable();
            {
                let mut list = self.unread.list();
                if let Some(next) = list.next(self.id) {
                    return Some(next);
                }
                if list.is_closed {
                    return None;
                }
            }
            changed.await;
        }
    }

    /// The message that came last was sent.
    pub(super) fn sent(&mut self, message: &UpstreamMessage) {
        if let Some(position) = self.unread.list().sent(self.id) {
            if self.outstanding.len() >= OUTSTANDING_MAX {
                self.outstanding.pop_front();
            }
            self.outstanding.push_back((position, message.number));
        }
    }

    /// So many messages were shown. Gives the number of the last one, if no monitor had shown it.
    pub(super) fn shown(&mut self, count: usize) -> Option<u64> {
        let count = count.min(self.outstanding.len());
        let (position, number) = self.outstanding.drain(..count).next_back()?;
        self.unread.list().shown(position).then_some(number)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut list = self.unread.list();
        list.monitors.remove(&self.id);
        if !list.keeps && list.monitors.is_empty() {
            list.read = list.end();
        }
        list.trim();
    }
}

#[cfg(test)]
mod tests;
