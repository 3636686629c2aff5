//! What the engine's thread and the calling thread tell each other: a few numbers, without locks.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// Numbers for the progress, and the wish to end.
#[derive(Debug, Default)]
pub(super) struct Board {
    sent: AtomicU64,
    alerts: AtomicU64,
    failures: AtomicU64,
    /// Nanoseconds since the warm-up began.
    elapsed_ns: AtomicU64,
    /// In nanoseconds; 0 for none.
    p99_ns: AtomicU64,
    recovered: AtomicU64,
    stop: AtomicBool,
    abandoned: AtomicBool,
}

/// The numbers at one instant.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Numbers {
    /// Messages sent.
    pub(super) sent: u64,
    /// Alerts that came back.
    pub(super) alerts: u64,
    /// Messages found wrong.
    pub(super) failures: u64,
    /// Nanoseconds since the warm-up began.
    pub(super) elapsed_ns: u64,
    /// Latency lately, in nanoseconds; 0 for none.
    pub p99_ns: u64,
    /// Faults that the program under test has recovered from.
    pub(super) recovered: u64,
}

impl Board {
    /// Writes the numbers. Readers may see some of them earlier than others.
    pub(super) fn write(&self, numbers: Numbers) {
        self.sent.store(numbers.sent, Relaxed);
        self.alerts.store(numbers.alerts, Relaxed);
        self.failures.store(numbers.failures, Relaxed);
        self.elapsed_ns.store(numbers.elapsed_ns, Relaxed);
        self.p99_ns.store(numbers.p99_ns, Relaxed);
        self.recovered.store(numbers.recovered, Relaxed);
    }

    /// Reads them.
    pub(super) fn read(&self) -> Numbers {
        Numbers {
            sent: self.sent.load(Relaxed),
            alerts: self.alerts.load(Relaxed),
            failures: self.failures.load(Relaxed),
            elapsed_ns: self.elapsed_ns.load(Relaxed),
            p99_ns: self.p99_ns.load(Relaxed),
            recovered: self.recovered.load(Relaxed),
        }
    }

    /// Has the engine end: what is on its way may still come back.
    pub(super) fn stop(&self) {
        self.stop.store(true, Relaxed);
    }

    /// The program under test has ended: nothing comes back any more.
    pub(super) fn abandon(&self) {
        self.abandoned.store(true, Relaxed);
    }

    /// Whether it has.
    pub(super) fn is_abandoned(&self) -> bool {
        self.abandoned.load(Relaxed)
    }

    /// Whether the engine is to end.
    pub(super) fn is_stopped(&self) -> bool {
        self.stop.load(Relaxed)
    }
}
