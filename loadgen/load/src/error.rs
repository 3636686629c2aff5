//! Why there is no result at all.

use thiserror::Error;

/// Why a run gave no result. Each text is one line for people, and says what to do where that is
/// known.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LoadError {
    /// What is asked cannot be done.
    #[error("{0}")]
    Setting(String),
    /// The program under test did not start, did not subscribe in time or ended; the address is
    /// taken; the broker cannot be reached.
    #[error("{0}")]
    Unavailable(String),
    /// Something that cannot happen did, or the system refused a resource.
    #[error("{0}")]
    Internal(String),
    /// Whoever asked for a series of runs wants no more of them, and not the last one either, which
    /// was cut short. Never given by the engine, which ends a run early with a result.
    #[error("ended early")]
    Interrupted,
}

impl LoadError {
    /// Exit status, as in `sysexits.h`: 64 usage, 69 unavailable, 70 internal; 1 when interrupted.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Interrupted => 1,
            Self::Setting(_) => 64,
            Self::Unavailable(_) => 69,
            Self::Internal(_) => 70,
        }
    }
}
