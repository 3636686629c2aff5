//! What the demo published, what came back, and whether that is right.
//!
//! The sensor thread enters each message before it hands it to the hub, the reader of the upstream
//! queue enters each alert; a lock around the ledger is theirs to bring. Bounded:
//! [`LEDGER_MESSAGES_MAX`] messages are remembered, the oldest is judged and forgotten first.
//!
//! The rule it holds the module to: *the threshold in force when a message arrives judges it*. From
//! outside, a message in flight at a change may have met the old or the new threshold, so both
//! verdicts are right for it, and only for it. Which those are is known exactly: the messages that
//! were not yet acknowledged when the change was ordered, up to the last one published before the
//! module reported it.

use std::collections::VecDeque;
use std::time::Instant;

/// Messages remembered; 200 s of a demo at its default rate.
pub(super) const LEDGER_MESSAGES_MAX: usize = 200_000;

/// Where a threshold change stands in the order of published messages.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Epoch {
    /// First message that may have met this threshold.
    first_possible: u64,
    /// First message that cannot have met the threshold before; `None` while that is open.
    first_certain: Option<u64>,
    threshold: f64,
}

/// What must happen to one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It exceeds every threshold that it can have met.
    Alert,
    /// It exceeds none of them.
    Silent,
    /// It was in flight at a change that decides it.
    Either,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    temperature: f64,
    body_hash: u64,
    published_at: Instant,
    arrived: bool,
}

/// Counts of everything that is wrong, and of what is right.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// Messages published.
    pub(super) published: u64,
    /// Alerts that arrived, duplicates not counted.
    pub(super) alerts: u64,
    /// Of these, alerts of which either verdict was right.
    pub(super) alerts_either: u64,
    /// Alerts due that did not arrive.
    pub(super) missing: u64,
    /// Messages that arrived though they exceed no threshold they can have met.
    pub(super) false_alerts: u64,
    /// Alerts that arrived again.
    pub(super) duplicates: u64,
    /// Alerts that arrived after a later one.
    pub(super) disordered: u64,
    /// Messages whose body changed, or that nobody published.
    pub(super) corrupted: u64,
}

/// The ledger. Messages are numbered from 0 in the order of publication.
#[derive(Debug)]
pub(super) struct Ledger {
    entries: VecDeque<Entry>,
    /// Number of the oldest remembered message.
    first: u64,
    epochs: VecDeque<Epoch>,
    last_arrived: Option<u64>,
    tally: Tally,
}

impl Ledger {
    /// An empty ledger with the threshold in force from the first message on.
    pub(super) fn new(threshold: f64) -> Self {
        let epoch = Epoch { first_possible: 0, first_certain: Some(0), threshold };
        Self {
            entries: VecDeque::new(),
            first: 0,
            epochs: VecDeque::from([epoch]),
            last_arrived: None,
            tally: Tally::default(),
        }
    }

    /// Enters a message about to be published and gives its number.
    pub(super) fn publish(&mut self, temperature: f64, body: &[u8], now: Instant) -> u64 {
        if self.entries.len() == LEDGER_MESSAGES_MAX {
            self.forget_oldest();
        }
        let (published_at, body_hash) = (now, hash(body));
        self.entries.push_back(Entry { temperature, body_hash, published_at, arrived: false });
        self.tally.published += 1;
        self.tally.published - 1
    }

    /// A change to `threshold` is about to be ordered, with `unacknowledged` messages possibly not
    /// judged yet.
    pub(super) fn begin_change(&mut self, threshold: f64, unacknowledged: u64) {
        let first_possible = self.tally.published.saturating_sub(unacknowledged);
        self.epochs.push_back(Epoch { first_possible, first_certain: None, threshold });
    }

    /// The module reported the last change: what is published from now on meets it alone.
    pub(super) fn end_change(&mut self) {
        if let Some(epoch) = self.epochs.back_mut() {
            epoch.first_certain.get_or_insert(self.tally.published);
        }
    }

    /// Enters a message that came back. Gives the time it was published when it is the first
    /// arrival of a right alert.
    pub(super) fn arrive(&mut self, number: u64, body: &[u8]) -> Option<Instant> {
        let index = number.checked_sub(self.first).and_then(|index| usize::try_from(index).ok());
        let entry = index.and_then(|index| self.entries.get_mut(index));
        let Some(entry) = entry.filter(|entry| entry.body_hash == hash(body)) else {
            self.tally.corrupted += 1;
            return None;
        };
        if std::mem::replace(&mut entry.arrived, true) {
            self.tally.duplicates += 1;
            return None;
        }
        let (published_at, temperature) = (entry.published_at, entry.temperature);
        self.tally.alerts += 1;
        self.tally.disordered += u64::from(self.last_arrived.is_some_and(|last| last > number));
        self.last_arrived = self.last_arrived.max(Some(number));
        match self.verdict(number, temperature) {
            Verdict::Alert => {}
            Verdict::Either => self.tally.alerts_either += 1,
            Verdict::Silent => {
                self.tally.false_alerts += 1;
                return None;
            }
        }
        Some(published_at)
    }

    /// A message came back that carries no number of ours.
    pub(super) fn arrive_unknown(&mut self) {
        self.tally.corrupted += 1;
    }

    /// The counts so far; `missing` holds only messages already forgotten.
    pub(super) fn tally(&self) -> Tally {
        self.tally
    }

    /// The counts with every remembered message judged: the state at the end of a run.
    pub(super) fn final_tally(&self) -> Tally {
        let entries = (self.first..).zip(&self.entries);
        let missing = entries.filter(|(number, entry)| self.is_missing(*number, entry)).count();
        Tally { missing: self.tally.missing + missing as u64, ..self.tally }
    }

    fn is_missing(&self, number: u64, entry: &Entry) -> bool {
        !entry.arrived && self.verdict(number, entry.temperature) == Verdict::Alert
    }

    fn forget_oldest(&mut self) {
        let Some(entry) = self.entries.pop_front() else { return };
        self.tally.missing += u64::from(self.is_missing(self.first, &entry));
        self.first += 1;
        self.epochs.drain(..self.ruling_epoch(self.first));
    }

    /// Index of the last threshold that a message certainly met, or later ones after it.
    fn ruling_epoch(&self, number: u64) -> usize {
        let certain = |epoch: &Epoch| epoch.first_certain.is_some_and(|first| first <= number);
        self.epochs.iter().rposition(certain).unwrap_or(0)
    }

    fn verdict(&self, number: u64, temperature: f64) -> Verdict {
        let epochs = self.epochs.range(self.ruling_epoch(number)..);
        let mut exceeds = epochs
            .filter(|epoch| epoch.first_possible <= number)
            .map(|epoch| temperature > epoch.threshold);
        let first = exceeds.next().unwrap_or(false);
        match (first, exceeds.all(|other| other == first)) {
            (true, true) => Verdict::Alert,
            (false, true) => Verdict::Silent,
            (_, false) => Verdict::Either,
        }
    }
}

/// FNV-1a, 64 bits: detects a changed body; nobody forges bodies here.
fn hash(body: &[u8]) -> u64 {
    body.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests;
