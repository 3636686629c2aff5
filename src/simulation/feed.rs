//! What one source has to deliver, and in which order it comes again.

use std::collections::VecDeque;

use super::script::Setup;
use crate::pipeline::message::SourceId;

/// See the module.
#[derive(Debug)]
pub(super) struct Feed {
    pub(super) from: SourceId,
    is_hub: bool,
    ones: bool,
    window: usize,
    waiting: VecDeque<usize>,
    /// Delivered and not acknowledged, oldest first, with their packet ids.
    open: VecDeque<(usize, u16)>,
    /// Those of them that were delivered on this connection, and those that the module has read.
    delivered: usize,
    read: usize,
    last_id: u16,
}

impl Feed {
    pub(super) fn new(from: SourceId, is_hub: bool, setup: Setup) -> Self {
        Self {
            from,
            is_hub,
            ones: setup.ones && is_hub,
            window: setup.window.into(),
            waiting: VecDeque::new(),
            open: VecDeque::new(),
            delivered: 0,
            read: 0,
            last_id: 0,
        }
    }

    pub(super) fn add(&mut self, message: usize) {
        self.waiting.push_back(message);
    }

    /// A new connection: all that is open comes again, from a hub under new ids.
    pub(super) fn connected(&mut self) {
        self.disconnected();
        if self.is_hub {
            self.last_id = 0;
            for at in 0..self.open.len() {
                self.open[at].1 = self.next_id();
            }
        }
    }

    pub(super) fn disconnected(&mut self) {
        (self.delivered, self.read) = (0, 0);
    }

    /// The source forgets what it has not delivered, unless it is a hub. Gives what is lost.
    pub(super) fn lose_session(&mut self) -> Vec<usize> {
        self.disconnected();
        if self.is_hub {
            return Vec::new();
        }
        let waiting = self.waiting.drain(..);
        self.open.drain(..).map(|(message, _)| message).chain(waiting).collect()
    }

    fn next_id(&mut self) -> u16 {
        // A broker gives an id again that is free: here they go round.
        self.last_id = if self.ones { 1 } else { self.last_id % 1000 + 1 };
        self.last_id
    }

    /// The next message to deliver: its number, its id, and whether it says DUP.
    pub(super) fn next(&mut self) -> Option<(usize, u16, bool)> {
        if let Some((message, id)) = self.open.get(self.delivered) {
            self.delivered += 1;
            return Some((*message, *id, !self.is_hub));
        }
        if self.open.len() >= self.window {
            return None;
        }
        let message = self.waiting.pop_front()?;
        let id = self.next_id();
        self.open.push_back((message, id));
        self.delivered += 1;
        Some((message, id, false))
    }

    /// The module has read the next one, unless it is of a session that was lost.
    pub(super) fn was_read(&mut self, message: usize) {
        let is_next = self.open.get(self.read).is_some_and(|open| open.0 == message);
        self.read += usize::from(is_next);
    }

    /// The oldest message that the module has read and not acknowledged.
    pub(super) fn oldest_read(&self) -> Option<usize> {
        self.open.front().filter(|_| self.read > 0).map(|(message, _)| *message)
    }

    /// A PUBACK came: it must be for the oldest that was read.
    pub(super) fn acknowledged(&mut self, id: u16) -> Result<usize, String> {
        match self.open.front().copied() {
            Some((message, expected)) if self.read > 0 && expected == id => {
                self.open.pop_front();
                self.delivered -= 1;
                self.read -= 1;
                Ok(message)
            }
            expected => {
                let read = self.read;
                Err(format!("PUBACK for id {id}, of {read} read the oldest is {expected:?}"))
            }
        }
    }
}
