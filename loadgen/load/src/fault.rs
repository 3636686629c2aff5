//! What can be done to a program under test while it runs, and how its engine is told to.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What can be done to a program under test and its hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// The hub ends the connection in order (FIN).
    Cut,
    /// The hub's system ends it (RST): what is on its way is lost.
    Reset,
    /// The hub neither reads nor writes nor accepts for a while.
    Stall,
    /// The hub is gone for a while, and comes back with its sessions and what was in flight.
    Restart,
    /// SIGSTOP to the program, and SIGCONT a while later.
    Stop,
    /// SIGKILL to the program, which is started anew.
    Kill,
}

impl FaultKind {
    /// Every kind.
    pub const ALL: [Self; 6] =
        [Self::Cut, Self::Reset, Self::Stall, Self::Restart, Self::Stop, Self::Kill];

    /// As flags name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cut => "cut",
            Self::Reset => "reset",
            Self::Stall => "stall",
            Self::Restart => "restart",
            Self::Stop => "stop",
            Self::Kill => "kill",
        }
    }

    /// For people.
    pub fn text(self) -> &'static str {
        match self {
            Self::Cut => "connection cut",
            Self::Reset => "connection reset",
            Self::Stall => "hub stalled",
            Self::Restart => "hub restarted",
            Self::Stop => "program stopped",
            Self::Kill => "program killed",
        }
    }

    /// Whether the program must connect anew before anything can go on.
    pub fn ends_connection(self) -> bool {
        match self {
            Self::Cut | Self::Reset | Self::Restart | Self::Kill => true,
            Self::Stall | Self::Stop => false,
        }
    }
}

/// What the calling thread has the engine's thread do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Makes a fault of the hub, which lasts so long.
    Fault(FaultKind, Duration),
    /// A fault of the program itself begins, made by the calling thread.
    Begun(FaultKind),
    /// It is over.
    Over,
    /// Changes the threshold in the twin.
    Patch,
}
