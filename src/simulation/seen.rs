//! What schedules have reached: a simulation that never gets anywhere keeps every promise.

use crate::pipeline::metrics::Counters;

/// Sums over processes and schedules.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Seen {
    received: u64,
    forwarded: u64,
    resent: u64,
    redelivered: u64,
    source_pauses: u64,
    puback_timeouts: u64,
    renewals: u64,
    twin_callbacks: u64,
    twin_refused: u64,
    unexpected: u64,
    parked: u64,
}

impl Seen {
    /// Adds what a process counted.
    pub(super) fn add(&mut self, counters: &Counters) {
        self.received += counters.received;
        self.forwarded += counters.forwarded;
        self.resent += counters.resent;
        self.redelivered += counters.redelivered;
        self.source_pauses += counters.source_pauses;
        self.puback_timeouts += counters.puback_timeouts;
        self.renewals += counters.renewals;
        self.twin_callbacks += counters.twin_callbacks;
        self.twin_refused += counters.twin_refused;
        self.unexpected += counters.unexpected;
        self.parked += counters.parked;
    }

    /// Adds another sum.
    pub(super) fn join(&mut self, other: &Self) {
        let all = self.all_mut().into_iter().zip(other.all());
        all.for_each(|((_, sum), (_, more))| *sum += more);
    }

    /// Each with its name.
    pub(super) fn all(&self) -> [(&'static str, u64); 11] {
        let mut copy = *self;
        copy.all_mut().map(|(name, count)| (name, *count))
    }

    fn all_mut(&mut self) -> [(&'static str, &mut u64); 11] {
        [
            ("received", &mut self.received),
            ("forwarded", &mut self.forwarded),
            ("resent", &mut self.resent),
            ("redelivered", &mut self.redelivered),
            ("source_pauses", &mut self.source_pauses),
            ("puback_timeouts", &mut self.puback_timeouts),
            ("renewals", &mut self.renewals),
            ("twin_callbacks", &mut self.twin_callbacks),
            ("twin_refused", &mut self.twin_refused),
            ("unexpected", &mut self.unexpected),
            ("parked", &mut self.parked),
        ]
    }
}
