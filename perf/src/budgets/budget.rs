//! One budget, and the units of what is limited. Pure.

use serde::{Deserialize, Serialize};

use crate::arch::Arch;

/// What is limited of the whole program, and not of a stage, is filed under this.
pub const PROGRAM: &str = "sluicegate";

/// What is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Instructions of user space, a message; counted for 1,000.
    Instructions,
    /// Allocations on the heap, 1,000 messages.
    Allocations,
    /// Bytes allocated on the heap, 1,000 messages.
    HeapBytes,
    /// Writes to the peer, 1,000 messages.
    Writes,
    /// Most bytes held or waiting at any time.
    QueuedBytes,
    /// Size of the program without symbols.
    BinaryBytes,
    /// Largest resident set, in bytes.
    RssBytes,
    /// Time from the start of the process to its subscription, in milliseconds.
    StartupMs,
}

/// One budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// The stage, or the whole program.
    pub stage: &'static str,
    /// What is limited.
    pub unit: Unit,
    /// The largest value that is allowed, as people read the unit.
    pub limit: u64,
    /// `None`: on every architecture.
    pub arch: Option<Arch>,
    /// What of.
    pub condition: &'static str,
    /// Where it is shown to hold.
    pub proof: Proof,
}

/// Where a budget is shown to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// The row of this stage and unit of `cargo perf gate`.
    Gate,
    /// This scenario of `cargo perf record`.
    Record(&'static str),
    /// This test, as `file::name`.
    Test(&'static str),
    /// Nowhere yet.
    Pending,
}

impl Unit {
    /// As in baselines.
    pub fn name(self) -> &'static str {
        match self {
            Self::Instructions => "instructions",
            Self::Allocations => "allocations",
            Self::HeapBytes => "heap_bytes",
            Self::Writes => "writes",
            Self::QueuedBytes => "queued_bytes",
            Self::BinaryBytes => "binary_bytes",
            Self::RssBytes => "rss_bytes",
            Self::StartupMs => "startup_ms",
        }
    }

    /// For people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Instructions => "instructions",
            Self::Allocations => "allocations / 1,000",
            Self::HeapBytes => "heap bytes / 1,000",
            Self::Writes => "writes / 1,000",
            Self::QueuedBytes => "queued bytes",
            Self::BinaryBytes => "stripped bytes",
            Self::RssBytes => "resident bytes",
            Self::StartupMs => "ms",
        }
    }

    /// Counted values for each one that people read: instructions are counted for 1,000 messages
    /// and read for one.
    pub fn scale(self) -> u64 {
        if self == Self::Instructions { 1000 } else { 1 }
    }

    /// A counted value for people, with a comma every three digits.
    pub fn text(self, value: u64) -> String {
        let whole = grouped(value / self.scale());
        match self {
            Self::Instructions => format!("{whole}.{}", value % 1000 / 100),
            _ => whole,
        }
    }
}

/// With a comma every three digits.
pub fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
