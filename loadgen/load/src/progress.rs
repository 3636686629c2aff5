//! What is shown of a run while it lasts.

use std::time::Duration;

/// The state of a run at one instant; given about ten times a second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// Which part it is in.
    pub phase: Phase,
    /// Since warm-up began; zero while starting.
    pub elapsed: Duration,
    /// Length of warm-up and measured part together.
    pub total: Duration,
    /// Messages sent so far.
    pub sent: u64,
    /// Messages sent per second, lately.
    pub rate: f64,
    /// Alerts that came back so far.
    pub alerts: u64,
    /// 99th percentile of latency lately, in microseconds; `None` when no alert came back.
    pub p99_us: Option<f64>,
    /// Messages found wrong so far: duplicated, false, disordered, corrupted or with other
    /// properties.
    pub failures: u64,
    /// Faults made so far, in a soak.
    pub faults: u64,
}

/// The parts of a run, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Building messages, waiting for the program under test.
    Starting,
    /// Full pace, not counted.
    WarmUp,
    /// Counted.
    Measuring,
    /// Nothing new is sent; what is on its way comes back.
    Draining,
    /// The program under test is ended.
    Ending,
}
