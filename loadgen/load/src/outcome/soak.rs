//! What a soak found: a long run with faults, judged by how flat it stayed.

use serde::{Deserialize, Serialize};

use super::{Outcome, Verdict};
use crate::fault::FaultKind;
use crate::settings::Disturbances;

/// `loadgen soak`: a long run with faults.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Soak {
    /// What disturbed it, as asked.
    pub disturbances: Disturbances,
    /// The program's capacity in messages per second, where it was searched before.
    pub capacity: Option<f64>,
    /// Length of the measured part, shorter than asked when ended early.
    pub measured_s: f64,
    /// The run with everything that was sent and came back.
    pub run: Outcome,
    /// What the program held, second by second.
    pub samples: Vec<Sample>,
    /// Every fault, in the order made.
    pub faults: Vec<Fault>,
    /// Thresholds that patches of the twin chose in turn, lower one first; `None` without patches.
    pub thresholds: Option<[f64; 2]>,
    /// Changes of the threshold.
    pub patches: u64,
    /// Those that the program was told at once: it was connected, and had subscribed to them.
    pub patches_told: u64,
    /// Connections that the program itself ended by DISCONNECT, as it does for a new token.
    pub renewals: u64,
    /// What had to stay flat.
    pub steadiness: Vec<Steadiness>,
    /// What to make of it.
    pub verdict: Verdict,
}

impl Soak {
    /// The longest time from the end of a fault to full rate, in seconds; `None` without faults, or
    /// where one was never recovered from.
    pub fn recovery_max_s(&self) -> Option<f64> {
        let all = self.faults.iter().map(|fault| fault.recovery_s).collect::<Option<Vec<_>>>()?;
        all.into_iter().reduce(f64::max)
    }

    /// The faults of each kind that was made.
    pub fn by_kind(&self) -> Vec<OfKind> {
        let of_kind = |kind: FaultKind| {
            let faults: Vec<_> = self.faults.iter().filter(|fault| fault.kind == kind).collect();
            let mut recoveries: Vec<f64> =
                faults.iter().filter_map(|fault| fault.recovery_s).collect();
            recoveries.sort_by(f64::total_cmp);
            let middle = recoveries.len().saturating_sub(1) / 2;
            let never_back = faults.len() - recoveries.len();
            (!faults.is_empty()).then(|| OfKind {
                kind,
                count: faults.len(),
                never_back,
                median_s: recoveries.get(middle).copied(),
                worst_s: recoveries.last().copied(),
            })
        };
        FaultKind::ALL.into_iter().filter_map(of_kind).collect()
    }
}

/// Faults of one kind, and the times to recover from them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OfKind {
    /// Which.
    pub kind: FaultKind,
    /// How many.
    pub count: usize,
    /// Those never recovered from.
    pub never_back: usize,
    /// Of those recovered from, the time of one in the middle.
    pub median_s: Option<f64>,
    /// The longest.
    pub worst_s: Option<f64>,
}

/// What the program under test held at one instant, with its children.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Seconds since the measured part began; negative in the warm-up.
    pub at_s: f64,
    /// Resident set.
    pub rss_kib: u64,
    /// Open file descriptors.
    pub descriptors: u64,
    /// Threads.
    pub threads: u64,
}

/// One fault that was made.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// What was done.
    pub kind: FaultKind,
    /// When it began, in seconds since the measured part did.
    pub at_s: f64,
    /// How long it lasted.
    pub length_s: f64,
    /// Seconds from its end until everything due by then was sent and acknowledged; `None` when
    /// that never came.
    pub recovery_s: Option<f64>,
}

/// How flat one figure stayed from the second third of the measured part to the last, seconds of
/// faults and recoveries left aside.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Steadiness {
    /// Which figure.
    pub figure: Figure,
    /// Of the second third.
    pub second: f64,
    /// Of the last third.
    pub last: f64,
    /// Undisturbed seconds of the two.
    pub seconds: [u64; 2],
    /// Whether it kept to its bounds; `None` where there were too few such seconds to judge.
    pub held: Option<bool>,
}

/// A figure that must stay flat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Figure {
    /// Mean resident set, in KiB.
    Rss,
    /// Median number of open descriptors.
    Descriptors,
    /// Median number of threads.
    Threads,
    /// Median over the seconds of the median latency, in microseconds.
    P50,
}
